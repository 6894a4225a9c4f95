"""What the discrete model must do whatever the column: equilibrium, order, bounds, symmetries.

Below the surface every temperature is a convex combination of its neighbours and its old value,
and the surface balance rises with T_0', so round-off is not amplified: a temperature carries a few
roundings for each node of the two sweeps and for each step.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from lsm_reference import forward, namespace
from lsm_reference.evaluate import simulate
from lsm_verify.inputs import Inputs
from lsm_verify.observations import Series
from lsm_verify.quantities import STEFAN_BOLTZMANN
from lsm_verify.routes.oracle import to_problem
from lsm_verify.strategies import keeping_counterexamples
from tests.strategies import COLD, HOT, UNIT, columns, given_as, logarithmic, units

EPSILON = float(np.finfo(np.float64).eps)

ROUNDINGS = 4
"""Roundings of a temperature per node and step: a_i, b_i, one product, one sum."""

EMITS = UNIT.map(lambda u: 0.05 + 0.95 * u)


def slack(inputs: Inputs, T: np.ndarray) -> float:
    """Round-off that temperatures may carry [K]."""
    nodes = inputs.spacing.size + 1
    return ROUNDINGS * (nodes + 1) * inputs.steps * EPSILON * float(np.max(np.abs(T)))


def with_(inputs: Inputs, **values: object) -> Inputs:
    """Copy with some parameters replaced, whatever their form; ``None`` drops one."""
    merged = {**inputs.parameters, **values}
    kept = {k: np.asarray(v, dtype=float) for k, v in merged.items() if v is not None}
    knots = {name: times for name, times in inputs.knots.items() if name not in values}
    return replace(inputs, parameters=kept, knots=knots, wrt=tuple(kept))


def per_step(inputs: Inputs, name: str) -> np.ndarray:
    return np.broadcast_to(inputs.expanded(name), inputs.steps)


def transfer(inputs: Inputs) -> np.ndarray:
    p = inputs.parameters
    if "turbulent_transfer_coefficient" in p:
        return per_step(inputs, "turbulent_transfer_coefficient")
    return per_step(inputs, "heat_transfer_coefficient") * (1 + 1 / per_step(inputs, "bowen_ratio"))


def net_flux(inputs: Inputs, n: int, surface: float) -> float:
    """Flux into the surface [W m-2] during step n, conduction left out."""
    radiation = (1 - per_step(inputs, "albedo")[n]) * inputs.parameters["SWdown"][n]
    radiation += inputs.parameters["LWdown"][n]
    emission = float(inputs.parameters["emissivity"]) * STEFAN_BOLTZMANN * surface**4
    return float(
        radiation - emission - transfer(inputs)[n] * (surface - inputs.parameters["Tair"][n])
    )


def balance(inputs: Inputs, n: int) -> float:
    """Surface temperature [K] at which nothing flows in."""
    return float(brentq(lambda x: net_flux(inputs, n, x), 1.0, 1e4, xtol=1e-11, rtol=4 * EPSILON))


# ------------------------------------------------------------------ equilibrium


def at_rest(inputs: Inputs, temperature: float) -> Inputs:
    """The same column, uniform and in balance with the air and the sky."""
    emission = float(inputs.parameters["emissivity"]) * STEFAN_BOLTZMANN * temperature**4
    changes: dict[str, object] = {
        "SWdown": np.zeros(inputs.steps),
        "LWdown": np.full(inputs.steps, emission),
        "Tair": np.full(inputs.steps, temperature),
        "initial_temperature": temperature,
    }
    if not inputs.insulated:
        changes["bottom_temperature"] = temperature
    return with_(inputs, **changes)


@given(inputs=columns(), u=UNIT)
@keeping_counterexamples()
def test_a_column_in_equilibrium_stays(model, inputs, u):
    resting = at_rest(inputs, COLD + (HOT - COLD) * u)
    T = model(resting)
    assert np.max(np.abs(T - T[0, 0])) <= slack(resting, T)


@given(inputs=columns(max_interfaces=5, emissivity=EMITS))
@keeping_counterexamples()
def test_equilibrium_is_left_when_the_sky_warms(model, inputs):
    resting = at_rest(inputs, 290.0)
    warmed = with_(resting, LWdown=resting.parameters["LWdown"] + 10.0)
    T = model(warmed)
    assert np.max(np.abs(T - T[0, 0])) > slack(warmed, T)


# ------------------------------------------------------------------ maximum principle


def breach(inputs: Inputs, T: np.ndarray) -> float:
    """How far temperatures leave the range of their causes [K]: old values, bottom, balance."""
    worst = 0.0
    for n in range(inputs.steps):
        inside = [*T[n], T[n + 1, 0]]
        causes = [*T[n], balance(inputs, n)]
        if not inputs.insulated:
            bottom = per_step(inputs, "bottom_temperature")[n]
            inside.append(bottom)
            causes.append(bottom)
        for new, old in ((T[n + 1, 1:], inside), (T[n + 1], causes)):
            worst = max(worst, np.max(new) - max(old), min(old) - np.min(new))
    return float(worst)


@given(inputs=columns(emissivity=EMITS))
@keeping_counterexamples()
def test_temperatures_stay_within_their_causes(model, inputs):
    T = model(inputs)
    assert breach(inputs, T) <= slack(inputs, T)


def test_a_solution_outside_the_bounds_is_seen(model):
    inputs = sunny()
    T = np.array(model(inputs))
    assert breach(inputs, T) <= slack(inputs, T)
    T[2, 3] = T[1:3].max() + 1e-9
    assert breach(inputs, T) > slack(inputs, T)


# ------------------------------------------------------------------ comparison


@given(inputs=columns(), more=units(6))
@keeping_counterexamples()
def test_more_sun_never_cools(model, inputs, more):
    sun = inputs.parameters["SWdown"]
    before = model(inputs)
    after = model(with_(inputs, SWdown=sun + 100.0 * more[: inputs.steps]))
    assert np.min(after - before) >= -slack(inputs, after)


@given(inputs=columns(max_interfaces=5), data=st.data())
@keeping_counterexamples()
def test_sun_warms_the_surface_of_its_own_step_and_no_earlier_one(model, inputs, data):
    """The comparison is not passed by a model that ignores the sun, or takes another step's."""
    n = data.draw(st.integers(0, inputs.steps - 1))
    inputs = with_(inputs, albedo=0.3, thermal_conductivity=0.5, volumetric_heat_capacity=2e6)
    inputs = replace(inputs, spacing=np.full(inputs.spacing.size, 0.05))
    sun = np.array(inputs.parameters["SWdown"])
    before = model(inputs)
    sun[n] += 100.0
    after = model(with_(inputs, SWdown=sun))
    assert np.array_equal(after[: n + 1], before[: n + 1])
    assert after[n + 1, 0] > before[n + 1, 0]


