"""Text for LaTeX: what would be taken for a command is escaped, Greek and signs become mathematics.

What comes out needs no package and no font encoding: it compiles with pdflatex of 2018 and later.
"""

from __future__ import annotations

import math
import re
import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedblright{}",
    "`": r"\ensuremath{\grave{\ }}", "–": r"\textendash{}", "—": r"\textemdash{}", "’": "'",
    "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}", "\u00a0": "~", "§": r"\S{}",
    "·": r"\ensuremath{\cdot}", "…": r"\ldots{}",
}  # fmt: skip
"""The straight quote, ``\\textquotedbl``, needs another font encoding than LaTeX begins with."""

LETTERS = (
    r"\alpha \beta \gamma \delta \varepsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi "
    r"o \pi \rho \varsigma \sigma \tau \upsilon \varphi \chi \psi \omega"
)
GREEK = {chr(0x3B1 + place): name for place, name in enumerate(LETTERS.split())} | {
    "Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi",
    "Σ": r"\Sigma", "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega", "µ": r"\mu",
}  # fmt: skip

SIGNS = {
    "∂": r"\partial", "‖": r"\|", "∘": r"\circ", "≤": r"\le", "≥": r"\ge", "±": r"\pm",
    "×": r"\times", "−": "-", "→": r"\to", "↓": r"\downarrow", "↑": r"\uparrow", "≈": r"\approx",
    "≠": r"\ne", "∞": r"\infty", "√": r"\surd", "∈": r"\in", "°": r"^{\circ}", "½": r"\frac{1}{2}",
    "¼": r"\frac{1}{4}", "∇": r"\nabla", "∑": r"\sum", "∫": r"\int", "⋅": r"\cdot",
    "⟨": r"\langle", "⟩": r"\rangle", "∧": r"\wedge", "∨": r"\vee", "∝": r"\propto",
}  # fmt: skip

RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))

LIGATURE = re.compile(r"([-?!'`])(?=[-`'])")
"""Pairs that would be printed as one sign: a dash for the hyphens of an option."""

NUMBER = re.compile(r"(?<![\w.])([+-]?\d+(?:\.\d+)?)e([+-]?\d+)(?!\w)")


def escape(text: object) -> str:
    r"""Return text that LaTeX prints as it stands, on one line.

    >>> print(escape("α_s is 100 % & T⁰ ≤ ½"))
    \ensuremath{\alpha}\_s is 100 \% \& T\ensuremath{^{0}} \ensuremath{\le} \ensuremath{\frac{1}{2}}
    """
    words = "".join(map(_character, " ".join(str(text).split())))
    return LIGATURE.sub(r"\1{}", words)


def prose(text: str) -> str:
    r"""Escape sentences; numbers such as 1.8e-12 become powers of ten.

    >>> print(prose("below 1.8e-12 & sure"))
    below $1.8\times10^{-12}$ \& sure
    """
    pieces, end = [], 0
    for match in NUMBER.finditer(text):
        pieces += [_spaced(text[end : match.start()]), power(match[1], int(match[2]))]
        end = match.end()
    return "".join([*pieces, _spaced(text[end:])])


def power(mantissa: str, exponent: int) -> str:
    """Return a number in powers of ten."""
    return rf"${mantissa}\times10^{{{exponent}}}$"


def number(value: float | None, digits: int = 1) -> str:
    """Return a number with digits behind the point, in powers of ten; nothing for ``None``."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("$-$" if value < 0 else "") + r"$\infty$"
    if value == 0:
        return "$0$"
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return power(mantissa, int(exponent))


def symbol(text: str) -> str:
    r"""Return a symbol of the registry, ``h(1+1/β)`` or ``T_b``, as mathematics.

    >>> print(symbol("h(1+1/β)"), symbol("T_b"), symbol("T⁰"), symbol("K↓"))
    $h(1+1/\beta)$ $T_{b}$ $T^{0}$ $K\downarrow$
    """
    lowered = re.sub(r"_(\w+)", lambda m: "\x00" + m[1] + "\x01", text)
    marks = {"\x00": "_{", "\x01": "}"}
    return f"${''.join(marks.get(c) or _mathematics(c) or _character(c) for c in lowered)}$"


def _spaced(text: str) -> str:
    """Escape, and keep a space at either end."""
    inner = escape(text)
    left = " " if text[:1].isspace() else ""
    right = " " if text[-1:].isspace() and inner else ""
    return f"{left}{inner}{right}"


def _mathematics(character: str) -> str:
    if character in RAISED:
        return f"^{{{RAISED[character]}}}"
    if character in LOWERED:
        return f"_{{{LOWERED[character]}}}"
    return GREEK.get(character) or SIGNS.get(character, "")


def _character(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if character.isascii():
        return character if character.isprintable() else "?"
    known = _mathematics(character)
    if known:
        return rf"\ensuremath{{{known}}}"
    if character in "äöüÄÖÜßéèêëáàâçñøØåÅæÆíìîïóòôúùû":
        return character  # letters that every LaTeX of today reads
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(map(_character, plain)) or f"[U+{ord(character):04X}]"
