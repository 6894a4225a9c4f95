"""The two ways in which the package refuses: wrong input, and a model without a solution."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Wrong usage, configuration or data.

    The message is one line: what was given, what was wanted, the remedy. The command line shows
    it alone and exits with code 2.
    """


class NoSolutionError(ArithmeticError):
    """A step has no solution: no positive root, or an iteration that does not converge.

    Attributes
    ----------
    step : int
        First step (0 is the first) that cannot be taken.
    column : int or None
        Index in the batch, ``None`` for a single run.
    """

    NO_ROOT = (
        "the surface energy balance has no positive root",
        "check the forcing of that step, the albedo and the turbulent transfer coefficient",
    )
    NOT_CONVERGED = (
        "the Jacobi iteration has not converged",
        "raise its tolerance, or use another route or model",
    )

    def __init__(
        self, step: int, column: int | None = None, why: tuple[str, str] = NO_ROOT
    ) -> None:
        where = "" if column is None else f" of column {column}"
        super().__init__(f"{why[0]} at step {step}{where}; {why[1]}.")
        self.step = step
        self.column = column


MOST_LISTED = 20
"""Names that an error lists; of more only the nearest are shown."""


def unknown(what: str, given: str, known: Iterable[str]) -> InputError:
    """Error for a name that does not exist, with the nearest one suggested."""
    names = list(known)
    near = difflib.get_close_matches(str(given), names, n=3, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = f"known: {', '.join(names)}"
    if len(names) > MOST_LISTED:
        listed = f"{len(names)} are known, {', '.join(near or names[:3])} among them"
    return InputError(f"unknown {what} {given!r}; {listed}.{hint}")
