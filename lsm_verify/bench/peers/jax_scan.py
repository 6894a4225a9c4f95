"""JAX: one column under `jit`, many under `vmap`, differentiated in reverse mode.

`lax.scan` over the steps. The soil of a step is solved in one of three ways, the best of which at
each workload is what the headlines compare with: XLA's tridiagonal solve; a product with the dense
inverse formed once per call; and an elimination by `lax.scan` over the nodes, slow for one column
and good for many. Newton's iteration is cut from the graph and followed by one differentiable step,
which costs less than to differentiate all of them. JAX uses all cores that it finds.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lsm_verify.bench.peers import EXACT, Outcome, Peer, Prepared, Setting
from lsm_verify.bench.workloads import (
    AIR_TEMPERATURE,
    EMISSIVITY,
    LONGWAVE_DOWN,
    TIME_STEP,
    Workload,
)
from lsm_verify.quantities import STEFAN_BOLTZMANN

NEWTON_STEPS = 5
"""Enough for round-off on the twin, detached; one more is differentiated."""

MEMORY = 4e9
"""Bytes that a row may take: reverse mode keeps the states, vmap repeats a dense inverse."""

VARIANTS = ("tridiagonal", "dense", "elimination")


def _jax() -> tuple[Any, Any]:
    """Load JAX, which may not be installed, and its NumPy."""
    return import_module("jax"), import_module("jax.numpy")


def _tridiagonal(m: int, r: Any, s: Any) -> tuple[Callable[[Any], Any], Any]:
    """Solve the m inner nodes by XLA's tridiagonal solver."""
    jax, jnp = _jax()

    beside = jnp.full(m, -r)
    lower, upper = beside.at[0].set(0.0), beside.at[-1].set(0.0)
    diagonal = jnp.full(m, 1 + 2 * r)

    def solve(rhs: Any) -> Any:
        return jax.lax.linalg.tridiagonal_solve(lower, diagonal, upper, rhs[:, None])[:, 0]

    return solve, solve(jnp.zeros(m, r.dtype).at[0].set(r))


def _dense(m: int, r: Any, s: Any) -> tuple[Callable[[Any], Any], Any]:
    """Solve them by a product with the inverse, formed once."""
    _, jnp = _jax()

    beside = jnp.eye(m, k=1, dtype=r.dtype) + jnp.eye(m, k=-1, dtype=r.dtype)
    inverse = jnp.linalg.inv((1 + 2 * r) * jnp.eye(m, dtype=r.dtype) - r * beside)
    return lambda rhs: inverse @ rhs, inverse[:, 0] * r


def _elimination(m: int, r: Any, s: Any) -> tuple[Callable[[Any], Any], Any]:
    """Solve them by two sweeps of `lax.scan` with coefficients that are formed once."""
    jax, jnp = _jax()

    def coefficient(a: Any, _: None) -> tuple[Any, tuple[Any, Any]]:
        w = 1 / (1 + 2 * r - r * a)
        return r * w, (r * w, w)

    zero = jnp.zeros_like(r)
    _, (a, w) = jax.lax.scan(coefficient, zero, None, length=m, reverse=True)

    def solve(rhs: Any) -> Any:
        def up(b: Any, node: Any) -> tuple[Any, Any]:
            x, a_, w_ = node
            b = w_ * x + a_ * b
            return b, b

        def down(x: Any, node: Any) -> tuple[Any, Any]:
            b_, a_ = node
            x = b_ + a_ * x
            return x, x

        _, b = jax.lax.scan(up, zero, (rhs, a, w), reverse=True)
        return jax.lax.scan(down, zero, (b, a))[1]

    return solve, solve(jnp.zeros(m, r.dtype).at[0].set(r))


_SOLVERS = {"tridiagonal": _tridiagonal, "dense": _dense, "elimination": _elimination}


