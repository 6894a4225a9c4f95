"""[tool.lsm-verify] and package.module:attr: what is read, what is refused and with which words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lsm_verify import config
from lsm_verify.errors import InputError
from lsm_verify.verify.problem import Problem


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write files below a folder and stand in it; its modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".py").write_text(text, "utf-8")
        return tmp_path

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def table(folder: Path, text: str) -> config.Settings:
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return config.read(folder)


# ------------------------------------------------------------------ settings


def test_every_type_is_read(tmp_path):
    settings = table(
        tmp_path,
        """
[project]
name = "mine"
[tool.lsm-verify]
target = "model:problem"
routes = ["adjoint", "tangent"]
points = 4
seed = 7
strict = true
tolerance = 1e-7
jacobi-tol = 1
data = "data"
json = "/elsewhere/result.json"
""",
    )
    assert settings.path == tmp_path / "pyproject.toml"
    assert settings.values == {
        "target": "model:problem",
        "routes": ["adjoint", "tangent"],
        "points": 4,
        "seed": 7,
        "strict": True,
        "tolerance": 1e-7,
        "jacobi-tol": 1.0,
        "data": tmp_path / "data",
        "json": Path("/elsewhere/result.json"),
    }
    assert isinstance(settings.values["jacobi-tol"], float)


def test_names_may_be_one_string(tmp_path):
    settings = table(tmp_path, '[tool.lsm-verify]\nroutes = "adjoint, tangent"\n')
    assert settings.get("routes") == ["adjoint", "tangent"]


def test_the_command_line_beats_the_file(tmp_path):
    settings = table(tmp_path, "[tool.lsm-verify]\npoints = 4\nstrict = true\n")
    assert settings.get("points", 0) == 0
    assert settings.get("strict", False) is False
    assert settings.get("points") == 4
    assert settings.get("seed") is None
    with pytest.raises(KeyError):
        settings.get("pionts")


def test_the_nearest_file_upward_holds(tmp_path):
    table(tmp_path, "[tool.lsm-verify]\npoints = 1\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert config.read(inner).get("points") == 1
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.lsm-verify]\npoints = 2\n")
    assert config.read(inner).get("points") == 2
    (inner / "pyproject.toml").write_text("[project]\nname = 'b'\n")
    assert config.read(inner).values == {}


def test_no_file_is_no_setting(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert config.read(tmp_path) == config.Settings()


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("pionts = 3", r"unknown key in \[tool.lsm-verify\] 'pionts'.*Did you mean 'points'\?"),
        ("jacobi_tol = 1.0", "unknown key.*Did you mean 'jacobi-tol'"),
        ("points = '3'", "points='3' .*must be a whole number"),
        ("points = 3.0", "points=3.0 .*must be a whole number"),
        ("points = true", "points=True .*must be a whole number"),
        ("strict = 1", "strict=1 .*must be true or false"),
        ("tolerance = '1e-8'", "tolerance='1e-8' .*must be a number"),
        ("tolerance = true", "tolerance=True .*must be a number"),
        ("target = ''", "target='' .*must be a string"),
        ("routes = []", r"routes=\[\] .*must be a list of names"),
        ("routes = ['a', 1]", "must be a list of names"),
        ("routes = 'a,,b'", "must be a list of names"),
        ("json = 1", "json=1 .*must be a path"),
        ("points = -1", r"points in \[tool.lsm-verify\]: points=-1 must be a whole number"),
        ("points = 10001", "points=10001 must be at most 10000"),
        ("seed = -1", r"seed in \[tool.lsm-verify\]: seed=-1 must be a whole number"),
        ("tolerance = 5", r"tolerance in \[tool.lsm-verify\]: tolerance=5.0 must lie between 0"),
        ("tolerance = nan", "tolerance=nan must lie between 0"),
        ("jacobi-tol = 5", r"jacobi-tol in \[tool.lsm-verify\]: Jacobi tolerance 5 K must lie"),
        ("interpolate-gaps = -1", "interpolate-gaps=-1 must be a whole number"),
    ],
)
def test_a_wrong_key_or_type_is_refused(tmp_path, line, wanted):
    with pytest.raises(InputError, match=wanted) as caught:
        table(tmp_path, f"[tool.lsm-verify]\n{line}\n")
    assert str(tmp_path / "pyproject.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("[tool.lsm-verify\n", "is no TOML file.*line 1"),
        ("[tool]\nlsm-verify = 3\n", r"tool.lsm-verify=3 must be a table"),
        ("[tool.lsm_verify]\nseed = 1\n",
         r"pyproject.toml: \[tool.lsm_verify\] is not read; call it \[tool.lsm-verify\]"),
        ("[tool.lsm-verify]\nseed = 1\n[tool.LsmVerify]\nseed = 2\n", "LsmVerify.* is not read"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused(tmp_path, text, wanted):
    with pytest.raises(InputError, match=wanted):
        table(tmp_path, text)


def test_other_tools_are_left_alone(tmp_path):
    text = "[tool.ruff]\nline-length = 1\n[tool.lsm]\nx = 1\n[tool.lsm-verify]\nseed = 1\n"
    assert table(tmp_path, text).values == {"seed": 1}


def test_a_problem_goes_without_settings_of_cases(tmp_path):
    settings = table(
        tmp_path, "[tool.lsm-verify]\npoints = 4\ndata = 'd'\ninterpolate-gaps = 1\nseed = 3\n"
    )
    assert settings.of_a_problem() == config.Settings({"seed": 3}, settings.path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe\x00[tool]")
    with pytest.raises(InputError, match="is no TOML file"):
        config.read(tmp_path)


# ------------------------------------------------------------------ package.module:attr

MODEL = """
import lsm_verify as lv

