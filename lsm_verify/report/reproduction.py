"""What came of reproducing the paper: a table of claims as Markdown, JSON and on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from lsm_verify import __version__
from lsm_verify.inverse.claim import Claim
from lsm_verify.report.text import print_line

FORMAT = "lsm-verify reproduction 1"
PAPER = (
    "Huang, R., Heaney, C. E., van Reeuwijk, M. (2025). Parameter estimation for land-surface "
    "models using Neural Physics. arXiv:2505.02979"
)


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