def predictions(work: Workload, variant: str, theta: Any) -> Any:
    """Return one column's temperatures (2, steps + 1) at the observed depths."""
    jax, jnp = _jax()

    albedo, h, beta, lam, C, Tb = theta
    H, N = h * (1 + 1 / beta), work.nodes
    r = lam / C * TIME_STEP / work.spacing**2
    s = 2 * TIME_STEP / (C * work.spacing)
    solve, response = _SOLVERS[variant](N - 1, r, s)
    c1 = 1 + 2 * r + s * H - 2 * r * response[0]
    c4 = s * (EMISSIVITY * STEFAN_BOLTZMANN)
    index, fraction = work.reading
    absorbed = (1 - albedo) * jnp.asarray(work.SWdown, theta.dtype) + LONGWAVE_DOWN

    def newton(x: Any, c1: Any, c4: Any, load: Any) -> Any:
        return x - (c1 * x + c4 * x**4 - load) / (c1 + 4 * c4 * x**3)

    def step(state: tuple[Any, Any], sun: Any) -> tuple[tuple[Any, Any], Any]:
        surface, inner = state
        below = solve(inner.at[-1].add(r * Tb))
        load = surface + s * (sun + H * AIR_TEMPERATURE) + 2 * r * below[0]
        x = jax.lax.stop_gradient(surface)
        fixed = jax.lax.stop_gradient((c1, c4, load))
        for _ in range(NEWTON_STEPS):
            x = newton(x, *fixed)
        surface = newton(x, c1, c4, load)
        inner = below + response * surface
        return (surface, inner), read(surface, inner)

    def read(surface: Any, inner: Any) -> Any:
        at = {0: surface, N: Tb} | {
            int(i): inner[i - 1] for i in (*index, *(index + 1)) if 0 < i < N
        }
        return jnp.stack(
            [
                at[int(i)] if f == 0 else (1 - f) * at[int(i)] + f * at[int(i) + 1]
                for i, f in zip(index, fraction, strict=True)
            ]
        )

    start = (Tb, jnp.full(N - 1, Tb))
    _, y = jax.lax.scan(step, start, absorbed)
    return jnp.concatenate([read(*start)[None], y]).T


def _prepare(variant: str) -> Callable[[Workload, Setting], Prepared]:
    def prepare(work: Workload, setting: Setting) -> Prepared:
        jax, jnp = _jax()

        jax.config.update("jax_enable_x64", True)
        theta = jnp.asarray(work.theta, setting.dtype)
        along = jnp.asarray(work.direction, setting.dtype)
        values = jnp.asarray(work.values, setting.dtype)

        def loss(p: Any) -> Any:
            return jnp.mean((predictions(work, variant, p) - values) ** 2)

        def change(p: Any, dp: Any) -> Any:
            return jax.jvp(lambda q: predictions(work, variant, q), (p,), (dp,))[1]

        one = {"score": loss, "gradient": jax.value_and_grad(loss), "tangent": change}[setting.mode]
        given = (theta, along) if setting.mode == "tangent" else (theta,)
        if work.batch == 1:
            call, given = jax.jit(one), tuple(each[0] for each in given)
        else:
            call = jax.jit(jax.vmap(one))

        def read(found: Any) -> Outcome:
            import numpy as np

            def whole(x: Any) -> Any:
                return np.asarray(x)[None] if work.batch == 1 else np.asarray(x)

            if setting.mode == "tangent":
                return Outcome(tangent=whole(found))
            if setting.mode == "score":
                return Outcome(whole(found))
            return Outcome(*(whole(part) for part in found))

        return Prepared(lambda: jax.block_until_ready(call(*given)), read)

    return prepare


def _missing(_: Setting) -> str | None:
    return None if find_spec("jax") else "install the extra: pip install 'lsm-verify[peers]'"


def _fits(variant: str) -> Callable[[Workload], bool]:
    def fits(work: Workload) -> bool:
        kept = 8.0 * work.batch * work.nodes * work.steps * 4
        if variant == "dense":
            kept += 8.0 * 3 * work.batch * work.nodes**2
        return kept < MEMORY

    return fits


PEERS = tuple(
    Peer(
        f"jax-{variant}",
        f"JAX, jit and vmap: scan over steps, {text}",
        EXACT,
        ("score", "gradient", "tangent"),
        _prepare(variant),
        missing=_missing,
        fits=_fits(variant),
        threaded=False,
    )
    for variant, text in {
        "tridiagonal": "tridiagonal solve",
        "dense": "prefactored dense inverse",
        "elimination": "scan over the nodes",
    }.items()
)
