"""Any model: an objective, a point, and the gradients that are claimed for it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.validation import as_array, finite, whole
from lsm_verify.verify.target import COPIES, Ladder, Sample, Target, summarise

Array = NDArray[np.float64]
Point = Mapping[str, ArrayLike] | ArrayLike
"""What the user's functions take and return: one array, or a mapping of names to arrays."""

ALONE = "x"
"""Name of the only parameter where the point is one array."""

TOLERANCE = 1e-6
"""Error of a user's gradient, in units of ‖g∘s‖, up to which it passes unless told otherwise."""

SHOWN = 4
"""Numbers of a point that an error message shows."""


@dataclass(frozen=True)
class Operator:
    """A linear operator and its claimed transpose, both on flat vectors.

    ``size`` is the length of the vectors that ``forward`` takes; ``transposed`` takes what
    ``forward`` returns.
    """

    forward: Callable[[Array], Array]
    transposed: Callable[[Array], Array]
    size: int
    dtype: str = "float64"


@dataclass(frozen=True)
class Problem:
    """A scalar function at a point, with claimed gradients, to be handed to `lsm_verify.verify`.

    Parameters
    ----------
    objective : callable
        ``objective(point) -> float``.
    point : array_like or mapping
        Where the gradient is verified: one array, or a mapping of names to arrays. All functions
        get it in this form, as float64 arrays.
    scales : array_like or mapping, optional
        Size of a typical change of every number (its prior's standard deviation), in the form of
        the point; a single number per parameter does. Default: |p|, or 1 where p is zero. Steps
        start at half of it and errors are weighed by it.
    gradients : mapping
        Route name to ``gradient(point)``, in the form of the point.
    hessian_products : mapping
        Route name to ``product(point, direction)``, in the form of the point.
    states : mapping
        Route name to ``states(point)``, the sensitivity of the objective to every state
        (steps + 1, nodes). With two of them a disagreement is located by step and node.
    truncated : callable, optional
        ``truncated(count)`` gives this problem with its objective cut to the first ``count``
        observations, ``length`` being all: a disagreement is then located in time.
    length : int
        Number of observations for ``truncated``.
    tighter : callable, optional
        The objective with its inner solver's tolerance a hundred times smaller; the change is
        added to the uncertainty of the evidence.
    operator : Operator, optional
        Where the model is linear: tested by dot products.
    name : str
        Name in tables and messages.
    notes : tuple of str
        What a reader of results must know.

    Raises
    ------
    InputError
        If point or scales are not finite numbers, or do not fit each other.

    Examples
    --------
    >>> from scipy.optimize import rosen, rosen_der
    >>> problem = Problem(rosen, [1.3, 0.7, 0.8], gradients={"rosen_der": rosen_der})
    >>> import lsm_verify
    >>> lsm_verify.verify(problem).exit_code
    0
    """

    objective: Callable[[Any], Any]
    point: Any
    scales: Any = None
    gradients: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    hessian_products: Mapping[str, Callable[[Any, Any], Any]] = field(default_factory=dict)
    states: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    truncated: Callable[[int], Problem] | None = None
    length: int = 0
    tighter: Callable[[Any], Any] | None = None
    operator: Operator | None = None
    name: str = "problem"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check()
        point = self._mapping("point", self.point)
        checked = {n: self._numbers(n, v) for n, v in point.items()}
        if not any(v.size for v in checked.values()):
            raise InputError(f"{self.name}: the point is empty; give at least one number.")
        object.__setattr__(self, "values", checked)
        object.__setattr__(self, "scaled", self._scales(checked))

    def _check(self) -> None:
        """Refuse what is no function, no mapping or no number, before anything is called."""
        if isinstance(self.point, Mapping) and not all(isinstance(k, str) for k in self.point):
            raise InputError(f"{self.name}: the point's names must be strings: {list(self.point)}.")
        for kind in ("gradients", "hessian_products", "states"):
            given = getattr(self, kind)
            if not isinstance(given, Mapping):
                raise InputError(
                    f"{self.name}: {kind} has type {type(given).__name__}; give a mapping of names "
                    "to functions, {'mine': f}."
                )
            for name, function in given.items():
                if not callable(function):
                    raise InputError(f"{self.name}: {kind}[{name!r}]={function!r} is no function.")
        if not callable(self.objective):
            raise InputError(f"{self.name}: objective={self.objective!r} is no function.")
        for kind in ("truncated", "tighter"):
            if getattr(self, kind) is not None and not callable(getattr(self, kind)):
                raise InputError(f"{self.name}: {kind}={getattr(self, kind)!r} is no function.")
        whole(f"{self.name}: length", self.length, 0)

    def cut(self, count: int) -> Problem:
        """Return the problem truncated to its first observations, checked."""
        assert self.truncated is not None
        try:
            part: Any = self.truncated(count)
        except Exception as error:
            raise InputError(
                f"{self.name}: truncated({count}) raised {type(error).__name__}: {error}; mend it."
            ) from error
        if not isinstance(part, Problem) or not set(self.gradients) <= set(part.gradients):
            raise InputError(
                f"{self.name}: truncated({count}) returned {type(part).__name__}; a Problem with "
                f"the gradients {', '.join(self.gradients)} is wanted."
            )
        return part

    def states_at(self, name: str, flat: Array) -> Array:
        """Evaluate the sensitivities to the states of one route: (states, nodes)."""
        what = f"states {name!r}"
        found = _to_numpy(self.call(what, self.states[name], flat))
        if found.ndim != 2 or found.dtype.kind not in "fiu" or not np.all(np.isfinite(found)):
            raise InputError(
                f"{self.name}: {what} returned shape {found.shape} of type {found.dtype}; finite "
                f"numbers (steps + 1, nodes) are wanted; at {self.describe(flat)}."
            )
        return found.astype(np.float64)

    values: Mapping[str, Array] = field(init=False, repr=False)
    scaled: Mapping[str, Array] = field(init=False, repr=False)

    def _mapping(self, what: str, value: Any) -> dict[str, Any]:
        """Bring a value in the user's form to names and arrays."""
        if isinstance(self.point, Mapping):
            if not isinstance(value, Mapping):
                raise InputError(
                    f"{self.name}: {what} has type {type(value).__name__}; give a mapping with "
                    f"{', '.join(map(str, self.point))}, as the point is."
                )
            return {str(name): v for name, v in value.items()}
        return {ALONE: value}

    def _numbers(self, what: str, value: Any) -> Array:
        """Return finite numbers; true and false are none."""
        array = finite(f"{self.name}: {what}", as_array(f"{self.name}: {what}", value))
        if np.asarray(value).dtype == np.bool_:
            raise InputError(f"{self.name}: {what} holds true or false; give numbers.")
        return array

    def _scales(self, point: Mapping[str, Array]) -> dict[str, Array]:
        result = {n: np.where(v != 0, np.abs(v), 1.0) for n, v in point.items()}
        if self.scales is None:
            return result
        for name, value in self._mapping("scales", self.scales).items():
            if name not in point:
                raise unknown(f"parameter in the scales of {self.name}", name, point)
            scale = self._numbers(f"scale of {name}", value)
            if scale.shape not in ((), point[name].shape) or not np.all(scale > 0):
                raise InputError(
                    f"{self.name}: scale of {name} must be positive, one number or of shape "
                    f"{point[name].shape}."
                )
            result[name] = np.broadcast_to(scale, point[name].shape)
        return result

    def flat(self, mapping: Mapping[str, Array]) -> Array:
        """Concatenate values by every name of the point."""
        return np.concatenate([np.ravel(mapping[name]) for name in self.values])

    def form(self, flat: Array) -> Any:
        """Bring a flat vector to the form of the point."""
        result, start = {}, 0
        for name, value in self.values.items():
            part = np.array(flat[start : start + value.size]).reshape(value.shape)
            result[name] = part if value.ndim else part[()]
            start += value.size
        return result if isinstance(self.point, Mapping) else result[ALONE]

    def call(self, what: str, function: Callable[..., Any], flat: Array, *more: Any) -> Any:
        """Call a user's function at a point; its exception becomes an `InputError`."""
        try:
            return function(self.form(flat), *more)
        except (Exception, SystemExit) as error:  # an exit would pass for a verdict
            raise InputError(
                f"{self.name}: {what} raised {type(error).__name__}: {error}; at "
                f"{self.describe(flat)}. Mend it, or give scales that keep p ± s/2 in its domain."
            ) from error

    def describe(self, flat: Array) -> str:
        """Show a point in a message."""
        parts, start = [], 0
        for name, value in self.values.items():
            numbers = flat[start : start + value.size]
            start += value.size
            shown = ", ".join(f"{x:.6g}" for x in numbers[:SHOWN])
            parts.append(f"{name} = {shown}{', …' if numbers.size > SHOWN else ''}")
        return "; ".join(parts)

    def score(self, what: str, function: Callable[[Any], Any], flat: Array) -> Any:
        """Evaluate an objective: one real number, of numpy's type."""
        value = _to_numpy(self.call(what, function, flat))
        if value.size != 1 or value.dtype.kind not in "fiu":
            raise InputError(
                f"{self.name}: {what} returned shape {value.shape} of type {value.dtype}; one real "
                f"number is wanted; at {self.describe(flat)}."
            )
        return value.reshape(())[()]

    def vector(self, what: str, answer: Any, flat: Array) -> Array:
        """Check a gradient-like answer and flatten it."""
        mapping = self._mapping(what, answer)
        for name in mapping:
            if name not in self.values:
                raise unknown(f"parameter in {what} of {self.name}", name, self.values)
        parts = []
        for name, value in self.values.items():
            if name not in mapping:
                raise InputError(
                    f"{self.name}: {what} lacks {name!r}; give one entry per parameter of the "
                    f"point: {', '.join(self.values)}."
                )
            part = _to_numpy(mapping[name])
            if part.shape != value.shape:
                raise InputError(
                    f"{self.name}: {what} returned shape {part.shape} for {name}; "
                    f"{value.shape} is wanted; at {self.describe(flat)}."
                )
            if part.dtype.kind not in "fiu" or not np.all(np.isfinite(part)):
                raise InputError(
                    f"{self.name}: {what} returned {_first_bad(part)} for {name}; finite real "
                    f"numbers are wanted; at {self.describe(flat)}."
                )
            parts.append(np.ravel(part).astype(np.float64))
        return np.concatenate(parts)

    def gradient(self, name: str, flat: Array) -> Array:
        """Evaluate a claimed gradient, flat."""
        what = f"gradient {name!r}"
        return self.vector(what, self.call(what, self.gradients[name], flat), flat)

    # The forms that most models come in; each says what it needs.

    @classmethod
    def from_torch(cls, function: Any, parameters: Any = None, **options: Any) -> Problem:
        """Verify torch's autograd of a function or module: see `lsm_verify.verify.adapters`."""
        from lsm_verify.verify.adapters import from_torch

        return from_torch(function, parameters, **options)

    @classmethod
    def from_numpy(cls, function: Any, point: Any, *, grad: Any, **options: Any) -> Problem:
        """Verify a hand-written gradient of a NumPy function."""
        from lsm_verify.verify.adapters import from_numpy

        return from_numpy(function, point, grad=grad, **options)

    @classmethod
    def from_jax(cls, function: Any, point: Any, **options: Any) -> Problem:
        """Verify JAX's reverse and forward mode against each other and against differences."""
        from lsm_verify.verify.adapters import from_jax

        return from_jax(function, point, **options)

    @classmethod
    def from_operator(cls, A: Any, At: Any = None, **options: Any) -> Problem:
        """Verify that an operator's transpose is its transpose."""
        from lsm_verify.verify.adapters import from_operator

        return from_operator(A, At, **options)


