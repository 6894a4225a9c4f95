"""Make reports/: what the product last measured, as a page, its numbers and a figure.

Run as ``python tools/make_reports.py --data DIR`` from the repository (about five minutes: the
published route at tolerance 1e-12 alone takes two). ``--fast`` leaves the published route out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np

import lsm_verify as lv
from lsm_verify.files import replacing, write_text
from lsm_verify.verify.result import PointResult, Report

FOLDER = Path(__file__).parents[1] / "reports"
PUBLISHED_TOLERANCES = (1e-4, 1e-12)

# ruff: noqa: E501 - lines of the page are as long as they are
PAGE = """\
# What was last measured

Made by `python tools/make_reports.py --data DIR`; the numbers are in `verification.json`. A test
recomputes objectives and gradients and compares. Differences between routes and times depend on
the machine.

{% for r in reports %}
## {{ r.case }}: {{ r.verdict }}

{{ r.title }}. Command: `lsm-verify check {{ r.case }}`, exit code {{ r.exit_code }}.

| check | points | verdict | worst | limit | certified error | sees |
|---|---|---|---|---|---|---|
{% for c in r.summary -%}
| {{ c.name }} | {{ c.points }} | {{ c.verdict }} | {{ c.statistic }} {{ c.value }} | {{ c.limit }} | {{ c.bound }} | {{ c.detectable }} |
{% endfor %}
| point | J | ‖g∘s‖ | misfit by series |
|---|---|---|---|
{% for p in r.points -%}
| {{ p.point }} | {{ "%.12g"|format(p.value) }} | {{ "%.6g"|format(p.norm) }} | {{ p.misfit }} |
{% endfor %}
Energy closure, mean |residual| per step: at most {{ "%.1e"|format(r.energy) }} W m⁻².
Finite differences: U_j s_j ≤ {{ "%.1e"|format(r.fd_norm) }} ‖g∘s‖; relative to g_j, where it carries
at least 1e-3 of ‖g∘s‖, U_j ≤ {{ "%.1e"|format(r.fd_component) }}.
Largest |Δg_j| s_j / ‖g∘s‖ of any exact route against complex step: {{ "%.1e"|format(r.against_complex_step) }}.
{% endfor %}
{%- if published %}
## The published method on the twin

The gradient of J at the start, by unrolling the Jacobi iteration; judged at relative tolerance 1e-6.

| Jacobi tolerance | verdict | error / ‖g∘s‖ | what |
|---|---|---|---|
{% for p in published -%}
| {{ p.tolerance }} K | {{ p.verdict }} | {{ "%.1e"|format(p.value) }} | {{ p.message }}{{ "; " ~ p.reason if p.reason }} |
{% endfor %}
{%- endif %}
## Made with

