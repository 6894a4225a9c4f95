"""The examples as their docstrings say to run them: the exit code, and what is said."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

from lsm_verify import cli, config
from lsm_verify.verify.problem import Problem
from lsm_verify.verify.result import Verdict
from lsm_verify.verify.run import verify

ROOT = Path(__file__).parents[2]
NEEDS = {"pylops_operator": "pylops", "jax_function": "jax"}

EXAMPLES = {
    "rosenbrock:problem": 0,
    "torch_module:problem": 0,
    "wrong_gradient:problem": 1,
    "pylops_operator:problem": 0,
    "pylops_operator:fourier": 0,
    "jax_function:problem": 0,
}
"""Target to exit code."""


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def needed(request: pytest.FixtureRequest) -> None:
    """Skip for want of a library that the example is about."""
    library = NEEDS.get(request.node.callspec.params["target"].partition(":")[0])
    if library is not None and importlib.util.find_spec(library) is None:
        pytest.skip(f"no {library}: pip install {library}")


def test_every_example_is_run():
    files = {p.stem for p in (ROOT / "examples").glob("*.py")} - {"__init__"}
    assert files == {target.partition(":")[0] for target in EXAMPLES}


@pytest.mark.parametrize("target", EXAMPLES)
def test_the_docstring_gives_the_command(target):
    name, _, attribute = target.partition(":")
    text = ast.get_docstring(ast.parse((ROOT / "examples" / f"{name}.py").read_text("utf-8")))
    assert f"lsm-verify check examples.{name}:problem" in text
    assert attribute in text or attribute == "problem"
    assert name not in NEEDS or f"pip install {NEEDS[name]}" in text


@pytest.mark.usefixtures("needed")
@pytest.mark.parametrize("target", EXAMPLES)
def test_an_example_exits_as_it_says(target, capsys):
    code = cli.run(["check", f"examples.{target}"])
    out = capsys.readouterr().out
    assert code == EXAMPLES[target], out
    conclusion = next(line for line in reversed(out.splitlines()) if line[:4] in ("PASS", "FAIL"))
    assert conclusion.startswith("PASS" if code == 0 else "FAIL")


def test_the_wrong_parameter_alone_is_named():
    report = verify(config.load_target("examples.wrong_gradient:problem"))
    failed = [c for c in report.checks if c.verdict is Verdict.FAIL]
    assert {p for c in failed for p in c.parameters} == {"C"}


def test_the_wrong_gradient_mended_passes():
    """The example fails for its one missing minus and nothing else."""
    example = importlib.import_module("examples.wrong_gradient")

    def mended(parameters):
        result = example.gradient(parameters)
        return {"h": result["h"], "C": -result["C"]}

    point = example.problem.point
    assert verify(Problem(example.misfit, point, gradients={"mended": mended})).exit_code == 0


def test_what_hides_the_wrong_parameter_is_its_unit():
    """As the docstring says, ∂J/∂C is 15,000 times smaller than ∂J/∂h."""
    example = importlib.import_module("examples.wrong_gradient")
    gradient = example.gradient(example.problem.point)
    assert gradient["h"] / gradient["C"] == pytest.approx(15_000, rel=0.05)


@pytest.mark.parametrize("target", ["torch_module:problem", "rosenbrock:problem"])
def test_the_gradients_are_the_libraries_own(target):
    problem = config.load_target(f"examples.{target}")
    assert problem.hessian_products
    assert {"rosen_der", "reverse-mode"} & set(problem.gradients)
