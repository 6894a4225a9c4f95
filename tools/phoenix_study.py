"""Run the Phoenix study and write reports/phoenix.json and phoenix.md.

Run from the repository: ``python tools/phoenix_study.py --data DIR`` (a minute).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from lsm_verify.files import write_text
from lsm_verify.inverse.intervals import Intervals
from lsm_verify.inverse.phoenix_hold_out import QUANTITIES
from lsm_verify.inverse.phoenix_noise import LAGS, Moments, interval_rows, noise_summary
from lsm_verify.inverse.phoenix_study import DAYS, Fit, Study, study
from lsm_verify.verify.provenance import provenance

FOLDER = Path(__file__).parents[1] / "reports"

PAIRS = ((0, 0), (1, 1), (0, 1), (1, 0))

RARE = 0.05
"""Share of simulated residuals below which the page says that a form does not reproduce them."""

SHOWN = {
    "turbulent_transfer_coefficient": ("h(1+1/β) [W m⁻² K⁻¹]", 1.0, 2),
    "thermal_conductivity": ("λ [W m⁻¹ K⁻¹]", 1.0, 3),
    "volumetric_heat_capacity": ("C [10⁶ J m⁻³ K⁻¹]", 1e6, 3),
    "bottom_temperature": ("T_b [K]", 1.0, 2),
}

# ruff: noqa: E501 - lines of the page are as long as they are
PAGE = """\
# Phoenix

Made by `{{ command }}`; the numbers are in `phoenix.json`, a test recomputes a part.
{{ case }}. Where these soil temperatures enter, results are *digitised*: that is every estimate below.

## Estimates

± is one standard error, [ ] a 95 % interval. Both hold for a noise whose coherence is at most the
length of the record, which the records do not bear out (below): take them as lower limits.
"Given the profile": the spun-up profile is taken as known.

{% for title, f in fits.items() -%}
{{ title }}: RMSE {{ "%.3f"|format(f.rmse) }} K (at the published parameters {{ "%.3f"|format(f.rmse_published) }} K). Residuals: RMS {{ f.residuals.rms|map("two")|join(" and ") }} K at 0.05 and 0.15 m, correlation after 24 h {{ f.residuals.after_day|map("two")|join(" and ") }}, between depths {{ "%.2f"|format(f.residuals.between) }}.

| estimator |{% for s in shown %} {{ s }} |{% endfor %}
|---|{% for s in shown %}---|{% endfor %}
{% for name, cells in f.rows.items() -%}
| {{ name }} |{% for c in cells %} {{ c }} |{% endfor %}
{% endfor %}
Do least squares and generalised least squares agree? Their difference, one noise for both, has χ² {{ "%.1f"|format(f.agreement.statistic) }} in {{ f.agreement.directions }} directions; with the noise's {{ "%.1f"|format(f.agreement.freedom) }} degrees of freedom a larger one has probability {{ "%.2g"|format(f.agreement.probability) }}. Noise: standard deviation {{ f.noise["standard deviation [K]"]|map("two")|join(" and ") }} K, coherence {{ "%.0f"|format(f.noise["coherence [h]"]) }} h{{ " (its bound: the record)" if f.noise["at bound"] }}.{{ "" if f.converged else " The search for the noise did not converge." }}{% for name, labels in f.at_limit.items() %} Degrees of freedom at their least: {{ name }}, {{ labels|join(", ") }}.{% endfor %}

| coherence allowed, h | estimated, h | -2 log REML |{% for s in shown %} standard error: {{ s }} |{% endfor %} probability of agreement | converged |
|---|---|---|{% for s in shown %}---|{% endfor %}---|---|
{% for b in f.at_bounds -%}
| {{ "%.0f"|format(b.bound) }} | {{ "%.0f"|format(b.coherence) }} | {{ "%.1f"|format(b.criterion) }} |{% for c in b.cells %} {{ c }} |{% endfor %} {{ "%.2g"|format(b.probability) }} | {{ "yes" if b.converged else "no" }} |
{% endfor %}
The criterion falls by {{ "%.0f"|format(f.fall) }} beyond the length of the record: the ± above is conditional on the bound.

Second moments about zero over the root mean squares: residuals / noise as fitted / what residuals of that noise have on average. * Of 1,000 simulated sets of such residuals, less than 5 % are as far from their average.

| lag, h | 0.05 m | 0.15 m | 0.05 m, 0.15 m later | 0.15 m, 0.05 m later |
|---|---|---|---|---|
{% for lag, cells in f.lagged -%}
| {{ lag }} |{% for c in cells %} {{ c }} |{% endfor %}
{% endfor %}
The fitted noise correlates the depths by {{ "%.2f"|format(f.moments.form[0][0][1]) }}{{ " (%.2f after the fit)"|format(f.moments.after_fit[0][0][1]) }}, the residuals are correlated by {{ "%.2f"|format(f.moments.residuals[0][0][1]) }}: {{ "%.1f"|format(100 * f.moments.probability[0][0][1]) }} % of the simulated sets are as far off. {{ "The form does not reproduce the correlation of the depths" if f.apart else "At lag 0 the form is not rejected" }}{% if f.marked %}; {{ f.marked }} of the entries are marked{% endif %}.

