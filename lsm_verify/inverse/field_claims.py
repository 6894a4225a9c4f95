"""The paper's claims on Phoenix and on parameters that vary in time, judged by what was run."""

from __future__ import annotations

import numpy as np

from lsm_verify.inverse.claim import QUALIFIED, REFUTED, SUPPORTED, Claim, Verdict
from lsm_verify.inverse.claims import USEFUL
from lsm_verify.inverse.phoenix_noise import LEVEL, Bounded, not_rejected, rejection
from lsm_verify.inverse.phoenix_predictions import Score
from lsm_verify.inverse.phoenix_study import Fit, Study
from lsm_verify.inverse.twins import NOISE, daylight, diurnal_albedo, experiment, in_time
from lsm_verify.parameters import COMBINED, Parameters

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
    """Judge: at Phoenix λ, C and h(1+1/β) are reliably estimated.

    What is said must hold under every noise that the record does not reject against the best one
    (`not_rejected`): a parameter is told if its relative standard error is at most ``USEFUL`` under
    all of them, and the estimators agree if they do under all. Supported: all are told, and the
    estimators agree. With qualification: some are told.
    """
    fit = study.tied
    values, kept = fit.ordinary, not_rejected(fit.bounds)
    labels = list(values.labels)
    named = [k for k, label in enumerate(labels) if label != "bottom_temperature"]
    worst = {
        labels[k]: max(float(b.deviation[k] / abs(values.estimate[k])) for b in kept) for k in named
    }
    told = sum(r <= USEFUL for r in worst.values())
    agree = all(b.probability >= AGREE for b in kept)
    verdict: Verdict = REFUTED
    if told:
        verdict = SUPPORTED if told == len(named) and agree else QUALIFIED
    started = study.spun_up.ordinary
    published = study.case.published or {}
    evidence = (
        "Rule: what is said must hold under every noise that the record does not reject against "
        f"the best (a likelihood ratio above {rejection():.2f}, probability {LEVEL:g}; the record "
        "holds few independent values, for which that threshold is rough). Least squares: "
        + ", ".join(
            f"{labels[k]} {values.estimate[k]:.4g}"
            + _against(float(values.estimate[k]), labels[k], published)
            for k in named
        )
        + ". Relative standard errors of these by the longest coherence of the noise that is "
        "allowed: " + "; ".join(_row(b, fit, named, b in kept) for b in fit.bounds) + ". "
        f"So {told or 'none'} of {len(named)} known to {100 * USEFUL:.0f} % under every noise "
        f"kept, and generalised least squares {'agree' if agree else 'do not agree'} with least "
        f"squares there. Independent errors would promise "
        + ", ".join(
            f"{100 * fit.white.deviation[k] / abs(values.estimate[k]):.2g} %" for k in named
        )
        + ". Started from a spun-up profile instead of T⁰ = T_b, h(1+1/β) becomes "
        f"{started.estimate[labels.index(COMBINED)]:.3g}. "
        f"Soil temperatures are digitised from the published figure. {OTHER_FORCING}"
    )
    return Claim(
        "Phoenix",
        "At Phoenix λ, C and h(1+1/β) are reliably estimated.",
        verdict,
        evidence,
        {
            "estimates": dict(zip(labels, values.estimate.tolist(), strict=True)),
            "deviations_of_independent_errors": dict(
                zip(labels, fit.white.deviation.tolist(), strict=True)
            ),
            "largest_relative_errors_of_noises_kept": worst,
            "threshold": rejection(),
            "noises": [
                {
                    "coherence_allowed": b.bound,
                    "coherence": b.coherence,
                    "criterion": b.criterion,
                    "kept": b in kept,
                    "probability_of_agreement": b.probability,
                    "deviations": dict(zip(labels, b.deviation.tolist(), strict=True)),
                }
                for b in fit.bounds
            ],
        },
        "python tools/phoenix_study.py",
    )


def _against(value: float, label: str, published: Parameters) -> str:
    """Say how far an estimate lies from the published one."""
    if label not in published:
        return ""
    other = float(np.asarray(published[label]))
    return f" ({100 * (value / other - 1):+.0f} % against the published {other:.4g})"


def _row(noise: Bounded, fit: Fit, named: list[int], kept: bool) -> str:
    errors = " / ".join(
        f"{100 * noise.deviation[k] / abs(fit.ordinary.estimate[k]):.0f}" for k in named
    )
    above = noise.criterion - min(b.criterion for b in fit.bounds)
    verdict = "kept" if kept else "rejected"
    return (
        f"{noise.bound:.0f} h: {errors} % ({verdict}, ratio {above:.1f}, agreement "
        f"{noise.probability:.2g})"
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
        "lsm-verify reproduce",
    )
