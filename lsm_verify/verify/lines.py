"""The objective along random lines through the point, shared by the checks that look along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify import kinks
from lsm_verify.verify.directions import DIRECTIONS, random_directions, within_reach
from lsm_verify.verify.noise import noise_along, noise_lines
from lsm_verify.verify.target import Ladder, Target

PAIRS = 28
RATIO = 2.0
LARGEST_STEP = 0.5
"""Ladder of steps in units of the direction: 0.5 down to 4e-9."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lines:
    """Ladders along scaled random directions.

    ``rows`` (m, n) are the directions, ``size`` (m,) their lengths in units of a Gaussian of unit
    variance, ``noise`` (objectives, m) the noise of every objective along each, ``centre``
    (objectives,) the objectives at the point, ``kinks`` what is found of each along each.
    """

    rows: Array
    size: Array
    ladders: list[Ladder]
    noise: Array
    centre: Array
    kinks: list[list[kinks.Kink | None]]
    evaluations: int


def along(target: Target, seed: int) -> Lines:
    """Evaluate the objectives along 8 scaled random directions."""
    rows, size = within_reach(target, random_directions(target, DIRECTIONS, seed))
    short = noise_lines(target, rows)
    ladders = target.ladders(rows, LARGEST_STEP, RATIO, PAIRS)
    centre = target.scores(target.x[None])[:, 0]
    noise = [
        noise_along(short, ladders, o, float(centre[o]), target.epsilon)
        for o in range(len(target.objectives))
    ]
    return Lines(
        rows,
        size,
        ladders,
        np.array(noise),
        centre,
        [
            [
                kinks.find(steps, plus[o], minus[o], float(centre[o]), float(nu))
                for (steps, plus, minus), nu in zip(ladders, noise[o], strict=True)
            ]
            for o in range(len(noise))
        ],
        DIRECTIONS * (2 * PAIRS + short[0][0].shape[-1] * len(short[0])) + 1,
    )
