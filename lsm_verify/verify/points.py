"""What is shown of one point: the gradient by every route, component by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.quantities import OBSERVABLES, PARAMETERS
from lsm_verify.routes import predictions
from lsm_verify.verify.agreement import FAIL_Z, PASS_Z, Agreement, Sample, labels, scales
from lsm_verify.verify.finite_difference import Estimate
from lsm_verify.verify.result import GradientRow, PointResult, Verdict, judge

ORDER = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)
"""Verdicts, the worst first."""


def describe(
    inputs: Inputs,
    agreed: Agreement,
    samples: Mapping[str, Sample],
    *,
    found: Estimate | None = None,
    index: int = 0,
    verdicts: Sequence[Sequence[Verdict]] = (),
) -> PointResult:
    """Collect one point and objective.

    Parameters
    ----------
    inputs : Inputs
        The point.
    agreed : Agreement
        How well the exact routes agree there.
    samples : mapping
        Route name to value and gradient; the first is the reference for shares.
    found : Estimate, optional
        Finite differences, of which objective ``index`` is shown.
    verdicts : sequence
        Further verdicts per component, of finite differences and the published route.
    """
    scale = scales(inputs)
    reference = next(iter(samples.values())).gradient
    rows = []
    for j, (name, component) in enumerate(labels(inputs)):
        each = [verdict[j] for verdict in verdicts]
        each.append(judge(float(agreed.z[j]), PASS_Z, FAIL_Z))
        if agreed.result.verdict is Verdict.INCONCLUSIVE:
            each.append(Verdict.INCONCLUSIVE)
        row = GradientRow(
            parameter=name,
            component=component,
            value=float(inputs.parameters[name][component]),
            scale=float(scale[j]),
            unit=PARAMETERS[name].unit,
            gradients={route: float(s.gradient[j]) for route, s in samples.items()},
            share=float(abs(reference[j]) * scale[j] / agreed.norm) if agreed.norm > 0 else 0.0,
            agreement_z=float(agreed.z[j]),
            bound=float(agreed.bound[j]),
            finite_difference=None if found is None else float(found.value[index, j]),
            finite_difference_uncertainty=(
                None if found is None else float(found.uncertainty[index, j])
            ),
            verdict=next(v for v in ORDER if v in each),
        )
        rows.append(row)
    return PointResult(
        point=agreed.result.point,
        objective=agreed.result.objective,
        values={route: s.value for route, s in samples.items()},
        value_z=agreed.value_z,
        verdict=agreed.result.verdict,
        norm=agreed.norm,
        rows=tuple(rows),
        rmse=misfit(inputs) if agreed.result.objective == "J" else {},
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
