"""Every peer computes what the oracle does, to its own tolerance, before it is timed."""

import os

import numpy as np
import pytest

from lsm_verify.bench.check import WrongResultError, errors, refuse_wrong
from lsm_verify.bench.peers import EXACT, Outcome, Setting, get_peer, peers
from lsm_verify.bench.peers.kernel import adam
from lsm_verify.bench.peers.published import AT_EQUAL_ACCURACY
from lsm_verify.bench.workloads import NAMES, SCALES, Workload
from lsm_verify.cases import load_case
from lsm_verify.errors import InputError

SMALL = Workload(batch=3, steps=6, nodes=10)
HALVES = Workload(batch=1, steps=4, nodes=30)  # 0.05 m lies between two nodes

EAGER = [name for name in peers() if name != "torch-compile"]


def outcome_of(name, work, setting):
    peer = get_peer(name)
    reason = peer.missing(setting)
    if reason:
        if os.environ.get("LSM_VERIFY_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    prepared = peer.prepare(work, setting)
    try:
        return peer, prepared.outcome(prepared.run())
    finally:
        prepared.close()


def every():
    for name in EAGER:
        for mode in get_peer(name).modes:
            for dtype in get_peer(name).tolerance:
                yield name, mode, dtype


@pytest.mark.parametrize("name, mode, dtype", list(every()))
@pytest.mark.parametrize("work", [SMALL, HALVES], ids=["columns", "between"])
def test_peer_agrees_with_the_oracle(name, mode, dtype, work):
    if mode == "descent" and work is HALVES:
        pytest.skip("one descent is enough")
    peer, outcome = outcome_of(name, work, Setting(mode, dtype, threads=2))
    found = errors(work, outcome)
    wanted = {
        "score": {"value"},
        "gradient": {"value", "gradient"},
        "checkpointed": {"value", "gradient"},
        "descent": {"value", "gradient"},
        "tangent": {"tangent"},
        "simulate": {"trajectory"},
    }
    assert set(found) == wanted[mode]
    refuse_wrong(name, found, peer.tolerance[dtype])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch's compiler warns of its own code
def test_compiled_torch_agrees_with_the_oracle():
    work = Workload(batch=2, steps=2, nodes=10)
    peer, outcome = outcome_of("torch-compile", work, Setting("gradient"))
    refuse_wrong("torch-compile", errors(work, outcome), peer.tolerance["float64"])


def test_published_method_at_its_own_tolerance_is_further_off_than_the_exact_ones():
    """What its loose limit lets through is stored, and is more than an exact peer may have."""
    _, outcome = outcome_of("published", Workload(1, 20, 40), Setting("gradient"))
    found = errors(Workload(1, 20, 40), outcome)
    assert AT_EQUAL_ACCURACY["float64"] < found["gradient"]
    with pytest.raises(WrongResultError, match="gradient is off"):
        refuse_wrong("x", {"gradient": found["gradient"]}, EXACT["float64"])


def test_batched_published_method_is_the_published_one_for_one_column():
    work, setting = Workload(1, 6, 20), Setting("gradient")
    _, alone = outcome_of("published", work, setting)
    _, batched = outcome_of("published-batched", work, setting)
    # The same operations in another order of dimensions.
    np.testing.assert_allclose(batched.gradient, alone.gradient, rtol=1e-12)


@pytest.fixture(scope="module")
def right():
    return outcome_of("kernel", SMALL, Setting("gradient"))[1]


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("component", range(len(NAMES)))
def test_an_error_in_any_component_of_any_column_is_refused(right, column, component):
    gradient = right.gradient.copy()
    norm = np.linalg.norm(gradient[column] * SCALES)
    gradient[column, component] += 2 * EXACT["float64"] * norm / SCALES[component]
    with pytest.raises(WrongResultError, match="gradient is off by 2e-09"):
        refuse_wrong("x", errors(SMALL, right._replace(gradient=gradient)), EXACT["float64"])


def test_a_wrong_value_is_refused(right):
    wrong = right._replace(value=right.value * (1 + 1e-8))
    with pytest.raises(WrongResultError, match="value is off"):
        refuse_wrong("x", errors(SMALL, wrong), EXACT["float64"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_column_that_is_not_finite_is_refused(right, bad):
    value = right.value.copy()
    value[1] = bad
    with pytest.raises(WrongResultError, match="inf"):
        refuse_wrong("x", errors(SMALL, Outcome(value)), 1.0)


def test_missing_columns_are_refused(right):
    assert errors(SMALL, Outcome(right.value[:2])) == {"value": np.inf}
    with pytest.raises(ValueError, match="nothing to check"):
        errors(SMALL, Outcome())


def test_a_large_batch_is_sampled_with_both_ends():
    sample = Workload(1000).sample(4)
    assert len(set(sample)) == 4
    assert (sample[0], sample[-1]) == (0, 999)


def test_workload_is_the_twin():
    work, twin = Workload(), load_case("twin")
    np.testing.assert_array_equal(work.values, [s.values for s in twin.observations.series])
    inputs, wanted = work.inputs(0), twin.inputs()
    assert {n: float(inputs.parameters[n]) for n in NAMES} == {
        n: float(wanted.parameters[n]) for n in NAMES
    }
    for name in ("SWdown", "LWdown", "Tair", "emissivity"):
        np.testing.assert_array_equal(inputs.parameters[name], wanted.parameters[name])
    np.testing.assert_array_equal(inputs.spacing, wanted.spacing)


def test_descent_goes_down_a_bowl_and_stays_in_its_bounds():
    start = np.array([[0.3, 12.0, 2.0, 0.7, 2.2e6, 295.0]])
    goal = start + SCALES

    def bowl(theta):
        return ((theta - goal) ** 2 / SCALES**2).sum(1), 2 * (theta - goal) / SCALES**2

    (first, slope), last = adam(bowl, start)
    assert first == pytest.approx(6.0)
    np.testing.assert_allclose(slope * SCALES, -2.0)
    assert last < first / 10


@pytest.mark.parametrize("size", [{"batch": 0}, {"steps": 0}, {"nodes": 1}])
def test_workload_refuses_sizes_without_meaning(size):
    with pytest.raises(InputError, match="at least 1, 1 and 2"):
        Workload(**size)
