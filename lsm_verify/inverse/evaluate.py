"""Values, gradients, predictions and Jacobians at scaled coordinates, by any verified route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, NoSolutionError
from lsm_verify.inputs import Inputs, Objective
from lsm_verify.inverse.space import Space
from lsm_verify.quantities import PARAMETERS
from lsm_verify.routes import get_route

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
Compose = Callable[[dict[str, "Tensor"]], Mapping[str, "Tensor"]]
"""From unknowns, (B,) or (B, n) tensors, to parameters of the model of the same kind."""


class Evaluator:
    """A case's model at points of a space.

    Parameters
    ----------
    case : Case
        What is modelled and observed.
    space : Space
        The unknowns.
    route : str
        Route of the gradient; predictions and Jacobians are the fused kernels'.
    objective : Objective
        What `score` scores.
    compose : callable, optional
        From the unknowns to parameters, in torch operations; default: they are the parameters.
    threads : int, optional
        Of the kernels; default: all.

    Notes
    -----
    The physical bounds of parameters are not enforced here: an optimiser without bounds may ask
    for any point. Where the model has no solution, results are not-a-number.
    """

    def __init__(
        self,
        case: Case,
        space: Space,
        *,
        route: str = "fused",
        objective: Objective | None = None,
        compose: Compose | None = None,
        threads: int | None = None,
    ) -> None:
        self.case, self.space, self.compose, self.threads = case, space, compose, threads
        self.objective = objective or Objective()
        self.route = get_route(route)
        self._first = self._first_inputs()
        self._fixed: Any = None

    def _first_inputs(self) -> Inputs:
        """Return inputs at the middle of the space, checked; ``wrt`` names what is unknown."""
        import torch

        with torch.no_grad():
            found = self._parameters(self.space.tensors(self.space.middle[None]))
        values = {name: x.numpy()[0] for name, x in found.items()}
        times = {u.name: u.times for u in self.space.unknowns if u.times is not None}
        if self.compose is None:
            return self.case.inputs(
                self.space.named(self.space.middle),
                objectives=(self.objective,),
                wrt=tuple(values),
            )
        if times:
            raise InputError(
                f"{next(iter(times))} is given by knots and goes through a function of unknowns; "
                "interpolate in that function."
            )
        for name in values:
            if name not in PARAMETERS:
                raise InputError(
                    f"the function of unknowns returns {name!r}, which is no parameter; known: "
                    f"{', '.join(PARAMETERS)}."
                )
        return self.case.inputs(values, objectives=(self.objective,), wrt=tuple(values))

    def _parameters(self, unknowns: dict[str, Tensor]) -> dict[str, Tensor]:
        return unknowns if self.compose is None else dict(self.compose(unknowns))

    # ---------------------------------------------------------- public

    @property
    def observed(self) -> tuple[Array, Array]:
        """Observed values and weights of the objective, (series, steps + 1) each."""
        series = self._first.series
        values = np.stack([s.values for s in series])
        weights = self.objective.weights
        if weights is None:
            weights = np.stack([np.broadcast_to(s.weights, s.values.shape) for s in series])
        return values, weights

    def score(self, u: Array) -> tuple[Array, Array]:
        """Objective (B,) and its gradient (B, P) by the scaled coordinates."""
        import torch

        from lsm_verify.models.threads import building_graphs

        with building_graphs(1):
            unknowns = self.space.tensors(self.space.physical(u), requires_grad=True)
            parameters = self._parameters(unknowns)
            asked = list(unknowns.values())
            if self.route.model == "fused":
                scores = self._fused_score(parameters)
                J, found = (
                    scores.detach().numpy(),
                    torch.autograd.grad(scores.sum(), asked, materialize_grads=True),
                )
            else:
                J, by_name = self._routed(parameters)
                outputs = [parameters[name] for name in by_name]
                found = torch.autograd.grad(
                    outputs, asked, list(by_name.values()), materialize_grads=True
                )
        bars = np.concatenate([x.numpy().reshape(len(u), -1) for x in found], axis=1)
        return J, np.where(np.isnan(J)[:, None], np.nan, bars * self.space.slope(u))

    def predict(self, u: Array) -> Array:
        """Predicted observations (B, series, steps + 1)."""
        import torch

        from lsm_verify.models import fused
        from lsm_verify.models.threads import torch_threads

        with torch.no_grad(), torch_threads(1):
            unknowns = self.space.tensors(self.space.physical(u))
            columns = self._columns(self._parameters(unknowns))
            y, _ = fused.predict(columns, self._shared()[1], with_status=True, threads=self.threads)
            return np.asarray(y.numpy())

    def jacobian(self, u: Array) -> tuple[Array, Array]:
        """Predictions (B, series, steps + 1), and their derivatives (B, series, steps + 1, P).

        One run of the tangent-linear kernel with a column for every point and coordinate.
        """
        from torch.autograd import forward_ad

        from lsm_verify.models import fused
        from lsm_verify.models.threads import torch_threads

        ad: Any = forward_ad  # without types
        B, P = u.shape
        points = self.space.tensors(np.repeat(self.space.physical(u), P, axis=0))
        along = self.space.tensors((np.eye(P) * self.space.slope(u)[:, None]).reshape(B * P, P))
        with torch_threads(1), ad.dual_level():
            dual = {name: ad.make_dual(x, along[name]) for name, x in points.items()}
            columns = self._columns(self._parameters(dual))
            found = fused.predict(
                columns, self._shared()[1], with_status=True, threads=self.threads
            )
            y, dy = ad.unpack_dual(found[0])
            assert dy is not None
            shape = (B, P, *y.shape[1:])
            return y.numpy().reshape(shape)[:, 0], np.moveaxis(dy.numpy().reshape(shape), 1, -1)

    def parametrisation(self, u: Array) -> Array:
        """Return derivatives (M, P) of all numbers that the model reads, at one point (P,).

        Predictions are a function of these numbers alone: what moves none of them, no observation
        can see.
        """
        import torch
        from torch.autograd import forward_ad

        ad: Any = forward_ad  # without types
        P = u.size
        points = self.space.tensors(np.repeat(self.space.physical(u)[None], P, axis=0))
        along = self.space.tensors(np.diag(self.space.slope(u)))
        with ad.dual_level():
            dual = {name: ad.make_dual(x, along[name]) for name, x in points.items()}
            columns = self._columns(self._parameters(dual))
            read = [getattr(columns, f.name) for f in fields(columns)]
            found = [ad.unpack_dual(x)[1] for x in read if isinstance(x, torch.Tensor)]
            return np.concatenate([dx.numpy().reshape(P, -1).T for dx in found if dx is not None])

    # ---------------------------------------------------------- inside

    def _shared(self) -> tuple[Any, Any, Any]:
        """Return what does not depend on the point: leaves, sight and objective of one column."""
        if self._fixed is None:
            from lsm_verify.models import fused
            from lsm_verify.models.column import leaves

            batch = [replace(self._first, wrt=())]
            self._fixed = (
                leaves(batch, compact=True),
                fused.sight_of(batch),
                fused.objective_of(batch, self.objective),
            )
        return self._fixed  # type: ignore[no-any-return]

    def _columns(self, parameters: Mapping[str, Tensor]) -> Any:
        from lsm_verify.models.column import expand

        leaf = self._shared()[0]
        kept = {n: x for n, x in leaf.parameters.items() if n in self._first.parameters}
        return expand(replace(leaf, parameters={**kept, **parameters}))

    def _fused_score(self, parameters: Mapping[str, Tensor]) -> Tensor:
        from lsm_verify.models import fused

        _, sight, objective = self._shared()
        J, _ = fused.score(
            self._columns(parameters), sight, objective, with_status=True, threads=self.threads
        )
        return J

    def _routed(self, parameters: Mapping[str, Tensor]) -> tuple[Array, dict[str, Tensor]]:
        """Objective and its gradients by the parameters, by a route that is no torch function."""
        import torch

        values = {name: x.detach().numpy() for name, x in parameters.items()}
        B = len(next(iter(values.values())))
        batch = [
            self._first.with_values({name: np.asarray(x[b]) for name, x in values.items()})
            for b in range(B)
        ]
        J = np.full(B, np.nan)
        slopes = {name: np.zeros_like(x) for name, x in values.items()}
        for b, inputs in enumerate(batch):
            try:
                ((J[b], found),) = self.route.evaluate([inputs])[0]
            except NoSolutionError:
                continue
            for name in slopes:
                slopes[name][b] = found[name]
        return J, {name: torch.as_tensor(x) for name, x in slopes.items()}
