"""The page of tools/time_dependent.py, from reports/time_dependent.json alone."""

from __future__ import annotations

from typing import Any

import jinja2
import numpy as np

from lsm_verify.inverse.phoenix_wind import DAY, FITTED, SHIFTS
from lsm_verify.inverse.time_study import SETTINGS

RARE = 0.05
"""Share of other winds up to which the right one is said to fit better than by chance; probability below which two estimators are said to disagree."""


def other_winds(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the table of winds of other times."""
    others = content["phoenix"]["others"]
    shift, rmse, slope = (np.array(others[name]) for name in ("shift", "rmse", "slope"))
    right = content["phoenix"]["fits"]["any sign"]
    whole_days = shift % DAY == 0
    rows = []
    for name, taken in (
        ("the same hour of other days", whole_days),
        ("other hours", ~whole_days),
    ):
        as_good = int(np.count_nonzero(rmse[taken] <= right["rmse"]))
        share = as_good / np.count_nonzero(taken)
        steep = np.abs(slope[taken]) >= abs(right["parameters"]["slope"])
        rows.append(
            {
                "name": name,
                "count": int(np.count_nonzero(taken)),
                "as_good": as_good,
                "verdict": f"{100 * share:.0f} % of such winds do as well, which is "
                + ("no sign" if share > RARE else "a sign"),
                "least": float(rmse[taken].min()),
                "median": float(np.median(rmse[taken])),
                "negative": int(np.count_nonzero(slope[taken] < 0)),
                "as_steep": int(np.count_nonzero(steep)),
            }
        )
    return rows


def by_hour(content: dict[str, Any]) -> dict[str, Any]:
    """Return by how many hours of the day winds that fit best are shifted: median RMSE."""
    others = content["phoenix"]["others"]
    shift, rmse, slope = (np.array(others[name]) for name in ("shift", "rmse", "slope"))
    medians = [float(np.median(rmse[shift % DAY == hour])) for hour in range(DAY)]
    best = int(np.argmin(medians))
    taken = shift % DAY == best
    return {"hour": best, "rmse": medians[best], "slope": float(np.median(slope[taken]))}


# ruff: noqa: E501 - lines of the page are long
TEMPLATE = """\
# Parameters that vary in time

Made by `{{ command }}`; the numbers are in `time_dependent.json`. A test holds this page to them and
computes a row of every table anew. Twin column and forcing of the paper, 100 hourly steps, independent
errors of {{ noise }} K, known to the estimator. Smoothness is chosen on records {{ choosing|join(", ") }}; every error is that of
{{ scored|length }} others, seeds {{ scored[0] }} to {{ scored[-1] }}. "±" after an RMSE is its standard error over the records, "spread" the
standard deviation of one record's RMSE. The bound is the root of the mean Cramér-Rao variance over the
steps that count, at the truth. "Others estimated": h(1+1/β), λ, C and T_b (or α) are unknown too.

## Albedo per step, diurnal

Truth α = 0.18 + 0.12 (1 − cos θ). Daylight (SWdown > 1 W m⁻²) is 52 of 100 steps; at the other 48 α has
no effect: not identifiable, no number. Asked for at 0 and 0.05 m: RMSE ≤ 0.010 and ≤ 1.2 × the bound.

| unknown, observed at | | records | RMSE | spread | bound | RMSE / bound | Bayesian bound | expected at this truth | not identifiable |
|---|---|---|---|---|---|---|---|---|---|
{% for key in settings[:2] %}{% for name, e in recovered[key].items() -%}
| {{ key }} | {{ name }} | {{ e.records }} | {{ "%.4f ± %.4f"|format(e.rmse, e.standard_error) }} | {{ "%.4f"|format(e.spread) }} | {{ "%.4f"|format(e.bound) }} | {{ "%.2f ± %.2f"|format(e.rmse / e.bound, e.standard_error / e.bound) }} | {{ "%.4f"|format(e.bayesian_bound) if e.priors else "" }} | {{ "%.4f"|format(e.expected) if e.priors else "" }} | {{ e.not_identifiable }} |
{% endfor %}{% endfor %}
With a prior (a random walk whose hourly deviation the evidence chooses from record {{ choosing[0] }}) the estimate is
biased and may be better than the bound of unbiased ones. The Bayesian bound is the mean over truths
drawn from the prior; "expected at this truth" is √(bias² + variance) to first order.

## h(1+1/β) that falls once, observed at 0 and 0.05 m

{{ step.truth.before }} W m⁻² K⁻¹ before step {{ step.truth.step }}, {{ step.truth.after }} from it on.

| per step | records | RMSE [W m⁻² K⁻¹] | spread | bound | Bayesian bound | expected at this truth |
|---|---|---|---|---|---|---|
{% for name, e in recovered[settings[2]].items() -%}
| {{ name }} | {{ e.records }} | {{ "%.3f ± %.3f"|format(e.rmse, e.standard_error) }} | {{ "%.3f"|format(e.spread) }} | {{ "%.3f"|format(e.bound) if e.bound else "not identifiable" }} | {{ "%.3f"|format(e.bayesian_bound) if e.priors else "" }} | {{ "%.3f"|format(e.expected) if e.priors else "" }} |
{% endfor %}
{% set free = step["per step"] -%}
Per step, with α, λ, C and T_b unknown and no prior, {{ free.identifiable|join(", ") }} is all that is identifiable: {{ free.null_directions }} of
{{ free.unknowns }} directions are null (smallest singular values {{ "%.0e, %.0e, %.0e"|format(*free.smallest_singular_values) }} of the largest). With the surface
temperature observed, h(1+1/β) of every step closes that step's surface balance whatever α is, and
whatever common factor λ and C have.

As two values and a time, all others estimated, each of the 99 steps tried; ± one standard error:

| record | step | 95 % set | before | after |
|---|---|---|---|---|
{% for c in step.located -%}
| {{ c.seed }} | {{ c.step }} | {{ c.likely|join(", ") }} | {{ "%.3f ± %.3f"|format(*c.before) }} | {{ "%.3f ± %.3f"|format(*c.after) }} |
{% endfor %}
## Choice of the smoothness

The deviation of hourly differences with the largest evidence (Laplace, Gauss-Newton) of one record, all
others estimated, and the RMSE with it over the {{ scored|length }} scored records. "To expect": √(bias² + variance)
over records of this truth, to first order; "best": the deviation where that is least, which only the
truth tells.

| unknown, observed at | chosen on record | choice (95 %) | L-curve's corner | best | RMSE with the choice | to expect with it | least to expect |
|---|---|---|---|---|---|---|---|
{% for key, picks in choices.items() %}{% for s in picks -%}
| {{ key }} | {{ s.seed }} | {{ "%.3g (%.3g to %.3g)"|format(s.choice, *s.interval) }} | {{ "%.3g"|format(s.corner) }} | {{ "%.3g"|format(s.best) }} | {{ "%.4f ± %.4f"|format(s.rmse, s.standard_error) }} | {{ "%.4f"|format(s.expected_at_choice) }} | {{ "%.4f"|format(s.least) }} |
{% endfor %}{% endfor %}
## h(1+1/β) = a + b · wind speed

Twin, synthetic wind {{ "%.1f to %.1f"|format(wind.wind[0], wind.wind[2]) }} m s⁻¹, all others estimated, {{ wind.records }} records; ± is the standard error of the mean:

| | truth | mean estimate | spread | predicted by the Jacobian |
|---|---|---|---|---|
| a [W m⁻² K⁻¹] | {{ wind.truth[0] }} | {{ "%.3f ± %.3f"|format(wind.mean[0], wind.standard_error[0]) }} | {{ "%.3f"|format(wind.spread[0]) }} | {{ "%.3f"|format(wind.deviation[0]) }} |
| b [that per m s⁻¹] | {{ wind.truth[1] }} | {{ "%.4f ± %.4f"|format(wind.mean[1], wind.standard_error[1]) }} | {{ "%.4f"|format(wind.spread[1]) }} | {{ "%.4f"|format(wind.deviation[1]) }} |

{{ phoenix.title }}; tower wind (mean over the step of the half-hours' speeds) {{ "%.1f to %.1f"|format(phoenix.wind[0], phoenix.wind[2]) }} m s⁻¹.
Least squares; held out: fitted to the first {{ fitted }} hours, RMSE over the last 50, one split, without
an uncertainty.

| h(1+1/β) | RMSE [K] | a | b | RMSE held out [K] |
|---|---|---|---|---|
{% for name, f in phoenix.fits.items() -%}
| {{ name if name == "constant" else "a + b U, " ~ name }} | {{ "%.4f"|format(f.rmse) }} | {{ "%.2f"|format(f.parameters["turbulent_transfer_coefficient" if name == "constant" else "offset"]) }} | {{ "" if name == "constant" else "%.2f"|format(f.parameters.slope) }}{{ " (on its bound)" if f.at_bound }} | {{ "%.3f"|format(phoenix.held_out[name]) }} |
{% endfor %}
{{ "A transfer that grows with the wind is not what these records ask for: with a, b ≥ 0 the slope is zero." if phoenix.fits["a, b ≥ 0"].at_bound else "" }}
How well a and b of any sign are known: ± one standard error, [ ] a 95 % interval. The noise is that of
[phoenix.md](phoenix.md): it repeats daily and both depths share it, by restricted maximum likelihood, with
small-sample degrees of freedom. {{ coherence }} For the constant see there.

| estimator | noise | -2 log REML | a | b | degrees of freedom of b |
|---|---|---|---|---|---|
{% for t in phoenix.intervals -%}
| {{ t.estimator }} | {{ "white: a warning, not a result" if t.coherence is none else "correlated, coherence up to %.0f h"|format(t.coherence) }}{{ "" if t.converged else " (not converged)" }} | {{ "" if t.criterion is none else "%.1f"|format(t.criterion) }} | {% for x in (t.offset, t.slope) %}{{ "%.2f ± %.2f [%.2f, %.2f]"|format(x.value, x.deviation, x.lower, x.upper) }} | {% endfor %}{{ "%.0f"|format(t.slope.freedom) }} |
{% endfor %}
Least squares and generalised least squares {{ "do not agree" if phoenix.agreement.probability < rare else "agree" }}: of all {{ phoenix.agreement.directions }} unknowns a larger difference has probability
{{ "%.2g"|format(phoenix.agreement.probability) }}{{ ", so that the model or the form of the noise is wrong" if phoenix.agreement.probability < rare else "" }}.
{{ zero }}

What wrong winds do (any sign): winds that the tower measured up to {{ shifts }} h after the window, {{ phoenix.others.shift|length }} windows;
{{ phoenix.others.incomplete }} with a half-hour missing are left out. Windows overlap: the counts are of winds, not of independent
trials.

| wind of | winds | fit as well or better than the right one | least RMSE [K] | median RMSE [K] | slope below zero | slope as large or larger, either sign |
|---|---|---|---|---|---|---|
{% for o in winds -%}
| {{ o.name }} | {{ o.count }} | {{ o.as_good }} | {{ "%.4f"|format(o.least) }} | {{ "%.4f"|format(o.median) }} | {{ o.negative }} | {{ o.as_steep }} |
{% endfor %}
The same hour of other days (shifts by multiples of 24 h) keeps the wind's daily cycle and changes what
distinguishes the days: {{ winds[0].verdict }} that the fit uses the wind of its own days.
Other hours change the phase of the cycle too: {{ winds[1].verdict }} that the fit uses even the daily
cycle of the wind. Of all shifts modulo 24 h, looked at afterwards, winds of {{ hour.hour }} h later fit best: median RMSE
{{ "%.4f"|format(hour.rmse) }} K, median slope {{ "%.2f"|format(hour.slope) }}.

![recovered parameters and evidence](figures/time_dependent.png)

## Made with

{% for name, value in provenance.items() -%}
- {{ name }}: {{ value }}
{% endfor %}"""


def told_of_zero(content: dict[str, Any]) -> str:
    """Say which intervals of the slope hold zero."""
    rows = [t for t in content["phoenix"]["intervals"] if t["coherence"] is not None]
    hold = [t["slope"]["lower"] <= 0 <= t["slope"]["upper"] for t in rows]
    if all(hold):
        return "Every interval of the slope that respects the correlation holds zero."
    if not any(hold):
        return "No interval of the slope that respects the correlation holds zero."
    return (
        f"Of {len(rows)} intervals of the slope that respect the correlation {sum(hold)} hold zero: "
        "these records do not establish a slope."
    )


def told_of_coherence(content: dict[str, Any]) -> str:
    """Say whether the record prefers a noise that is coherent for longer than itself."""
    rows = [t for t in content["phoenix"]["intervals"] if t["criterion"] is not None]
    falls = rows[0]["criterion"] - min(t["criterion"] for t in rows)
    if falls <= 0:
        return "The record does not prefer a coherence longer than itself."
    return (
        f"The criterion falls by {falls:.0f} where a coherence longer than the record is allowed: the "
        "first row's errors are lower limits."
    )


def page(content: dict[str, Any]) -> str:
    """Return the page of the numbers of the JSON file."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    more = {"winds": other_winds(content), "hour": by_hour(content)}
    more |= {"settings": SETTINGS, "fitted": FITTED, "shifts": SHIFTS, "rare": RARE}
    text = environment.from_string(TEMPLATE).render(
        content, **more, zero=told_of_zero(content), coherence=told_of_coherence(content)
    )
    return text + "\n"