{% for name, value in provenance.items() -%}
- {{ name }}: {{ value }}
{% endfor %}"""


def summarise(report: Report) -> list[dict[str, str]]:
    """One row per check, objective, statistic and verdict: the worst of all points."""
    groups: dict[tuple[str, str, str, str], list[Any]] = {}
    for check in report.checks:
        key = (check.check, check.objective, check.verdict, check.statistic)
        groups.setdefault(key, []).append(check)
    rows = []
    for (name, objective, verdict, _), checks in groups.items():
        worst = max(checks, key=lambda c: c.value)
        bounds = [c.bound for c in checks if c.bound is not None and np.isfinite(c.bound)]
        seen = [c.detectable for c in checks if c.detectable is not None]
        reason = f" ({worst.reason})" if worst.reason else ""
        reason += "; the probe passes there" if worst.covered else ""
        rows.append(
            {
                "name": f"{name} on {objective}" if objective else name,
                "points": ", ".join(dict.fromkeys(c.point for c in checks)),
                "verdict": f"{verdict}{reason}",
                "statistic": worst.statistic.replace("|", "∣"),
                "value": f"{worst.value:.2g}",
                "limit": f"{worst.pass_limit:g}",
                "bound": f"{max(bounds):.1e}" if bounds and not worst.covered else "",
                "detectable": f"{max(seen):.1e}" if seen and not worst.covered else "",
            }
        )
    return rows


def judged(points: tuple[PointResult, ...]) -> list[PointResult]:
    """Leave out the misfit at the truth, which has no signal, and the short window."""
    return [
        p
        for p in points
        if not p.point.startswith("first ") and (p.point, p.objective) != ("truth", "J")
    ]


def worst_uncertainty(points: tuple[PointResult, ...]) -> tuple[float, float]:
    """Largest U s / ‖g∘s‖ of any component, and U / |g| of any that carries weight."""
    norm, component = 0.0, 0.0
    for point in judged(points):
        for row in point.rows:
            u = row.finite_difference_uncertainty or 0.0
            norm = max(norm, u * row.scale / point.norm)
            if row.share >= 1e-3:
                component = max(component, u / abs(row.gradients["adjoint"]))
    return norm, component


def against_complex_step(points: tuple[PointResult, ...]) -> float:
    """Largest scaled difference of an exact route from complex step."""
    return max(
        abs(value - row.gradients["complex-step"]) * row.scale / point.norm
        for point in judged(points)
        for row in point.rows
        for route, value in row.gradients.items()
    )


def describe(report: Report) -> dict[str, Any]:
    """Return what the page and the JSON file say of one case."""
    energy = [c.message for c in report.checks if c.check == "energy closure"]
    norm, component = worst_uncertainty(report.points)
    return {
        "case": report.case,
        "title": report.title,
        "verdict": str(report.verdict),
        "exit_code": report.exit_code,
        "summary": summarise(report),
        "points": [
            {
                "point": p.point,
                "value": p.value,
                "norm": p.norm,
                "misfit": ", ".join(f"{k} {v:.4g}" for k, v in p.rmse.items()),
                "gradient": {
                    row.parameter: row.gradients["adjoint"] for row in p.rows if not row.component
                },
            }
            for p in report.points
            if p.objective == "J" and not p.point.startswith("first ")
        ],
        "energy": max(float(m.split("|residual| ")[1].split()[0]) for m in energy),
        "fd_norm": norm,
        "fd_component": component,
        "against_complex_step": against_complex_step(report.points),
    }


def draw(reports: list[Report], path: Path) -> None:
    """Plot how far every route lies from complex step, in units of ‖g∘s‖, case by case."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(reports), figsize=(10, 3.2), sharey=True)
    for axis, report in zip(axes, reports, strict=True):
        series: dict[str, list[float]] = {}
        for point in judged(report.points):
            for row in point.rows:
                exact = row.gradients["complex-step"]
                unit = row.scale / point.norm
                for route in ("adjoint", "tangent", "autograd"):
                    series.setdefault(route, []).append(abs(row.gradients[route] - exact) * unit)
                assert row.finite_difference is not None
                assert row.finite_difference_uncertainty is not None
                series.setdefault("finite\ndifference", []).append(
                    abs(row.finite_difference - exact) * unit
                )
                series.setdefault("its U", []).append(row.finite_difference_uncertainty * unit)
        rng = np.random.default_rng(0)
        for position, values in enumerate(series.values()):
            shown = np.maximum(values, 1e-19)
            jitter = position + 0.25 * (rng.random(len(shown)) - 0.5)
            axis.plot(jitter, shown, ".", markersize=3, alpha=0.5)
        axis.set_yscale("log")
        axis.set_xticks(range(len(series)), list(series), rotation=60, fontsize=8)
        axis.axhline(1e-10, color="0.4", linewidth=0.8, linestyle="--")
        axis.axhline(1e-8, color="0.4", linewidth=0.8, linestyle=":")
        axis.set_title(report.case, fontsize=9)
    axes[0].set_ylabel("|Δg$_j$| s$_j$ / ‖g∘s‖\nagainst complex step", fontsize=9)
    figure.suptitle(
        "Every derivative at every point (no difference: drawn at 1e-19); "
        "dashed: tolerance of the gate, dotted: of finite differences",
        fontsize=9,
    )
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def main() -> None:
    """Verify every case and write the reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the Phoenix data")
    parser.add_argument("--fast", action="store_true", help="leave the published route out")
    options = parser.parse_args()
    reports = [
        lv.verify(lv.load_case(name, data=options.data), announce=print) for name in lv.CASES
    ]
    published = []
    for tolerance in () if options.fast else PUBLISHED_TOLERANCES:
        report = lv.verify(
            lv.load_case("twin"),
            routes=["autograd-published"],
            points=0,
            jacobi_tolerance=tolerance,
            announce=print,
            warn=print,
        )
        check = next(c for c in report.checks if c.check == "published route")
        published.append(
            {
                "tolerance": f"{tolerance:g}",
                "verdict": str(check.verdict),
                "value": check.value,
                "message": check.message,
                "reason": str(check.reason) if check.reason else "",
            }
        )
    content = {
        "reports": [describe(report) for report in reports],
        "published": published,
        "provenance": {k: v for k, v in reports[0].provenance.items() if "sha256" not in k}
        | {k: v for report in reports for k, v in report.provenance.items() if "sha256" in k},
    }
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    (FOLDER / "figures").mkdir(parents=True, exist_ok=True)
    write_text(FOLDER / "verification.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
    write_text(FOLDER / "verification.md", environment.from_string(PAGE).render(content) + "\n")
    draw(reports, FOLDER / "figures" / "agreement.png")


if __name__ == "__main__":
    main()
