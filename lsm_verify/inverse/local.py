"""Minimisers of SciPy with bounds: trust-region least squares and L-BFGS-B, start by start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.inverse import blas
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.outcome import (
    CONVERGED,
    EXHAUSTED,
    NO_SOLUTION,
    STALLED,
    Announce,
    Outcomes,
    Progress,
    silent,
)

Array = NDArray[np.float64]

ITERATIONS = 200
"""Of one start."""

TOLERANCE = 4e-16
"""Relative changes at which least squares stop: about the spacing of numbers, so that an exact
record is fitted as far as round-off lets it. SciPy takes none below 2.2e-16."""

SETTLED = 1e-10
"""Relative changes at which fits of noisy records stop: an estimate is off by less than 1e-6 of its
deviation as long as that is above 1e-4 of the scale, with a third of the steps to round-off."""

REDUCTION, GRADIENT = 10 * float(np.finfo(np.float64).eps), 1e-10
"""Where L-BFGS-B stops: a step that lowers the objective by less than its rounding, in units of the
objective or 1; a gradient by scaled coordinates below this."""


@blas.one_thread()
def least_squares(
    misfit: Misfit,
    starts: Array,
    outcomes: Outcomes,
    *,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
    announce: Announce = silent,
) -> None:
    """Run `scipy.optimize.least_squares` (Branch, Coleman and Li 1999) with the tangent's Jacobian.

    Its exact subproblem is solved by singular values, so that a direction of which the
    observations say nothing is left alone.
    """
    from scipy.optimize import least_squares as scipy_least_squares

    def run(seen: _Seen, u: Array) -> tuple[str, int]:
        last: dict[bytes, tuple[Array, Array]] = {}

        def both(point: Array) -> tuple[Array, Array]:
            key = point.tobytes()
            if key not in last:
                r, J = misfit.residuals(point)
                seen.take(point, 0.5 * float(r @ r))
                last.clear()
                last[key] = r, J
            return last[key]

        def residuals(point: Array) -> Array:
            return both(point)[0]

        def jacobian(point: Array) -> Array:
            return both(point)[1]

        found = scipy_least_squares(
            residuals,
            u,
            jacobian,
            bounds=misfit.space.box,
            method="trf",
            ftol=tolerance,
            xtol=tolerance,
            gtol=tolerance,
            tr_solver="exact",
            max_nfev=iterations,
        )
        return (CONVERGED if found.status > 0 else EXHAUSTED), int(found.njev or 0)

    _each(misfit, starts, outcomes, run, announce)


def fit(misfit: Misfit, start: Array) -> tuple[Array, float, bool]:
    """Fit all unknowns from a start (P,): where, the objective, and whether it has converged.

    Raises
    ------
    InputError
        If the model has no solution at the start.
    """
    outcomes = Outcomes.begin(start[None])
    least_squares(misfit, start[None], outcomes)
    if not np.isfinite(outcomes.value[0]):
        raise InputError("the model has no solution at the start of the fit; move it.")
    return outcomes.u[0], float(outcomes.value[0]), outcomes.status[0] == CONVERGED


def lbfgsb(
    misfit: Misfit,
    starts: Array,
    outcomes: Outcomes,
    *,
    iterations: int = ITERATIONS,
    announce: Announce = silent,
) -> None:
    """Run L-BFGS-B of SciPy (Zhu, Byrd, Lu and Nocedal 1997) on value and gradient."""
    from scipy.optimize import minimize

    def run(seen: _Seen, u: Array) -> tuple[str, int]:
        def both(point: Array) -> tuple[float, Array]:
            F, slope = misfit.value(point[None])
            seen.take(point, float(F[0]))
            if not np.isfinite(F[0]):  # its line search cannot step back from there
                raise _NoSolutionHereError
            return float(F[0]), slope[0]

        low, high = misfit.space.box
        found = minimize(
            both,
            u,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
            options={
                "maxiter": iterations,
                "maxfun": 20 * iterations,
                "ftol": REDUCTION,
                "gtol": GRADIENT,
            },
        )
        status = CONVERGED if found.status == 0 else EXHAUSTED if found.status == 1 else STALLED
        return status, int(found.nit)

    _each(misfit, starts, outcomes, run, announce)


class _NoSolutionHereError(Exception):
    """The model has no solution at a point where it was asked."""


class _Seen:
    """The best point that a start has seen; ``tell`` is called with the start and every value."""

    def __init__(self, outcomes: Outcomes, b: int, tell: Callable[[int, float], None]) -> None:
        self.outcomes, self.b, self.tell = outcomes, b, tell

    def take(self, u: Array, value: float) -> None:
        """Note a value; one that is not finite ends a start that has no other."""
        self.outcomes.evaluations[self.b] += 1
        if not np.isfinite(value) and not np.isfinite(self.outcomes.value[self.b]):
            raise _NoSolutionHereError
        if value < self.outcomes.value[self.b]:
            self.outcomes.value[self.b] = value
            self.outcomes.u[self.b] = u
        self.tell(self.b, value)


def _each(
    misfit: Misfit,
    starts: Array,
    outcomes: Outcomes,
    run: Callable[[_Seen, Array], tuple[str, int]],
    announce: Announce,
) -> None:
    low, high = misfit.space.box
    inside = np.clip(starts, low, high)  # rounding alone can lie outside: see `starts_of`
    value = float("nan")

    def told(done: int) -> None:
        announce(
            Progress(
                done=done,
                total=len(starts),
                unit="starts",
                evaluations=int(np.sum(outcomes.evaluations)),
                value=value,
                best=float(np.min(outcomes.value)),
            )
        )

    def seen(b: int, here: float) -> None:
        nonlocal value
        value = here
        told(b)

    for b, u in enumerate(inside):
        try:
            outcomes.status[b], outcomes.iterations[b] = run(_Seen(outcomes, b, seen), u)
        except _NoSolutionHereError:
            outcomes.status[b] = NO_SOLUTION
        told(b + 1)
