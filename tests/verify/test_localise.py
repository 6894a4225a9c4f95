"""Planted errors must be located: first step and node, the term, the guilty route."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from lsm_reference import adjoint, evaluate, forward, parameters, tangent
from lsm_verify import load_case
from lsm_verify.cases import Case
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs, Objective, probe_weights
from lsm_verify.models import column, direct, observe
from lsm_verify.routes import ROUTES
from lsm_verify.verify.localise import bisect, first_divergence, localise

STEPS = 20
LAST = STEPS - 1


@cache
def twin() -> Case:
    """The twin on 20 nodes, until after sunrise and on: 20 steps."""
    return replace(load_case("twin").window(STEPS), grid=Grid.uniform(1.0, 20), truth=None)


@cache
def layered() -> Case:
    """Ten stretched interfaces, steps of four lengths, every kind of observation."""
    case = load_case("layered").window(STEPS)
    soil = {
        "thermal_conductivity": np.linspace(0.5, 2.0, 10),
        "volumetric_heat_capacity": np.linspace(1.5e6, 2.5e6, 11),
        "initial_temperature": np.linspace(292.0, 288.0, 11),
    }
    ranges = {**case.ranges, **{name: (0.8 * v, 1.2 * v) for name, v in soil.items()}}
    start = {**case.start, **soil}
    n = np.arange(STEPS)
    start["albedo"] = 0.2 + 0.01 * n
    start["turbulent_transfer_coefficient"] = 15.0 + 3 * np.sin(n)
    start["bottom_temperature"] = 288.0 + 0.1 * n
    return replace(case, grid=Grid.stretched(1.5, 10, 1.5), start=start, ranges=ranges, truth=None)


def inputs_of(case: Case) -> Inputs:
    inputs = case.inputs(wrt=case.free)
    probe = Objective("probe", probe_weights(inputs, 5))
    return replace(inputs, objectives=(Objective(), probe))


@dataclass(frozen=True)
class Error:
    """A place of the source and what it becomes; where it must be found.

    ``step`` and ``node`` of -1 stand for the last. ``only`` restricts the cases it shows in.
    """

    module: ModuleType
    old: str
    new: str
    route: str
    term: str
    step: int | None
    node: int | None
    words: str = ""
    parameter: str = ""
    only: str = ""
    other: str = ""
    into: tuple[ModuleType, ...] = ()

    def plant(self, planter) -> None:
        if self.module in (adjoint, tangent, forward):
            planter.plant_in_oracle(self.module, self.old, self.new)
        else:
            planter.plant(self.module, self.old, self.new, into=self.into)


EMISSION = "column.H[n] + 4 * column.eps"
STORED = "before[i] = s[i] * mu[i]"
CAPACITY = "bar.C[i] -= mu[i] * (new[i] - old[i]) * (s[i] / column.C[i])"
CONDUCTIVITY = "bar.lam[i] += (mu[i] - mu[i + 1])"
BOTTOM = "bar.Tb[n] += total[N] + g[N - 1] * mu[N - 1]"
ELIMINATE = "eliminate(s, g, total, 0.0, column.insulated, a, m, b)"
SLOPE = "+ 4 * column.eps * SIGMA * x * x * x\n    mu[0]"


def at(expression: str, factor: str) -> str:
    """Multiply at step 11 alone."""
    return f"(1 + {factor} * (n == 11)) * {expression}"


def by_hand(
    old: str, new: str, term: str, step: int | None, node: int | None, words: str = "", **more
) -> Error:
    return Error(adjoint, old, new, "adjoint", term, step, node, words, **more)


def tangential(
    old: str, new: str, term: str, step: int | None, node: int | None, words: str = "", **more
) -> Error:
    return Error(tangent, old, new, "tangent", term, step, node, words, **more)


def by_torch(
    module: ModuleType,
    old: str,
    new: str,
    term: str,
    step: int | None,
    node: int | None,
    words: str = "",
    **more,
) -> Error:
    return Error(module, old, new, "autograd", term, step, node, words, **more)


ERRORS = {
    # the hand adjoint: states
    "adjoint: emission doubled": by_hand(
        EMISSION, "column.H[n] + 8 * column.eps", "emission", LAST, 0, "twice"
    ),
    "adjoint: emission halved": by_hand(
        EMISSION, "column.H[n] + 2 * column.eps", "emission", LAST, 0, "half"
    ),
    "adjoint: emission dropped": by_hand(SLOPE, "\n    mu[0]", "emission", LAST, 0, "none"),
    "adjoint: emission sign": by_hand(
        EMISSION, "column.H[n] - 4 * column.eps", "emission", LAST, 0, "wrong sign"
    ),
    "adjoint: emission 1e-6 at 11": by_hand(
        EMISSION, "column.H[n] + " + at("4 * column.eps", "1e-6"), "emission", 11, 0, "1.0e-06"
    ),
    "adjoint: emission 1e-8 at 11": by_hand(
        EMISSION, "column.H[n] + " + at("4 * column.eps", "1e-8"), "emission", 11, 0, "1.0e-08"
    ),
    "adjoint: emission doubled at 11": by_hand(
        EMISSION, "column.H[n] + " + at("4 * column.eps", "1"), "emission", 11, 0, "twice"
    ),
    "adjoint: emission of the old state": by_hand(
        "x = new[0]\n", "x = old[0]\n", "emission", LAST, 0, "old state"
    ),
    "adjoint: turbulent dropped": by_hand(
        "g[0] * m[1] + column.H[n] + 4", "g[0] * m[1] + 4", "turbulent", LAST, 0, "none"
    ),
    "adjoint: turbulent 1e-6 at 11": by_hand(
        "m[1] + column.H[n] +",
        "m[1] + " + at("column.H[n]", "1e-6") + " +",
        "turbulent",
        11,
        0,
        "1.0e-06",
    ),
    "adjoint: turbulent of the step before": by_hand(
        "m[1] + column.H[n] +",
        "m[1] + column.H[n - 1] +",
        "turbulent",
        LAST,
        0,
        "step before",
        only="layered",
    ),
    "adjoint: storage of the surface": by_hand(
        "slope = s[0] +", "slope = 1.5 * s[0] +", "storage", LAST, 0, "1.5"
    ),
    "adjoint: storage 1e-6 at 11": by_hand(
        STORED,
        STORED.replace("mu[i]", "mu[i] * (1 + 1e-6 * (n == 11))"),
        "storage",
        11,
        0,
        "1.0e-06",
    ),
    "adjoint: storage of node 3 at 11": by_hand(
        STORED,
        STORED.replace("mu[i]", "mu[i] * (1 + 1e-6 * (n == 11) * (i == 3))"),
        "storage",
        11,
        3,
        "1.0e-06",
    ),
    "adjoint: storage sign": by_hand(
        STORED, "before[i] = -s[i] * mu[i]", "storage", LAST, 0, "wrong sign"
    ),
    "adjoint: Δt of the step before": by_hand(
        "column.dt[n], s)", "column.dt[n - 1], s)", "storage", LAST, 0, "Δt", only="layered"
    ),
    "adjoint: Δt of the first step": by_hand(
        "column.dt[n], s)", "column.dt[0], s)", "storage", None, 0, "Δt", only="layered"
    ),
    "adjoint: conduction to the surface": by_hand(
        "mu[0] = (total[0] + g[0] * b[1])",
        "mu[0] = (total[0] + 0.5 * g[0] * b[1])",
        "conduction down",
        LAST,
        0,
    ),
    "adjoint: conduction from the surface": by_hand(
        "mu[i] = a[i] * mu[i - 1] + b[i]",
        "mu[i] = (1 + 1e-6 * (i == 1)) * a[i] * mu[i - 1] + b[i]",
        "conduction down",
        LAST,
        0,
    ),
    "adjoint: conductance of the neighbour": by_hand(
        "conductance(dz, column.lam, g)\n    storage",
        "conductance(dz, np.roll(column.lam, 1), g)\n    storage",
        "conduction down",
        LAST,
        0,
        "λ of the interface",
        only="layered",
    ),
    # the hand adjoint: observed directly
    "adjoint: soil temperature late": by_hand(
        "W[n, j + 1] += f * q", "W[n, j] += f * q", "observation", STEPS, None, only="layered"
    ),
    "adjoint: longwave cubed": by_hand(
        "W[n, 0] += 4 * column.eps",
        "W[n, 0] += 3 * column.eps",
        "observation",
        STEPS,
        0,
        only="layered",
    ),
    "adjoint: longwave at 11": by_hand(
        "W[n, 0] += 4 * column.eps",
        "W[n, 0] += (4 + 1e-6 * (n == 11)) * column.eps",
        "observation",
        11,
        0,
        only="layered",
    ),
    "adjoint: heat flux untransposed": by_hand(
        "W[n, j + 1] -= column.lam[j] / column.dz[j] * q",
        "W[n, j + 1] += column.lam[j] / column.dz[j] * q",
        "observation",
        STEPS,
        None,
        only="layered",
    ),
    "adjoint: longwave by ε": by_hand(
        "bar.eps[0] += SIGMA",
        "bar.eps[0] += 2 * SIGMA",
        "observation",
        0,
        None,
        parameter="emissivity",
        only="layered",
    ),
    "adjoint: turbulent flux by H": by_hand(
        "bar.H[n - 1] += (x - column.Ta[n - 1]) * q",
        "bar.H[n - 1] -= (x - column.Ta[n - 1]) * q",
        "observation",
        1,
        None,
        parameter="turbulent_transfer_coefficient",
        only="layered",
    ),
    # the hand adjoint: sums
    "adjoint: bottom dropped": by_hand(
        BOTTOM, "bar.Tb[n] += total[N]", "bottom", LAST, None, parameter="bottom_temperature"
    ),
    "adjoint: bottom 1e-6 at 11": by_hand(
        BOTTOM,
        "bar.Tb[n] += total[N] + " + at("g[N - 1] * mu[N - 1]", "1e-6"),
        "bottom",
        11,
        None,
        parameter="bottom_temperature",
        only="layered",
    ),
    "adjoint: sign of C": by_hand(
        CAPACITY,
        CAPACITY.replace("-=", "+="),
        "storage",
        LAST,
        None,
        "wrong sign",
        parameter="volumetric_heat_capacity",
    ),
    "adjoint: C at 11": by_hand(
        CAPACITY,
        CAPACITY.replace("-= mu[i]", "-= (1 + 1e-6 * (n == 11)) * mu[i]"),
        "storage",
        11,
        None,
        parameter="volumetric_heat_capacity",
    ),
    "adjoint: λ dropped": by_hand(
        CONDUCTIVITY,
        "bar.lam[i] += 0 * (mu[i] - mu[i + 1])",
        "conduction down",
        LAST,
        0,
        "none",
        parameter="thermal_conductivity",
    ),
    "adjoint: λ at 11": by_hand(
        CONDUCTIVITY,
        CONDUCTIVITY.replace("+= (", "+= (1 + 1e-6 * (n == 11)) * ("),
        "conduction down",
        11,
        None,
        parameter="thermal_conductivity",
    ),
    "adjoint: λ of interface 4": by_hand(
        CONDUCTIVITY,
        CONDUCTIVITY.replace("+= (", "+= (1 + 1e-6 * (i == 4)) * ("),
        "conduction down",
        LAST,
        4,
        parameter="thermal_conductivity",
    ),
    "adjoint: ε sign": by_hand(
        "bar.eps[0] -= mu[0]",
        "bar.eps[0] += mu[0]",
        "emission",
        LAST,
        0,
        parameter="emissivity",
        only="layered",
    ),
    "adjoint: α sign": by_hand(
        "bar.alpha[n] -= mu[0]",
        "bar.alpha[n] += mu[0]",
        "shortwave",
        LAST,
        0,
        "wrong sign",
        parameter="albedo",
    ),
    "adjoint: shortwave of the step before": by_hand(
        "mu[0] * column.SW[n]",
        "mu[0] * column.SW[n - 1]",
        "shortwave",
        LAST,
        0,
        "step before",
        parameter="albedo",
    ),
    "adjoint: H by the old surface": by_hand(
        "bar.H[n] -= mu[0] * (x -", "bar.H[n] -= mu[0] * (old[0] -", "turbulent", LAST, 0
    ),
    "adjoint: T⁰ off by one": by_hand(
        "bar.T0[i] += states[0, i]", "bar.T0[i] += states[1, i]", "initial state", 0, 0
    ),
    "adjoint: β by the wrong sign": Error(
        parameters,
        "= -h / beta**2 * bar.H",
        "= h / beta**2 * bar.H",
        "adjoint",
        "chain rule",
        None,
        None,
        "wrong sign",
        "bowen_ratio",
        "twin",
        into=(evaluate,),
    ),
    "adjoint: tied start forgotten": Error(
        parameters,
        "Tb[0] += np.sum(bar.T0)",
        "pass",
        "adjoint",
        "initial state",
        0,
        None,
        "",
        "bottom_temperature",
        "twin",
        into=(evaluate,),
    ),
    # the tangent
    "tangent: emission halved": tangential(
        "column.H[n] + 4 * column.eps", "column.H[n] + 2 * column.eps", "emission", 0, 0, "half"
    ),
    "tangent: emission 1e-8 at 11": tangential(
        "column.H[n] + 4 * column.eps",
        "column.H[n] + " + at("4 * column.eps", "1e-8"),
        "emission",
        11,
        0,
        "1.0e-08",
    ),
    "tangent: stale linearisation": tangential("x = new[0]\n", "x = old[0]\n", "emission", 0, 0),
    "tangent: turbulent dropped": tangential(
        "m[1] + column.H[n] +", "m[1] +", "turbulent", 0, 0, "none"
    ),
    "tangent: conduction to above dropped": tangential(
        "r[i] -= dg[i - 1] * (new[i] - new[i - 1])",
        "pass",
        "conduction up",
        0,
        1,
        "none",
        parameter="thermal_conductivity",
    ),
    "tangent: conduction down 1e-6 at 11": tangential(
        "r[i] += dg[i]",
        "r[i] += (1 + 1e-6 * (n == 11)) * dg[i]",
        "conduction down",
        11,
        None,
        "1.0e-06",
        parameter="thermal_conductivity",
    ),
    "tangent: C sign": tangential(
        "- ds[i] * (new",
        "+ ds[i] * (new",
        "storage",
        0,
        None,
        "wrong sign",
        parameter="volumetric_heat_capacity",
    ),
    "tangent: storage halved": tangential(
        "r[i] = s[i] * before[i]", "r[i] = 0.5 * s[i] * before[i]", "storage", None, None, "half"
    ),
    "tangent: albedo sign": tangential(
        "- d.alpha[n] * column.SW[n]",
        "+ d.alpha[n] * column.SW[n]",
        "shortwave",
        None,
        0,
        "wrong sign",
        parameter="albedo",
    ),
    "tangent: Δt of another step": tangential(
        "storage(dz, column.C, column.dt[n], s)",
        "storage(dz, column.C, column.dt[n - 1], s)",
        "storage",
        None,
        0,
        "Δt",
        only="layered",
    ),
    "tangent: bottom dropped": tangential(
        "r, d.Tb[n], column", "r, 0.0, column", "bottom", 0, -2, parameter="bottom_temperature"
    ),
    "tangent: initial dropped": tangential(
        "dT[0, i] = d.T0[i]", "dT[0, i] = 0.0", "initial state", 0, 0
    ),
    "tangent: longwave cubed": tangential(
        "(d.eps * x + 4 * column.eps",
        "(d.eps * x + 3 * column.eps",
        "observation",
        0,
        None,
        only="layered",
    ),
    "tangent: soil temperature late": tangential(
        "dy[k, n] = (1 - f) * dT[n, j] + f * dT[n, j + 1]",
        "dy[k, n] = (1 - f) * dT[n - 1, j] + f * dT[n - 1, j + 1]",
        "observation",
        None,
        None,
    ),
    "tangent: β chain": Error(
        parameters,
        "dh - h / beta**2 * dbeta",
        "dh + h / beta**2 * dbeta",
        "tangent",
        "chain rule",
        None,
        None,
        "",
        "bowen_ratio",
        "twin",
        into=(evaluate,),
    ),
    # torch: the model
    "torch: emission doubled": by_torch(
        direct,
        "c4 = columns.emissivity * STEFAN",
        "c4 = 2 * columns.emissivity * STEFAN",
        "emission",
        0,
        0,
        "twice",
    ),
    "torch: emission 1e-8": by_torch(
        direct,
        "c4 = columns.emissivity * STEFAN",
        "c4 = (1 + 1e-8) * columns.emissivity * STEFAN",
        "emission",
        0,
        0,
        "1.0e-08",
    ),
    "torch: emission doubled in the slope": by_torch(
        direct,
        "x = x - (c1 * x + c4 * x3 * x - load) / (c1 + 4 * c4 * x3)",
        "x = x - (c1 * x + c4 * x3 * x - load) / (c1 + 8 * c4 * x3)",
        "emission",
        LAST,
        0,
    ),
    "torch: shortwave of the step before": by_torch(
        direct,
        "load + absorbed[:, n]",
        "load + absorbed[:, max(n - 1, 0)]",
        "shortwave",
        None,
        0,
        "step before",
        only="twin",
    ),
    "torch: air of the step before": by_torch(
        direct,
        "H * columns.Tair[:, n]",
        "H * columns.Tair[:, max(n - 1, 0)]",
        "turbulent",
        1,
        0,
        "step before",
        only="layered",
    ),
    "torch: turbulent 1e-6 at 11": by_torch(
        direct,
        "soil.conductance + H\n",
        "soil.conductance + H * (1 + 1e-6 * (n == 11))\n",
        "turbulent",
        11,
        0,
        "1.0e-06",
    ),
    "torch: storage at 11": by_torch(
        direct,
        "rhs = soil.storage[:, 1:last] * T[:, 1:last]",
        "rhs = (1 + 1e-6 * (n == 11)) * soil.storage[:, 1:last] * T[:, 1:last]",
        "storage",
        11,
        1,
        "1.0e-06",
    ),
    "torch: Δt of another step": by_torch(
        direct,
        "soil = soils[d]",
        "soil = soils[which[n - 1]]",
        "storage",
        None,
        0,
        "Δt",
        only="layered",
    ),
    "torch: bottom of another step": by_torch(
        direct,
        "bottom = g[:, -1] * columns.Tb[:, n]",
        "bottom = g[:, -1] * columns.Tb[:, n - 1]",
        "bottom",
        0,
        -2,
        only="layered",
    ),
    "torch: single precision on the way": by_torch(
        direct,
        "c1 = soil.storage[:, 0] +",
        "c1 = soil.storage[:, 0].float().double() +",
        "storage",
        0,
        0,
    ),
    "torch: λ of the neighbour": by_torch(
        column,
        'lam=spread("thermal_conductivity", N)',
        'lam=spread("thermal_conductivity", N).roll(1, 1)',
        "conduction down",
        0,
        0,
        "λ of the interface above",
        only="layered",
    ),
    "torch: an elimination gone wrong": by_torch(
        direct,
        "g = columns.lam / columns.spacing\n    T = ",
        "g = columns.lam.roll(1, 1) / columns.spacing\n    T = ",
        "unknown",
        0,
        0,
        only="layered",
    ),
    "torch: observed one state late": by_torch(
        observe,
        'torch.einsum("bsn,bn->bs", T, _weights',
        'torch.einsum("bsn,bn->bs", T.roll(1, 1), _weights',
        "observation",
        0,
        None,
    ),
    "torch: longwave cubed": by_torch(
        observe, "T[..., 0] ** 4", "T[..., 0] ** 3", "observation", 0, None, only="layered"
    ),
    "torch: objective constant": by_torch(
        observe,
        "total = (w * r * r).sum(dim=(1, 2))",
        "total = 1 + (w * r * r).sum(dim=(1, 2))",
        "objective",
        None,
        None,
    ),
    "torch: weights forgotten": by_torch(
        observe,
        "total = (w * r * r).sum",
        "total = (r * r).sum",
        "objective",
        None,
        None,
        only="layered",
    ),
    "torch: probe wrong": by_torch(
        observe, "return (w * y).sum", "return (w * y * (1 + 1e-6)).sum", "objective", None, None
    ),
    # torch: its graph
    "torch: λ detached": by_torch(
        column,
        'spread("thermal_conductivity", N)',
        'spread("thermal_conductivity", N).detach()',
        "chain rule",
        None,
        None,
        parameter="thermal_conductivity",
    ),
    "torch: β detached": by_torch(
        column,
        '(1 + 1 / spread("bowen_ratio", S))',
        '(1 + 1 / spread("bowen_ratio", S).detach())',
        "chain rule",
        None,
        None,
        parameter="bowen_ratio",
        only="twin",
    ),
    "torch: β inverted": by_torch(
        column,
        '(1 + 1 / spread("bowen_ratio", S))',
        '(1 + spread("bowen_ratio", S))',
        "chain rule",
        None,
        None,
        only="twin",
    ),
    "torch: tied start detached": by_torch(
        column,
        "Tb[:, :1].expand(B, nodes) if tied",
        "Tb[:, :1].detach().expand(B, nodes) if tied",
        "initial state",
        0,
        None,
        parameter="bottom_temperature",
        only="twin",
    ),
    "torch: longwave without ε's slope": by_torch(
        observe,
        "columns.emissivity[:, None] * STEFAN",
        "columns.emissivity[:, None].detach() * STEFAN",
        "observation",
        0,
        None,
        parameter="emissivity",
        only="layered",
    ),
    "torch: old state detached": by_torch(
        direct,
        "rhs = soil.storage[:, 1:last] * T[:, 1:last]",
        "rhs = soil.storage[:, 1:last] * T[:, 1:last].detach()",
        "storage",
        LAST,
        None,
        "none",
    ),
    "torch: air detached": by_torch(
        direct,
        "H * columns.Tair[:, n]",
        "H.detach() * columns.Tair[:, n]",
        "turbulent",
        LAST,
        0,
        parameter="turbulent_transfer_coefficient",
        only="layered",
    ),
}


def partner(route: str) -> str:
    return "autograd" if route in ("adjoint", "tangent") else "adjoint"


CASES = {"twin": twin, "layered": layered}
PAIRS = [
    (what, error.only or ("twin", "layered")[k % 2])
    for k, (what, error) in enumerate(ERRORS.items())
]
"""Errors that show in both cases take turns: a mutated oracle runs uncompiled."""


@pytest.mark.parametrize("what, name", PAIRS)
def test_a_planted_error_is_located(planter, what, name):
    error = ERRORS[what]
    error.plant(planter)
    inputs = inputs_of(CASES[name]())
    found = localise(inputs, ROUTES[partner(error.route)], ROUTES[error.route], seed=2)
    assert found is not None
    assert found.route == error.route, found
    assert found.term == error.term, found
    if error.step is not None:
        assert found.step == error.step, found
    if error.node is not None:
        nodes = int(inputs.spacing.size) + 1
        assert found.node == (error.node if error.node >= 0 else nodes + error.node), found
    assert error.words in found.sentence, found
    if error.parameter:
        assert found.parameter == error.parameter, found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "pair", [("adjoint", "tangent"), ("autograd", "complex-step"), ("adjoint", "multiprecision")]
)
def test_without_an_error_there_is_nothing_to_locate(name, pair):
    inputs = inputs_of(CASES[name]().window(4) if "multiprecision" in pair else CASES[name]())
    a, b = (ROUTES[r] for r in pair)
    assert localise(inputs, a, b, seed=4) is None


EQUIVALENT = {
    "adjoint: emission": (
        adjoint, SLOPE, "+ (x * SIGMA) * (x * x) * (column.eps * 4)\n    mu[0]", "adjoint",
    ),
    "adjoint: storage": (adjoint, STORED, "before[i] = mu[i] / (1 / s[i])", "adjoint"),
    "tangent: emission": (
        tangent, EMISSION, "(column.H[n] + column.eps) - column.eps + column.eps * 4", "tangent",
    ),
    "torch: emission": (
        direct,
        "x = x - (c1 * x + c4 * x3 * x - load) /",
        "x = x - (x * (c1 + c4 * x3) - load) /",
        "autograd",
    ),
    "torch: objective": (
        observe, "total = (w * r * r).sum", "total = ((w * r) * r).flip(2).sum", "autograd",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", EQUIVALENT)
@pytest.mark.parametrize("name", CASES)
def test_other_arithmetic_is_no_error(planter, what, name):
    module, old, new, route = EQUIVALENT[what]
    Error(module, old, new, route, "", None, None).plant(planter)
    inputs = inputs_of(CASES[name]())
    assert localise(inputs, ROUTES[partner(route)], ROUTES[route], seed=2) is None


def test_of_two_errors_the_first_met_is_named(planter):
    both = at(at("4 * column.eps", "1e-6").replace("11", "5"), "1e-4")
    Error(adjoint, EMISSION, f"column.H[n] + {both}", "", "", None, None).plant(planter)
    found = localise(inputs_of(twin()), ROUTES["autograd"], ROUTES["adjoint"], seed=2)
    assert (found.step, found.node, found.term) == (11, 0, "emission")  # backward in time
    assert found.sentence == (
        "step 11, node 0, emission 4εσT³: adjoint has the scheme's × (1 + 1.0e-04)"
    )


def test_the_guilty_route_is_named_whichever_comes_first(planter):
    ERRORS["adjoint: emission halved"].plant(planter)
    a, b = ROUTES["adjoint"], ROUTES["tangent"]
    inputs = inputs_of(twin())
    forth, back = localise(inputs, a, b, seed=2), localise(inputs, b, a, seed=2)
    assert forth == back
    assert forth.route == "adjoint"


class TestFirstDivergence:
    """States that a user's model shows."""

    states = np.arange(12.0).reshape(4, 3)
    spread = np.full((4, 3), 1e-12)

    def test_equal_states_part_nowhere(self):
        assert first_divergence(self.states, self.states, self.spread, backward=False) is None

    def test_within_the_spread_they_do_not_part(self):
        near = self.states + 100 * self.spread
        assert first_divergence(self.states, near, self.spread, backward=False) is None

    @pytest.mark.parametrize("backward, step", [(False, 1), (True, 3)])
    def test_the_first_met_is_named_with_its_worst_node(self, backward, step):
        other = self.states.copy()
        other[1:, 0] += 1e-6
        other[1:, 2] += 1e-3
        assert first_divergence(self.states, other, self.spread, backward=backward) == (step, 2)

    def test_no_number_is_a_difference(self):
        other = self.states.copy()
        other[2, 1] = np.nan
        assert first_divergence(self.states, other, self.spread, backward=False) == (2, 1)

    def test_without_spread_they_must_be_equal_to_round_off(self):
        none = np.zeros_like(self.spread)
        assert first_divergence(self.states, self.states + none, none, backward=False) is None
        other = self.states * (1 + 1e-12)
        assert first_divergence(self.states, other, none, backward=False) is not None


@pytest.mark.parametrize("first", [1, 7, 64])
def test_bisection_finds_the_observation_that_makes_the_difference(first):
    asked = []

    def differs(k):
        asked.append(k)
        return k >= first

    assert bisect(differs, 64) == first
    assert len(asked) <= 7
    assert bisect(lambda k: False, 64) is None
    assert bisect(differs, 0) is None
