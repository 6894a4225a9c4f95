"""Fields of parameters, column by column: SciPy's optimum, honest errors, nothing filled in."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import root

from lsm_verify.cases import load_case
from lsm_verify.errors import InputError
from lsm_verify.inverse import local
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.fields import calibrate_columns
from lsm_verify.inverse.information import information
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Normal, Smooth
from lsm_verify.kernels import cpu, marquardt
from lsm_verify.models.fused import columns_of, sight_of
from lsm_verify.parameters import COMBINED, SEPARATE

ERROR = 0.05
"""Standard deviation of the noise [K]."""

SAME = 1e-6
"""What the issue asks: the optimum of SciPy, in standard errors."""

LAM, C, TB = "thermal_conductivity", "volumetric_heat_capacity", "bottom_temperature"


@pytest.fixture(scope="module")
def case():
    """Return the twin by α, h(1+1/β), λ, C and T_b, observed at two depths."""
    twin = load_case("twin")
    kept = [name for name in twin.free if name not in SEPARATE]
    return replace(
        twin,
        start={**{n: twin.start[n] for n in kept}, COMBINED: 20.0, LAM: 0.65},
        ranges={**{n: twin.ranges[n] for n in kept}, COMBINED: (6.0, 31.0)},
        truth=None,
        published=None,
    )


def draw(case, B, seed):
    """Noisy observations of columns drawn from the ranges, and their truths (B, P)."""
    rng = np.random.default_rng(seed)
    truths = [
        {n: float(rng.uniform(low, high)) for n, (low, high) in case.ranges.items()}
        for _ in range(B)
    ]
    batch = [case.inputs(truth, wrt=()) for truth in truths]
    y, status = cpu.predict(columns_of(batch), case.insulated, sight_of(batch))
    assert not status.any()
    rows = np.array([[truth[n] for n in case.free] for truth in truths])
    return y + ERROR * rng.standard_normal(y.shape), rows


def alone(case, values):
    """The case with the observations (series, S + 1) of one column, none where not-a-number."""
    missing = np.isnan(values)
    series = [
        replace(s, values=np.where(m, 293.0, v), weights=np.where(m, 0.0, s.weights))
        for s, v, m in zip(case.observations.series, values, missing, strict=True)
    ]
    return replace(case, observations=replace(case.observations, series=tuple(series)))


def optimum(single, names=None, **options):
    """SciPy's optimum of one column, and from there the root of the gradient, by SciPy too.

    Its least squares stop where rounding of F hides the descent, up to 1e-3 standard errors short
    where the residuals are large. Unknowns that they left at a bound are put there.
    """
    theirs = calibrate(single, names, observation_error=ERROR, examine=False, **options)
    assert theirs.status == ("converged",)
    bare = {n: options[n] for n in ("priors",) if n in options}
    misfit = Misfit(single, theirs.space, observation_error=ERROR, **bare)
    u = theirs.space.scaled(theirs.estimate[0])
    low, high = theirs.space.box
    put = np.where(u - low < NEAR, low, np.where(high - u < NEAR, high, u))
    free = (put > low) & (put < high)

    def gradient(v):
        put[free] = v
        r, J = misfit.residuals(put)
        return J[:, free].T @ r, J[:, free].T @ J[:, free]

    put[free] = root(gradient, put[free], jac=True, tol=1e-14).x
    return theirs.space.physical(put)


NEAR = 1e-6
"""Distance from a bound, in scaled coordinates, within which SciPy's interior points mean it."""


def away(found, b, single, names=None, **options):
    """Distance of column b from SciPy's optimum, in standard errors."""
    theirs = optimum(single, names, **options)
    return np.max(np.abs(found.estimate[b] - theirs) / found.standard_error[b])


COLUMNS = 6


def gaps(values):
    """One sensor out for a day in one column, every third value in the next, half of another."""
    holed = values.copy()
    holed[0, 1, 30:54] = np.nan
    holed[1, :, ::3] = np.nan
    holed[2, 0, :] = np.nan
    return holed


FORMS = {
    "plain": {},
    "logarithmic": {"logarithmic": (LAM, C)},
    "bounds": {"bounds": {LAM: (0.6, 0.7), COMBINED: (10.0, 25.0)}},
    "priors": {"priors": [Normal(LAM, 0.7, 0.001), Normal(TB, 296.0, 0.02)]},
    "gaps": {},
}