# ------------------------------------------------------------------ parameters that act together


@given(inputs=columns(), u=units(6), scalar=st.booleans())
@keeping_counterexamples()
def test_h_and_beta_count_only_as_their_product(model, inputs, u, scalar):
    H = given_as(np.array(transfer(inputs)), scalar=scalar)
    beta = logarithmic(0.1, 10.0)(u[: inputs.steps])
    beta = beta[0] if np.ndim(H) == 0 else beta
    separate = with_(
        inputs,
        turbulent_transfer_coefficient=None,
        heat_transfer_coefficient=H / (1 + 1 / beta),
        bowen_ratio=beta,
    )
    together = with_(
        inputs, turbulent_transfer_coefficient=H, heat_transfer_coefficient=None, bowen_ratio=None
    )
    T = model(together)
    # H itself carries three roundings, which move T_0' by at most their share of T_0' - T_a.
    assert np.max(np.abs(model(separate) - T)) <= slack(inputs, T)


def test_beta_alone_changes_the_temperatures(model):
    inputs = sunny()
    T = model(inputs)
    other = with_(inputs, bowen_ratio=1.01 * inputs.parameters["bowen_ratio"])
    assert np.max(np.abs(model(other) - T)) > slack(inputs, T)


# ------------------------------------------------------------------ superposition


