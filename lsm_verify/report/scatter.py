"""Starts against estimates, one panel per parameter, as the paper draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.inverse.result import Calibration
from lsm_verify.inverse.space import Space
from lsm_verify.parameters import COMBINED, SEPARATE, combine
from lsm_verify.quantities import PARAMETERS
from lsm_verify.report.figure import COLOURS, save, style

Array = NDArray[np.float64]

MOST_PANELS = 9
MARKERS = ("o", "x")


class Panel(NamedTuple):
    """One parameter: its name, how it is written, and its values in rows of a space."""

    name: str
    label: str
    unit: str
    of: Callable[[Array], Array]


def draw(
    results: Mapping[str, Calibration],
    path: Path,
    *,
    title: str = "",
    published: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Draw one or two calibrations of the same unknowns.

    Parameters
    ----------
    results : mapping
        Label to calibration.
    published : mapping, optional
        Names to a mean and spread that are drawn as a band.

    Notes
    -----
    h and β are drawn as h(1+1/β), through which alone the model knows them. The axis of a panel
    is that of the first calibration.
    """
    from matplotlib.figure import Figure

    first = next(iter(results.values()))
    panels = panels_of(first.space)
    with style():
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        figure = Figure(figsize=(2.6 * columns, 2.4 * rows + 0.3), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis, panel in zip(axes.ravel(), panels, strict=False):
            _panel(axis, panel, results, published or {})
        for axis in axes.ravel()[len(panels) :]:
            axis.remove()
        for axis in axes[:, 0]:
            axis.set_ylabel("estimate")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        if len(labels) > 1:
            figure.legend(handles, labels, fontsize=8, loc="outside lower center", ncols=4)
        figure.suptitle(title or _title(first), fontsize=10)
        save(figure, path)


def _panel(
    axis: Any,
    panel: Panel,
    results: Mapping[str, Calibration],
    published: Mapping[str, tuple[float, float]],
) -> None:
    for (label, found), colour, marker in zip(results.items(), COLOURS, MARKERS, strict=False):
        ended = np.isfinite(found.value)
        start, estimate = (panel.of(rows[ended]) for rows in (found.start, found.estimate))
        axis.scatter(start, estimate, s=14, color=colour, marker=marker, label=label, lw=1)
    first = next(iter(results.values()))
    if first.truth is not None:
        axis.axhline(panel.of(first.truth[None])[0], color="0.3", lw=1, label="truth")
    if panel.name in published:
        mean, spread = published[panel.name]
        axis.axhspan(mean - spread, mean + spread, color="0.85", zorder=0, label="published")
        axis.axhline(mean, color="0.5", lw=1, ls="--", zorder=0)
    axis.set_xlabel(f"start [{panel.unit}]")
    axis.set_title(panel.label, fontsize=9)
    axis.ticklabel_format(useOffset=False, axis="y")
    axis.locator_params(nbins=5)


def _title(found: Calibration) -> str:
    return f"{found.case}, {found.method}, {int(np.isfinite(found.value).sum())} starts"


def panels_of(space: Space) -> list[Panel]:
    """One for each single number, nine at most; h and β share one."""
    both = set(SEPARATE) <= set(space.names)
    panels = []
    for u in space.unknowns:
        if u.shape or (both and u.name == SEPARATE[1]):
            continue
        k = space.places[u.name].start
        if both and u.name == SEPARATE[0]:
            beta = space.places[SEPARATE[1]].start
            panels.append(
                Panel(
                    COMBINED,
                    PARAMETERS[COMBINED].symbol,
                    u.unit,
                    partial(_together, k, beta),
                )
            )
            continue
        symbol = PARAMETERS[u.name].symbol if u.name in PARAMETERS else u.name
        panels.append(Panel(u.name, symbol, u.unit, partial(_alone, k)))
    if not panels:
        raise InputError("the figure shows single numbers; all unknowns are arrays: leave it out.")
    return panels[:MOST_PANELS]


def _alone(k: int, rows: Array) -> Array:
    return np.asarray(rows[:, k])


def _together(h: int, beta: int, rows: Array) -> Array:
    return np.asarray(combine(rows[:, h], rows[:, beta]))
