"""The main job: verify the gradient of a case by every route, and say how sure that is."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inputs import Inputs, Objective, probe_weights
from lsm_verify.parameters import Value
from lsm_verify.routes import MODELS, ROUTES, Route, get_route
from lsm_verify.validation import whole
from lsm_verify.verify import agreement, conservation, dot_product, finite_difference, solver
from lsm_verify.verify import points as points_
from lsm_verify.verify.provenance import provenance
from lsm_verify.verify.result import (
    CheckResult,
    Options,
    PointResult,
    Reason,
    Report,
    Verdict,
    overall,
)

WINDOW = 5
"""Steps of the short window on which multiprecision is evaluated."""

MOST_POINTS = 10_000
"""Random points that one run may have."""

EVIDENCE = ("adjoint", "complex-step")
"""Exact routes added when fewer than two are named: a claim needs evidence, which needs a check."""

Announce = Callable[[str], None]


class Run:
    """Collects the results of one run of `verify`."""

    def __init__(
        self, case: Case, options: Options, *, named: bool, announce: Announce, warn: Announce
    ) -> None:
        self.case = case
        self.options = options
        self.named = named  # routes were asked for by name: what they say belongs to the gate
        self.announce = announce
        self.warn = warn
        self.checks: list[CheckResult] = []
        self.points: list[PointResult] = []
        self.notes: list[str] = list(case.notes)
        self.seconds: dict[str, float] = defaultdict(float)
        chosen = [get_route(name) for name in options.routes]
        self.exact = [route for route in chosen if route.exact and not route.short]
        for name in EVIDENCE:
            if len(self.exact) < 2 and name not in options.routes:
                self.exact.append(ROUTES[name])
                self.notes.append(f"{name} was added: a gradient is checked against another.")

    def wants(self, name: str) -> bool:
        """Whether a route was asked for."""
        return name in self.options.routes

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a block to a route's account."""
        begin = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - begin

    def warm_up(self) -> None:
        """Load and compile what the routes need, so that their times are their own."""
        inputs = self.case.inputs().window(1)
        probe = Objective("probe", probe_weights(inputs, self.options.seed, everywhere=True))
        inputs = replace(inputs, objectives=(probe,))
        with self.timed("set-up"):
            for route in self.exact:
                agreement.sample(route, inputs, self.options.seed)
            if self.wants("finite-difference"):
                finite_difference.estimate(inputs)

    def sample(self, route: Route, inputs: Inputs) -> list[agreement.Sample]:
        """Evaluate a route with its round-off spread, timed."""
        with self.timed(route.name):
            return agreement.sample(route, inputs, self.options.seed)


def verify(
    case: Case,
    *,
    routes: Sequence[str] | str | None = None,
    points: int = 2,
    seed: int = 0,
    strict: bool = False,
    jacobi_tolerance: float = 1e-4,
    announce: Announce = lambda message: None,
    warn: Announce = lambda message: None,
) -> Report:
    """Verify a case's gradient by independent routes.

    Parameters
    ----------
    case : Case
        What is modelled and observed.
    routes : sequence of str, optional
        Names from `lsm_verify.routes.routes`; default: all but ``autograd-published``.
    points : int
        How many random points are drawn from the case's ranges, beside its start and its truth
        or published parameters.
    seed : int
        Seed of all draws.
    strict : bool
        Whether an inconclusive secondary check also makes the exit code 3.
    jacobi_tolerance : float
        Tolerance [K] of the published route's inner iteration.
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
        If a route is unknown or an option out of range.
    NoSolutionError
        If the model has no solution at one of the points.
    """
    if not isinstance(case, Case):
        raise InputError(f"case={case!r} is no Case; load one: load_case('twin').")
    for name, number in (("points", points), ("seed", seed)):
        whole(name, number, 0)
    if points > MOST_POINTS:
        raise InputError(f"points={points} must be at most {MOST_POINTS}; give fewer.")
    routes = [routes] if isinstance(routes, str) else routes
    names = tuple(dict.fromkeys(routes)) if routes is not None else default_routes()
    if not names:
        raise InputError(f"no route is named; known: {', '.join(ROUTES)}.")
    options = Options(names, points, seed, strict, jacobi_tolerance)
    from lsm_verify.models import published

    run = Run(case, options, named=routes is not None, announce=announce, warn=warn)
    published.check_tolerance(jacobi_tolerance)
    if run.wants("autograd-published"):
        published.check_applicable(case.inputs())
    announce("loading and compiling")
    run.warm_up()
    for index, (point, values) in enumerate(_points(case, points, seed)):
        announce(f"{point}: {', '.join(route.name for route in run.exact)}")
        _check_point(run, point, values, seed + 100 * index)
    _check_window(run)
    if routes is None:
        run.notes.append(
            "autograd-published was not run (thousands of sweeps); name it with "
            "--routes autograd-published"
        )
    verdict, code = overall(tuple(run.checks), strict=strict)
    return Report(
        case=case.name,
        title=case.title,
        verdict=verdict,
        exit_code=code,
        options=options,
        checks=tuple(run.checks),
        points=tuple(run.points),
        seconds=dict(run.seconds),
        notes=tuple(run.notes),
        provenance=provenance(case),
    )


