"""Make the series that ship with the package, from the oracle at each case's truth.

Run as ``python tools/make_series.py`` from the repository; a test compares the shipped files with
what this makes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_reference.evaluate import simulate
from lsm_verify.cases import Case, load_case
from lsm_verify.cases.layered import SERIES
from lsm_verify.cases.twin import DEPTHS
from lsm_verify.routes.oracle import to_problem

FOLDER = Path(__file__).parents[1] / "lsm_verify" / "cases"


def predictions(case: Case) -> NDArray[np.float64]:
    """Return what a case's observations are at its truth (series, steps + 1)."""
    return np.asarray(simulate(to_problem(case.inputs(case.point("truth")))).y)


def gaps(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Regular gaps of the layered case; its turbulent flux (last) has no initial value."""
    series, state = np.indices(shape)
    missing = (7 * state + 3 * series) % 13 == 0
    missing[-1, 0] = True
    return np.asarray(missing)


def files() -> dict[str, str]:
    """Return the text of every shipped file by name."""
    twin = predictions(load_case("twin"))
    y = predictions(load_case("layered"))
    layered = np.where(gaps((y.shape[0], y.shape[1])), np.nan, y)
    return {
        "twin.csv": _text([f"soil_temperature_{d:g}m" for d in DEPTHS], twin),
        "layered.csv": _text(list(SERIES), layered),
    }


def _text(names: list[str], rows: NDArray[np.float64]) -> str:
    cells = [["" if np.isnan(x) else f"{x:.17g}" for x in state] for state in rows.T]
    return "\n".join([",".join(names), *(",".join(line) for line in cells)]) + "\n"


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
