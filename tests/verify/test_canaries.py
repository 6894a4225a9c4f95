"""Canaries: corrupted answers are caught, and a check that is blind to them stops the run."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from lsm_verify import Problem, Reason, Verdict, verify
from lsm_verify.verify import (
    agreement,
    canaries,
    differences,
    dot_product,
    examine,
    finite_difference,
)
from lsm_verify.verify.problem import of_problem

X = np.array([0.3, -0.7, 1.1])


def exp(x):
    return np.sum(np.exp(x))


def by_parts(x):
    """The same gradient by other arithmetic."""
    return np.exp(x / 2) ** 2


@pytest.fixture
def problem():
    return Problem(exp, X, gradients={"a": np.exp, "b": by_parts})


@pytest.fixture
def target(problem):
    return of_problem(problem)


@pytest.fixture
def samples(target):
    return {name: target.sample(name, 0)[0] for name in ("a", "b")}


def blind_agreement(monkeypatch):
    right = agreement.compare

    def compare(*args, **kwargs):
        found = right(*args, **kwargs)
        return replace(found, result=replace(found.result, verdict=Verdict.PASS, reason=None))

    monkeypatch.setattr(agreement, "compare", compare)


def blind_differences(monkeypatch):
    right = finite_difference.confirm

    def confirm(*args, **kwargs):
        result, each = right(*args, **kwargs)
        return replace(result, verdict=Verdict.PASS), [Verdict.PASS] * len(each)

    monkeypatch.setattr(finite_difference, "confirm", confirm)


def blind_products(monkeypatch):
    monkeypatch.setattr(dot_product, "eta_of", lambda left, right, size=0.0: 0.0)


class TestCaught:
    def test_by_agreement(self, target, samples):
        caught = canaries.of_agreement(target, samples, 0, 1e-10)
        assert caught == {"agreement, one component": True, "agreement, one step late": True}

    def test_by_differences(self, target, samples):
        found = differences.estimate(target)
        norm = float(np.linalg.norm(samples["a"].gradient * target.scale))
        for tolerance in (1e-8, 1e-6, 1e-2):
            caught = canaries.of_differences(found, 0, samples["a"], norm, tolerance)
            assert caught == {"finite-difference, one component": True}

    def test_by_products_of_a_step(self):
        rng = np.random.default_rng(0)
        terms = []
        for _ in range(2):
            right = rng.standard_normal(20).astype(np.longdouble)
            terms.append((np.array([np.sum(right)]), right))
        caught = canaries.of_steps(terms)
        assert caught == {"dot-product, one component": True, "dot-product, another step": True}
        assert list(canaries.of_steps(terms[:1])) == ["dot-product, one component"]

    def test_along_random_directions(self):
        many = np.linspace(0.5, 1.5, 100)
        target = of_problem(Problem(exp, many, gradients={"a": np.exp}))
        found = differences.estimate(target, most=10)
        (sample,) = target.sample("a", 0)
        norm = float(np.linalg.norm(sample.gradient * target.scale))
        assert canaries.of_differences(found, 0, sample, norm, 1e-6) == {
            "finite-difference, one component": True
        }

    def test_the_answer_itself_is_left_alone(self, target, samples):
        before = samples["a"].gradient.copy()
        canaries.of_agreement(target, samples, 0, 1e-10)
        np.testing.assert_array_equal(samples["a"].gradient, before)


class TestBlind:
    def test_agreement(self, target, samples, monkeypatch):
        blind_agreement(monkeypatch)
        assert not any(canaries.of_agreement(target, samples, 0, 1e-10).values())

    def test_differences(self, target, samples, monkeypatch):
        found = differences.estimate(target)
        blind_differences(monkeypatch)
        assert not any(canaries.of_differences(found, 0, samples["a"], 1.0, 1e-6).values())

    def test_products(self, monkeypatch):
        blind_products(monkeypatch)
        terms = [(np.ones(3), np.ones(3)), (np.ones(3), np.ones(3))]
        assert not any(canaries.of_steps(terms).values())

    @pytest.mark.parametrize("blind", [blind_agreement, blind_differences])
    def test_the_whole_run_is_inconclusive(self, problem, monkeypatch, blind):
        assert verify(problem).exit_code == 0
        blind(monkeypatch)
        report = verify(problem)
        assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
        (found,) = [c for c in report.checks if c.verdict is not Verdict.PASS]
        assert found.check == "canaries"
        assert found.reason is Reason.BLIND
        assert found.primary
        assert "survived: " in found.message

    def test_so_is_that_of_a_case(self, short_twin, monkeypatch):
        blind_products(monkeypatch)
        report = verify(short_twin, routes=["adjoint", "complex-step"], fast=True)
        assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
        (found,) = [c for c in report.checks if c.check == "canaries"]
        assert found.reason is Reason.BLIND
        assert found.subject == "dot-product, one component, dot-product, another step"

    def test_without_canaries_it_would_pass(self, problem, monkeypatch):
        """It is the canaries that notice: with none fed, the blind run is a PASS."""
        blind_agreement(monkeypatch)
        monkeypatch.setattr(import_module("lsm_verify.verify.problem_run"), "Plan",
                            lambda **k: examine.Plan(**{**k, "canaries": False}))  # fmt: skip
        assert verify(problem).exit_code == 0


class TestSummary:
    def test_all_caught(self):
        result = canaries.summarise({"a": True, "b": True}, point="here")
        assert result.verdict is Verdict.PASS
        assert result.reason is None
        assert result.message == "2 of 2 corrupted answers caught"

    def test_one_survived(self):
        result = canaries.summarise({"a": True, "b": False}, point="here")
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.BLIND
        assert result.subject == "b"
        assert result.value == 1


class TestNoFalseAlarm:
    @pytest.mark.parametrize("apart", [0.0, 2.0**-53, 1e-15, 1e-13, 1e-11, 1e-9, 1e-6])
    def test_numbers_that_are_almost_equal(self, apart):
        """A record of equal numbers looks the same one step late: that is no canary."""
        x = np.array([0.3, 0.3 + apart])
        report = verify(Problem(exp, x, gradients={"a": np.exp, "b": by_parts}))
        assert report.exit_code == 0, [c.message for c in report.checks]

    def test_a_single_number(self):
        report = verify(Problem(np.exp, 0.3, gradients={"a": np.exp, "b": by_parts}))
        assert report.exit_code == 0
        assert any(c.check == "canaries" for c in report.checks)
