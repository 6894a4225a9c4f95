"""torch's derivatives of a function or a module as claims of a `Problem`.

Reverse mode is always taken as a claim. Forward mode and second derivatives are taken of
themselves only where torch derived them: a hand-written backward (`torch.autograd.Function`,
`torch.library.custom_op`) brings no forward rule, and for a custom_op ``torch.func.jvp`` then
returns zero tangents without an error, while a second derivative may lack a term. With
``forward=True`` or ``hessian=True`` they are claims like any other: a silent zero fails, and
whatever they raise is an error.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.errors import InputError
from lsm_verify.verify.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor

FORWARD_LIMIT = 32
"""Numbers up to which forward mode is tried unasked: it runs the model once for each of them."""

REVERSE, FORWARD_MODE, SECOND = "reverse-mode", "forward-mode", "double-backward"

DRAW = 0
"""Seed of torch's generator in every call, so that dropout draws the same mask each time."""


def from_torch(
    function: Any,
    parameters: Any = None,
    *,
    forward: bool | None = None,
    hessian: bool | None = None,
    name: str | None = None,
    **options: Any,
) -> Problem:
    """Verify torch's autograd of a function or module, in the number type that it has.

    Parameters
    ----------
    function : callable
        Returns the loss, a tensor with one number. It is called as ``function(parameters)`` with a
        mapping, ``function(*parameters)`` with a list, ``function(tensor)`` with one tensor and
        ``function()`` with a module, whose parameters are replaced during the call.
    parameters : mapping, sequence, tensor or torch.nn.Module
        With respect to what, and where: tensors of float32 or float64. Of a module, the parameters
        that require a gradient. Default: ``function`` itself, if it is a module that needs no
        input.
    forward, hessian : bool, optional
        Whether forward mode (``torch.func.jvp``) is a second route to the gradient and double
        backward a Hessian-vector product. Default: where torch's own operators alone are used,
        they work and are finite at the point, and (forward) there are at most 32 numbers. A
        hand-written backward has no forward rule: see `lsm_verify.verify.automatic`.
    name : str, optional
        Name in tables and messages; default: the function's.
    **options
        Further fields of `Problem`. Default ``scales``: |p|, and the root mean square of each
        tensor for a module, whose numbers are of one kind.

    Notes
    -----
    The state of torch's generator is the same in every call, and a module's buffers are copies, so
    that dropout and batch normalisation give a repeatable loss. Autocast is not undone.

    Examples
    --------
    >>> import torch
    >>> p = {"w": torch.ones(3, dtype=torch.float64)}
    >>> problem = from_torch(lambda p: torch.sin(p["w"]).sum(), p)
    >>> list(problem.gradients), list(problem.hessian_products)
    (['reverse-mode', 'forward-mode'], ['double-backward'])
    """
    torch = library("torch")
    loss = _torch_loss(torch, function, parameters, name)
    point = loss.back([t.detach() for t in loss.like])
    if isinstance(loss.module, torch.nn.Module) and "scales" not in options:
        sizes = {k: float(np.sqrt(np.mean(np.square(v)))) for k, v in point.items()}
        options["scales"] = {k: size or 1.0 for k, size in sizes.items()}
    gradients: dict[str, Callable[[Any], Any]] = {REVERSE: loss.reverse}
    products: dict[str, Callable[[Any, Any], Any]] = {}
    plain = forward is None or hessian is None
    plain = plain and works(lambda: loss.check_plain(point))
    few = sum(t.numel() for t in loss.like) <= FORWARD_LIMIT
    notes = [*options.pop("notes", ())]

    def ahead() -> bool:
        return usable(lambda: loss.forward(point), FORWARD_MODE, "forward", notes)

    def second() -> bool:
        along = loss.back([torch.ones_like(t) for t in loss.like])
        return usable(lambda: loss.product(point, along), SECOND, "hessian", notes)

    if forward or (forward is None and plain and few and ahead()):
        gradients[FORWARD_MODE] = loss.forward
    if hessian or (hessian is None and plain and second()):
        products[SECOND] = loss.product
    return Problem(
        loss.value,
        point,
        gradients=gradients,
        hessian_products=products,
        name=name or title_of(function, "function"),
        notes=tuple(notes),
        **options,
    )


