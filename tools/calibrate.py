"""Calibrate the limits of the checks on drawn columns, and count what the whole gate says of them.

Run from the repository. ``python tools/calibrate.py --count 1000`` takes every statistic on 1,000
columns (some twenty minutes on two cores) and writes reports/calibration.json, calibration.md and
figures/calibration.png. ``--clean 1000`` runs `lsm_verify.verify` on as many (some forty minutes)
and adds the verdicts to the same files, ``--clean 10000 --fast`` the checks of ``check --fast``
(about an hour). Verdicts are written after every 500; ``--first 500`` goes on from there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np

import lsm_verify as lv
from lsm_verify.files import replacing, write_text
from lsm_verify.verify.calibration import (
    LIMITS,
    SEED,
    Measured,
    complaints,
    gate,
    measure,
    summarise,
)
from lsm_verify.verify.provenance import provenance

FOLDER = Path(__file__).parents[1] / "reports"

# ruff: noqa: E501 - lines of the page are as long as they are
PAGE = """\
# Calibration of the limits

Made by `python tools/calibrate.py`; the numbers are in `calibration.json`. A test recomputes a part
and compares. Every statistic is taken on {{ count }} drawn columns (`lsm_verify.verify.draws`, seed
{{ seed }}): like the twin, like Phoenix, layered soil on stretched grids, steps of 5 to 60 minutes,
parameters in every form, noisy observations with gaps.

| statistic | median | 99 % | 99.9 % | largest | PASS up to | FAIL beyond | beyond PASS |
|---|---|---|---|---|---|---|---|
{% for name, s in statistics.items() -%}
| {{ name|replace("|", "∣") }} | {{ "%.2g"|format(s.quantiles["0.5"]) }} | {{ "%.2g"|format(s.quantiles["0.99"]) }} | {{ "%.2g"|format(s.quantiles["0.999"]) }} | {{ "%.2g"|format(s.max) }} | {{ "%g"|format(s.pass_limit) }} | {{ "%g"|format(s.fail_limit) if s.fail_limit else "" }} | {{ s.beyond_pass }} |
{% endfor %}
|error|/U is that of a difference quotient against the complex step: U leaves {{ uncovered }} of
{{ derivatives }} derivatives uncovered. U s/‖g∘s‖ is the reach of differences; beyond the tolerance
they are inconclusive. A rate is off where the third derivative along a direction is so small that
the fifth shows; without a linear error to explain it that is inconclusive too.

Verdicts of these checks: {% for v, n in verdicts.items() %}{{ v }} {{ n }}{{ ", " if not loop.last }}{% endfor %}.
{%- for reason, n in reasons.items() %}
- {{ n }} × {{ reason }}
{%- endfor %}

![distributions and limits](figures/calibration.png)
{% for title, call, gate in gates %}
## {{ title }}

`{{ call }}` on {{ gate.count }} drawn cases:
{% for v, n in gate.runs.items() %}{{ v }} {{ n }}{{ ", " if not loop.last }}{% endfor %}. Single checks:
{% for v, n in gate.checks.items() %}{{ v }} {{ n }}{{ ", " if not loop.last }}{% endfor %}.
{%- for reason, n in gate.reasons.items() %}
- {{ n }} × {{ reason }}
{%- endfor %}
{% endfor %}
## Made with

{% for name, value in provenance.items() -%}
- {{ name }}: {{ value }}
{% endfor %}"""


def spread(function: Callable[[int], Any], indices: range, jobs: int) -> Iterator[Any]:
    """Call a function for every index, in several processes, and say how far it has come."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # the columns are small and the processes many
    begin = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, result in enumerate(pool.imap_unordered(function, indices, chunksize=4), 1):
            if done % 50 == 0 or done == len(indices):
                rate = 60 * done / (time.perf_counter() - begin)
                print(f"{done} of {len(indices)}, {rate:.0f} per minute", file=sys.stderr)
            yield result


