"""Verification of any problem: its claimed gradients against each other and against differences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lsm_verify.errors import InputError, unknown
from lsm_verify.verify import (
    agreement,
    determinism,
    differences,
    finite_difference,
    localise,
    maps,
    operator,
    second_order,
)
from lsm_verify.verify.examine import Plan, Run, examine
from lsm_verify.verify.problem import Problem, of_problem, ulp_points
from lsm_verify.verify.result import CheckResult, Location, Reason, Verdict
from lsm_verify.verify.target import Target, norm_of

POINT = "point"
LOCATED = ("agreement", "finite-difference")
"""Checks whose failure is located."""

MOST = 32
"""Numbers of a parameter up to which each is differentiated by itself."""


def verify_problem(run: Run, problem: Problem) -> dict[str, Any]:
    """Run all checks that a problem allows; returns what is needed to replay it."""
    names = run.options.routes or tuple(problem.gradients)
    for name in names:
        if name not in problem.gradients:
            raise unknown(f"gradient (of {problem.name})", name, problem.gradients)
    run.options = replace(run.options, routes=names)
    run.notes += problem.notes
    seed = run.options.seed
    if problem.operator is not None:
        with run.timed("dot-product"):
            run.checks.append(
                operator.operator_product(
                    problem.operator,
                    seed=seed,
                    tolerance=run.options.tolerance,
                    point=POINT,
                    name=problem.name,
                )
            )
    if not names and not run.checks:
        run.checks.append(_nothing(problem))
        return {"kind": "problem"}
    hessian = bool(problem.hessian_products) and not run.options.fast
    run.stages = len(names) + 2 * bool(names) + hessian
    target = of_problem(problem)
    samples = {}
    for name in names:
        run.begin(f"gradient {name}")
        with run.timed(name):
            samples[name] = target.sample(name, seed)
    if samples:
        before = len(run.checks)
        run.begin("differences of the objective")
        examine(
            run,
            target,
            samples,
            Plan(
                tolerance=run.options.tolerance,
                taylor=not run.options.fast,
                most=MOST,
                primary=True,
                canaries=True,
                agreement=run.options.tolerance,
            ),
            point=POINT,
            seed=seed,
        )
        _locate(run, problem, target, before)
        first = {name: s[0] for name, s in samples.items()}
        run.begin("determinism")
        with run.timed("determinism"):
            run.checks.append(
                determinism.determinism(target, first, point=POINT, tolerance=run.options.tolerance)
            )
        wrong = any(c.check in LOCATED and c.verdict is Verdict.FAIL for c in run.checks)
        if problem.hessian_products and wrong:
            run.notes.append("Hessian products were not judged: the gradient beside them is wrong.")
        elif problem.hessian_products and not run.options.fast:
            run.begin("Hessian products")
            with run.timed("hessian"):
                run.checks += second_order.of_problem(
                    problem,
                    target,
                    names[0],
                    point=POINT,
                    seed=seed,
                    tolerance=run.options.tolerance,
                )
    return {"kind": "problem"}


def _nothing(problem: Problem) -> CheckResult:
    return CheckResult(
        check="agreement",
        point=POINT,
        objective="J",
        subject="",
        verdict=Verdict.INCONCLUSIVE,
        primary=True,
        statistic="routes",
        value=0.0,
        pass_limit=0.0,
        fail_limit=0.0,
        reason=Reason.NOTHING,
        message=f"{problem.name} claims no gradient; give gradients={{'mine': function}}",
    )


def _locate(run: Run, problem: Problem, target: Target, before: int) -> None:
    """Attach to a wrong gradient where it goes wrong, as far as the problem lets that be seen."""
    failed = [
        k
        for k in range(before, len(run.checks))
        if run.checks[k].check in LOCATED and run.checks[k].verdict is Verdict.FAIL
    ]
    if not failed:
        return
    with run.timed("localisation"):
        location = _by_states(problem, target, run)
        location = location or _by_time(problem, run, run.checks[failed[0]])
    run.checks[failed[0]] = replace(run.checks[failed[0]], location=location)


def _by_states(problem: Problem, target: Target, run: Run) -> Location | None:
    """First step and node, going backward in time, at which two routes' states part.

    The states are mapped, too: a problem is asked for them only where its gradient is wrong.
    """
    if len(problem.states) < 2:
        return None
    a, b = list(problem.states)[:2]
    points = ulp_points(target.x, target.dtype, np.random.default_rng(0))
    states = [np.stack([problem.states_at(name, p) for p in points]) for name in (a, b)]
    if states[0].shape != states[1].shape:
        raise InputError(
            f"{problem.name}: states of {a} and {b} have shapes {states[0].shape[1:]} and "
            f"{states[1].shape[1:]}; give both the same."
        )
    spread = np.hypot(*(each[1:].std(axis=0, ddof=1) for each in states))
    spread = spread + np.finfo(float).eps * np.max(np.abs(states[0][0]))
    found = localise.first_divergence(states[0][0], states[1][0], spread, backward=True)
    pair = [states[0][0], states[1][0]]
    if found is None:
        run.maps += maps.of_states(pair, (a, b), None, point=POINT)
        return None
    step, node = found
    location = Location(
        step=step,
        node=node,
        term="unknown",
        route="",
        sentence=(
            f"state {step}, node {node}: going backward in time, the adjoint states of {a} and "
            f"{b} part here first; terms are known for our own model only"
        ),
    )
    run.maps += maps.of_states(pair, (a, b), location, point=POINT)
    return location


def _by_time(problem: Problem, run: Run, result: CheckResult) -> Location:
    """Parameters, and the first observation whose inclusion makes the gradient wrong."""
    named = ", ".join(result.parameters)
    count = None
    if problem.truncated is not None and problem.length > 0:
        count = localise.bisect(lambda k: _is_wrong(problem.cut(k), run), problem.length)
    if count is None:
        sentence = (
            f"only the parameters are known ({named}): give states= to Problem to learn step and "
            "node, or truncated= and length= to learn the step"
        )
        return Location(None, None, "unknown", "", sentence, named)
    sentence = f"the gradient by {named} goes wrong with observation {count - 1} (0 is the first)"
    return Location(count - 1, None, "unknown", "", sentence, named)


def _is_wrong(part: Problem, run: Run) -> bool:
    """Whether the claims differ from each other or from differences, beyond all uncertainty."""
    target = of_problem(part)
    seed, tolerance = run.options.seed, run.options.tolerance
    samples = {name: target.sample(name, seed)[0] for name in run.options.routes}
    if len(samples) > 1:
        agreed = agreement.compare(
            target, samples, point=POINT, objective="J", seed=seed, tolerance=tolerance
        )
        return agreed.result.verdict is Verdict.FAIL
    found = differences.estimate(target, most=MOST, seed=seed)
    gradients = {name: s.gradient for name, s in samples.items()}
    norm = max(norm_of(g * target.scale) for g in gradients.values())
    result, _ = finite_difference.confirm_all(
        found, 0, gradients, norm, point=POINT, objective="J", tolerance=tolerance
    )
    return result.verdict is Verdict.FAIL
