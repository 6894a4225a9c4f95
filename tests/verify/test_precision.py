"""Single against double precision, and a column against its neighbours in a batch."""

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import Reason, Verdict, load_case
from lsm_verify.inputs import Objective, probe_weights
from lsm_verify.routes import ROUTES
from lsm_verify.verify import precision as module
from lsm_verify.verify.target import flatten, sample

SINGLE = float(np.finfo(np.float32).eps)


def both(case, point="start"):
    inputs = case.inputs(case.point(point), wrt=case.free)
    return replace(inputs, objectives=(Objective(), Objective("probe", probe_weights(inputs, 0))))


@pytest.fixture(scope="module")
def case():
    return load_case("twin").window(5)


@pytest.fixture(scope="module")
def inputs(case):
    return both(case)


@pytest.fixture(scope="module")
def samples(inputs):
    return sample(ROUTES["autograd"], inputs, 0)


@pytest.fixture(scope="module")
def others(case, inputs):
    points = [case.inputs(p, wrt=case.free) for p in case.random_points(2, 3)]
    return [replace(point, objectives=inputs.objectives) for point in points]


@pytest.fixture
def altered(monkeypatch):
    """Let autograd return something else where a condition holds of its call."""

    def alter(change, when):
        right = module.autograd

        def autograd(batch, **options):
            found = right(batch, **options)
            return change(found) if when(batch, options) else found

        monkeypatch.setattr(module, "autograd", autograd)

    return alter


def scaled(factor, name="thermal_conductivity"):
    def change(found):
        return [
            [(v, {k: g * factor if k == name else g for k, g in each.items()}) for v, each in e]
            for e in found
        ]

    return change


class TestSinglePrecision:
    def judged(self, inputs, samples):
        return module.single_precision(inputs, samples, point="start")

    def test_right(self, inputs, samples):
        results = self.judged(inputs, samples)
        assert [r.objective for r in results] == ["J", "probe"]
        for result in results:
            assert result.verdict is Verdict.PASS
            assert result.reason is None
            assert result.dtype == "float32"
            # It really is single precision, and no better.
            assert SINGLE / 10 < result.bound < 1e-3
            assert result.detectable > SINGLE
            assert f"off by {result.bound:.1e}" in result.message
            assert not result.primary

    @pytest.mark.parametrize("factor", [1.1, 0.0, -1.0, np.nan, np.inf])
    def test_wrong(self, inputs, samples, altered, factor):
        altered(scaled(factor), lambda batch, options: options.get("dtype") == "float32")
        for result in self.judged(inputs, samples):
            assert result.verdict is Verdict.FAIL
            assert result.reason is Reason.MISMATCH

    def test_between_the_limits(self, inputs, samples, altered):
        """An error of some 64 of its round-offs is neither here nor there."""
        vague = [replace(s, spread=0 * s.spread + 1e-15 * np.max(s.spread)) for s in samples]
        norm = np.linalg.norm(vague[0].gradient * module.scales(inputs))
        scale = dict(zip(inputs.wrt, module.scales(inputs), strict=True))["thermal_conductivity"]
        k = inputs.wrt.index("thermal_conductivity")
        off = 64 * SINGLE * (norm / scale + abs(vague[0].gradient[k]))

        def exact_but(found):
            gradient = dict(
                zip(inputs.wrt, (np.asarray(g) for g in vague[0].gradient), strict=True)
            )
            gradient["thermal_conductivity"] = gradient["thermal_conductivity"] + off
            return [[(found[0][0][0], gradient), found[0][1]]]

        altered(exact_but, lambda batch, options: options.get("dtype") == "float32")
        result = self.judged(inputs, vague)[0]
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.DTYPE
        assert 60 < result.value < 68

    def test_an_objective_without_signal_is_left_out(self, case):
        at_truth = both(case, "truth")
        results = self.judged(at_truth, sample(ROUTES["autograd"], at_truth, 0))
        assert [r.objective for r in results] == ["probe"]
        assert results[0].verdict is Verdict.PASS

    def test_what_it_hides_is_more_than_what_double_precision_does(self, inputs, samples):
        (result, _) = self.judged(inputs, samples)
        scale = module.scales(inputs)
        double = np.max(samples[0].spread * scale) / np.linalg.norm(samples[0].gradient * scale)
        assert result.detectable > 1e8 * double


class TestBatchIndependence:
    def judged(self, inputs, others, samples):
        route = replace(ROUTES["autograd"], evaluate=lambda batch: module.autograd(batch))
        return module.batch_independence(route, inputs, others, samples[0], point="start")

    def test_right(self, inputs, others, samples):
        result = self.judged(inputs, others, samples)
        assert result.verdict is Verdict.PASS
        assert result.reason is None
        assert result.evaluations == 3
        assert result.message.startswith("alone and among 2 others: ")

    @pytest.mark.parametrize("place", ["first", "last"])
    def test_a_leak_from_a_neighbour(self, inputs, others, samples, altered, place):
        """A ten millionth of the next column's gradient, in one place of the batch alone."""
        k, next_to_it = (0, 1) if place == "first" else (-1, -2)

        def leak(found):
            value, gradient = found[k][0]
            other = found[next_to_it][0][1]
            mixed = {name: g + 1e-7 * other[name] for name, g in gradient.items()}
            found[k][0] = (value, mixed)
            return found

        def own_place(batch, options):
            return len(batch) > 1 and batch[k] is inputs

        altered(leak, own_place)
        result = self.judged(inputs, others, samples)
        assert result.verdict is Verdict.FAIL
        assert result.reason is Reason.NOT_INDEPENDENT
        assert result.value > 128

    def test_no_number_in_a_batch(self, inputs, others, samples, altered):
        altered(scaled(np.nan), lambda batch, options: len(batch) > 1)
        assert self.judged(inputs, others, samples).verdict is Verdict.FAIL

    def test_the_answer_alone_is_the_routes(self, inputs, others, samples):
        ((_, gradient), _) = module.autograd([inputs])[0]
        spread = samples[0].spread
        np.testing.assert_allclose(
            flatten(inputs, gradient), samples[0].gradient, atol=32 * np.max(spread), rtol=1e-12
        )

    def test_a_leak_in_the_model_itself(self, planter):
        """Temperatures of another column in the soil heat flux: alone there is no other."""
        from lsm_verify.models import observe

        planter.plant(observe, "return g * (T[..., :-1] - T[..., 1:])",
                      "return g * (T[..., :-1] - T[..., 1:].flip(0))")  # fmt: skip
        layered = load_case("layered").window(4)
        one = layered.inputs()
        points = layered.random_points(2, 3)
        rest = [layered.inputs(p, wrt=layered.free) for p in points]
        found = sample(ROUTES["adjoint"], one, 0)
        assert self.judged(one, rest, found).verdict is Verdict.FAIL
