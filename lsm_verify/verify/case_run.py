"""Verification of a case: which points, which routes, and the checks that need our own model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lsm_verify.cases import Case
from lsm_verify.cases.serial import case_to_json
from lsm_verify.inputs import Inputs, Objective, probe_weights
from lsm_verify.parameters import Value
from lsm_verify.routes import MODELS, ROUTES, get_route
from lsm_verify.routes.oracle import step_terms
from lsm_verify.routes.route import Route
from lsm_verify.verify import (
    canaries,
    conservation,
    convergence,
    determinism,
    dot_product,
    localise,
    maps,
    precision,
    second_order,
    solver,
)
from lsm_verify.verify import points as points_
from lsm_verify.verify.examine import Plan, Run, agree, examine
from lsm_verify.verify.result import Verdict
from lsm_verify.verify.target import Sample, Target, of_inputs, sample

WINDOW = 5
"""Steps of the short window on which multiprecision is evaluated."""

EVIDENCE = ("adjoint", "complex-step")
"""Exact routes added when fewer than two are named: a claim needs evidence, which needs a check."""


class CaseRun:
    """One run on a case: its routes, and what is asked of each."""

    def __init__(self, run: Run, case: Case, given: Mapping[str, Route]) -> None:
        self.run = run
        self.case = case
        options = run.options
        if not options.routes:
            run.options = options = replace(options, routes=default_routes())
        chosen = [given.get(name) or get_route(name) for name in options.routes]
        self.exact = [route for route in chosen if route.exact and not route.short]
        for name in EVIDENCE:
            if len(self.exact) < 2 and name not in options.routes:
                self.exact.append(ROUTES[name])
                run.notes.append(f"{name} was added: a gradient is checked against another.")
        self.located = False

    def wants(self, name: str) -> bool:
        """Whether a route was asked for."""
        return name in self.run.options.routes

    def sample(self, route: Route, inputs: Inputs) -> list[Sample]:
        """Evaluate a route with its round-off spread, timed."""
        with self.run.timed(route.name):
            return sample(route, inputs, self.run.options.seed)

    def warm_up(self) -> None:
        """Load and compile what the routes need, so that their times are their own."""
        inputs = self.case.inputs().window(1)
        probe = Objective("probe", probe_weights(inputs, 0, everywhere=True))
        inputs = replace(inputs, objectives=(probe,))
        with self.run.timed("set-up"):
            for route in self.exact:
                sample(route, inputs, 0)
            of_inputs(inputs)


def verify_case(run: Run, case: Case, given: Mapping[str, Route]) -> dict[str, Any]:
    """Run all checks on a case; ``given`` are routes that were handed over as objects.

    Returns what is needed to replay it.
    """
    from lsm_verify.models import published

    run.notes += case.notes
    everything = not run.options.routes
    job = CaseRun(run, case, given)
    published.check_tolerance(run.options.jacobi_tolerance)
    if job.wants("autograd-published"):
        published.check_applicable(case.inputs())
    points = list(_points(run, case))
    window = job.wants("multiprecision") and not run.options.fast
    orders = not run.options.named and not run.options.fast
    run.stages = 1 + len(points) + window + orders
    run.begin("loading and compiling")
    if not run.options.fast:
        job.warm_up()
    for index, (point, values) in enumerate(points):
        run.begin(f"{point}: {', '.join(route.name for route in job.exact)}")
        _check_point(job, point, values, run.options.seed + 100 * index)
    if window:
        _check_window(job)
    if orders:
        run.begin("order of convergence")
        with run.timed("convergence"):
            for model in MODELS:
                run.checks += convergence.convergence(model)
    if everything:
        run.notes.append(
            "autograd-published was not run (thousands of sweeps); name it with "
            "--routes autograd-published"
        )
    return {"kind": "case", "case": case_to_json(case)}


def default_routes() -> tuple[str, ...]:
    """Return the routes that run unless others are named."""
    return tuple(route.name for route in ROUTES.values() if route.default)


def _points(run: Run, case: Case) -> Iterator[tuple[str, dict[str, Value]]]:
    yield "start", case.point("start")
    for index, values in enumerate(case.random_points(run.options.points, run.options.seed)):
        yield f"random {index + 1}", values
    for name in () if run.options.fast else case.points():
        if name != "start":
            yield name, case.point(name)


def _check_point(job: CaseRun, point: str, values: dict[str, Value], seed: int) -> None:
    """Run all checks at one point, on the misfit J and on the probe objective."""
    run, first = job.run, point == "start"
    inputs = job.case.inputs(values, wrt=job.case.free)
    probe = Objective("probe", probe_weights(inputs, seed))
    inputs = replace(inputs, objectives=(Objective(), probe))
    target = of_inputs(inputs, job.exact)
    samples = {route.name: job.sample(route, inputs) for route in job.exact}

    def published(index: int) -> tuple[dict[str, Sample], list[list[Verdict]]]:
        if not (first and index == 0 and job.wants("autograd-published")):
            return {}, []
        with run.timed("autograd-published"):
            result, each, claimed = solver.judge_published(
                inputs,
                samples[job.exact[0].name][0],
                point=point,
                tolerance=run.options.jacobi_tolerance,
                warn=run.warn,
            )
        run.checks.append(result)
        return {"autograd-published": claimed}, [each]

    before = len(run.checks)
    differences = job.wants("finite-difference")
    examine(
        run,
        target,
        samples,
        Plan(
            tolerance=run.options.tolerance,
            differences=differences,
            taylor=differences and not run.options.fast,
            primary=run.options.named,  # what differences say of routes asked for is the gate
            canaries=first,
        ),
        point=point,
        seed=seed,
        rmse=points_.misfit(inputs),
        more=published,
    )
    _locate(job, inputs, before, point, seed)
    with run.timed("dot-product"):
        run.checks.append(dot_product.dot_product(inputs, point=point, seed=seed))
        run.checks.append(dot_product.step_products(inputs, point=point, seed=seed))
        if first and run.checks[-1].verdict is Verdict.PASS:
            terms = step_terms(inputs, np.random.default_rng(seed))
            run.caught |= canaries.of_steps([next(terms) for _ in range(min(2, inputs.steps))])
    with run.timed("energy"):
        for subject, model in MODELS.items():
            T = model([inputs])[0][0]
            budget = conservation.budget(inputs, T)
            run.checks.append(conservation.judged(inputs, budget, point=point, subject=subject))
            if first:
                run.energy.append(conservation.curve(inputs, budget, point=point, model=subject))
    if first:
        with run.timed("maps"):
            compared = not run.options.fast and not run.maps
            run.maps += maps.of_start(inputs, job.exact, point=point, compared=compared)
    if first and not run.options.fast:
        _check_start(job, inputs, target, samples, seed)


def _check_start(
    job: CaseRun,
    inputs: Inputs,
    target: Target,
    samples: Mapping[str, list[Sample]],
    seed: int,
) -> None:
    """Run the checks that one point is enough for."""
    run, point = job.run, "start"
    first = {name: s[0] for name, s in samples.items()}
    with run.timed("determinism"):
        threads = {
            name: answer
            for name, answer in determinism.threaded(inputs).items()
            if name not in ROUTES or name in samples
        }
        run.checks.append(determinism.determinism(target, first, point=point, threads=threads))
    with run.timed("precision"):
        if "autograd" in samples:
            run.checks += precision.single_precision(inputs, samples["autograd"], point=point)
        others = [
            replace(job.case.inputs(values, wrt=job.case.free), objectives=inputs.objectives)
            for values in job.case.random_points(2, seed)
        ]
        for route in job.exact:
            if route.batched:
                run.checks.append(
                    precision.batch_independence(
                        route, inputs, others, samples[route.name][0], point=point
                    )
                )
    if not run.options.named:
        with run.timed("hessian"):
            run.checks += second_order.of_case(inputs, point=point, seed=seed)


def _locate(job: CaseRun, inputs: Inputs, before: int, point: str, seed: int) -> None:
    """Say where routes part, once per run: at the first point at which they do."""
    run = job.run
    failed = [
        k
        for k in range(before, len(run.checks))
        if run.checks[k].check == "agreement" and run.checks[k].verdict is Verdict.FAIL
    ]
    if job.located or not failed:
        return
    job.located = True
    guilty = next((r for r in job.exact if r.name == run.checks[failed[0]].odd_one_out), None)
    suspect = guilty or job.exact[0]
    partner = _partner(job, suspect)
    run.announce(f"locating where {suspect.name} and {partner.name} part")
    with run.timed("localisation"):
        location = localise.localise(inputs, suspect, partner, seed=seed)
    for k in failed:
        run.checks[k] = replace(run.checks[k], location=location)
    labels = [objective.label for objective in inputs.objectives]
    index = labels.index(run.checks[failed[0]].objective)
    with run.timed("maps"):
        run.maps += maps.of_disagreement(inputs, suspect, partner, index, location, point=point)


def _partner(job: CaseRun, route: Route) -> Route:
    """Another route, of the kind that shows the same states if there is one."""
    others = [other for other in job.exact if other is not route]
    alike = [
        other
        for other in others
        if (route.adjoint_states and other.adjoint_states)
        or (route.tangent_states and other.tangent_states)
    ]
    return (alike or others)[0]


def _check_window(job: CaseRun) -> None:
    """Hold the exact routes against multiprecision on the first steps.

    Where nothing is observed so early, the probe alone is judged, as if all states were.
    """
    run, seed = job.run, job.run.options.seed
    steps = min(WINDOW, job.case.forcing.steps)
    run.begin(f"multiprecision on the first {steps} steps")
    inputs = job.case.inputs().window(steps)
    observed = any(np.any(s.weights > 0) for s in inputs.series)
    probe = Objective("probe", probe_weights(inputs, seed, everywhere=not observed))
    inputs = replace(inputs, objectives=(Objective(), probe) if observed else (probe,))
    samples = {r.name: job.sample(r, inputs) for r in (*job.exact, ROUTES["multiprecision"])}
    target, point = of_inputs(inputs), f"first {steps} steps"
    for index, agreed in enumerate(agree(target, samples, point=point, seed=seed)):
        assert agreed is not None  # there are at least two routes
        run.checks.append(agreed.result)
        run.points.append(
            points_.describe(
                target,
                {name: s[index] for name, s in samples.items()},
                index=index,
                agreed=agreed,
                norm=agreed.norm,
                point=point,
                rmse=points_.misfit(inputs) if target.objectives[index] == "J" else None,
            )
        )
