"""The forward model, written once for float64, complex128 and mpmath numbers.

Plain functions on arrays; `namespace.py` binds them either compiled or as they stand here.
Equation numbers are those of ``reference/derivation.md``.
"""

from __future__ import annotations

import numpy as np

from lsm_reference.constants import STEFAN_BOLTZMANN
from lsm_reference.problem import (
    LONGWAVE_UP,
    MEAN_SQUARE,
    PROBE,
    SOIL_HEAT_FLUX,
    SOIL_TEMPERATURE,
)

SIGMA = STEFAN_BOLTZMANN
MAX_NEWTON = 60


def storage(dz, C, dt, s):
    """Fill s_i = C_i V_i / Δt with the control volumes V_i, equations (1) and (2)."""
    N = dz.shape[0]
    s[0] = C[0] * (dz[0] / 2) / dt
    for i in range(1, N):
        s[i] = C[i] * ((dz[i - 1] + dz[i]) / 2) / dt
    s[N] = C[N] * (dz[N - 1] / 2) / dt


def conductance(dz, lam, g):
    """Fill g_i = λ_{i+½} / Δ_i, equation (2)."""
    for i in range(dz.shape[0]):
        g[i] = lam[i] / dz[i]


def eliminate(s, g, r, bottom, insulated, a, m, b):
    """From the bottom up: T_i' = a_i T_{i-1}' + b_i and m_i = 1 - a_i, equations (7) and (8).

    ``r`` holds the right-hand side of each node's equation, ``bottom`` the prescribed value.
    No subtraction occurs, so every coefficient keeps full relative accuracy.
    """
    N = g.shape[0]
    if insulated:
        D = s[N] + g[N - 1]
        a[N] = g[N - 1] / D
        m[N] = s[N] / D
        b[N] = r[N] / D
    else:
        a[N] = 0 * bottom
        m[N] = 1 + 0 * bottom
        b[N] = bottom
    for i in range(N - 1, 0, -1):
        k = g[i] * m[i + 1]
        D = s[i] + g[i - 1] + k
        a[i] = g[i - 1] / D
        m[i] = (s[i] + k) / D
        b[i] = (r[i] + g[i] * b[i + 1]) / D


def surface_root(c1, c4, rhs, x, tolerance):
    """Newton on c1 x + c4 x⁴ = rhs from x, equations (9) and (10).

    One iteration follows the one whose real part no longer moves: under a complex step the
    imaginary part converges one iteration later.
    """
    settled = False
    for _ in range(MAX_NEWTON):
        x3 = x * x * x
        dx = (c1 * x + c4 * x3 * x - rhs) / (c1 + 4 * c4 * x3)
        x = x - dx
        if settled:
            return x, True
        settled = abs(dx.real) <= tolerance * abs(x.real)
    return x, False


def run(column, tolerance, T):
    """Fill the trajectory T (S + 1, N + 1); return -1, or the step without a positive root."""
    dz, C, T0 = column.dz, column.C, column.T0
    N = dz.shape[0]
    s, a, m, b, r = (
        np.empty_like(T0),
        np.empty_like(T0),
        np.empty_like(T0),
        np.empty_like(T0),
        np.empty_like(T0),
    )
    g = np.empty_like(T0[:N])
    conductance(dz, column.lam, g)
    for i in range(N + 1):
        T[0, i] = T0[i]
    for n in range(column.dt.shape[0]):
        storage(dz, C, column.dt[n], s)
        for i in range(N + 1):
            r[i] = s[i] * T[n, i]
        eliminate(s, g, r, column.Tb[n], column.insulated, a, m, b)
        c1 = s[0] + g[0] * m[1] + column.H[n]
        c4 = column.eps * SIGMA
        absorbed = (1 - column.alpha[n]) * column.SW[n] + column.LW[n]
        rhs = r[0] + g[0] * b[1] + absorbed + column.H[n] * column.Ta[n]
        if not (rhs.real > 0 and c1.real > 0):
            return n
        x, found = surface_root(c1, c4, rhs, T[n, 0], tolerance)
        if not found:
            return n
        T[n + 1, 0] = x
        for i in range(1, N + 1):
            T[n + 1, i] = a[i] * T[n + 1, i - 1] + b[i]  # (11)
    return -1


def predict(column, sight, T, y):
    """Fill y (M, S + 1) with what the observations would be, equations (12) to (15).

    The turbulent flux has no value at the initial state (no step ends there): zero is written.
    """
    S = column.dt.shape[0]
    for k in range(sight.kind.shape[0]):
        j = sight.index[k]
        f = sight.fraction[k]
        for n in range(S + 1):
            if sight.kind[k] == SOIL_TEMPERATURE:
                y[k, n] = (1 - f) * T[n, j] + f * T[n, j + 1]
            elif sight.kind[k] == SOIL_HEAT_FLUX:
                y[k, n] = (1 - f) * downward_flux(column, T, n, j)
                if f != 0:
                    y[k, n] = y[k, n] + f * downward_flux(column, T, n, j + 1)
            elif sight.kind[k] == LONGWAVE_UP:
                y[k, n] = column.eps * SIGMA * T[n, 0] * T[n, 0] * T[n, 0] * T[n, 0]
            elif n > 0:
                y[k, n] = column.H[n - 1] * (T[n, 0] - column.Ta[n - 1])
            else:
                y[k, n] = 0 * T[n, 0]


def downward_flux(column, T, n, j):
    """Conduction through interface j at state n, positive down, equation (13)."""
    return column.lam[j] * (T[n, j] - T[n, j + 1]) / column.dz[j]


def score(sight, objective, y):
    """Objective of the predictions y, equation (16)."""
    total = 0 * y[0, 0]
    mass = 0.0
    for k in range(y.shape[0]):
        for n in range(y.shape[1]):
            w = sight.weights[k, n]
            if objective == PROBE:
                total = total + w * y[k, n]
            else:
                d = y[k, n] - sight.values[k, n]
                total = total + w * d * d
                mass = mass + w
    if objective == PROBE:
        return total
    if objective == MEAN_SQUARE:
        return total / mass
    return total / 2


def score_slope(sight, objective, y, slope):
    """Fill slope = ∂J/∂y, the derivative of equation (16)."""
    mass = 0.0
    for k in range(y.shape[0]):
        for n in range(y.shape[1]):
            mass = mass + sight.weights[k, n]
    for k in range(y.shape[0]):
        for n in range(y.shape[1]):
            w = sight.weights[k, n]
            d = y[k, n] - sight.values[k, n]
            if objective == PROBE:
                slope[k, n] = w
            elif objective == MEAN_SQUARE:
                slope[k, n] = 2 * w * d / mass
            else:
                slope[k, n] = w * d