{% endfor -%}
White-noise intervals are a warning, not a result: they hold the truth far less often than they say
([phoenix_coverage.json](phoenix_coverage.json)). Six days of errors that repeat daily are few
independent samples. Where the two estimators disagree, the model or the form of the noise is wrong;
the test does not say which.

## Predictions against the tower

150 hours, parameters from soil temperature alone. Bias is predicted minus observed, ± the spread of
daily means over the root of their number. "From parameters": the standard deviation that the
estimates' uncertainty gives the prediction. The tower file has no ground heat flux: the balance of
its other fluxes stands in, with their closure error.

| prediction | against | bias, T⁰ = T_b | RMSE | from parameters | bias, spun up | RMSE | from parameters | unit |
|---|---|---|---|---|---|---|---|---|
{% for a, b in scores -%}
| {{ a.quantity }} | {{ a.against }} | {{ "%.2f ± %.2f"|format(a.bias, a.bias_error) }} | {{ "%.2f"|format(a.rmse) }} | {{ "%.2f"|format(a.parameters) }} | {{ "%.2f ± %.2f"|format(b.bias, b.bias_error) }} | {{ "%.2f"|format(b.rmse) }} | {{ "%.2f"|format(b.parameters) }} | {{ a.unit }} |
{% endfor %}
## Days held out

{{ days }} days after the window, from the real forcing (gaps up to 3 h interpolated), T_b as estimated. "Daily cycle": RMSE if the window's mean cycle is repeated. LWup: emitted alone (ε σ T⁴), and with the reflected (1-ε)LWdown that the tower also sees.

| day |{% for title in held %} {{ title }}: 0.02 m bias, K | RMSE, K | LWup emitted, bias, W m⁻² | RMSE | LWup with reflected, bias, W m⁻² | RMSE |{% endfor %} daily cycle, K | W m⁻² |
|---|{% for title in held %}---|---|---|---|---|---|{% endfor %}---|---|
{% for k in range(days) -%}
| {{ k + 1 }} |{% for h in held.values() %} {{ "%.2f"|format(h.bias[0][k]) }} | {{ "%.2f"|format(h.rmse[0][k]) }} | {{ "%.1f"|format(h.bias[1][k]) }} | {{ "%.1f"|format(h.rmse[1][k]) }} | {{ "%.1f"|format(h.bias[2][k]) }} | {{ "%.1f"|format(h.rmse[2][k]) }} |{% endfor %} {{ "%.2f"|format(reference[0][k]) }} | {{ "%.1f"|format(reference[1][k]) }} |
{% endfor %}
{% for title, h in held.items() -%}
{{ title }}:{% for q in quantities %} {{ q }}: the model beats the repeated cycle on {{ h.better[loop.index0] }} of {{ days }} days; the bias grows by {{ "%.3f ± %.3f"|format(h.growth[loop.index0], h.growth_error[loop.index0]) }} {{ "K" if loop.first else "W m⁻²" }} a day, {{ "a drift beyond two standard errors" if h.drifts[loop.index0] else "no drift found" }}.{% endfor %} A trend of T_b that would best remove the error at 0.02 m: {{ "%.2f ± %.2f"|format(h.drift, h.drift_error) }} K a day; RMSE {{ "%.2f"|format(h.rmse_without) }} K without, {{ "%.2f"|format(h.rmse_with_drift) }} K with it.

{% endfor -%}
## What moves the estimates

