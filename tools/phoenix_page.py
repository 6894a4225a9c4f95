"""The page reports/phoenix.md from the numbers of reports/phoenix.json, and from nothing else."""

from __future__ import annotations

from typing import Any

import jinja2

PAIRS = ((0, 0), (1, 1), (0, 1), (1, 0))

RARE = 0.05
"""Share of simulated residuals below which the page says that a form does not reproduce them."""

SHOWN = {
    "turbulent_transfer_coefficient": ("h(1+1/β) [W m⁻² K⁻¹]", 1.0, 2),
    "thermal_conductivity": ("λ [W m⁻¹ K⁻¹]", 1.0, 3),
    "volumetric_heat_capacity": ("C [10⁶ J m⁻³ K⁻¹]", 1e6, 3),
    "bottom_temperature": ("T_b [K]", 1.0, 2),
}

TITLES = {"T0 = T_b": "T⁰ = T_b", "T0 spun up": "T⁰ spun up"}

ROWS = {
    "ordinary": "least squares, correlated noise",
    "white noise": "least squares, white noise (warning)",
    "profile as known": "least squares, the spun-up profile as if known (warning)",
    "generalised": "generalised least squares",
}

# ruff: noqa: E501 - lines of the page are as long as they are
PAGE = """\
# Phoenix

Made by `{{ command }}`; rendered from `phoenix.json` alone. A test renders it again and computes the numbers anew.
{{ case }}. Where these soil temperatures enter, results are *digitised*: that is every estimate below.

## Estimates

± is one standard error, [ ] a 95 % interval. Both hold for a noise whose coherence is at most the
length of the record, which the records reject (below): take them as lower limits.
"Spun up": the column starts from T_b everywhere {{ spin_up }} h before the window, and estimates and
intervals have the dependence of the profile on the parameters. T_b then is the temperature at the bottom
and at the start of the spin-up, another quantity than with T⁰ = T_b.

{% for f in fits -%}
{{ f.title }}: RMSE {{ "%.3f"|format(f.rmse) }} K (at the published parameters {{ "%.3f"|format(f.rmse_published) }} K). Residuals: RMS {{ f.residuals.rms|map("two")|join(" and ") }} K at 0.05 and 0.15 m, correlation after 24 h {{ f.residuals.after_day|map("two")|join(" and ") }}, between depths {{ "%.2f"|format(f.residuals.between) }}.

| estimator |{% for s in shown %} {{ s }} |{% endfor %}
|---|{% for s in shown %}---|{% endfor %}
{% for name, cells in f.rows.items() -%}
| {{ name }} |{% for c in cells %} {{ c }} |{% endfor %}
{% endfor %}
Do least squares and generalised least squares agree? Their difference, one noise for both, has χ² {{ "%.1f"|format(f.agreement.statistic) }} in {{ f.agreement.directions }} directions; with the noise's {{ "%.1f"|format(f.agreement.freedom) }} degrees of freedom a larger one has probability {{ "%.2g"|format(f.agreement.probability) }}. Noise: standard deviation {{ f.noise["standard deviation [K]"]|map("two")|join(" and ") }} K, coherence {{ "%.0f"|format(f.noise["coherence [h]"]) }} h{{ " (its bound: the record)" if f.noise["at bound"] }}.{{ "" if f.converged else " The search for the noise did not converge." }}{% for name, labels in f.at_limit.items() %} Degrees of freedom at their least: {{ name }}, {{ labels|join(", ") }}.{% endfor %}

| coherence allowed, h | estimated, h | -2 log REML | rejected |{% for s in shown %} standard error: {{ s }} |{% endfor %}{% for s in relative %} {{ s }} |{% endfor %} probability of agreement | converged |
|---|---|---|---|{% for s in shown %}---|{% endfor %}{% for s in relative %}---|{% endfor %}---|---|
{% for b in f.at_bounds -%}
| {{ "%.0f"|format(b.bound) }} | {{ "%.0f"|format(b.coherence) }} | {{ "%.1f"|format(b.criterion) }} | {{ "yes" if b.rejected else "no" }} |{% for c in b.cells %} {{ c }} |{% endfor %}{% for c in b.relative %} {{ c }} |{% endfor %} {{ "%.2g"|format(b.probability) }} | {{ "yes" if b.converged else "no" }} |
{% endfor %}
Rejected: the criterion lies above its least by more than {{ "%.2f"|format(rejection) }}, which has probability {{ level }} (likelihood ratio, χ² with one degree of freedom: exact for many independent values, and these are few). It falls by {{ "%.0f"|format(f.fall) }} beyond the length of the record: the ± of the first table are conditional on a bound that the record rejects.

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
estimates' uncertainty gives the prediction, through the spin-up where there is one. The tower file has
no ground heat flux: the balance of its other fluxes stands in, with their closure error.

| prediction | against | bias, T⁰ = T_b | RMSE | from parameters | bias, spun up | RMSE | from parameters | unit |
|---|---|---|---|---|---|---|---|---|
{% for a, b in scores -%}
| {{ a.quantity }} | {{ a.against }} | {{ "%.2f ± %.2f"|format(a.bias, a.bias_error) }} | {{ "%.2f"|format(a.rmse) }} | {{ "%.2f"|format(a.parameters) }} | {{ "%.2f ± %.2f"|format(b.bias, b.bias_error) }} | {{ "%.2f"|format(b.rmse) }} | {{ "%.2f"|format(b.parameters) }} | {{ a.unit }} |
{% endfor %}
## Days held out

{{ days }} days after the window, from the real forcing (gaps up to 3 h interpolated), T_b as estimated. "Daily cycle": RMSE if the window's mean cycle is repeated. LWup: emitted alone (ε σ T⁴), and with the reflected (1-ε)LWdown that the tower also sees.

| day |{% for h in held %} {{ h.title }}: 0.02 m bias, K | RMSE, K | LWup emitted, bias, W m⁻² | RMSE | LWup with reflected, bias, W m⁻² | RMSE |{% endfor %} daily cycle, K | W m⁻² |
|---|{% for h in held %}---|---|---|---|---|---|{% endfor %}---|---|
{% for k in range(days) -%}
| {{ k + 1 }} |{% for h in held %} {{ "%.2f"|format(h.bias[0][k]) }} | {{ "%.2f"|format(h.rmse[0][k]) }} | {{ "%.1f"|format(h.bias[1][k]) }} | {{ "%.1f"|format(h.rmse[1][k]) }} | {{ "%.1f"|format(h.bias[2][k]) }} | {{ "%.1f"|format(h.rmse[2][k]) }} |{% endfor %} {{ "%.2f"|format(held[0].reference[0][k]) }} | {{ "%.1f"|format(held[0].reference[1][k]) }} |
{% endfor %}
{% for h in held -%}
{{ h.title }}:{% for q in h.quantities %} {{ q }}: the model beats the repeated cycle on {{ h.better[loop.index0] }} of {{ days }} days; the bias grows by {{ "%.3f ± %.3f"|format(h.growth[loop.index0], h.growth_error[loop.index0]) }} {{ "K" if loop.first else "W m⁻²" }} a day, {{ "a drift beyond two standard errors" if h.drifts[loop.index0] else "no drift found" }}.{% endfor %} A trend of T_b that would best remove the error at 0.02 m: {{ "%.2f ± %.2f"|format(h.drift, h.drift_error) }} K a day; RMSE {{ "%.2f"|format(h.rmse_without) }} K without, {{ "%.2f"|format(h.rmse_with_drift) }} K with it.

{% endfor -%}
## Albedo

From the tower: {{ "%.4f"|format(albedo.value) }} ± {{ "%.4f"|format(albedo.error) }} random (the spread of days; {{ albedo.hours }} daylight hours) ± {{ "%.4f"|format(albedo.calibration) }} from the calibration of two independent sensors, in all ± {{ "%.4f"|format(albedo.total) }} (one standard error). Calibration: {{ "%.1f"|format(100 * calibration) }} % each (10 % of daily totals at 95 % confidence: WMO-No. 8, chapter 7, "moderate quality", ISO 9060 second class, as are the sensors of four-component net radiometers; the data do not name the tower's instrument). The upper sensor's error is in the forcing too, where it does more. Changes are derivatives of the optimum by the albedo, from the full second derivatives of the misfit; known to {{ "%.0e"|format(slope_error) }} of themselves. The longwave sensors' calibration is not in it.

| |{% for s in shown %} {{ s }} |{% endfor %}
|---|{% for s in shown %}---|{% endfor %}
{% for name, cells in albedo_rows -%}
| {{ name }} |{% for c in cells %} {{ c }} |{% endfor %}
{% endfor %}
## What moves the estimates

Shifts against the first row, in standard errors that respect the correlation (those of white noise in brackets). † These rows do not start from T_b: their T_b is another quantity than the first row's, and its shift no error of either.

| changed |{% for s in shown %} {{ s }} | shift |{% endfor %} RMSE, K |
|---|{% for s in shown %}---|---|{% endfor %}---|
{% for row in shifts -%}
| {{ row.change }} |{% for value, one, other in row.cells %} {{ value }} | {{ one }} ({{ other }}){{ "" if row.tied or not loop.last else " †" }} |{% endfor %} {{ "%.3f"|format(row.rmse) }} |
{% endfor %}
## Made with

{% for name, value in provenance.items() -%}
- {{ name }}: {{ value }}
{% endfor %}"""


