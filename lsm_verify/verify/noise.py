"""How noisy a computed function is: ECnoise.

References
----------
Moré, J. J., Wild, S. M. (2011). Estimating computational noise. SIAM J. Sci. Comput. 33(3),
1292-1314. doi:10.1137/100786125.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

POINTS = 9
"""Equally spaced points of the difference table."""

AGREE = 4.0
"""Three consecutive levels within this factor are taken as converged."""


def ecnoise(values: NDArray[np.float64]) -> float:
    """Estimate the standard deviation of the noise in equally spaced values.

    Parameters
    ----------
    values : (points,) array
        The function along a short line; at least 7 points.

    Returns
    -------
    float
        Noise level; where no three levels of the difference table agree, the largest level from
        the second on (an estimate that does not understate).
    """
    table = np.asarray(values, dtype=np.float64)
    levels, changes = [], []
    factor = 1.0
    for k in range(1, table.size):
        table = np.diff(table)
        factor *= k / (2.0 * (2.0 * k - 1.0))  # (k!)² / (2k)!
        levels.append(math.sqrt(factor * float(np.mean(table**2))))
        changes.append(bool(table.size > 1 and table.min() < 0 < table.max()))
    for k in range(len(levels) - 3):
        group = levels[k : k + 3]
        if min(group) > 0 and max(group) <= AGREE * min(group) and changes[k]:
            return levels[k]
    return max(levels[1:-1])
