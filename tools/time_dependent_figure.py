"""The figure of tools/time_dependent.py, drawn from reports/time_dependent.json alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from lsm_verify.files import replacing
from lsm_verify.inverse.time_study import SETTINGS, Setting, setting

HOURS = np.arange(1, 101)

NORMAL = 1.96
"""Standard deviations of a 95 % interval."""

ROWS = {
    "others estimated, no prior": ("C0", "per step, no prior"),
    "others estimated, with prior": ("C3", "per step, smoothness chosen by the evidence"),
}


def draw(content: dict[str, Any], path: Path) -> None:
    """Plot what was recovered from the first scored record, and the choice of the smoothness."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 6.6))
    for axis, key in zip(axes.flat, SETTINGS, strict=False):
        _recovered(axis, content["recovered"][key], setting(key))
        what, where = key.split(", ")
        axis.set(title=f"{what}, observed at {where}, record {content['scored'][0]}")
    axes[0, 0].set(ylabel="α", ylim=(0.1, 0.45))
    axes[0, 1].set(ylabel="α", ylim=(-0.05, 0.75))
    axes[1, 0].set(ylabel="W m⁻² K⁻¹", ylim=(13, 30))
    _choice(axes[1, 1], {key: content["choices"][key][0] for key in SETTINGS[:2]})
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
    plt.close(figure)


def _recovered(axis: Any, rows: dict[str, Any], at: Setting) -> None:
    for key, (colour, label) in ROWS.items():
        if key in rows:
            estimate, deviation = (
                np.array(rows[key][name], dtype=float) for name in ("estimate", "deviation")
            )
            axis.errorbar(
                HOURS, estimate, NORMAL * deviation, fmt=".", color=colour, ms=4, lw=0.8,
                label=f"{label} (95 %)",
            )  # fmt: skip
    if np.all(at.where):
        axis.step(HOURS, at.truth, where="mid", color="k", lw=1, label="truth")
    else:
        axis.plot(HOURS, at.truth, color="k", lw=1, label="truth")
        axis.fill_between(
            HOURS, 0, 1, where=~at.where, step="mid", color="0.9",
            transform=axis.get_xaxis_transform(), label="night: not identifiable",
        )  # fmt: skip
    axis.set(xlabel="hour")
    axis.legend(fontsize=7, loc="upper right")


def _choice(axis: Any, picks: dict[str, Any]) -> None:
    error = axis.twinx()
    for colour, (key, pick) in zip(("C0", "C1"), picks.items(), strict=True):
        axis.plot(pick["deviations"], pick["log_evidence"], "o-", color=colour, ms=3, label=key)
        axis.axvspan(*pick["interval"], color=colour, alpha=0.15)
        error.plot(pick["deviations"], pick["expected"], "--", color=colour, lw=1)
    axis.set(
        title="choice of the smoothness on record 0 (shaded: 95 %)",
        xscale="log",
        xlabel="standard deviation of the hourly difference of α",
        ylabel="ln evidence − largest (points)",
        ylim=(-80, 5),
    )
    error.set(ylabel="RMSE of α to expect (dashed)", ylim=(0, None))
    axis.legend(fontsize=7, loc="lower center")
