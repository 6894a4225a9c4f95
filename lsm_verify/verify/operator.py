"""Linear operators: whether the claimed transpose is the transpose.

For random x and y, ⟨Ax, y⟩ = ⟨x, Aᵀy⟩. The difference is taken relative to the root sum of squares,

    δ = |⟨Ax, y⟩ - ⟨x, Aᵀy⟩| / √(Σ((Ax)_i y_i)² + Σ(x_i (Aᵀy)_i)²),

which estimates ‖E‖/(√2 ‖A‖) in Frobenius norms for a transpose that is wrong by E, whatever the
size of the operator. (With sums of absolute values below the fraction the same error would count
for less, as one over the root of the size; with the inner product itself it could be zero.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.verify.problem import Operator
from lsm_verify.verify.result import CheckResult, Reason, Verdict

PAIRS = 8
"""Pairs of vectors. That all eight miss an error ten times the tolerance has a chance of 1e-7."""

WIDTH = 16.0
"""Round-off U in units of the measured σ. Over 80 right operators (dense, graded, stencils, sums,
convolutions, Fourier transforms; 3 to 1e5 numbers; both precisions, real and complex) and 7,000
runs the largest of eight pairs came to 1.8 σ in the median, whatever the size, and to 8.7 σ at
worst (tests/verify/test_operator.py repeats some of them)."""

FORWARD, TRANSPOSED = "A", "transpose of A"
"""What messages call the two functions."""

TYPES = ("float32", "float64", "complex64", "complex128")

Array = NDArray[np.float64]


def operator_product(
    operator: Operator, *, seed: int, tolerance: float, point: str = "start", name: str = "operator"
) -> CheckResult:
    """Test ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ over eight pairs of Gaussian vectors.

    PASS iff δ + U ≤ τ, FAIL iff δ - U > τ, for the worst pair. The round-off U is measured: both
    vectors are multiplied by numbers between 1 and 2, which rounds every sum anew, and what that
    changes in the difference is round-off alone. An operator that does not follow the factor is not
    linear, and fails.

    Parameters
    ----------
    operator : Operator
        A and its claimed transpose.
    seed : int
        Seed of the vectors.
    tolerance : float
        τ, in units of the root sum of squares.
    point, name : str
        For tables and messages.

    Raises
    ------
    InputError
        If one of the functions raises, or returns something that is no real number or has the
        wrong shape, with the function named.
    """
    rng = np.random.default_rng(seed)
    dtype = np.dtype(operator.dtype)
    found, again, sizes = (np.zeros(PAIRS, np.longdouble) for _ in range(3))
    bent = {what: np.zeros(PAIRS) for what in (FORWARD, TRANSPOSED)}
    length: int | None = None
    for k in range(PAIRS):
        x = rng.standard_normal(operator.size).astype(dtype)
        ax = apply(operator, FORWARD, x, length, name)
        length = ax.size
        y = rng.standard_normal(length).astype(dtype)
        aty = apply(operator, TRANSPOSED, y, operator.size, name)
        found[k], sizes[k] = _difference(ax, y, x, aty)
        c, d = rng.uniform(1, 2, 2)
        cx, dy = (c * x).astype(dtype), (d * y).astype(dtype)
        acx = apply(operator, FORWARD, cx, length, name)
        atdy = apply(operator, TRANSPOSED, dy, operator.size, name)
        again[k] = _difference(acx, dy, cx, atdy)[0] / (c * d)
        bent[FORWARD][k] = _apart(acx / c, ax)
        bent[TRANSPOSED][k] = _apart(atdy / d, aty)
    signal = sizes > 0
    scale = np.where(signal, sizes, 1)
    epsilon = float(np.finfo(dtype).eps)
    sigma = float(np.sqrt(np.mean(((again - found) / scale) ** 2) / 2))
    u = max(WIDTH * sigma, epsilon)
    delta = float(np.max(np.abs(found) / scale))
    verdict, reason = _judge(delta, u, tolerance, bool(np.any(signal)), dtype)
    beyond = int(np.sum(np.abs(found) / scale + u > tolerance))
    message = (
        f"⟨Ax, y⟩ and ⟨x, Aᵀy⟩ differ by {delta:.1e} ± {u:.0e} of their terms' root sum of "
        f"squares; {beyond} of {PAIRS} pairs beyond {tolerance:g}"
    )
    for what, sizes_off in bent.items():
        off = float(np.median(sizes_off))  # single products may cancel by chance
        if off > np.sqrt(epsilon):
            verdict, reason = Verdict.FAIL, Reason.MISMATCH
            message = f"{what} is not linear: {off:.1e} off when its vector is scaled"
    return CheckResult(
        check="dot-product",
        point=point,
        objective="",
        subject=f"{FORWARD}, {TRANSPOSED}",
        verdict=verdict,
        primary=True,
        statistic="max (δ+U)/τ",
        value=(delta + u) / tolerance,
        pass_limit=1.0,
        fail_limit=1.0,
        bound=delta + u if verdict is Verdict.PASS else None,
        detectable=u,
        reason=reason,
        evaluations=4 * PAIRS,
        seed=seed,
        dtype=dtype.name,
        message=message,
    )


def _judge(
    delta: float, u: float, tolerance: float, signal: bool, dtype: np.dtype[Any]
) -> tuple[Verdict, Reason | None]:
    if not signal:
        return Verdict.INCONCLUSIVE, Reason.NO_SIGNAL
    if delta + u <= tolerance:
        return Verdict.PASS, None
    if delta - u > tolerance:
        return Verdict.FAIL, Reason.MISMATCH
    return Verdict.INCONCLUSIVE, Reason.DTYPE if dtype == np.float32 else Reason.NOISE


def _difference(
    ax: Array, y: NDArray[Any], x: NDArray[Any], aty: Array
) -> tuple[np.longdouble, np.longdouble]:
    """⟨Ax, y⟩ - ⟨x, Aᵀy⟩ and the root sum of squares of its terms, in extended precision."""
    left = ax.astype(np.longdouble) * y
    right = x.astype(np.longdouble) * aty
    return np.sum(left) - np.sum(right), np.sqrt(np.sum(left**2) + np.sum(right**2))


def _apart(a: Array, b: Array) -> float:
    """Relative difference of two vectors that should be one."""
    size = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return float(np.linalg.norm(a - b)) / size if size > 0 else 0.0


def apply(
    operator: Operator, what: str, vector: NDArray[Any], length: int | None, name: str
) -> Array:
    """Call one of an operator's functions and check what it returns."""
    function = operator.forward if what == FORWARD else operator.transposed
    try:
        answer = np.asarray(function(np.array(vector)))
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # an exit would pass for a verdict
        raise InputError(
            f"{name}: {what} raised {type(error).__name__}: {error}; at a random vector of "
            f"{vector.size} numbers. Mend it, or give the right shape."
        ) from error
    return _checked(answer, length, what, name).astype(np.float64)


