"""The second-order adjoint: how the adjoint's answer changes along a change of the parameters.

The tangent-linear model of `adjoint.py`, derived by hand: one forward and one backward sweep give
the product of the Hessian with a direction. Plain functions, bound by `namespace.py`; equation
numbers of ``reference/derivation.md``.
"""

from __future__ import annotations

import numpy as np

from lsm_reference.forward import SIGMA, conductance, eliminate, storage
from lsm_reference.problem import LONGWAVE_UP, MEAN_SQUARE, PROBE, SOIL_HEAT_FLUX, SOIL_TEMPERATURE


def score_slope_tangent(sight, objective, dy, dslope):
    """Fill dslope, the change of ∂J/∂y where the predictions change by dy, equation (33)."""
    mass = 0.0
    for k in range(dy.shape[0]):
        for n in range(dy.shape[1]):
            mass = mass + sight.weights[k, n]
    for k in range(dy.shape[0]):
        for n in range(dy.shape[1]):
            w = sight.weights[k, n]
            if objective == PROBE:
                dslope[k, n] = 0.0
            elif objective == MEAN_SQUARE:
                dslope[k, n] = 2 * w * dy[k, n] / mass
            else:
                dslope[k, n] = w * dy[k, n]


def adjoint_predict_tangent(column, d, sight, T, dT, slope, dslope, dbar, dW):
    """Add to dW and ``dbar`` the change of what `adjoint_predict` adds, equation (34)."""
    S = column.dt.shape[0]
    for k in range(sight.kind.shape[0]):
        j = sight.index[k]
        f = sight.fraction[k]
        for n in range(S + 1):
            q, dq = slope[k, n], dslope[k, n]
            x, dx = T[n, 0], dT[n, 0]
            if sight.kind[k] == SOIL_TEMPERATURE:
                dW[n, j] += (1 - f) * dq
                dW[n, j + 1] += f * dq
            elif sight.kind[k] == SOIL_HEAT_FLUX:
                adjoint_flux_tangent(column, d, T, dT, n, j, (1 - f) * q, (1 - f) * dq, dbar, dW)
                if f != 0:
                    adjoint_flux_tangent(column, d, T, dT, n, j + 1, f * q, f * dq, dbar, dW)
            elif sight.kind[k] == LONGWAVE_UP:
                dW[n, 0] += 4 * SIGMA * x * x * (d.eps * x + 3 * column.eps * dx) * q
                dW[n, 0] += 4 * column.eps * SIGMA * x * x * x * dq
                dbar.eps[0] += SIGMA * x * x * x * (4 * dx * q + x * dq)
            elif n > 0:
                dW[n, 0] += d.H[n - 1] * q + column.H[n - 1] * dq
                dbar.H[n - 1] += (dx - d.Ta[n - 1]) * q + (x - column.Ta[n - 1]) * dq
                dbar.Ta[n - 1] -= d.H[n - 1] * q + column.H[n - 1] * dq


def adjoint_flux_tangent(column, d, T, dT, n, j, q, dq, dbar, dW):
    """Change of the transposed conduction through interface j, of (34)."""
    pulled = (d.lam[j] * q + column.lam[j] * dq) / column.dz[j]
    dW[n, j] += pulled
    dW[n, j + 1] -= pulled
    dbar.lam[j] += ((dT[n, j] - dT[n, j + 1]) * q + (T[n, j] - T[n, j + 1]) * dq) / column.dz[j]


def solve_transposed(column, n, x, s, g, right, mu):
    """Fill mu with the solution of A μ = right, the step's symmetric matrix: (24) and (36)."""
    N = g.shape[0]
    a, m, b = np.empty_like(s), np.empty_like(s), np.empty_like(s)
    eliminate(s, g, right, 0.0, column.insulated, a, m, b)
    slope = s[0] + g[0] * m[1] + column.H[n] + 4 * column.eps * SIGMA * x * x * x
    mu[0] = (right[0] + g[0] * b[1]) / slope
    for i in range(1, N + 1):
        mu[i] = a[i] * mu[i - 1] + b[i]


def adjoint_tangent_step(column, d, n, T, dT, states, dstates, dbar):
    """One step backward: from Λ and δΛ of state n + 1 add to δΛ of state n, (37), and to ``dbar``.

    ``states`` holds Λ; row n + 1 of ``dstates`` must be complete, row n hold δW. ``d`` is a
    `Column` of changes, as in `tangent_step`. μ is computed anew: taken from s_i μ_i = Λ_i - W_i it
    would lose digits.
    """
    dz = column.dz
    N = dz.shape[0]
    s, ds, right, mu, dmu = (
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
    new, old, dnew, dold = T[n + 1], T[n], dT[n + 1], dT[n]
    x, dx = new[0], dnew[0]
    solve_transposed(column, n, x, s, g, states[n + 1], mu)
    for i in range(N + 1):  # (35): storage, conduction from below, conduction to above
        right[i] = dstates[n + 1, i] - ds[i] * mu[i]
        if i < N:
            right[i] += dg[i] * (mu[i + 1] - mu[i])
        if i > 0:
            right[i] -= dg[i - 1] * (mu[i] - mu[i - 1])
    right[0] -= (d.H[n] + 4 * SIGMA * x * x * (d.eps * x + 3 * column.eps * dx)) * mu[0]
    solve_transposed(column, n, x, s, g, right, dmu)  # (36)
    dbar.alpha[n] -= dmu[0] * column.SW[n] + mu[0] * d.SW[n]  # (38)
    dbar.SW[n] += dmu[0] * (1 - column.alpha[n]) - mu[0] * d.alpha[n]
    dbar.LW[n] += dmu[0]
    dbar.eps[0] -= SIGMA * x * x * x * (dmu[0] * x + 4 * mu[0] * dx)
    dbar.H[n] -= dmu[0] * (x - column.Ta[n]) + mu[0] * (dx - d.Ta[n])
    dbar.Ta[n] += dmu[0] * column.H[n] + mu[0] * d.H[n]
    for i in range(N):
        conducted = (dmu[i] - dmu[i + 1]) * (new[i + 1] - new[i])
        dbar.lam[i] += (conducted + (mu[i] - mu[i + 1]) * (dnew[i + 1] - dnew[i])) / dz[i]
    for i in range(N + 1):
        stored = dmu[i] * (new[i] - old[i]) + mu[i] * (dnew[i] - dold[i])
        dbar.C[i] -= stored * (s[i] / column.C[i])
        dstates[n, i] += ds[i] * mu[i] + s[i] * dmu[i]  # (37)
    if not column.insulated:
        dbar.Tb[n] += dstates[n + 1, N] + dg[N - 1] * mu[N - 1] + g[N - 1] * dmu[N - 1]


def adjoint_tangent_run(column, d, T, dT, states, dW, dbar, dstates):
    """Sweep backward: from Λ = ``states`` and dW add to ``dbar`` the change of the gradient.

    ``T`` and ``dT`` (S + 1, N + 1) are the trajectory and its tangent along ``d``; fills
    ``dstates`` (S + 1, N + 1) with δΛ, the change of ``states`` along ``d``.
    """
    S, nodes = column.dt.shape[0], column.C.shape[0]
    for n in range(S + 1):
        for i in range(nodes):
            dstates[n, i] = dW[n, i]
    for n in range(S - 1, -1, -1):
        adjoint_tangent_step(column, d, n, T, dT, states, dstates, dbar)
    for i in range(nodes):
        dbar.T0[i] += dstates[0, i]
