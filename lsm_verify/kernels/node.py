"""The arithmetic of one node, of the surface and of the observations, written once.

Plain functions on numbers, without literals, so that they keep the type of what they are given:
Python numbers, one float of either precision on a GPU, or several columns in the lanes of a
register. `lsm_verify.kernels.binding.bind` copies them to where `fma` means the target's fused
multiply-add. Equation numbers are those of ``reference/derivation.md``.

Symbols: s_i = C_i V_i / Δt and g_i = λ_i / Δ_i as there; node i = N is the bottom. Elimination is
kept as ``p_i = s_i / D_i``, ``q_i = g_i / D_i``, ``a_i = g_{i-1} / D_i`` and ``w_i = 1 / D_i``, so
that a sweep needs no division: a product and a multiply-add a node going up, a multiply-add going
down. Two nodes at once cost one product and one multiply-add more, either way.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.columns import MEAN_SQUARE, PROBE

Real = Any
"""A number of any type."""


def fma(x: Real, y: Real, z: Real) -> Real:
    """Multiply and add, x y + z; a target's binding rounds once."""
    return x * y + z


# ------------------------------------------------------------------ elimination


def bottom(s: Real, above: Real, one: Real) -> tuple[Real, Real, Real, Real]:
    """Coefficients p, a, m and w of an insulated bottom node, (7)."""
    w = one / (s + above)
    return s * w, above * w, s * w, w


def interior(
    s: Real, above: Real, below: Real, m: Real, one: Real
) -> tuple[Real, Real, Real, Real, Real]:
    """Coefficients p, q, a, m and w of node i from m_{i+1}, (8); no subtraction occurs."""
    k = below * m
    w = one / (s + above + k)
    return s * w, below * w, above * w, (s + k) * w, w


def rise(p: Real, x: Real, q: Real, b: Real) -> Real:
    """Upward: b_i = (s_i x_i + g_i b_{i+1}) / D_i, (8); x is T, or Λ/s in the adjoint."""
    return fma(q, b, p * x)


def sink(a: Real, x: Real, b: Real) -> Real:
    """Downward: T_i' = a_i T_{i-1}' + b_i, (11), (24)."""
    return fma(a, x, b)


def rise_twice(
    first: tuple[Real, Real, Real], second: tuple[Real, Real, Real], b: Real
) -> tuple[Real, Real]:
    """Two nodes of `rise` at once, (p, x, q) of each: the second does not wait for the first."""
    p, x, q = first
    p_next, x_next, q_next = second
    u = p * x
    return fma(q, b, u), fma(q_next * q, b, fma(q_next, u, p_next * x_next))


def sink_twice(first: tuple[Real, Real], second: tuple[Real, Real], x: Real) -> tuple[Real, Real]:
    """Two nodes of `sink` at once, (a, b) of each: the second does not wait for the first."""
    a, b = first
    a_next, b_next = second
    return fma(a, x, b), fma(a_next * a, x, fma(a_next, b, b_next))


# ------------------------------------------------------------------ surface


def balance(
    s: Real, g: Real, x: Real, b: Real, H: Real, Ta: Real, alpha: Real, SW: Real, LW: Real
) -> Real:
    """Right-hand side R of the surface balance, (9), with b = b_1; the sun's part is SW - α SW."""
    absorbed = fma(-alpha, SW, SW) + LW
    return fma(s, x, fma(g, b, fma(H, Ta, absorbed)))


def newton(c1: Real, c4: Real, four_c4: Real, R: Real, x: Real) -> Real:
    """Newton's change of x on c_1 x + c_4 x⁴ = R, (10); to be taken from x."""
    x3 = x * x * x
    return (fma(c4 * x3, x, c1 * x) - R) / fma(four_c4, x3, c1)


def surface_slope(c1: Real, four_c4: Real, x: Real) -> Real:
    """Return the derivative of the surface balance at the new temperature, (18), (24)."""
    return fma(four_c4, x * x * x, c1)


