"""Formulas as MathML, made while the site is built.

Browsers of today draw MathML themselves, so no page needs a script or the network for it. The
translation is docutils' own; Sphinx offers it no renderer of that kind.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

TAG = re.compile(r"\\tag\{([^}]*)\}")
RELATION = re.compile(r"\\mathrel\{([^}]*)\}")
BARE = re.compile(r"\\[td]?frac\s*[^{\s]")
BAR = re.compile(r"\\bar\s*(\\[a-z]+|\w)")
"""An accent is closed off: docutils sets an index that follows it below the letter."""

ADDED = re.compile(r"<mo[^>]*>([+−-])</mo>\s*<mo[^>]*>=</mo>")
"""Added to: one sign, not two."""

NORM = re.compile(r"<mo((?:(?!stretchy)[^>])*)>‖</mo>")
"""A norm's bars, which browsers would stretch to the height of the line."""

PRIMES = re.compile(r"('+)(?:\^(\w|\{[^{}]*\}))?")
"""Primes, and the power that may follow them: docutils takes a prime for an operator."""


def _superscript(found: re.Match[str]) -> str:
    return "^{" + r"\prime" * len(found[1]) + (found[2] or "") + "}"


def _translate(node: Any, text: str, *, block: bool) -> str:
    if BARE.search(text):
        logger.warning("fraction without braces, which is read wrongly: %s", text, location=node)
    text = PRIMES.sub(_superscript, BAR.sub(r"{\\bar{\1}}", RELATION.sub(r"\1", text)))
    try:
        found = tex2mathml(text, as_block=block)
    except MathError as error:
        logger.warning("formula not understood: %s: %s", error, text, location=node)
        return f"<code>{text}</code>"
    found = NORM.sub(r'<mo\1 stretchy="false">‖</mo>', found)
    return ADDED.sub(r"<mo>\1=</mo>", found.replace("\n", ""))


def inline(self: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(f'<span class="math">{_translate(node, node.astext(), block=False)}</span>')
    raise nodes.SkipNode


def block(self: Any, node: nodes.math_block) -> None:
    """Write a displayed formula, and its number at the right, which is a target of links."""
    text = node.astext()
    number = TAG.search(text)
    self.body.append('<div class="math-block">')
    self.body.append(_translate(node, TAG.sub("", text), block=True))
    if number:
        name = number[1]
        self.body.append(
            f'<a class="eqno" id="eq-{name}" href="#eq-{name}" '
            f'aria-label="equation {name}">({name})</a>'
        )
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer, which Sphinx then takes for HTML."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(inline, None), block_renderers=(block, None)
    )
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
