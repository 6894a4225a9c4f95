"""Bind the plain functions of the kernels to a target: its multiply-add, its lanes, its compiler.

A compiled function looks names up where it was written, so each target gets copies of its own, in
a namespace in which ``fma``, ``load`` and the like stand for that target's.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any


def bind(
    modules: Sequence[ModuleType],
    given: Mapping[str, Any],
    transform: Callable[[FunctionType], Any] = lambda function: function,
    *,
    label: str = "",
) -> SimpleNamespace:
    """Copy the functions of ``modules`` into one namespace, those in ``given`` replaced.

    Parameters
    ----------
    modules : sequence of modules
        Plain functions; names are looked up in all of them together.
    given : mapping
        What names stand for at this target; wins over the modules.
    transform : callable
        Applied to every copy: compiles it, or leaves it as it stands (the default).
    label : str
        Names the target in the copies' qualified names.

    Returns
    -------
    SimpleNamespace
        The functions by name.

    Notes
    -----
    Numba's cache on disk looks at the time stamp of one file alone. The digest of all sources in a
    function's name keeps it from finding code that was compiled from an older callee.
    """
    names: dict[str, Any] = {"__name__": __name__, "__builtins__": __builtins__}
    for module in modules:
        names |= {k: v for k, v in vars(module).items() if not k.startswith("__")}
    own = {module.__name__ for module in modules}
    functions = {
        name: value
        for name, value in names.items()
        if isinstance(value, FunctionType) and value.__module__ in own and name not in given
    }
    names |= given
    sources = "".join(map(inspect.getsource, modules))
    digest = hashlib.sha256(sources.encode()).hexdigest()[:12]
    for name, function in functions.items():
        copy = FunctionType(function.__code__, names, name, function.__defaults__)
        copy.__qualname__ = f"{name}_{label}_{digest}"
        names[name] = transform(copy)
    return SimpleNamespace(**{name: names[name] for name in functions})