def _checked(answer: NDArray[Any], length: int | None, what: str, name: str) -> NDArray[Any]:
    if answer.ndim != 1 or answer.size == 0 or answer.size != (length or answer.size):
        wanted = f"({length},)" if length else "one dimension"
        raise InputError(f"{name}: {what} returned shape {answer.shape}; {wanted} is wanted.")
    if answer.dtype.kind not in "fiu":
        raise InputError(
            f"{name}: {what} returned type {answer.dtype}; real numbers are wanted (of a complex "
            "operator, real parts followed by imaginary parts)."
        )
    bad = np.flatnonzero(~np.isfinite(answer))
    if bad.size:
        raise InputError(
            f"{name}: {what} returned {answer[bad[0]]} at index {int(bad[0])}; finite numbers are "
            "wanted, whatever finite vector it is given."
        )
    return answer


def as_operator(
    A: Any,
    At: Any = None,
    *,
    shape: tuple[int, int] | None = None,
    dtype: Any = None,
    name: str = "operator",
) -> tuple[Operator, int]:
    """Bring an operator of any library to `Operator`; the length of its results comes with it.

    A complex vector becomes its real parts followed by its imaginary parts: the adjoint Aᴴ is the
    transpose of that real operator. Arguments as in `lsm_verify.verify.adapters.from_operator`.
    """
    if callable(A) and not hasattr(A, "shape"):
        if At is None or not callable(At) or shape is None:
            raise InputError(
                f"{name}: A is a function; give its transpose and shape=(rows, columns) with it."
            )
        forward, transposed = A, At
    else:
        forward, transposed, shape, found = _methods(A, At, shape, name)
        dtype = found if dtype is None else dtype
    rows, columns = _sizes(shape, name)
    kind = np.result_type(np.dtype(dtype or np.float64), np.float32)
    if kind.name not in TYPES:
        raise InputError(f"{name}: dtype={kind} is not supported; give one of {', '.join(TYPES)}.")
    # PyLops marks operators that take real vectors to complex ones.
    domain = kind.kind == "c" and getattr(A, "clinear", True)
    plain = Operator(forward, transposed, columns, np.finfo(kind).dtype.name)
    result = plain
    image = kind.kind == "c"
    if image:
        result = replace(
            plain,
            forward=_stacked(plain, FORWARD, domain, True, rows, name),
            transposed=_stacked(plain, TRANSPOSED, True, domain, columns, name),
            size=columns * (2 if domain else 1),
        )
    return result, rows * (2 if image else 1)


