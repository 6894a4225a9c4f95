"""The result of a calibration of many columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.space import AT_BOUND, Space

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FieldEstimate:
    """Estimates of every column, in the order of the space; not-a-number where there is none.

    Attributes
    ----------
    space : Space
        The unknowns.
    estimate, standard_error : (B, P) array
        In the parameters' units. Errors are those of the linear model, from (Jᵀ W J)⁻¹ with the
        known observation error and the priors, and say nothing of bounds: see `at_bound`.
    correlation : (B, P, P) array
        Of the estimates' errors.
    chi_square : (B,) array
        Σ w (y - y_obs)² / σ², priors left out.
    count : (B,) array
        Observations that count.
    smallest : (B,) array
        Least singular value of √W J over the largest, its columns scaled to one length.
    least, most : (1 or B, P) array
        Bounds.
    status : (B,) int array
        Keys of `lsm_verify.kernels.levenberg.STATUS`.
    first_odd : (int, str), optional
        The first column that is implausible, and why.
    iterations : (B,) int array
        Steps tried.
    """

    space: Space
    estimate: Array
    standard_error: Array
    correlation: Array
    chi_square: Array
    count: NDArray[np.int64]
    smallest: Array
    least: Array
    most: Array
    status: NDArray[np.int64]
    iterations: NDArray[np.int64]
    first_odd: tuple[int, str] | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Status of every column, in words."""
        from lsm_verify.kernels.levenberg import STATUS

        return tuple(STATUS[code] for code in self.status.tolist())

    @property
    def at_bound(self) -> NDArray[np.bool_]:
        """Which estimates (B, P) lie on a bound: the observations ask for more."""
        near = AT_BOUND * self.space.scale
        low, high = self.least + near, self.most - near
        return np.asarray((self.estimate <= low) | (self.estimate >= high))

    @property
    def misfit(self) -> Array:
        """Root mean square of the residuals in units of the observation error, (B,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt(self.chi_square / self.count))
