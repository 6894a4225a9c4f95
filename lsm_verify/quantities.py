"""The registry of quantities: symbol, public name, ALMA and CF names, unit, sign, bounds.

Signs, stated once: radiation is positive in the direction that its name says (``SWdown``,
``LWdown`` positive down, ``LWup`` positive up), turbulent fluxes (``Qh``, ``Qle``, ``Qturb``) are
positive up, the ground heat flux ``Qg`` is positive down. Depth is positive down from the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

STEFAN_BOLTZMANN = 5.67e-8
"""Stefan-Boltzmann constant [W m-2 K-4], with the digits of the published model."""

ZERO_CELSIUS = 273.15
"""0 °C in K."""


@dataclass(frozen=True)
class Quantity:
    """One quantity of the model.

    Attributes
    ----------
    name : str
        Public name; the ALMA name for forcing and output.
    symbol, unit, description : str
        As in the derivation; SI.
    lower, upper : float
        Bounds of plausible values: outside of them input is refused.
    open_lower : bool
        Whether ``lower`` itself is refused.
    shapes : tuple of str
        Forms in which a parameter may be given: ``scalar``, ``steps``, ``nodes``, ``interfaces``.
    standard_name : str
        CF standard name, empty where CF has none.
    """

    name: str
    symbol: str
    unit: str
    description: str
    lower: float = float("-inf")
    upper: float = float("inf")
    open_lower: bool = False
    shapes: tuple[str, ...] = ("scalar",)
    standard_name: str = ""

    @property
    def is_temperature(self) -> bool:
        """Whether the quantity is a temperature in K."""
        return self.unit == "K"


COLDEST, HOTTEST = 150.0, 450.0
"""Bounds of any temperature [K]: a value in °C never lies between them."""

PARAMETERS: dict[str, Quantity] = {
    q.name: q
    for q in (
        Quantity("albedo", "α", "1", "surface albedo", 0.0, 1.0, shapes=("scalar", "steps")),
        Quantity(
            "heat_transfer_coefficient", "h", "W m-2 K-1", "sensible heat transfer coefficient",
            0.0, 1e4, shapes=("scalar", "steps"),
        ),
        Quantity(
            "bowen_ratio", "β", "1", "ratio of sensible to latent heat flux",
            shapes=("scalar", "steps"),
        ),
        Quantity(
            "turbulent_transfer_coefficient", "h(1+1/β)", "W m-2 K-1",
            "combined sensible and latent heat transfer coefficient",
            0.0, 1e5, shapes=("scalar", "steps"),
        ),
        Quantity(
            "thermal_conductivity", "λ", "W m-1 K-1", "soil thermal conductivity",
            0.0, 1e4, open_lower=True, shapes=("scalar", "interfaces"),
        ),
        Quantity(
            "volumetric_heat_capacity", "C", "J m-3 K-1", "soil volumetric heat capacity",
            0.0, 1e9, open_lower=True, shapes=("scalar", "nodes"),
        ),
        Quantity(
            "bottom_temperature", "T_b", "K", "temperature at the bottom of the column",
            COLDEST, HOTTEST, shapes=("scalar", "steps"),
        ),
        Quantity(
            "initial_temperature", "T⁰", "K", "temperature of the column at the start",
            COLDEST, HOTTEST, shapes=("scalar", "nodes"),
        ),
        Quantity("emissivity", "ε", "1", "longwave emissivity of the surface", 0.0, 1.0),
        Quantity(
            "SWdown", "K↓", "W m-2", "downward shortwave radiation, positive down",
            -50.0, 2000.0, shapes=("steps",),
            standard_name="surface_downwelling_shortwave_flux_in_air",
        ),
        Quantity(
            "LWdown", "L↓", "W m-2", "downward longwave radiation, positive down",
            0.0, 1000.0, shapes=("steps",),
            standard_name="surface_downwelling_longwave_flux_in_air",
        ),
        Quantity(
            "Tair", "T_a", "K", "air temperature",
            COLDEST, HOTTEST, shapes=("steps",), standard_name="air_temperature",
        ),
    )
}  # fmt: skip

FORCING = ("SWdown", "LWdown", "Tair")
"""Names of the forcing; as inputs of the model they are parameters with a value per step."""

OUTPUTS: dict[str, Quantity] = {
    q.name: q
    for q in (
        Quantity("SoilTemp", "T", "K", "soil temperature", standard_name="soil_temperature"),
        Quantity(
            "AvgSurfT", "T_0", "K", "surface temperature", standard_name="surface_temperature",
        ),
        Quantity(
            "LWup", "εσT_0⁴", "W m-2", "longwave radiation emitted by the surface, positive up",
            standard_name="surface_upwelling_longwave_flux_in_air",
        ),
        Quantity(
            "SWup", "αK↓", "W m-2", "reflected shortwave radiation, positive up",
            standard_name="surface_upwelling_shortwave_flux_in_air",
        ),
        Quantity("Qturb", "H", "W m-2", "sensible and latent heat flux together, positive up"),
        Quantity(
            "Qg", "G", "W m-2", "heat flux into the ground at the surface, positive down",
            standard_name="downward_heat_flux_at_ground_level_in_soil",
        ),
    )
}  # fmt: skip

OBSERVABLES: dict[str, Quantity] = {
    q.name: q
    for q in (
        Quantity("soil_temperature", "T(z)", "K", "soil temperature at a depth", COLDEST, HOTTEST),
        Quantity("soil_heat_flux", "-λ∂T/∂z", "W m-2", "conduction at a depth, positive down"),
        Quantity("longwave_up", "εσT_0⁴", "W m-2", "longwave emitted by the surface, positive up"),
        Quantity("turbulent_flux", "h(1+1/β)(T_0-T_a)", "W m-2", "turbulent flux, positive up"),
    )
}
