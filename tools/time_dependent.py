"""Recover parameters that vary in time, and say how well.

Run from the repository: ``python tools/time_dependent.py --data DIR`` (some five minutes on one
core) writes reports/time_dependent.json, time_dependent.md and figures/time_dependent.png. All
draws are seeded: seeds 0, 1, 2, … of the errors of observation. A test recomputes a part.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices of 200 × 100: threads only wait

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np

import lsm_verify as lv
from lsm_verify.cases.phoenix import START
from lsm_verify.cases.twin import DEPTHS
from lsm_verify.datasets import find
from lsm_verify.datasets.locate import TOWER_FILE
from lsm_verify.datasets.wind import read_wind_speed
from lsm_verify.files import replacing, write_text
from lsm_verify.inverse import twins
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.change import locate_change
from lsm_verify.inverse.drivers import linear
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.recovery import bound, synthetic
from lsm_verify.inverse.smoothness import Smoothness, choose_smoothness
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.twins import NOISE, Experiment, experiment, in_time
from lsm_verify.inverse.varying import combined
from lsm_verify.parameters import COMBINED
from lsm_verify.verify.provenance import provenance

FOLDER = Path(__file__).parents[1] / "reports"
COMMAND = "python tools/time_dependent.py"
DEEP = (0.05, 0.15)
WHERE = {"0 and 0.05 m": DEPTHS, "0.05 and 0.15 m": DEEP}
GRIDS = {"albedo": np.geomspace(0.002, 0.2, 9), COMBINED: np.geomspace(0.05, 20.0, 9)}
"""Deviations of differences that are tried: up to the width of the ranges."""

SLOPES = {"offset": (0.0, 30.0), "slope": (0.0, 8.0)}
LAG = 24  # hours
"""Lag up to which residuals are taken for correlated: they repeat daily."""

HELD_OUT = 100
"""Steps of Phoenix to which the hold-out is fitted; the rest is predicted."""


def say(text: str) -> None:
    """Tell how far it has come."""
    print(text, file=sys.stderr, flush=True)


def told(found: Experiment, priors: Sequence[Prior]) -> dict[str, Any]:
    """Return numbers of an experiment."""
    alone, posterior, expected = found.limits
    return {
        "priors": [repr(prior) for prior in priors],
        "records": len(found.runs),
        "steps": int(np.count_nonzero(found.where)),
        "not_identifiable": int(np.count_nonzero(~found.runs[0].identifiable)),
        "rmse": found.rmse,
        "standard_error": found.standard_error,
        "spread": found.spread,
        "bound": alone if np.isfinite(alone) else None,
        "bayesian_bound": posterior,
        "expected": expected,
        "rmse_of_records": np.sqrt(found.squares).tolist(),
    }


def chosen(found: Smoothness, truth: Any, where: Any = slice(None)) -> dict[str, Any]:
    """Return a choice of the smoothness beside the true errors."""
    errors = [
        float(np.sqrt(np.mean((c.parameters()[found.name] - truth)[where] ** 2)))
        for c in found.calibrations
    ]
    best = int(np.argmin(errors))
    return {
        "deviations": found.deviations.tolist(),
        "log_evidence": (found.log_evidence - found.log_evidence.max()).tolist(),
        "misfit": found.misfit.tolist(),
        "roughness": found.roughness.tolist(),
        "choice": found.choice,
        "interval": list(found.interval),
        "at_edge": found.at_edge,
        "corner": found.corner,
        "true_rmse": errors,
        "best": float(found.deviations[best]),
        "least_rmse": errors[best],
        "rmse_at_choice": float(np.interp(np.log(found.choice), np.log(found.deviations), errors)),
    }


def choose(case: lv.Case, name: str, seed: int) -> Smoothness:
    """Choose the smoothness from one record."""
    record = synthetic(case, noise=NOISE, seed=seed)
    return choose_smoothness(record, name, observation_error=NOISE, deviations=GRIDS[name])


def of_albedo(seeds: range, choices: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Recover a diurnal albedo at two pairs of depths, alone and jointly, without and with a prior.

    The prior's smoothness is what the evidence chooses from the record of seed 0.
    """
    truth, day = twins.diurnal_albedo(), twins.daylight()
    numbers: dict[str, Any] = {}
    drawn: dict[str, Any] = {}
    for place, depths in WHERE.items():
        case = in_time({"albedo": truth}, depths=depths)
        picks = [choose(case, "albedo", seed) for seed in range(choices)]
        say(f"albedo at {place}: smoothness {[round(p.choice, 4) for p in picks]}")
        here: dict[str, Any] = {"smoothness": [chosen(p, truth, day) for p in picks]}
        drawn[place] = {}
        for known in (True, False):
            case = in_time({"albedo": truth}, depths=depths, known=known)
            for priors in ([], [picks[0].prior]):
                found = experiment(case, "albedo", seeds=seeds, where=day, priors=priors)
                others = "others known" if known else "others estimated"
                key = f"{others}, {'with prior' if priors else 'no prior'}"
                here[key] = told(found, priors)
                drawn[place][key] = found.runs[0]
                say(f"albedo at {place}, {key}: {found.rmse:.4f} of {found.limits}")
        numbers[place] = here
    return numbers, drawn