def _methods(
    A: Any, At: Any, shape: tuple[int, int] | None, name: str
) -> tuple[Callable[..., Any], Callable[..., Any], tuple[int, int], Any]:
    """Products of a matrix or an object with ``shape`` and ``matvec``, and of its adjoint."""
    from scipy.sparse.linalg import aslinearoperator

    try:
        operator = aslinearoperator(A)
        other = None if At is None or (callable(At) and not hasattr(At, "shape")) else At
        other = None if other is None else aslinearoperator(other)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"{name}: {type(A).__name__} is no linear operator ({error}); give a matrix, a scipy "
            "or PyLops operator, or two functions and shape."
        ) from None
    if shape is not None and tuple(shape) != tuple(operator.shape):
        raise InputError(f"{name}: shape={shape} is not the operator's {tuple(operator.shape)}.")
    if other is not None and tuple(other.shape) != tuple(operator.shape)[::-1]:
        raise InputError(
            f"{name}: the transpose has shape {tuple(other.shape)}; "
            f"{tuple(operator.shape)[::-1]} is wanted."
        )
    transposed = operator.rmatvec if At is None else At if other is None else other.matvec
    rows, columns = operator.shape
    return operator.matvec, transposed, (rows, columns), operator.dtype


def _sizes(shape: Any, name: str) -> tuple[int, int]:
    try:
        rows, columns = (int(n) for n in shape)
    except (TypeError, ValueError):
        rows = columns = 0
    if rows < 1 or columns < 1:
        raise InputError(f"{name}: shape={shape!r} must be two positive whole numbers.")
    return rows, columns


def _stacked(
    operator: Operator, what: str, inside: bool, outside: bool, length: int, name: str
) -> Callable[[Array], Array]:
    """Take real and imaginary parts as one real vector, where the vector is complex at all."""
    function = operator.forward if what == FORWARD else operator.transposed

    def call(vector: Array) -> Array:
        half = vector.size // 2
        answer = np.asarray(function(vector[:half] + 1j * vector[half:] if inside else vector))
        if answer.shape != (length,):
            raise InputError(
                f"{name}: {what} returned shape {answer.shape}; ({length},) is wanted."
            )
        real: Array = answer.real
        return np.concatenate([real, answer.imag]) if outside else real

    return call
