"""One adapter per tool: the question is put to it as its users put it, with its defaults.

Every adapter imports its tool when it is called. A tool that gives a number instead of a verdict
is judged as its own documentation or tests judge it; `Tool.rule` says how.
"""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np

from tests.peers.problem import Array, Point, Problem
from tests.peers.tool import Outcome, Tool


def verdict(accepted: object) -> Outcome:
    return Outcome.ACCEPTED if accepted else Outcome.REJECTED


def gradcheck(problem: Problem, *, fast_mode: bool) -> Outcome:
    """Wrap objective and gradient in an autograd function, one tensor per parameter."""
    import torch

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            return torch.tensor(problem.objective(named(tensors)), dtype=tensors[0].dtype)

        @staticmethod
        def backward(ctx, cotangent):
            gradient = problem.gradient(named(ctx.saved_tensors))
            return tuple(
                cotangent * torch.as_tensor(np.array(gradient[name]), dtype=cotangent.dtype)
                for name in problem.point
            )

    def named(tensors):
        values = (t.detach().numpy() for t in tensors)
        return dict(zip(problem.point, values, strict=True))

    tensors = [torch.tensor(v).requires_grad_() for v in problem.point.values()]
    with warnings.catch_warnings():
        # It warns of single precision, and then judges.
        warnings.filterwarnings("ignore", message="Input #", category=UserWarning)
        accepted = torch.autograd.gradcheck(
            Claimed.apply, tensors, fast_mode=fast_mode, raise_exception=False
        )
    return verdict(accepted)


def check_grads(problem: Problem) -> Outcome:
    """Give JAX the gradient as a custom rule; it has no forward mode then, so mode "rev"."""
    import jax
    from jax.test_util import check_grads as check

    def named(values):
        return {k: np.asarray(v) for k, v in zip(problem.point, values, strict=True)}

    def value(*arrays):
        answer = jax.ShapeDtypeStruct((), problem.dtype)
        return jax.pure_callback(
            lambda *v: problem.dtype.type(problem.objective(named(v))), answer, *arrays
        )

    def backward(arrays, cotangent):
        answer = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays)
        gradient = jax.pure_callback(
            lambda *v: tuple(
                np.asarray(g, problem.dtype)
                for g in map(problem.gradient(named(v)).get, problem.point)
            ),
            answer,
            *arrays,
        )
        return tuple(cotangent * g for g in gradient)

    function = jax.custom_vjp(value)
    function.defvjp(lambda *arrays: (value(*arrays), arrays), backward)
    with double_precision(jax), rejecting_by_assertion() as outcome:
        arrays = tuple(jax.numpy.asarray(v) for v in problem.point.values())
        check(function, arrays, order=1, modes=["rev"])
    return outcome()


def check_derivative(problem: Problem, seed: int) -> Outcome:
    """Give discretize the value and the gradient."""
    from discretize.tests import check_derivative as check

    def both(x: Array) -> tuple[float, Array]:
        p = problem.unravel(x)
        return problem.objective(p), problem.ravel(problem.gradient(p))

    with (
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        rejecting_by_assertion() as outcome,
    ):
        check(both, problem.ravel(problem.point), random_seed=seed)
    return outcome()


def dottest(problem: Problem, seed: int) -> Outcome:
    """Give PyLops tangent and adjoint, where there are any."""
    if problem.pair is None:
        return Outcome.UNUSABLE
    from pylops import FunctionOperator
    from pylops.utils import dottest as check

    pair = problem.pair
    operator = FunctionOperator(
        pair.forward, pair.transpose, pair.rows, pair.columns, dtype=problem.dtype
    )
    state = np.random.get_state()  # noqa: NPY002 - the generator that PyLops draws from
    try:
        np.random.seed(seed)  # noqa: NPY002
        with rejecting_by_assertion() as outcome:
            check(operator)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return outcome()


def numdifftools_gradient(problem: Problem) -> Outcome:
    """Compare with numdifftools' gradient as its documentation does."""
    import numdifftools

    def function(x: Array) -> float:
        return problem.objective(problem.unravel(x))

    claimed = problem.ravel(problem.gradient(problem.point))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # It steps out of the model's domain and warns of what comes back.
        warnings.simplefilter("ignore")
        found = numdifftools.Gradient(function)(problem.ravel(problem.point))
    return verdict(np.allclose(found, claimed))


def scipy_check_grad(problem: Problem) -> Outcome:
    """Compare SciPy's error norm with zero as its own tests do."""
    from scipy.optimize import check_grad

    error = check_grad(
        lambda x: problem.objective(problem.unravel(x)),
        lambda x: problem.ravel(problem.gradient(problem.unravel(x))),
        problem.ravel(problem.point),
    )
    with rejecting_by_assertion() as outcome:
        np.testing.assert_almost_equal(error, 0)
    return outcome()


@contextlib.contextmanager
def double_precision(jax):
    """Turn JAX's option on: a user with a model in double precision has."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


@contextlib.contextmanager
def rejecting_by_assertion():
    """Give a function that says whether the block ended in an AssertionError."""
    found = [Outcome.ACCEPTED]
    try:
        yield lambda: found[0]
    except AssertionError:
        found[0] = Outcome.REJECTED


def ours(problem: Problem) -> Outcome:
    """Hand over objective and gradient; a gradient that is no number is refused by its name."""
    import lsm_verify as lv

    def named(p: Point) -> dict[str, Array]:
        return {name: np.asarray(value, problem.dtype) for name, value in p.items()}

    try:
        report = lv.verify(
            lv.Problem(
                lambda p: problem.objective(named(p)),
                problem.point,
                scales=problem.scales or None,
                gradients={"claimed": lambda p: problem.gradient(named(p))},
                name=problem.name,
            )
        )
    except lv.InputError as error:
        if "gradient 'claimed' returned nan" in str(error):
            return Outcome.REJECTED
        raise
    return {0: Outcome.ACCEPTED, 1: Outcome.REJECTED, 3: Outcome.UNDECIDED}[report.exit_code]


OURS = Tool(
    "lsm-verify",
    "lsm-verify",
    "verify(Problem(f, x, gradients=…)).exit_code is 0; 1 and an InputError reject, 3 refuses",
    lambda problem, seed: ours(problem),
)

PEERS = (
    Tool(
        "torch gradcheck",
        "torch",
        "gradcheck(f, inputs) returns True; one tensor per parameter",
        lambda problem, seed: gradcheck(problem, fast_mode=False),
    ),
    Tool(
        "torch gradcheck, fast",
        "torch",
        "gradcheck(f, inputs, fast_mode=True) returns True",
        lambda problem, seed: gradcheck(problem, fast_mode=True),
    ),
    Tool(
        "jax check_grads",
        "jax",
        'check_grads(f, args, order=1, modes=["rev"]) does not raise; jax_enable_x64',
        lambda problem, seed: check_grads(problem),
    ),
    Tool(
        "discretize check_derivative",
        "discretize",
        "check_derivative(f, x0) does not raise",
        check_derivative,
        random=True,
    ),
    Tool(
        "pylops dottest",
        "pylops",
        "dottest(Op) does not raise; tangent and adjoint of the predictions",
        dottest,
        random=True,
    ),
    Tool(
        "numdifftools Gradient",
        "numdifftools",
        "np.allclose(Gradient(f)(x), g), as in its documentation",
        lambda problem, seed: numdifftools_gradient(problem),
    ),
    Tool(
        "scipy check_grad",
        "scipy",
        "assert_almost_equal(check_grad(f, g, x), 0), as in SciPy's own test",
        lambda problem, seed: scipy_check_grad(problem),
    ),
)
