"""Adam with the paper's learning rates and stopping rule, all starts as one batch.

References
----------
Kingma, D. P. and Ba, J. (2015). Adam: a method for stochastic optimization. arXiv:1412.6980.
Huang, R., Heaney, C. E., van Reeuwijk, M. (2025). arXiv:2505.02979.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.outcome import (
    CONVERGED,
    EXHAUSTED,
    INTERRUPTED,
    NO_SOLUTION,
    Announce,
    Outcomes,
    Progress,
    silent,
)
from lsm_verify.inverse.space import Space
from lsm_verify.parameters import COMBINED

Array = NDArray[np.float64]

ITERATIONS = 150
LOSS_CHANGE = 1e-4
PARAMETER_CHANGE = 1e-3
"""The paper's rule: stop where the loss changes by at most 0.01 % and every parameter by 0.1 %."""

RATES = {
    "albedo": 0.1,
    "heat_transfer_coefficient": 0.1,
    "bowen_ratio": 0.1,
    "turbulent_transfer_coefficient": 1.0,
    "thermal_conductivity": 0.1,
    "volumetric_heat_capacity": 1e5,
    "bottom_temperature": 1.0,
}
"""The paper's learning rates for the twin, in units of the parameters."""

COMBINED_RATES = {**RATES, "thermal_conductivity": 0.2}
"""Those for Phoenix, where h(1+1/β) is one parameter."""

RELATIVE_RATE = 0.1
"""Of an unknown for which the paper has no rate, in units of its scale."""


def rates(space: Space, given: Mapping[str, float] | None = None) -> Array:
    """Learning rates (P,) in the parameters' units."""
    given = given or {}
    for name, rate in given.items():
        if name not in space.names:
            raise unknown("parameter of a learning rate", name, space.names)
        if not 0 < rate < np.inf:
            raise InputError(f"learning rate {rate} of {name} must be above 0.")
    known = COMBINED_RATES if COMBINED in space.names else RATES
    found = [
        np.broadcast_to(given.get(u.name, known.get(u.name, RELATIVE_RATE * u.scale)), (u.size,))
        for u in space.unknowns
    ]
    return np.concatenate(found)


def minimise(
    misfit: Misfit,
    starts: Array,
    outcomes: Outcomes,
    *,
    learning_rates: Array,
    iterations: int = ITERATIONS,
    stop_early: bool = True,
    announce: Announce = silent,
) -> None:
    """Run Adam from scaled starts (B, P), in the parameters' own units and without bounds.

    The loss is the mean square misfit, to which priors are added in proportion: its size does not
    matter to Adam but for its ε (1e-8), which the paper's gradient by C is not far above.
    A start that has stopped stays where it is; ``outcomes`` has its last point, or its best if it
    is interrupted.
    """
    best = Outcomes.begin(starts)
    try:
        _descend(misfit, starts, outcomes, best, learning_rates, iterations, stop_early, announce)
    except KeyboardInterrupt:
        cut = np.array(outcomes.status) == INTERRUPTED
        outcomes.u[cut], outcomes.value[cut] = best.u[cut], best.value[cut]
        raise


def _descend(
    misfit: Misfit,
    starts: Array,
    outcomes: Outcomes,
    best: Outcomes,
    learning_rates: Array,
    iterations: int,
    stop_early: bool,
    announce: Announce,
) -> None:
    import torch

    space = misfit.space
    if np.any(space.logarithmic):
        raise InputError("Adam moves parameters in their own units; leave out logarithmic ones.")
    share = 2 / float(np.sum(misfit.weights * misfit.sigma[:, None] ** 2))
    share *= float(np.mean(misfit.sigma**2))
    p = torch.from_numpy(space.physical(starts)).clone()
    columns = [c.clone().requires_grad_() for c in p.unbind(1)]
    groups = [{"params": [c], "lr": float(r)} for c, r in zip(columns, learning_rates, strict=True)]
    optimiser = torch.optim.Adam(groups, foreach=False)
    active = np.ones(len(starts), dtype=bool)
    before, last = np.full(len(starts), np.nan), space.physical(starts)
    for done in range(iterations + 1):
        with torch.no_grad():
            here = torch.stack(columns, 1).numpy()
        value, slope = misfit.value(space.scaled(here))
        failed = active & ~np.isfinite(value)
        good = active & ~failed
        outcomes.u[good] = space.scaled(here)[good]
        outcomes.value[good] = value[good]
        better = good & (value < best.value)
        best.u[better], best.value[better] = outcomes.u[better], value[better]
        outcomes.iterations[active] = done
        outcomes.evaluations[active] += 1
        _close(outcomes, failed, NO_SOLUTION)
        active &= ~failed
        loss = share * value
        if stop_early and done:
            step = np.abs(here - last)
            settled = np.abs(loss - before) <= LOSS_CHANGE * np.abs(before)
            settled &= np.all(step <= PARAMETER_CHANGE * np.abs(last), axis=1)
            _close(outcomes, active & settled, CONVERGED)
            active &= ~settled
        announce(
            Progress(
                done=done,
                total=iterations,
                unit="iterations",
                evaluations=int(np.sum(outcomes.evaluations)),
                value=float(np.min(outcomes.value)),
                best=float(np.min(best.value)),
            )
        )
        if done == iterations or not np.any(active):
            break
        last, before = here, loss
        slopes = np.where(active[:, None], share * slope / space.slope(starts), 0.0)
        for column, along in zip(columns, slopes.T, strict=True):
            column.grad = torch.from_numpy(np.ascontiguousarray(along))
        optimiser.step()
        with torch.no_grad():  # those that have stopped stay, whatever momentum they had
            for k, column in enumerate(columns):
                column.copy_(torch.from_numpy(np.where(active, column.numpy(), here[:, k])))
    _close(outcomes, active, EXHAUSTED)


def _close(outcomes: Outcomes, which: NDArray[np.bool_], status: str) -> None:
    for b in np.flatnonzero(which):
        outcomes.status[b] = status
