"""Recover parameters that vary in time, and say how well.

Run from the repository: ``python tools/time_dependent.py --data DIR`` (some three minutes on one
core) writes reports/time_dependent.json, time_dependent.md and figures/time_dependent.png; with
``--draw`` page and figure again from the JSON file. All draws are seeded. A test holds the page to
its JSON and computes a row of every table anew.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices of 200 × 100: threads only wait

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lsm_verify.files import write_text
from lsm_verify.inverse import twins
from lsm_verify.inverse.phoenix_wind import wind_study
from lsm_verify.inverse.priors import Smooth
from lsm_verify.inverse.time_study import (
    CHOOSING,
    ROWS,
    SCORED,
    SETTINGS,
    UNIDENTIFIABLE,
    judged_choice,
    locate,
    null_directions,
    row,
    setting,
)
from lsm_verify.inverse.wind_twin import follow_wind
from lsm_verify.verify.provenance import provenance

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "reports"
NUMBERS, PAGE, FIGURE = (
    FOLDER / name
    for name in ("time_dependent.json", "time_dependent.md", "figures/time_dependent.png")
)
COMMAND = "python tools/time_dependent.py"

# A script's own folder is all that Python adds.
sys.path.insert(0, str(ROOT))

from tools.time_dependent_figure import draw  # noqa: E402
from tools.time_dependent_page import page  # noqa: E402


def say(text: str) -> None:
    """Tell how far it has come."""
    print(text, file=sys.stderr, flush=True)


def measure(data: Path | None, tell: Callable[[str], None] = say) -> dict[str, Any]:
    """Run it all; numbers as JSON has them."""
    choices, recovered = {}, {}
    for key in SETTINGS:
        tell(f"{key}: choice of the smoothness")
        at = setting(key)
        picks = [judged_choice(at, seed) for seed in CHOOSING]
        choices[key] = [asdict(pick) for pick in picks]
        recovered[key] = {}
        for name in ROWS:
            if (key, name) != UNIDENTIFIABLE:
                tell(f"{key}: {name}")
                recovered[key][name] = asdict(row(key, name, Smooth(at.name, picks[0].choice)))
    tell("step change: located")
    located = [{"seed": seed, **_change(seed)} for seed in CHOOSING]
    tell("wind: twin and Phoenix")
    phoenix = wind_study(data)
    return {
        "command": COMMAND,
        "noise": twins.NOISE,
        "choosing": list(CHOOSING),
        "scored": list(SCORED),
        "recovered": recovered,
        "choices": choices,
        "step": {
            "truth": {"before": twins.BEFORE, "after": twins.AFTER, "step": twins.CHANGE},
            "per step": null_directions(setting(SETTINGS[2]).case(known=False)),
            "located": located,
        },
        "wind": asdict(follow_wind()),
        "phoenix": asdict(phoenix),
        "provenance": provenance(phoenix.sources),
    }


def _change(seed: int) -> dict[str, Any]:
    at = locate(seed)
    return {
        "step": at.step,
        "likely": list(at.likely),
        "before": [at.before, at.deviation[0]],
        "after": [at.after, at.deviation[1]],
    }


def main(arguments: list[str] | None = None) -> int:
    """Run it all and write the reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the Phoenix data")
    parser.add_argument("--draw", action="store_true", help="from the numbers that are there")
    asked = parser.parse_args(arguments)
    if not asked.draw:
        text = json.dumps(measure(asked.data), indent=1, allow_nan=False, ensure_ascii=False)
        write_text(NUMBERS, text + "\n")
    content = json.loads(NUMBERS.read_text(encoding="utf-8"))
    write_text(PAGE, page(content))
    draw(content, FIGURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