def page(content: dict[str, Any]) -> str:
    """Render the page from the content of the JSON file."""
    environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
    environment.filters["two"] = lambda x: f"{x:.2f}"
    labels = list(content["fits"]["T0 = T_b"]["intervals"]["ordinary"])
    held = [{"title": TITLES[k], **h} for k, h in content["held out"].items()]
    return environment.from_string(PAGE).render(
        command=content["command"],
        case=content["case"],
        spin_up=content["spin-up [h]"],
        fits=[{"title": TITLES[k]} | f | _told(f) for k, f in content["fits"].items()],
        shown=[SHOWN[label][0] for label in labels],
        relative=[f"{SHOWN[label][0].split(' [')[0]}, %" for label in labels[:-1]],
        rejection=content["rejection"]["rise"],
        level=content["rejection"]["probability"],
        scores=list(zip(*content["predictions"].values(), strict=True)),
        days=len(held[0]["days"]),
        held=held,
        albedo=content["albedo"],
        calibration=content["calibration of a radiometer"],
        slope_error=max(
            error / abs(slope)
            for effect in content["albedo effects"].values()
            for error, slope in zip(effect["slope_error"], effect["slope"], strict=True)
        ),
        albedo_rows=_albedo_rows(content, labels),
        shifts=[row | {"cells": _shift_cells(row, labels)} for row in content["sensitivity"]],
        provenance=content["provenance"],
    )


