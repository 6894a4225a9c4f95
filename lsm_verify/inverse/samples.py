"""Samples of a posterior beside Laplace's approximation, as a result.

References
----------
Foreman-Mackey, D., Hogg, D. W., Lang, D., Goodman, J. (2013). emcee: the MCMC hammer.
Publ. Astron. Soc. Pac. 125, 306-312. doi:10.1086/670067.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.posterior import Laplace

Array = NDArray[np.float64]
FlatIn = Literal["parameter", "logarithm"]

LONG_ENOUGH = 50.0
"""Autocorrelation times that a chain must have for their estimate to be trusted (the sampler's
own documentation)."""


@dataclass(frozen=True)
class Posterior:
    """Samples of the posterior.

    Attributes
    ----------
    laplace : Laplace
        What the samples are compared with.
    flat_in : str
        In what the prior is flat within the bounds, beside priors given: ``parameter`` or
        ``logarithm``, see `lsm_verify.inverse.sampling.sample`.
    samples : (steps, walkers, P) array
        Scaled coordinates, after the warm-up.
    autocorrelation : (P,) array
        Integrated autocorrelation times of the parameters, in steps.
    autocorrelation_of_squares : (P,) array
        Those of squared distances from the mean, which tell the error of a deviation.
    acceptance : float
        Accepted share of the proposals.
    dropped : int
        Steps of the warm-up.
    """

    laplace: Laplace
    flat_in: FlatIn
    samples: Array
    autocorrelation: Array
    autocorrelation_of_squares: Array
    acceptance: float
    dropped: int

    @property
    def reliable(self) -> bool:
        """Whether the chain has 50 autocorrelation times, of the slowest unknown."""
        slowest = max(np.max(self.autocorrelation), np.max(self.autocorrelation_of_squares))
        return bool(len(self.samples) >= LONG_ENOUGH * slowest)

    @property
    def effective_size(self) -> Array:
        """Number of independent samples (P,) that tell the mean as well."""
        return np.asarray(self.samples[..., 0].size / self.autocorrelation)

    @property
    def flat(self) -> Array:
        """All samples (steps * walkers, P) in the parameters' units."""
        return self.laplace.space.physical(self.samples.reshape(-1, self.samples.shape[-1]))

    @property
    def shift(self) -> tuple[Array, Array]:
        """Mean minus Laplace's, in Laplace's deviations (P,), and its Monte Carlo error (P,).

        Of the parameters in their units, logarithmic unknowns, too.
        """
        unit, found = self.laplace.deviation, self.flat
        error = np.std(found, axis=0) / unit / np.sqrt(self.effective_size)
        return (np.mean(found, axis=0) - self.laplace.estimate) / unit, error

    @property
    def ratio(self) -> tuple[Array, Array]:
        """Deviation over Laplace's (P,), and its Monte Carlo error (P,), as of `shift`."""
        found = self.flat
        square = (found - np.mean(found, axis=0)) ** 2
        variance = np.mean(square, axis=0)
        count = len(found) / self.autocorrelation_of_squares
        ratio = np.sqrt(variance) / self.laplace.deviation
        relative = np.std(square, axis=0) / variance / np.sqrt(count)
        return ratio, ratio * relative / 2

    @property
    def prior(self) -> str:
        """Say what the prior is flat in."""
        space = self.laplace.space
        names = [u.name for u in space.unknowns if u.logarithmic]
        if self.flat_in == "logarithm" and names:
            return f"prior flat in the logarithm of {', '.join(names)}, else in the parameters"
        return "prior flat in the parameters"

    def text(self) -> str:
        """Compare with Laplace in lines."""
        (shift, shift_error), (ratio, ratio_error) = self.shift, self.ratio
        trust = "" if self.reliable else "; too short: run more steps"
        lines = [
            f"{len(self.samples)} steps of {self.samples.shape[1]} walkers after {self.dropped} of "
            f"warm-up, {100 * self.acceptance:.0f} % accepted{trust}",
            f"{self.prior}, within their bounds, beside priors that are given",
        ]
        lines += [
            f"{label}: Laplace {p:.6g} ± {d:.2g}; samples' mean {s:+.3f} ± {se:.3f} of these "
            f"deviations beside it, their deviation {r:.3f} ± {re:.3f} times as large; "
            f"autocorrelation {tau:.0f} steps, {size:.0f} effective samples"
            for label, p, d, s, se, r, re, tau, size in zip(
                self.laplace.space.labels,
                self.laplace.estimate,
                self.laplace.deviation,
                shift,
                shift_error,
                ratio,
                ratio_error,
                self.autocorrelation,
                self.effective_size,
                strict=True,
            )
        ]
        return "\n".join(lines)
