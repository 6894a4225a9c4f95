"""The dot-product test of every single step."""

from importlib import import_module

import numpy as np
import pytest

from lsm_verify import Reason, Verdict, load_case
from lsm_verify.routes.oracle import step_terms

module = import_module("lsm_verify.verify.dot_product")
oracle = import_module("lsm_reference.evaluate")

STEPS = 6


@pytest.fixture(scope="module", params=["twin", "layered"])
def inputs(request):
    return load_case(request.param).window(STEPS).inputs()


def judged(inputs, seed=0):
    return module.step_products(inputs, point="start", seed=seed)


@pytest.fixture
def altered(monkeypatch):
    """Change what the oracle says of one step: what comes out, and what is pulled back."""

    def alter(step, change):
        right = oracle.step_products

        def step_products(*args):
            for n, found in enumerate(right(*args)):
                yield change(*found) if n == step else found

        monkeypatch.setattr(oracle, "step_products", step_products)

    return alter


@pytest.mark.parametrize("seed", range(10))
def test_right(inputs, seed):
    result = judged(inputs, seed)
    assert result.verdict is Verdict.PASS
    assert result.reason is None
    assert 0 < result.value <= module.STEP_PASS_ETA
    assert result.message.startswith(f"0 of {STEPS} steps beyond the limit")
    assert result.evaluations == 2 * STEPS
    assert result.bound == result.value * module.EPSILON
    assert not result.primary


@pytest.mark.parametrize("step", [0, 3, STEPS - 1])
@pytest.mark.parametrize("error", [1e-8, -1.0])
def test_an_error_in_the_adjoint_of_one_step_is_named(inputs, altered, step, error):
    altered(step, lambda after, pulled, bar: (after, pulled * (1 + error), bar))
    result = judged(inputs)
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.MISMATCH
    assert result.message == f"1 of {STEPS} steps beyond the limit; largest at step {step}"


def test_an_error_in_the_tangent(inputs, altered):
    altered(2, lambda after, pulled, bar: (after * (1 + 1e-8), pulled, bar))
    assert judged(inputs).message.endswith("largest at step 2")
    assert judged(inputs).verdict is Verdict.FAIL


@pytest.mark.parametrize("field", ["lam", "C", "alpha", "H", "eps", "LW", "Ta"])
def test_an_error_in_what_a_step_says_of_a_parameter(inputs, altered, field):
    def change(after, pulled, bar):
        return after, pulled, bar._replace(**{field: np.asarray(getattr(bar, field)) + 1e-3})

    altered(1, change)
    assert judged(inputs).verdict is Verdict.FAIL


@pytest.mark.parametrize("side", [0, 1])
def test_not_a_number_fails(inputs, altered, side):
    def change(*found):
        found = list(found)
        found[side] = found[side] * np.nan
        return tuple(found)

    altered(4, change)
    result = judged(inputs)
    assert result.verdict is Verdict.FAIL
    assert result.message.endswith("largest at step 4")


def test_terms_are_drawn_for_every_quantity_of_the_step(inputs):
    """A quantity whose change were nought could be wrong and not show."""
    terms = list(step_terms(inputs, np.random.default_rng(0)))
    assert len(terms) == STEPS
    for left, right in terms:
        assert left.dtype == right.dtype == np.longdouble
        assert left.size == inputs.spacing.size + 1
        assert right.size > left.size
        assert np.count_nonzero(left) >= left.size - 1


class TestEta:
    def test_equation(self):
        left, right = np.array([3.0, -1.0]), np.array([1.0, 1.0 + 1e-12])
        expected = 1e-12 / (module.EPSILON * (4.0 + 2.0))
        assert module.eta_of(left, right) == pytest.approx(expected, rel=1e-3)

    def test_nothing_by_nothing(self):
        assert module.eta_of(np.zeros(3), np.zeros(3)) == 0.0

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_no_number_is_infinite(self, bad):
        assert module.eta_of(np.array([bad]), np.ones(1)) == np.inf
        assert module.eta_of(np.ones(1), np.array([bad])) == np.inf

    @pytest.mark.parametrize(
        "eta, verdict", [(4.0, "PASS"), (4.1, "INCONCLUSIVE"), (16.0, "INCONCLUSIVE"), (17, "FAIL")]
    )
    def test_limits(self, inputs, monkeypatch, eta, verdict):
        monkeypatch.setattr(module, "eta_of", lambda left, right: eta)
        result = judged(inputs)
        assert result.verdict is Verdict(verdict)
        reasons = {"PASS": None, "INCONCLUSIVE": Reason.BORDERLINE, "FAIL": Reason.MISMATCH}
        assert result.reason is reasons[verdict]