problem = lv.Problem(lambda x: float(x @ x), [1.0, 2.0], gradients={"mine": lambda x: 2 * x})
number = 3

def make():
    return problem

def make_with(optional=1, *more):
    return problem

def needs(argument):
    return problem

def nothing():
    return None

def broken():
    return 1 / 0

class Suite:
    inner = problem
"""


@pytest.mark.parametrize("attribute", ["problem", "make", "make_with", "Suite.inner"])
def test_a_problem_is_found(project, attribute):
    project(mine__model=MODEL)
    assert isinstance(config.load_target(f"mine.model:{attribute}"), Problem)


def test_a_case_is_found(project):
    project(cases="import lsm_verify as lv\n\ndef twin():\n    return lv.load_case('twin')\n")
    assert config.load_target("cases:twin").name == "twin"


@pytest.mark.parametrize(
    "target, wanted",
    [
        ("model", "must have the form package.module:attr"),
        ("model:", "must have the form package.module:attr"),
        ("folder/model.py:problem", "give package.module:attr, folder.model:problem, say"),
        ("./model.py:problem", "give package.module:attr, model:problem, say"),
        ("model.py:problem", "'model.py' is no module name; .* model:problem, say"),
        ("modle.py:problem", "'modle.py' is no module name; .* modle:problem, say"),
        ("modle:problem", "no module named 'modle'"),
        ("model.inner:problem", "no module named 'model.inner'"),
        ("model:problme", "unknown attribute of model 'problme'.*Did you mean 'problem'"),
        ("model:number", "model:number is an int; a Problem, a Case, or a function"),
        ("model:needs", "model:needs is a function; a Problem"),
        ("model:Suite", "model:Suite is a type; a Problem"),
        ("model:nothing", r"model:nothing\(\) returned a NoneType"),
        ("model:broken", r"model:broken\(\) raised ZeroDivisionError: .* at model.py:\d+; mend it"),
    ],
)
def test_what_is_no_problem_is_refused(project, target, wanted):
    project(model=MODEL)
    with pytest.raises(InputError, match=wanted) as caught:
        config.load_target(target)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, wanted, cause",
    [
        ("x = 1\ny = x / 0\n", r"ZeroDivisionError: division by zero at raising.py:2;",
         ZeroDivisionError),
        ("import not_there_at_all\n", "No module named 'not_there_at_all' at raising.py:1;",
         ModuleNotFoundError),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3 at raising.py:2", SystemExit),
        ("def f(:\n", "SyntaxError: invalid syntax", SyntaxError),
        ("import numpy\nnumpy.zeros(-1)\n", "ValueError: .* at raising.py:2", ValueError),
        ("import lsm_verify as lv\nlv.Problem(abs, [])\n",
         "InputError: problem: the point is empty.* at raising.py:2", InputError),
    ],
)  # fmt: skip
def test_a_module_that_raises_is_named_with_its_line(project, text, wanted, cause):
    project(raising=text)
    with pytest.raises(InputError, match=f"importing raising raised .*{wanted}") as caught:
        config.load_target("raising:problem")
    assert isinstance(caught.value.__cause__, cause)
    assert "\n" not in str(caught.value)


def test_an_interruption_is_no_input_error(project):
    project(stopped="raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        config.load_target("stopped:problem")


def test_the_current_folder_comes_first(project):
    here = str(project(model=MODEL))
    config.load_target("model:problem")
    config.load_target("model:problem")
    assert sys.path[0] == here
    assert sys.path.count(here) == 1
