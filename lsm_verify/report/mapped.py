"""What became of a map, on a terminal and as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lsm_verify.maps import proof, result
from lsm_verify.maps.mapped import Mapped
from lsm_verify.quantities import PARAMETERS
from lsm_verify.report.text import print_line

TOLD = 4
"""Regions that failed, and columns whose gradient is not verified, that are told one by one."""

AHEAD = {
    0: "PASS",
    1: "FAIL",
    2: "INCOMPLETE",
    3: "INCONCLUSIVE",
    4: "INCOMPLETE",
    130: "INTERRUPTED",
}
"""First word of the last line, by exit code."""


def to_json(mapped: Mapped) -> dict[str, Any]:
    """Return what became of a map as plain values."""
    words = result.status_words()
    verified = mapped.count("verified")
    return {
        "kind": "map",
        "schema_version": 1,
        "source": mapped.source,
        "target": mapped.target,
        "exit_code": mapped.exit_code,
        "unknowns": list(mapped.job.settings.unknowns),
        "columns": mapped.job.layout.columns,
        "regions": mapped.plan.regions,
        "region_shape": list(mapped.plan.chunk),
        "regions_done_before": sum(each.kept for each in mapped.outcomes),
        "regions_failed": [{"region": each.region, "error": each.error} for each in mapped.failed],
        "status": {words[code]: n for code, n in sorted(mapped.count("status").items())},
        "gradient_verified": {
            result.PROVED[code]: verified[code]
            for code in (proof.VERIFIED, proof.WRONG, proof.INCONCLUSIVE)
        },
        "max_z": mapped.max_z if np.isfinite(mapped.max_z) else None,
        "not_verified": list(mapped.wrong),
        "implausible": list(mapped.odd),
        "trouble": mapped.trouble,
        "interrupted": mapped.interrupted,
        "seconds": mapped.seconds,
        "workers": mapped.workers,
    }


def show(mapped: Mapped, console: Console) -> None:
    """Print a map: its parameters, how columns ended, what failed, and whether to trust it."""
    words, columns = result.status_words(), mapped.job.layout.columns
    console.print(_table(mapped))
    print_line(console, str(mapped.plan))
    status = mapped.count("status")
    ends = ", ".join(f"{status[code]:,} {words[code]}" for code in sorted(status))
    print_line(console, f"{sum(status.values()):,} of {columns:,} columns: {ends}")
    before = sum(each.columns for each in mapped.outcomes if each.kept)
    fresh = sum(each.columns for each in mapped.outcomes if not (each.kept or each.error))
    rate = f", {fresh / mapped.seconds:,.0f} columns a second" if fresh and mapped.seconds else ""
    done = f"; {before:,} columns were done before" if before else ""
    print_line(console, f"{mapped.seconds:.1f} s by {mapped.workers}{rate}{done}")
    for each in mapped.failed[:TOLD]:
        print_line(console, f"FAILED  {mapped.plan.name(each.region)}: {each.error}")
    _more(console, len(mapped.failed), "regions failed")
    for text in mapped.odd[:TOLD]:
        print_line(console, f"IMPLAUSIBLE  {text}")
    _more(console, len(mapped.odd), "regions have implausible columns")
    for text in mapped.wrong[:TOLD]:
        print_line(console, f"NOT VERIFIED  {text}")
    _more(console, len(mapped.wrong), "columns are not verified")
    if mapped.trouble:
        print_line(console, f"INCOMPLETE  {mapped.trouble}")
    print_line(console, f"{AHEAD[mapped.exit_code]}  {_conclusion(mapped)}")


def _more(console: Console, count: int, what: str) -> None:
    if count > TOLD:
        print_line(console, f"and {count - TOLD:,} more {what}, see --json")


def _conclusion(mapped: Mapped) -> str:
    verified = mapped.count("verified")
    total = sum(verified.values())
    if not mapped.job.settings.verify:
        proved = "no column's gradient was verified (--verify 0)"
    elif total:
        proved = (
            f"gradient verified on {verified[proof.VERIFIED]:,} of {total:,} sampled columns, "
            f"max z {mapped.max_z:.2g}"
        )
    else:
        proved = "no column has an estimate at which its gradient could be verified"
    missing = mapped.plan.regions - len(mapped.outcomes) + len(mapped.failed)
    left = f"; {missing:,} of {mapped.plan.regions:,} regions missing, go on with --resume"
    return proved + (left if missing else "")


def _table(mapped: Mapped) -> Table:
    """Return least, mean and largest of every unknown, and the mean standard error."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("parameter", no_wrap=True)
    for name in ("least", "mean", "largest", "mean standard error"):
        table.add_column(name, justify="right")
    table.add_column("unit")
    for name in mapped.job.settings.unknowns:
        found, error = mapped.tally(name), mapped.tally(result.error_name(name))
        cells = ("none",) * 4
        if found.count:
            values = (found.least, found.mean, found.largest)
            cells = (*(f"{x:.6g}" for x in values), f"{error.mean:.2g}")  # type: ignore[assignment]
        table.add_row(name, *cells, PARAMETERS[name].unit)
    return table
