"""What was recovered of parameters that vary in time, and its error beside what can be known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lsm_verify.inverse.recovered import Recovery
from lsm_verify.inverse.twins import NOISE
from lsm_verify.quantities import PARAMETERS
from lsm_verify.report.figure import COLOURS, save, style

FOUND, BOUND, EXPECTED = COLOURS
TWO_SIDED = 1.96
"""Deviations of a 95 % interval."""


def draw(recoveries: Sequence[Recovery], path: Path) -> None:
    """Draw for each the estimate of the first record (above) and errors over all records."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(4.0 * len(recoveries), 5.6), layout="constrained")
        axes = figure.subplots(2, len(recoveries), squeeze=False, sharex=True)
        for column, recovery in zip(axes.T, recoveries, strict=True):
            _estimate(column[0], recovery)
            _errors(column[1], recovery)
        told: dict[str, Any] = {}
        for axis in axes.ravel():
            handles, labels = axis.get_legend_handles_labels()
            told |= dict(zip(labels, handles, strict=True))
        figure.legend(
            told.values(), told.keys(), fontsize=8, loc="outside lower center", ncols=len(told)
        )
        count = len(recoveries[0].experiment.runs)
        figure.suptitle(
            f"A value per hour from {count} records with errors of {NOISE:g} K", fontsize=10
        )
        save(figure, path)


def _estimate(axis: Any, recovery: Recovery) -> None:
    run = recovery.experiment.runs[0]
    steps = np.arange(1, recovery.truth.size + 1)
    _night(axis, steps, recovery)
    axis.errorbar(
        steps, np.where(recovery.experiment.where, run.estimate, np.nan),
        TWO_SIDED * run.deviation, fmt="o", color=FOUND, ms=2.5, lw=0.7,
        label="estimate of the first record, 95 %",
    )  # fmt: skip
    axis.step(steps, recovery.truth, where="mid", color="k", lw=1, label="truth")
    quantity = PARAMETERS[recovery.experiment.name]
    unit = "" if quantity.unit == "1" else f" [{quantity.unit}]"
    axis.set(ylabel=f"{quantity.symbol}{unit}")
    axis.set_title(recovery.label, fontsize=9)


def _errors(axis: Any, recovery: Recovery) -> None:
    steps = np.arange(1, recovery.truth.size + 1)
    found = recovery.experiment
    _night(axis, steps, recovery)
    axis.plot(
        steps, recovery.errors, "o", color=FOUND, ms=2.5, label="root mean square over records"
    )
    axis.plot(steps, recovery.bound, "-", color=BOUND, lw=1.2, label="Cramér-Rao bound")
    if recovery.priors:
        axis.plot(steps, recovery.expected, "--", color=EXPECTED, label="expected with the prior")
    axis.set(xlabel="hour", ylim=(0, None))
    axis.set_ylabel("error")
    axis.set_title(
        f"RMSE {found.rmse:.2g} ± {found.standard_error:.1g}, bound {found.limits[0]:.2g}",
        fontsize=9,
    )


def _night(axis: Any, steps: Any, recovery: Recovery) -> None:
    if not np.all(recovery.where):
        axis.fill_between(
            steps, 0, 1, where=~recovery.where, step="mid", color="0.9",
            transform=axis.get_xaxis_transform(), label="night: not identifiable",
        )  # fmt: skip
