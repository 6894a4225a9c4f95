"""Figures of a report: from what its evidence holds to matplotlib figures, one panel each.

Panels of one size stand side by side on a screen and below each other on a phone. Series differ in
marker or dash as well as in colour (Okabe and Ito's, told apart without seeing red or green).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.report.findings import symbol_of
from lsm_verify.report.paper import MILLIMETRES, STYLE, WIDTHS
from lsm_verify.verify.evidence import DifferenceCurve, EnergyCurve, StateMap, TaylorCurve
from lsm_verify.verify.taylor import ABOVE_NOISE, ORDER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lsm_verify.verify.result import Report

INK, FAINT = "#1b1f24", "#8a9099"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MARKERS = "osD^"
PANEL = (WIDTHS[1] / MILLIMETRES, 0.78 * WIDTHS[1] / MILLIMETRES)
"""Width and height of a panel [inch]: a column of a paper."""

Rectangle = tuple[float, float, float, float]

PLACE: Rectangle = (0.165, 0.34, 0.805, 0.575)
"""Axes in a panel: left, bottom, width, height. Fixed, so that panels line up; it also saves half
of the time that a layout takes."""

BAR: Rectangle = (0.815, 0.17, 0.025, 0.745)
WITH_BAR: Rectangle = (0.165, 0.17, 0.625, 0.745)
WITHOUT_LEGEND: Rectangle = (0.165, 0.17, 0.805, 0.745)

DECADES = 6
"""Decades of a map's logarithmic scale: what is smaller is drawn as zero."""


@dataclass(frozen=True)
class Panel:
    """One figure with the words that stand for it: ``alt`` in full, ``caption`` below it.

    ``name`` is that of a file, without a suffix.
    """

    name: str
    figure: Figure
    caption: str
    alt: str


@contextmanager
def style() -> Iterator[None]:
    """Draw as for a paper, in ink, on nothing, and take no name for mathematics."""
    import matplotlib as mpl

    settings: Any = {
        **mpl.rc_params_from_file(STYLE, use_default_template=False),
        "figure.constrained_layout.use": False,  # every panel has its axes in the same place
        "text.parse_math": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }
    with mpl.rc_context(settings):
        yield


def panels(report: Report) -> dict[str, list[Panel]]:
    """Draw everything that a report's evidence holds: section to panels."""
    evidence = report.evidence
    drawn: dict[str, list[Panel]] = {"taylor": [], "differences": [], "maps": [], "energy": []}
    with style():
        groups: dict[tuple[str, str, str], list[TaylorCurve]] = {}
        for curve in evidence.taylor:
            groups.setdefault((curve.point, curve.objective, curve.route), []).append(curve)
        # A model may have no number along a ladder, or an infinite one: it has no place on an axis.
        with np.errstate(all="ignore"):
            drawn["taylor"] = [remainders(group) for group in groups.values()]
            drawn["differences"] = [differences(curve) for curve in evidence.differences]
            drawn["maps"] = [state_map(each) for each in evidence.maps]
            drawn["energy"] = [energy(curve) for curve in evidence.energy]
    return drawn


def remainders(curves: Sequence[TaylorCurve]) -> Panel:
    """Draw the odd Taylor remainders of one gradient along some directions."""
    figure, axes = _axes()
    first = curves[0]
    title = f"{first.objective} at {first.point}, gradient by {first.route}"
    for k, curve in enumerate(curves):
        h, r = np.array(curve.steps), np.array(curve.remainder)
        here = np.zeros(h.size, dtype=bool)
        if curve.window:
            here = (h <= curve.window[0]) & (h >= curve.window[-1])
        colour, marker = SERIES[k % len(SERIES)], MARKERS[k % len(MARKERS)]
        rate = "no rate" if curve.rate is None else f"rate {curve.rate:.3f}"
        axes.loglog(h, _positive(r), color=colour, marker=marker, mfc="none", lw=0.6, mew=0.6)
        label = f"direction {curve.direction}: {rate}"
        axes.loglog(h[here], _positive(r[here]), color=colour, marker=marker, lw=2.2, label=label)
    h = np.array(first.steps)
    tops = [np.nanmax(_positive(np.array(c.remainder)), initial=0.0) for c in curves]
    noise = max(curve.noise for curve in curves)
    if 0 < noise < np.inf:
        axes.axhspan(noise / 1e3, ABOVE_NOISE * noise, color=FAINT, alpha=0.25, lw=0)
        axes.axhline(noise, color=FAINT, ls=":", label="noise; band: 30 times")
    allowed = min(curve.allowed for curve in curves)
    axes.loglog(h, _positive(2 * h * allowed), color=INK, ls="--", lw=0.8, label="error allowed")
    if max(tops) > 0 and 0 < noise < np.inf:
        axes.set_ylim(noise / 30, 30 * max(tops))
    axes.set(xlabel="step h", ylabel="|J(p+hv) − J(p−hv) − 2h⟨g,v⟩|", title=title)
    _legend(figure, axes)
    seen = [c for c in curves if c.rate is not None]
    rates = ", ".join(f"{c.rate:.3f}" for c in seen) or "none above the noise"
    window = f"; window {seen[0].window[0]:.2g} to {seen[0].window[-1]:.2g}" if seen else ""
    caption = (
        f"Odd Taylor remainder of {title}. Rates: {rates}{window} (a right gradient: {ORDER:g})."
    )
    alt = (
        f"{caption} Logarithmic axes; steps from {h[0]:.2g} to {h[-1]:.2g}; noise of the objective "
        f"{noise:.1e}."
    )
    name = _slug("taylor", first.objective, first.route, first.point)
    return Panel(name, figure, caption, alt)


