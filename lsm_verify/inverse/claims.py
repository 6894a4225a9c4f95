"""The paper's claims on its twin, judged by what was run: statement, evidence, verdict.

Every verdict is computed: a changed model changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lsm_verify.cases import load_case
from lsm_verify.inverse.claim import QUALIFIED, REFUTED, SUPPORTED, Claim, Verdict
from lsm_verify.inverse.directions import SEEN, WEAK
from lsm_verify.inverse.experiments import (
    NOISE,
    Experiment,
    against_published,
    truth,
    worst_error,
)
from lsm_verify.inverse.identifiability import Bound, Identifiability
from lsm_verify.inverse.outcome import CONVERGED
from lsm_verify.parameters import SEPARATE
from lsm_verify.routes import gradient

REACHED = 1e-8
"""Relative error up to which a start counts as having reached the truth."""

NULL = 1e-14
"""Singular value, in units of the largest, up to which a direction is invisible."""

NEAR = 0.3, 0.10
"""Distance of means, in published spreads, and of spreads, as a share, up to which the paper counts
as repeated."""

STENCIL = 1e-9  # K
"""Difference of two right solutions: a thousand times the published iteration's tolerance."""

USEFUL = 0.10
"""Relative standard deviation up to which a parameter counts as told by the observations."""


def one_depth(one: Experiment, two: Experiment, biases: dict[int, tuple[float, float]]) -> Claim:
    """Judge: observations at one depth are not enough."""
    error = worst_error(one.exact, one.case)
    conditions = [e.identified[0].seen_condition_number for e in (one, two)]
    deviations = [
        {sigma: _relative(found, "thermal_conductivity")
         for sigma, found in zip(NOISE, e.identified, strict=True)}
        for e in (one, two)
    ]  # fmt: skip
    exact = error <= REACHED and set(one.exact.status) == {CONVERGED}
    weak = deviations[0][NOISE[1]] > USEFUL
    verdict: Verdict = QUALIFIED if exact and weak else SUPPORTED if weak else REFUTED
    means = [mean for mean, _ in biases.values()]
    right = truth(one.case)["thermal_conductivity"]
    shrinks = all(abs(b - right) < abs(a - right) for a, b in pairwise(means))
    evidence = (
        f"Without noise {'every' if exact else 'not every'} start reaches the truth by least "
        f"squares (largest relative error {error:.1e}): one depth is not blind but "
        f"ill-conditioned, "
        f"{conditions[0]:.0f} against {conditions[1]:.0f}. "
        f"{_weakest(one.identified[1])} "
        "Least standard deviation of λ for noise of "
        + ", ".join(f"{s:g}" for s in NOISE)
        + " K: "
        + " / ".join(f"{100 * deviations[0][s]:.2g}" for s in NOISE)
        + " % with one depth, "
        + " / ".join(f"{100 * deviations[1][s]:.2g}" for s in NOISE)
        + " % with two. The published bias of λ "
        + ("shrinks" if shrinks else "does not shrink steadily")
        + " with Adam's iterations: "
        + ", ".join(f"{n}: {m:.2f} ± {s:.2f}" for n, (m, s) in biases.items())
        + f" W m-1 K-1 (truth {right:g})."
    )
    return Claim(
        "one depth",
        "Soil temperature at one depth does not determine the parameters.",
        verdict,
        evidence,
        {
            "largest_relative_error": error,
            "condition_numbers": conditions,
            "relative_deviation_of_conductivity": [
                {f"{s:g} K": d for s, d in each.items()} for each in deviations
            ],
            "conductivity_by_iterations": {str(n): list(pair) for n, pair in biases.items()},
        },
    )


