"""The pytest plugin, by pytester: what fails, what is shown, what is written, what is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import scipy.optimize  # noqa: F401

import lsm_verify.report.text
import lsm_verify.verify  # noqa: F401

# pytester forgets the modules that a run in this process has loaded, and compiled ones cannot be
# loaded twice: what the tests in the runs need is loaded before.

ROOT = Path(__file__).parents[2]
NAME = "lsm-verify"

HEAD = """
import pytest
import numpy as np
from scipy.optimize import rosen, rosen_der
import lsm_verify as lv

x0 = [1.3, 0.7, 0.8]

def wrong(x):
    return rosen_der(x) * [1, 1, 1 + 1e-4]

def named(p):
    return p["albedo"] ** 2 * p["depth"]

def named_wrong(p):
    return {"albedo": 2 * p["albedo"] * p["depth"], "depth": 0 * p["depth"]}
"""

THREE_LINES = """
def test_gradient(verify_gradient):
    verify_gradient(lv.Problem(rosen, x0, gradients={"mine": wrong}))
"""

RIGHT = """
def test_right(verify_gradient):
    report = verify_gradient(lv.Problem(rosen, x0, gradients={"mine": rosen_der}))
    assert report.exit_code == 0
"""


def installed() -> bool:
    """Whether the environment knows the plugin's entry point."""
    return bool(entry_points(group="pytest11", name=NAME))


@pytest.fixture
def run(pytester: pytest.Pytester):
    """Run pytest on a test file that begins with `HEAD`."""
    plugin = () if installed() else ("-p", "lsm_verify.pytest_plugin")

    def call(body: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(HEAD + body)
        return pytester.runpytest(*plugin, "-p", "no:cacheprovider", *arguments)

    return call


def test_three_lines_catch_a_wrong_gradient(run):
    result = run(THREE_LINES)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*Value and gradient of J*", "route*", "mine*", "finite-difference*", "*FAIL*"]
    )
    text = result.stdout.str()
    assert "parameters affected: x" in text
    assert "Traceback" not in text
    assert "pytest_plugin.py" not in text
    assert "def test_gradient" not in text


def test_a_right_gradient_passes(run):
    run(RIGHT).assert_outcomes(passed=1)


def test_the_wrong_parameter_is_named(run):
    result = run(
        """
def test_named(verify_gradient):
    point = {"albedo": 0.3, "depth": 2.0}
    verify_gradient(lv.Problem(named, point, gradients={"mine": named_wrong}))
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*parameters affected: depth*"])


NOTHING = """
{mark}
def test_constant(verify_gradient):
    flat = lambda x: 1.0
    verify_gradient(lv.Problem(flat, x0, gradients={{"mine": lambda x: 0 * x}}){options})
"""


@pytest.mark.parametrize(
    "mark, options, outcome",
    [
        ("", "", {"failed": 1}),
        ("", ", allow_inconclusive=True", {"skipped": 1}),
        ("@pytest.mark.gradient(allow_inconclusive=True)", "", {"skipped": 1}),
        ("@pytest.mark.gradient(allow_inconclusive=True)", ", allow_inconclusive=False",
         {"failed": 1}),
    ],
)  # fmt: skip
def test_an_inconclusive_gradient_never_passes(run, mark, options, outcome):
    result = run(NOTHING.format(mark=mark, options=options), "-rs")
    result.assert_outcomes(**outcome)
    result.stdout.fnmatch_lines(["*INCONCLUSIVE*"])


def test_allowing_the_inconclusive_does_not_allow_the_wrong(run):
    body = THREE_LINES.replace("wrong})", "wrong}), allow_inconclusive=True")
    run(body).assert_outcomes(failed=1)


MARKED = """
@pytest.mark.gradient(tolerance=1e-3)
def test_loose(verify_gradient):
    verify_gradient(lv.Problem(rosen, x0, gradients={"mine": wrong}), fast=True)

@pytest.mark.gradient(tolerance=1e-3)
class TestNearest:
    @pytest.mark.gradient(tolerance=1e-6, fast=True)
    def test_tight(self, verify_gradient):
        verify_gradient(lv.Problem(rosen, x0, gradients={"mine": wrong}))
"""


def test_the_marker_gives_options_and_the_nearest_holds(run):
    result = run(MARKED, "-rA", "--strict-markers")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["PASSED *test_loose*", "FAILED *test_tight*"])
    result = run(MARKED + THREE_LINES, "-m", "gradient")
    result.assert_outcomes(passed=1, failed=1, deselected=1)


def test_an_unknown_option_suggests_the_nearest(run):
    result = run(THREE_LINES.replace("wrong})", "wrong}), tolerence=1e-3"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*unknown option of verify_gradient 'tolerence'*'tolerance'?*"])


def test_the_marker_takes_keywords_only(run):
    result = run("\n@pytest.mark.gradient(1e-3)" + THREE_LINES)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*takes keywords only*"])


def test_a_function_that_raises_shows_its_own_traceback(run):
    result = run(
        """
def broken(x):
    raise ZeroDivisionError("no water")

def test_broken(verify_gradient):
    verify_gradient(lv.Problem(rosen, x0, gradients={"mine": broken}))
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*gradient 'mine' raised ZeroDivisionError: no water; at x = 1.3, 0.7, 0.8*",
            "*in broken",
            "*ZeroDivisionError: no water",
        ]
    )


