"""What a project decides for itself: ``[tool.lsm-verify]``, and problems named as ``module:attr``.

The nearest pyproject.toml from the current folder upward is read. A setting of the command line
beats the file; paths in the file count from the file's folder.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import tomllib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from lsm_verify.errors import InputError, unknown
from lsm_verify.validation import whole

if TYPE_CHECKING:
    from lsm_verify.cases import Case
    from lsm_verify.verify.problem import Problem

TABLE = "lsm-verify"

NAMES = list[str]
"""A list of names; one string with commas will do."""

KEYS: dict[str, tuple[Any, str]] = {
    "target": (str, "what `check` verifies: a case, or package.module:attr"),
    "routes": (NAMES, "routes to the gradient"),
    "points": (int, "random points beside the start"),
    "seed": (int, "seed of every random draw"),
    "strict": (bool, "exit 3 if any check is inconclusive"),
    "fast": (bool, "the primary gate alone, without kinks, Taylor remainder and Hessian"),
    "tolerance": (float, "error of a gradient that finite differences pass"),
    "jacobi-tol": (float, "where the published method stops iterating [K]"),
    "data": (Path, "folder of the data files"),
    "interpolate-gaps": (int, "longest gap of a tower's forcing to fill, in half-hours"),
    "json": (Path, "result as JSON"),
    "junit": (Path, "result as JUnit XML"),
    "html": (Path, "result as one page"),
    "markdown": (Path, "summary in Markdown"),
    "latex": (Path, "tables for a paper"),
    "output": (Path, "folder for all of these"),
    "verbose": (bool, "show every point and every check"),
}
"""Every key: its type and what it sets; all are options of ``lsm-verify check`` too."""

OF_CASES = ("points", "jacobi-tol", "data", "interpolate-gaps")
"""Keys that say something of a case alone; a problem in the same folder goes without them."""

WANTED: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path as a string",
    NAMES: "a list of names",
}


@dataclass(frozen=True)
class Settings:
    """What a project's pyproject.toml sets; ``path`` is ``None`` where there is none.

    Examples
    --------
    >>> settings = Settings(values={"points": 5})
    >>> settings.get("points"), settings.get("points", 0), settings.get("strict")
    (5, 0, None)
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def get(self, key: str, given: Any = None) -> Any:
        """Return what was given, else what the file says, else ``None``."""
        if key not in KEYS:
            raise KeyError(key)
        return self.values.get(key) if given is None else given

    def of_a_problem(self) -> Settings:
        """Return the settings without those of cases."""
        return replace(self, values={k: v for k, v in self.values.items() if k not in OF_CASES})