# ------------------------------------------------------------------ adjoint, per step and node


def surface_adjoint(s: Real, g: Real, x: Real, b: Real, c1: Real, four_c4: Real, T: Real) -> Real:
    """μ_0 from x = Λ_0'/s_0 and b = b_1, (24)."""
    return fma(s, x, g * b) / surface_slope(c1, four_c4, T)


def conductivity_term(mu_above: Real, mu: Real, T_above: Real, T: Real, total: Real) -> Real:
    """Add one step's part of Δ_i ∂J/∂λ_{i+½}, (26)."""
    return fma(mu_above - mu, T - T_above, total)


def capacity_term(mu: Real, T: Real, old: Real, total: Real) -> Real:
    """Add one step's part of -Δt/V_i ∂J/∂C_i, (26)."""
    return fma(mu, T - old, total)


def bottom_adjoint(s: Real, x: Real, g: Real, mu: Real) -> Real:
    """∂J/∂T_b from x = Λ_N'/s_N and the neighbour's μ_{N-1}, (25)."""
    return fma(s, x, g * mu)


# ------------------------------------------------------------------ tangent, per step and node


def conduction_change(dg: Real, T_above: Real, T: Real) -> Real:
    """δg_i (T_{i+1}' - T_i'), (17)."""
    return dg * (T - T_above)


def rise_tangent(
    p: Real, x: Real, q: Real, b: Real, w: Real, below: Real, above: Real, stored: Real
) -> Real:
    """Upward sweep of (17): ``below``, ``above`` as conduction_change, ``stored`` δs (T' - T)."""
    return fma(q, b, fma(p, x, w * (below - above - stored)))


def forced_change(alpha: Real, d_alpha: Real, SW: Real, d_SW: Real, d_LW: Real) -> Real:
    """Change of the absorbed radiation, (18)."""
    return fma(-d_alpha, SW, fma(-alpha, d_SW, d_SW)) + d_LW


# ------------------------------------------------------------------ observations


def between(upper: Real, lower: Real, f: Real) -> Real:
    """(1 - f) upper + f lower, (12) and (13)."""
    return fma(f, lower, fma(-f, upper, upper))


def flux(g: Real, upper: Real, lower: Real) -> Real:
    """Conduction, positive down, (13)."""
    return g * (upper - lower)


def emission(c4: Real, x: Real) -> Real:
    """Longwave that the surface emits, (14)."""
    return c4 * (x * x * x * x)


def flux_change(dg: Real, g: Real, upper: Real, lower: Real, d_upper: Real, d_lower: Real) -> Real:
    """Change of the conduction, (21)."""
    return fma(dg, upper - lower, g * (d_upper - d_lower))


def emission_change(d_c4: Real, four_c4: Real, x: Real, dx: Real) -> Real:
    """Change of the emitted longwave, (21)."""
    return (x * x * x) * fma(d_c4, x, four_c4 * dx)


def turbulent_change(dH: Real, H: Real, x: Real, Ta: Real, dx: Real, dTa: Real) -> Real:
    """Change of the turbulent flux, (21)."""
    return fma(dH, x - Ta, H * (dx - dTa))


# ------------------------------------------------------------------ objective


def misfit_term(code: int, w: Real, y: Real, observed: Real) -> Real:
    """Term of one observation in J, before it is divided, (16)."""
    if code == PROBE:
        return w * y
    r = y - observed
    return w * r * r


def finish(code: int, total: Real, mass: Real, half: Real) -> Real:
    """J from the sum of its terms and of their weights, (16)."""
    if code == MEAN_SQUARE:
        return total / mass
    if code == PROBE:
        return total
    return total * half


def weighted_residual(code: int, w: Real, y: Real, observed: Real) -> Real:
    """∂J/∂y of one observation, before a mean square is divided, (16)."""
    if code == PROBE:
        return w
    return w * (y - observed)
