import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lsm_verify as lv

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "numba", "xarray", "pandas", "scipy", "matplotlib", "h5py", "lsm_reference")


@pytest.fixture
def python():
    """Run code in a fresh interpreter that finds the packages where this one does."""

    def run(code):
        return subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("name", lv.__all__)
def test_public_names_resolve(name):
    assert getattr(lv, name) is not None


def test_public_names_are_listed():
    assert sorted(lv.__all__) == dir(lv)
    contract = {"load_case", "simulate", "gradient", "routes", "verify", "InputError"}
    assert contract <= set(lv.__all__)


def test_other_names_do_not():
    with pytest.raises(AttributeError, match="module 'lsm_verify' has no attribute 'verfy'"):
        lv.verfy  # noqa: B018


def test_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert lv.__version__ == project["version"]


def test_types_are_shipped():
    assert (ROOT / "lsm_verify" / "py.typed").is_file()


CALL = """
import lsm_verify as lv
{before}
assert "adjoint" in lv.routes(), lv.routes
assert "finite-difference" in lv.routes()
try:
    lv.verify(lv.load_case("twin"), points=-1)
except lv.InputError as error:
    assert "points=-1" in str(error)
else:
    raise AssertionError
{after}
"""


@pytest.mark.parametrize("before", ["", "import lsm_verify.routes", "import lsm_verify.verify",
                                    "from lsm_verify import verify, routes",
                                    "import lsm_verify.verify.run"])  # fmt: skip
@pytest.mark.parametrize("after", ["", "import lsm_verify.verify.run; assert callable(lv.verify)"])
def test_verify_and_routes_are_functions_and_modules(python, before, after):
    done = python(CALL.format(before=before, after=after))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_all_routes_are_there_whatever_is_imported_first(python):
    done = python("import lsm_verify.routes as r; print(*r.routes())")
    assert done.stdout.split() == list(lv.routes()), done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import lsm_verify",
        "from lsm_verify import load_case, Grid, Knots, Report; load_case('layered')",
        "from lsm_verify.cli import run; run(['--help'])",
        "from lsm_verify.cli import run; run(['check', '--help'])",
        "from lsm_verify.cli import run; run(['--version'])",
        "from lsm_verify.cli import run; run(['check', 'twn'])",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(python, code):
    done = python(f"{code}\nimport sys; print('HEAVY', *({HEAVY!r} & sys.modules.keys()))".replace(
        repr(HEAVY), repr(set(HEAVY))
    ))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["HEAVY"]
