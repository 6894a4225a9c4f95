"""The forms that models come in: each becomes a problem; right gradients pass, wrong ones fail."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod
from scipy.sparse.linalg import LinearOperator

from lsm_verify.errors import InputError
from lsm_verify.verify.automatic import FORWARD_LIMIT, usable
from lsm_verify.verify.problem import Problem
from lsm_verify.verify.result import CheckResult, Reason, Report, Verdict
from lsm_verify.verify.run import verify

DOUBLE = torch.float64


def of(report: Report, check: str) -> list[CheckResult]:
    return [c for c in report.checks if c.check == check]


# ------------------------------------------------------------------ NumPy


def test_numpy_with_everything():
    problem = Problem.from_numpy(
        rosen, [1.3, 0.7, 0.8], grad=rosen_der, hess=rosen_hess, hessian_product=rosen_hess_prod
    )
    assert problem.name == "rosen"
    assert list(problem.gradients) == ["rosen_der"]
    assert list(problem.hessian_products) == ["rosen_hess_prod", "rosen_hess"]
    report = verify(problem)
    assert report.exit_code == 0
    assert of(report, "hessian")


def test_numpy_with_a_wrong_hessian():
    def hess(x):
        return rosen_hess(x) * (1 + 1e-3)

    report = verify(Problem.from_numpy(rosen, [1.3, 0.7, 0.8], grad=rosen_der, hess=hess))
    assert report.verdict is Verdict.FAIL
    assert {c.check for c in report.checks if c.verdict is Verdict.FAIL} == {"hessian"}


def test_numpy_with_several_gradients_by_name():
    grads = {"right": rosen_der, "wrong": lambda x: rosen_der(x) * 1.001}
    report = verify(Problem.from_numpy(rosen, [1.3, 0.7, 0.8], grad=grads))
    assert report.exit_code == 1
    failed = of(report, "finite-difference")[0]
    assert failed.verdict is Verdict.FAIL
    assert failed.subject == "wrong"


def test_numpy_hands_over_the_form_and_type_of_the_point():
    seen = []

    def function(p):
        seen.append({k: (type(v), np.asarray(v).dtype.name, np.shape(v)) for k, v in p.items()})
        return float(p["a"].sum() + p["b"])

    def grad(p):
        return {"a": np.ones_like(p["a"]), "b": 1.0}

    point = {"a": np.ones(3, np.float32), "b": 2}
    problem = Problem.from_numpy(function, point, grad=grad)
    assert verify(problem, tolerance=1e-2).exit_code == 0
    assert verify(problem).verdict is Verdict.INCONCLUSIVE  # single precision is in the way
    assert all(
        s == {"a": (np.ndarray, "float32", (3,)), "b": (np.float64, "float64", ())} for s in seen
    )


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        ({"grad": 3}, "is no function"),
        ({"grad": rosen_der, "hess": 3}, "int=3 is no function"),
        ({"grad": {"mine": None}}, "mine=None is no function"),
        ({"grad": rosen_der, "hessian_product": 1.0}, "is no function"),
    ],
)
def test_numpy_refuses_what_is_no_function(arguments, wanted):
    with pytest.raises(InputError, match=wanted):
        Problem.from_numpy(rosen, [1.0, 2.0], **arguments)


@pytest.mark.parametrize("point", [[[1.0], [1.0, 2.0]], {"a": [[1.0], [1.0, 2.0]]}])
def test_rows_of_different_lengths_are_no_point(point):
    with pytest.raises(InputError, match="must be a number or an array of numbers") as caught:
        Problem.from_numpy(rosen, point, grad=rosen_der)
    assert "\n" not in str(caught.value)


def test_numpy_refuses_a_hessian_of_a_mapping_and_of_the_wrong_shape():
    with pytest.raises(InputError, match="give hessian_product"):
        Problem.from_numpy(lambda p: 1.0, {"a": 1.0}, grad=lambda p: p, hess=rosen_hess)
    problem = Problem.from_numpy(rosen, [1.0, 2.0], grad=rosen_der, hess=lambda x: np.eye(3))
    with pytest.raises(InputError, match=r"hess returned shape \(3, 3\); \(2, 2\) is wanted"):
        verify(problem)


# ------------------------------------------------------------------ torch


class Square(torch.autograd.Function):
    """x² with a hand-written backward, times ``factor``."""

    factor = 2.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @classmethod
    def backward(cls, ctx, g):
        (x,) = ctx.saved_tensors
        return cls.factor * x * g


class Wrong(Square):
    factor = 2.001


@torch.library.custom_op("lsm_verify_tests::square", mutates_args=())
def square(x: torch.Tensor) -> torch.Tensor:
    return (x * x).clone()


square.register_autograd(
    lambda ctx, g: 2 * ctx.saved_tensors[0] * g,
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=DOUBLE)


@pytest.mark.parametrize(
    "function, parameters, names",
    [
        (lambda p: (p["a"] ** 3).sum() * p["b"], {"a": tensor(1.0, 2.0), "b": tensor(0.5)[0]},
         ["a", "b"]),
        (lambda a, b: (a**3).sum() * b.prod(), [tensor(1.0, 2.0), tensor(0.5)], ["a", "b"]),
        (lambda *p: (p[0] ** 3).sum() * p[1].prod(), (tensor(1.0, 2.0), tensor(0.5)),
         ["argument 0", "argument 1"]),
        (lambda x: (x**3).sum(), tensor(1.0, 2.0), ["x"]),
    ],
    ids=["mapping", "list", "tuple", "tensor"],
)  # fmt: skip
def test_torch_takes_every_form(function, parameters, names):
    problem = Problem.from_torch(function, parameters)
    assert list(problem.values) == names
    assert list(problem.gradients) == ["reverse-mode", "forward-mode"]
    assert list(problem.hessian_products) == ["double-backward"]
    report = verify(problem)
    assert report.exit_code == 0
    assert of(report, "agreement")[0].bound < 1e-12


def test_torch_parameters_that_require_a_gradient_are_left_alone():
    p = torch.nn.Parameter(tensor(1.0, 2.0))
    problem = Problem.from_torch(lambda x: (x**3).sum(), p)
    assert verify(problem, fast=True).exit_code == 0
    assert p.grad is None
    assert torch.equal(p.detach(), tensor(1.0, 2.0))


def test_torch_finds_a_wrong_backward():
    report = verify(Problem.from_torch(lambda x: torch.sin(Wrong.apply(x)).sum(), tensor(1.0, 2.0)))
    assert report.exit_code == 1
    assert of(report, "finite-difference")[0].subject == "reverse-mode"


def test_torch_finds_a_detached_parameter():
    p = {"albedo": tensor(0.3), "depth": tensor(2.0)}
    report = verify(Problem.from_torch(lambda p: (p["albedo"] * p["depth"].detach()).sum(), p))
    assert report.exit_code == 1
    assert of(report, "finite-difference")[0].parameters == ("depth",)


def test_a_hand_written_backward_brings_no_other_claims():
    problem = Problem.from_torch(lambda x: torch.sin(Square.apply(x)).sum(), tensor(1.0, 2.0))
    assert list(problem.gradients) == ["reverse-mode"]
    assert not problem.hessian_products
    assert verify(problem).exit_code == 0
    asked = Problem.from_torch(
        lambda x: torch.sin(Square.apply(x)).sum(), tensor(1.0, 2.0), hessian=True
    )
    report = verify(asked)
    assert of(report, "hessian")
    assert report.exit_code == 0


@pytest.mark.parametrize(
    "function",
    [lambda x: square(x).sum(), lambda x: (square(x) + torch.sin(x)).sum()],
    ids=["all of it", "a part of it"],
)
def test_the_silent_zero_of_forward_mode_is_caught(function):
    """Over a custom_op torch.func.jvp returns zero tangents without an error."""
    x = tensor(1.0, 2.0)
    _, tangent = torch.func.jvp(lambda x: square(x).sum(), (x,), (torch.ones_like(x),))
    assert tangent == 0  # the trap: the derivative is 6
    plain = Problem.from_torch(function, x)
    assert list(plain.gradients) == ["reverse-mode"]
    assert verify(plain).exit_code == 0
    asked = verify(Problem.from_torch(function, x, forward=True))
    assert asked.exit_code == 1
    assert of(asked, "finite-difference")[0].subject == "forward-mode"


def test_torch_asked_for_what_does_not_work_says_so():
    problem = Problem.from_torch(lambda x: Square.apply(x).sum(), tensor(1.0), forward=True)
    with pytest.raises(InputError, match="gradient 'forward-mode' raised RuntimeError"):
        verify(problem)


def test_torch_forward_mode_is_tried_for_few_numbers_only():
    few, many = (
        Problem.from_torch(lambda x: (x**2).sum(), torch.ones(n, dtype=DOUBLE))
        for n in (FORWARD_LIMIT, FORWARD_LIMIT + 1)
    )
    assert "forward-mode" in few.gradients
    assert "forward-mode" not in many.gradients
    none = Problem.from_torch(lambda x: (x**2).sum(), tensor(1.0), forward=False, hessian=False)
    assert list(none.gradients) == ["reverse-mode"]
    assert not none.hessian_products


def test_torch_hessian_of_a_linear_function_is_zero():
    problem = Problem.from_torch(lambda x: 3 * x.sum(), tensor(1.0, 2.0))
    product = problem.hessian_products["double-backward"]
    assert np.array_equal(product(np.ones(2), np.ones(2)), np.zeros(2))
    assert verify(problem).exit_code == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x.abs() ** 1.5).sum(),
        lambda x: torch.linalg.norm(x[:1]) * x[0] + (x**2).sum(),
    ],
    ids=["power", "norm"],
)
def test_an_unasked_derivative_that_is_not_finite_is_no_claim(function):
    problem = Problem.from_torch(function, tensor(0.0, 1.0), notes=("mine",))
    assert list(problem.gradients) == ["reverse-mode", "forward-mode"]
    assert list(problem.hessian_products) == []
    assert problem.notes == (
        "mine",
        "double-backward was left out: it is not finite at this point; hessian=True judges it.",
    )
    report = verify(problem)
    assert report.exit_code == 0
    assert report.notes == problem.notes
    asked = Problem.from_torch(function, tensor(0.0, 1.0), hessian=True)
    assert asked.notes == ()
    with pytest.raises(InputError, match="Hessian product 'double-backward' returned"):
        verify(asked)


@pytest.mark.parametrize(
    "answer, finite",
    [
        (np.ones(2), True),
        ({"a": np.ones(2), "b": 1.0}, True),
        (np.array([1.0, np.nan]), False),
        ({"a": np.ones(2), "b": np.inf}, False),
    ],
)
def test_every_number_of_a_derivative_must_be_finite(answer, finite):
    notes: list[str] = []
    assert usable(lambda: answer, "forward-mode", "forward", notes) == finite
    left_out = "forward-mode was left out: it is not finite at this point; forward=True judges it."
    assert notes == ([] if finite else [left_out])


def module_and_data() -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = torch.nn.Sequential(
            torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Tanh(), torch.nn.Dropout(0.3),
            torch.nn.Linear(3, 1),
        ).double()  # fmt: skip
        return module, torch.randn(7, 2, dtype=DOUBLE), torch.randn(7, 1, dtype=DOUBLE)


def test_torch_module_in_training_is_repeatable_and_left_alone():
    module, x, y = module_and_data()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    state = torch.get_rng_state()
    problem = Problem.from_torch(lambda: torch.nn.functional.mse_loss(module(x), y), module)
    assert list(problem.values) == ["0.weight", "0.bias", "1.weight", "1.bias", "4.weight",
                                    "4.bias"]  # fmt: skip
    rms = float(np.sqrt(np.mean(problem.values["0.weight"] ** 2)))
    assert np.all(problem.scaled["0.weight"] == rms)
    assert np.all(problem.scaled["1.bias"] == 1.0)  # batch normalisation starts from zero
    report = verify(problem)
    # The bias before batch normalisation has no effect: its share is nothing, and that is right.
    assert report.exit_code == 0, report.checks
    assert torch.equal(torch.get_rng_state(), state)
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert module.training


def test_torch_frozen_parameters_are_no_claim():
    module, x, y = module_and_data()
    for p in module[0].parameters():
        p.requires_grad_(False)
    problem = Problem.from_torch(lambda: torch.nn.functional.mse_loss(module(x), y), module)
    assert list(problem.values) == ["1.weight", "1.bias", "4.weight", "4.bias"]


def test_torch_module_without_input_is_its_own_closure():
    class Energy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.x = torch.nn.Parameter(tensor(1.0, 2.0))

        def forward(self):
            return (self.x**4).sum()

    problem = Problem.from_torch(Energy())
    assert problem.name == "Energy"
    assert verify(problem).exit_code == 0


@pytest.mark.parametrize("wrong", [False, True])
def test_torch_in_single_precision_says_dtype(wrong):
    function = Wrong.apply if wrong else Square.apply
    x = torch.tensor([1.0, 2.0, 0.5])
    report = verify(Problem.from_torch(lambda x: torch.sin(function(x)).sum(), x))
    differences = of(report, "finite-difference")[0]
    assert differences.dtype == "float32"
    assert report.exit_code == 3 if not wrong else report.exit_code in (1, 3)
    if report.exit_code == 3:
        assert differences.reason is Reason.DTYPE
    loose = verify(Problem.from_torch(lambda x: torch.sin(function(x)).sum(), x), tolerance=1e-2)
    assert loose.verdict is not Verdict.FAIL


def test_torch_in_single_precision_two_right_routes_do_not_fail():
    x = torch.tensor([1.0, 2.0, 0.5])
    problem = Problem.from_torch(lambda x: (torch.sin(x) * torch.exp(x)).sum(), x)
    assert len(problem.gradients) == 2
    assert verify(problem).verdict is not Verdict.FAIL


@pytest.mark.parametrize(
    "function, parameters, wanted",
    [
        (lambda x: x.sum(), torch.ones(2, dtype=torch.float16), "x has type torch.float16"),
        (lambda x: x.sum(), torch.ones(2, dtype=torch.complex128), "x has type torch.complex128"),
        (lambda x: x.sum(), torch.ones(2, dtype=torch.int64), "x has type torch.int64"),
        (lambda p: p["a"], {"a": 1.0}, "a has type float; a tensor of float64"),
        (lambda x: x.sum(), None, "parameters=None; give a tensor"),
        (lambda x: x.sum(), "weights", "parameters='weights'; give a tensor"),
        (lambda: 1.0, {}, "no parameter requires a gradient"),
        (lambda: 1.0, torch.nn.Tanh(), "no parameter requires a gradient"),
        (3, tensor(1.0), "3 is no function"),
    ],
)
def test_torch_refuses_other_parameters(function, parameters, wanted):
    with pytest.raises(InputError, match=wanted):
        Problem.from_torch(function, parameters)


@pytest.mark.parametrize(
    "function, wanted",
    [
        (lambda x: x.detach().sum(), "gradient 'reverse-mode' raised TypeError: the loss carries "),
        (lambda x: float(x.sum()), "gradient 'reverse-mode' raised TypeError: the loss carries "),
        (lambda x: x * 2, r"objective returned shape \(2,\)"),
        (lambda x: (x * torch.nan).sum(), "objective returned nan"),
        (lambda x: x.sum().to(torch.bfloat16), "objective raised TypeError"),
        (lambda x: x @ torch.ones(3, dtype=DOUBLE), "objective raised RuntimeError"),
    ],
)
def test_torch_names_what_goes_wrong(function, wanted):
    with pytest.raises(InputError, match=wanted):
        verify(Problem.from_torch(function, tensor(1.0, 2.0)))


# ------------------------------------------------------------------ JAX


@pytest.fixture(params=[True, False], ids=["float64", "float32"])
def jax(request: pytest.FixtureRequest):
    module = pytest.importorskip("jax", reason="no JAX: pip install jax")
    before = module.config.jax_enable_x64
    module.config.update("jax_enable_x64", request.param)
    yield module
    module.config.update("jax_enable_x64", before)


def test_jax_routes_agree(jax):
    wide = jax.config.jax_enable_x64

    def misfit(p):
        return jax.numpy.sum(jax.numpy.sin(p["a"]) * p["b"] ** 2)

    problem = Problem.from_jax(misfit, {"a": [0.3, 0.6], "b": 1.5})
    assert list(problem.gradients) == ["reverse-mode", "forward-mode"]
    assert list(problem.hessian_products) == ["forward-over-reverse"]
    report = verify(problem)
    assert ("jax_enable_x64 is off" in "".join(problem.notes)) == (not wide)
    assert report.exit_code == (0 if wide else 3)
    if not wide:
        assert of(report, "finite-difference")[0].reason is Reason.DTYPE


def test_jax_custom_vjp_has_reverse_mode_alone(jax):
    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, g: (g * 3.03 * x**2,))
    problem = Problem.from_jax(lambda x: cube(x).sum(), np.array([1.0, 2.0]))
    assert list(problem.gradients) == ["reverse-mode"]
    assert verify(problem).exit_code == 1


def test_jax_unasked_derivatives_that_are_not_finite_are_no_claims(jax):
    def power(x):
        return (jax.numpy.abs(x) ** 1.5).sum()

    problem = Problem.from_jax(power, [0.0, 1.0], notes=("mine",))
    assert list(problem.gradients) == ["reverse-mode", "forward-mode"]
    assert list(problem.hessian_products) == []
    left_out = "forward-over-reverse was left out: it is not finite at this point; "
    assert problem.notes[0] == "mine"
    assert problem.notes[-1] == f"{left_out}hessian=True judges it."
    assert len(problem.notes) == (2 if jax.config.jax_enable_x64 else 3)
    assert verify(problem).exit_code == (0 if jax.config.jax_enable_x64 else 3)
    asked = Problem.from_jax(power, [0.0, 1.0], hessian=True)
    assert asked.notes == problem.notes[1:-1]
    if jax.config.jax_enable_x64:  # in single precision second derivatives are not judged
        with pytest.raises(InputError, match="Hessian product 'forward-over-reverse' returned"):
            verify(asked)


def test_jax_rows_of_different_lengths_are_no_point(jax):
    with pytest.raises(InputError, match="must be a number or an array of numbers"):
        Problem.from_jax(jax.numpy.sum, [[1.0], [1.0, 2.0]])


def test_jax_missing_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(InputError, match=r"jax cannot be imported.*pip install jax"):
        Problem.from_jax(lambda x: x, 1.0)


# ------------------------------------------------------------------ linear operators

RNG = np.random.default_rng(2)
MATRIX = RNG.standard_normal((6, 4))
COMPLEX = MATRIX + 1j * RNG.standard_normal((6, 4))


@pytest.mark.parametrize(
    "arguments",
    [
        {"A": MATRIX},
        {"A": MATRIX, "At": MATRIX.T},
        {"A": MATRIX, "At": lambda y: MATRIX.T @ y},
        {"A": sp.csr_array(MATRIX)},
        {"A": MATRIX.astype(int)},
        {"A": LinearOperator((6, 4), lambda x: MATRIX @ x, rmatvec=lambda y: MATRIX.T @ y,
                             dtype=float)},
        {"A": lambda x: MATRIX @ x, "At": lambda y: MATRIX.T @ y, "shape": (6, 4)},
        {"A": COMPLEX},
        {"A": COMPLEX, "At": COMPLEX.conj().T},
        {"A": lambda x: COMPLEX @ x, "At": lambda y: COMPLEX.conj().T @ y, "shape": (6, 4),
         "dtype": complex},
        {"A": LinearOperator((6, 4), lambda x: COMPLEX @ x, dtype=complex,
                             rmatvec=lambda y: COMPLEX.conj().T @ y)},
    ],
)  # fmt: skip
def test_operators_of_every_kind_pass(arguments):
    problem = Problem.from_operator(**arguments)
    report = verify(problem)
    assert report.exit_code == 0
    assert of(report, "dot-product")[0].primary
    assert of(report, "finite-difference")[0].verdict is Verdict.PASS


@pytest.mark.parametrize(
    "arguments",
    [
        {"A": MATRIX, "At": 1.001 * MATRIX.T},
        {"A": MATRIX, "At": lambda y: -MATRIX.T @ y},
        {"A": COMPLEX, "At": COMPLEX.T},  # transposed, not conjugated
        {"A": LinearOperator((6, 4), lambda x: COMPLEX @ x, dtype=complex,
                             rmatvec=lambda y: COMPLEX.T @ y)},
    ],
)  # fmt: skip
def test_wrong_transposes_fail(arguments):
    report = verify(Problem.from_operator(**arguments))
    assert report.exit_code == 1
    assert of(report, "dot-product")[0].verdict is Verdict.FAIL
    assert of(report, "finite-difference")[0].verdict is Verdict.FAIL


def test_an_operator_from_real_to_complex():
    n = 16
    problem = Problem.from_operator(
        type("Half", (), {
            "shape": (n // 2 + 1, n), "dtype": np.dtype(complex), "clinear": False,
            "matvec": staticmethod(lambda x: np.fft.rfft(x.real)),
            "rmatvec": staticmethod(lambda y: np.fft.fft(np.concatenate([y, np.zeros(n // 2 - 1)])
                                                         .conj()).conj()),
        })()
    )  # fmt: skip
    assert problem.operator.size == n
    assert verify(problem).exit_code == 0


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        ({"A": lambda x: x}, "A is a function; give its transpose and shape"),
        ({"A": lambda x: x, "At": lambda x: x}, "give its transpose and shape"),
        ({"A": lambda x: x, "At": lambda x: x, "shape": 3}, "shape=3 must be two positive"),
        ({"A": lambda x: x, "At": lambda x: x, "shape": (0, 3)}, "two positive whole numbers"),
        ({"A": MATRIX, "At": MATRIX}, r"the transpose has shape \(6, 4\); \(4, 6\) is wanted"),
        ({"A": MATRIX, "shape": (4, 6)}, r"shape=\(4, 6\) is not the operator's \(6, 4\)"),
        ({"A": "matrix"}, "is no linear operator"),
        ({"A": np.ones((2, 2, 2))}, "is no linear operator"),
        ({"A": MATRIX, "dtype": "longdouble"}, "is not supported"),
    ],
)
def test_what_is_no_operator_is_refused(arguments, wanted):
    with pytest.raises(InputError, match=wanted):
        Problem.from_operator(**arguments)


def test_an_operator_without_transpose_names_the_function():
    operator = LinearOperator((6, 4), lambda x: MATRIX @ x, dtype=float)
    with pytest.raises(InputError, match="transpose of A raised NotImplementedError"):
        verify(Problem.from_operator(operator))


def test_pylops_operators():
    pylops = pytest.importorskip("pylops", reason="no PyLops: pip install pylops")
    right = pylops.FirstDerivative(50, kind="centered", edge=True)
    assert verify(Problem.from_operator(right)).exit_code == 0
    assert Problem.from_operator(right).name == "FirstDerivative"
    for kind in (True, False):
        fourier = pylops.signalprocessing.FFT(20, real=kind)
        problem = Problem.from_operator(fourier)
        assert problem.operator.size == (20 if kind else 40)
        assert verify(problem).exit_code == 0
    single = pylops.FirstDerivative(50, dtype="float32")
    report = verify(Problem.from_operator(single))
    assert of(report, "dot-product")[0].verdict is Verdict.PASS
    assert report.verdict is not Verdict.FAIL
    wrong = Problem.from_operator(right, pylops.FirstDerivative(50, kind="forward").H)
    assert verify(wrong).exit_code == 1
