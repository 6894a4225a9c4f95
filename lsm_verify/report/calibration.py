"""A calibration as a table on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from lsm_verify.inverse.directions import WEAK
from lsm_verify.inverse.identifiability import Identifiability
from lsm_verify.inverse.result import Calibration
from lsm_verify.report.text import print_line

MOST_ROWS = 20
"""Rows of a table; of an unknown with more values the least and the largest are shown."""


TOLD = 4
"""Directions that are told."""


def show(found: Calibration, console: Console, *, errors: bool = False) -> None:
    """Print what was estimated, from how many starts, how each ended, and what cannot be told.

    ``errors``: whether the observation error is one, so that standard errors can be shown.
    """
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
    identified = found.identifiability if errors else None
    console.print(_table(found, identified))
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
        what, why = "at a bound", "the observations ask for values beyond it"
        if found.method == "adam":
            what, why = "outside of what is physical", "Adam has no bounds; least-squares has"
        print_line(console, f"{what}: {', '.join(hits[:8])}; {why}")
    for words in _told(found, weak=errors):
        print_line(console, words)
    if identified is not None:
        print_line(
            console,
            "standard errors: Cramér-Rao bounds for independent observation errors; of correlated "
            "ones they promise too much",
        )


def _told(found: Calibration, *, weak: bool) -> list[str]:
    """Warnings; and of which directions the observations say less than the prior range."""
    words = list(found.warnings)
    if weak and found.identifiability is not None:
        words += [d.words for d in found.identifiability.directions if d.kind == WEAK]
    more = len(words) - TOLD
    return [*words[:TOLD], *([f"and {more} more, see --json"] if more > 0 else [])]


def _table(found: Calibration, identified: Identifiability | None) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("parameter", no_wrap=True)
    many = len(found.start) > 1
    known = [name for name in ("truth", "published") if getattr(found, name) is not None]
    least = ("standard error",) if identified else ()
    for name in ("estimate", *least, *(("mean of starts", "spread") if many else ()), *known):
        table.add_column(name, justify="right")
    deviations = [b.deviation for b in identified.bounds] if identified else []
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
                *([_error(deviations[k])] if identified else ()),
                *(spread if many else ()),
                *(f"{getattr(found, name)[k]:.6g}" for name in known),
                u.unit,
            )
    for b in found.identifiability.combinations if found.identifiability else ():
        error = [_error(b.deviation)] if identified else []
        table.add_row(b.label, f"{b.value:.8g}", *error, *_blank(many, known), b.unit)
    return table


def _blank(many: bool, known: Sequence[str]) -> list[str]:
    return [""] * (2 * many + len(known))


def _error(deviation: float) -> str:
    return f"{deviation:.2g}" if np.isfinite(deviation) else "not identifiable"
