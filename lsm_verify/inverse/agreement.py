"""Whether least squares and generalised least squares agree: a test of model and noise.

References
----------
Hausman, J. A. (1978). Specification tests in econometrics. Econometrica 46, 1251-1271,
doi 10.2307/1913827.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsm_verify.errors import InputError
from lsm_verify.inverse.estimators import gain, small_sample
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.noise import Noise
from lsm_verify.inverse.reml import Linear, Restricted, covariance

APART = 1e-6
"""Least variance of the estimators' difference, relative to the ordinary estimator's, at which the
difference can be tested: below, the covariance's condition number, up to 1e9, leaves no digit."""


@dataclass(frozen=True)
class Agreement:
    """Whether least squares and generalised least squares differ by more than the noise allows.

    Attributes
    ----------
    statistic : float
        dᵀ Var(d)⁻¹ d of their difference d.
    directions : int
        Its numerator's degrees of freedom: the number of unknowns P.
    freedom : float
        Its denominator's: those of the noise; infinite where it is known.
    probability : float
        Of a larger statistic, if model and form of the noise are right: statistic/P as F.
    """

    statistic: float
    directions: int
    freedom: float
    probability: float


def disagreement(misfit: Misfit, linear: Linear, noise: Noise | Restricted) -> Agreement:
    """Test whether two estimators differ by more than the noise allows (Hausman).

    Both are taken from one linearisation and one noise V: the difference is d = (A_g - A_o) r, with
    covariance A_o V A_oᵀ - (Xᵀ V⁻¹ X)⁻¹ = (A_g - A_o) V (A_g - A_o)ᵀ. An estimated V enters by its
    degrees of freedom, the least of the ordinary estimates'. A small probability says that the
    model, or the form of the noise, is wrong; it does not say which.

    Parameters
    ----------
    misfit : Misfit
        Without priors.
    linear : Linear
        About the least-squares estimate.
    noise : Noise or Restricted
        Known, or estimated there.

    Raises
    ------
    InputError
        If the two estimators are the same in some direction: nothing to compare there.
    """
    from scipy.linalg import eigh
    from scipy.stats import chi2, f

    V = covariance(noise if isinstance(noise, Noise) else noise.noise, linear)
    A = gain(misfit, linear)
    between = gain(misfit, linear, V) - A
    C, D = A @ V @ A.T, between @ V @ between.T
    share = float(eigh(D, C, eigvals_only=True)[0])
    if share < APART:
        raise InputError(
            f"the two estimators differ in a direction by {share:.1g} of its variance, less than "
            f"{APART:g}: under such noise they are one; there is nothing to test."
        )
    d = between @ linear.response
    statistic, count = float(d @ np.linalg.solve(D, d)), len(d)
    if isinstance(noise, Noise):
        return Agreement(statistic, count, np.inf, float(chi2.sf(statistic, count)))
    freedom = float(small_sample(noise, linear, A, C, V, "ordinary")[1].min())
    return Agreement(statistic, count, freedom, float(f.sf(statistic / count, count, freedom)))
