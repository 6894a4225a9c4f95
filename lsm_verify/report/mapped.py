"""What became of a map, on a terminal and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from lsm_verify.maps import proof, result
from lsm_verify.maps.run import Mapped
from lsm_verify.quantities import PARAMETERS
from lsm_verify.report.text import print_line

if TYPE_CHECKING:
    import xarray

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


def planned(plan: Any, workers: str, target: Any) -> str:
    """Return in words into which regions a map is parted."""
    shape = " × ".join(map(str, plan.chunk))
    size = plan.columns * plan.bytes_per_column / 1e6
    memory = f", about {size:,.0f} MB each" if plan.bytes_per_column else ""
    many = "s" if plan.regions > 1 else ""
    return (
        f"{plan.regions:,} region{many} of {shape} columns ({', '.join(plan.space)}){memory}; "
        f"{workers}; writing {target}"
    )


def to_json(mapped: Mapped) -> dict[str, Any]:
    """Return what became of a map as plain values."""
    words = result.status_words()
    verified = mapped.count("verified")
    return {
        "kind": "map",
        "schema_version": 1,
        "source": mapped.work.source,
        "target": mapped.work.target,
        "exit_code": mapped.exit_code,
        "unknowns": list(mapped.work.job.settings.unknowns),
        "columns": mapped.work.job.layout.columns,
        "regions": mapped.work.plan.regions,
        "region_shape": list(mapped.work.plan.chunk),
        "regions_done_before": sum(each.kept for each in mapped.outcomes),
        "regions_failed": [{"region": each.region, "error": each.error} for each in mapped.failed],
        "status": {words[code]: n for code, n in sorted(mapped.count("status").items())},
        "gradient_verified": {
            result.PROVED[code]: verified[code]
            for code in (proof.VERIFIED, proof.WRONG, proof.INCONCLUSIVE)
        },
        "max_z": mapped.max_z,
        "not_verified": list(mapped.wrong),
        "interrupted": mapped.interrupted,
        "seconds": mapped.seconds,
        "workers": mapped.workers,
    }


def show(mapped: Mapped, found: xarray.Dataset, console: Console) -> None:
    """Print a map: its parameters, how columns ended, what failed, and whether to trust it."""
    words, columns = result.status_words(), mapped.work.job.layout.columns
    console.print(_table(mapped, found))
    status = mapped.count("status")
    ends = ", ".join(f"{status[code]:,} {words[code]}" for code in sorted(status))
    print_line(console, f"{sum(status.values()):,} of {columns:,} columns: {ends}")
    before = sum(each.columns for each in mapped.outcomes if each.kept)
    fresh = sum(each.columns for each in mapped.outcomes if not (each.kept or each.error))
    rate = f", {fresh / mapped.seconds:,.0f} columns a second" if fresh and mapped.seconds else ""
    done = f"; {before:,} columns were done before" if before else ""
    print_line(console, f"{mapped.seconds:.1f} s by {mapped.workers}{rate}{done}")
    for each in mapped.failed[:TOLD]:
        print_line(console, f"FAILED  {mapped.work.plan.name(each.region)}: {each.error}")
    _more(console, len(mapped.failed), "regions failed")
    for text in mapped.wrong[:TOLD]:
        print_line(console, f"NOT VERIFIED  {text}")
    _more(console, len(mapped.wrong), "columns are not verified")
    print_line(console, f"{AHEAD[mapped.exit_code]}  {_conclusion(mapped)}")


def _more(console: Console, count: int, what: str) -> None:
    if count > TOLD:
        print_line(console, f"and {count - TOLD:,} more {what}, see --json")


def _conclusion(mapped: Mapped) -> str:
    verified = mapped.count("verified")
    total = sum(verified.values())
    if not mapped.work.job.settings.verify:
        proved = "no column's gradient was verified (--verify 0)"
    elif total:
        proved = (
            f"gradient verified on {verified[proof.VERIFIED]:,} of {total:,} sampled columns, "
            f"max z {mapped.max_z:.2g}"
        )
    else:
        proved = "no column has an estimate at which its gradient could be verified"
    missing = mapped.work.plan.regions - len(mapped.outcomes) + len(mapped.failed)
    left = f"; {missing:,} of {mapped.work.plan.regions:,} regions missing, go on with --resume"
    return proved + (left if missing else "")


def _table(mapped: Mapped, found: xarray.Dataset) -> Table:
    """Return least, median and most of every unknown, and the median standard error."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("parameter", no_wrap=True)
    for name in ("least", "median", "largest", "median standard error"):
        table.add_column(name, justify="right")
    table.add_column("unit")
    for name in mapped.work.job.settings.unknowns:
        values, errors = found[name], found[f"{name}_standard_error"]
        cells = [values.min(), values.median(), values.max(), errors.median()]
        table.add_row(
            name, *(f"{float(x):.6g}" for x in cells[:3]), f"{float(cells[3]):.2g}",
            PARAMETERS[name].unit,
        )  # fmt: skip
    return table