@pytest.mark.parametrize("form", FORMS)
def test_the_optimum_is_that_of_scipy(case, form):
    options = dict(FORMS[form])
    values, _ = draw(case, COLUMNS, seed=7)
    if form == "gaps":
        values = gaps(values)
    found = calibrate_columns(case, values, ERROR, **options)
    assert set(found.words) == {"converged"}
    worst = max(away(found, b, alone(case, values[b]), **options) for b in range(COLUMNS))
    assert worst <= SAME
    if form == "bounds":
        assert found.at_bound[:, case.free.index(LAM)].sum() >= 2
        assert found.at_bound[:, case.free.index(COMBINED)].any()
    assert found.count.tolist() == np.sum(np.isfinite(values), axis=(1, 2)).tolist()


def test_it_is_nearer_to_the_optimum_than_asked(case):
    """Gauss-Newton's next step from the estimates, by the plain tangent and singular values."""
    values, _ = draw(case, COLUMNS, seed=8)
    found = calibrate_columns(case, values, ERROR)
    for b in range(COLUMNS):
        misfit = Misfit(alone(case, values[b]), found.space, observation_error=ERROR)
        r, J = misfit.residuals(found.space.scaled(found.estimate[b]))
        step = np.linalg.lstsq(J, -r, rcond=None)[0]
        assert np.linalg.norm(J @ step) <= marquardt.SETTLED
        np.testing.assert_allclose(found.chi_square[b], r @ r, rtol=1e-9)
        covariance = np.linalg.inv(J.T @ J)
        root = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose(found.standard_error[b], root * found.space.scale, rtol=1e-6)
        np.testing.assert_allclose(
            found.correlation[b], covariance / np.outer(root, root), rtol=0, atol=1e-6
        )


def test_intervals_cover_the_truth(case):
    """The z of 400 columns' estimates have mean 0 and variance 1 within four standard errors."""
    B = 400
    values, truth = draw(case, B, seed=9)
    found = calibrate_columns(case, values, ERROR)
    z = (found.estimate - truth) / found.standard_error
    assert np.all(np.abs(z.mean(0)) < 4 / np.sqrt(B))
    assert np.all(np.abs(z.var(0) - 1) < 4 * np.sqrt(2 / B))
    degrees = found.count[0] - len(case.free)
    assert abs(found.chi_square.mean() / degrees - 1) < 4 * np.sqrt(2 / (B * degrees))


def test_priors_and_starts_may_differ_from_column_to_column(case):
    values, truth = draw(case, 3, seed=10)
    own = truth[:, [case.free.index(TB)]]
    priors = [Normal(TB, own, np.array([[0.01], [0.02], [0.005]]))]
    found = calibrate_columns(case, values, ERROR, start={TB: own}, priors=priors)
    for b in range(3):
        one = calibrate_columns(
            case, values[b : b + 1], ERROR, start={TB: float(own[b, 0])},
            priors=[Normal(TB, own[b, 0], priors[0].deviation[b, 0])],
        )  # fmt: skip
        assert np.array_equal(one.estimate[0], found.estimate[b])
        assert np.array_equal(one.standard_error[0], found.standard_error[b])


# ------------------------------------------------------------------ fields


def test_known_fields_are_those_of_each_column(case):
    values, truth = draw(case, 4, seed=11)
    air = case.forcing.Tair + np.linspace(-0.5, 0.5, 4)[:, None]
    fields = {"Tair": air, TB: truth[:, [case.free.index(TB)]]}
    unknowns = ["albedo", LAM]
    found = calibrate_columns(case, values, ERROR, unknowns, fields=fields)
    assert set(found.words) == {"converged"}
    for b in range(4):
        single = replace(
            alone(case, values[b]),
            forcing=replace(case.forcing, Tair=air[b]),
            start={**case.start, TB: float(fields[TB][b, 0])},
        )
        assert away(found, b, single, unknowns) <= SAME


@pytest.mark.parametrize("unknown", SEPARATE)
def test_one_of_h_and_beta_can_be_a_field(unknown):
    twin = load_case("twin")
    known = next(name for name in SEPARATE if name != unknown)
    values, truth = draw(twin, 3, seed=12)
    field = truth[:, [twin.free.index(known)]]
    names = ["albedo", unknown]
    found = calibrate_columns(twin, values, ERROR, names, fields={known: field})
    for b in range(3):
        single = replace(alone(twin, values[b]), start={**twin.start, known: float(field[b, 0])})
        assert away(found, b, single, names) <= SAME


# ------------------------------------------------------------------ odd columns


