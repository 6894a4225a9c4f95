"""The published method and the published series."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from lsm_verify import InputError, Reason, Verdict, load_case, verify
from lsm_verify.cases import embedded
from lsm_verify.models import published
from lsm_verify.models.column import expand, leaves
from lsm_verify.routes import ROUTES
from lsm_verify.routes.in_torch import published as route
from lsm_verify.routes.oracle import predictions, trajectory
from lsm_verify.verify.target import flatten

ROOT = Path(__file__).parents[2]

TRUNCATION = 2e-2
"""What the stopping rule at 1e-4 K leaves in the published series [K]: up to 1.7e-2 K."""

ROUNDED = 1e-4
"""The published series are rounded to 1e-4 K."""

SWEEPS = 13_307
"""Sweeps of the published run of the twin, as counted by its authors' code."""

CONVERGED = 1e-9
"""What is left at tolerance 1e-12 K [K]: the tolerance times 1 / (1 - 0.963), over 10 steps."""

WINDOW = 6
"""Steps of the shortened twin: the truncation shows from the first step on."""


@pytest.fixture(scope="module")
def targets(published_dir: Path) -> np.ndarray:
    tables = [
        np.loadtxt(published_dir / f"target_T{k}.csv", delimiter=",", skiprows=1) for k in (1, 2)
    ]
    return np.array([table[:, 1] for table in tables])


@pytest.fixture(scope="module")
def published_run() -> tuple[np.ndarray, int]:
    """Published model on the twin's truth at its own tolerance: the observed nodes, the sweeps."""
    case = load_case("twin")
    with torch.no_grad():
        T, sweeps = published.simulate(expand(leaves([case.inputs(case.point("truth"))])), 1e-4)
    return T[0, :, [0, 5]].numpy().T, sweeps


def test_exact_series_differs_from_the_published_one_by_its_truncation(targets):
    case = load_case("twin")
    exact = predictions(case.inputs(case.point("truth")))
    assert exact.shape == targets.shape
    worst = np.max(np.abs(exact - targets))
    assert worst <= TRUNCATION
    assert worst > 10 * ROUNDED  # else the published run would have no truncation to speak of


def test_published_model_reproduces_the_published_series(targets, published_run):
    series, _ = published_run
    assert np.max(np.abs(series - targets)) <= ROUNDED


def test_published_model_takes_the_published_number_of_sweeps(published_run):
    assert published_run[1] == SWEEPS


def test_another_tolerance_does_not_reproduce_the_series(targets):
    case = load_case("twin").window(20)
    with torch.no_grad():
        T, _ = published.simulate(expand(leaves([case.inputs(case.point("truth"))])), 1e-3)
    assert np.max(np.abs(T[0, :, [0, 5]].numpy().T - targets[:, :21])) > 10 * ROUNDED


def test_tied_start_is_part_of_the_published_experiment(targets):
    assert np.all(targets[:, 0] == load_case("twin").point("truth")["bottom_temperature"])


def test_converged_iteration_is_the_direct_solve():
    inputs = load_case("twin").window(WINDOW).inputs()
    with torch.no_grad():
        T, _ = published.simulate(expand(leaves([inputs])), 1e-12)
        loose, _ = published.simulate(expand(leaves([inputs])), 1e-4)
    exact = trajectory(inputs)
    assert np.max(np.abs(T[0].numpy() - exact)) <= CONVERGED
    assert np.max(np.abs(loose[0].numpy() - exact)) > 1e5 * CONVERGED


def judged(tolerance: float):
    report = verify(
        load_case("twin").window(WINDOW),
        routes=["autograd-published"],
        points=0,
        jacobi_tolerance=tolerance,
    )
    (check,) = [c for c in report.checks if c.check == "published route"]
    return report, check


def test_published_gradient_fails_for_solver_truncation():
    report, check = judged(1e-4)
    assert (report.verdict, report.exit_code) == (Verdict.FAIL, 1)
    assert check.verdict is Verdict.FAIL
    assert check.reason is Reason.SOLVER
    assert "solver truncation" in check.reason
    assert check.parameters
    others = [c for c in report.checks if c is not check and not c.covered]
    assert all(c.verdict is Verdict.PASS for c in others)


def test_published_gradient_passes_when_converged():
    report, check = judged(1e-12)
    assert check.verdict is Verdict.PASS
    assert (report.verdict, report.exit_code) == (Verdict.PASS, 0)


def test_a_coding_error_is_not_blamed_on_the_solver(planter):
    """Emission off by a factor 2: the tolerance does not explain it."""
    planter.plant(published, "emission = s * es * iterate", "emission = 2 * s * es * iterate")
    report, check = judged(1e-8)
    assert report.exit_code == 1
    assert check.verdict is Verdict.FAIL
    assert check.reason is Reason.MISMATCH
    assert "emission" not in check.message


@pytest.mark.parametrize("tolerance", [1e-13, 0.0, -1.0, float("nan"), float("inf")])
def test_tolerances_that_never_stop_are_refused(tolerance):
    with pytest.raises(InputError, match="Jacobi tolerance"):
        route(tolerance).evaluate([load_case("twin").window(1).inputs()])


def test_cases_beyond_the_scheme_are_refused():
    with pytest.raises(InputError, match="does not cover"):
        ROUTES["autograd-published"].evaluate([load_case("layered").window(2).inputs()])


def test_batch_of_the_published_route_is_its_columns():
    case = load_case("twin").window(2)
    batch = [case.inputs(p) for p in case.random_points(2, 1)]
    together = route(1e-6).evaluate(batch)
    for inputs, found in zip(batch, together, strict=True):
        alone = route(1e-6).evaluate([inputs])[0]
        assert found[0][0] == pytest.approx(alone[0][0], rel=1e-13)
        np.testing.assert_allclose(
            flatten(inputs, found[0][1]), flatten(inputs, alone[0][1]), rtol=1e-12
        )


# ------------------------------------------------------------------ embedded series


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return runpy.run_path(str(ROOT / "tools" / "make_series.py"))["files"]()


DIGITS = 1e-15
"""Relative difference of numbers printed with 17 digits by another compiler: 4 roundings."""


@pytest.mark.parametrize("name", ["twin.csv", "layered.csv"])
def test_shipped_series_are_what_the_oracle_makes(made, name):
    shipped = (ROOT / "lsm_verify" / "cases" / name).read_text(encoding="utf-8")
    assert shipped.splitlines()[0] == made[name].splitlines()[0]
    columns, _ = embedded.read_series(name)
    rows = [[float(c or "nan") for c in line.split(",")] for line in made[name].split()[1:]]
    expected = np.array(rows).T
    found = np.array(list(columns.values()))
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    # Fluxes are differences of temperatures: what rounds there is λ T / Δ, some 1e4 W m-2.
    np.testing.assert_allclose(found, expected, rtol=4 * DIGITS, atol=1e4 * DIGITS)


def test_shipped_series_have_17_digits(made):
    cells = made["twin.csv"].split()[1:]
    assert all(float(f"{float(c):.17g}") == float(c) for line in cells for c in line.split(","))
    lengths = [len(c.replace(".", "")) for line in cells for c in line.split(",")]
    assert max(lengths) == 17
