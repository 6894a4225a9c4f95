"""The limits of the checks against the clean distribution: what right code gives, and how often.

A limit is worth what is known of the values that correct routes give. `measure` takes every
statistic on one drawn column; `summarise` turns many into quantiles beside the limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs, Objective, probe_weights
from lsm_verify.routes import MODELS, ROUTES
from lsm_verify.verify import (
    agreement,
    conservation,
    differences,
    dot_product,
    finite_difference,
    kinks,
    lines,
    taylor,
)
from lsm_verify.verify.draws import draw_case, draw_inputs
from lsm_verify.verify.examine import agree
from lsm_verify.verify.result import CheckResult, Verdict
from lsm_verify.verify.target import Sample, Target, of_inputs

SCHEMA_VERSION = 1
SEED = 20120501
QUANTILES = (0.5, 0.9, 0.99, 0.999)
FEWEST = 1000
"""Configurations that a calibration needs."""

FEWEST_CASES = {"gate": 100, "fast_gate": 10_000}
"""Clean cases on which the gates are to have run for the committed calibration."""

MOST_INCONCLUSIVE = 0.01
"""Share of all verdicts that may be inconclusive."""

COVERED = 0.9999
"""Share of derivatives whose error U must cover: it holds three standard deviations of the noise
and the change by the last extrapolation, of which either alone is exceeded now and then."""

LIMITS: dict[str, tuple[float, float | None]] = {
    "agreement on J, max z": (agreement.PASS_Z, agreement.FAIL_Z),
    "agreement on the probe, max z": (agreement.PASS_Z, agreement.FAIL_Z),
    "dot-product, max η": (dot_product.PASS_ETA, dot_product.FAIL_ETA),
    "dot-product per step, max η": (dot_product.STEP_PASS_ETA, dot_product.STEP_FAIL_ETA),
    "Taylor remainder, max |rate - 3|": (taylor.WIDTH, None),
    "finite differences, max |error|/U": (1.0, None),
    "finite differences, max U s/‖g∘s‖": (finite_difference.TOLERANCE, None),
    "energy, residual/ε Σ|terms|": (conservation.LIMIT, conservation.LIMIT),
}
"""Statistic to its limits: PASS up to the first, FAIL beyond the second.

None: beyond the first nothing fails. A rate may be off because the third derivative vanishes along
a direction; the check fails only if a linear error explains it.
"""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One configuration: its number, the value of every statistic, and what the checks said.

    ``verdicts`` are triples of check, verdict and reason; ``derivatives`` were taken by differences
    and ``uncovered`` of them have an error beyond U.
    """

    index: int
    values: dict[str, float]
    verdicts: tuple[tuple[str, str, str], ...]
    derivatives: int
    uncovered: int


def measure(index: int, seed: int = SEED) -> Measured:
    """Draw configuration ``index`` and take every statistic at its start.

    Parameters
    ----------
    index, seed : int
        The configuration is drawn from ``default_rng([seed, index])``, whatever came before.
    """
    return measure_inputs(draw_inputs(np.random.default_rng([seed, index])), index)


def measure_inputs(inputs: Inputs, index: int) -> Measured:
    """Take every statistic of given inputs; ``index`` seeds directions and copies."""
    probe = Objective("probe", probe_weights(inputs, index))
    inputs = replace(inputs, objectives=(Objective(), probe))
    routes = [route for route in ROUTES.values() if route.exact and not route.short]
    target = of_inputs(inputs, routes)
    samples = {route.name: target.sample(route.name, index) for route in routes}
    agreements = agree(target, samples, point="start", seed=index)
    checks = [a.result for a in agreements if a is not None]
    values = dict(zip(LIMITS, (c.value for c in checks), strict=False))
    whole = dot_product.dot_product(inputs, point="start", seed=index)
    steps = dot_product.step_products(inputs, point="start", seed=index)
    values["dot-product, max η"] = whole.value
    values["dot-product per step, max η"] = steps.value
    checks += [whole, steps]
    norms = [a.norm for a in agreements if a is not None]
    rates, covered, differences = _differences(target, samples, norms, index)
    values |= rates
    checks += differences
    energy = [
        conservation.closure(inputs, model([inputs])[0][0], point="start", subject=name)
        for name, model in MODELS.items()
    ]
    values["energy, residual/ε Σ|terms|"] = max(c.value for c in energy)
    checks += energy
    said = tuple((c.check, str(c.verdict), c.reason.name if c.reason else "") for c in checks)
    return Measured(index, values, said, covered.size, int(np.sum(~(covered <= 1.0))))


