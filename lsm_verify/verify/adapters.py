"""Problems from the forms in which models come: NumPy, JAX, linear operators and torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lsm_verify.errors import InputError
from lsm_verify.validation import as_array
from lsm_verify.verify.automatic import (
    FORWARD_LIMIT,
    FORWARD_MODE,
    REVERSE,
    from_torch,
    library,
    title_of,
    usable,
)
from lsm_verify.verify.operator import FORWARD, TRANSPOSED, apply, as_operator
from lsm_verify.verify.problem import Operator, Problem

OVER = "forward-over-reverse"

__all__ = ["from_jax", "from_numpy", "from_operator", "from_torch"]


# ---------------------------------------------------------------- NumPy


def from_numpy(
    function: Callable[[Any], Any],
    point: Any,
    *,
    grad: Callable[[Any], Any] | Mapping[str, Callable[[Any], Any]],
    hessian_product: Callable[[Any, Any], Any] | None = None,
    hess: Any = None,
    name: str | None = None,
    **options: Any,
) -> Problem:
    """Verify a hand-written gradient of a NumPy function.

    Parameters
    ----------
    function : callable
        ``function(point) -> float``.
    point : array_like or mapping of array_like
        Where; functions get it in the number type that it has here (float32 stays float32).
    grad : callable or mapping
        ``grad(point)`` in the form of the point, or several by name.
    hessian_product : callable, optional
        ``hessian_product(point, direction)`` in the form of the point.
    hess : callable, optional
        ``hess(point)``, the Hessian as an array of the point's shape twice; not for mappings.
    name : str, optional
        Name in tables and messages; default: the function's.
    **options
        Further fields of `Problem`: ``scales``, ``tighter``, ``truncated``, ...

    Examples
    --------
    >>> import numpy as np
    >>> problem = from_numpy(lambda x: np.sum(x**3), [1.0, 2.0], grad=lambda x: 3 * x**2)
    >>> list(problem.gradients)
    ['gradient']
    """
    several = isinstance(point, Mapping)
    kinds = {str(k): _float_type(v) for k, v in point.items()} if several else _float_type(point)

    def typed(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: call(*(_cast(a, kinds) for a in args))

    claims = grad if isinstance(grad, Mapping) else {title_of(grad, "gradient"): grad}
    products = (
        {} if hessian_product is None else {title_of(hessian_product, "product"): hessian_product}
    )
    if hess is not None:
        if several:
            raise InputError("hess needs a point that is one array; give hessian_product instead.")
        products[title_of(hess, "hess")] = _dense_product(hess) if callable(hess) else hess
    for what, call in {"function": function, **claims, **products}.items():
        if not callable(call):
            raise InputError(f"{what}={call!r} is no function.")
    return Problem(
        typed(function),
        point,
        gradients={key: typed(call) for key, call in claims.items()},
        hessian_products={key: typed(call) for key, call in products.items()},
        name=name or title_of(function, "function"),
        **options,
    )


def _dense_product(hess: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def product(point: Any, direction: Any) -> Any:
        matrix = np.asarray(hess(point))
        if matrix.shape != 2 * np.shape(point):
            raise ValueError(f"hess returned shape {matrix.shape}; {2 * np.shape(point)} is wanted")
        return np.tensordot(matrix, direction, axes=np.ndim(point))

    return product


def _float_type(value: Any) -> np.dtype[Any]:
    kind = _array(value).dtype
    return kind if kind.kind == "f" else np.dtype(np.float64)


def _array(value: Any) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        return as_array("point", value)


def _cast(value: Any, kinds: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: np.asarray(v, kinds[key])[()] for key, v in value.items()}
    return np.asarray(value, kinds)[()]


# ---------------------------------------------------------------- JAX


def from_jax(
    function: Callable[[Any], Any],
    point: Any,
    *,
    forward: bool | None = None,
    hessian: bool | None = None,
    name: str | None = None,
    **options: Any,
) -> Problem:
    """Verify JAX's derivatives of a function.

    Parameters
    ----------
    function : callable
        ``function(point) -> scalar``; give a jitted one if it may be.
    point : array_like or mapping of array_like
        Where. With JAX's default, float32, little can be shown: switch on ``jax_enable_x64``
        first, ``jax.config.update("jax_enable_x64", True)``; the name says so where it is off.
    forward, hessian : bool, optional
        Whether forward mode (``jax.jacfwd``) is a second route and forward over reverse a
        Hessian-vector product. Default: where they work (a ``custom_vjp`` has no forward mode)
        and are finite at the point, and (forward) there are at most 32 numbers.
    name : str, optional
        Name in tables and messages; default: the function's.
    **options
        Further fields of `Problem`.
    """
    jax = library("jax")
    several = isinstance(point, Mapping)
    values = {str(k): _array(v) for k, v in (point if several else {"": point}).items()}
    start = values if several else values[""]
    kinds = {k: _jax_type(jax, v) for k, v in values.items()}

    def cast(value: Any) -> Any:
        if several:
            return {key: jax.numpy.asarray(v, kinds[key]) for key, v in value.items()}
        return jax.numpy.asarray(value, kinds[""])

    def plain(answer: Any) -> Any:
        return {k: np.asarray(v) for k, v in answer.items()} if several else np.asarray(answer)

    def product(p: Any, v: Any) -> Any:
        return plain(jax.jvp(jax.grad(function), (cast(p),), (cast(v),))[1])

    def ahead(p: Any) -> Any:
        return plain(jax.jacfwd(function)(cast(p)))

    gradients = {REVERSE: lambda p: plain(jax.grad(function)(cast(p)))}
    few = sum(v.size for v in values.values()) <= FORWARD_LIMIT
    single = np.dtype(np.float32) in kinds.values() and not jax.config.jax_enable_x64
    notes = [*options.pop("notes", ())]
    if single:
        notes.append("JAX computes in float32: jax_enable_x64 is off, switch it on.")
    if forward or (
        forward is None and few and usable(lambda: ahead(start), FORWARD_MODE, "forward", notes)
    ):
        gradients[FORWARD_MODE] = ahead
    ones = {k: np.ones_like(v, dtype=kinds[k]) for k, v in values.items()}
    along = ones if several else ones[""]
    second = hessian or (
        hessian is None and usable(lambda: product(start, along), OVER, "hessian", notes)
    )
    return Problem(
        lambda p: np.asarray(function(cast(p))),
        start,
        gradients=gradients,
        hessian_products={OVER: product} if second else {},
        name=name or title_of(function, "function"),
        notes=tuple(notes),
        **options,
    )


def _jax_type(jax: Any, value: Any) -> np.dtype[Any]:
    """Type in which JAX computes with a value: float64 only where that is switched on."""
    found: np.dtype[Any] = np.dtype(jax.dtypes.canonicalize_dtype(_float_type(value)))
    return found


# ---------------------------------------------------------------- linear operators


def from_operator(
    A: Any,
    At: Any = None,
    *,
    shape: tuple[int, int] | None = None,
    dtype: Any = None,
    seed: int = 0,
    name: str | None = None,
    **options: Any,
) -> Problem:
    """Verify that a linear operator's transpose is its transpose, by dot products.

    Parameters
    ----------
    A : operator, matrix or callable
        A scipy or PyLops ``LinearOperator``, anything with ``shape``, ``matvec`` and ``rmatvec``,
        an array or sparse matrix, or a function ``A(x)`` of a vector.
    At : operator, matrix or callable, optional
        The claimed transpose (of a complex operator, the adjoint Aᴴ). Default: A's ``rmatvec``.
    shape : (int, int), optional
        Rows and columns, where A is a function.
    dtype : optional
        Number type; default: A's, else float64. A complex vector is stacked to real parts and
        imaginary parts, whose dot product is Re⟨·, ·⟩. For an operator that takes real vectors to
        complex ones (PyLops marks it) transposed results count by their real parts.
    seed : int
        Seed of w and of the point.
    name : str, optional
        Name in tables and messages.
    **options
        Further fields of `Problem`.

    Returns
    -------
    Problem
        The objective ⟨w, Ax⟩ with Gaussian w, its gradient Aᵀw, and the operator itself, of which
        `lsm_verify.verify.operator.operator_product` tests eight more pairs.

    Examples
    --------
    >>> import numpy as np
    >>> problem = from_operator(np.diff, lambda y: -np.diff(y, prepend=0, append=0), shape=(4, 5))
    >>> problem.operator.size
    5
    """
    title = name or title_of(A, "operator")
    operator, rows = as_operator(A, At, shape=shape, dtype=dtype, name=title)
    rng = np.random.default_rng(seed)
    kind = np.dtype(operator.dtype)
    x = rng.standard_normal(operator.size).astype(kind)
    w = rng.standard_normal(rows).astype(kind)
    return Problem(
        lambda p: _weighted(operator, p.astype(kind), w, title),
        x,
        gradients={"transposed": lambda p: apply(operator, TRANSPOSED, w, operator.size, title)},
        operator=operator,
        name=title,
        **{"scales": 1.0, **options},
    )


def _weighted(operator: Operator, x: Any, w: Any, name: str) -> Any:
    """⟨w, Ax⟩ in the operator's type."""
    return (apply(operator, FORWARD, x, w.size, name) @ w.astype(np.float64)).astype(w.dtype)
