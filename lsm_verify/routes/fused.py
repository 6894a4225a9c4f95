"""The route through the fused kernels, and what else is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.routes.in_torch import per_column, pulled_back
from lsm_verify.routes.route import Evaluation, States

if TYPE_CHECKING:
    from lsm_verify.kernels.columns import Objective
    from lsm_verify.models.column import Columns

FORCED = ("time_step", "albedo", "H", "Tb", "SWdown", "LWdown", "Tair")
"""Fields of the columns that may vary from step to step."""

AT_ONCE = 2**23
"""Numbers that the windows of one call may hold: forcing, and series with their weights."""

LEAST_PARTS = 8
"""Calls in which all windows are run: those of one call are as long as the longest of them."""


def evaluate(batch: Sequence[Inputs], *, threads: int | None = None) -> list[Evaluation]:
    """Evaluate the route: the whole batch in one call of the kernels for each objective.

    ``threads``: of the kernels; default: all that Numba is given.
    """
    from lsm_verify.models import fused
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.threads import building_graphs

    with building_graphs(1):
        leaf = leaves(batch, compact=True)
        columns, sight = expand(leaf), fused.sight_of(batch)
        scores = [
            fused.score(columns, sight, fused.objective_of(batch, objective), threads=threads)
            for objective in batch[0].objectives
        ]
        return pulled_back(batch, leaf, scores)


def run(batch: Sequence[Inputs]) -> list[tuple[Any, Any]]:
    """Temperatures (steps + 1, nodes) and predictions (series, steps + 1) of the fused kernels."""
    import torch

    from lsm_verify.models import fused
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.threads import torch_threads

    with torch.no_grad(), torch_threads(1):
        columns = expand(leaves(batch, compact=True))
        T = fused.simulate(columns)
        return per_column(batch, T, lambda: fused.predict(columns, fused.sight_of(batch)))


def adjoint_states(batch: Sequence[Inputs]) -> list[States]:
    """Λ of every column: the gradient by the initial state of runs that begin at every state.

    The kernels keep no sensitivities. They are asked for those by an initial state, by as many runs
    as there are states, each of which sees of the record what is left from its state on: the cost
    grows with the square of the number of steps.
    """
    from lsm_verify.models.threads import building_graphs

    with building_graphs(1):
        return [
            np.stack([_sensitivities(inputs, index) for index in range(len(inputs.objectives))])
            for inputs in batch
        ]


def _sensitivities(inputs: Inputs, index: int) -> States:
    """Λ (steps + 1, nodes) of one objective to the temperatures of one column."""
    import torch

    from lsm_verify.models import fused
    from lsm_verify.models.column import expand, leaves

    batch = [replace(inputs, wrt=())]
    columns, sight = expand(leaves(batch, compact=True)), fused.sight_of(batch)
    objective, share = _without_mean(fused.objective_of(batch, inputs.objectives[index]))
    turbulent = [series.kind == "turbulent_flux" for series in inputs.series]
    T = fused.simulate(columns)
    found = []
    states = np.arange(T.shape[1])
    numbers = states.size * inputs.steps * (len(FORCED) + 4 * len(inputs.series))
    parts = max(LEAST_PARTS, -(-numbers // AT_ONCE))
    for begin in np.array_split(states, min(parts, states.size)):
        start = T[0, begin].requires_grad_()
        J = fused.score(_from(columns, start, begin), sight, _rest(objective, turbulent, begin))
        found.append(torch.autograd.grad(J.sum(), start)[0])
    total = torch.cat(found)
    if any(turbulent):
        total[1:, 0] += _of_turbulent(columns, T, objective, turbulent)
    return (total * share).numpy()


def _without_mean(objective: Objective) -> tuple[Objective, float]:
    """Return a sum in the place of a mean, which would be over another number in every window."""
    if objective.kind != "mean-square":
        return objective, 1.0
    total = np.sum(objective.weights)
    return objective._replace(kind="half-sum-of-squares"), float(np.divide(2.0, total))


def _from(columns: Columns, start: Any, begin: Any) -> Columns:
    """One column for every state in ``begin``, to the end of the longest of their records.

    After the end of a record its last step is repeated.
    """
    steps = columns.time_step.shape[1]
    index = np.minimum(begin[:, None] + np.arange(max(1, steps - begin[0])), steps - 1)
    forced = {name: getattr(columns, name) for name in FORCED}
    later = {name: x[0, index] for name, x in forced.items() if x.shape[1] == steps}
    return replace(columns, T0=start, **later)


def _rest(objective: Objective, turbulent: Sequence[bool], begin: Any) -> Objective:
    """Score what is left of the record from every state in ``begin`` on.

    A turbulent flux belongs to the step that ends at its state: a window does not have the first.
    """
    states = objective.values.shape[2]
    index = begin[:, None] + np.arange(max(2, states - begin[0]))
    values, weights = (
        np.moveaxis(x[0][:, np.minimum(index, states - 1)], 1, 0)
        for x in (objective.values, objective.weights)
    )
    weights = weights * (index < states)[:, None]
    weights[:, turbulent, 0] = 0
    return objective._replace(values=np.ascontiguousarray(values), weights=weights)


def _of_turbulent(columns: Columns, T: Any, objective: Objective, turbulent: Sequence[bool]) -> Any:
    """Sensitivity (steps,) of J to the surface temperature that observed turbulent fluxes read."""
    import torch

    from lsm_verify.models.observe import turbulent_flux

    slope = objective.weights[0, turbulent, 1:]
    if objective.kind != "probe":
        slope = slope * (turbulent_flux(columns, T).numpy() - objective.values[0, turbulent, 1:])
    return columns.H[0] * torch.as_tensor(slope.sum(axis=0))
