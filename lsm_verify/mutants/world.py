"""A private import graph in which one place of one module is another.

A `World` holds copies of the product's and the oracle's modules under private names. Imports among
them lead to the copies, everything else is shared with the original. What runs in a world is the
production code as it stands, with one rewrite; what runs outside never sees it.

Nothing is compiled anew: the copied oracle uses the compiled functions of the original. Where a
compiled function was rewritten, it and those that call it run uncompiled and call the compiled
rest.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from lsm_verify.mutants.rewrite import Rewrite, replace_in

PACKAGES = ("lsm_verify", "lsm_reference")

SHARED = frozenset(
    {
        # Numba's compiled functions know these named tuples by identity: copies would be new types.
        "lsm_reference.problem",
        "lsm_reference.constants",
        # Works on sys.modules by the name that it is given.
        "lsm_verify._callable",
        # One class of each error, inside a world and outside.
        "lsm_verify.errors",
        # Compiles at import.
        "lsm_verify.kernels",
    }
)
"""Modules that a world does not copy, with all below them."""

NAMESPACE = "lsm_reference.namespace"
"""The module that binds the compiled functions."""

_numbers = count(1)


class Change(NamedTuple):
    """A rewrite of a module, by its public name."""

    module: str
    rewrite: Rewrite


class Source(NamedTuple):
    """Where a module lies and what it says."""

    path: str
    text: str
    package: bool


class World:
    """Copies of all modules, some of them changed; a context manager that forgets them at its end.

    Parameters
    ----------
    *changes : Change
        Rewrites; none gives a world that equals the original.
    names : mapping, optional
        Public name of a module to names that are put into its copy: for a rewrite that reads a
        number which is set later.

    Raises
    ------
    LookupError
        If a module is unknown or shared, or a rewrite does not match exactly one place.
    """

    def __init__(
        self, *changes: Change, names: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        self.prefix = f"{__name__.rpartition('.')[0]}._world_{next(_numbers)}"
        self._names = names or {}
        self._modules: dict[str, ModuleType] = {}
        self._codes: dict[str, CodeType] = {}
        self._changed: dict[str, set[str]] = {}
        self._compiled: SimpleNamespace | None = None
        self._builtins = {**vars(builtins), "__import__": self._import}
        self._importlib = ModuleType("importlib")
        vars(self._importlib).update(vars(importlib))
        self._importlib.import_module = self.module  # type: ignore[attr-defined]
        for module in dict.fromkeys(change.module for change in changes):
            self._rewrite(module, [c.rewrite for c in changes if c.module == module])

    def __enter__(self) -> World:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the copies."""
        for module in self._modules.values():
            sys.modules.pop(module.__name__, None)
        self._modules.clear()

    def module(self, name: str) -> ModuleType:
        """Return the module of a public name: its copy in this world, or the shared original."""
        if not is_private(name):
            return importlib.import_module(name)
        if name in self._modules:
            return self._modules[name]
        parent, _, child = name.rpartition(".")
        if parent:
            self.module(parent)
            if name in self._modules:  # the parent imported it
                return self._modules[name]
        module = self._load(name)
        if parent:
            setattr(self._modules[parent], child, module)
        return module

    def _rewrite(self, name: str, rewrites: Iterable[Rewrite]) -> None:
        if not is_private(name):
            raise LookupError(f"{name} is shared by all worlds and cannot be changed in one")
        source = located(name)
        if source is None:
            raise LookupError(f"there is no module {name}")
        tree = ast.parse(source.text)
        found = [replace_in(tree, each, name=name).definition for each in rewrites]
        self._codes[name] = compile(
            ast.fix_missing_locations(tree), f"<{self.prefix}: {name}>", "exec", dont_inherit=True
        )
        self._changed[name] = set(found)

    def _load(self, name: str) -> ModuleType:
        source = located(name)
        if source is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module = ModuleType(f"{self.prefix}.{name}")
        vars(module).update(
            __builtins__=self._builtins,
            __file__=source.path,
            __package__=module.__name__ if source.package else module.__name__.rpartition(".")[0],
            **self._names.get(name, {}),
        )
        if source.package:
            module.__path__ = [str(Path(source.path).parent)]
        self._modules[name] = sys.modules[module.__name__] = module
        exec(self._codes.get(name) or original_code(name), vars(module))
        if name == NAMESPACE:
            module.compiled = self._compiled_functions  # type: ignore[attr-defined]
        return module

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Import as ``__import__`` does, with the copies in the place of the originals."""
        if name == "importlib" and "import_module" in (fromlist or ()):
            return self._importlib
        if not is_private(name):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self.module(name)
        if not fromlist:
            return self.module(name.partition(".")[0])
        for each in fromlist:
            if not hasattr(module, each) and located(f"{name}.{each}") is not None:
                value = self.module(f"{name}.{each}")
                setattr(module, each, value)
        return module

    def _compiled_functions(self) -> SimpleNamespace:
        """Return the original's compiled functions, overlaid by the uncompiled changed ones."""
        if self._compiled is None:
            original = importlib.import_module(NAMESPACE).compiled()
            modules = self._modules[NAMESPACE].MODULES
            names: dict[str, Any] = {}
            for module in modules:
                names |= vars(module)
            plain = {name: names[name] for name in vars(original)}
            names |= vars(original)
            for name in self._affected(plain):
                function = plain[name]
                names[name] = FunctionType(
                    function.__code__, names, name, function.__defaults__, function.__closure__
                )
            self._compiled = SimpleNamespace(**{name: names[name] for name in vars(original)})
        return self._compiled

    def _affected(self, functions: Mapping[str, FunctionType]) -> set[str]:
        """Names of the functions that were changed, and of all that call them."""
        private = {f"{self.prefix}.{name}": found for name, found in self._changed.items()}
        affected = {
            name
            for name, function in functions.items()
            if private.get(function.__module__, set()) & {name, ""}
        }
        while True:
            callers = {n for n, f in functions.items() if affected & set(f.__code__.co_names)}
            if callers <= affected:
                return affected
            affected |= callers


def is_private(name: str) -> bool:
    """Whether a world has its own copy of a module."""
    parts = name.split(".")
    return parts[0] in PACKAGES and not any(
        ".".join(parts[: i + 1]) in SHARED for i in range(len(parts))
    )


@cache
def located(name: str) -> Source | None:
    """Return a module's source; ``None`` if there is no such module."""
    parent = name.rpartition(".")[0]
    if parent:
        above = located(parent)
        if above is None or not above.package:
            return None
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    text = Path(spec.origin).read_text(encoding="utf-8")
    return Source(spec.origin, text, spec.submodule_search_locations is not None)


@cache
def original_code(name: str) -> CodeType:
    """Compile a module as it stands, once for all worlds."""
    source = located(name)
    assert source is not None
    return compile(source.text, source.path, "exec", dont_inherit=True)
