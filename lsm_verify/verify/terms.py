"""Which term of the scheme is wrong: what explains a residual in all of several experiments.

One residual could be explained by any term times some factor. So the route is asked again with
other parameters, and the term is the one whose factor stays the same. Where none does, the column
is changed so that one term is absent: the term without which the residual vanishes is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lsm_verify.verify.residuals import Array, Column, Rows

LIMIT = 128.0
"""Units of round-off beyond which a residual is an error: the gate's limit for FAIL. Correct
routes stay below 10 on the twin and the layered case."""

CLOSE = 1e-6
"""Misfit allowed to an explanation, relative to the residual: other terms are off by O(1)."""

SINGLE = 2.0**-24
"""Largest relative error of a number rounded to single precision."""

EPSILON = float(np.finfo(np.float64).eps)

SYMBOLS = {
    "storage": "C V/Δt",
    "conduction up": "λ/Δ",
    "conduction down": "λ/Δ",
    "emission": "4εσT³",
    "turbulent": "h(1+1/β)",
    "shortwave": "(1−α)K↓",
    "longwave": "L↓",
    "bottom": "T_b",
}
"""Terms as the linearised scheme has them; the forward scheme emits εσT⁴."""

STEPS = {
    "time_step": ("storage", "Δt"),
    "H": ("turbulent", "h(1+1/β)"),
    "albedo": ("shortwave", "α"),
    "SWdown": ("shortwave", "K↓"),
    "LWdown": ("longwave", "L↓"),
    "Tair": ("turbulent", "T_a"),
    "Tb": ("bottom", "T_b"),
}
"""What may be taken from another step: the term it belongs to, its symbol."""


@dataclass(frozen=True)
class Experiment:
    """A column and the states a route found for it; ``rows(column, stale)`` puts them in.

    ``stored(n)``, of adjoint states: s_i μ_i that they hold, (22), and what solving (23) for the
    step's μ gives.
    """

    column: Column
    rows: Callable[[Column, str], Rows]
    stored: Callable[[int], tuple[Array, Array]] | None = None

    def plain(self) -> Rows:
        """Put the states into the scheme as it is."""
        return self.rows(self.column, "")


@dataclass(frozen=True)
class Finding:
    """A node, the term that is wrong there, and how, after the words "the route"."""

    node: int
    term: str
    how: str
    piece: str = ""


def variants(column: Column) -> Iterator[tuple[str, str, Column]]:
    """Columns with one thing taken from elsewhere: term, what is taken, column."""
    for name, (term, symbol) in STEPS.items():
        values = getattr(column, name)
        elsewhere = {
            "the step before": np.roll(values, 1),
            "the step after": np.roll(values, -1),
            "the first step": np.full_like(values, values[0]),
        }
        for where, other in elsewhere.items():
            yield term, f"takes {symbol} of {where}", replace(column, **{name: other})
    for where, shift in (("before", 1), ("after", -1)):
        radiation = {x: np.roll(getattr(column, x), shift) for x in ("albedo", "SWdown", "LWdown")}
        how = f"takes (1−α)K↓ + L↓ of the step {where}"
        yield "shortwave", how, replace(column, **radiation)
    lam = column.g * column.spacing
    for where, shift in (("above", 1), ("below", -1)):
        yield (
            "conduction down",
            f"takes λ of the interface {where}",
            replace(column, g=np.roll(lam, shift) / column.spacing),
        )
        yield (
            "conduction down",
            f"takes λ/Δ of the interface {where}",
            replace(column, g=np.roll(column.g, shift)),
        )
        capacity = np.roll(column.heat / column.volume, shift) * column.volume
        yield "storage", f"takes C of the node {where}", replace(column, heat=capacity)
        heat = np.roll(column.heat, shift)
        yield "storage", f"takes C V of the node {where}", replace(column, heat=heat)


def factor_words(factor: float) -> str:
    """Say in words how a route's term compares with the scheme's, of which it is a multiple."""
    for exact, words in (
        (0.0, "has none of it"),
        (2.0, "has twice the scheme's"),
        (0.5, "has half of the scheme's"),
        (-1.0, "has it with the wrong sign"),
    ):
        if abs(factor - exact) <= CLOSE:
            return words
    if abs(factor - 1) < 1e-2:
        return f"has the scheme's × (1 {'+' if factor > 1 else '−'} {abs(factor - 1):.1e})"
    return f"has the scheme's × {factor:.4g}"


def proportional(residual: Array, pattern: Array, unit: Array) -> float | None:
    """Return k if residual = k pattern to within round-off, else ``None``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(unit > 0, residual / unit, 0).astype(np.float64).ravel()
        t = np.where(unit > 0, pattern / unit, 0).astype(np.float64).ravel()
    if not (np.all(np.isfinite(r)) and np.all(np.isfinite(t))) or not np.max(np.abs(t)) > LIMIT:
        return None
    k = float(r @ t / (t @ t))
    return k if _small(r - k * t, r) else None