@dataclass(frozen=True)
class _TorchLoss:
    """A torch function of a tuple of tensors, and its derivatives in the form of the point."""

    torch: Any
    run: Callable[..., Any]
    like: tuple[Tensor, ...]
    names: tuple[str, ...] | None
    module: Any = None

    def tensors(self, point: Any, *, track: bool = True) -> list[Tensor]:
        """Return values in the form of the point as leaves of the user's type and device."""
        values = [point] if self.names is None else [point[name] for name in self.names]
        return [
            self.torch.as_tensor(np.array(v), dtype=t.dtype, device=t.device).requires_grad_(track)
            for v, t in zip(values, self.like, strict=True)
        ]

    def back(self, tensors: Sequence[Tensor]) -> Any:
        """Return tensors as arrays in the form of the point."""
        arrays = [t.detach().cpu().numpy().astype(np.float64) for t in tensors]
        return arrays[0] if self.names is None else dict(zip(self.names, arrays, strict=True))

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Start from the same state of torch's generators, and put them back."""
        torch = self.torch
        devices = sorted({t.device.index or 0 for t in self.like if t.device.type == "cuda"})
        with torch.random.fork_rng(devices=devices):
            torch.default_generator.manual_seed(DRAW)
            for index in devices:
                with torch.cuda.device(index):
                    torch.cuda.manual_seed(DRAW)
            yield

    def loss(self, tensors: Sequence[Tensor]) -> Any:
        with self.drawn():
            return self.run(*tensors)

    def tracked(self, tensors: Sequence[Tensor]) -> Any:
        """Return the loss, which must carry a graph."""
        loss = self.loss(tensors)
        if not isinstance(loss, self.torch.Tensor) or not loss.requires_grad:
            raise TypeError(
                "the loss carries no graph: it was detached, converted, or does not depend on the "
                "parameters"
            )
        return loss

    def value(self, point: Any) -> Any:
        # With tracked tensors, as in training: without, some modules take another path.
        loss = self.loss(self.tensors(point))
        return loss.detach().cpu().numpy() if isinstance(loss, self.torch.Tensor) else loss

    def reverse(self, point: Any) -> Any:
        tensors = self.tensors(point)
        return self.back(
            self.torch.autograd.grad(self.tracked(tensors), tensors, materialize_grads=True)
        )

    def forward(self, point: Any) -> Any:
        tensors = self.tensors(point, track=False)
        zeros = [self.torch.zeros_like(t) for t in tensors]
        result = [self.torch.zeros_like(t) for t in tensors]
        for k, zero in enumerate(zeros):
            for index in np.ndindex(tuple(zero.shape)):
                one = zero.clone()
                one[index] = 1
                tangents = (*zeros[:k], one, *zeros[k + 1 :])
                with self.drawn(), warnings.catch_warnings():
                    # Its first use loads a module of torch's that torch itself deprecates.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    result[k][index] = self.torch.func.jvp(self.run, tuple(tensors), tangents)[1]
        return self.back(result)

    def product(self, point: Any, direction: Any) -> Any:
        tensors, along = self.tensors(point), self.tensors(direction, track=False)
        torch = self.torch
        loss = self.tracked(tensors)
        first = torch.autograd.grad(loss, tensors, create_graph=True, materialize_grads=True)
        slope = sum((g * v).sum() for g, v in zip(first, along, strict=True))
        if not slope.requires_grad:  # the function is linear
            return self.back([torch.zeros_like(t) for t in tensors])
        return self.back(torch.autograd.grad(slope, tensors, materialize_grads=True))

    def check_plain(self, point: Any) -> None:
        """Raise unless torch's own operators alone lead from the parameters to the loss."""
        function = self.torch.autograd.function.BackwardCFunction
        waiting, seen = [self.tracked(self.tensors(point)).grad_fn], set()
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if isinstance(node, function) or "CppNode" in node.name():
                raise NotImplementedError(f"{node.name()} is not torch's own")
            waiting.extend(following for following, _ in node.next_functions)


