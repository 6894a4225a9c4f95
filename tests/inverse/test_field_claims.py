"""The judges of the field study and of parameters in time, on both sides of their limits."""

from types import SimpleNamespace

import numpy as np
import pytest

from lsm_verify.inverse import field_claims
from lsm_verify.inverse.claim import QUALIFIED, REFUTED, SUPPORTED
from lsm_verify.inverse.phoenix_noise import Bounded
from lsm_verify.inverse.phoenix_predictions import Score


def score(quantity, bias, bias_error=1.0, bias_parameters=3.0):
    return Score(
        quantity=quantity,
        unit="W m-2",
        against="tower",
        count=150,
        mean=100.0,
        bias=bias,
        rmse=10.0,
        bias_error=bias_error,
        correlation=0.9,
        parameters=50.0,
        bias_parameters=bias_parameters,
    )


@pytest.mark.parametrize(
    "bias, verdict", [(1.9, SUPPORTED), (2.1, QUALIFIED), (6.3, QUALIFIED), (6.4, REFUTED)]
)
def test_a_bias_is_held_against_its_own_error_and_that_of_the_parameters(bias, verdict):
    """2 · 1 = 2 and 2 · √(1² + 3²) = 6.32; what single values scatter by (50) does not count."""
    names = (*field_claims.CLAIMED, "outgoing longwave with the reflected (1-ε)LWdown")
    scores = (score(names[0], bias), *(score(name, 0.0) for name in names[1:]))
    found = field_claims.predictions(SimpleNamespace(scores=scores))
    assert found.verdict == verdict
    assert f"{bias:.3g}" in found.evidence


LABELS = (
    "turbulent_transfer_coefficient",
    "thermal_conductivity",
    "volumetric_heat_capacity",
    "bottom_temperature",
)


def noises(*rows):
    """A study whose estimates are 1, with noises: bound, criterion, errors, agreement."""
    bounds = tuple(
        Bounded(bound, bound, criterion, np.array([*errors, 9.0]), np.ones(4), agreement, None)
        for bound, criterion, errors, agreement in rows
    )
    row = SimpleNamespace(labels=LABELS, estimate=np.ones(4), deviation=np.full(4, 0.01))
    fit = SimpleNamespace(ordinary=row, white=row, bounds=bounds)
    published = dict.fromkeys(LABELS, 0.8)
    return SimpleNamespace(tied=fit, spun_up=fit, case=SimpleNamespace(published=published))


GOOD, SOME, BAD = (0.09, 0.09, 0.1), (0.09, 0.2, 0.2), (0.11, 0.2, 0.2)


@pytest.mark.parametrize(
    "rows, verdict",
    [
        (((150.0, 0.0, GOOD, 0.06),), SUPPORTED),
        (((150.0, 0.0, GOOD, 0.04),), QUALIFIED),
        (((150.0, 0.0, SOME, 0.06),), QUALIFIED),
        (((150.0, 0.0, BAD, 0.06),), REFUTED),
        # A longer coherence that is better by less, and by more, than 3.84.
        (((150.0, 0.0, GOOD, 0.06), (600.0, -3.8, BAD, 0.06)), REFUTED),
        (((150.0, 0.0, BAD, 0.04), (600.0, -3.8, GOOD, 0.06)), REFUTED),
        (((150.0, 0.0, BAD, 0.04), (600.0, -3.9, GOOD, 0.06)), SUPPORTED),
        (((150.0, 0.0, GOOD, 0.06), (600.0, -50.0, BAD, 0.06)), REFUTED),
        (((150.0, 0.0, GOOD, 0.04), (600.0, -3.8, GOOD, 0.06)), QUALIFIED),
    ],
)
def test_estimates_must_be_told_under_every_noise_that_is_not_rejected(rows, verdict):
    found = field_claims.estimates(noises(*rows))
    assert found.verdict == verdict
    least = min(row[1] for row in rows)
    for told, (bound, criterion, errors, _) in zip(found.numbers["noises"], rows, strict=True):
        assert told["kept"] == (criterion - least <= 3.84)
        shown = " / ".join(f"{100 * e:.0f}" for e in errors)
        assert f"{bound:.0f} h: {shown} % ({'kept' if told['kept'] else 'rejected'}" in (
            found.evidence
        )
    assert "+25 % against the published 0.8" in found.evidence


@pytest.mark.parametrize(
    "rmse, bound, verdict",
    [(0.0071, 0.007, SUPPORTED), (0.0085, 0.007, REFUTED), (0.0101, 0.009, REFUTED)],
)
def test_a_recovery_is_held_against_its_bound_and_the_limit(monkeypatch, rmse, bound, verdict):
    run = SimpleNamespace(
        limits=(bound,),
        rmse=rmse,
        standard_error=0.01,
        runs=(1, 2),
        bound=SimpleNamespace(seen=np.zeros(100, bool)),
    )
    monkeypatch.setattr(field_claims, "experiment", lambda *_, **__: run)
    assert field_claims.in_time_by_gradients().verdict == verdict