def differences(curve: DifferenceCurve) -> Panel:
    """Draw how far central differences are from the claimed derivative, against their step."""
    figure, axes = _axes()
    symbol = symbol_of(curve.parameter, curve.component, curve.direction)
    title = f"∂{curve.objective}/∂{symbol} at {curve.point}"
    h, unit = np.array(curve.steps), np.float64(curve.norm)
    slopes = np.array(curve.slopes, dtype=np.float64)
    off = {n: abs(g - curve.estimate) for n, g in curve.claimed.items()}
    best, worst = (least(off, key=lambda name: off[name]) for least in (min, max))
    apart = off[worst] > off[best] + curve.uncertainty
    for k, name in enumerate((best, worst) if apart else (next(iter(off)),)):
        error = np.abs(slopes - curve.claimed[name]) / unit
        axes.loglog(
            h,
            _positive(error),
            color=SERIES[k],
            marker=MARKERS[k],
            label=f"|difference − {name}|",
        )
    axes.loglog(
        h, curve.noise / (np.sqrt(2) * h) / unit, color=FAINT, ls=":", label="noise of a difference"
    )
    axes.axhline(curve.allowed / unit, color=INK, ls="--", lw=0.8, label="error allowed")
    if np.isfinite(curve.uncertainty) and curve.uncertainty > 0:
        axes.axhline(curve.uncertainty / unit, color=SERIES[2], ls="-.", label="U, extrapolated")
    if curve.window:
        axes.axvspan(curve.window[-1], curve.window[0], color=FAINT, alpha=0.25, lw=0)
    axes.set(xlabel="step h, in units of the scale", ylabel="error / ‖g∘s‖", title=title)
    _legend(figure, axes)
    window = f", from steps {curve.window[-1]:.1e} to {curve.window[0]:.1e}" if curve.window else ""
    kink = " A kink was seen." if curve.kinked else ""
    caption = (
        f"Differences of {title}: U = {curve.uncertainty / unit:.1e}{window}; farthest claim: "
        f"{worst}, {off[worst] / unit:.1e} from the extrapolated value (unit ‖g∘s‖).{kink}"
    )
    alt = f"{caption} Logarithmic axes; the error falls with the step until noise takes over."
    number = (*map(str, curve.component), "" if curve.direction is None else f"d{curve.direction}")
    name = _slug("differences", curve.objective, curve.parameter, *number, curve.point)
    return Panel(name, figure, caption, alt)