def _small(misfit: Array, residual: Array) -> bool:
    return bool(np.max(np.abs(misfit)) <= max(LIMIT, CLOSE * float(np.max(np.abs(residual)))))


def explain(experiments: Sequence[Experiment], n: int, ratio: Array, steady: int) -> Finding | None:
    """Find the one term that explains the residuals of step n in all experiments.

    Parameters
    ----------
    experiments : sequence
        The first is the point itself; in the first ``steady`` of them storage and conductance do
        not change, so that a rounded coefficient is a constant factor there.
    n : int
        Step.
    ratio : (nodes,) array
        Round-off of the residual in units of ε times the size of its terms.
    """
    rows = [e.plain() for e in experiments]
    residual = np.stack([r.residual[n] for r in rows])
    unit = np.stack([EPSILON * r.size[n] * ratio for r in rows])
    node = guilty_node(residual[0], unit[0])
    every = np.ones(residual.shape[1], dtype=bool)
    here = np.arange(residual.shape[1]) == node
    for where in (every, here):
        for term, piece, pattern in _patterns(rows, n):
            k = proportional(residual[:, where], pattern[:, where], unit[:, where])
            if k is not None:
                factor = 1 / (1 - k) if piece == "factor of both" else 1 - k
                return Finding(node, term, factor_words(factor), piece)
        found = _substituted(experiments, n, residual, unit, where)
        if found is not None:
            return Finding(node, *found)
        found_stored = _wrongly_stored(experiments, n, float(np.max(ratio)))
        if found_stored is not None:
            return found_stored
    for term, piece, pattern in _patterns(rows[:steady], n):
        k = proportional(residual[:steady, here], pattern[:, here], unit[:steady, here])
        if k is not None and abs(k) <= SINGLE:
            return Finding(node, term, f"{factor_words(1 - k)}: rounded", piece)
    return None


def guilty_node(residual: Array, unit: Array) -> int:
    """First node from the surface whose residual is beyond round-off."""
    return int(np.argmax(~(np.abs(residual) <= LIMIT * unit)))


def _patterns(rows: Sequence[Rows], n: int) -> Iterator[tuple[str, str, Array]]:
    """Terms that may have a wrong factor: term, piece of it, values (experiments, nodes)."""
    parts = {key: np.stack([r.parts[key][n] for r in rows]) for key in rows[0].parts}
    terms = {term: None for term, _ in parts}
    whole = {
        term: np.sum([p for (t, _), p in parts.items() if t == term], axis=0) for term in terms
    }
    adjoint = whole.pop("received", None) is not None
    for term, pattern in whole.items():
        yield term, "", pattern
    yield "conduction down", "both", whole["conduction down"] + whole["conduction up"]
    for (term, piece), pattern in parts.items():
        if piece:
            yield term, piece, pattern
    if adjoint:
        # A wrong s in both (22) and (23) is a wrong factor of everything but the storage.
        yield "storage", "factor of both", np.sum(list(whole.values()), axis=0) - whole["storage"]


def _wrongly_stored(experiments: Sequence[Experiment], n: int, ratio: float) -> Finding | None:
    """Find a wrong factor of s_i μ_i in (22): μ is right, what is handed on is not."""
    pairs = [e.stored(n) for e in experiments if e.stored is not None]
    if not pairs:
        return None
    held, wanted = (np.stack(each).astype(np.float64) for each in zip(*pairs, strict=True))
    size = np.maximum(np.abs(held), np.abs(wanted))
    unit = ratio * EPSILON * (size + np.max(size, axis=1, keepdims=True))
    error = held - wanted
    wrong = np.abs(error[0]) > LIMIT * unit[0]
    if not wrong.any():
        return None
    k = proportional(error[:, wrong], wanted[:, wrong], unit[:, wrong])
    return None if k is None else Finding(int(np.argmax(wrong)), "storage", factor_words(1 + k))


def _substituted(
    experiments: Sequence[Experiment], n: int, residual: Array, unit: Array, where: Array
) -> tuple[str, str] | None:
    """Return the thing from elsewhere with which the residual vanishes."""
    fixed = np.where(unit > 0, unit, 1)

    def vanishes(left: Array) -> bool:
        scaled = ((left / fixed)[:, where]).astype(np.float64)
        return _small(scaled, (residual / fixed)[:, where].astype(np.float64))

    for stale in ("emission", "surface"):
        left = np.stack([e.rows(e.column, stale).residual[n] for e in experiments])
        if vanishes(left):
            return "emission", "takes T of the old state"
    columns = [list(variants(e.column)) for e in experiments]
    for each in zip(*columns, strict=True):
        term, how, _ = each[0]
        rows = [e.rows(c, "") for e, (_, _, c) in zip(experiments, each, strict=True)]
        if vanishes(np.stack([r.residual[n] for r in rows])):
            return term, how
    return None
