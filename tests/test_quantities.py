import pytest

from lsm_verify.quantities import (
    COLDEST,
    FORCING,
    HOTTEST,
    OBSERVABLES,
    OUTPUTS,
    PARAMETERS,
    STEFAN_BOLTZMANN,
    ZERO_CELSIUS,
)

EVERY = [*PARAMETERS.values(), *OUTPUTS.values(), *OBSERVABLES.values()]
SI = {"1", "K", "W m-2", "W m-2 K-1", "W m-1 K-1", "J m-3 K-1"}


@pytest.mark.parametrize("quantity", EVERY, ids=lambda q: q.name)
def test_entries_are_complete(quantity):
    assert quantity.unit in SI
    assert quantity.symbol
    assert quantity.description
    assert quantity.lower < quantity.upper


@pytest.mark.parametrize("registry", [PARAMETERS, OUTPUTS, OBSERVABLES])
def test_keys_are_names(registry):
    assert [q.name for q in registry.values()] == list(registry)


def test_constants_are_those_of_the_published_model():
    assert STEFAN_BOLTZMANN == 5.67e-8
    assert ZERO_CELSIUS == 273.15


@pytest.mark.parametrize(
    "quantity",
    [q for q in EVERY if q.name in PARAMETERS and q.is_temperature],
    ids=lambda q: q.name,
)
def test_no_temperature_in_celsius_passes_for_kelvin(quantity):
    assert (quantity.lower, quantity.upper) == (COLDEST, HOTTEST)
    assert COLDEST > 100.0  # the hottest ground, in °C
    assert COLDEST < 184.0 < 331.0 < HOTTEST  # the coldest and the warmest air on record, in K


@pytest.mark.parametrize("quantity", [q for q in EVERY if q.unit == "W m-2"], ids=lambda q: q.name)
def test_fluxes_state_their_sign(quantity):
    stated = "positive down" in quantity.description or "positive up" in quantity.description
    assert stated or quantity.name == "Qg"


def test_signs():
    down = {n for n, q in {**PARAMETERS, **OUTPUTS}.items() if "positive down" in q.description}
    up = {n for n, q in OUTPUTS.items() if "positive up" in q.description}
    assert down == {"SWdown", "LWdown", "Qg"}
    assert up == {"LWup", "SWup", "Qturb"}


def test_forcing_has_a_value_per_step():
    assert {PARAMETERS[name].shapes for name in FORCING} == {("steps",)}


def test_parameters_may_be_given_in_the_documented_forms():
    shapes = {name: q.shapes for name, q in PARAMETERS.items() if name not in FORCING}
    assert shapes == {
        "albedo": ("scalar", "steps"),
        "heat_transfer_coefficient": ("scalar", "steps"),
        "bowen_ratio": ("scalar", "steps"),
        "turbulent_transfer_coefficient": ("scalar", "steps"),
        "thermal_conductivity": ("scalar", "interfaces"),
        "volumetric_heat_capacity": ("scalar", "nodes"),
        "bottom_temperature": ("scalar", "steps"),
        "initial_temperature": ("scalar", "nodes"),
        "emissivity": ("scalar",),
    }


def test_cf_names():
    names = {n: q.standard_name for n, q in OUTPUTS.items()}
    assert names == {
        "SoilTemp": "soil_temperature",
        "AvgSurfT": "surface_temperature",
        "LWup": "surface_upwelling_longwave_flux_in_air",
        "SWup": "surface_upwelling_shortwave_flux_in_air",
        "Qturb": "",  # CF has no name for the two turbulent fluxes together
        "Qg": "downward_heat_flux_at_ground_level_in_soil",
    }
