"""The page reports/maps.md, from reports/map_city.json and reports/map_runs.json alone.

``python tools/maps_page.py`` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2

from lsm_verify.files import write_text
from lsm_verify.inverse.city import city_case
from lsm_verify.quantities import PARAMETERS

REPORTS = Path(__file__).parents[1] / "reports"

FORMS = ("four unknowns", "five unknowns")

# ruff: noqa: E501 - lines of the page are as long as they are
TEMPLATE = """\
# Maps

A synthetic city: {{ city.how }}. Made by `tools/map_city.py` (in one process, `reports/map_city.json`) and `tools/map_runs.py` (the command, `reports/map_runs.json`) on {{ city.machine.cores }} cores ({{ city.machine.processor }}) that others share; no GPU was at hand: CUDA is **not measured**.

## Is it right

Share of 95 % intervals that hold the truth, over 10,000 columns (± 0.0022, binomial); all columns converged.

| | {{ forms|join(" | ") }} |
|---|{{ "---|" * forms|length }}
{% for name in names -%}
| {{ symbols[name] }} | {% for form in forms %}{{ covered(form, name) }} |{{ '' if loop.last else ' ' }}{% endfor %}
{% endfor %}
The gradient was verified on {{ runs["316 x 316"].gradient_verified.verified }} sampled columns of the {{ "{:,}".format(large_columns) }} of the large city: wrong {{ runs["316 x 316"].gradient_verified.wrong }}, inconclusive {{ runs["316 x 316"].gradient_verified.inconclusive }}; largest z {{ runs["316 x 316"].max_z }} (passes up to 32).

## How long it takes

`calibrate_columns` after compilation, errors and singular values included, {{ threads }} threads:

| | {{ forms|join(" | ") }} |
|---|{{ "---|" * forms|length }}
| 100 × 100 columns, wall-clock s, {{ rounds }} rounds | {% for form in forms %}{{ spread(city[form]["100 x 100"].wall_s) }} |{{ '' if loop.last else ' ' }}{% endfor %}
| the same, processor s | {% for form in forms %}{{ spread(city[form]["100 x 100"].cpu_s) }} |{{ '' if loop.last else ' ' }}{% endfor %}
| µs of a processor per column and run of the model | {% for form in forms %}{{ city[form]["100 x 100"].cpu_us_per_column_and_run }} |{{ '' if loop.last else ' ' }}{% endfor %}
| runs a column, mean (most) | {% for form in forms %}{{ city[form]["100 x 100"].iterations_mean|round(2) }} ({{ city[form]["100 x 100"].iterations_most }}) |{{ '' if loop.last else ' ' }}{% endfor %}

316 × 316 columns take {{ city["cpu per column, 316 x 316 over 100 x 100"] }} times the processor time a column (five unknowns).

The peer is `scipy.optimize.least_squares`, column by column on one core with its own differences, against ours on one core:

| | {{ forms|join(" | ") }} |
|---|{{ "---|" * forms|length }}
{% for peer in peers -%}
| {{ peer }}: times slower, median (least), of {{ city[forms[0]].peers[peer].columns }} columns | {% for form in forms %}{{ slower(form, peer) }} |{{ '' if loop.last else ' ' }}{% endfor %}
| largest distance of the optima, in standard errors | {% for form in forms %}{{ city[form].peers[peer].largest_distance_of_optima_in_standard_errors }} |{{ '' if loop.last else ' ' }}{% endfor %}
{% endfor -%}
| the same, SciPy finished | {% for form in forms %}{{ city[form].peers["largest distance of the optima, SciPy finished"] }} |{{ '' if loop.last else ' ' }}{% endfor %}

SciPy stops where rounding hides the descent of its objective; `scipy.optimize.root` on the gradient, which our adjoint gives, goes on from there.

`lsm-verify map`, from the start of the process to its end, {{ runs["100 x 100"].regions }} and {{ runs["316 x 316"].regions }} regions:

| | 100 × 100 | 316 × 316 |
|---|---|---|
| input, MB | {{ runs.input_MB.city }} | {{ runs.input_MB.large }} |
| wall-clock s, of them the regions | {{ run("100 x 100") }} | {{ run("316 x 316") }} |
| processor s | {{ runs["100 x 100"].cpu_s }} | {{ runs["316 x 316"].cpu_s }} |
| most memory, MB | {{ runs["100 x 100"].peak_memory_MB }} | {{ runs["316 x 316"].peak_memory_MB }} |

Of ten times as many columns the most memory differs by {{ grown }} MB: it goes with the size of a region, not of the map.

## The same bytes

Stores compared file by file with that of an undisturbed run by two threads, {{ runs["regions of 400"].regions }} regions:

| | the same |
|---|---|
| one thread | {{ yes(runs["one thread"].same_bytes) }} |
| two processes | {{ yes(runs.processes.same_bytes) }} |
| two processes, one killed with {{ runs.processes.one_killed.regions_done_when_killed }} done | {{ yes(runs.processes.one_killed.same_bytes) }} |
| a Dask `LocalCluster` of two workers | {{ yes(runs[cluster].same_bytes) }} |
| the same, one worker killed with {{ runs[cluster].a_worker_killed.regions_done_when_killed }} done | {{ yes(runs[cluster].a_worker_killed.same_bytes) }} |
{% for each in runs.killed -%}
| the command with {{ each.scheduler }} killed ({{ each.ended_by }}) with {{ each.regions_done_when_killed }} regions done, then `--resume` | {{ yes(each.same_bytes_after_resume) }} |
{% endfor %}"""


def page(city: dict[str, Any], runs: dict[str, Any]) -> str:
    """Return the page."""
    cluster = "LocalCluster of 2 workers"
    names = list(city_case().free)

    def covered(form: str, name: str) -> str:
        found = city[form]["100 x 100"]["unknowns"].get(name)
        return f"{found['coverage_95']:.4f}" if found else "known"

    def slower(form: str, peer: str) -> str:
        found = city[form]["peers"][peer]
        return f"{found['times_slower_median']:,} ({found['times_slower_least']:,})"

    small, large = runs["100 x 100"], runs["316 x 316"]
    return jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined).from_string(TEMPLATE).render(
        city=city,
        runs=runs,
        cluster=cluster,
        names=names,
        forms=FORMS,
        symbols={name: PARAMETERS[name].symbol for name in names},
        peers=[p for p in city[FORMS[0]]["peers"] if isinstance(city[FORMS[0]]["peers"][p], dict)],
        covered=covered,
        slower=slower,
        spread=lambda seconds: f"{min(seconds):.2f} to {max(seconds):.2f}",
        threads=city[FORMS[0]]["100 x 100"]["threads"],
        rounds=city[FORMS[0]]["100 x 100"]["rounds"],
        run=lambda name: f"{runs[name]['wall_s']}, {runs[name]['regions_s']}",
        large_columns=sum(large["status"].values()),
        grown=round(large["peak_memory_MB"] - small["peak_memory_MB"]),
        yes=lambda same: "yes" if same else "**no**",
    )  # fmt: skip


def main() -> None:
    """Write the page."""
    city, runs = (
        json.loads((REPORTS / name).read_text(encoding="utf-8"))
        for name in ("map_city.json", "map_runs.json")
    )
    write_text(REPORTS / "maps.md", page(city, runs))


if __name__ == "__main__":
    main()
