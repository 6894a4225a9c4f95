"""A calibration as a table on a terminal, and as a figure: starts against estimates."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from lsm_verify.errors import InputError
from lsm_verify.files import replacing
from lsm_verify.inverse.result import Calibration
from lsm_verify.quantities import PARAMETERS
from lsm_verify.report.text import print_line

MOST_ROWS = 20
"""Rows of a table; of an unknown with more values the least and the largest are shown."""

FORMATS = (".png", ".svg", ".pdf")


def show(found: Calibration, console: Console) -> None:
    """Print what was estimated, from how many starts, and how each ended."""
    print_line(console, f"{found.case}: {found.title}")
    count = len(found.start)
    ends = ", ".join(f"{n} {status}" for status, n in Counter(found.status).items())
    print_line(
        console,
        f"{found.method}, route {found.route}; {count} start{'s' * (count > 1)}: {ends}",
    )
    if not found.reached:
        print_line(console, "NO ESTIMATE  the model has no solution at any start")
        return
    console.print(_table(found))
    best = found.best
    print_line(
        console,
        f"best of start {best}: RMSE {found.rmse[best]:.4g} in the observations' units, "
        f"{int(found.iterations[best])} iterations, {int(found.evaluations[best])} evaluations",
    )
    hits = [
        label for label, hit in zip(found.space.labels, found.at_bound[best], strict=True) if hit
    ]
    if hits:
        print_line(
            console,
            f"at a bound: {', '.join(hits[:8])}; the observations ask for values beyond it",
        )


def _table(found: Calibration) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("parameter", no_wrap=True)
    many = len(found.start) > 1
    known = [name for name in ("truth", "published") if getattr(found, name) is not None]
    for name in ("estimate", *(("mean of starts", "spread") if many else ()), *known):
        table.add_column(name, justify="right")
    table.add_column("unit")
    ended = np.isfinite(found.value)
    for u in found.space.unknowns:
        place = found.space.places[u.name]
        if u.size > MOST_ROWS:
            values = found.estimate[found.best, place]
            text = f"{values.min():.6g} to {values.max():.6g}"
            blanks = [""] * (len(table.columns) - 3)
            table.add_row(f"{u.name} ({u.size} values)", text, *blanks, u.unit)
            continue
        for k in range(place.start, place.stop):
            column = found.estimate[ended, k]
            spread = (
                [f"{column.mean():.6g}", f"{column.std(ddof=1):.2g}"] if ended.sum() > 1 else []
            )
            if many and not spread:
                spread = [f"{column.mean():.6g}", ""]
            table.add_row(
                found.space.labels[k],
                f"{found.estimate[found.best, k]:.8g}",
                *(spread if many else ()),
                *(f"{getattr(found, name)[k]:.6g}" for name in known),
                u.unit,
            )
    return table


def check_format(path: Path) -> None:
    """Refuse a figure in a format that is not drawn."""
    if path.suffix not in FORMATS:
        raise InputError(f"--figure {path} must end in {', '.join(FORMATS)}.")


def draw(found: Calibration, path: Path) -> None:
    """Draw every start against its estimate, one panel per parameter, as the paper does.

    h and β are drawn as h(1+1/β), through which alone the model knows them.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = _panels(found)
    ended = np.isfinite(found.value)
    with mpl.rc_context({"svg.hashsalt": "lsm-verify", "font.size": 9}):
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        figure = Figure(figsize=(2.6 * columns, 2.4 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, (label, unit, start, estimate, known) in zip(axes, panels, strict=False):
            axis.scatter(start[ended], estimate[ended], s=12, color="#0072b2", zorder=3)
            for name, value, style in known:
                axis.axhline(value, color="0.3", lw=1, ls=style, label=name)
            axis.set_xlabel(f"start [{unit}]")
            axis.set_title(label, fontsize=9)
            axis.ticklabel_format(useOffset=False, axis="y")
            axis.locator_params(nbins=5)
        for axis in axes[len(panels) :]:
            axis.remove()
        for axis in axes[::columns]:
            if axis.get_figure() is not None:
                axis.set_ylabel("estimate")
        if panels[0][4]:
            axes[0].legend(fontsize=8, frameon=False)
        figure.suptitle(f"{found.case}, {found.method}, {int(ended.sum())} starts", fontsize=10)
        with replacing(path) as temporary:
            # Without a date the same result makes the same file.
            metadata: dict[str, Any] = {".png": {}, ".svg": {"Date": None}}.get(
                path.suffix, {"CreationDate": None}
            )
            figure.savefig(temporary, format=path.suffix[1:], dpi=150, metadata=metadata)


Panel = tuple[str, str, NDArray[np.float64], NDArray[np.float64], list[tuple[str, float, str]]]


def _panels(found: Calibration) -> list[Panel]:
    """One for each number that is estimated, not more than nine."""
    names = found.space.names
    known = [
        (name, row, style)
        for name, row, style in (("truth", found.truth, "-"), ("published", found.published, "--"))
        if row is not None
    ]

    def panel(label: str, unit: str, of: Any) -> Panel:
        lines = [(name, float(of(row[None])[0]), style) for name, row, style in known]
        return label, unit, of(found.start), of(found.estimate), lines

    panels = []
    both = {"heat_transfer_coefficient", "bowen_ratio"} <= set(names)
    for u in found.space.unknowns:
        if u.shape:
            continue
        k = found.space.places[u.name].start
        if both and u.name == "bowen_ratio":
            continue
        if both and u.name == "heat_transfer_coefficient":
            beta = found.space.places["bowen_ratio"].start
            panels.append(
                panel("h(1+1/β)", u.unit, lambda x, h=k, b=beta: x[:, h] * (1 + 1 / x[:, b]))
            )
            continue
        symbol = PARAMETERS[u.name].symbol if u.name in PARAMETERS else u.name
        panels.append(panel(symbol, u.unit, lambda x, k=k: x[:, k]))
    if not panels:
        raise InputError("the figure shows single numbers; all unknowns are arrays: leave it out.")
    return panels[:9]
