"""What came of reproducing the paper: a table of claims as Markdown, JSON and on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from lsm_verify.inverse.claim import Claim
from lsm_verify.inverse.reproduce import Reproduction
from lsm_verify.report import recovered, scatter, valley
from lsm_verify.report.text import print_line
from lsm_verify.version import __version__

FORMAT = "lsm-verify reproduction 1"
PAPER = (
    "Huang, R., Heaney, C. E., van Reeuwijk, M. (2025). Parameter estimation for land-surface "
    "models using Neural Physics. arXiv:2505.02979"
)

OF_STARTS = (
    "The 50 starts beside what the observations say, for independent errors. Left: spread along "
    "the singular directions of the scaled Jacobian; least squares leave too little to be drawn. "
    "Middle: λ against C, the ellipse to first order. Right: every parameter. Phoenix's residuals "
    "are correlated: its bounds here are too narrow"
)
IN_TIME = (
    "Parameters per hour recovered from noisy records of twins. Errors of h(1+1/β) are large where "
    "surface and air are equally warm"
)


def draw(found: Reproduction, folder: Path) -> dict[str, str]:
    """Draw all figures into a folder: captions to file names."""
    figures = {}
    for experiment in found.experiments:
        name = experiment.case.name
        scatter.draw(
            {"Adam": experiment.adam, "least squares": experiment.exact},
            folder / f"{name}.png",
            title=f"{name}, 50 published starts",
            published=experiment.published,
        )
        caption = (
            f"{name}: 50 starts against estimates; the paper's Adam and least squares, both by the "
            "exact gradient; band: the published mean and spread"
        )
        figures[caption] = f"{name}.png"
    valley.draw(found.valleys, folder / "identifiability.png")
    recovered.draw(found.recoveries, folder / "time-dependent.png")
    return figures | {OF_STARTS: "identifiability.png", IN_TIME: "time-dependent.png"}


def show(claims: Sequence[Claim], console: Console) -> None:
    """Print every claim with its verdict and evidence."""
    for claim in claims:
        print_line(console, f"{claim.verdict.upper()}  {claim.statement}")
        print_line(console, f"  {claim.evidence}")
        print_line(console, "")


def to_json(claims: Sequence[Claim], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain numbers and strings."""
    return {
        "format": FORMAT,
        "version": __version__,
        "paper": PAPER,
        **about,
        "claims": [asdict(claim) for claim in claims],
    }


def markdown(claims: Sequence[Claim], about: Mapping[str, Any]) -> str:
    """Return a page: the table, the evidence, the figures.

    Parameters
    ----------
    about : mapping
        ``command`` and ``seconds`` of the run, ``notes``, and ``figures``: caption to the file
        beside the page.
    """
    lines = [
        "# The paper reproduced",
        "",
        f"{PAPER}. `{about['command']}`, lsm-verify {__version__}, {about['seconds']:.0f} s.",
        "",
        "| claim | verdict |",
        "| --- | --- |",
    ]
    lines += [f"| {claim.statement} | {claim.verdict} |" for claim in claims]
    for claim in claims:
        lines += [
            "",
            f"## {claim.name}: {claim.verdict}",
            "",
            claim.evidence,
            "",
            f"`{claim.command}`",
        ]
    lines += ["", "## Figures"]
    for caption, name in about["figures"].items():
        lines += ["", f"![{caption}]({name})", "", caption]
    if about.get("notes"):
        lines += ["", "## Notes", "", *(f"- {note}" for note in about["notes"])]
    return "\n".join(lines) + "\n"
