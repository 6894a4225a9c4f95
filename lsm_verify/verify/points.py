"""What is shown of one point: the gradient by every route, component by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.quantities import OBSERVABLES
from lsm_verify.routes.oracle import predictions
from lsm_verify.verify.agreement import FAIL_Z, PASS_Z, Agreement
from lsm_verify.verify.differences import Estimate
from lsm_verify.verify.result import GradientRow, PointResult, Verdict, judge
from lsm_verify.verify.target import Sample, Target

ORDER = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)
"""Verdicts, the worst first."""


def describe(
    target: Target,
    samples: Mapping[str, Sample],
    *,
    index: int,
    agreed: Agreement | None,
    norm: float,
    point: str,
    found: Estimate | None = None,
    verdicts: Sequence[Sequence[Verdict]] = (),
    rmse: Mapping[str, float] | None = None,
) -> PointResult:
    """Collect one point and objective.

    Parameters
    ----------
    target : Target
        The point.
    samples : mapping
        Route name to value and gradient; the first is the reference for shares.
    index : int
        Which objective.
    agreed : Agreement or None
        How well the exact routes agree there, if there are several.
    norm : float
        ‖g∘s‖.
    point : str
        Name of the point.
    found : Estimate, optional
        Finite differences.
    verdicts : sequence
        Further verdicts per component, of finite differences and the published route.
    rmse : mapping, optional
        Root mean square misfit by series.
    """
    reference = next(iter(samples.values())).gradient
    rows = []
    for j, (name, component) in enumerate(target.labels):
        each = [verdict[j] for verdict in verdicts]
        difference = None if found is None else found.component(index, j)
        scale = float(target.scale[j])
        bound = None
        if agreed is not None:
            bound = float(agreed.bound[j])
            each.append(judge(float(agreed.z[j]), PASS_Z, FAIL_Z))
            if agreed.result.verdict is Verdict.INCONCLUSIVE:
                each.append(Verdict.INCONCLUSIVE)
        if (agreed is None or target.partial) and difference is not None and norm > 0:
            by_differences = (abs(reference[j] - difference[0]) + difference[1]) * scale / norm
            # A difference that is no number bounds nothing; Python's max would pass over it.
            bound = float(np.maximum(bound or 0.0, by_differences))
        rows.append(
            GradientRow(
                parameter=name,
                component=component,
                value=float(target.x[j]),
                scale=scale,
                unit=target.units.get(name, ""),
                gradients={route: float(s.gradient[j]) for route, s in samples.items()},
                share=float(abs(reference[j]) * scale / norm) if norm > 0 else 0.0,
                agreement_z=None if agreed is None else float(agreed.z[j]),
                bound=bound,
                finite_difference=None if difference is None else difference[0],
                finite_difference_uncertainty=None if difference is None else difference[1],
                verdict=next((v for v in ORDER if v in each), Verdict.INCONCLUSIVE),
            )
        )
    by_rows = next((v for v in ORDER if v in {row.verdict for row in rows}), Verdict.INCONCLUSIVE)
    return PointResult(
        point=point,
        objective=target.objectives[index],
        values={route: s.value for route, s in samples.items()},
        value_z=None if agreed is None else agreed.value_z,
        verdict=by_rows if agreed is None else agreed.result.verdict,
        norm=norm,
        rows=tuple(rows),
        rmse=dict(rmse or {}),
    )


def misfit(inputs: Inputs) -> dict[str, float]:
    """Root mean square misfit of every series with its unit, and of all where they share one."""
    result, squares = {}, []
    for row, series in zip(predictions(inputs), inputs.series, strict=True):
        seen = np.broadcast_to(series.weights, row.shape) > 0
        if not np.any(seen):
            continue
        r = (row - series.values)[seen]
        unit = OBSERVABLES[series.kind].unit
        result[f"{series.label} [{unit}]"] = float(np.sqrt(np.mean(r**2)))
        squares.append(r**2)
    units = {OBSERVABLES[s.kind].unit for s in inputs.series}
    if len(squares) > 1 and len(units) == 1:
        result[f"all [{units.pop()}]"] = float(np.sqrt(np.mean(np.concatenate(squares))))
    return result
