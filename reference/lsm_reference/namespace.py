"""The one place where the oracle's functions are bound: compiled, or as they stand.

A jitted function's ``py_func`` would still call jitted inner functions, so both bindings are made
from the plain sources: each function is copied into a namespace of its own, where the names it
calls stand for the functions of that namespace.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from lsm_reference import adjoint, batch, constants, forward, problem, second_order, tangent

MODULES: tuple[ModuleType, ...] = (forward, tangent, adjoint, second_order, batch)


def bind(
    transform: Callable[[Any], Any], modules: tuple[ModuleType, ...] = MODULES
) -> SimpleNamespace:
    """Copy every function of ``modules`` through ``transform`` into one namespace."""
    sources = "".join(map(inspect.getsource, (*modules, problem, constants)))
    digest = hashlib.sha256(sources.encode()).hexdigest()[:12]
    names: dict[str, Any] = {"__name__": __name__, "__builtins__": __builtins__}
    for module in modules:
        names |= {k: v for k, v in vars(module).items() if not k.startswith("__")}
    functions = {
        k: v
        for k, v in names.items()
        if isinstance(v, FunctionType) and v.__module__ in {m.__name__ for m in modules}
    }
    for name, function in functions.items():
        copy = FunctionType(function.__code__, names, name, function.__defaults__)
        # Numba's cache on disk looks at one file's time stamp alone; with the digest of all
        # sources in the name, code compiled from an older callee is never found.
        copy.__qualname__ = f"{name}_{digest}"
        names[name] = transform(copy)
    return SimpleNamespace(**{name: names[name] for name in functions})


@cache
def compiled() -> SimpleNamespace:
    """Return the functions compiled by Numba: float64 and complex128."""
    import numba

    def compile_(function: FunctionType) -> Any:
        parallel = "prange" in function.__code__.co_names
        options = {"error_model": "numpy", "parallel": parallel}
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # neither the package nor the user's cache can be written to
            return numba.njit(**options)(function)

    return bind(compile_)


@cache
def plain() -> SimpleNamespace:
    """Return the functions uncompiled: any number type, mpmath's in particular."""
    return bind(lambda function: function)