def state_map(found: StateMap) -> Panel:
    """Draw states over time and depth; of a difference its magnitude, and where it begins."""
    from matplotlib.colors import LogNorm, SymLogNorm

    figure, axes = _axes(WITH_BAR)
    values = np.array(found.values, dtype=np.float64).T
    deep = len(found.depths) > 0
    y = np.array(found.depths if deep else found.nodes)
    compared = len(found.routes) > 1
    seen = np.abs(values[np.isfinite(values)])
    most = float(np.max(seen, initial=0.0)) or 1.0
    norm: Any = SymLogNorm(most * 10.0**-DECADES, vmin=-most, vmax=most)
    colours = "RdBu_r"
    if compared:
        values, colours = _positive(np.abs(values)), "cividis"
        norm = LogNorm(most * 10.0**-DECADES, most)
    mesh = axes.pcolormesh(
        np.array(found.states), y, values, norm=norm, cmap=colours, rasterized=True
    )
    bar = figure.colorbar(mesh, cax=figure.add_axes(BAR))
    if bar.solids is not None:
        bar.solids.set_rasterized(True)
    ends = [-most, 0, most] if not compared else [most * 10.0**-DECADES, most]
    bar.set_ticks(ends, labels=[f"{end:.1e}" if end else "0" for end in ends])
    bar.minorticks_off()
    axes.set_ylim(y[-1], y[0])
    what = {"adjoint": "Λ", "tangent": "dT", "temperature": "T"}[found.kind]
    name = " − ".join(found.routes)
    of = f" of {found.objective}" if found.objective else ""
    title = f"|Δ{what}|: {name}" if compared else f"{what}{of}: {name}"
    axes.set(xlabel="state (time step)", ylabel="depth [m]" if deep else "node", title=title)
    mark = _mark(axes, found, y)
    kind = {
        "adjoint": "Adjoint states: sensitivity of the objective to the temperature of every state "
        "and node",
        "tangent": "Tangent states: change of every temperature with the parameters",
        "temperature": "Temperatures",
    }[found.kind]
    unit = f" [{found.unit}]" if found.unit else ""
    caption = f"{kind}{of} at {found.point}, by {found.routes[0]}{unit}; largest {most:.2e}."
    if compared:
        same = f"by at most {most:.1e}{unit}" if np.any(seen > 0) else "nowhere"
        caption = (
            f"{kind}{of} at {found.point}: where {found.routes[0]} and {found.routes[1]} differ, "
            f"{same}; blank: the same bits, darkest: a millionth of that or less.{mark}"
        )
    file = _slug("map", found.kind, found.objective, *found.routes, found.point)
    return Panel(file, figure, caption, f"{caption} A map, time to the right, depth downward.")


def _mark(axes: Any, found: StateMap, y: Any) -> str:
    """Mark the first divergence; say so."""
    if found.step is None:
        return f" {found.sentence}." if found.sentence else ""
    x = found.step + 0.5
    if found.node is None:
        axes.axvline(x, color=SERIES[1], lw=1.2)
    else:
        block = min(int(np.searchsorted(found.nodes, found.node, side="right")), len(y) - 1)
        here = (y[block - 1] + y[block]) / 2
        axes.plot(x, here, "o", ms=11, mfc="none", mec=INK, mew=2.6, clip_on=False)
        axes.plot(x, here, "o", ms=11, mfc="none", mec=SERIES[1], mew=1.5, clip_on=False)
    return f" Marked: the first divergence, {found.sentence}."


def energy(curve: EnergyCurve) -> Panel:
    """Draw the residual of one model's energy budget over time."""
    figure, axes = _axes(WITHOUT_LEGEND)
    steps = np.array(curve.steps, dtype=np.float64)
    ratio = np.array(curve.ratio, dtype=np.float64)
    axes.plot((steps[:-1] + steps[1:]) / 2, ratio, color=SERIES[0], marker=".", ms=3, lw=0.7)
    for sign in (-1, 1):
        axes.axhline(sign * curve.limit, color=INK, ls="--", lw=0.8)
    axes.axhline(0, color=FAINT, lw=0.7)
    if np.nanmax(np.abs(ratio), initial=0.0) > 10 * curve.limit:
        axes.set_yscale("symlog", linthresh=curve.limit)
    axes.set(xlabel="step", ylabel="residual / ε Σ|terms|", title=f"model {curve.model}")
    worst = float(np.max(np.abs(ratio), initial=0.0))
    caption = (
        f"Energy budget of model {curve.model} at {curve.point}: largest residual {worst:.2g} ε "
        f"Σ|terms| of a step, limit {curve.limit:g} (dashed); mean {curve.residual:.1e} W m⁻²."
    )
    name = _slug("energy", curve.model, curve.point)
    return Panel(name, figure, caption, f"{caption} A curve over the time steps.")


def _slug(*words: str) -> str:
    """Name a file by what it shows: letters, digits, dots and single dashes."""
    return re.sub(r"[^\w.]+", "-", "-".join(word for word in words if word)).strip("-")


def _axes(place: Rectangle = PLACE) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=PANEL)
    return figure, figure.add_axes(place)


def _legend(figure: Figure, axes: Any) -> None:
    """Put the legend below, thin the ticks out, mark no minor ones."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_major_formatter(FuncFormatter(_power))
    axes.minorticks_off()
    figure.legend(loc="lower center", ncols=2, handlelength=2.0, columnspacing=1.2, borderpad=0.1)


def _power(value: float, place: int = 0) -> str:
    """Write a power of ten in plain text: matplotlib's own is mathematics, set ten times slower."""
    exponent = str(round(np.log10(value))) if value > 0 else "0"
    return "10" + exponent.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _positive(values: Any) -> Any:
    """Leave out of a logarithmic axis what has no place on it."""
    with np.errstate(invalid="ignore"):
        return np.where((values > 0) & np.isfinite(values), values, np.nan)