Shifts against the first row, in standard errors that respect the correlation (those of white noise in brackets). Albedo from the tower: {{ "%.4f ± %.4f"|format(albedo.value, albedo.error) }} (random error, {{ albedo.hours }} daylight hours; the radiometers' calibration is not in it). † These rows do not start from T_b: their T_b is the temperature at the bottom alone, another quantity than the first row's, and its shift no error of either.

| changed |{% for s in shown %} {{ s }} | shift |{% endfor %} RMSE, K |
|---|{% for s in shown %}---|---|{% endfor %}---|
{% for row in shifts -%}
| {{ row.change }} |{% for value, one, other in row.cells %} {{ value }} | {{ one }} ({{ other }}){{ "" if row.tied or not loop.last else " †" }} |{% endfor %} {{ "%.3f"|format(row.rmse) }} |
{% endfor %}
## Made with

{% for name, value in provenance.items() -%}
- {{ name }}: {{ value }}
{% endfor %}"""


def main(arguments: list[str] | None = None) -> int:
    """Run the study and write the reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data files")
    parser.add_argument("--days", type=int, default=DAYS, help="days held out")
    asked = parser.parse_args(arguments)
    done = study(asked.data, days=asked.days)
    command = f"python tools/phoenix_study.py --days {asked.days}"
    content = {"command": command, **_content(done)}
    text = json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(FOLDER / "phoenix.json", text + "\n")
    write_text(FOLDER / "phoenix.md", _page(done, command))
    return 0


def _content(done: Study) -> dict[str, Any]:
    return {
        "case": done.case.title,
        "provenance": provenance(done.case.sources),
        "fits": {"T0 = T_b": _fit(done.tied), "T0 spun up": _fit(done.spun_up)},
        "spun-up profile [K]": done.spun_up_profile,
        "predictions": {
            "T0 = T_b": [asdict(s) for s in done.scores],
            "T0 spun up": [asdict(s) for s in done.scores_spun_up],
        },
        "held out": {
            "T0 = T_b": asdict(done.held_out),
            "T0 spun up": asdict(done.held_out_spun_up),
        },
        "albedo": asdict(done.albedo),
        "sensitivity": [asdict(s) for s in done.shifts],
    }


def _fit(f: Fit) -> dict[str, Any]:
    return {
        "rmse": f.calibration.rmse[f.calibration.best],
        "rmse_published": f.rmse_published,
        "residuals": asdict(f.residuals),
        "agreement": asdict(f.agreement),
        "rounds": f.rounds,
        "noise": noise_summary(f.noise),
        "coherence bounds": [
            {"bound [h]": b.bound, **noise_summary(b.noise), "probability": b.probability}
            | {"standard errors": b.deviation, "degrees of freedom": b.freedom}
            for b in f.bounds
        ],
        "moments": {"lags [h]": LAGS, **asdict(f.moments)},
        "intervals": {
            "ordinary": interval_rows(f.ordinary),
            "generalised": interval_rows(f.generalised),
            "white noise": interval_rows(f.white),
        },
    }


def _plain(value: Any) -> Any:
    """Turn arrays into lists; what is not finite into null."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.floating | float):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def _cells(row: Intervals) -> list[str]:
    cells = []
    for k, label in enumerate(row.labels):
        _, unit, digits = SHOWN[label]
        e, s, a, b = (
            f"{x[k] / unit:.{digits}f}" for x in (row.estimate, row.deviation, row.lower, row.upper)
        )
        cells.append(f"{e} ± {s} [{a}, {b}]")
    return cells


def _told(f: Fit) -> dict[str, Any]:
    """Return what the page says beside the numbers of `_fit`."""
    labels = f.ordinary.labels
    rows = {"least squares": f.ordinary, "generalised least squares": f.generalised}
    return {
        "converged": all(row.converged for row in rows.values()),
        "at_limit": {name: row.at_limit for name, row in rows.items() if row.at_limit},
        "fall": f.bounds[0].criterion - min(b.criterion for b in f.bounds),
        "apart": f.moments.probability[0, 0, 1] < RARE,
        "marked": int(np.count_nonzero(f.moments.probability < RARE)),
        "at_bounds": [
            {
                "bound": b.bound,
                "coherence": b.coherence,
                "criterion": b.criterion,
                "probability": b.probability,
                "converged": b.noise.converged,
                "cells": [
                    f"{b.deviation[k] / SHOWN[label][1]:.{SHOWN[label][2]}f}"
                    for k, label in enumerate(labels)
                ],
            }
            for b in f.bounds
        ],
        "lagged": [
            (lag, [_compared(f.moments, k, a, b) for a, b in PAIRS]) for k, lag in enumerate(LAGS)
        ],
    }


def _compared(m: Moments, k: int, a: int, b: int) -> str:
    text = " / ".join(f"{x[k, a, b]:.2f}" for x in (m.residuals, m.form, m.after_fit))
    return text + (" *" if m.probability[k, a, b] < RARE else "")


def _page(done: Study, command: str) -> str:
    environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
    environment.filters["two"] = lambda x: f"{x:.2f}"
    fits = {}
    for title, f in (("T⁰ = T_b", done.tied), ("T⁰ spun up (given the profile)", done.spun_up)):
        fits[title] = (
            _plain(_fit(f))
            | _told(f)
            | {
                "rows": {
                    "least squares, correlated noise": _cells(f.ordinary),
                    "least squares, white noise (warning)": _cells(f.white),
                    "generalised least squares": _cells(f.generalised),
                }
            }
        )
    labels = done.tied.ordinary.labels
    shifts = [
        {
            "change": s.change,
            "rmse": s.rmse,
            "tied": s.tied,
            "cells": [
                (
                    f"{s.estimate[k] / SHOWN[label][1]:.{SHOWN[label][2]}f}",
                    f"{s.in_errors[k]:.1f}",
                    f"{s.in_naive_errors[k]:.1f}",
                )
                for k, label in enumerate(labels)
            ],
        }
        for s in done.shifts
    ]
    return environment.from_string(PAGE).render(
        command=command,
        case=done.case.title,
        fits=fits,
        shown=[SHOWN[label][0] for label in labels],
        scores=list(zip(done.scores, done.scores_spun_up, strict=True)),
        days=done.held_out.days.size,
        held={"T⁰ = T_b": done.held_out, "spun up": done.held_out_spun_up},
        reference=done.held_out.reference,
        quantities=QUANTITIES,
        albedo=done.albedo,
        shifts=shifts,
        provenance=provenance(done.case.sources),
    )


if __name__ == "__main__":
    sys.exit(main())
