"""What other checkers do, measured on the real ones; the committed table holds."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.peers.problem import Group
from tests.peers.problems import problems
from tests.peers.table import Cell, Standing, ask
from tests.peers.tool import REMEDY, Outcome
from tests.peers.tools import OURS, PEERS, double_precision
from tools.make_peers import from_json, page

REPORT = Path(__file__).parents[2] / "reports" / "peers.json"

DRIFT = 3
"""Of 20 draws, how many may come out otherwise where another machine rounds otherwise."""

BY_NAME = {problem.name: problem for problem in problems()}
TOOLS = {tool.name: tool for tool in (OURS, *PEERS)}


@pytest.fixture
def need():
    """Skip where a peer is missing; fail instead where LSM_VERIFY_REQUIRE_PEERS=1 asks for it."""

    def check(name):
        tool = TOOLS[name]
        if tool.missing:
            stop = pytest.fail if os.environ.get("LSM_VERIFY_REQUIRE_PEERS") == "1" else pytest.skip
            stop(tool.missing)
        return tool

    return check


@pytest.fixture(scope="module")
def committed():
    return json.loads(REPORT.read_text(encoding="utf-8"))


def judge(tool, name, seed=0):
    return tool.judge(BY_NAME[name], seed)


# ---------------------------------------------------------------- the table


def test_every_problem_and_tool_is_in_the_committed_table(committed):
    assert [row["name"] for row in committed["rows"]] == list(BY_NAME)
    for row in committed["rows"]:
        assert row["group"] == BY_NAME[row["name"]].group
        assert row["title"] == BY_NAME[row["name"]].title
        assert list(row["answers"]) == list(TOOLS)


@pytest.mark.parametrize("row", BY_NAME)
@pytest.mark.parametrize("name", TOOLS)
def test_answer_is_the_committed_one(name, row, need, committed):
    tool = need(name)
    entry = next(r for r in committed["rows"] if r["name"] == row)
    reported, found = Cell(**entry["answers"][name]), ask(tool, BY_NAME[row])
    drift = DRIFT if tool.random else 0
    versions = f"{tool.package} is {tool.version}, was {committed['versions'][tool.package]}"
    assert found.runs == reported.runs, versions
    assert abs(found.accepted - reported.accepted) <= drift, versions
    assert abs(found.undecided - reported.undecided) <= drift, versions


def test_page_is_that_of_the_committed_answers():
    text = REPORT.with_suffix(".md").read_text(encoding="utf-8")
    assert text == page(from_json(REPORT.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "cell, group, standing",
    [
        (Cell(0, 1, 0), Group.ERROR, Standing.RIGHT),
        (Cell(1, 0, 0), Group.ERROR, Standing.WRONG),
        (Cell(0, 0, 1), Group.ERROR, Standing.OPEN),
        (Cell(1, 0, 0), Group.CORRECT, Standing.RIGHT),
        (Cell(0, 1, 0), Group.CORRECT, Standing.WRONG),
        (Cell(10, 10, 0), Group.CORRECT, Standing.WRONG),
        (Cell(0, 0, 1), Group.NEITHER, Standing.RIGHT),
        (Cell(1, 0, 0), Group.NEITHER, Standing.WRONG),
        (Cell(0, 0, 0), Group.ERROR, Standing.UNUSABLE),
    ],
)
def test_standing_of_an_answer(cell, group, standing):
    assert cell.standing(group) is standing


def test_we_catch_every_error_and_raise_no_false_alarm(committed):
    for row in committed["rows"]:
        answers = Cell(**row["answers"][OURS.name])
        if row["group"] == Group.ERROR:
            assert answers.rejected == 1, row["title"]
        if row["group"] == Group.CORRECT:
            assert answers.rejected == 0, row["title"]
        if row["group"] == Group.NEITHER:
            assert answers.undecided == 1, row["title"]


def test_a_missing_peer_is_named_with_the_remedy():
    gone = replace(TOOLS["pylops dottest"], package="no-such-distribution")
    assert gone.missing == f"no-such-distribution is not installed: {REMEDY}"


# ---------------------------------------------------------------- torch


@pytest.mark.parametrize("mode", ["torch gradcheck", "torch gradcheck, fast"])
@pytest.mark.parametrize("error", ["halved", "detached", "flipped"])
def test_gradcheck_passes_a_wrong_derivative_by_heat_capacity(mode, error, need):
    tool = need(mode)
    assert judge(tool, f"heat-capacity-{error}") is Outcome.ACCEPTED
    assert judge(tool, "chain-rule") is Outcome.REJECTED


def test_fast_gradcheck_passes_what_slow_gradcheck_catches(need):
    slow, fast = need("torch gradcheck"), need("torch gradcheck, fast")
    for error in ("one-of-many", "boundary"):
        assert judge(slow, error) is Outcome.REJECTED
        assert judge(fast, error) is Outcome.ACCEPTED


def test_custom_op_has_zero_tangents_under_jvp_without_an_error():
    import torch

    name, schema = "lsm_verify_tests::sine", "(Tensor x) -> Tensor"
    sine = torch.library.custom_op(name, lambda x: torch.sin(x), mutates_args=(), schema=schema)

    def setup(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    def backward(ctx, cotangent):
        return cotangent * torch.cos(ctx.saved_tensors[0])

    sine.register_autograd(backward, setup_context=setup)
    x = torch.tensor([0.3, 0.5], dtype=torch.float64)
    with warnings.catch_warnings():
        # torch's own import of its forward-mode rules.
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        _, tangent = torch.func.jvp(sine, (x,), (torch.ones_like(x),))
    assert torch.equal(tangent, torch.zeros_like(x))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(sine(leaf).sum(), leaf)
    assert torch.allclose(gradient, torch.cos(x))
    assert torch.autograd.gradcheck(sine, (leaf,))


# ---------------------------------------------------------------- jax


@pytest.mark.parametrize("size, passes", [(10, False), (10_000, True)])
def test_check_grads_passes_a_wrong_tangent_if_the_array_is_large(size, passes, need):
    need("jax check_grads")
    import jax
    from jax.test_util import check_grads

    @jax.custom_jvp
    def sine(x):
        return jax.numpy.sin(x)

    # Wrong by 1 %; tolerances are 1e-5 (1e-3 in single precision) times the size.
    sine.defjvp(lambda p, t: (sine(*p), 1.01 * jax.numpy.cos(p[0]) * t[0]))
    x = np.linspace(0.0, 1.0, size)
    with double_precision(jax):
        if passes:
            check_grads(sine, (x,), order=1, modes=["fwd"])
        else:
            with pytest.raises(AssertionError, match="tangent"):
                check_grads(sine, (x,), order=1, modes=["fwd"])


# ---------------------------------------------------------------- discretize


def test_check_derivative_passes_a_flipped_gradient_where_the_function_is_small(need):
    tool = need("discretize check_derivative")
    assert judge(tool, "tiny-flipped") is Outcome.ACCEPTED
    assert judge(tool, "cross-term") is Outcome.REJECTED


def test_check_derivative_passes_a_gradient_that_is_not_a_number(need):
    assert judge(need("discretize check_derivative"), "not-a-number") is Outcome.ACCEPTED


def test_check_derivative_rejects_a_right_gradient_of_a_linear_function(need):
    tool = need("discretize check_derivative")
    assert judge(tool, "linear") is Outcome.REJECTED
    assert judge(tool, "rosen") is Outcome.ACCEPTED


@pytest.mark.parametrize("rate, passes", [(2.0, True), (0.1, True), (-0.1, False)])
def test_order_test_passes_any_positive_rate_where_two_is_expected(rate, passes, need, capsys):
    need("discretize check_derivative")
    from discretize.tests import OrderTest

    scheme = OrderTest("orderTest")
    scheme.meshTypes, scheme.meshDimension, scheme.meshSizes = ["uniformTensorMesh"], 1, [8, 16, 32]
    scheme.expectedOrders = 2.0
    scheme.getError = lambda: float(scheme.M.h[0].max()) ** rate
    if passes:
        scheme.orderTest()
    else:
        with pytest.raises(AssertionError, match="Order mean"):
            scheme.orderTest()


# ---------------------------------------------------------------- pylops, numdifftools, scipy


def test_dottest_rarely_sees_an_error_in_a_badly_scaled_parameter(need):
    cell = ask(need("pylops dottest"), BY_NAME["heat-capacity-halved"])
    assert cell.accepted > cell.rejected


def test_dottest_rejects_a_right_operator_in_single_precision_now_and_then(need):
    tool = need("pylops dottest")
    right = BY_NAME["operator-float32"]
    alarms = [tool.judge(right, seed) for seed in range(100)].count(Outcome.REJECTED)
    # 15 % of 400 draws were measured; 4 to 30 % are its bounds at three standard deviations.
    assert 4 <= alarms <= 30


def test_absolute_tolerances_pass_a_flipped_gradient_where_the_function_is_small(need):
    for name in ("numdifftools Gradient", "scipy check_grad"):
        assert judge(need(name), "tiny-flipped") is Outcome.ACCEPTED


def test_no_peer_takes_a_right_gradient_of_a_function_with_a_large_offset(need):
    for name in TOOLS.keys() - {OURS.name, "pylops dottest"}:
        assert judge(need(name), "offset") is Outcome.REJECTED
