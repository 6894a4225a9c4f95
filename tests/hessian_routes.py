"""Products with the Hessian, for lsm_verify/routes.py (put after `transposed_product`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.routes import Gradient, _ask_oracle


def hessian_product(inputs: Inputs, change: Gradient) -> list[Gradient]:
    """Return the Hessian of every objective times ``change``, by the oracle's second-order adjoint.

    Parameters missing from ``change`` stay as they are; the result has the names in ``wrt``.
    """
    found: list[Gradient] = _ask_oracle([inputs], "hessian_product", "evaluate", change)[0]
    return found


def torch_hessian_product(inputs: Inputs, change: Gradient) -> list[Gradient]:
    """Return the Hessian of every objective times ``change``, by torch's double backward."""
    return torch_hessian_products(inputs, [change])[0]


def torch_hessian_products(inputs: Inputs, changes: Sequence[Gradient]) -> list[list[Gradient]]:
    """Return, for every change, the Hessian of every objective times it, by double backward.

    Every change has a column of its own in one batch: the graph is built once. Names missing from
    a change stay as they are; the results have the names in ``wrt``.
    """
    import torch

    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict, score
    from lsm_verify.models.threads import torch_threads

    batch = [inputs] * len(changes)
    along = {
        name: np.stack(
            [change.get(name, np.zeros(inputs.parameters[name].shape)) for change in changes]
        )
        for name in inputs.wrt
    }
    results: list[list[Gradient]] = [[] for _ in changes]
    with torch_threads(1):
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
