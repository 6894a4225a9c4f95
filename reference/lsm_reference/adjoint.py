"""The discrete adjoint, derived by hand: backward in time over a stored trajectory.

Plain functions, bound by `namespace.py`; equation numbers of ``reference/derivation.md``.
"""

from __future__ import annotations

import numpy as np

from lsm_reference.forward import SIGMA, conductance, eliminate, storage
from lsm_reference.problem import LONGWAVE_UP, SOIL_HEAT_FLUX, SOIL_TEMPERATURE


def adjoint_predict(column, sight, T, slope, bar, W):
    """Pull ∂J/∂y back through equations (12) to (15): add to W = ∂J/∂T and to ``bar``, (27)."""
    S = column.dt.shape[0]
    for k in range(sight.kind.shape[0]):
        j = sight.index[k]
        f = sight.fraction[k]
        for n in range(S + 1):
            q = slope[k, n]
            x = T[n, 0]
            if sight.kind[k] == SOIL_TEMPERATURE:
                W[n, j] += (1 - f) * q
                W[n, j + 1] += f * q
            elif sight.kind[k] == SOIL_HEAT_FLUX:
                adjoint_flux(column, T, n, j, (1 - f) * q, bar, W)
                if f != 0:
                    adjoint_flux(column, T, n, j + 1, f * q, bar, W)
            elif sight.kind[k] == LONGWAVE_UP:
                W[n, 0] += 4 * column.eps * SIGMA * x * x * x * q
                bar.eps[0] += SIGMA * x * x * x * x * q
            elif n > 0:
                W[n, 0] += column.H[n - 1] * q
                bar.H[n - 1] += (x - column.Ta[n - 1]) * q
                bar.Ta[n - 1] -= column.H[n - 1] * q


def adjoint_flux(column, T, n, j, q, bar, W):
    """Transpose of the conduction through interface j, positive down."""
    W[n, j] += column.lam[j] / column.dz[j] * q
    W[n, j + 1] -= column.lam[j] / column.dz[j] * q
    bar.lam[j] += (T[n, j] - T[n, j + 1]) / column.dz[j] * q


def adjoint_step(column, n, new, old, total, bar, before):
    """One step backward: from Λ' = ``total`` of the new state to s_i μ_i of the old one.

    Adds to ``bar`` what the step's parameters do, (25) and (26), and fills ``before`` with the
    sensitivity of J to the old state through this step, (22).
    """
    dz = column.dz
    N = dz.shape[0]
    s, mu, a, m, b = (
        np.empty_like(column.C),
        np.zeros_like(column.C),
        np.empty_like(column.C),
        np.empty_like(column.C),
        np.empty_like(column.C),
    )
    g = np.empty_like(column.lam)
    conductance(dz, column.lam, g)
    storage(dz, column.C, column.dt[n], s)
    eliminate(s, g, total, 0.0, column.insulated, a, m, b)  # (23): the matrix is symmetric
    x = new[0]
    slope = s[0] + g[0] * m[1] + column.H[n] + 4 * column.eps * SIGMA * x * x * x
    mu[0] = (total[0] + g[0] * b[1]) / slope  # (24)
    for i in range(1, N + 1):
        mu[i] = a[i] * mu[i - 1] + b[i]
    bar.alpha[n] -= mu[0] * column.SW[n]  # (25)
    bar.SW[n] += mu[0] * (1 - column.alpha[n])
    bar.LW[n] += mu[0]
    bar.eps[0] -= mu[0] * SIGMA * x * x * x * x
    bar.H[n] -= mu[0] * (x - column.Ta[n])
    bar.Ta[n] += mu[0] * column.H[n]
    for i in range(N):
        bar.lam[i] += (mu[i] - mu[i + 1]) * (new[i + 1] - new[i]) / dz[i]  # (26)
    for i in range(N + 1):
        bar.C[i] -= mu[i] * (new[i] - old[i]) * (s[i] / column.C[i])
        before[i] = s[i] * mu[i]
    if not column.insulated:
        bar.Tb[n] += total[N] + g[N - 1] * mu[N - 1]


def adjoint_run(column, T, W, bar, states):
    """Sweep backward: from W = ∂J/∂T add to ``bar`` the gradient by canonical quantity.

    Fills ``states`` (S + 1, N + 1) with Λ_i^n, the total sensitivity of J to T_i^n, (22).
    """
    S, nodes = column.dt.shape[0], column.C.shape[0]
    before = np.empty_like(column.C)
    for i in range(nodes):
        states[S, i] = W[S, i]
    for n in range(S - 1, -1, -1):
        adjoint_step(column, n, T[n + 1], T[n], states[n + 1], bar, before)
        for i in range(nodes):
            states[n, i] = W[n, i] + before[i]
    for i in range(nodes):
        bar.T0[i] += states[0, i]  # (28)
