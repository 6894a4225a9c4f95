"""Ensembles of starts beside what the observations say: directions, λ against C, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.valley import PAIR, Valley
from lsm_verify.quantities import PARAMETERS
from lsm_verify.report.figure import COLOURS, save, style

Array = NDArray[np.float64]

ADAM, DATA, PAPER = COLOURS
LEVEL = 0.95


def draw(valleys: Sequence[Valley], path: Path) -> None:
    """Draw one row of panels for each ensemble.

    Left, the spread along the directions of the information; in the middle, λ against C with the
    ellipse that 95 % of estimates from noisy records are in, to first order; right, every
    parameter's Cramér-Rao bound beside the spread of the starts' ends.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(11, 3.1 * len(valleys) + 0.4), layout="constrained")
        axes = figure.subplots(len(valleys), 3, squeeze=False)
        for row, valley in zip(axes, valleys, strict=True):
            _directions(row[0], valley)
            _pair(row[1], valley)
            _parameters(row[2], valley)
        for axis in axes[0]:
            axis.legend(fontsize=7, loc="best")
        figure.suptitle(
            "50 starts of Adam, and what the observations say (Cramér-Rao, independent errors)",
            fontsize=10,
        )
        save(figure, path)


def _directions(axis: Any, valley: Valley) -> None:
    count = np.arange(1, valley.deviations.size + 1)
    for rows, colour, marker, label in (
        (valley.starts, "0.5", "s", "starts"),
        (valley.adam, ADAM, "o", "where Adam ends"),
    ):
        axis.plot(count, valley.along(rows), marker, color=colour, ms=5, label=label)
    axis.plot(count, valley.deviations, "_", color=DATA, ms=22, mew=2, label="Cramér-Rao bound")
    axis.set(
        yscale="log",
        title=f"{valley.case}, errors of {valley.error:.2g} K",
        xlabel="singular direction, best seen first",
        ylabel="spread [prior deviations]",
        xticks=count,
        xlim=(0.4, count[-1] + 0.6),
    )
    axis.title.set_fontsize(9)


def _pair(axis: Any, valley: Valley) -> None:
    from scipy.stats import chi2

    space = valley.told.space
    places = [space.names.index(name) for name in PAIR]
    scale = np.array([1.0, 1e-6])[:, None]
    centre = scale * valley.told.point[places][:, None]
    # Both coordinates are linear in the scaled ones.
    covariance = valley.told.covariance[np.ix_(places, places)]
    root = np.linalg.cholesky(covariance) * space.scale[places][:, None]
    turn = np.linspace(0, 2 * np.pi, 200)
    ring = np.sqrt(chi2.ppf(LEVEL, 2)) * np.stack([np.cos(turn), np.sin(turn)])
    ellipse = centre + scale * (root @ ring)
    starts, ends = (scale * valley.pair(rows) for rows in (valley.starts, valley.adam))
    axis.plot(*starts, "s", color="0.6", ms=3, label="starts")
    axis.plot(*ends, "o", color=ADAM, ms=4, label="where Adam ends")
    axis.plot(*ellipse, color=DATA, lw=1.5, label="95 % of noisy records")
    axis.plot(*centre, "+", color="k", ms=9, mew=1.5, label="truth or least squares")
    if set(PAIR) <= set(valley.published):
        mean, spread = np.array([valley.published[name] for name in PAIR]).T
        mean, spread = mean * scale[:, 0], spread * scale[:, 0]
        axis.errorbar(
            mean[0], mean[1], spread[1], spread[0], color=PAPER, lw=1.5, fmt="none",
            label="paper: mean ± spread",
        )  # fmt: skip
    # What the ellipse leaves of the frame: all points, and a margin.
    points = np.concatenate([starts, ends, centre], axis=1)
    low, high = points.min(axis=1), points.max(axis=1)
    margin = 0.15 * (high - low)
    axis.set(
        xlim=(low[0] - margin[0], high[0] + margin[0]),
        ylim=(low[1] - margin[1], high[1] + margin[1]),
        xlabel=f"λ [{PARAMETERS[PAIR[0]].unit}]",
        ylabel="C [MJ m-3 K-1]",
        title=f"correlation {valley.correlation:.3f} over starts, "
        f"{valley.correlation_of_data:.3f} of noisy records",
    )
    axis.title.set_fontsize(9)


def _parameters(axis: Any, valley: Valley) -> None:
    told = valley.told
    labels = [PARAMETERS[name].symbol for name in told.space.names]
    place = np.arange(len(labels))
    # Temperatures have no natural zero: all in prior deviations, the unit of the left panel.
    bounds = np.array([b.deviation for b in told.bounds]) / told.space.scale
    spread = np.std(valley.adam, axis=0, ddof=1) / told.space.scale
    paper = np.array([valley.published.get(name, (0, np.nan))[1] for name in told.space.names])
    for values, colour, marker, label in (
        (spread, ADAM, "o", "where Adam ends"),
        (paper / told.space.scale, PAPER, "x", "paper's spread"),
    ):
        axis.plot(place, values, marker, color=colour, ms=6, label=label)
    axis.plot(place, bounds, "_", color=DATA, ms=22, mew=2, label="Cramér-Rao bound")
    axis.set(
        yscale="log",
        xticks=place,
        xticklabels=labels,
        xlim=(-0.6, place[-1] + 0.6),
        ylabel="deviation [prior deviations]",
        title="every parameter",
    )
    axis.title.set_fontsize(9)
