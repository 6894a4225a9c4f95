"""The main job: verify the gradient of a case by every route, and say how sure that is."""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from lsm_verify import __version__
from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inputs import Inputs, Objective, probe_weights
from lsm_verify.parameters import Value
from lsm_verify.quantities import PARAMETERS
from lsm_verify.routes import ROUTES, Route, get_route, trajectory
from lsm_verify.validation import whole
from lsm_verify.verify import agreement, conservation, dot_product, finite_difference, solver
from lsm_verify.verify.result import (
    CheckResult,
    GradientRow,
    Options,
    PointResult,
    Report,
    Verdict,
    judge,
    overall,
)

WINDOW = 5
"""Steps of the short window on which multiprecision is evaluated."""

EVIDENCE = ("adjoint", "complex-step")
"""Exact routes added when fewer than two are named: a claim needs evidence, which needs a check."""

Announce = Callable[[str], None]


class Run:
    """Collects the results of one run of `verify`."""

    def __init__(self, case: Case, options: Options, announce: Announce, warn: Announce) -> None:
        self.case = case
        self.options = options
        self.announce = announce
        self.warn = warn
        self.checks: list[CheckResult] = []
        self.points: list[PointResult] = []
        self.notes: list[str] = list(case.notes)
        self.seconds: dict[str, float] = defaultdict(float)
        named = [get_route(name) for name in options.routes]
        self.exact = [route for route in named if route.exact and not route.short]
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
        inputs = _observed_window(self.case, 1).inputs()
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
    for name, number in (("points", points), ("seed", seed)):
        whole(name, number, 0)
    routes = [routes] if isinstance(routes, str) else routes
    names = tuple(dict.fromkeys(routes)) if routes is not None else default_routes()
    if not names:
        raise InputError(f"no route is named; known: {', '.join(ROUTES)}.")
    options = Options(names, points, seed, strict, jacobi_tolerance)
    from lsm_verify.models import published

    run = Run(case, options, announce, warn)
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
    found = None
    if run.wants("finite-difference"):
        with run.timed("finite-difference"):
            found = finite_difference.estimate(inputs)
    for index, objective in enumerate(inputs.objectives):
        here = {name: s[index] for name, s in samples.items()}
        agreed = agreement.compare(
            inputs,
            here,
            point=point,
            objective=objective.label,
            seed=run.options.seed,
            covered=point == "truth" and objective.kind != "probe",
        )
        run.checks.append(agreed.result)
        reference = here[run.exact[0].name]
        verdicts: list[list[Verdict]] = []
        if found is not None and not agreed.result.covered:
            result, verdicts = finite_difference.confirm_all(
                found,
                index,
                {name: s.gradient for name, s in here.items()},
                agreed.norm,
                point=point,
                objective=objective.label,
            )
            run.checks.append(result)
        extra = {}
        if point == "start" and index == 0 and run.wants("autograd-published"):
            with run.timed("autograd-published"):
                result, each, extra["autograd-published"] = solver.judge_published(
                    inputs,
                    reference,
                    point=point,
                    tolerance=run.options.jacobi_tolerance,
                    warn=run.warn,
                )
            run.checks.append(result)
            verdicts.append(each)
        gradients = {name: s.gradient for name, s in here.items()} | extra
        rows = _rows(inputs, agreed, gradients, found, index, verdicts)
        rmse = _rmse(inputs) if index == 0 else {}
        run.points.append(
            PointResult(point, objective.label, reference.value, agreed.norm, rows, rmse)
        )
    with run.timed("dot-product"):
        run.checks.append(dot_product.dot_product(inputs, point=point, seed=seed))
    with run.timed("energy"):
        for subject, T in (("oracle", trajectory(inputs)), ("torch", _torch_trajectory(inputs))):
            run.checks.append(conservation.closure(inputs, T, point=point, subject=subject))