def test_junit_has_the_conclusion(run, pytester):
    run(RIGHT, "--junit-xml=out.xml").assert_outcomes(passed=1)
    text = (pytester.path / "out.xml").read_text("utf-8")
    assert 'name="problem: gradient" value="PASS' in text


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_all_reports_are_written(run, pytester, workers):
    if workers:
        pytest.importorskip("xdist", reason="no pytest-xdist: pip install pytest-xdist")
    result = run(RIGHT + THREE_LINES, "--gradient-report=out.json", *workers)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Value and gradient of J*", "*parameters affected: x*"])
    result.stdout.fnmatch_lines(["lsm-verify: wrote 2 reports to *out.json"])
    content = json.loads((pytester.path / "out.json").read_text("utf-8"))
    assert content["schema_version"] == 1
    found = {r["test"].rpartition("::")[2]: r["report"] for r in content["reports"]}
    assert {k: r["exit_code"] for k, r in found.items()} == {"test_right": 0, "test_gradient": 1}
    assert all(r["checks"] and r["points"] for r in found.values())
    assert [p.name for p in pytester.path.glob("*.tmp")] == []


def test_a_session_without_gradients_writes_an_empty_list(run, pytester):
    run("\ndef test_other(): pass\n", "--gradient-report=out.json").assert_outcomes(passed=1)
    assert json.loads((pytester.path / "out.json").read_text("utf-8"))["reports"] == []


def test_an_output_that_cannot_be_written_is_refused_first(run):
    result = run(RIGHT, "--gradient-report=nowhere/out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--gradient-report: cannot write nowhere*create it first.*"])
    assert "passed" not in result.stdout.str()


def test_an_output_lost_on_the_way_is_an_error(run):
    body = (
        RIGHT
        + """
def test_remove():
    import pathlib
    pathlib.Path("out").rmdir()
"""
    )
    Path("out").mkdir()
    result = run(body, "--gradient-report=out/out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "cannot write" in result.stdout.str() + result.stderr.str()


HEAVY = ("torch", "numba", "numpy", "xarray", "scipy")


def test_start_up_and_collection_load_nothing_heavy(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(verify_gradient): pass\n")
    program = (
        "import sys, pytest, lsm_verify.pytest_plugin as plugin\n"
        "code = pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', *sys.argv[1:]])\n"
        f"print('loaded:', sorted(set({HEAVY}) & set(sys.modules)))\n"
        "sys.exit(code)\n"
    )
    plugin = [] if installed() else ["-p", "lsm_verify.pytest_plugin"]
    others = ["-p", "no:hypothesispytest", "-p", "no:zarr"]  # which load NumPy themselves
    path = ":".join([str(ROOT), str(ROOT / "reference")])
    done = subprocess.run(
        [sys.executable, "-c", program, *plugin, *others, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": path, "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_it.py::test_it" in done.stdout
    assert "loaded: []" in done.stdout


def test_the_entry_point_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {NAME: "lsm_verify.pytest_plugin"}
