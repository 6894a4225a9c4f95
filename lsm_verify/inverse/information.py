"""What normal equations say of the unknowns, column by column: errors, and what is not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse import blas

Array = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)

PARTAKES = 1e-3
"""Share in a direction without information from which an unknown is called not seen. Rounding puts
shares of about its limit over the least eigenvalue that is kept, 1e-10 and less; a real share this
small would still multiply the error of the direction by a thousandth of infinity."""


@dataclass(frozen=True)
class Information:
    """Of B columns with P unknowns, in scaled coordinates.

    Attributes
    ----------
    deviation : (B, P) array
        Standard errors √diag (Jᵀ W J)⁻¹; not-a-number where an unknown is not seen.
    correlation : (B, P, P) array
        Of the estimates.
    smallest : (B,) array
        Least singular value of √W J over the largest, its columns scaled to one length.
    seen : (B, P) array of bool
        Which unknowns the observations and priors determine.
    """

    deviation: Array
    correlation: Array
    smallest: Array
    seen: NDArray[np.bool_]


@blas.one_thread()
def information(normal: Array, counts: NDArray[np.int64]) -> Information:
    """Take normal matrices apart.

    Parameters
    ----------
    normal : (B, P, P) array
        Jᵀ W J, priors included.
    counts : (B,) array
        Number of terms in each of its elements.

    Notes
    -----
    With the columns of √W J scaled to length 1, rounding of a sum of M terms moves an eigenvalue of
    their Gram matrix by at most P M ε (Higham 2002, section 3.5; Weyl). What is below that is not
    distinguished from 0: a singular value below √(P M ε), 3e-7 for 200 observations.

    References
    ----------
    N. J. Higham (2002), Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM,
    doi:10.1137/1.9780898718027.
    """
    P = normal.shape[1]
    there: NDArray[np.bool_] = np.asarray(np.all(np.isfinite(normal), axis=(1, 2)))
    length = np.sqrt(np.diagonal(normal, axis1=1, axis2=2))
    length = np.where(length > 0, length, 1.0)
    outer = length[:, :, None] * length[:, None, :]
    gram = np.where(there[:, None, None], normal / outer, np.eye(P))
    values, vectors = np.linalg.eigh(gram)
    largest = np.where(values[:, -1] > 0, values[:, -1], 1.0)  # 0 where nothing moves at all
    null = values <= P * np.maximum(counts, 1)[:, None] * EPSILON
    inverse = np.where(null, 0.0, 1.0 / np.where(null, 1.0, values))
    covariance = np.einsum("bik,bk,bjk->bij", vectors, inverse, vectors)
    shares = np.sqrt(np.einsum("bik,bk->bi", vectors**2, null.astype(float)))
    seen = (shares < PARTAKES) & there[:, None]
    root = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    root = np.where(seen, root, np.nan)
    return Information(
        deviation=root / length,
        correlation=covariance / (root[:, :, None] * root[:, None, :]),
        smallest=np.where(there, np.sqrt(np.maximum(values[:, 0], 0.0) / largest), np.nan),
        seen=seen,
    )