GATES = {
    "gate": ("The whole gate on clean columns, at start and truth", "verify(case, points=0)"),
    "fast_gate": ("The fast gate, at the start", "verify(case, points=0, fast=True)"),
}
"""The two gates by their key in the file: title and call."""


def count_gate(reports: list[dict[str, Any]], before: dict[str, Any] | None) -> dict[str, Any]:
    """Count verdicts of runs and of checks, with the reasons of all that is not PASS.

    ``before`` are the counts of the columns that came before, to be added to.
    """
    said = [tuple(check) for report in reports for check in report["checks"]]
    counts = {
        "runs": Counter(r["verdict"] for r in reports),
        "exit_codes": Counter(str(r["exit_code"]) for r in reports),
        "checks": Counter(verdict for _, verdict, _ in said),
        "reasons": Counter(f"{c}: {v}, {why}" for c, v, why in said if v != "PASS"),
    }
    not_passed = [r["index"] for r in reports if r["verdict"] != "PASS"]
    before = before or {"count": 0, "not_passed": []}
    return {
        "count": before["count"] + len(reports),
        **{k: dict(sorted((c + Counter(before.get(k, {}))).items())) for k, c in counts.items()},
        "not_passed": sorted(before["not_passed"] + not_passed),
    }


def draw(measured: list[Measured], path: Path) -> None:
    """Plot the share of columns beyond each value, with the limits."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(12, 5.2), sharey=True)
    for axis, (name, (passes, fails)) in zip(axes.flat, LIMITS.items(), strict=True):
        values = np.sort([m.values[name] for m in measured])
        beyond = 1.0 - np.arange(values.size) / values.size
        axis.step(np.maximum(values, 1e-16), beyond, where="post", color="C0")
        axis.axvline(passes, color="C2", label="PASS up to")
        if fails is not None:
            axis.axvline(fails, color="C3", linestyle="--", label="FAIL beyond")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(name, fontsize=8)
        axis.legend(fontsize=7, loc="lower left")
        axis.tick_params(labelsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("share of columns beyond", fontsize=8)
    figure.suptitle(f"{len(measured)} clean columns and the limits of the checks", fontsize=10)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def write(content: dict[str, Any]) -> None:
    """Write numbers and page."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    gates = [(*GATES[key], content[key]) for key in GATES if content.get(key)]
    page = environment.from_string(PAGE).render(content, gates=gates)
    write_text(FOLDER / "calibration.json", text + "\n")
    write_text(FOLDER / "calibration.md", page + "\n")


PIECE = 500
"""Cases after which verdicts are written."""


def run_gate(content: dict[str, Any], options: argparse.Namespace) -> None:
    """Run a gate on the cases asked for, and write the counts as they grow."""
    key = "fast_gate" if options.fast else "gate"
    done = content[key] if options.first else None
    if options.first != (done or {"count": 0})["count"]:
        raise SystemExit(f"--first {options.first} does not go on from the {key} in the file.")
    end = options.first + options.clean
    for begin in range(options.first, end, PIECE):
        indices = range(begin, min(begin + PIECE, end))
        done = count_gate(
            list(spread(partial(gate, fast=options.fast), indices, options.jobs)), done
        )
        content[key] = done
        write(content)


def main() -> int:
    """Calibrate, or count verdicts of the gate; the exit code is 1 if clean code does not pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, help="columns on which every statistic is taken")
    parser.add_argument("--clean", type=int, help="cases on which the gate runs")
    parser.add_argument("--fast", action="store_true", help="the gate of check --fast")
    parser.add_argument("--first", type=int, default=0, help="number of the first column")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    if not (options.count or options.clean):
        parser.error("nothing asked for; give --count 1000 or --clean 1000")
    path = FOLDER / "calibration.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    made = {"seed": SEED, "version": lv.__version__, "provenance": provenance({})}
    if options.count:
        indices = range(options.first, options.first + options.count)
        measured = list(spread(measure, indices, options.jobs))
        content |= summarise(measured) | made
        draw(measured, FOLDER / "figures" / "calibration.png")
        write(content)
    if options.clean:
        run_gate(content, options)
    wrong = complaints(content)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