def of_step_change(seeds: range, choices: int, located: int) -> tuple[dict[str, Any], Any]:
    """Recover h(1+1/β) that falls once: per step, and as two values and a time."""
    truth = twins.step_change()
    known, unknown = (in_time({COMBINED: truth}, known=k) for k in (True, False))
    picks = [choose(unknown, COMBINED, seed) for seed in range(choices)]
    say(f"step change: smoothness {[round(p.choice, 3) for p in picks]}")
    numbers: dict[str, Any] = {"smoothness": [chosen(p, truth) for p in picks]}
    prior = [picks[0].prior]
    found = {
        "others known, no prior": (experiment(known, COMBINED, seeds=seeds), []),
        "others known, with prior": (experiment(known, COMBINED, seeds=seeds, priors=prior), prior),
        "others estimated, with prior": (
            experiment(unknown, COMBINED, seeds=seeds, priors=prior),
            prior,
        ),
    }
    numbers |= {key: told(each, priors) for key, (each, priors) in found.items()}
    numbers["others estimated, no prior"] = null_directions(unknown)
    changes = []
    for seed in range(located):
        record = synthetic(unknown, noise=NOISE, seed=seed).observations
        twin = replace(combined(lv.load_case("twin")), observations=record)
        at = locate_change(twin, COMBINED, observation_error=NOISE)
        changes.append(
            {
                "step": at.step,
                "likely": list(at.likely),
                "before": [at.before, at.deviation[0]],
                "after": [at.after, at.deviation[1]],
            }
        )
        say(f"change found at {at.step}: {at.before:.2f} to {at.after:.2f}")
    numbers["truth"] = {"before": twins.BEFORE, "after": twins.AFTER, "step": twins.CHANGE}
    numbers["located"] = changes
    return numbers, found["others estimated, with prior"][0].runs[0]


def null_directions(case: lv.Case) -> dict[str, Any]:
    """Say what of a case's unknowns its observations cannot see at the truth, without priors."""
    misfit = Misfit(case, Space.of(case), observation_error=NOISE)
    J = misfit.residuals(misfit.space.scaled(misfit.space.flatten(case.truth or {})))[1]
    s = np.linalg.svd(J, compute_uv=False)
    known = bound(misfit, case.truth or {})
    return {
        "unknowns": len(s),
        "null_directions": int(np.sum(s <= np.finfo(float).eps * max(J.shape) * s[0])),
        "smallest_singular_values": (s[-3:] / s[0]).tolist(),
        "identifiable": [x for x, yes in zip(known.labels, known.identifiable, strict=True) if yes],
    }


