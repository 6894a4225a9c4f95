"""Many columns in one call, one thread per column: only the objectives come back.

A plain function, bound by `namespace.py`.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from lsm_reference.forward import predict, run, score
from lsm_reference.problem import Column, Sight


def sweep(stack, sight, weights, kinds, tolerance, out):
    """Fill out (objectives, K) for the K columns whose fields are stacked along the first axis.

    Grid and steps are common to all. Not-a-number marks a column without a solution.
    """
    S, N = stack.dt.shape[0], stack.dz.shape[0]
    for k in prange(stack.lam.shape[0]):
        column = Column(
            stack.dz,
            stack.dt,
            stack.lam[k],
            stack.C[k],
            stack.alpha[k],
            stack.H[k],
            stack.Tb[k],
            stack.T0[k],
            stack.eps[k],
            stack.SW[k],
            stack.LW[k],
            stack.Ta[k],
            stack.insulated,
        )
        T = np.empty((S + 1, N + 1))
        y = np.empty((sight.kind.shape[0], S + 1))
        found = run(column, tolerance, T) < 0
        if found:
            predict(column, sight, T, y)
        for o in range(kinds.shape[0]):
            aimed = Sight(sight.kind, sight.index, sight.fraction, sight.values, weights[o])
            out[o, k] = score(aimed, kinds[o], y) if found else np.nan
