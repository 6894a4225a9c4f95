"""A synthetic city: columns of the twin with known fields of parameters and noisy observations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case, load_case
from lsm_verify.parameters import COMBINED, SEPARATE
from lsm_verify.validation import whole

Array = NDArray[np.float64]

TRANSFER = (6.0, 31.0)
"""Range of h(1+1/β) [W m-2 K-1]: the published ranges h = 5 to 20, β = 0.5 to 5 give 6 to 60, of
which the upper half needs both at their ends."""


def city_case() -> Case:
    """Return the twin by α, h(1+1/β), λ, C and T_b, observed at 0 and 0.05 m for 100 hours."""
    twin = load_case("twin")
    kept = [name for name in twin.free if name not in SEPARATE]
    middle = {name: float(sum(twin.ranges[name])) / 2 for name in kept}
    return replace(
        twin,
        name="city",
        title="columns of a synthetic city",
        start={**middle, COMBINED: sum(TRANSFER) / 2},
        ranges={**{name: twin.ranges[name] for name in kept}, COMBINED: TRANSFER},
        truth=None,
        published=None,
    )


def draw_city(
    case: Case,
    columns: int,
    error: float,
    *,
    held: tuple[str, ...] = (),
    seed: int,
    threads: int | None = None,
) -> tuple[dict[str, Array], Array]:
    """Draw fields, uniform in the ranges, and observations with normal noise.

    Parameters
    ----------
    case : Case
        Of unknowns of one number each; what is ``held`` keeps the case's start.
    columns : int
        B.
    error : float
        Standard deviation of the noise, in the observations' unit.
    seed : int
        Of the draws.

    Returns
    -------
    truth : dict
        Name to (B, 1).
    observations : (B, series, steps + 1) array
    """
    from lsm_verify.inverse.field_columns import batch_of
    from lsm_verify.kernels import cpu

    B = whole("columns", columns, 1)
    rng = np.random.default_rng(whole("seed", seed, 0))
    names = [name for name in case.free if name not in held]
    truth = {name: rng.uniform(*case.ranges[name], (B, 1)) for name in names}
    batch = batch_of(case, (), truth, B)
    y, status = cpu.predict(batch.columns, case.insulated, batch.sight, threads=threads)
    assert not status.any()
    return truth, y + error * rng.standard_normal(y.shape)
