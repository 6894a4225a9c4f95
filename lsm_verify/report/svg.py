"""A matplotlib figure as SVG that stands inside a page: its own ids, and the page's colours."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from lsm_verify.report.figures import FAINT, INK, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {INK: "currentColor", FAINT: "var(--faint)"} | {
    colour: f"var(--series-{k})" for k, colour in enumerate(SERIES, 1)
}
"""Colours of a figure to those of the page, which are others on a dark screen."""

RESOLUTION = 160
"""Dots per inch of a map, whose cells are an image inside the figure."""


def inline(figure: Figure, name: str, alt: str) -> str:
    """Return a figure as an ``svg`` element.

    Parameters
    ----------
    name : str
        Begins every id: unique on the page.
    alt : str
        What a reader hears who does not see it.
    """
    import matplotlib as mpl
    from markupsafe import escape

    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            buffer,
            format="svg",
            dpi=RESOLUTION,
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = _own_ids(text, name)
    for colour, own in COLOURS.items():
        text = text.replace(colour, own)
    # The font is the page's; widths differ by little from those it was laid out with.
    text = re.sub(r"font: ([0-9.]+px) [^;\"]+", r"font-size: \1", text)
    head, _, body = text.partition(">")
    head = re.sub(r'\s(?:width|height|version|xmlns|xmlns:xlink)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(alt)}">{body}'


def _own_ids(text: str, name: str) -> str:
    """Prefix ids that are referred to, and drop the others."""
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))

    def change(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r'\sid="([^"]*)"', change, text)
    text = re.sub(r'xlink:href="', 'href="', text)
    return re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
