"""The paper's claims on Phoenix and on parameters that vary in time, judged by what was run."""

from __future__ import annotations

import numpy as np

from lsm_verify.inverse.claim import QUALIFIED, REFUTED, SUPPORTED, Claim, Verdict
from lsm_verify.inverse.claims import USEFUL
from lsm_verify.inverse.phoenix_predictions import Score
from lsm_verify.inverse.phoenix_study import Study
from lsm_verify.inverse.twins import NOISE, daylight, diurnal_albedo, experiment, in_time
from lsm_verify.parameters import COMBINED

AGREE = 0.05
"""Probability of the difference of two estimators below which they are taken to disagree."""

OTHER_FORCING = "The paper's forcing was another: corrected by a reanalysis, not the tower's."

SEEDS = range(5)
RECOVERED = 1.2
"""Root mean square error in units of its Cramér-Rao bound up to which a recovery is efficient."""

MOST = 0.010
"""And of the albedo's error itself."""

CLAIMED = ("outgoing longwave, emitted alone", "turbulent flux", "ground heat flux at 0.02 m")
"""The flux at the surface is not among them: its error is that of the other two with the sign
changed."""


def estimates(study: Study) -> Claim:
    """Judge: at Phoenix λ, C and h(1+1/β) are reliably estimated."""
    fit = study.tied
    values = fit.ordinary
    named = [k for k, label in enumerate(values.labels) if label != "bottom_temperature"]
    relative = {values.labels[k]: float(values.deviation[k] / values.estimate[k]) for k in named}
    told = sum(r <= USEFUL for r in relative.values())
    agree = fit.agreement.probability >= AGREE
    verdict: Verdict = SUPPORTED if told == len(relative) and agree else REFUTED
    if told and verdict == REFUTED:
        verdict = QUALIFIED
    labels = list(values.labels)
    longest = fit.bounds[-1]
    started = study.spun_up.ordinary.estimate[labels.index(COMBINED)]
    evidence = (
        "With intervals that respect the correlation of the residuals (after 24 h "
        f"{fit.residuals.after_day[0]:.2f} and {fit.residuals.after_day[1]:.2f}): "
        + ", ".join(
            f"{labels[k]} {values.estimate[k]:.4g} ± {values.deviation[k]:.2g}" for k in named
        )
        + f" (one standard error: {', '.join(f'{100 * r:.0f} %' for r in relative.values())}). "
        "Independent errors would promise "
        + ", ".join(f"± {fit.white.deviation[k]:.2g}" for k in named)
        + f". Generalised least squares {'agree' if agree else 'do not agree'} with least squares "
        f"(probability {fit.agreement.probability:.2g})"
        f"{'. ' if agree else ': the model or the form of the noise is wrong. '}"
        f"The errors are lower limits: the record prefers a noise that is coherent for longer than "
        f"itself, and with up to {longest.bound:.0f} h allowed they are "
        + ", ".join(f"± {longest.deviation[k]:.2g}" for k in named)
        + f" (probability of agreement {longest.probability:.2g}). "
        f"Started from a spun-up profile instead of T⁰ = T_b, h(1+1/β) becomes {started:.3g}. "
        f"Soil temperatures are digitised from the published figure. {OTHER_FORCING}"
    )
    return Claim(
        "Phoenix",
        "At Phoenix λ, C and h(1+1/β) are reliably estimated.",
        verdict,
        evidence,
        {
            "estimates": dict(zip(labels, values.estimate.tolist(), strict=True)),
            "deviations": dict(zip(labels, values.deviation.tolist(), strict=True)),
            "deviations_of_independent_errors": dict(
                zip(labels, fit.white.deviation.tolist(), strict=True)
            ),
            "deviations_of_longer_coherence": dict(
                zip(labels, longest.deviation.tolist(), strict=True)
            ),
            "probability_of_agreement": fit.agreement.probability,
        },
        "python tools/phoenix_study.py",
    )


def predictions(study: Study) -> Claim:
    """Judge: longwave, soil heat flux and turbulent flux are predicted.

    Supported: no bias beyond two of its standard errors. With qualification: none beyond that and
    what the uncertainty of the parameters lets be expected.
    """
    scores = [s for s in study.scores if s.quantity in CLAIMED]
    verdict: Verdict = REFUTED
    if all(_within(s, s.bias_error) for s in scores):
        verdict = SUPPORTED
    elif all(_within(s, float(np.hypot(s.bias_error, s.bias_parameters))) for s in scores):
        verdict = QUALIFIED
    told = "; ".join(
        f"{s.quantity}: bias {s.bias:.3g} ± {s.bias_error:.2g}, RMSE {s.rmse:.3g} {s.unit}, "
        f"the parameters' uncertainty gives the bias ± {s.bias_parameters:.2g}, correlation "
        f"{s.correlation:.2f}"
        for s in scores
    )
    reflected = next(s for s in study.scores if "with the reflected" in s.quantity)
    return Claim(
        "predictions",
        "The calibrated model predicts longwave, soil heat flux and turbulent flux.",
        verdict,
        f"Against the tower over {scores[0].count} hours, from soil temperature alone. {told}. "
        f"With the reflected (1-ε)LWdown that the surface also sends up, the bias of longwave is "
        f"{reflected.bias:.3g} {reflected.unit}. The tower has no ground heat flux: the balance of "
        "its other fluxes stands in, with their closure error. Days held out: reports/phoenix.md. "
        f"{OTHER_FORCING}",
        {s.quantity: {"bias": s.bias, "rmse": s.rmse} for s in study.scores},
        "python tools/phoenix_study.py",
    )


def _within(score: Score, error: float) -> bool:
    return abs(score.bias) <= 2 * error


def in_time_by_gradients() -> Claim:
    """Judge: parameters that vary in time can be estimated by gradients."""
    case = in_time({"albedo": diurnal_albedo()}, known=True)
    found = experiment(case, "albedo", seeds=SEEDS, where=daylight())
    bound = found.limits[0]
    efficient = found.rmse <= min(RECOVERED * bound, MOST)
    blind = int(np.count_nonzero(~found.bound.seen[: daylight().size] & ~daylight()))
    return Claim(
        "time",
        "Parameters that vary in time can be estimated by gradients.",
        SUPPORTED if efficient else REFUTED,
        "Albedo per step on the twin, all else known, 0 and 0.05 m, noise "
        f"{NOISE:g} K, {len(found.runs)} records: "
        f"RMSE over daylight {found.rmse:.4f} ± {found.standard_error:.4f}, its Cramér-Rao bound "
        f"{bound:.4f}. At {blind} night steps it has no effect and is not identifiable.",
        {"rmse": found.rmse, "standard_error": found.standard_error, "bound": bound},
        "python tools/time_dependent.py",
    )