DRIVERS = ("SWdown", "LWdown", "Tair", "bottom_temperature", "initial_temperature")


def blend(first: Inputs, second: Inputs, weight: float) -> Inputs:
    values = {
        name: weight * first.parameters[name] + (1 - weight) * second.parameters[name]
        for name in DRIVERS
        if name in first.parameters
    }
    return with_(first, **values)


@st.composite
def two_forcings(draw: st.DrawFn, emissivity: float = 0.0) -> tuple[Inputs, Inputs]:
    """One column under two sets of forcing."""
    first = draw(columns(emissivity=st.just(emissivity), knots=False))
    changes = {}
    for name, low, high in (
        ("SWdown", 0.0, 1200.0),
        ("LWdown", 50.0, 500.0),
        ("Tair", COLD, HOT),
        ("bottom_temperature", COLD, HOT),
        ("initial_temperature", COLD, HOT),
    ):
        if name in first.parameters:
            value = first.parameters[name]
            u = draw(units(value.size)).reshape(value.shape)
            changes[name] = low + (high - low) * u
    return first, with_(first, **changes)


@given(pair=two_forcings(), weight=UNIT)
@keeping_counterexamples()
def test_without_emission_the_map_from_forcing_is_affine(model, pair, weight):
    first, second = pair
    a, b = model(first), model(second)
    mixed = model(blend(first, second, weight))
    assert np.max(np.abs(mixed - (weight * a + (1 - weight) * b))) <= 2 * slack(
        first, np.maximum(a, b)
    )


def test_with_emission_it_is_not(model):
    first = sunny()
    second = with_(first, SWdown=0.0 * first.parameters["SWdown"])
    mixed = model(blend(first, second, 0.5))
    assert np.max(np.abs(mixed - (model(first) + model(second)) / 2)) > 2 * slack(first, mixed)


# ------------------------------------------------------------------ time and units


def cut(inputs: Inputs, start: int, stop: int) -> Inputs:
    """Part of a run; constants stay as they are, knots become the values of the steps."""
    inputs = with_(inputs, **{name: inputs.expanded(name) for name in inputs.knots})
    names = ("albedo", "turbulent_transfer_coefficient", "heat_transfer_coefficient", "bowen_ratio")
    values = {
        name: inputs.parameters[name][start:stop]
        for name in (*names, "SWdown", "LWdown", "Tair", "bottom_temperature")
        if name in inputs.parameters and inputs.parameters[name].ndim
    }
    series = tuple(
        replace(s, values=np.full(stop - start + 1, np.nan), weights=0.0) for s in inputs.series
    )
    return replace(with_(inputs, **values), time_step=inputs.time_step[start:stop], series=series)


@given(inputs=columns().filter(lambda i: i.steps > 1), data=st.data())
@keeping_counterexamples()
def test_a_run_in_two_parts_is_the_run(model, inputs, data):
    k = data.draw(st.integers(1, inputs.steps - 1))
    whole = model(inputs)
    first = model(cut(inputs, 0, k))
    second = model(with_(cut(inputs, k, inputs.steps), initial_temperature=first[-1]))
    parts = np.concatenate([first, second[1:]])
    assert np.max(np.abs(parts - whole)) <= slack(inputs, whole)


def test_parts_in_the_wrong_order_are_not_the_run(model):
    inputs = sunny()
    whole = model(inputs)
    second = model(with_(cut(inputs, 2, 4), initial_temperature=whole[1]))
    assert np.max(np.abs(second[1:] - whole[3:])) > slack(inputs, whole)


