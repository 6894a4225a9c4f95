"""A model at one point as the checks see it: flat vectors, whatever the model.

A column of the land-surface model (`of_inputs`) and any other problem (`lsm_verify.Problem`) are
brought to this form, so that every check exists once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs, ulp_copies
from lsm_verify.quantities import PARAMETERS
from lsm_verify.routes.oracle import ladders, scores_at, trajectory
from lsm_verify.routes.route import Evaluation, Gradient, Route

COPIES = 12
"""Copies moved by an ulp; the spread of 12 is known to about 20 %."""

Array = NDArray[np.float64]
Label = tuple[str, tuple[int, ...]]
Ladder = tuple[Array, Array, Array]
"""Steps (pairs,) and objectives (objectives, pairs) at x + h v and x - h v."""


@dataclass(frozen=True)
class Sample:
    """One route at one point and objective: value and gradient, with their round-off spread."""

    value: float
    gradient: Array
    spread: Array
    value_spread: float = 0.0
    evaluations: int = 1


@dataclass(frozen=True)
class Target:
    """What the checks may ask of a model at a point with n numbers and one or more objectives.

    Attributes
    ----------
    labels : tuple
        Parameter name and index of every number.
    x, scale, unit : (n,) array
        The point; the scale of every number (its prior's standard deviation), in which errors are
        weighed; the longest step that a ladder may start from, at most the scale.
    objectives : tuple of str
        Their names.
    scores : callable
        From points (K, n) to objectives (objectives, K); not-a-number: no solution there.
    ladders : callable
        From directions (m, n), the largest step, ratio and number of pairs to m ladders.
    sample : callable
        From a route's name and a seed to one `Sample` per objective.
    gradients : callable
        From a route's name and points (K, n) to gradients (objectives, K, n).
    units : mapping
        Unit of every parameter.
    tighter : callable, optional
        As ``scores``, with the inner solver's tolerance a hundred times smaller.
    dtype : str
        Number type of the objective.
    partial : bool
        Whether copies move the point alone, not all that the model reads: then the spread over
        copies is no full account of round-off.
    """

    labels: tuple[Label, ...]
    x: Array
    scale: Array
    unit: Array
    objectives: tuple[str, ...]
    scores: Callable[[Array], Array]
    ladders: Callable[[Array, float, float, int], list[Ladder]]
    sample: Callable[[str, int], list[Sample]]
    gradients: Callable[[str, Array], Array]
    units: Mapping[str, str] = field(default_factory=dict)
    tighter: Callable[[Array], Array] | None = None
    dtype: str = "float64"
    partial: bool = False

    def __post_init__(self) -> None:
        if not np.all(self.scale > 0):
            raise ValueError("every scale must be positive: it is the unit of the verdict")

    @property
    def epsilon(self) -> float:
        """Machine epsilon of the objective's number type."""
        return float(np.finfo(self.dtype).eps)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, each once."""
        return tuple(dict.fromkeys(name for name, _ in self.labels))

    @property
    def owners(self) -> NDArray[np.str_]:
        """Parameter of every number."""
        return np.array([name for name, _ in self.labels], dtype=np.str_)


def norm_of(vector: Array) -> float:
    """‖v‖ without underflow or overflow of the squares; not-a-number stays."""
    with np.errstate(invalid="ignore"):
        largest = float(np.max(np.abs(vector), initial=0.0))
    if not (0 < largest < np.inf):
        return largest
    return largest * float(np.linalg.norm(vector / largest))


def labels(inputs: Inputs) -> list[Label]:
    """Name and index of every component, in the order of `flatten`."""
    return [
        (name, index) for name in inputs.wrt for index in np.ndindex(inputs.parameters[name].shape)
    ]


def flatten(inputs: Inputs, gradient: Mapping[str, Array]) -> Array:
    """Concatenate the values by every name in ``wrt``."""
    return np.concatenate([np.ravel(gradient[name]) for name in inputs.wrt])


def unflatten(inputs: Inputs, flat: Array) -> Gradient:
    """Undo `flatten`: values by every name in ``wrt``, in their shapes."""
    result, start = {}, 0
    for name in inputs.wrt:
        shape = inputs.parameters[name].shape
        size = int(np.prod(shape))
        result[name] = flat[start : start + size].reshape(shape)
        start += size
    return result


def scales(inputs: Inputs) -> Array:
    """Scale of every component, in the order of `flatten`."""
    return np.concatenate([np.ravel(inputs.scale(name)) for name in inputs.wrt])


def units(inputs: Inputs) -> Array:
    """Length of the unit step of every component: its scale, where the model allows it.

    Conductivity and heat capacity must stay positive and the Bowen ratio on its side of zero, so
    theirs is at most the value itself, of which the ladder takes a half.
    """
    bounded = {name for name, q in PARAMETERS.items() if q.open_lower} | {"bowen_ratio"}
    parts = []
    for name in inputs.wrt:
        scale, size = inputs.scale(name), np.abs(inputs.parameters[name])
        parts.append(np.ravel(np.minimum(scale, size) if name in bounded else scale))
    return np.concatenate(parts)


def sample(route: Route, inputs: Inputs, seed: int) -> list[Sample]:
    """Evaluate a route and its round-off spread: one `Sample` per objective, in one batch.

    Multiprecision has next to no round-off of its own and is evaluated once.
    """
    rng = np.random.default_rng([seed, zlib.crc32(route.name.encode())])
    batch = [inputs, *(() if route.short else ulp_copies(inputs, COPIES, rng))]
    evaluations = route.evaluate(batch)
    _check_shapes(route, inputs, evaluations[0])
    samples = []
    for index in range(len(inputs.objectives)):
        values = [evaluation[index][0] for evaluation in evaluations]
        gradients = np.stack([flatten(inputs, evaluation[index][1]) for evaluation in evaluations])
        if route.short:
            size = np.abs(flatten(inputs, inputs.parameters))
            spread = route.noise * abs(values[0]) / np.where(size > 0, size, 1.0)
            samples.append(Sample(values[0], gradients[0], spread))
        else:
            samples.append(summarise(values, gradients))
    return samples


def summarise(values: Sequence[float], gradients: Array) -> Sample:
    """Turn a route's answer and those of its copies (1 + copies, n) into a `Sample`."""
    with np.errstate(invalid="ignore", over="ignore"):
        spread = gradients[1:].std(axis=0, ddof=1)
        value_spread = float(np.std(values[1:], ddof=1))
    return Sample(values[0], gradients[0], spread, value_spread, len(values))


def _check_shapes(route: Route, inputs: Inputs, evaluation: Evaluation) -> None:
    wanted = {name: inputs.parameters[name].shape for name in inputs.wrt}
    for _, gradient in evaluation:
        found = {name: np.shape(g) for name, g in gradient.items()}
        if found != wanted:
            raise ValueError(f"route {route.name} returned shapes {found}; {wanted} are wanted")


def of_inputs(inputs: Inputs, routes: Sequence[Route] = ()) -> Target:
    """Bring a column to the form of the checks; its objectives come from the oracle's forward run.

    Raises
    ------
    NoSolutionError
        If the model has no solution at the point itself.
    """
    known = {route.name: route for route in routes}
    x = flatten(inputs, inputs.parameters)

    def scores(points: Array) -> Array:
        return scores_at(inputs, [unflatten(inputs, point) for point in points])

    def climb(directions: Array, largest: float, ratio: float, pairs: int) -> list[Ladder]:
        moved = [
            {name: v for name, v in unflatten(inputs, row).items() if np.any(v)}
            for row in directions
        ]
        return ladders(inputs, moved, largest, ratio, pairs)

    def gradients(name: str, points: Array) -> Array:
        batch = [inputs.with_values(unflatten(inputs, point)) for point in points]
        evaluations = known[name].evaluate(batch)
        rows = [[flatten(inputs, gradient) for _, gradient in e] for e in evaluations]
        return np.array(rows).transpose(1, 0, 2)

    if not np.all(np.isfinite(scores_at(inputs, [{}]))):
        trajectory(inputs)  # raises, naming the step
    return Target(
        labels=tuple(labels(inputs)),
        x=x,
        scale=scales(inputs),
        unit=units(inputs),
        objectives=tuple(objective.label for objective in inputs.objectives),
        scores=scores,
        ladders=climb,
        sample=lambda name, seed: sample(known[name], inputs, seed),
        gradients=gradients,
        units={name: PARAMETERS[name].unit for name in inputs.wrt},
    )
