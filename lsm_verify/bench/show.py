"""A comparison of speeds as text."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsm_verify.bench.finding import Comparison, Finding

STYLES = {"slower": "bold red", "faster": "green", "unchanged": ""}

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def show(found: Comparison, console: Console) -> None:
    """Print the table of a comparison, what could not be compared, and the verdict."""
    console.print(f"base       {found.base}", highlight=False, markup=False)
    console.print(f"candidate  {found.candidate}", highlight=False, markup=False)
    if found.findings:
        console.print(_table(found))
    for what, names in (
        ("only the candidate has", found.added),
        ("only the base has", found.removed),
        ("other parameters than in the base", found.redefined),
    ):
        for name in names:
            _line(console, f"not compared, {what}: {name}")
    for note in found.notes:
        _line(console, f"note: {note}")
    blind = [each for each in found.findings if each.floor > found.design.minimum_effect]
    if blind:
        worst = max(each.floor for each in blind)
        _line(
            console,
            f"note: too noisy to see {found.design.minimum_effect:.0%} in {len(blind)} of "
            f"{len(found.findings)} benchmarks: the noise floor reaches {worst:.0%}; measure on "
            "a quieter machine, or with more --blocks",
        )
    console.print(_verdict(found))


def time_of(seconds: float) -> str:
    """Return a time with three digits and its unit.

    Examples
    --------
    >>> time_of(0.0001318), time_of(11.8)
    ('132 µs', '11.8 s')
    """
    size, unit = next((each for each in UNITS if seconds >= each[0]), UNITS[-1])
    return f"{seconds / size:#.3g}".rstrip(".") + f" {unit}"


def _table(found: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("benchmark", overflow="fold")
    for name in ("base", "candidate", "ratio", "95 % interval", "p", "noise floor"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in sorted(found.findings, key=lambda each: -each.ratio):
        table.add_row(
            Text(each.benchmark),
            time_of(each.base_time),
            time_of(each.candidate_time),
            f"{each.ratio:.3f}",
            f"{each.interval[0]:.3f}–{each.interval[1]:.3f}",
            f"{each.p_value:.1g}",
            f"±{each.floor:.1%}",
            Text(_word(each), STYLES[each.verdict]),
        )
    return table


def _word(each: Finding) -> str:
    return each.verdict.upper() if each.verdict == "slower" else each.verdict


def _verdict(found: Comparison) -> Text:
    if not found.findings:
        return Text("NOTHING MEASURED: no benchmark that both sides have", style="bold")
    counts = {
        verdict: sum(each.verdict == verdict for each in found.findings)
        for verdict in ("slower", "faster", "unchanged")
    }
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    limits = (
        f"{found.blocks} blocks; a change is at least {found.design.minimum_effect:.0%}, beyond "
        f"the noise floor, and significant at {found.design.significance:g} over all benchmarks"
    )
    head = "REGRESSION" if found.exit_code else "no regression"
    return Text(f"{head}: {said} ({limits})", style="bold" if found.exit_code else "")


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