def _differences(
    target: Target, samples: dict[str, list[Sample]], norms: list[float], index: int
) -> tuple[dict[str, float], Array, list[CheckResult]]:
    """Take statistics of differences and remainders on both objectives, |error|/U of each too.

    The truth is the complex step, whose own error is a thousand times smaller.
    """
    found = differences.estimate(target, seed=index)
    along = lines.along(target, index)
    covered, reach, off = [], [], []
    checks = []
    for o, objective in enumerate(target.objectives):
        gradients = {name: s[o].gradient for name, s in samples.items()}
        exact = gradients["complex-step"] * target.unit
        error = np.abs(found.value[o] - exact)
        with np.errstate(invalid="ignore", divide="ignore"):
            covered.append(np.where(error == 0, 0.0, error / found.uncertainty[o]))
        reach.append(np.max(found.uncertainty[o] / found.along.size) / norms[o])
        result, _ = finite_difference.confirm_all(
            found, o, gradients, norms[o], point="start", objective=objective
        )
        remainder = taylor.taylor(
            target,
            along,
            o,
            gradients,
            norms[o],
            point="start",
            seed=index,
            tolerance=finite_difference.TOLERANCE,
        )
        kink = kinks.judge(
            target, along, o, gradients, norms[o], point="start", primary=False, seed=index
        )
        checks += [result, remainder, kink]
        off.append(remainder.value)
    every = np.concatenate(covered)
    values = {
        "Taylor remainder, max |rate - 3|": max(off),
        "finite differences, max |error|/U": float(np.max(every)),
        "finite differences, max U s/‖g∘s‖": float(max(reach)),
    }
    return values, every, checks


def gate(index: int, seed: int = SEED, *, fast: bool = False) -> dict[str, Any]:
    """Run the gate, whole or fast, on drawn case ``index``: its verdict, and what checks said."""
    from lsm_verify.verify.run import verify

    case = draw_case(np.random.default_rng([seed, index]))
    report = verify(case, points=0, seed=index, fast=fast)
    return {
        "index": index,
        "verdict": str(report.verdict),
        "exit_code": report.exit_code,
        "checks": [
            [c.check, str(c.verdict), c.reason.name if c.reason else ""]
            for c in report.checks
            if not c.covered
        ],
    }


def summarise(measured: Iterable[Measured]) -> dict[str, Any]:
    """Return quantiles and counts as plain JSON types."""
    everything = sorted(measured, key=lambda m: m.index)
    statistics = {}
    for name, (passes, fails) in LIMITS.items():
        values = np.array([m.values[name] for m in everything])
        worst = int(np.argmax(values))
        statistics[name] = {
            "quantiles": {str(q): float(np.quantile(values, q)) for q in QUANTILES},
            "max": float(values[worst]),
            "max_at": everything[worst].index,
            "pass_limit": passes,
            "fail_limit": fails,
            "beyond_pass": int(np.sum(~(values <= passes))),
            "beyond_fail": 0 if fails is None else int(np.sum(~(values <= fails))),
        }
    said = [v for m in everything for v in m.verdicts]
    return {
        "schema_version": SCHEMA_VERSION,
        "count": len(everything),
        "statistics": statistics,
        "derivatives": sum(m.derivatives for m in everything),
        "uncovered": sum(m.uncovered for m in everything),
        "verdicts": _counted(said, lambda v: v[1]),
        "reasons": _counted(
            [v for v in said if v[1] != Verdict.PASS], lambda v: f"{v[0]}: {v[1]}, {v[2]}"
        ),
    }


def _counted(
    said: list[tuple[str, str, str]], key: Callable[[tuple[str, str, str]], str]
) -> dict[str, int]:
    return dict(sorted(Counter(map(key, said)).items()))


def complaints(content: dict[str, Any]) -> list[str]:
    """Return what does not hold of a calibration: limits not the code's, or not kept."""
    found = []
    if content["count"] < FEWEST:
        found.append(f"{content['count']} configurations; {FEWEST} are wanted")
    for name, (passes, fails) in LIMITS.items():
        one = content["statistics"].get(name)
        if one is None:
            found.append(f"{name} is missing")
            continue
        if (one["pass_limit"], one["fail_limit"]) != (passes, fails):
            found.append(f"{name}: calibrated for other limits than the code's {passes}, {fails}")
        if fails is not None and not one["max"] <= passes:
            found.append(f"{name}: clean maximum {one['max']:.3g} beyond the limit {passes}")
    if not content["uncovered"] <= (1 - COVERED) * content["derivatives"]:
        found.append(f"U leaves {content['uncovered']} of {content['derivatives']} uncovered")
    total = sum(content["verdicts"].values())
    if content["verdicts"].get("FAIL", 0):
        found.append(f"{content['verdicts']['FAIL']} clean checks fail")
    open_ = total - content["verdicts"].get("PASS", 0)
    if not open_ < MOST_INCONCLUSIVE * total:
        found.append(f"{open_} of {total} clean checks are inconclusive")
    for key, wanted in FEWEST_CASES.items():
        ran = content.get(key) or {"count": 0, "runs": {}}
        name, count = f"the {key.replace('_', ' ')}", ran["count"]
        if count < wanted:
            found.append(f"{name} ran on {count} cases; {wanted} are wanted")
        if ran["runs"].get("FAIL", 0):
            found.append(f"{name} fails {ran['runs']['FAIL']} clean cases")
        open_ = count - ran["runs"].get("PASS", 0)
        if not open_ < MOST_INCONCLUSIVE * count:
            found.append(f"{name} does not pass {open_} of {count} cases")
    if any(reason.endswith(", ") for reason in content["reasons"]):
        found.append("a verdict without a reason")
    return found