def default_routes() -> tuple[str, ...]:
    """Return the routes that run unless others are named."""
    return tuple(route.name for route in ROUTES.values() if route.default)


def _points(case: Case, count: int, seed: int) -> Iterator[tuple[str, dict[str, Value]]]:
    yield "start", case.point("start")
    for index, values in enumerate(case.random_points(count, seed)):
        yield f"random {index + 1}", values
    for name in case.points():
        if name != "start":
            yield name, case.point(name)


def _check_point(run: Run, point: str, values: dict[str, Value], seed: int) -> None:
    """Run all checks at one point, on the misfit J and on the probe objective."""
    inputs = run.case.inputs(values, wrt=run.case.free)
    probe = Objective("probe", probe_weights(inputs, seed))
    inputs = replace(inputs, objectives=(Objective(), probe))
    samples = {route.name: run.sample(route, inputs) for route in run.exact}
    agreements = _agree(inputs, samples, point, seed)
    found = None
    if run.wants("finite-difference"):
        with run.timed("finite-difference"):
            found = finite_difference.estimate(inputs)
    for index, agreed in enumerate(agreements):
        here = {name: s[index] for name, s in samples.items()}
        run.checks.append(agreed.result)
        verdicts: list[list[Verdict]] = []
        if found is not None and not agreed.result.covered:
            result, verdicts = finite_difference.confirm_all(
                found,
                index,
                {name: s.gradient for name, s in here.items()},
                agreed.norm,
                point=point,
                objective=agreed.result.objective,
                primary=run.named,
            )
            run.checks.append(result)
        if point == "start" and index == 0 and run.wants("autograd-published"):
            with run.timed("autograd-published"):
                result, each, here["autograd-published"] = solver.judge_published(
                    inputs,
                    here[run.exact[0].name],
                    point=point,
                    tolerance=run.options.jacobi_tolerance,
                    warn=run.warn,
                )
            run.checks.append(result)
            verdicts.append(each)
        run.points.append(
            points_.describe(inputs, agreed, here, found=found, index=index, verdicts=verdicts)
        )
    with run.timed("dot-product"):
        run.checks.append(dot_product.dot_product(inputs, point=point, seed=seed))
    with run.timed("energy"):
        for subject, model in MODELS.items():
            T = model([inputs])[0][0]
            run.checks.append(conservation.closure(inputs, T, point=point, subject=subject))


def _agree(
    inputs: Inputs, samples: dict[str, list[agreement.Sample]], point: str, seed: int
) -> list[agreement.Agreement]:
    """Compare the exact routes on every objective; a probe that passes covers a misfit of 0."""
    agreements = [
        agreement.compare(
            inputs,
            {name: s[index] for name, s in samples.items()},
            point=point,
            objective=objective.label,
            seed=seed,
        )
        for index, objective in enumerate(inputs.objectives)
    ]
    if agreements[-1].result.verdict is Verdict.PASS:
        agreements = [
            replace(a, result=replace(a.result, covered=a.result.reason is Reason.NO_SIGNAL))
            for a in agreements
        ]
    return agreements


def _check_window(run: Run) -> None:
    """Hold the exact routes against multiprecision on the first steps.

    Where nothing is observed so early, the probe alone is judged, as if all states were.
    """
    if not run.wants("multiprecision"):
        return
    steps = min(WINDOW, run.case.forcing.steps)
    run.announce(f"multiprecision on the first {steps} steps")
    seed = run.options.seed
    inputs = run.case.inputs().window(steps)
    observed = any(np.any(s.weights > 0) for s in inputs.series)
    probe = Objective("probe", probe_weights(inputs, seed, everywhere=not observed))
    inputs = replace(inputs, objectives=(Objective(), probe) if observed else (probe,))
    samples = {r.name: run.sample(r, inputs) for r in (*run.exact, ROUTES["multiprecision"])}
    for index, agreed in enumerate(_agree(inputs, samples, f"first {steps} steps", seed)):
        here = {name: s[index] for name, s in samples.items()}
        run.checks.append(agreed.result)
        run.points.append(points_.describe(inputs, agreed, here))