def two_depths(two: Experiment) -> Claim:
    """Judge: observations at two depths are enough."""
    error = worst_error(two.exact, two.case)
    bounds = {b.label: b.relative for b in _told(two.identified[1])}
    reached = error <= REACHED and set(two.exact.status) == {CONVERGED}
    mean, spread = against_published(two)
    repeated = mean <= NEAR[0] and spread <= NEAR[1]
    verdict: Verdict = REFUTED
    if reached and max(bounds.values()) <= USEFUL:
        verdict = SUPPORTED if repeated else QUALIFIED
    return Claim(
        "two depths",
        "Soil temperature at two depths, one of them the surface, is enough.",
        verdict,
        f"{'All' if reached else 'Not all'} {len(two.exact.start)} starts reach the truth (largest "
        f"relative error {error:.1e}); with noise of "
        f"{NOISE[1]:g} K the least standard deviations are "
        + ", ".join(
            f"{label} {100 * r:.2g} %" if np.isfinite(r) else f"{label}: not identifiable"
            for label, r in bounds.items()
        )
        + ". The paper's Adam with the exact gradient "
        f"{'repeats' if repeated else 'does not repeat'} the paper: means off by at most "
        f"{mean:.2f} published spreads, spreads by at most {100 * spread:.0f} %; h and β only as "
        "h(1+1/β), and beyond the rounding of the published figures.",
        {
            "largest_relative_error": error,
            "relative_deviations": bounds,
            "means_off_in_spreads": mean,
            "spreads_off": spread,
        },
    )


def coefficients(two: Experiment) -> Claim:
    """Judge: h and β cannot be told apart."""
    found = two.identified[0]
    null = [d for d in found.directions if d.kind == "structural"]
    value = float(found.singular_values[-1] / found.singular_values[0])
    proven = bool(null) and value <= NULL
    return Claim(
        "h and β",
        "The heat transfer coefficient and the Bowen ratio cannot be told apart.",
        SUPPORTED if proven else REFUTED,
        null[0].words + "." if null else f"The least singular value is {value:.1e} of the largest.",
        {"least_singular_value": value},
    )


def no_adjoint(routes: Sequence[str] = ("adjoint", "autograd-published")) -> Claim:
    """Judge: there is no adjoint to derive and maintain."""
    case = load_case("twin")
    exact, unrolled = (gradient(case, route=route)[1] for route in routes)
    errors = {name: float(abs(unrolled[name] - exact[name]) / abs(exact[name])) for name in exact}
    worst = max(errors, key=lambda name: errors[name])
    right, useful = errors[worst] <= REACHED, errors[worst] <= USEFUL
    return Claim(
        "no adjoint",
        "Automatic differentiation replaces an adjoint that must be derived and maintained.",
        SUPPORTED if right else QUALIFIED if useful else REFUTED,
        "The gradient of the published solver costs no derivation, but it is that of an iteration "
        f"stopped at 1e-4 K: at the start of the twin it is off by {100 * errors[worst]:.2g} % in "
        f"{worst} ("
        + ", ".join(f"{n} {100 * e:.2g} %" for n, e in errors.items())
        + "). Through a "
        "direct solve autograd is right to round-off: lsm-verify check twin.",
        {"relative_errors": errors},
        "lsm-verify check twin --routes autograd-published --points 0",
    )


def physics(two: Experiment) -> Claim:
    """Judge: the method is entirely physics-based, nothing is trained."""
    difference = _stencil_difference()
    return Claim(
        "physics",
        "The model is the discretised physics; nothing in it is trained.",
        SUPPORTED if difference <= STENCIL else REFUTED,
        "The published convolution has the fixed kernel [1, 0, 1] of the heat equation's stencil; "
        f"the only numbers that are fitted are the {len(two.case.free)} parameters: "
        f"{', '.join(two.case.free)}. The scheme derived by hand from the same equations gives the "
        f"same temperatures to {difference:.1e} K at a Jacobi tolerance of 1e-12 K.",
        {"difference": difference},
        "lsm-verify check twin",
    )


def _stencil_difference() -> float:
    """Largest difference [K] of the published model, converged, and the direct one; ten steps."""
    from lsm_verify.models.simulation import simulate

    case = load_case("twin").window(10)
    ends = [
        simulate(case, model=model, jacobi_tolerance=1e-12)["SoilTemp"].values
        for model in ("published", "direct")
    ]
    return float(np.max(np.abs(ends[0] - ends[1])))


def _told(found: Identifiability) -> list[Bound]:
    """Bounds of all unknowns, h and β by their combination, which alone the model knows."""
    alone = SEPARATE if found.combinations else ()
    return [b for b in (*found.bounds, *found.combinations) if b.label not in alone]


def _relative(found: Identifiability, label: str) -> float:
    return next(b.relative for b in found.bounds if b.label == label)


def _weakest(found: Identifiability) -> str:
    seen = [d for d in found.directions if d.kind in (WEAK, SEEN)]
    return f"Worst direction: {min(seen, key=lambda d: d.singular_value).words}." if seen else ""
