"""The tangent-linear model: forward in time, linearised by hand about a stored trajectory.

Plain functions, bound by `namespace.py`; equation numbers of ``reference/derivation.md``.
"""

from __future__ import annotations

import numpy as np

from lsm_reference.forward import SIGMA, conductance, eliminate, storage
from lsm_reference.problem import LONGWAVE_UP, SOIL_HEAT_FLUX, SOIL_TEMPERATURE


def tangent_step(column, d, n, new, old, before, after):
    """One step forward: from δT = ``before`` of the old state fill ``after`` with δT'.

    ``d`` is a `Column` whose fields are the changes of the fields (its ``dz``, ``dt`` and
    ``insulated`` are not read: grid and steps are not parameters).
    """
    dz = column.dz
    N = dz.shape[0]
    s, ds, r, a, m, b = (
        np.empty_like(column.C),
        np.empty_like(column.C),
        np.empty_like(column.C),
        np.empty_like(column.C),
        np.empty_like(column.C),
        np.empty_like(column.C),
    )
    g, dg = np.empty_like(column.lam), np.empty_like(column.lam)
    conductance(dz, column.lam, g)
    conductance(dz, d.lam, dg)
    storage(dz, column.C, column.dt[n], s)
    storage(dz, d.C, column.dt[n], ds)
    for i in range(N + 1):  # (17): storage, conduction from below, conduction to above
        r[i] = s[i] * before[i] - ds[i] * (new[i] - old[i])
        if i < N:
            r[i] += dg[i] * (new[i + 1] - new[i])
        if i > 0:
            r[i] -= dg[i - 1] * (new[i] - new[i - 1])
    eliminate(s, g, r, d.Tb[n], column.insulated, a, m, b)  # (19)
    x = new[0]
    forced = (1 - column.alpha[n]) * d.SW[n] - d.alpha[n] * column.SW[n] + d.LW[n]
    emitted = d.eps * SIGMA * x * x * x * x
    turbulent = d.H[n] * (x - column.Ta[n]) - column.H[n] * d.Ta[n]
    slope = s[0] + g[0] * m[1] + column.H[n] + 4 * column.eps * SIGMA * x * x * x
    after[0] = (r[0] + g[0] * b[1] + forced - emitted - turbulent) / slope  # (18)
    for i in range(1, N + 1):
        after[i] = a[i] * after[i - 1] + b[i]


def tangent_run(column, d, T, dT):
    """Fill dT (S + 1, N + 1), the change of T along the change ``d`` of the column."""
    for i in range(column.C.shape[0]):
        dT[0, i] = d.T0[i]  # (20)
    for n in range(column.dt.shape[0]):
        tangent_step(column, d, n, T[n + 1], T[n], dT[n], dT[n + 1])


def tangent_predict(column, d, sight, T, dT, dy):
    """Fill dy (M, S + 1), the change of the predicted observations, equation (21)."""
    S = column.dt.shape[0]
    for k in range(sight.kind.shape[0]):
        j = sight.index[k]
        f = sight.fraction[k]
        for n in range(S + 1):
            x = T[n, 0]
            if sight.kind[k] == SOIL_TEMPERATURE:
                dy[k, n] = (1 - f) * dT[n, j] + f * dT[n, j + 1]
            elif sight.kind[k] == SOIL_HEAT_FLUX:
                dy[k, n] = (1 - f) * tangent_flux(column, d, T, dT, n, j)
                if f != 0:
                    dy[k, n] += f * tangent_flux(column, d, T, dT, n, j + 1)
            elif sight.kind[k] == LONGWAVE_UP:
                dy[k, n] = SIGMA * x * x * x * (d.eps * x + 4 * column.eps * dT[n, 0])
            elif n > 0:
                dy[k, n] = d.H[n - 1] * (x - column.Ta[n - 1])
                dy[k, n] += column.H[n - 1] * (dT[n, 0] - d.Ta[n - 1])
            else:
                dy[k, n] = 0.0


def tangent_flux(column, d, T, dT, n, j):
    """Change of the conduction through interface j, positive down."""
    gradient = (T[n, j] - T[n, j + 1]) / column.dz[j]
    return d.lam[j] * gradient + column.lam[j] * (dT[n, j] - dT[n, j + 1]) / column.dz[j]