def test_h_and_beta_together_are_not_identifiable():
    twin = load_case("twin")
    values, truth = draw(twin, 5, seed=13)
    found = calibrate_columns(twin, values, ERROR)
    assert set(found.words) == {"not identifiable"}
    unseen = np.array([name in SEPARATE for name in twin.free])
    assert np.isnan(found.estimate[:, unseen]).all()
    assert np.isnan(found.standard_error[:, unseen]).all()
    z = (found.estimate - truth)[:, ~unseen] / found.standard_error[:, ~unseen]
    assert np.all(np.abs(z) < 5)  # the others are estimated all the same
    helped = calibrate_columns(twin, values, ERROR, priors=[Normal("bowen_ratio", 2.0, 1.0)])
    assert set(helped.words) == {"converged"}


def test_odd_columns_are_told_and_leave_their_neighbours_alone(case):
    values, _ = draw(case, 8, seed=14)
    clean = calibrate_columns(case, values, ERROR)
    air = np.repeat(case.forcing.Tair[None], 8, axis=0)
    air[1, 4] = np.nan
    air[2] = np.inf
    values[3] = np.nan  # nothing observed
    mask = np.zeros(8, bool)
    mask[4] = True
    values[4] = np.nan
    found = calibrate_columns(case, values, ERROR, fields={"Tair": air}, mask=mask)
    assert found.words == (
        "converged", "masked", "masked", "not observed", "masked",
        "converged", "converged", "converged",
    )  # fmt: skip
    assert np.isnan(found.estimate[1:5]).all()
    assert found.count[1:5].tolist() == [0, 0, 0, 0]
    for b in (0, 5, 6, 7):
        assert np.array_equal(found.estimate[b], clean.estimate[b])
        assert np.array_equal(found.standard_error[b], clean.standard_error[b])


def test_singular_values_tell_a_weak_direction_from_none():
    """Two columns of J at a small angle: seen at 1e-5, not at 1e-9."""
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, 200))
    matrices = []
    for angle in (1e-5, 1e-9):
        J = np.stack([a, 1e3 * (a + angle * b), c], axis=1)
        matrices.append(J.T @ J)
    found = information(np.stack(matrices), np.array([200, 200]))
    assert found.seen.tolist() == [[True, True, True], [False, False, True]]
    assert 1e-6 < found.smallest[0] < 1e-4
    np.testing.assert_allclose(found.deviation[1, 2], 1 / np.linalg.norm(c), rtol=0.1)


# ------------------------------------------------------------------ wrong input

WRONG = [
    ({"observations": np.zeros((2, 101))}, "give \\(columns, 2, 101\\)"),
    ({"observation_error": 0.0}, "above 0"),
    ({"unknowns": ["porosity"]}, "porosity"),
    ({"fields": {LAM: np.ones((2, 1))}}, "is unknown and given as a field"),
    ({"fields": {"emissivity": np.ones(2)}}, "give \\(2, 1\\)"),
    ({"fields": {"emissivity": np.array([[0.9], [1.9]])}}, "emissivity"),
    ({"fields": {"bowen_ratio": np.ones((2, 1))}}, "heat_transfer_coefficient is missing"),
    ({"start": {"Tair": 3.0}}, "Tair"),
    ({"start": {LAM: np.array([[0.7], [-1.0]])}}, "start of thermal_conductivity"),
    ({"start": {LAM: np.ones(2)}}, "give one number, or \\(2, 1\\)"),
    ({"priors": [Smooth(LAM, 1.0)]}, "no prior of a column"),
    ({"priors": [Normal("porosity", 1.0, 1.0)]}, "porosity"),
    ({"priors": [Normal(LAM, 1.0, -1.0)]}, "more than 0"),
    ({"mask": np.zeros(3, bool)}, "mask has shape"),
    ({"mask": np.zeros(2, int)}, "of bool"),
    ({"iterations": 0}, "iterations"),
]


@pytest.mark.parametrize("change, told", WRONG, ids=[told for _, told in WRONG])
def test_wrong_input_is_refused_at_the_door(case, change, told):
    options = {"observations": np.full((2, 2, 101), 293.0), "observation_error": ERROR, **change}
    with pytest.raises(InputError, match=told):
        calibrate_columns(case, **options)


def test_unknowns_of_several_numbers_are_refused():
    layered = load_case("layered")
    shape = (1, len(layered.observations.series), layered.forcing.steps + 1)
    with pytest.raises(InputError, match="one number each"):
        calibrate_columns(layered, np.zeros(shape), 1.0)


def test_tolerances_hang_together():
    """What is left at `SETTLED` is below what the issue asks, for rates up to 0.9."""
    assert marquardt.SETTLED / (1 - 0.9) <= SAME * (1 + 1e-12)
    assert local.TOLERANCE < marquardt.SETTLED
