"""Determinism: bitwise on repeat, within round-off across thread counts."""

import numpy as np
import pytest

from lsm_verify import Problem, Reason, Verdict
from lsm_verify.routes import ROUTES, fused
from lsm_verify.verify.determinism import determinism, threaded
from lsm_verify.verify.problem import of_problem
from lsm_verify.verify.target import flatten, of_inputs

X = np.array([0.3, -0.7, 1.1])
ULP = 2.0**-52


def exp(x):
    return np.sum(np.exp(x))


def shaken(size):
    """The gradient of `exp`, every number off by a Gaussian relative error."""
    rng = np.random.default_rng(0)
    return lambda x: np.exp(x) * (1 + size * rng.standard_normal(x.size))


def judged(gradient=np.exp, objective=exp, threads=None):
    target = of_problem(Problem(objective, X, gradients={"g": gradient}))
    samples = {"g": target.sample("g", 0)[0]}
    return determinism(target, samples, point="here", threads=threads)


def test_the_same_answer():
    result = judged()
    assert result.verdict is Verdict.PASS
    assert result.reason is None
    assert result.message == "repeats bitwise equal"
    assert result.value == 0
    assert not result.primary


def test_an_ulp_or_a_few_are_inconclusive():
    result = judged(shaken(4 * ULP))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason is Reason.NOT_REPEATABLE
    assert result.subject == "g"
    assert result.message == "not repeated: g"


def test_a_thousandth_fails():
    """The route's round-off is measured on copies of its own, which its randomness widens."""
    result = judged(shaken(1e-3))
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.NOT_REPEATABLE


@pytest.mark.parametrize("size, gate", [(ULP, False), (1e-3, True)])
def test_an_objective_that_changes_lets_nothing_be_concluded(size, gate):
    rng = np.random.default_rng(0)
    result = judged(objective=lambda x: exp(x) * (1 + size * rng.standard_normal()))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.primary is gate
    assert result.message == "not repeated: objective"


class TestThreads:
    @pytest.fixture
    def across(self):
        """The verdict where two threads and more give another answer than one."""

        def run(name, error):
            answer = lambda count: np.exp(X) * (1 + error * (count > 1))  # noqa: E731
            return judged(threads={name: answer})

        return run

    def test_equal(self, across):
        result = across("g", 0.0)
        assert result.verdict is Verdict.PASS
        assert result.message.endswith("across thread counts g bitwise equal")

    def test_round_off_is_reported(self, across):
        result = across("g", ULP)
        assert result.verdict is Verdict.PASS
        assert 0 < result.value < 32
        assert "across thread counts g equal to " in result.message

    @pytest.mark.parametrize(
        "error, verdict", [(1e-12, "INCONCLUSIVE"), (1e-9, "FAIL"), (0.5, "FAIL")]
    )
    def test_more_than_round_off_is_no_pass(self, across, error, verdict):
        result = across("g", error)
        assert result.verdict is Verdict(verdict)
        assert result.reason is Reason.NOT_REPEATABLE

    def test_what_is_no_route_counts_too(self, across):
        """The forward sweep has no gradient, and another objective on two threads is as wrong."""
        assert across("forward sweep", 0.5).verdict is Verdict.FAIL

    def test_answers_of_zero(self):
        result = judged(threads={"g": lambda count: np.zeros(3)})
        assert result.verdict is Verdict.PASS


class TestColumn:
    @pytest.fixture
    def inputs(self, short_twin):
        return short_twin.inputs()

    def test_our_own_model_repeats_itself(self, inputs):
        names = ("adjoint", "autograd", "fused")
        target = of_inputs(inputs, [ROUTES[name] for name in names])
        samples = {name: target.sample(name, 0)[0] for name in names}
        result = determinism(target, samples, point="start", threads=threaded(inputs))
        assert result.verdict is Verdict.PASS
        assert "repeats bitwise equal" in result.message
        assert result.evaluations == 2 * 3 + 2 * 3

    def test_what_runs_on_threads_is_the_model(self, inputs):
        asked = threaded(inputs)
        assert list(asked) == ["autograd", "fused", "forward sweep"]
        ((_, gradient),) = ROUTES["autograd"].evaluate([inputs])[0]
        np.testing.assert_array_equal(asked["autograd"](1), flatten(inputs, gradient))
        ((_, gradient),) = ROUTES["fused"].evaluate([inputs])[0]
        columns = asked["fused"](1)
        assert len(np.unique(columns[:, 0])) == 16
        np.testing.assert_array_equal(columns[0], flatten(inputs, gradient))
        scores = asked["forward sweep"](1)
        assert scores.shape == (1, 16)
        assert len(np.unique(scores)) == 16

    @pytest.mark.parametrize("column", [0, 5, 15])
    def test_threads_that_disturb_one_column(self, inputs, monkeypatch, column):
        right = fused.evaluate

        def disturbed(batch, *, threads=None):
            found = right(batch, threads=threads)
            if threads and threads > 1:
                value, gradient = found[column][0]
                found[column][0] = (value, {n: g * (1 + 1e-6) for n, g in gradient.items()})
            return found

        monkeypatch.setattr(fused, "evaluate", disturbed)
        target = of_inputs(inputs, [ROUTES["fused"]])
        samples = {"fused": target.sample("fused", 0)[0]}
        result = determinism(target, samples, point="start", threads=threaded(inputs))
        assert result.verdict is Verdict.FAIL
        assert "fused equal to" in result.message
