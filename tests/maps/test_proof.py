"""The gradient on a sample of columns: right ones verified, wrong ones found, by the oracle."""

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify.inverse import field_columns
from lsm_verify.inverse.fields import calibrate_columns
from lsm_verify.kernels import levenberg
from lsm_verify.maps import proof
from lsm_verify.maps.columns import given_by
from lsm_verify.maps.job import Settings, job_of
from lsm_verify.routes import ROUTES
from tests.maps.conftest import ERROR, UNKNOWNS


@pytest.fixture(scope="module")
def calibrated(city):
    """Return job, what the columns hold, and their estimates."""
    job = job_of(city, Settings(ERROR, UNKNOWNS))
    given = given_by(city, job)
    found = calibrate_columns(
        job.case, given.observations, ERROR, UNKNOWNS, fields=given.fields, threads=1
    )
    return job, given, found


def verify(calibrated, columns=(0, 17, 40)):
    job, given, found = calibrated
    numbers = np.arange(48)
    return proof.verify_columns(job, found.space, given, found.estimate, columns, numbers)


def test_right_gradients_are_verified_well_below_the_limit(calibrated):
    found = verify(calibrated, range(0, 48, 4))
    assert [p.code for p in found] == [proof.VERIFIED] * 12
    assert max(p.max_z for p in found) < proof_limit() / 2
    assert [p.column for p in found] == list(range(0, 48, 4))


def proof_limit():
    from lsm_verify.verify.agreement import PASS_Z

    return PASS_Z


@pytest.mark.parametrize(
    "unknowns",
    [
        ("heat_transfer_coefficient", "albedo"),
        ("bowen_ratio", "bottom_temperature", "volumetric_heat_capacity"),
        ("initial_temperature", "emissivity", "thermal_conductivity"),
    ],
)
def test_every_parameter_can_be_verified(city, unknowns):
    known = {
        "heat_transfer_coefficient": 12.0, "bowen_ratio": 2.0, "albedo": 0.2, "emissivity": 0.95,
        "thermal_conductivity": 0.7, "initial_temperature": 295.0,
    }  # fmt: skip
    dataset = city.drop_vars([n for n in ("emissivity", *unknowns) if n in city.data_vars])
    fixed = {n: v for n, v in known.items() if n not in unknowns and n not in dataset}
    settings = Settings(ERROR, unknowns, fixed=fixed, logarithmic=unknowns[:1])
    job = job_of(dataset, settings)
    given = given_by(dataset, job)
    found = calibrate_columns(
        job.case, given.observations, ERROR, unknowns, logarithmic=unknowns[:1], threads=1
    )
    proofs = proof.verify_columns(job, found.space, given, found.estimate, [3, 30], np.arange(48))
    assert [p.code for p in proofs] == [proof.VERIFIED] * 2


@pytest.mark.parametrize("factor", [1 + 1e-8, -1.0, 0.0, 2.0])
@pytest.mark.parametrize("j", [0, 1, 2])
def test_a_wrong_gradient_is_found_and_named(calibrated, monkeypatch, factor, j):
    right = levenberg.minimise

    def wrong(*args, **options):
        fit = right(*args, **options)
        gradient = fit.gradient.copy()
        gradient[:, j] *= factor
        return replace(fit, gradient=gradient)

    monkeypatch.setattr(levenberg, "minimise", wrong)
    for found in verify(calibrated):
        assert found.code == proof.WRONG
        assert UNKNOWNS[j] in found.message
        assert found.max_z > 128


def test_a_wrong_column_is_found(calibrated, monkeypatch):
    """Forcing shifted by a step where columns are assembled: the oracle sees another model."""
    right = field_columns._columns

    def shifted(inputs, known):
        columns = right(inputs, known)
        return columns._replace(SWdown=np.roll(columns.SWdown, 1, axis=1))

    monkeypatch.setattr(field_columns, "_columns", shifted)
    assert {p.code for p in verify(calibrated)} == {proof.WRONG}


def test_the_sample_is_drawn_from_those_that_are_fit():
    numbers, fit = np.arange(100, 200), np.zeros(100, bool)
    fit[[3, 50, 51, 90]] = True
    chosen = proof.chosen(numbers, fit, 2, 0)
    assert len(chosen) == 2
    assert set(chosen) <= {3, 50, 51, 90}
    assert chosen == proof.chosen(numbers, fit, 2, 0)
    assert proof.chosen(numbers, fit, 9, 0) == [3, 50, 51, 90]
    assert proof.chosen(numbers, ~fit & fit, 2, 0) == []
    draws = {tuple(proof.chosen(numbers, fit, 2, seed)) for seed in range(20)}
    assert len(draws) > 1
    assert {tuple(proof.chosen(numbers + 100 * k, fit, 1, 0)) for k in range(20)} != {(3,)}


def test_the_column_that_is_verified_is_the_one_that_was_calibrated(calibrated):
    """The oracle's ½ χ² at the estimate is the calibration's: forcing, gaps, weights, all of it."""
    job, given, found = calibrated
    for b in (0, 17, 40):
        estimate = dict(zip(UNKNOWNS, found.estimate[b], strict=True))
        inputs = proof.inputs_of(job, given, estimate, b, given.observations[b])
        value = ROUTES["adjoint"].evaluate([inputs])[0][0][0]
        assert 2 * value == pytest.approx(found.chi_square[b], rel=1e-9)