def _torch_loss(torch: Any, function: Any, parameters: Any, name: str | None) -> _TorchLoss:
    """Bring function and parameters, in whichever form, to a function of tensors."""
    title = name or title_of(function, "function")
    if parameters is None and isinstance(function, torch.nn.Module):
        parameters = function
    if not callable(function):
        raise InputError(f"{title}: {function!r} is no function; give one that returns the loss.")
    if isinstance(parameters, torch.nn.Module):
        named = {k: t for k, t in parameters.named_parameters() if t.requires_grad}
        run = _on_module(torch, function, parameters, tuple(named))
    elif isinstance(parameters, Mapping):
        named = {str(k): t for k, t in parameters.items()}
        keys = tuple(parameters)

        def run(*tensors: Tensor) -> Any:
            return function(dict(zip(keys, tensors, strict=True)))

    elif isinstance(parameters, torch.Tensor):
        named, run = {"x": parameters}, function
    elif isinstance(parameters, Sequence) and not isinstance(parameters, str):
        named, run = (
            dict(zip(_arguments(function, len(parameters)), parameters, strict=True)),
            function,
        )
    else:
        raise InputError(
            f"{title}: parameters={parameters!r}; give a tensor, a mapping or list of tensors, or "
            "the module whose parameters they are."
        )
    for key, t in named.items():
        if not isinstance(t, torch.Tensor) or t.dtype not in (torch.float32, torch.float64):
            kind = t.dtype if isinstance(t, torch.Tensor) else type(t).__name__
            raise InputError(
                f"{title}: {key} has type {kind}; a tensor of float64 (or float32) is wanted."
            )
    if not named:
        raise InputError(f"{title}: no parameter requires a gradient; give at least one.")
    module = parameters if isinstance(parameters, torch.nn.Module) else None
    names = None if isinstance(parameters, torch.Tensor) else tuple(named)
    return _TorchLoss(torch, run, tuple(named.values()), names, module)


def _on_module(
    torch: Any, function: Any, module: Any, names: tuple[str, ...]
) -> Callable[..., Any]:
    """Return a closure over a module as a function of the module's parameters."""

    class Closed(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self) -> Any:
            return function()

    closed = Closed()

    def run(*tensors: Tensor) -> Any:
        state = {f"inner.{k}": b.clone() for k, b in module.named_buffers()}
        state |= {f"inner.{k}": t for k, t in zip(names, tensors, strict=True)}
        return torch.func.functional_call(closed, state, ())

    return run


def _arguments(function: Any, count: int) -> list[str]:
    """Names of a function's first arguments."""
    try:
        kinds = inspect.signature(function).parameters.values()
        names = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        names = []
    return names[:count] if len(names) >= count else [f"argument {k}" for k in range(count)]


def title_of(function: Any, default: str) -> str:
    """Name of a function or of an object's type, where that says anything."""
    name = str(getattr(function, "__name__", type(function).__name__))
    plain = name.startswith(("<", "_")) or name in ("partial", "function", "method", "ndarray")
    return default if plain else name


def works(call: Callable[[], Any]) -> bool:
    """Whether something that nobody asked for can be had at all."""
    try:
        call()
    except Exception:
        return False
    return True


def usable(call: Callable[[], Any], name: str, option: str, notes: list[str]) -> bool:
    """Whether a derivative that nobody asked for is a claim.

    One that raises is none. Neither is one that is not finite, as the second derivative of |x|^1.5
    at zero, which says nothing against the gradient; a note says that it was left out.
    """
    try:
        answer = call()
    except Exception:
        return False
    parts = answer.values() if isinstance(answer, Mapping) else [answer]
    if all(np.all(np.isfinite(part)) for part in parts):
        return True
    notes.append(f"{name} was left out: it is not finite at this point; {option}=True judges it.")
    return False


def library(name: str) -> Any:
    """Import a library that only some users have."""
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f"{name} cannot be imported ({error}); install it: pip install {name}."
        ) from error