def of_wind(seeds: range) -> dict[str, Any]:
    """Recover h(1+1/β) = a + b U of the twin under a synthetic wind, all others estimated."""
    wind = twins.wind_speed()
    truth = {COMBINED: twins.WIND_OFFSET + twins.WIND_SLOPE * wind}
    made = in_time(truth)
    rows = []
    for seed in seeds:
        record = synthetic(made, noise=NOISE, seed=seed).observations
        case = replace(combined(lv.load_case("twin")), observations=record)
        unknowns, compose = linear(case, COMBINED, wind, **SLOPES)
        found = calibrate(case, unknowns, compose=compose, observation_error=NOISE)
        misfit = Misfit(case, found.space, compose=compose, observation_error=NOISE)
        _, J = misfit.residuals(found.space.scaled(found.estimate[0]))
        deviation = np.sqrt(np.diag(np.linalg.inv(J.T @ J))) * found.space.scale
        rows.append([*found.estimate[0][:2], *deviation[:2]])
    a, b, deviation_a, deviation_b = np.array(rows).T
    return {
        "truth": [twins.WIND_OFFSET, twins.WIND_SLOPE],
        "wind": [float(wind.min()), float(wind.mean()), float(wind.max())],
        "records": len(rows),
        "mean": [float(a.mean()), float(b.mean())],
        "spread": [float(a.std(ddof=1)), float(b.std(ddof=1))],
        "standard_error": [float(x.std(ddof=1) / len(rows) ** 0.5) for x in (a, b)],
        "deviation": [float(deviation_a.mean()), float(deviation_b.mean())],
    }


def correlation_time(residuals: Any) -> float:
    """Return 1 + 2 Σ ρ, over the first lags with positive ρ (at most a day), of rows of a series."""
    r = residuals - residuals.mean(axis=1, keepdims=True)
    n = r.shape[1]
    rho = np.array([np.sum(r[:, : n - k] * r[:, k:]) for k in range(LAG)]) / np.sum(r * r)
    end = int(np.argmax(rho <= 0)) or LAG
    return float(1 + 2 * rho[1:end].sum())


def robust(residuals: Any, J: Any) -> Any:
    """Covariance with residuals correlated up to a day and between depths (Newey, West 1987).

    doi:10.2307/1913610. ``residuals`` (depths, times), ``J`` (depths, times, P).
    """
    g = np.einsum("dt,dtp->tp", residuals, J)
    middle = g.T @ g
    for lag in range(1, LAG + 1):
        along = g[lag:].T @ g[:-lag]
        middle += (1 - lag / (LAG + 1)) * (along + along.T)
    inverse = np.linalg.inv(np.einsum("dtp,dtq->pq", J, J))
    return inverse @ middle @ inverse


