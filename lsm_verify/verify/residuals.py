"""The scheme stated a third time: what is left over when given states are put into it.

A state that a route found, put into its equation, leaves round-off; a route that is wrong leaves
more at the step and node where it is wrong, before the implicit solve spreads it. The equations
are written here in numpy, in extended precision, term by term and for all steps at once; nothing
is solved. Equation numbers are those of ``reference/derivation.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.quantities import STEFAN_BOLTZMANN

Array = NDArray[Any]
"""Real arrays; extended precision inside."""

Parts = dict[tuple[str, str], Array]
"""Terms of the equation of every step and node (steps, nodes), by term and piece of it."""

SIGMA = np.longdouble(STEFAN_BOLTZMANN)


@dataclass(frozen=True)
class Column:
    """One column in canonical form, or a change of it; S steps, N interfaces.

    ``g`` is the conductance λ/Δ (N,) and ``heat`` the heat capacity C V of a control volume
    (N + 1,), equation (2); ``volume`` and ``spacing`` are kept for the gradient.
    """

    spacing: Array
    volume: Array
    time_step: Array
    g: Array
    heat: Array
    albedo: Array
    H: Array
    Tb: Array
    T0: Array
    emissivity: np.longdouble
    SWdown: Array
    LWdown: Array
    Tair: Array
    insulated: bool

    @property
    def storage(self) -> Array:
        """C V / Δt (S, N + 1)."""
        return np.asarray(self.heat / self.time_step[:, None])


def canonical(inputs: Inputs, change: Mapping[str, Array] | None = None) -> Column:
    """Canonical column of the inputs, equation (29), or its change along ``change``, (30)."""
    S, N = inputs.steps, int(inputs.spacing.size)
    values = inputs.parameters
    given = (
        values
        if change is None
        else {name: change.get(name, np.zeros(v.shape)) for name, v in values.items()}
    )

    def spread(source: Mapping[str, Array], name: str, count: int) -> Array:
        value = source[name]
        if name in inputs.knots:
            value = np.interp(np.cumsum(inputs.time_step), inputs.knots[name], value)
        return np.broadcast_to(np.asarray(value, dtype=np.longdouble), count)

    def steps(name: str) -> Array:
        return spread(given, name, S)

    if "turbulent_transfer_coefficient" in values:
        H = steps("turbulent_transfer_coefficient")
    else:
        h = spread(values, "heat_transfer_coefficient", S)
        beta = spread(values, "bowen_ratio", S)
        H = h * (1 + 1 / beta)
        if change is not None:
            H = (1 + 1 / beta) * steps("heat_transfer_coefficient")
            H = H - h / beta**2 * steps("bowen_ratio")
    Tb = steps("bottom_temperature") if "bottom_temperature" in values else 0 * H
    tied = "initial_temperature" not in values
    dz = inputs.spacing.astype(np.longdouble)
    volume = np.concatenate([dz[:1], dz[:-1] + dz[1:], dz[-1:]]) / 2
    return Column(
        spacing=dz,
        volume=volume,
        time_step=inputs.time_step.astype(np.longdouble),
        g=spread(given, "thermal_conductivity", N) / dz,
        heat=spread(given, "volumetric_heat_capacity", N + 1) * volume,
        albedo=steps("albedo"),
        H=H,
        Tb=Tb,
        T0=np.full(N + 1, Tb[0]) if tied else spread(given, "initial_temperature", N + 1),
        emissivity=np.longdouble(given["emissivity"]),
        SWdown=steps("SWdown"),
        LWdown=steps("LWdown"),
        Tair=steps("Tair"),
        insulated=inputs.insulated,
    )


@dataclass(frozen=True)
class Rows:
    """Equations of every step and node: their terms, and the sizes that round-off scales with."""

    parts: Parts
    size: Array

    @property
    def residual(self) -> Array:
        """Left over (S, N + 1): zero but for round-off if the states solve the equations."""
        return np.asarray(np.sum(list(self.parts.values()), axis=0))


def forward_rows(c: Column, T: Array, *, stale: str = "") -> Rows:
    """Equations (3) to (6) with the temperatures T (S + 1, N + 1) put in.

    ``stale`` takes the old surface temperature in the "emission", or in all terms of the "surface"
    that are linearised: an error to recognise.
    """
    T = T.astype(np.longdouble)
    new, old = T[1:], T[:-1]
    x = old[:, 0] if stale else new[:, 0]
    surface = {
        ("emission", ""): c.emissivity * SIGMA * x**4,
        ("turbulent", "surface"): c.H * new[:, 0],
        ("turbulent", "air"): -c.H * c.Tair,
        ("shortwave", "incoming"): -c.SWdown,
        ("shortwave", "reflected"): c.albedo * c.SWdown,
        ("longwave", ""): -c.LWdown,
    }
    return _rows(_with_surface(_soil(c, new, old, c.Tb), surface))


def tangent_rows(c: Column, d: Column, T: Array, dT: Array, *, stale: str = "") -> Rows:
    """Equations (17) to (19) about the temperatures T with their changes dT put in."""
    T, dT = T.astype(np.longdouble), dT.astype(np.longdouble)
    T_new, new = T[1:], dT[1:]
    x, dx = (T[:-1, 0] if stale else T_new[:, 0]), new[:, 0]
    at = T[:-1, 0] if stale == "surface" else T_new[:, 0]
    surface = {
        ("emission", "surface"): 4 * c.emissivity * SIGMA * x**3 * dx,
        ("emission", "emissivity"): d.emissivity * SIGMA * x**4,
        ("turbulent", "surface"): c.H * dx,
        ("turbulent", "coefficient"): d.H * (at - c.Tair),
        ("turbulent", "air"): -c.H * d.Tair,
        ("shortwave", "albedo"): d.albedo * c.SWdown,
        ("shortwave", "incoming"): -(1 - c.albedo) * d.SWdown,
        ("longwave", ""): -d.LWdown,
    }
    soil = _soil(c, new, dT[:-1], d.Tb)
    flux = d.g * np.diff(T_new, axis=1)
    stored = d.heat / c.time_step[:, None] * (T_new - T[:-1])
    more = {
        ("storage", "capacity"): stored,
        ("conduction down", "conductivity"): np.pad(-flux, ((0, 0), (0, 1))),
        ("conduction up", "conductivity"): np.pad(flux, ((0, 0), (1, 0))),
    }
    soil |= _prescribed(c, more)
    rows = _rows(_with_surface(soil, surface))
    # A route that differentiates numbers rounds T itself, not its small differences.
    T = np.abs(T)
    size = np.abs(d.heat) / c.time_step[:, None] * (T[1:] + T[:-1])
    across = np.abs(d.g) * (T[1:, 1:] + T[1:, :-1])
    size[:, :-1] += across
    size[:, 1:] += across
    size[:, 0] += np.abs(d.H) * (T[1:, 0] + c.Tair)
    return Rows(rows.parts, rows.size + size)


def adjoint_rows(c: Column, T: Array, total: Array, direct: Array, *, stale: str = "") -> Rows:
    """Equation (23) with the μ that the states ``total`` = Λ imply by (22) put in.

    ``direct`` = W is the part of Λ that is observed directly. Λ - W cancels where s_i μ_i is
    small; the sizes allow for it.
    """
    x = T[:-1, 0] if stale else T[1:, 0]
    x = x.astype(np.longdouble)
    total, direct = total.astype(np.longdouble), direct.astype(np.longdouble)
    old = total[:-1] - direct[:-1]

    s = c.storage

    def equations(old: Array, later: Array) -> Parts:
        mu = old / s
        if not c.insulated:
            mu[:, -1] = 0
        surface = {
            ("emission", ""): 4 * c.emissivity * SIGMA * x**3 * mu[:, 0],
            ("turbulent", "surface"): c.H * mu[:, 0],
        }
        soil = _soil(c, mu, None, None) | _prescribed(c, {("received", ""): -later})
        if not c.insulated:
            soil["bottom", ""] = _only(mu, -1, old[:, -1])
        return _with_surface(soil, surface)

    size = equations(np.abs(total[:-1]) + np.abs(direct[:-1]), np.abs(total[1:]))
    return Rows(equations(old, total[1:]), _rows(size).size)


def _soil(c: Column, new: Array, old: Array | None, bottom: Array | None) -> Parts:
    """Storage and conduction of every node, and the ``bottom`` (S,) where it is prescribed."""
    g, s = c.g, c.storage
    below = -g * new[:, 1:]
    if bottom is not None and not c.insulated:
        below[:, -1] = 0
    parts = {
        ("storage", "new state"): s * new,
        ("conduction down", "own node"): np.pad(g * new[:, :-1], ((0, 0), (0, 1))),
        ("conduction down", "node below"): np.pad(below, ((0, 0), (0, 1))),
        ("conduction up", "own node"): np.pad(g * new[:, 1:], ((0, 0), (1, 0))),
        ("conduction up", "node above"): np.pad(-g * new[:, :-1], ((0, 0), (1, 0))),
    }
    if old is not None:
        parts["storage", "old state"] = -s * old
    parts = _prescribed(c, parts)
    if bottom is not None and not c.insulated:
        parts["bottom", "last node"] = _only(new, -1, new[:, -1])
        prescribed = _only(new, -1, -bottom)
        prescribed[:, -2] += -g[-1] * bottom
        parts["bottom", "prescribed"] = prescribed
    return parts


def _prescribed(c: Column, parts: Parts) -> Parts:
    """Take the last node out where its temperature is prescribed: it has no equation."""
    if c.insulated:
        return parts
    keep = np.arange(c.volume.size) < c.volume.size - 1
    return {key: np.where(keep, part, 0) for key, part in parts.items()}


def _with_surface(parts: Parts, surface: Mapping[tuple[str, str], Array]) -> Parts:
    shape = next(iter(parts.values())).shape
    for key, values in surface.items():
        parts[key] = np.zeros(shape, dtype=np.longdouble)
        parts[key][:, 0] = values
    return parts


def _only(like: Array, node: int, values: Array) -> Array:
    row = np.zeros(like.shape, dtype=np.longdouble)
    row[:, node] = values
    return row


def _rows(parts: Parts) -> Rows:
    return Rows(parts, np.sum([np.abs(part) for part in parts.values()], axis=0))