def _observed_window(case: Case, steps: int) -> Case:
    """Return the first steps, at least ``steps`` of them and as many as reach an observation."""
    seen = [np.asarray(s.weights) > 0 for s in case.observations.series]
    first = min(int(np.argmax(w)) for w in seen if np.any(w))
    return case.window(min(max(steps, first), case.forcing.steps))


def _check_window(run: Run) -> None:
    """Hold the exact routes against multiprecision on the first steps."""
    if not run.wants("multiprecision"):
        return
    case = _observed_window(run.case, WINDOW)
    steps = case.forcing.steps
    run.announce(f"multiprecision on the first {steps} steps")
    inputs = case.inputs()
    probe = Objective("probe", probe_weights(inputs, run.options.seed))
    inputs = replace(inputs, objectives=(Objective(), probe))
    samples = {r.name: run.sample(r, inputs) for r in (*run.exact, ROUTES["multiprecision"])}
    for index, objective in enumerate(inputs.objectives):
        agreed = agreement.compare(
            inputs,
            {name: s[index] for name, s in samples.items()},
            point=f"first {steps} steps",
            objective=objective.label,
            seed=run.options.seed,
        )
        run.checks.append(agreed.result)


def _torch_trajectory(inputs: Inputs) -> np.ndarray:
    import torch

    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves

    with torch.no_grad():
        return np.asarray(direct.simulate(expand(leaves([inputs])))[0].numpy())


def _rmse(inputs: Inputs) -> dict[str, float]:
    """Root mean square misfit of every series, and of all where they share a unit."""
    from lsm_verify.routes import predictions

    y = predictions(inputs)
    result, squares = {}, []
    for row, series in zip(y, inputs.series, strict=True):
        seen = np.broadcast_to(series.weights, row.shape) > 0
        r = (row - series.values)[seen]
        result[series.label] = float(np.sqrt(np.mean(r**2))) if r.size else float("nan")
        squares.append(r**2)
    if len(squares) > 1 and len({s.kind for s in inputs.series}) == 1:
        result["all"] = float(np.sqrt(np.mean(np.concatenate(squares))))
    return result


def _rows(
    inputs: Inputs,
    agreed: agreement.Agreement,
    gradients: dict[str, agreement.Array],
    found: finite_difference.Estimate | None,
    index: int,
    verdicts: list[list[Verdict]],
) -> tuple[GradientRow, ...]:
    rows = []
    scale = agreement.scales(inputs)
    reference = next(iter(gradients.values()))
    for j, (name, component) in enumerate(agreement.labels(inputs)):
        each = [verdict[j] for verdict in verdicts]
        each.append(judge(float(agreed.z[j]), agreement.PASS_Z, agreement.FAIL_Z))
        if agreed.result.verdict is Verdict.INCONCLUSIVE:
            each.append(Verdict.INCONCLUSIVE)
        rows.append(
            GradientRow(
                parameter=name,
                component=component,
                value=float(inputs.parameters[name][component]),
                scale=float(scale[j]),
                unit=PARAMETERS[name].unit,
                gradients={route: float(g[j]) for route, g in gradients.items()},
                share=float(abs(reference[j]) * scale[j] / agreed.norm) if agreed.norm > 0 else 0.0,
                agreement_z=float(agreed.z[j]),
                bound=float(agreed.bound[j]),
                finite_difference=None if found is None else float(found.value[index, j]),
                finite_difference_uncertainty=(
                    None if found is None else float(found.uncertainty[index, j])
                ),
                verdict=_worst(each),
            )
        )
    return tuple(rows)


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    order = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)
    return next(v for v in order if v in verdicts)


def provenance(case: Case) -> dict[str, str]:
    """Return versions, platform and data checksums."""
    from importlib.metadata import PackageNotFoundError, version

    found = {
        "lsm-verify": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for name in ("numpy", "torch", "numba", "mpmath"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    found |= {f"sha256 of {name}": digest for name, digest in case.sources.items()}
    return found
