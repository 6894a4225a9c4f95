"""The routes through torch, and what else is asked of its models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.routes.route import Evaluation, Gradient, Route, States

if TYPE_CHECKING:
    from lsm_verify.models.column import Leaves


def autograd(
    batch: Sequence[Inputs], *, dtype: str = "float64", threads: int = 1
) -> list[Evaluation]:
    """Evaluate the autograd route, in another precision or on several threads if asked."""
    from lsm_verify.models import direct

    return _by_autograd(batch, direct.simulate, dtype=dtype, threads=threads)


def published(tolerance: float) -> Route:
    """Return the route of the paper, at a Jacobi tolerance [K]."""

    def evaluate(batch: Sequence[Inputs]) -> list[Evaluation]:
        from lsm_verify.models import published as model

        model.check_tolerance(tolerance)
        for inputs in batch:
            model.check_applicable(inputs)
        return _by_autograd(batch, lambda columns: model.simulate(columns, tolerance)[0])

    return Route(
        "autograd-published",
        "the paper's convolution and Jacobi iteration, unrolled by autograd",
        exact=False,
        evaluate=evaluate,
        default=False,
    )


def _by_autograd(
    batch: Sequence[Inputs],
    simulate: Callable[..., Any],
    *,
    dtype: str = "float64",
    threads: int = 1,
) -> list[Evaluation]:
    from lsm_verify.models.threads import building_graphs

    with building_graphs(threads):
        return _differentiate(batch, simulate, dtype)


def _differentiate(
    batch: Sequence[Inputs], simulate: Callable[..., Any], dtype: str
) -> list[Evaluation]:
    import torch

    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict, score

    leaf = leaves(batch, dtype=getattr(torch, dtype))
    columns = expand(leaf)
    y = predict(columns, batch, simulate(columns))
    return pulled_back(batch, leaf, [score(batch, o, y) for o in batch[0].objectives])


def pulled_back(batch: Sequence[Inputs], leaf: Leaves, scores: Sequence[Any]) -> list[Evaluation]:
    """Values and gradients of scores (B,), one for each objective, by autograd."""
    import torch

    wrt = batch[0].wrt
    inputs = [leaf.parameters[name] for name in wrt]
    results: list[Evaluation] = [[] for _ in batch]
    for index, values in enumerate(scores):
        # Cut from all its parameters a model has no graph: its gradient is zero, not an error.
        gradients: Sequence[Any] = [torch.zeros_like(p) for p in inputs]
        if values.requires_grad:
            gradients = torch.autograd.grad(
                values.sum(),
                inputs,
                retain_graph=index + 1 < len(scores),
                materialize_grads=True,
            )
        for b, evaluation in enumerate(results):
            gradient = {n: g[b].numpy(force=True) for n, g in zip(wrt, gradients, strict=True)}
            evaluation.append((float(values[b].detach()), gradient))
    return results


def autograd_states(batch: Sequence[Inputs]) -> list[States]:
    """Λ of every column, by asking autograd for the gradient by every state of the run."""
    import torch

    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict, score
    from lsm_verify.models.threads import building_graphs

    with building_graphs(1):
        # The initial state is asked by, too: it is made a leaf of the graph.
        columns = expand(leaves(batch))
        columns = replace(columns, T0=columns.T0.detach().clone().requires_grad_())
        run = direct.states(columns)
        y = predict(columns, batch, torch.stack(run, dim=1))
        found = [
            torch.stack(
                torch.autograd.grad(
                    score(batch, objective, y).sum(),
                    run,
                    retain_graph=True,
                    materialize_grads=True,
                ),
                dim=1,
            ).numpy(force=True)
            for objective in batch[0].objectives
        ]
    return [np.stack([each[b] for each in found]) for b in range(len(batch))]


def torch_run(batch: Sequence[Inputs], *, dtype: str = "float64") -> list[tuple[Any, Any]]:
    """Temperatures (steps + 1, nodes) and predictions (series, steps + 1) of the torch model."""
    import torch

    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict
    from lsm_verify.models.threads import torch_threads

    with torch.no_grad(), torch_threads(1):
        columns = expand(leaves(batch, dtype=getattr(torch, dtype)))
        T = direct.simulate(columns)
        return per_column(batch, T, lambda: predict(columns, batch, T))


def per_column(
    batch: Sequence[Inputs], T: Any, predict: Callable[[], Any]
) -> list[tuple[Any, Any]]:
    """Temperatures and predictions of every column, as arrays; none where nothing is observed."""
    y = predict() if batch[0].series else T.new_empty(len(batch), 0, T.shape[1])
    return [(T[b].numpy(), y[b].numpy()) for b in range(len(batch))]


def torch_hessian_products(inputs: Inputs, changes: Sequence[Gradient]) -> list[list[Gradient]]:
    """Return, for every change, the Hessian of every objective times it, by double backward.

    Every change has a column of its own in one batch: the graph is built once. Names missing from
    a change stay as they are; the results have the names in ``wrt``.
    """
    import torch

    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict, score
    from lsm_verify.models.threads import building_graphs

    batch = [inputs] * len(changes)
    along = {
        name: np.stack(
            [change.get(name, np.zeros(inputs.parameters[name].shape)) for change in changes]
        )
        for name in inputs.wrt
    }
    results: list[list[Gradient]] = [[] for _ in changes]
    with building_graphs(1):
        leaf = leaves(batch)
        p = [leaf.parameters[name] for name in inputs.wrt]
        columns = expand(leaf)
        y = predict(columns, batch, direct.simulate(columns))
        for index, objective in enumerate(inputs.objectives):
            value = score(batch, objective, y).sum()
            slopes = torch.autograd.grad(value, p, create_graph=True, materialize_grads=True)
            terms = zip(along.values(), slopes, strict=True)
            projected = torch.stack([(torch.as_tensor(v) * g).sum() for v, g in terms]).sum()
            if projected.requires_grad:
                more = index + 1 < len(inputs.objectives)
                rows = torch.autograd.grad(projected, p, retain_graph=more, materialize_grads=True)
            else:  # J is linear: its slope is a constant
                rows = tuple(torch.zeros_like(each) for each in p)
            for b, found in enumerate(results):
                found.append(
                    {n: row[b].numpy(force=True) for n, row in zip(inputs.wrt, rows, strict=True)}
                )
    return results
