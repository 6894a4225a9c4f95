"""Files that a result is written to: single ones, or a folder with all of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsm_verify import files
from lsm_verify.errors import InputError
from lsm_verify.terminal import progress, working

if TYPE_CHECKING:
    from lsm_verify.verify.result import Report

Announce = Callable[[str], None]

FORMS = ("json", "junit", "html", "markdown", "latex")
"""Options of a single file; all but ``json`` are modules of `lsm_verify.report`."""

REPORT = "report.html"

FIGURES, PAGES, CAPTIONS = "figures", "all.pdf", "captions.json"
"""Folder of the figures, all of them in one file, and the list of what we drew there."""

IN_FOLDER: dict[str, str] = {
    REPORT: "html",
    "report.json": "json",
    "junit.xml": "junit",
    "summary.md": "markdown",
    "tables.tex": "latex",
    "methods.tex": "methods",
    "provenance.json": "provenance",
    "badge.json": "badge",
}
"""File in a folder to its form."""


def _folder(name: str) -> Path:
    """Take the name of a folder; an empty one is a variable of the shell that was not set."""
    if not name:
        raise typer.BadParameter("an empty name; name a folder.")
    return Path(name)


HtmlFile = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write one page with everything.")
]
JunitFile = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write the result as JUnit XML.")
]
MarkdownFile = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Write a summary in Markdown.")
]
LatexFile = Annotated[
    Path | None, typer.Option("--latex", metavar="FILE", help="Write tables for a paper.")
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        parser=_folder,
        help=f"Write all of it into a folder: {', '.join(IN_FOLDER)}, figures.",
    ),
]


@dataclass(frozen=True)
class Outputs:
    """Where a result goes.

    Attributes
    ----------
    single : mapping
        Form (one of `FORMS`) to a file.
    folder : Path, optional
        Folder for all forms.
    beside : mapping
        Stored results of other commands, for the page: ``selftest``, ``benchmarks``, ``claims``,
        ``calibration``.
    """

    single: Mapping[str, Path]
    folder: Path | None = None
    beside: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path | None, **given: Path | None) -> Outputs:
        """Take what options hold."""
        return cls({form: path for form, path in given.items() if path is not None}, folder)

    def __bool__(self) -> bool:
        return bool(self.single) or self.folder is not None

    @property
    def saved(self) -> Path | None:
        """The file that holds the result itself, if one is written."""
        folder = None if self.folder is None else self.folder / "report.json"
        return self.single.get("json", folder)

    def check(self) -> None:
        """Refuse before any work what could not be written after it.

        Raises
        ------
        InputError
            If a path cannot be written, or two options name one file.
        """
        by_path: dict[Path, str] = {}
        if self.folder is not None:
            files.check_folder(self.folder)
            for name in IN_FOLDER:
                if (self.folder / name).exists():
                    files.check_writable(self.folder / name)
            files.check_folder(self.folder / FIGURES)
            inside = {(self.folder / name).resolve(): "--output" for name in IN_FOLDER}
            by_path |= inside
        for form, path in self.single.items():
            files.check_writable(path)
            other = by_path.setdefault(path.resolve(), f"--{form}")
            if other != f"--{form}":
                raise InputError(f"{other} and --{form} both name {path}; give two files.")

    def write(self, report: Report) -> None:
        """Write the result in every form asked for; rendered first, so that what fails is nothing.

        Raises
        ------
        InputError
            If a file cannot be written; what stood under its name stays.
        """
        with working("report") as announce:
            made = {}
            for form in self.single:
                announce(f"writing {form}")
                made[form] = self._render(form, report)
            everything = {} if self.folder is None else self._everything(report, announce)
        for form, path in self.single.items():
            files.write_text(path, made[form])
            progress(f"wrote {path}")
        if self.folder is not None:
            files.write_folder(self.folder, everything, stale=_stale)

    def _everything(self, report: Report, announce: Announce) -> dict[str, str | bytes]:
        found = _figures(report, announce)
        for name, form in IN_FOLDER.items():
            announce(f"writing {name}")
            found[name] = self._render(form, report)
        return found

    def _render(self, form: str, report: Report) -> str:
        if form == "json":
            return json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n"
        render: Callable[..., str] = import_module(f"lsm_verify.report.{form}").render
        return render(report, **self.beside) if form == "html" else render(report)


def _figures(report: Report, announce: Announce) -> dict[str, str | bytes]:
    """Draw what the result holds, for a paper: SVG each, one PDF with a page each, captions."""
    from lsm_verify.report import figures, paper

    found: dict[str, str | bytes] = {}
    captions: dict[str, dict[str, Any]] = {}
    with figures.style():
        panels = list(itertools.chain.from_iterable(figures.panels(report).values()))
        for page, panel in enumerate(panels, start=1):
            announce(f"drawing figures ({page} of {len(panels)})")
            name = f"{panel.name}.svg"
            if name in captions:
                name = f"{panel.name}-{page}.svg"
            captions[name] = {"page": page, "caption": panel.caption}
            found[f"{FIGURES}/{name}"] = paper.drawn(panel.figure, ["svg"])["svg"]
        if panels:
            found[f"{FIGURES}/{PAGES}"] = paper.pages(panel.figure for panel in panels)
    made = {PAGES: {"caption": "all figures, a page each"}} if panels else {}
    text = json.dumps(made | captions, indent=1, ensure_ascii=False) + "\n"
    return {f"{FIGURES}/{CAPTIONS}": text, **found}


def _stale(folder: Path, contents: Mapping[str, object]) -> list[Path]:
    """Find figures of an earlier run that this one does not have; files of others are not ours."""
    try:
        listed = json.loads((folder / FIGURES / CAPTIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    names = [name for name in listed if isinstance(listed, dict) and name == Path(name).name]
    return [folder / FIGURES / name for name in names if f"{FIGURES}/{name}" not in contents]
