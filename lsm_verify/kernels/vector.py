"""A Numba number that holds one value per column in the lanes of a SIMD register.

Loops over lanes leave it to the compiler whether a running value stays in a register; it was
measured to go through memory instead, which costs the recurrences twice their latency. With a type
of its own the same scalar source compiles to vectors. Multiply-adds are fused where the source says
``fma`` and nowhere else, so that a column's result does not depend on the number of lanes.
"""

# Numba's own functions are typed here and there only.
# mypy: allow-untyped-calls

from __future__ import annotations

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model
from numba.np.arrayobj import make_array


class Vector(types.Type):
    """``lanes`` numbers of one float type."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")


class Mask(types.Type):
    """One truth value per lane."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"Mask({lanes})")


def _element(dtype: Any) -> ir.Type:
    return ir.DoubleType() if dtype == types.float64 else ir.FloatType()


def _vector_model(manager: Any, kind: Vector) -> Any:
    return models.PrimitiveModel(manager, kind, ir.VectorType(_element(kind.dtype), kind.lanes))


def _mask_model(manager: Any, kind: Mask) -> Any:
    return models.PrimitiveModel(manager, kind, ir.VectorType(ir.IntType(1), kind.lanes))


register_model(Vector)(_vector_model)
register_model(Mask)(_mask_model)


# ------------------------------------------------------------------ operators


def _vector_of(arguments: Any) -> Vector | None:
    """Return the vector among two operands whose other one is a vector or number, else None."""
    vectors = [a for a in arguments if isinstance(a, Vector)]
    fits = all(a == vectors[0] or isinstance(a, types.Number) for a in arguments) if vectors else 0
    return vectors[0] if fits else None


def _template(result: Callable[[Vector], Any]) -> type:
    class Operation(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            kind = _vector_of(args)
            if kind is None:
                return None
            return signature(result(kind), *[kind] * len(args))

    return Operation


def _mask_template() -> type:
    class Operation(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if all(isinstance(a, Mask) and a == args[0] for a in args):
                return signature(args[0], *args)
            return None

    return Operation


def _lower(emit: Callable[..., Any]) -> Callable[..., Any]:
    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, *args)

    return lowered


def _splat(builder: Any, value: Any, kind: ir.VectorType) -> Any:
    """Put a number into every lane."""
    first = builder.insert_element(
        ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)


def _cast(context: Any, builder: Any, fromty: Any, toty: Any, value: Any) -> Any:
    number = context.cast(builder, value, fromty, toty.dtype)
    return _splat(builder, number, context.get_value_type(toty))


def _negative(builder: Any, x: Any) -> Any:
    return builder.fneg(x)


def _call(builder: Any, name: str, *args: Any) -> Any:
    """Call LLVM's intrinsic function ``name`` on vectors of one type."""
    kind = args[0].type
    letter = "f64" if kind.element == ir.DoubleType() else "f32"
    full = f"llvm.{name}.v{kind.count}{letter}"
    known = builder.module.globals.get(full)
    function = known or ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(args)), full)
    return builder.call(function, args)


def _register() -> None:
    for operation, emit in (
        (operator.add, lambda b, x, y: b.fadd(x, y)),
        (operator.sub, lambda b, x, y: b.fsub(x, y)),
        (operator.mul, lambda b, x, y: b.fmul(x, y)),
        (operator.truediv, lambda b, x, y: b.fdiv(x, y)),
    ):
        infer_global(operation)(_template(lambda kind: kind))
        lower_builtin(operation, Vector, Vector)(_lower(emit))
    for operation, sign in ((operator.lt, "<"), (operator.le, "<="), (operator.eq, "==")):
        infer_global(operation)(_template(lambda kind: Mask(kind.lanes)))
        # Ordered: not-a-number equals nothing and is neither above nor below anything.
        lower_builtin(operation, Vector, Vector)(
            _lower(lambda b, x, y, sign=sign: b.fcmp_ordered(sign, x, y))
        )
    infer_global(operator.neg)(_template(lambda kind: kind))
    lower_builtin(operator.neg, Vector)(_lower(_negative))
    infer_global(abs)(_template(lambda kind: kind))
    lower_builtin(abs, Vector)(_lower(lambda b, x: _call(b, "fabs", x)))
    for operation, emit in (
        (operator.or_, lambda b, x, y: b.or_(x, y)),
        (operator.and_, lambda b, x, y: b.and_(x, y)),
    ):
        infer_global(operation)(_mask_template())
        lower_builtin(operation, Mask, Mask)(_lower(emit))
    infer_global(operator.invert)(_mask_template())
    lower_builtin(operator.invert, Mask)(_lower(lambda b, x: b.not_(x)))
    lower_cast(types.Number, Vector)(_cast)


