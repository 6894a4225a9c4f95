"""Modules that share their name with the function they are for can be called like it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_callable(name: str, function: Callable[..., Any]) -> None:
    """Let the module ``name`` be called as ``function``.

    ``lsm_verify.verify`` and ``lsm_verify.routes`` are public functions and the modules that hold
    them; importing a module sets it as an attribute of the package, over any function there.
    """

    class CallableModule(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

    sys.modules[name].__class__ = CallableModule