def _to_numpy(value: Any) -> NDArray[Any]:
    """Take an array of any library: a tensor that carries a graph is detached."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _first_bad(part: NDArray[Any]) -> str:
    if part.dtype.kind not in "fiu":
        return f"type {part.dtype}"
    bad = np.flatnonzero(~np.isfinite(np.ravel(part)))
    return f"{np.ravel(part)[bad[0]]} at index {int(bad[0])}"


def _dtype(here: Any, scores: Callable[[Array], Array], x: Array, scale: Array) -> str:
    """Return the number type of an objective: what it returns, or what its values fit into.

    A single-precision result handed on as a Python float is one that float32 holds exactly at any
    point; constants and small whole numbers, which float16 holds too, say nothing.
    """
    if np.asarray(here).dtype in (np.float32, np.float16):
        return "float32"
    moved = x + 1e-3 * scale * np.random.default_rng(0).standard_normal((4, x.size))
    values = np.append(scores(moved)[0], float(here))
    with np.errstate(over="ignore", invalid="ignore"):
        fits = np.all(values == values.astype(np.float32))
        plain = np.all(values == values.astype(np.float16))
    return "float32" if fits and not plain else "float64"


def ulp_points(x: Array, dtype: str, rng: np.random.Generator) -> list[Array]:
    """Return the point and copies of it in which every number is moved by one ulp of ``dtype``.

    Zeros stay: the number next to zero is no rounding error of anything.
    """
    ulp = np.where(x == 0, 0.0, np.spacing(np.abs(x).astype(dtype))).astype(np.float64)
    return [x, *(x + np.where(rng.random((COPIES, x.size)) < 0.5, -1.0, 1.0) * ulp)]


def of_problem(problem: Problem) -> Target:
    """Bring a problem to the form of the checks.

    Raises
    ------
    InputError
        If one of its functions raises, or returns something that is no number or has the wrong
        shape, with the function and the point named.
    """
    x = problem.flat(problem.values)
    scale = problem.flat(problem.scaled)
    here = problem.score("objective", problem.objective, x)
    if not np.isfinite(here):
        raise InputError(f"{problem.name}: objective returned {here} at {problem.describe(x)}.")

    def evaluate(what: str, function: Callable[[Any], Any], points: Array) -> Array:
        return np.array([[float(problem.score(what, function, p)) for p in points]])

    def climb(directions: Array, largest: float, ratio: float, pairs: int) -> list[Ladder]:
        nominal = largest / ratio ** np.arange(pairs)
        result = []
        for row in directions:
            ends = [x + sign * nominal[:, None] * row for sign in (1.0, -1.0)]
            # p ± h v is rounded: the step that the largest component really took is the step.
            top = int(np.argmax(np.abs(row)))
            taken = (ends[0][:, top] - ends[1][:, top]) / 2 / row[top]
            plus, minus = (evaluate("objective", problem.objective, end) for end in ends)
            result.append((taken, plus, minus))
        return result

    dtype = _dtype(here, lambda points: evaluate("objective", problem.objective, points), x, scale)

    def sample(name: str, seed: int) -> list[Sample]:
        points = ulp_points(x, dtype, np.random.default_rng([seed, zlib.crc32(name.encode())]))
        gradients = np.stack([problem.gradient(name, p) for p in points])
        return [summarise([float(here)] * len(points), gradients)]

    def gradients(name: str, points: Array) -> Array:
        return np.stack([problem.gradient(name, p) for p in points])[None]

    tighter = problem.tighter
    return Target(
        labels=tuple(
            (name, index) for name, v in problem.values.items() for index in np.ndindex(v.shape)
        ),
        x=x,
        scale=scale,
        unit=scale,
        objectives=("J",),
        scores=lambda points: evaluate("objective", problem.objective, points),
        ladders=climb,
        sample=sample,
        gradients=gradients,
        tighter=None
        if tighter is None
        else lambda points: evaluate("tighter objective", tighter, points),
        dtype=dtype,
        partial=True,
    )
