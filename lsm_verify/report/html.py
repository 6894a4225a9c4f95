"""A report as one HTML page that needs nothing else: no network, no script, no font."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from lsm_verify.report import beside, first_screen, tables
from lsm_verify.report.figures import Panel, panels
from lsm_verify.report.svg import inline
from lsm_verify.report.tables import Table
from lsm_verify.report.text import verdict_words
from lsm_verify.verify.result import Report
from lsm_verify.version import __version__

CURVES = (
    (
        "taylor",
        "Taylor remainders",
        "Where the claimed gradient is right, the odd remainder falls with the third power of the "
        "step; where it is wrong, the slope of the error takes over and the rate tends to one. "
        "Thick: the window that the rate is read from, chosen from the noise.",
    ),
    (
        "differences",
        "Finite differences",
        "Central differences against the claimed derivative. Truncation falls with the step until "
        "noise takes over; the grey band holds the steps that the extrapolated value is made of.",
    ),
    (
        "maps",
        "States over time and depth",
        "Adjoint states are found backward in time. Where two routes disagree, the first state at "
        "which they part is marked.",
    ),
    (
        "energy",
        "Energy closure over time",
        "What enters the column less what it stores, for each step, in units of the round-off of "
        "its terms: between the dashed lines the budget is closed.",
    ),
)
"""Sections of figures: key of the panels, heading, and how to read them."""


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    name: str
    heading: str
    words: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[Any, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """An SVG with its caption."""

    svg: str
    caption: str
    kind: str = field(default="")


def render(
    report: Report,
    *,
    selftest: Mapping[str, Any] | None = None,
    benchmarks: Mapping[str, Any] | None = None,
    claims: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    report : Report
        What was verified; its verdict comes first.
    selftest, benchmarks, claims, calibration : mapping, optional
        What ``selftest``, ``bench run``, ``reproduce`` and ``calibrate`` write as JSON.

    Returns
    -------
    str
        HTML 5, with style and figures inside. Same results give the same page.

    Raises
    ------
    InputError
        If one of the mappings is not what its command writes.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("lsm_verify.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = resources.files("lsm_verify.report").joinpath("templates", "report.css")
    # First what may be refused: figures take seconds.
    others = _beside(selftest, benchmarks, calibration, claims)
    sections = [*_found(report), *_figures(report), *others, *_last(report)]
    return environment.get_template("report.html").render(
        report=report,
        style=Markup(style.read_text(encoding="utf-8")),
        verdict=str(report.verdict),
        sign=first_screen.SIGNS[report.verdict],
        meaning=first_screen.MEANINGS[report.verdict],
        words=verdict_words(report),
        facts=first_screen.facts(report),
        counted=first_screen.counted(report),
        sections=sections,
        version=__version__,
    )


def _found(report: Report) -> list[Section]:
    sections = []
    details = first_screen.details(report)
    if details:
        sections.append(Section("open", "What did not pass", lines=tuple(details)))
    how = (
        f"{first_screen.counted(report)}. Error: the largest that the claim can have, in units of "
        "‖g∘s‖, certified by this check. Sees: the smallest error that it would have told from "
        "noise. The gate decides the exit code, here "
        f"{report.exit_code}."
    )
    sections.append(
        Section("checks", "What was checked, and how sure", how, tuple(tables.of_checks(report)))
    )
    if report.points:
        routes = (
            "Derivatives of the objective by every route; below each how far it is from the first, "
            "in units of ‖g∘s‖, the norm of the gradient in the parameters' scales. max z: the "
            "largest difference of two routes in units of their round-off."
        )
        gradients = tuple(tables.of_gradients(report))
        sections.append(Section("gradients", "Gradients by route", routes, gradients))
    return sections


def _figures(report: Report) -> list[Section]:
    drawn = panels(report)
    return [
        Section(key, heading, words, figures=tuple(_inlined(key, drawn[key])))
        for key, heading, words in CURVES
        if drawn[key]
    ]


def _inlined(key: str, given: list[Panel]) -> list[Figure]:
    return [
        Figure(inline(panel.figure, f"{key}-{k}", panel.alt), panel.caption)
        for k, panel in enumerate(given, 1)
    ]


Render = Callable[[Mapping[str, Any]], tuple[str, list[Table]]]


def _beside(*given: Mapping[str, Any] | None) -> list[Section]:
    known: tuple[tuple[str, str, Render], ...] = (
        ("selftest", "Self-test: planted errors", beside.of_selftest),
        ("benchmarks", "Benchmarks", beside.of_benchmarks),
        ("calibration", "Calibration", beside.of_calibration),
        ("claims", "The paper's claims", beside.of_claims),
    )
    sections = []
    for content, (name, heading, make) in zip(given, known, strict=True):
        if content is not None:
            words, found = make(content)
            sections.append(Section(name, heading, words, tuple(found)))
    return sections


def _last(report: Report) -> list[Section]:
    options = {
        name: ", ".join(value) if isinstance(value, tuple) else value
        for name, value in vars(report.options).items()
    }
    seconds = {name: f"{value:.2f}" for name, value in report.seconds.items()}
    made = [
        tables.of_mapping("Made with", report.provenance, ("what", "which")),
        tables.of_mapping("Asked for", options, ("option", "value")),
        tables.of_mapping("Time taken", seconds, ("part", "seconds")),
    ]
    sections = [Section("provenance", "Provenance", tables=tuple(made))]
    if report.notes:
        sections.insert(0, Section("notes", "Notes", lines=tuple(report.notes)))
    return sections
