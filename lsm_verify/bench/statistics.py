"""Whether one set of timings is slower than another: pure functions on arrays of times.

A *block* is one fresh process each of the candidate, of the base and of the base again, in random
order. A process gives one number per benchmark, its fastest round: other work on the machine can
only add time. Everything below compares logarithms of those numbers within blocks, so that a
machine that is busy for some blocks and idle for others changes nothing; a block is the unit of
every permutation.

A difference counts as a change if it passes three tests, all of them:

1. Mann–Whitney, significant after Holm's correction over all benchmarks (:func:`aligned_p_value`);
2. a minimum effect: the Hodges–Lehmann estimate of the ratio (:func:`paired_shift`);
3. the noise floor: more than what the base shows against itself in the same session
   (:func:`noise_floor`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

FLOOR_QUANTILE = 0.99
"""Of the base against itself. The floor is itself measured, so that equal code exceeds that of 12
blocks in 4 of 100 cases (600 with synthetic timings), not in 1."""

RESAMPLES = 999
"""Random sign patterns or draws; the 99 % quantile is then the 10th largest of them."""

CONFIDENCE = 0.95
"""Of the interval shown with an estimate; no verdict depends on it."""


def block_minimum(rounds: Sequence[float], count: int) -> float:
    """Return the fastest of the first ``count`` rounds of a process [s].

    Every run of a benchmark gives the same number of rounds, so that neither side has more
    chances of a fast one.
    """
    return min(rounds[:count])


def aligned_p_value(candidate: Floats, base: Floats, again: Floats) -> float:
    """Return the two-sided p-value of the Mann–Whitney test on aligned observations.

    The median of each block is taken off its three values before they are ranked together
    (aligned ranks, Hodges and Lehmann 1962; their mean would give in to one disturbed process),
    for the level of a shared machine wanders by more than what is looked for. The rank sum of the
    candidate, which is Mann and Whitney's U but for a constant, is held against its exact
    distribution when each block's labels are permuted: every one of the 3^n assignments is
    counted. Since the order in a block is drawn at random, this is right whatever the drift.

    Parameters
    ----------
    candidate, base, again : (n,) arrays
        Logarithms of the times, one per block.

    References
    ----------
    Mann and Whitney (1947), doi:10.1214/aoms/1177730491. Hodges and Lehmann (1962), Rank methods
    for combination of independent experiments in analysis of variance,
    doi:10.1214/aoms/1177704575.
    """
    values = np.column_stack([candidate, base, again])
    aligned = values - np.median(values, axis=1, keepdims=True)
    ranks = stats.rankdata(aligned).reshape(values.shape)
    doubled = np.rint(2 * ranks).astype(np.int64)  # ties give halves
    chance = np.ones(1)
    for row in doubled:
        longer = np.zeros(len(chance) + int(row.max()))
        for rank in row:
            longer[rank : rank + len(chance)] += chance / len(row)
        chance = longer
    seen = int(doubled[:, 0].sum())
    tail = min(chance[: seen + 1].sum(), chance[seen:].sum())
    return float(min(1.0, 2 * tail))


def smallest_blocks(significance: float, benchmarks: int) -> int:
    """Return how many blocks it takes for any p-value to be significant after correction.

    The smallest two-sided p-value of n blocks is 2 · 3^-n; Holm asks the first of m benchmarks
    for ``significance`` / m.
    """
    return int(np.ceil(np.log(2 * benchmarks / significance) / np.log(3)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number; they hold under any dependence.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        corrected[index] = float(min(1.0, largest))
    return corrected


def differences(candidate: Floats, base: Floats, again: Floats) -> Floats:
    """Candidate minus base, within blocks: both base runs count (2n values).

    Each is symmetric about zero when nothing has changed. The candidate minus the mean of the two
    base runs is not: one base run in a burst of other work moves it by half.
    """
    return np.concatenate([candidate - base, candidate - again])


def paired_shift(values: Floats) -> float:
    """Return the Hodges–Lehmann estimate of the centre: the median of all pairwise means."""
    return float(np.median(_walsh(values)))


def paired_interval(values: Floats, blocks: int) -> tuple[float, float]:
    """Return the interval of confidence of :func:`paired_shift`, from Wilcoxon's signed ranks.

    ``blocks`` is the number of independent differences among the values.
    """
    means = np.sort(_walsh(values))
    n = blocks
    z = stats.norm.ppf(0.5 + CONFIDENCE / 2)
    outside = (n * (n + 1) / 4 - z * np.sqrt(n * (n + 1) * (2 * n + 1) / 24)) / (n * (n + 1) / 2)
    index = int(max(0.0, outside) * len(means))
    return float(means[index]), float(means[-1 - index])


def noise_floor(base: Floats, again: Floats, rng: np.random.Generator) -> float:
    """Return the shift that the base shows against itself.

    The larger of the shift seen and the 99 % quantile of the shifts when the two runs of each
    block change places at random. With n blocks and a spread s of the differences it is about
    2.6 s/√n: more blocks see less.
    """
    values = again - base
    signs = rng.choice([-1.0, 1.0], size=(RESAMPLES, len(values)))
    i, j = np.triu_indices(len(values))
    flipped = signs * values
    shifts = np.abs(np.median((flipped[:, i] + flipped[:, j]) / 2, axis=1))
    return float(max(abs(paired_shift(values)), np.quantile(shifts, FLOOR_QUANTILE)))


def two_sample_p_value(candidate: Floats, stored: Floats) -> float:
    """Return the two-sided p-value of the Mann–Whitney test of scipy."""
    return float(stats.mannwhitneyu(candidate, stored, alternative="two-sided").pvalue)


def two_sample_shift(candidate: Floats, stored: Floats) -> float:
    """Return the Hodges–Lehmann shift of two samples: the median of all differences."""
    return float(np.median(np.subtract.outer(candidate, stored)))


def two_sample_interval(
    candidate: Floats, stored: Floats, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of :func:`two_sample_shift` over resampled values.

    With a single stored value it holds the spread of the candidate alone.
    """
    left = rng.choice(candidate, size=(RESAMPLES, len(candidate)))
    right = rng.choice(stored, size=(RESAMPLES, len(stored)))
    low, high = np.quantile(_shifts(left, right), [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return float(low), float(high)


def stored_floor(session: Floats, stored: Floats, rng: np.random.Generator) -> float:
    """Return the shift that equal code would show against a stored result.

    Draws as many values as either side has from the deviations of both: those of this session's
    processes from their median, and those of the stored processes from theirs. A single stored
    process has none to add, and its luck is not averaged: the floor is then the spread of single
    processes in this session.
    """
    deviations = session - np.median(session)
    if len(stored) > 1:
        deviations = np.concatenate([deviations, stored - np.median(stored)])
    left = rng.choice(deviations, size=(RESAMPLES, len(session)))
    right = rng.choice(deviations, size=(RESAMPLES, len(stored)))
    return float(np.quantile(np.abs(_shifts(left, right)), FLOOR_QUANTILE))


def _walsh(values: Floats) -> Floats:
    i, j = np.triu_indices(len(values))
    return np.asarray((values[i] + values[j]) / 2)


def _shifts(left: Floats, right: Floats) -> Floats:
    """Two-sample shifts of many samples at once: (draws, n) and (draws, m) arrays."""
    pairs = left[:, :, None] - right[:, None, :]
    return np.asarray(np.median(pairs.reshape(len(left), -1), axis=1))