def of_phoenix(data: Path | None) -> dict[str, Any]:
    """Ask whether h(1+1/β) = a + b U fits Phoenix better than a constant."""
    case = lv.load_case("phoenix", data=data)
    wind = read_wind_speed(find(TOWER_FILE, data), start=START, steps=case.forcing.steps)
    n = 2 * (case.forcing.steps + 1)
    numbers: dict[str, Any] = {
        "title": case.title,
        "sources": dict(case.sources),
        "wind": [float(wind.min()), float(wind.mean()), float(wind.max())],
        "values": n,
    }
    constant = calibrate(case)
    for key, signed in (("a, b ≥ 0", False), ("any sign", True)):
        unknowns, compose = linear(case, COMBINED, wind, **SLOPES, signed=signed)
        found = calibrate(case, unknowns, compose=compose)
        misfit = Misfit(case, found.space, compose=compose)
        r, J = misfit.residuals(found.space.scaled(found.estimate[0]))
        r, J = r.reshape(2, -1), (J / found.space.scale).reshape(2, n // 2, -1)
        gain = n * float(np.log(found.mean_square[0] / constant.mean_square[0]))
        independent = n / 2 / correlation_time(r)  # the two depths taken for one
        naive = np.linalg.inv(np.einsum("dtp,dtq->pq", J, J)) * np.sum(r**2) / (n - 5)
        numbers[key] = {
            "rmse": float(found.rmse[0]),
            "parameters": {k: float(v) for k, v in found.parameters().items()},  # type: ignore[arg-type]
            "at_bound": [
                x for x, hit in zip(found.space.labels, found.at_bound[0], strict=True) if hit
            ],
            "deviation_white": np.sqrt(np.diag(naive))[:2].tolist(),
            "deviation_robust": np.sqrt(np.diag(robust(r, J)))[:2].tolist(),
            "aic": gain + 2,
            "bic": gain + float(np.log(n)),
            "independent_values": independent,
            "aic_of_independent": gain * independent / n + 2,
        }
    numbers["constant"] = {
        "rmse": float(constant.rmse[0]),
        "parameters": {k: float(v) for k, v in constant.parameters().items()},  # type: ignore[arg-type]
    }
    numbers["shifted"] = shifted(case, wind, numbers["any sign"]["rmse"])
    numbers["held_out"] = held_out(case, wind)
    return numbers


def shifted(case: lv.Case, wind: Any, rmse: float) -> dict[str, Any]:
    """Fit with the wind of other hours: count those that do as well as the right one."""
    others = []
    start = None
    for k in range(1, len(wind)):
        unknowns, compose = linear(case, COMBINED, np.roll(wind, k), **SLOPES, signed=True)
        found = calibrate(case, unknowns, compose=compose, starts=start)
        start = found.parameters() if found.reached else start
        others.append(float(found.rmse[0]))
    every = np.array(others)
    return {
        "shifts": len(others),
        "as_good": int(np.sum(every <= rmse)),
        "least": float(every.min()),
        "median": float(np.median(every)),
    }


def held_out(case: lv.Case, wind: Any) -> dict[str, float]:
    """Fit the first 100 hours, predict the last 50: root mean square errors there [K]."""
    errors = {}
    first = case.window(HELD_OUT)
    observed = np.stack([s.values for s in case.observations.series])
    for key, signed in (("constant", None), ("a, b ≥ 0", False), ("any sign", True)):
        if signed is None:
            found = calibrate(first)
            misfit = Misfit(case, found.space)
        else:
            unknowns, compose = linear(first, COMBINED, wind[:HELD_OUT], **SLOPES, signed=signed)
            found = calibrate(first, unknowns, compose=compose)
            _, whole = linear(case, COMBINED, wind, **SLOPES, signed=signed)
            misfit = Misfit(case, found.space, compose=whole)
        y = misfit.evaluator.predict(found.space.scaled(found.estimate))[0]
        after = (y - observed)[:, HELD_OUT + 1 :]
        errors[key] = float(np.sqrt(np.mean(after**2)))
    return errors


def draw(content: dict[str, Any], albedo: dict[str, Any], coefficient: Any, path: Path) -> None:
    """Plot what was recovered from the record of seed 0, and the evidence."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 6.6))
    hours = np.arange(1, 101)
    day = twins.daylight()
    for axis, place in zip(axes[0], WHERE, strict=True):
        for key, colour, label in (
            ("others estimated, no prior", "C0", "per step, no prior"),
            ("others estimated, with prior", "C3", "smoothness chosen by the evidence"),
        ):
            run = albedo[place][key]
            axis.errorbar(
                hours, run.estimate, 1.96 * run.deviation, fmt=".", color=colour, ms=4, lw=0.8,
                label=label,
            )  # fmt: skip
        axis.plot(hours, twins.diurnal_albedo(), color="k", lw=1, label="truth")
        axis.fill_between(
            hours, 0, 1, where=~day, step="mid", color="0.9", transform=axis.get_xaxis_transform(),
            label="night: not identifiable",
        )  # fmt: skip
        axis.set(title=f"albedo, observed at {place}", xlabel="hour", ylabel="α")
        axis.legend(fontsize=7, loc="upper right")
    axes[0, 0].set_ylim(0.1, 0.45)
    axis = axes[1, 0]
    axis.errorbar(
        hours, coefficient.estimate, 1.96 * coefficient.deviation, fmt=".", color="C3", ms=4, lw=0.8,
        label="per step, smoothness chosen by the evidence",
    )  # fmt: skip
    axis.step(hours, twins.step_change(), where="mid", color="k", lw=1, label="truth")
    axis.set(
        title="h(1+1/β), observed at 0 and 0.05 m",
        xlabel="hour",
        ylabel="W m⁻² K⁻¹",
        ylim=(13, 30),
    )
    axis.legend(fontsize=7, loc="upper right")
    axis = axes[1, 1]
    error = axis.twinx()
    for colour, place in zip(("C0", "C1"), WHERE, strict=True):
        pick = content["albedo"][place]["smoothness"][0]
        axis.plot(pick["deviations"], pick["log_evidence"], "o-", color=colour, ms=3, label=place)
        axis.axvspan(*pick["interval"], color=colour, alpha=0.15)
        error.plot(pick["deviations"], pick["true_rmse"], "--", color=colour, lw=1)
    axis.set(
        title="choice of the smoothness (shaded: 95 %)",
        xscale="log",
        xlabel="standard deviation of the hourly difference of α",
        ylabel="ln evidence − largest (points)",
        ylim=(-80, 5),
    )
    error.set(ylabel="true RMSE of α (dashed)", ylim=(0, None))
    axis.legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
    plt.close(figure)


# ruff: noqa: E501 - lines of the page are long
PAGE = """\
# Parameters that vary in time

Made by `{{ command }}`; the numbers are in `time_dependent.json`. A test recomputes a part. Twin
column and forcing of the paper, 100 hourly steps, independent errors of {{ noise }} K, known to the
estimator. "±" after an RMSE is its standard error over the records, "spread" the standard deviation
of one record's RMSE. The bound is the root of the mean Cramér-Rao variance over the steps that
count, at the truth. "Others estimated": h(1+1/β), λ, C and T_b (or α) are unknown too.

## Albedo per step, diurnal

Truth α = 0.18 + 0.12 (1 − cos θ). Daylight (SWdown > 1 W m⁻²) is 52 of 100 steps; at the other 48 α has
no effect: not identifiable, no number. Asked for at 0 and 0.05 m: RMSE ≤ 0.010 and ≤ 1.2 × the bound.

| observed at | | records | RMSE | spread | bound | RMSE / bound | Bayesian bound | expected at this truth | not identifiable |
|---|---|---|---|---|---|---|---|---|---|
{% for place, here in albedo.items() %}{% for key, e in here.items() if key != "smoothness" -%}
| {{ place }} | {{ key }} | {{ e.records }} | {{ "%.4f ± %.4f"|format(e.rmse, e.standard_error) }} | {{ "%.4f"|format(e.spread) }} | {{ "%.4f"|format(e.bound) }} | {{ "%.2f"|format(e.rmse / e.bound) }} | {{ "%.4f"|format(e.bayesian_bound) if e.priors else "" }} | {{ "%.4f"|format(e.expected) if e.priors else "" }} | {{ e.not_identifiable }} |
{% endfor %}{% endfor %}
With a prior (a random walk whose hourly deviation the evidence chooses from the record of seed 0) the
estimate is biased and may be better than the bound of unbiased ones. The Bayesian bound is the mean
over truths drawn from the prior; "expected at this truth" is √(bias² + variance) to first order.

## h(1+1/β) that falls once, observed at 0 and 0.05 m

{{ coefficient.truth.before }} W m⁻² K⁻¹ before step {{ coefficient.truth.step }}, {{ coefficient.truth.after }} from it on.

| per step | records | RMSE [W m⁻² K⁻¹] | spread | bound | Bayesian bound | expected at this truth |
|---|---|---|---|---|---|---|
{% for key, e in coefficient.items() if e is mapping and "rmse" in e -%}
| {{ key }} | {{ e.records }} | {{ "%.3f ± %.3f"|format(e.rmse, e.standard_error) }} | {{ "%.3f"|format(e.spread) }} | {{ "%.3f"|format(e.bound) if e.bound else "not identifiable" }} | {{ "%.3f"|format(e.bayesian_bound) if e.priors else "" }} | {{ "%.3f"|format(e.expected) if e.priors else "" }} |
{% endfor %}
{% set free = coefficient["others estimated, no prior"] -%}
Per step, with α, λ, C and T_b unknown and no prior, {{ free.identifiable|join(", ") }} is all that is identifiable: {{ free.null_directions }} of
{{ free.unknowns }} directions are null (smallest singular values {{ "%.0e, %.0e, %.0e"|format(*free.smallest_singular_values) }} of the largest). With the surface
temperature observed, h(1+1/β) of every step closes that step's surface balance whatever α is, and whatever
common factor λ and C have.

As two values and a time, all others estimated, each of the 99 steps tried:

| record | step | 95 % set | before | after |
|---|---|---|---|---|
{% for c in coefficient.located -%}
| {{ loop.index0 }} | {{ c.step }} | {{ c.likely|join(", ") }} | {{ "%.3f ± %.3f"|format(*c.before) }} | {{ "%.3f ± %.3f"|format(*c.after) }} |
{% endfor %}
## Choice of the smoothness

The largest evidence (Laplace, Gauss-Newton) of records 0, 1, …, others estimated; "best": the deviation
on the grid with the least true RMSE.

| unknown | observed at | choice (95 %) | L-curve's corner | best | RMSE at the choice | least RMSE |
|---|---|---|---|---|---|---|
{% for name, place, picks in choices %}{% for s in picks -%}
| {{ name }} | {{ place }} | {{ "%.3g (%.3g to %.3g)"|format(s.choice, *s.interval) }} | {{ "%.3g"|format(s.corner) }} | {{ "%.3g"|format(s.best) }} | {{ "%.4f"|format(s.rmse_at_choice) }} | {{ "%.4f"|format(s.least_rmse) }} |
{% endfor %}{% endfor %}
## h(1+1/β) = a + b · wind speed

Twin, synthetic wind {{ "%.1f to %.1f"|format(wind.wind[0], wind.wind[2]) }} m s⁻¹, all others estimated, {{ wind.records }} records: a = {{ "%.3f ± %.3f"|format(wind.mean[0], wind.standard_error[0]) }}
(truth {{ wind.truth[0] }}; spread {{ "%.3f"|format(wind.spread[0]) }}, predicted {{ "%.3f"|format(wind.deviation[0]) }}), b = {{ "%.4f ± %.4f"|format(wind.mean[1], wind.standard_error[1]) }} (truth {{ wind.truth[1] }}; spread
{{ "%.4f"|format(wind.spread[1]) }}, predicted {{ "%.4f"|format(wind.deviation[1]) }}); "±": standard error of the mean.
{% if phoenix %}
{{ phoenix.title }}; tower wind (mean over the step of the half-hours' speeds) {{ "%.1f to %.1f"|format(phoenix.wind[0], phoenix.wind[2]) }} m s⁻¹.

| h(1+1/β) | RMSE [K] | a | b | ± white | ± robust | ΔAIC | ΔBIC | ΔAIC of independent values | RMSE held out [K] |
|---|---|---|---|---|---|---|---|---|---|
| constant | {{ "%.4f"|format(phoenix.constant.rmse) }} | {{ "%.2f"|format(phoenix.constant.parameters.turbulent_transfer_coefficient) }} | | | | 0 | 0 | 0 | {{ "%.3f"|format(phoenix.held_out.constant) }} |
{% for key in ("a, b ≥ 0", "any sign") %}{% set p = phoenix[key] -%}
| a + b U, {{ key }} | {{ "%.4f"|format(p.rmse) }} | {{ "%.2f"|format(p.parameters.offset) }} | {{ "%.2f"|format(p.parameters.slope) }}{{ " (on its bound)" if p.at_bound }} | {{ "—" if p.at_bound else "%.2f"|format(p.deviation_white[1]) }} | {{ "—" if p.at_bound else "%.2f"|format(p.deviation_robust[1]) }} | {{ "%.1f"|format(p.aic) }} | {{ "%.1f"|format(p.bic) }} | {{ "%.1f"|format(p.aic_of_independent) }} | {{ "%.3f"|format(phoenix.held_out[key]) }} |
{% endfor %}
Differences are to the constant; negative is better. ΔAIC and ΔBIC take {{ phoenix["values"] }} residuals for
independent, which they are not: autocorrelation and the two depths leave about
{{ "%.0f"|format(phoenix["any sign"].independent_values) }}. "Robust": residuals correlated up to {{ lag }} h and between depths (Newey and West
1987), itself rough with six days. Held out: fitted to the first {{ held }} hours, RMSE over the last 50. With
the wind of other hours (shifted in a circle, {{ phoenix.shifted.shifts }} shifts, any sign) {{ phoenix.shifted.as_good }} fit as well or better;
median RMSE {{ "%.4f"|format(phoenix.shifted.median) }}, least {{ "%.4f"|format(phoenix.shifted.least) }} K.
{{ "So the wind does not explain what is left: wrong winds do as well." if phoenix.shifted.as_good > 0.05 * phoenix.shifted.shifts else "So few wrong winds do as well." }}
{{ "A transfer that grows with the wind is not what these records ask for: with a, b ≥ 0 the slope is zero." if phoenix["a, b ≥ 0"].at_bound else "" }}
{% endif %}
![recovered parameters and evidence](figures/time_dependent.png)

## Made with

{% for name, value in provenance.items() -%}
- {{ name }}: {{ value }}
{% endfor %}"""


def write(content: dict[str, Any]) -> None:
    """Write numbers and page."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    choices = [
        *(("α", place, here["smoothness"]) for place, here in content["albedo"].items()),
        ("h(1+1/β)", "0 and 0.05 m", content["coefficient"]["smoothness"]),
    ]
    page = environment.from_string(PAGE).render(content, choices=choices, lag=LAG, held=HELD_OUT)
    write_text(FOLDER / "time_dependent.json", text + "\n")
    write_text(FOLDER / "time_dependent.md", page + "\n")


def main() -> int:
    """Run it all and write the reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the Phoenix data")
    parser.add_argument("--no-phoenix", action="store_true", help="leave Phoenix out")
    parser.add_argument("--records", type=int, default=20, help="records of every experiment")
    parser.add_argument("--choices", type=int, default=3, help="records whose smoothness is chosen")
    parser.add_argument("--located", type=int, default=3, help="records whose change is located")
    options = parser.parse_args()
    seeds = range(options.records)
    phoenix = None if options.no_phoenix else of_phoenix(options.data)
    say("Phoenix done")
    wind = of_wind(seeds)
    albedo, drawn = of_albedo(seeds, options.choices)
    coefficient, run = of_step_change(seeds, options.choices, options.located)
    content = {
        "command": COMMAND,
        "records": options.records,
        "noise": NOISE,
        "albedo": albedo,
        "coefficient": coefficient,
        "wind": wind,
        "phoenix": phoenix,
        "provenance": provenance({}),
    }
    write(content)
    draw(content, drawn, run, FOLDER / "figures" / "time_dependent.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