@given(inputs=columns(), power=st.integers(-6, 6))
@keeping_counterexamples()
def test_a_power_of_two_in_the_unit_of_length_or_time_changes_no_bit(model, inputs, power):
    """s = CV/Δt and g = λ/Δ are all the model knows of lengths and times."""
    k = 2.0**power
    p = inputs.parameters
    longer = replace(
        with_(
            inputs,
            thermal_conductivity=k * p["thermal_conductivity"],
            volumetric_heat_capacity=p["volumetric_heat_capacity"] / k,
        ),
        spacing=k * inputs.spacing,
        series=(),
    )
    slower = replace(
        with_(inputs, volumetric_heat_capacity=k * p["volumetric_heat_capacity"]),
        time_step=k * inputs.time_step,
        knots={name: k * times for name, times in inputs.knots.items()},
        series=(),
    )
    expected = model(at_the_surface(inputs))
    assert np.array_equal(model(at_the_surface(longer)), expected)
    assert np.array_equal(model(at_the_surface(slower)), expected)


def test_a_unit_changed_in_one_place_only_is_seen(model):
    inputs = at_the_surface(sunny())
    stretched = replace(inputs, spacing=2.0 * inputs.spacing)
    assert not np.array_equal(model(stretched), model(inputs))


def at_the_surface(inputs: Inputs) -> Inputs:
    """The same column, observed where no unit of length counts."""
    return replace(inputs, series=(Series("longwave_up", np.full(inputs.steps + 1, 400.0)),))


# ------------------------------------------------------------------ planted errors


@pytest.mark.parametrize(
    "old, new, broken",
    [
        ("m[i] = (s[i] + k) / D", "m[i] = (s[i] + 0.99 * k) / D", "rest"),
        (
            "b[i] = (r[i] + g[i] * b[i + 1]) / D",
            "b[i] = (r[i] + 1.01 * g[i] * b[i + 1]) / D",
            "rest",
        ),
        ("a[i] = g[i - 1] / D", "a[i] = 1.2 * g[i - 1] / D", "bounds"),
        ("b[i] = (r[i] + g[i] * b[i + 1]) / D", "b[i] = (r[i] - g[i] * b[i + 1]) / D", "bounds"),
        ("(1 - column.alpha[n])", "(column.alpha[n] - 1)", "sun"),
    ],
)
def test_a_wrong_oracle_breaks_a_property(mutate, old, new, broken):
    wrong = namespace.bind(lambda f: f, (*namespace.MODULES, mutate(forward, old, new)))

    def model(inputs: Inputs) -> np.ndarray:
        return np.asarray(simulate(to_problem(inputs), functions=wrong).T)

    inputs = sunny()
    if broken == "rest":
        T = model(at_rest(inputs, 290.0))
        assert np.max(np.abs(T - 290.0)) > slack(inputs, T)
    elif broken == "bounds":
        T = model(inputs)
        assert breach(inputs, T) > slack(inputs, T)
    else:
        T = model(with_(inputs, SWdown=inputs.parameters["SWdown"] + 100.0))
        assert np.min(T - model(inputs)) < -slack(inputs, T)


def sunny() -> Inputs:
    """A plain column on a clear morning."""
    S = 4
    return Inputs(
        spacing=np.array([0.01, 0.02, 0.04, 0.08, 0.16]),
        time_step=np.array([1800.0, 3600.0, 3600.0, 900.0]),
        parameters={
            "albedo": np.array(0.2),
            "heat_transfer_coefficient": np.array(15.0),
            "bowen_ratio": np.array(1.5),
            "thermal_conductivity": np.array(0.8),
            "volumetric_heat_capacity": np.array(2e6),
            "bottom_temperature": np.array(290.0),
            "initial_temperature": np.array(288.0),
            "emissivity": np.array(0.95),
            "SWdown": np.array([100.0, 300.0, 600.0, 700.0]),
            "LWdown": np.full(S, 320.0),
            "Tair": np.array([288.0, 290.0, 293.0, 294.0]),
        },
        series=(Series("soil_temperature", np.full(S + 1, 290.0), depth=0.05),),
        wrt=("albedo",),
    )
