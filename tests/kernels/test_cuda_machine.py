"""What the kernels for a GPU need: the simulator's process, types, torch's tensors, a device."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lsm_verify.errors import InputError
from lsm_verify.inverse.city import city_case
from lsm_verify.inverse.fields import calibrate_columns
from lsm_verify.kernels import cuda, cuda_arrays, cuda_levenberg_run, cuda_plan
from tests.kernels.test_cuda import as_asked, at_hand, inputs_of, several
from tools import map_gpu

ROOT = Path(__file__).parents[2]

installed = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason="numba-cuda is not installed; install the extra cuda",
)


@installed
@pytest.mark.parametrize("name", ["test_cuda.py", "test_cuda_levenberg.py"])
def test_in_the_simulator(name):
    """Run the tests of the kernels in the simulator, none of them skipped."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    file = ROOT / "tests" / "kernels" / name
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", file],
        env={**kept, "NUMBA_ENABLE_CUDASIM": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    last = run.stdout.strip().rpartition("\n")[2]
    assert " passed" in last
    assert "skipped" not in last, run.stdout[-5000:]


@pytest.fixture
def fresh():
    """Ask anew whether there is numba-cuda and a device."""
    cuda_arrays.numba_cuda.cache_clear()
    yield
    cuda_arrays.numba_cuda.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_without_numba_cuda_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(cuda_arrays.importlib.util, "find_spec", lambda name: None)
    columns, insulated, *_ = as_asked([inputs_of("mean-square")])
    with pytest.raises(InputError, match=r"^[^\n]*pip install 'lsm-verify\[cuda\]'\.$"):
        cuda.simulate(columns, insulated)


@installed
@pytest.mark.usefixtures("fresh")
@pytest.mark.skipif(at_hand(), reason="there is a device here")
def test_without_a_device_the_remedy_is_named():
    columns, insulated, *_ = as_asked([inputs_of("mean-square")])
    with pytest.raises(InputError, match=r"^numba-cuda finds no CUDA device; [^\n]*\[cuda\]'\.$"):
        cuda.simulate(columns, insulated)


@installed
@pytest.mark.usefixtures("fresh")
@pytest.mark.skipif(at_hand(), reason="there is a device here")
def test_without_a_device_no_columns_are_calibrated():
    case = city_case()
    with pytest.raises(InputError, match=r"^numba-cuda finds no CUDA device; [^\n]*\[cuda\]'\.$"):
        calibrate_columns(case, np.full((1, 2, 101), 293.0), 0.05, device="cuda")


@installed
@pytest.mark.usefixtures("fresh")
@pytest.mark.skipif(at_hand(), reason="there is a device here")
def test_without_a_device_no_map_is_measured(monkeypatch, tmp_path, capsys):
    file = tmp_path / "map_gpu.json"
    monkeypatch.setattr(sys, "argv", ["map_gpu.py", str(file)])
    assert map_gpu.main() == map_gpu.MISUSE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("map_gpu: numba-cuda finds no CUDA device; ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ compiled


@pytest.fixture
def newest(monkeypatch):
    """Compile for a GPU that need not be there: its compute capability."""
    from numba.cuda import dispatcher

    device = SimpleNamespace(compute_capability=(9, 0))
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)
    return device.compute_capability


@installed
@pytest.mark.slow
def test_types_are_inferred_and_single_precision_stays(newest):
    """The simulator infers no types; numba-cuda does so, and lowers to LLVM, without a device."""
    from numba import cuda as numba_cuda
    from numba import types
    from numba.cuda import compiler

    signatures = cuda_plan.signatures("float32")
    given = {"cuda": numba_cuda, "REAL": signatures["real"], "SHARED": True}
    functions = cuda_plan.bound(given, "test")
    for kernel in cuda_plan.KERNEL_ROWS:
        compiler.compile_cuda(
            getattr(functions, kernel), types.void, signatures[kernel].args, cc=newest
        )
    inferred = {
        name: [str(result.signature) for result in function.overloads.values()]
        for name, function in vars(functions).items()
        if hasattr(function, "overloads")
    }
    assert "(float32, float32, float32) -> float32" in inferred["fma"]
    doubles = [name for name, found in inferred.items() if "float64" in "".join(found)]
    assert doubles == []


PARAMETER_BYTES = 4096
"""What a kernel can be given by CUDA before 12.1, and on GPUs before Volta."""


def words(kind) -> int:
    """Numbers of eight bytes as which numba-cuda passes an argument: of an array two pointers to
    its owners, size, size of an item and data, then shape and strides.
    """
    from numba import types

    if isinstance(kind, types.BaseTuple):
        return sum(map(words, kind))
    return 5 + 2 * kind.ndim if isinstance(kind, types.Array) else 1


@installed
@pytest.mark.slow
def test_the_kernel_of_least_squares_is_compiled_and_can_be_given_what_it_takes(newest):
    """All of it, the CPU's decisions included, and by the types that are given beforehand."""
    from numba import cuda as numba_cuda
    from numba import types
    from numba.cuda import compiler

    signature = cuda_levenberg_run.signature()
    functions = cuda_levenberg_run.functions(numba_cuda, "test")
    kernel = getattr(functions, cuda_levenberg_run.KERNEL)
    compiled = compiler.compile_cuda(kernel, types.void, signature.args, cc=newest)
    assert compiled.signature.args == signature.args
    for name in ("advance", "settle", "admit", "report", "normal_equations"):
        assert len(getattr(functions, name).overloads) == 1
    single = [
        name
        for name, function in vars(functions).items()
        for found in getattr(function, "overloads", {}).values()
        if "float32" in str(found.signature)
    ]
    assert single == []
    assert 8 * sum(map(words, signature.args)) <= PARAMETER_BYTES


@installed
def test_few_columns_are_not_warned_of():
    """Warnings are errors here: numba-cuda's own of a small grid must not come through."""
    from numba.cuda.dispatcher import _LaunchConfiguration

    grid, launched = ((2, 1, 1), (cuda_plan.BLOCK, 1, 1), 0, 0), []
    with pytest.raises(Warning, match="Grid size"):
        _LaunchConfiguration(None, *grid)

    class Kernel:
        def __getitem__(self, how):
            assert how == (2, cuda_plan.BLOCK, 0, 8)
            _LaunchConfiguration(None, *grid)
            return lambda *arguments: launched.append(arguments)

    cuda_plan.launch(Kernel(), cuda_plan.BLOCK + 1, 0, 8, "asked")
    assert launched == [("asked",)]


# ------------------------------------------------------------------ torch's tensors


def tensors(torch, group):
    """The arrays of a named tuple on the device; words stay."""
    moved = (torch.tensor(x, device="cuda") if hasattr(x, "shape") else x for x in group)
    return type(group)(*moved)


@pytest.mark.cuda
@pytest.mark.skipif(not at_hand(), reason="no CUDA device; run on a machine with one")
def test_tensors_are_read_in_place_on_the_current_stream_and_returned():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch is built without CUDA; install a build with it")
    columns, insulated, sight, objective = as_asked(several(inputs_of("mean-square"), 200))
    J, bars, status = cuda.gradient(columns, insulated, sight, objective)
    asked = tensors(torch, columns), insulated, tensors(torch, sight), tensors(torch, objective)
    taken = cuda_arrays.Home(asked[0].lam.device).take(asked[0].lam)
    assert taken.__cuda_array_interface__["data"][0] == asked[0].lam.data_ptr()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        # What precedes on the stream must be done first: albedos that are set late.
        late = torch.zeros_like(asked[0].albedo)
        torch.cuda._sleep(100_000_000)
        late.copy_(asked[0].albedo)
        found = cuda.gradient(asked[0]._replace(albedo=late), *asked[1:])
    stream.synchronize()
    assert all(isinstance(each, torch.Tensor) for each in (found[0], found[2], *found[1].values()))
    np.testing.assert_array_equal(found[0].cpu(), J.copy_to_host())
    np.testing.assert_array_equal(found[2].cpu(), status.copy_to_host())
    for name, bar in bars.items():
        np.testing.assert_array_equal(found[1][name].cpu(), bar.copy_to_host())
