"""Compiled and plain functions are the same functions, and no stale code is ever found."""

from __future__ import annotations

import numpy as np

from lsm_reference import adjoint, constants, forward, namespace, problem
from lsm_reference.evaluate import simulate

EPSILON = float(np.finfo(np.float64).eps)

SAME = 4 * EPSILON
"""Compiler and interpreter may round x*x*x in another order, nothing more."""


def digests(functions):
    return {f.__qualname__.rsplit("_", 1)[1] for f in vars(functions).values()}


def test_compiled_and_plain_functions_give_the_same(build, variant):
    asked = build(variant, objectives=("mean-square", "half-sum-of-squares", "probe"))
    fast = simulate(asked, functions=namespace.compiled())
    slow = simulate(asked, functions=namespace.plain())
    np.testing.assert_allclose(fast.T, slow.T, rtol=SAME)
    # Fluxes are differences of temperatures: their round-off is that of λ T / Δ.
    np.testing.assert_allclose(fast.y, slow.y, rtol=SAME, atol=SAME * 100 * 300)


def test_sweep_gives_the_same_when_plain(build):
    from lsm_reference.finite_difference import scores_at

    asked = build()
    points = [{**asked.parameters, "emissivity": e} for e in (0.5, 0.9)]
    fast = scores_at(asked, points)
    compiled = namespace.compiled
    namespace.compiled = namespace.plain
    try:
        slow = scores_at(asked, points)
    finally:
        namespace.compiled = compiled
    np.testing.assert_allclose(fast, slow, rtol=100 * SAME)


def test_both_namespaces_hold_every_function():
    assert set(vars(namespace.compiled())) == set(vars(namespace.plain()))
    assert {"run", "tangent_run", "adjoint_run", "sweep", "score_slope"} <= set(
        vars(namespace.plain())
    )


def test_plain_functions_call_plain_functions_only():
    inner = namespace.plain().run.__globals__["eliminate"]
    assert inner is namespace.plain().eliminate
    assert not hasattr(inner, "py_func")


def test_names_carry_a_digest_of_all_sources(mutate):
    """Numba's cache on disk looks at one file; a change in another must change the name."""
    names = digests(namespace.bind(lambda f: f))
    assert len(names) == 1
    changed = mutate(adjoint, "bar.LW[n] += mu[0]", "bar.LW[n] += mu[0] + 0")
    modules = tuple(changed if m is adjoint else m for m in namespace.MODULES)
    assert digests(namespace.bind(lambda f: f, modules)).isdisjoint(names)


def test_digest_covers_constants_and_codes(mutate, monkeypatch):
    names = digests(namespace.bind(lambda f: f))
    for module, old, new in (
        (constants, "5.67e-8", "5.670374419e-8"),
        (problem, "MEAN_SQUARE, HALF", "MEAN_SQUARE,  HALF"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(namespace, module.__name__.rsplit(".", 1)[1], mutate(module, old, new))
            assert digests(namespace.bind(lambda f: f)).isdisjoint(names)


def test_digest_stays_while_the_sources_do():
    assert digests(namespace.bind(lambda f: f)) == digests(namespace.bind(lambda f: f))
    assert forward in namespace.MODULES
