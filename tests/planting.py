"""Planted errors: a module's source with one place replaced, put in the original's place.

The product and the oracle have no hooks for this: what is tested is the code that runs.
"""

from __future__ import annotations

import importlib.util
import inspect
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace

import pytest

from lsm_reference import namespace


@dataclass(frozen=True)
class Planter:
    """Plants an error and takes it out again with the test's monkeypatch."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def copy(self, module: ModuleType, old: str, new: str) -> ModuleType:
        """Copy a module, ``old`` replaced by ``new`` at the one place where it stands."""
        source = inspect.getsource(module)
        count = source.count(old)
        if count != 1:
            raise LookupError(f"{old!r} stands {count} times in {module.__name__}, not once")
        path = (
            self.folder
            / f"{module.__name__.replace('.', '_')}_{len(list(self.folder.iterdir()))}.py"
        )
        path.write_text(source.replace(old, new), encoding="utf-8")
        # The name stays: `namespace.bind` and dataclasses look modules up by it.
        spec = importlib.util.spec_from_file_location(module.__name__, path)
        assert spec is not None
        assert spec.loader is not None
        copy = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(copy)
        return copy

    def plant(
        self, module: ModuleType, old: str, new: str, *, into: tuple[ModuleType, ...] = ()
    ) -> None:
        """Replace all functions of a module, and of those that imported them by name."""
        copy = self.copy(module, old, new)
        # Those of the source: torch.compile leaves functions of its own in modules it has seen.
        for name, changed in functions(copy).items():
            original = vars(module)[name]
            for target in (module, *into):
                if vars(target).get(name) is original:
                    self.monkeypatch.setattr(target, name, changed)

    def plant_in_oracle(self, module: ModuleType, old: str, new: str) -> None:
        """Replace functions that the oracle compiles.

        They run uncompiled and call the compiled rest: nothing is compiled anew, and no code of a
        mutant can reach Numba's cache on disk.
        """
        copy = self.copy(module, old, new)
        compiled = namespace.compiled()
        own = functions(copy)
        for name, function in vars(compiled).items():
            if name in vars(copy) and name not in own:
                setattr(copy, name, function)
        changed = SimpleNamespace(**{**vars(compiled), **own})
        self.monkeypatch.setattr(namespace, "compiled", lambda: changed)


def functions(module: ModuleType) -> dict[str, FunctionType]:
    """Functions defined in a module, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }
