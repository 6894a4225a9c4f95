"""The main job: verify the gradient of a case or of any problem, and say how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.routes import ROUTES
from lsm_verify.routes.route import Route
from lsm_verify.validation import whole
from lsm_verify.verify import canaries, stored
from lsm_verify.verify.case_run import verify_case
from lsm_verify.verify.examine import Announce, Run
from lsm_verify.verify.finite_difference import TOLERANCE as OWN_TOLERANCE
from lsm_verify.verify.problem import TOLERANCE, Problem
from lsm_verify.verify.problem_run import verify_problem
from lsm_verify.verify.provenance import provenance
from lsm_verify.verify.result import Options, Report, overall

MOST_POINTS = 10_000
"""Random points that one run may have."""

POINTS = 2
"""Random points that a case has unless told otherwise; with ``fast`` none."""

JACOBI_TOLERANCE = 1e-4
"""Tolerance [K] at which the published method stops iterating, in the paper and by default."""


def verify(
    case: Case | Problem,
    *,
    routes: Sequence[str | Route] | str | None = None,
    points: int | None = None,
    seed: int = 0,
    strict: bool = False,
    fast: bool = False,
    tolerance: float | None = None,
    jacobi_tolerance: float = JACOBI_TOLERANCE,
    announce: Announce = lambda message: None,
    warn: Announce = lambda message: None,
) -> Report:
    """Verify the gradient of a case, or of any problem, by independent evidence.

    Parameters
    ----------
    case : Case or Problem
        What is modelled and observed; or any function with the gradients claimed for it.
    routes : sequence of str, optional
        Names from `lsm_verify.routes.routes` (or `Route` objects), default: all but
        ``autograd-published``; of a problem: names of its gradients, default: all.
    points : int, optional
        How many random points are drawn from the case's ranges, beside its start and its truth
        or published parameters; default 2, with ``fast`` 0. A problem is verified at its point,
        and none is stored in its report.
    seed : int
        Seed of all draws.
    strict : bool
        Whether an inconclusive secondary check also makes the exit code 3.
    fast : bool
        The primary gate with canaries at the start alone, with differences and dot products.
        Left out: kinks, Taylor remainder and Hessian; of a case also all other points, short
        window, determinism, single precision, batch independence and orders of convergence. A
        gradient at a kink may pass.
    tolerance : float, optional
        Error of a claimed gradient, in units of ‖g∘s‖, up to which finite differences pass it;
        default 1e-8 for a case, 1e-6 for a problem.
    jacobi_tolerance : float
        Tolerance [K] of the published route's inner iteration; of a case only.
    announce : callable
        Called with a line of text before each longer piece of work.
    warn : callable
        Called with what a user must know before it happens: the cost of the published route.

    Returns
    -------
    Report
        Verdict, exit code, every check and every gradient.

    Raises
    ------
    InputError
        If a route is unknown, an option out of range, or a function of the problem raises or
        returns what is no gradient.
    NoSolutionError
        If the model has no solution at one of the points.
    """
    if not isinstance(case, Case | Problem):
        raise InputError(
            f"case has type {type(case).__name__}; give a Case, load_case('twin'), or a Problem, "
            "Problem(objective, point, gradients=…)."
        )
    count = default_points(fast) if points is None else points
    check_points(count)
    whole("seed", seed, 0)
    if isinstance(case, Problem):
        _refuse_for_a_problem(points, jacobi_tolerance)
        count = 0
    given = [routes] if isinstance(routes, str | Route) else routes
    if given is not None and not given:
        known = ROUTES if isinstance(case, Case) else case.gradients
        raise InputError(f"no route is named; known: {', '.join(known)}.")
    allowed = default_tolerance(case) if tolerance is None else tolerance
    check_tolerance(allowed)
    names = [r.name if isinstance(r, Route) else str(r) for r in given or ()]
    options = Options(
        routes=tuple(dict.fromkeys(names)),
        named=given is not None,
        points=count,
        seed=seed,
        strict=strict,
        fast=fast,
        jacobi_tolerance=jacobi_tolerance,
        tolerance=allowed,
    )
    run = Run(options, announce, warn)
    if isinstance(case, Case):
        chosen = [r for r in given or () if isinstance(r, Route)]
        replay = verify_case(run, case, {route.name: route for route in chosen})
    else:
        replay = verify_problem(run, case)
    if run.caught:
        run.checks.append(canaries.summarise(run.caught, point=run.points[0].point))
    verdict, code = overall(tuple(run.checks), strict=strict)
    report = Report(
        case=case.name,
        title=case.title if isinstance(case, Case) else "",
        verdict=verdict,
        exit_code=code,
        options=run.options,
        checks=tuple(run.checks),
        points=tuple(run.points),
        seconds=dict(run.seconds),
        notes=tuple(run.notes),
        provenance=provenance(case.sources if isinstance(case, Case) else {}),
        replay=replay,
        evidence=run.evidence(),
    )
    return stored.settled(report)


def default_points(fast: bool) -> int:
    """Random points of a case where none are asked for."""
    return 0 if fast else POINTS


def default_tolerance(case: Case | Problem) -> float:
    """Error that finite differences pass where no tolerance is asked for."""
    return OWN_TOLERANCE if isinstance(case, Case) else TOLERANCE


def check_points(points: object) -> None:
    """Refuse what is no number of random points."""
    if whole("points", points, 0) > MOST_POINTS:
        raise InputError(f"points={points} must be at most {MOST_POINTS}; give fewer.")


def check_tolerance(tolerance: object) -> None:
    """Refuse what is no error in units of ‖g∘s‖."""
    if not isinstance(tolerance, float) or not 0 < tolerance < 1:
        raise InputError(f"tolerance={tolerance} must lie between 0 and 1; give 1e-6, say.")


def _refuse_for_a_problem(points: int | None, jacobi_tolerance: float) -> None:
    """Refuse settings of cases, which would be ignored."""
    if points:
        raise InputError(f"points={points}: a problem is verified at its own point; leave it out.")
    if jacobi_tolerance != JACOBI_TOLERANCE:
        raise InputError(
            f"jacobi_tolerance={jacobi_tolerance:g}: a problem has no published method to stop; "
            "leave it out."
        )