def read(start: Path) -> Settings:
    """Read the settings that hold in a folder.

    Parameters
    ----------
    start : Path
        Where the search for pyproject.toml begins; it goes upward and stops at the first.

    Raises
    ------
    InputError
        If the file is unreadable, or a key unknown, of the wrong type or out of range.
    """
    folders = [start.absolute(), *start.absolute().parents]
    path = next((f / "pyproject.toml" for f in folders if (f / "pyproject.toml").is_file()), None)
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise InputError(f"{path} is no TOML file: {error}; mend it.") from error
    tool = content.get("tool", {})
    tool = tool if isinstance(tool, dict) else {}
    for name in tool:
        if name != TABLE and _letters(name) == _letters(TABLE):
            raise InputError(f"{path}: [tool.{name}] is not read; call it [tool.{TABLE}].")
    table = tool.get(TABLE, {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: tool.{TABLE}={table!r} must be a table, [tool.{TABLE}].")
    values = {k: _value(path, k, v) for k, v in table.items()}
    for key, value in values.items():
        try:
            _check_range(key, value)
        except InputError as error:
            raise InputError(f"{path}: {key} in [tool.{TABLE}]: {error}") from None
    return Settings(values, path)


def _letters(name: str) -> str:
    return re.sub(r"[-_.\s]", "", name).lower()


def _check_range(key: str, value: Any) -> None:
    """Refuse early what `verify` and `load_case` refuse, while the file can be named."""
    from lsm_verify.verify import run

    if key == "points":
        run.check_points(value)
    elif key in ("seed", "interpolate-gaps"):
        whole(key, value, 0)
    elif key == "tolerance":
        run.check_tolerance(value)
    elif key == "jacobi-tol":
        from lsm_verify.models import published

        published.check_tolerance(value)


def _value(path: Path, key: str, value: Any) -> Any:
    if key not in KEYS:
        raise InputError(f"{path}: {unknown(f'key in [tool.{TABLE}]', key, KEYS)}")
    kind = KEYS[key][0]
    if kind is NAMES:
        names = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if isinstance(names, list) and names and all(isinstance(n, str) and n for n in names):
            return names
    elif kind is Path and isinstance(value, str) and value:
        return path.parent / Path(value).expanduser()
    elif kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif type(value) is kind and value != "":
        return value
    raise InputError(f"{path}: {key}={value!r} in [tool.{TABLE}] must be {WANTED[kind]}.")


# ---------------------------------------------------------------- package.module:attr


def load_target(text: str) -> Problem | Case:
    """Return what ``package.module:attr`` names: a problem, a case, or a function that makes one.

    The module is imported with the current folder first on ``sys.path``, as ``python -m`` does.

    Raises
    ------
    InputError
        If the module or the attribute does not exist, importing or calling it raises, or it is
        neither a Problem nor a Case nor a function without arguments that returns one.
    """
    name, colon, attribute = (part.strip() for part in text.partition(":"))
    if not (colon and name and attribute):
        raise InputError(f"{text!r} must have the form package.module:attr, model.misfit:problem.")
    if not all(part.isidentifier() for part in name.split(".")):
        raise _no_module_name(name, attribute)
    found: Any = _imported(name, attribute)
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [n for n in dir(found) if not n.startswith("_")]
            raise unknown(f"attribute of {name}", part, _targets(found, public) or public)
        found = getattr(found, part)
    return _resolved(text, found)


def _no_module_name(name: str, attribute: str) -> InputError:
    dotted = name.removesuffix(".py").strip("./\\").replace("\\", ".").replace("/", ".")
    return InputError(
        f"{name!r} is no module name; give package.module:attr, {dotted}:{attribute}, say."
    )


def _imported(name: str, attribute: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            if name.endswith(".py"):  # the name of a file, whose parts are identifiers too
                raise _no_module_name(name, attribute) from None
            raise InputError(
                f"no module named {missing!r} in {here} or installed; run from the folder that "
                "holds it, or install it."
            ) from None
        raise InputError(
            f"importing {name} raised {_told(error)}{_place(error.__traceback__)}; mend it, or "
            "install what it needs."
        ) from error


def _resolved(text: str, found: Any) -> Problem | Case:
    from lsm_verify.cases import Case
    from lsm_verify.verify.problem import Problem

    if isinstance(found, Problem | Case):
        return found
    if not callable(found) or isinstance(found, type) or _needs_arguments(found):
        raise InputError(
            f"{text} is {_kind(found)}; a Problem, a Case, or a function without arguments that "
            "returns one is wanted."
        )
    try:
        made = found()
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{text}() raised {_told(error)}{_place(error.__traceback__)}; mend it."
        ) from error
    if isinstance(made, Problem | Case):
        return made
    raise InputError(f"{text}() returned {_kind(made)}; a Problem or a Case is wanted.")


def _needs_arguments(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is p.empty and p.kind not in optional for p in parameters)


def _targets(owner: Any, names: list[str]) -> list[str]:
    """Names of the attributes that could be meant."""
    from lsm_verify.cases import Case
    from lsm_verify.verify.problem import Problem

    return [n for n in names if isinstance(getattr(owner, n, None), Problem | Case)]


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _told(error: BaseException) -> str:
    """Name an exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place(trace: TracebackType | None) -> str:
    """File and line where an exception comes from: the last in the user's folder, else the last."""
    frames = [
        (Path(frame.filename), frame.lineno)
        for frame in traceback.extract_tb(trace)
        if not frame.filename.startswith("<") and Path(frame.filename) != Path(__file__)
    ]
    here = Path(os.getcwd())
    own = [(f, n) for f, n in frames if f.is_relative_to(here) and "site-packages" not in f.parts]
    if not frames:
        return ""
    file, line = (own or frames)[-1]
    return f" at {file.relative_to(here) if file.is_relative_to(here) else file}:{line}"
