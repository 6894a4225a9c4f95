"""A paragraph for the methods of a paper, its numbers filled in from a report."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lsm_verify.report.findings import deciding, headline
from lsm_verify.report.rounding import up
from lsm_verify.report.tex import prose
from lsm_verify.verify.provenance import data_of
from lsm_verify.verify.result import CheckResult, Report, Verdict

SHOWN = 12
"""Digits of a checksum in prose; provenance.json has all."""

PATHS = ("--replay", "--data")
"""Options of ``check`` whose value is a path."""


def render(report: Report) -> str:
    r"""Return the paragraph for LaTeX, to be ``\input``; nothing but mathematics is needed."""
    return f"% Made by lsm-verify from {len(report.checks)} checks.\n{prose(plain(report))}\n"


def plain(report: Report) -> str:
    """Return the paragraph as plain text: every number is the report's, bounds rounded up."""
    return " ".join(_sentences(report))


def _sentences(report: Report) -> Iterator[str]:
    points = list(dict.fromkeys(point.point for point in report.points))
    objectives = list(dict.fromkeys(point.objective for point in report.points))
    routes = list(report.points[0].values) if report.points else list(report.options.routes)
    version = report.provenance.get("lsm-verify", "of unknown version")
    title = f" ({report.title})" if report.title else ""
    yield f"The gradient of {report.case}{title} was verified with lsm-verify {version}."
    if points:
        yield (
            f"It was computed in {_count(len(routes), 'way')} ({', '.join(routes)}) at "
            f"{_count(len(points), 'point')} ({', '.join(points)}), for "
            f"{_count(len(objectives), 'objective')} ({', '.join(objectives)})."
        )
    yield from _agreement(report)
    yield from _differences(report)
    yield from _certified(report)
    yield from _others(report)
    yield from _made_with(report)


def _agreement(report: Report) -> Iterator[str]:
    checks = [c for c in _own(report, "agreement") if c.verdict is Verdict.PASS]
    if checks:
        worst = max(checks, key=lambda c: c.value)
        yield (
            f"All ways agree: their largest difference is {worst.value:.2g} times their round-off, "
            f"where up to {worst.pass_limit:g} passes."
        )


def _differences(report: Report) -> Iterator[str]:
    checks = [c for c in _own(report, "finite-difference") if c.verdict is Verdict.PASS]
    bounds = [c.bound for c in checks if c.bound is not None]
    if bounds:
        yield (
            f"Finite differences with known uncertainty confirm it within {up(max(bounds))} of "
            "‖g∘s‖, the norm of the gradient g in units of the parameters' scales s."
        )


def _certified(report: Report) -> Iterator[str]:
    if report.verdict is not Verdict.PASS:
        found = deciding(report)
        what = f": {headline(report, found[0])}" if found else ""
        yield f"The verification did not pass ({report.verdict}){what}."
        return
    gate = [c for c in report.checks if c.primary and not c.covered]
    bounds = [c.bound for c in gate if c.bound is not None]
    seen = [c.detectable for c in gate if c.detectable is not None]
    if bounds:
        words = f"The relative error of the gradient is certified to be at most {up(max(bounds))}"
        if seen:
            words += (
                f"; an error of {up(max(seen))} would have been seen by every check of the gate ("
            )
            words += (
                f"{', '.join(dict.fromkeys(c.check for c in gate if c.detectable is not None))})"
            )
        yield f"{words}."


def _others(report: Report) -> Iterator[str]:
    """Say what became of every check: those that passed beside the two that were told, all else."""
    own = [c for c in report.checks if not c.covered]
    told = ("agreement", "finite-difference")
    passed = [c for c in own if c.verdict is Verdict.PASS and c.check not in told]
    if passed:
        yield f"Of further checks {len(passed)} passed: {_names(passed)}."
    failed = [c for c in own if c.verdict is Verdict.FAIL]
    if failed:
        yield f"{_count(len(failed), 'check')} failed: {_names(failed)}."
    open_ = [c for c in own if c.verdict not in (Verdict.PASS, Verdict.FAIL)]
    if open_:
        yield f"Without a conclusion remained {len(open_)}: {_names(open_)}."
    covered = sum(c.covered for c in report.checks)
    if covered:
        yield (
            f"In {_count(covered, 'check')} the misfit's gradient was below its own noise; a "
            "probe, a random linear objective, was judged there."
        )


def _made_with(report: Report) -> Iterator[str]:
    known = ("python", "numpy", "scipy", "torch", "numba")
    versions = [f"{k} {report.provenance[k]}" for k in known if k in report.provenance]
    made = f", with {', '.join(versions)}" if versions else ""
    yield f"All random draws come from seed {report.options.seed}{made}."
    sums = data_of(report.provenance)
    if sums:
        files = ", ".join(f"{name} (SHA-256 {digest[:SHOWN]}…)" for name, digest in sums.items())
        yield f"Data: {files}."
    if report.command:
        yield f"The command {_portable(report.command)} repeats it."


def _own(report: Report, name: str) -> list[CheckResult]:
    return [c for c in report.checks if c.check == name and not c.covered]


def _names(checks: list[CheckResult]) -> str:
    """Name checks, and how many there were of each."""
    return ", ".join(f"{name} ({n})" for name, n in Counter(c.check for c in checks).items())


def _portable(command: str) -> str:
    """Name files alone: where they lay on one machine is of no use to a reader.

    >>> _portable("lsm-verify check --replay '/tmp/my runs/report.json'")
    'lsm-verify check --replay report.json'
    """
    words = shlex.split(command)
    places = {k + 1 for k, word in enumerate(words) if word in PATHS}
    return shlex.join(Path(w).name or w if k in places else w for k, w in enumerate(words))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
