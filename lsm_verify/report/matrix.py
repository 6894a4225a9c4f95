"""The kill matrix of a self-test as tables on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsm_verify.mutants.outcome import MutantOutcome, SelfTest
from lsm_verify.report.text import print_line

SIGNS = {True: "×", False: "·", None: ""}
"""Killed, spared, not asked."""


def show(found: SelfTest, console: Console, *, verbose: bool = False) -> None:
    """Print the matrix, what went wrong, the limits of detection and the verdict."""
    checks = found.checks
    console.print(_matrix(found, checks))
    for index, check in enumerate(checks):
        console.print(f"  {_letter(index)} {check}", highlight=False, markup=False)
    if verbose:
        for mutant in found.mutants:
            print_line(console, f"{mutant.name}: {mutant.location or 'not located'}")
    for mutant in found.mutants:
        if mutant.name in found.missed:
            print_line(console, f"SURVIVED {mutant.name}: no check saw it")
        elif mutant.name in found.misjudged:
            print_line(console, f"MISJUDGED {mutant.name}: {_blamed(mutant)}")
        elif mutant.location_right is False:
            print_line(console, f"MISPLACED {mutant.name}: {mutant.location or 'not located'}")
    for neighbour in found.false_alarms:
        print_line(
            console,
            f"FALSE ALARM {neighbour.module}, {neighbour.within} on {neighbour.workload}: "
            f"exit code {neighbour.exit_code}, {', '.join(neighbour.failed)}",
        )
    if found.limits:
        console.print()
        console.print(_limits(found))
    console.print()
    console.print(_verdict(found))


def _matrix(found: SelfTest, checks: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("mutant", no_wrap=True)
    for index in range(len(checks)):
        table.add_column(_letter(index), justify="center")
    for name in ("route", "place"):
        table.add_column(name)
    answers = found.matrix
    for mutant in found.mutants:
        place = {True: "right", False: "wrong", None: ""}[mutant.location_right]
        table.add_row(
            mutant.name,
            *(SIGNS[answers[mutant.name][check]] for check in checks),
            "right" if mutant.right else "wrong" if mutant.killed else "",
            place,
        )
    return table


def _limits(found: SelfTest) -> Table:
    """One row per check and number type, one column per part in which the error stands."""
    parts = list(dict.fromkeys(limit.part for limit in found.limits))
    table = Table(
        title="smallest relative error of one step's emission that each check saw",
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    table.add_column("check", no_wrap=True)
    table.add_column("dtype")
    for part in parts:
        table.add_column(f"in {part}", justify="right")
    sizes = {(limit.check, limit.dtype, limit.part): limit.size for limit in found.limits}
    for check, dtype in dict.fromkeys((limit.check, limit.dtype) for limit in found.limits):
        cells = [sizes.get((check, dtype, part)) for part in parts]
        table.add_row(check, dtype, *("-" if s is None else f"{s:.0e}" for s in cells))
    return table


def _verdict(found: SelfTest) -> Text:
    right, known = found.located
    killed = sum(mutant.killed for mutant in found.mutants)
    passed = sum(neighbour.passed for neighbour in found.neighbours)
    text = Text("PASS" if found.passed else "FAIL", style="green" if found.passed else "bold red")
    text.append(
        f"  {killed} of {len(found.mutants)} mutants killed; {right} of {known} located rightly; "
        f"{passed} of {len(found.neighbours)} equivalent neighbours pass; "
        f"{found.seconds:.0f} s",
        style="",
    )
    small = [name for name in found.survivors if name not in found.missed]
    if small:
        text.append(f"; below the promised size and unseen: {', '.join(small)}", style="")
    return text


def _blamed(mutant: MutantOutcome) -> str:
    return f"killed by {', '.join(mutant.killed_by)}, but the wrong route or parameters were named"


def _letter(index: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index % 26]
