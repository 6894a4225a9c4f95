"""The fused model under every transform of PyTorch: right, or refused by name; never zeros."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.autograd.forward_ad as forward
from torch.autograd import functional
from torch.func import functionalize, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap

from lsm_verify.errors import InputError
from lsm_verify.kernels.columns import QUANTITIES
from lsm_verify.models import fused
from lsm_verify.models.fused import derivatives
from tests.planting import Planter

DIRECTION = torch.tensor([0.3, -0.2, 0.01, 0.05], dtype=torch.float64)


def dual(f, x, v):
    with forward.dual_level():
        return tuple(forward.unpack_dual(f(forward.make_dual(x, v))))


def compiled(f, x):
    torch._dynamo.reset()
    x = x.clone().requires_grad_()
    g = torch.compile(lambda x: f(x * 1.0) + 0.0, backend="eager")
    g(x * 1.01)  # other numbers of the same shape: nothing of them may stay
    return torch.autograd.grad(g(x), x)[0]


def vmap_of_backward(f, x):
    x = x.clone().requires_grad_()
    J = f(x)
    slopes = torch.ones(1, dtype=x.dtype)
    return vmap(lambda v: torch.autograd.grad(J, x, v, retain_graph=True)[0])(slopes)[0]


def backward_after_forward(f, x):
    x = x.clone().requires_grad_()
    with forward.dual_level():
        J = f(x)
    return torch.autograd.grad(J, x)[0]


def rows(x):
    return torch.stack([x, 1.001 * x, 0.999 * x])


# ------------------------------------------------------------------ right

GRADIENTS = {
    "grad": lambda f, x: grad(f)(x),
    "jacrev": lambda f, x: jacrev(f)(x),
    "jacfwd": lambda f, x: jacfwd(f)(x),
    "vjp": lambda f, x: vjp(f, x)[1](torch.ones((), dtype=x.dtype))[0],
    "autograd.functional.jacobian": functional.jacobian,
    "autograd.functional.jacobian, vectorized": lambda f, x: functional.jacobian(
        f, x, vectorize=True
    ),
    "a graph kept": lambda f, x: functional.jacobian(f, x, create_graph=True).detach(),
    "vmap of autograd.grad": vmap_of_backward,
    "backward after forward mode": backward_after_forward,
    "torch.compile": compiled,
}
BATCHED = {
    "vmap of grad": lambda f, x: vmap(grad(f))(rows(x)),
    "vmap of jacfwd": lambda f, x: vmap(jacfwd(f))(rows(x)),
    "grad of vmap": lambda f, x: grad(lambda rows: vmap(f)(rows).sum())(rows(x)),
    "vmap in chunks": lambda f, x: vmap(grad(f), chunk_size=2)(rows(x)),
    "vmap along the last axis": lambda f, x: vmap(grad(f), in_dims=1)(rows(x).T),
    "vmap of vmap": lambda f, x: vmap(vmap(grad(f)))(rows(x)[None])[0],
}


def apart(found, wanted) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch.compile's own
def test_gradient(small, point, name):
    wanted = functional.jacobian(small.direct_score, point)
    assert apart(GRADIENTS[name](small.score, point), wanted) <= small.round_off


@pytest.mark.parametrize("name", BATCHED)
def test_gradients_of_several_columns(small, point, name):
    wanted = torch.stack([functional.jacobian(small.direct_score, x) for x in rows(point)])
    assert apart(BATCHED[name](small.score, point), wanted) <= small.round_off


@pytest.mark.parametrize("along", [jvp, dual], ids=["torch.func.jvp", "forward_ad"])
@pytest.mark.parametrize("kind", ["mean-square", "half-sum-of-squares", "probe"])
def test_forward_mode(small, point, along, kind):
    objective = small.objective._replace(kind=kind)
    sight = fused.sight_of([small.inputs])

    def score(x):
        return fused.score(small.columns(x), sight, objective)[0]

    if along is jvp:
        value, slope = jvp(score, (point,), (DIRECTION,))
    else:
        value, slope = dual(score, point, DIRECTION)
    assert value == score(point)
    assert apart(slope, grad(score)(point) @ DIRECTION) <= small.round_off
    assert slope != 0


JACOBIANS = {
    "jacrev": lambda f, x: jacrev(f)(x),
    "jacfwd": lambda f, x: jacfwd(f)(x),
    "autograd.functional.jacobian": functional.jacobian,
    "vmap of jacrev": lambda f, x: vmap(jacrev(f))(x[None])[0],
    "vmap of jacfwd": lambda f, x: vmap(jacfwd(f))(x[None])[0],
    "jacobian of vmap": lambda f, x: jacrev(lambda x: vmap(f)(x[None])[0])(x),
}


@pytest.mark.parametrize("name", JACOBIANS)
def test_jacobian_of_the_predictions(small, point, name):
    wanted = functional.jacobian(small.direct_predict, point)
    found = JACOBIANS[name](small.predict, point)
    assert apart(found, wanted) <= small.round_off


def test_predictions_and_temperatures_of_several_columns(small, point):
    found = vmap(small.predict)(rows(point))
    assert torch.equal(found, torch.stack([small.predict(x) for x in rows(point)]))
    T = vmap(lambda x: fused.simulate(small.columns(x))[0])(rows(point))
    assert torch.equal(T[1], fused.simulate(small.columns(rows(point)[1]))[0])


def test_value_and_gradient_take_one_sweep(small, point, calls):
    x = point.clone().requires_grad_()
    torch.autograd.grad(small.score(x), x)
    assert calls == ["gradient"]
    del calls[:]
    grad(small.score)(point)
    vmap(grad(small.score))(rows(point))
    grad(lambda x: vmap(small.score)(x).sum())(rows(point))
    assert calls == ["gradient"] * 3
    del calls[:]
    with torch.no_grad():
        small.score(x)
    small.score(point)
    assert calls == ["score"] * 2


def test_a_transform_that_hides_the_parameters_of_another(small, point):
    """The inner gradient is by one factor, the outer by another, through the value."""

    def value(outer, inner):
        return small.score(torch.stack([outer, inner, point[2], point[3]]))

    def outer(a):
        return grad(lambda b: (value(a, b), value(a, b)), has_aux=True)(point[1])[1]

    wanted = functional.jacobian(small.direct_score, point)[0]
    assert apart(grad(outer)(point[0]), wanted) <= small.round_off * 10  # one of four components


# ------------------------------------------------------------------ refused


def double_backward(f, x):
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(f(x), x, create_graph=True)
    return torch.autograd.grad(slope.sum(), x)


def forward_over_backward(f, x):
    x = x.clone().requires_grad_()
    with forward.dual_level():
        at = forward.make_dual(x, DIRECTION)
        return forward.unpack_dual(torch.autograd.grad(f(at), at)[0]).tangent


def apply_to_make_fx(f, x):
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(f)(x)(x)


def exported(f, x):
    class Module(torch.nn.Module):
        def forward(self, x):
            return f(x)

    return torch.export.export(Module(), (x,)).module()(x)


def mixed(outer, inner):
    """A second derivative by two different factors, each seen by one transform only."""

    def second(f, x):
        def value(a, b):
            return f(torch.stack([a, b, x[2], x[3]]))

        return outer(lambda a: inner(lambda b: value(a, b))(x[1]))(x[0])

    return second


def derivative(f):
    return lambda x: jvp(f, (x,), (torch.ones_like(x),))[1]


REFUSED = {
    "hessian": lambda f, x: hessian(f)(x),
    "jacrev of grad": lambda f, x: jacrev(grad(f))(x),
    "jacrev of jacfwd": lambda f, x: jacrev(jacfwd(f))(x),
    "jacfwd of jacfwd": lambda f, x: jacfwd(jacfwd(f))(x),
    "jvp of grad": lambda f, x: jvp(grad(f), (x,), (DIRECTION,)),
    "grad of jvp": lambda f, x: grad(lambda x: jvp(f, (x,), (DIRECTION,))[1])(x),
    "vmap of hessian": lambda f, x: vmap(hessian(f))(x[None]),
    "grad of grad, by others": mixed(grad, grad),
    "jvp of grad, by others": mixed(derivative, grad),
    "grad of jvp, by others": mixed(grad, derivative),
    "jvp of jvp, by others": mixed(derivative, derivative),
    "double backward": double_backward,
    "forward over backward": forward_over_backward,
    "autograd.functional.hvp": lambda f, x: functional.hvp(f, x, DIRECTION),
    "autograd.functional.vhp": lambda f, x: functional.vhp(f, x, DIRECTION),
    "autograd.functional.hessian": functional.hessian,
    "autograd.functional.hessian, forward": lambda f, x: functional.hessian(
        f, x, vectorize=True, outer_jacobian_strategy="forward-mode"
    ),
    "autograd.functional.jvp": lambda f, x: functional.jvp(f, x, DIRECTION),
    "autograd.functional.jacobian, forward": lambda f, x: functional.jacobian(
        f, x, vectorize=True, strategy="forward-mode"
    ),
    "gradgradcheck": lambda f, x: torch.autograd.gradgradcheck(f, x.clone().requires_grad_()),
    "linearize": lambda f, x: linearize(f, x)[1](DIRECTION),
    "make_fx": apply_to_make_fx,
    "make_fx of grad": lambda f, x: apply_to_make_fx(grad(f), x),
    "jit.trace": lambda f, x: torch.jit.trace(f, x)(x),
    "export": exported,
}
"""The second derivatives, and what would record numbers; `autograd.functional.jvp` is one of the
former, being a backward run of a backward run."""

BY_TORCH = {
    "functionalize": lambda f, x: functionalize(f)(x),
    "compile of grad": lambda f, x: torch.compile(grad(f), backend="eager")(x),
    "compile of hessian": lambda f, x: torch.compile(hessian(f), backend="eager")(x),
    "compile, the full graph": lambda f, x: torch.compile(f, backend="eager", fullgraph=True)(x),
}
"""What torch itself refuses of functions with parts that it cannot look into."""


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("what", ["score", "predict"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_what_is_refused_names_the_alternative(small, point, name, what):
    def f(x):
        return getattr(small, what)(x).sum()

    with pytest.raises(InputError, match=re.escape('model="direct"')):
        REFUSED[name](f, point)


@pytest.mark.parametrize("name", BY_TORCH)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_what_torch_refuses(small, point, name):
    torch._dynamo.reset()
    with pytest.raises(Exception):  # noqa: B017, PT011 - of many kinds, and not ours
        BY_TORCH[name](small.score, point)


def unguarded(slope, bars, values, more=()):
    pairs = zip(map(torch.as_tensor, bars), values, strict=True)
    return [derivatives.gathered(slope[:, None] * b, v) for b, v in pairs]


@pytest.mark.parametrize("name", ["hessian", "autograd.functional.hvp"])
def test_without_the_guard_second_derivatives_would_be_zero(small, point, name, monkeypatch):
    from lsm_verify.models.fused import functions

    monkeypatch.setattr(functions, "scaled", unguarded)
    found = REFUSED[name](small.score, point)
    assert not torch.any(found[1] if isinstance(found, tuple) else found)


def test_a_wrong_transposition_is_seen(small, point, planter: Planter):
    from lsm_verify.models.fused import functions

    planter.plant(
        functions, "gathered(bar, of(name, tensors))", "gathered(bar, of(name, tensors)) * 2"
    )
    wanted = functional.jacobian(small.direct_predict, point)
    assert apart(jacrev(small.predict)(point), wanted) > small.round_off


def test_grid_and_steps_are_no_parameters(small):
    sight, one = fused.sight_of([small.inputs]), torch.ones((), dtype=torch.float64)
    for name in ("spacing", "time_step"):

        def f(x, name=name):
            columns = replace(small.base, **{name: getattr(small.base, name) * x})
            return fused.score(columns, sight, small.objective).sum()

        for transform in (grad(f), lambda x, f=f: jvp(f, (x,), (x,)), lambda x, f=f: double(f, x)):
            with pytest.raises(InputError, match="not differentiable by grid spacing"):
                transform(one)


def double(f, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x), x)


@pytest.mark.parametrize("transform", [grad, derivative])
def test_temperatures_are_not_differentiable(small, transform):
    def f(x):
        return fused.simulate(replace(small.base, lam=small.base.lam * x)).sum()

    with pytest.raises(InputError, match="temperatures are not differentiable"):
        transform(f)(torch.ones((), dtype=torch.float64))


# ------------------------------------------------------------------ torch's own checker


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("what", ["score", "predict"])
def test_gradcheck_by_every_quantity(small, what, shared):
    """Factors on every quantity as it was given; torch's tolerances for differences of 1e-6."""
    base = fused.columns_of(
        [small.inputs, small.inputs.with_values({"emissivity": np.asarray(0.9)})]
    )
    tensors = {name: torch.as_tensor(x).clone() for name, x in base._asdict().items()}
    tensors["emissivity"] = tensors["emissivity"][:, 0]
    names = [n for n in QUANTITIES if tensors[n].shape[-1] <= 8]
    sight, objective = fused.sight_of([small.inputs]), small.objective

    def f(*factors):
        scaled = {n: tensors[n] * x for n, x in zip(names, factors, strict=True)}
        columns = replace(small.base, **{**tensors, **scaled})
        if what == "score":
            return fused.score(columns, sight, objective)
        return fused.predict(columns, sight)[..., -1] / 300

    rows = 1 if shared else 2
    factors = [
        torch.ones((rows, *tensors[n].shape[1:]), dtype=torch.float64, requires_grad=True)
        for n in names
    ]
    assert len(names) >= 7
    assert torch.autograd.gradcheck(
        f, factors, check_forward_ad=True, check_batched_grad=what == "score"
    )
