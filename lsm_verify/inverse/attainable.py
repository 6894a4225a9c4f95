"""How well unknowns can be known at a point, with and without priors.

References
----------
Kay, S. M. (1993). Fundamentals of Statistical Signal Processing: Estimation Theory, chapter 3.
Van Trees, H. L. (1968). Detection, Estimation, and Modulation Theory, part I, section 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.inverse import blas
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.parameters import Parameters

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NULL = 1e-8
"""Share of a coordinate in directions without information that is taken for none: the square root
of the spacing of numbers. Round-off leaves about 1e-15; of parameters that cannot be told apart
each has a share of some tenths."""


@dataclass(frozen=True)
class Attainable:
    """What the observations, or they and the priors, let be known at a point.

    Attributes
    ----------
    labels : tuple of str
        One for every unknown (P).
    seen : (P,) array of bool
        Whether the observations respond to an unknown: were all others known, they alone would pin
        it more narrowly than its range does (standard deviation below that of the range).
    identifiable : (P,) array of bool
        Whether it is seen and, all others being estimated with it, observations and priors
        together pin it more narrowly than its range does.
    deviation : (P,) array
        Cramér-Rao bound of unbiased estimates from the observations alone, all unknowns estimated,
        in the parameters' units; not-a-number where the range says more, or nothing says anything.
    posterior : (P,) array
        Standard deviation with the priors, which is the Bayesian bound of the linear problem;
        not-a-number where not identifiable. Without priors equal to ``deviation``.
    bias : (P,) array
        What the priors pull an estimate by if the point is the truth, to first order; the expected
        error there is ``hypot(bias, spread)``. Not-a-number where not identifiable.
    spread : (P,) array
        Standard deviation of the estimate with the priors over records of the same truth.
    """

    labels: tuple[str, ...]
    seen: Mask
    identifiable: Mask
    deviation: Array
    posterior: Array
    bias: Array
    spread: Array


@blas.one_thread()
def bound(misfit: Misfit, parameters: Parameters) -> Attainable:
    """Return how well unknowns can be known at a point, from the tangent's Jacobian.

    Parameters
    ----------
    misfit : Misfit
        Case, unknowns, standard deviation of the observations, and priors.
    parameters : mapping
        The point; the truth of a twin, or an estimate.

    Raises
    ------
    InputError
        If an unknown has no value, or the model no solution there.

    Notes
    -----
    Known unknowns are those that are fixed in the case: see `varying.free_only`.
    """
    space = misfit.space
    u = space.scaled(space.flatten(parameters))
    r, J = misfit.residuals(u)
    if not np.all(np.isfinite(J)):
        raise InputError("the model has no solution at this point; give another.")
    rows = len(r) - misfit.prior_right.size
    slope = space.slope(u)
    seen = np.linalg.norm(J[:rows], axis=0) > 1.0
    alone, pinned_alone = _root(J[:rows])
    root, pinned = _root(J)
    identifiable = seen & pinned
    H_inverse = root @ root.T
    values = {
        "posterior": np.linalg.norm(root, axis=1),
        "bias": -H_inverse @ J[rows:].T @ r[rows:],
        "spread": np.linalg.norm(H_inverse @ J[:rows].T, axis=1),
    }
    return Attainable(
        labels=space.labels,
        seen=seen,
        identifiable=identifiable,
        deviation=np.where(seen & pinned_alone, np.linalg.norm(alone, axis=1) * slope, np.nan),
        **{k: np.where(identifiable, x * slope, np.nan) for k, x in values.items()},
    )


def _root(J: Array) -> tuple[Array, Mask]:
    """Return a root (P, r) of the pseudo-inverse of JᵀJ, in units of the ranges' deviations.

    With it: which coordinates are pinned more narrowly than by their range. Singular values below
    ``eps max(R, P)`` of the largest are round-off.
    """
    _, s, Vt = np.linalg.svd(J, full_matrices=False)
    kept = s > np.finfo(float).eps * max(J.shape) * s[0]
    V = Vt[kept].T
    root, null = V / s[kept], 1.0 - np.sum(V**2, axis=1)
    return root, (null <= NULL) & (np.linalg.norm(root, axis=1) < 1.0)