_register()


# ------------------------------------------------------------------ functions


def _same(*kinds: Any) -> Any:
    """Return the vector type that all arguments share, or None."""
    vector = isinstance(kinds[0], Vector) and all(k == kinds[0] for k in kinds)
    return kinds[0] if vector else None


def _fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    kind = _vector_of((x, y, z))
    if kind is None:
        return None
    return kind(kind, kind, kind), lambda c, b, sig, args: _call(b, "fma", *args)


def _select(typingctx: Any, mask: Any, yes: Any, no: Any) -> Any:
    kind = _same(yes, no)
    if kind is None or mask != Mask(kind.lanes):
        return None
    return kind(mask, kind, kind), lambda c, b, sig, args: b.select(*args)


def _every(typingctx: Any, mask: Any) -> Any:
    if not isinstance(mask, Mask):
        return None

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        whole = ir.IntType(mask.lanes)
        return builder.icmp_signed("==", builder.bitcast(args[0], whole), ir.Constant(whole, -1))

    return types.boolean(mask), emit


def _lane(typingctx: Any, x: Any, lane: Any) -> Any:
    if not isinstance(x, (Vector, Mask)) or not isinstance(lane, types.Integer):
        return None
    result = x.dtype if isinstance(x, Vector) else types.boolean
    return result(x, types.intp), lambda c, b, sig, args: b.extract_element(*args)


def _with_lane(typingctx: Any, x: Any, lane: Any, value: Any) -> Any:
    if not isinstance(x, Vector) or not isinstance(lane, types.Integer) or value != x.dtype:
        return None

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.insert_element(args[0], args[2], args[1])

    return x(x, types.intp, value), emit


def _address(context: Any, builder: Any, kind: Any, array: Any, row: Any, lanes: int) -> Any:
    """Pointer to a row of a C-contiguous array whose last dimension holds the lanes."""
    data = make_array(kind)(context, builder, array).data
    start = builder.gep(data, [builder.mul(row, ir.Constant(row.type, lanes))])
    vector = ir.VectorType(_element(kind.dtype), lanes)
    return builder.bitcast(start, vector.as_pointer())


def _rows(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 2 and array.layout == "C"


def functions(lanes: int) -> SimpleNamespace:
    """Return what kernels call beside operators, for vectors of so many lanes.

    ``load(array, row)`` and ``store(array, row, x)`` move a row of a (rows, lanes) array,
    ``splat(number)`` fills all lanes, ``lane`` and ``with_lane`` read and replace one of them,
    ``select`` takes from two vectors by a mask, ``every`` says whether a mask holds in all lanes.
    """

    def load(typingctx: Any, array: Any, row: Any) -> Any:
        if not _rows(array) or not isinstance(row, types.Integer):
            return None

        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            pointer = _address(context, builder, array, args[0], args[1], lanes)
            return builder.load(pointer, align=array.dtype.bitwidth // 8)

        return Vector(array.dtype, lanes)(array, types.intp), emit

    def store(typingctx: Any, array: Any, row: Any, x: Any) -> Any:
        if not _rows(array) or x != Vector(array.dtype, lanes):
            return None

        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            pointer = _address(context, builder, array, args[0], args[1], lanes)
            builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(array, types.intp, x), emit

    def splat(typingctx: Any, number: Any) -> Any:
        if not isinstance(number, types.Float):
            return None
        kind = Vector(number, lanes)

        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _splat(builder, args[0], context.get_value_type(kind))

        return kind(number), emit

    return SimpleNamespace(
        LANES=lanes,
        load=intrinsic(load),
        store=intrinsic(store),
        splat=intrinsic(splat),
        lane=intrinsic(_lane),
        with_lane=intrinsic(_with_lane),
        fma=intrinsic(_fma),
        select=intrinsic(_select),
        every=intrinsic(_every),
    )
