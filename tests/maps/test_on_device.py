"""Maps by the CUDA kernels, in numba-cuda's simulator, which is a process of its own."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install 'lsm-verify[cuda]'")

SCRIPT = """
import numpy as np
import lsm_verify as lv
from lsm_verify.maps.synthetic import synthetic_city

held = ("volumetric_heat_capacity", "bottom_temperature", "turbulent_transfer_coefficient")
city = synthetic_city(1, 2, 0.05, held=held, seed=3).isel(time=slice(0, 4))
asked = (0.05, ["albedo", "thermal_conductivity"])
grid = lv.Grid.stretched(1.0, 5, 1.5)
cpu = lv.calibrate_map(city, *asked, grid=grid)
cuda = lv.calibrate_map(city, *asked, grid=grid, device="cuda")
for name in asked[1]:
    off = abs(cuda[name] - cpu[name]) / cpu[f"{name}_standard_error"]
    # Each ends within 1e-6 standard errors of the optimum (`marquardt.SETTLED`, rates up to 0.9).
    assert float(off.max()) < 2e-6, (name, off.values)
assert (cuda.status == cpu.status).all()
assert cuda.gradient_verified.values.tolist() == cpu.gradient_verified.values.tolist()
assert 1 in cuda.gradient_verified
print("same", float(cuda.max_z.max()))
"""


def test_a_map_by_the_kernels_of_the_device():
    found = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", SCRIPT],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.startswith("same")