def _number(label: str, value: float) -> str:
    _, unit, digits = SHOWN[label]
    return f"{value / unit:.{digits}f}"


def _cells(row: dict[str, Any]) -> list[str]:
    keys = ("estimate", "standard error", "lower", "upper")
    return [
        "{} ± {} [{}, {}]".format(*(_number(label, one[key]) for key in keys))
        for label, one in row.items()
    ]


def _told(f: dict[str, Any]) -> dict[str, Any]:
    """Return what the page says beside the numbers of a fit."""
    estimate = {label: one["estimate"] for label, one in f["intervals"]["ordinary"].items()}
    m, bounds = f["moments"], f["coherence bounds"]
    shares = [p for lag in m["probability"] for row in lag for p in row]
    return {
        "rows": {
            name: _cells(f["intervals"][k]) for k, name in ROWS.items() if k in f["intervals"]
        },
        "fall": bounds[0]["criterion"] - min(b["criterion"] for b in bounds),
        "apart": m["probability"][0][0][1] < RARE,
        "marked": sum(p < RARE for p in shares),
        "at_limit": f["at limit"],
        "at_bounds": [
            {
                "bound": b["bound [h]"],
                "coherence": b["coherence [h]"],
                "cells": [
                    _number(label, s)
                    for label, s in zip(estimate, b["standard errors"], strict=True)
                ],
                "relative": [
                    f"{100 * s / e:.0f}"
                    for s, e in zip(b["standard errors"], estimate.values(), strict=True)
                ][:-1],
                **{k: b[k] for k in ("criterion", "probability", "converged", "rejected")},
            }
            for b in bounds
        ],
        "lagged": [
            (lag, [_compared(m, k, a, b) for a, b in PAIRS]) for k, lag in enumerate(m["lags [h]"])
        ],
    }


def _compared(m: dict[str, Any], k: int, a: int, b: int) -> str:
    text = " / ".join(f"{m[x][k][a][b]:.2f}" for x in ("residuals", "form", "after_fit"))
    return text + (" *" if m["probability"][k][a][b] < RARE else "")


def _albedo_rows(content: dict[str, Any], labels: list[str]) -> list[tuple[str, list[str]]]:
    rows = []
    for k, effect in content["albedo effects"].items():
        fit, title = content["fits"][k]["intervals"]["ordinary"], TITLES[k]
        parts = {
            "change per 0.01 of albedo": [0.01 * x for x in effect["slope"]],
            "standard error, noise up to the record": [fit[x]["standard error"] for x in labels],
            "standard error from the albedo's total error": effect["from_albedo"],
            "standard error from both sensors, in albedo and forcing": effect["from_radiometers"],
        }
        for name, values in parts.items():
            cells = [f"{x / SHOWN[y][1]:.2g}" for y, x in zip(labels, values, strict=True)]
            rows.append((f"{title}: {name}", cells))
    return rows


def _shift_cells(row: dict[str, Any], labels: list[str]) -> list[tuple[str, str, str]]:
    return [
        (
            _number(label, row["estimate"][k]),
            f"{row['in_errors'][k]:.1f}",
            f"{row['in_naive_errors'][k]:.1f}",
        )
        for k, label in enumerate(labels)
    ]
