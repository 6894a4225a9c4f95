"""The self-test: every mutant dies for the right reason, every neighbour lives."""

import json

import numpy as np
import pytest

from lsm_verify import InputError
from lsm_verify.mutants.catalogue import MUTANTS, neighbours, thorough
from lsm_verify.mutants.limits import LIMIT_SIZES, PROBES, limits
from lsm_verify.mutants.mutant import PROMISED
from lsm_verify.mutants.outcome import (
    LOCATED_SHARE,
    Limit,
    MutantOutcome,
    NeighbourOutcome,
    SelfTest,
)
from lsm_verify.mutants.selftest import choose, judge_mutant, judge_neighbour, selftest
from lsm_verify.mutants.share import share_seen
from lsm_verify.verify.draws import draw_inputs

NOT_LOCATED = frozenset(
    {
        # Called an observation of the initial state, which enters the gradient in the same sum.
        "adjoint: initial state dropped",
        # No constant factor and nothing from elsewhere explains these: the term is "unknown".
        "torch: conductance of the next interface",
        "torch: slope at the old surface temperature",
        # 4e-9 of the balance on this column: taken for rounding of the storage term.
        "torch: bottom dropped from the surface's balance",
    }
)
"""Mutants whose place is named wrongly or not at all, as known."""

EVERY = thorough()

NEIGHBOURS = neighbours()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_dies_for_the_right_reason(name):
    mutant = MUTANTS[name]
    found = judge_mutant(mutant, full=name in EVERY)
    assert found.right, found
    if mutant.must_die:
        assert found.killed
        assert found.verdict == "FAIL"
        assert found.location_right is (None if mutant.place is None else name not in NOT_LOCATED)
    assert set(found.killed_by) <= set(found.ran)


@pytest.mark.parametrize("names", NEIGHBOURS.values(), ids=lambda names: names[0])
def test_a_neighbour_lives(names):
    found = judge_neighbour(MUTANTS[names[0]].site, names)
    assert found.passed, found


@pytest.mark.parametrize("module", sorted({site.module for site in NEIGHBOURS}))
def test_a_neighbour_lives_through_every_check(module):
    site, names = next((s, n) for s, n in NEIGHBOURS.items() if s.module == module)
    found = judge_neighbour(site, names, full=True)
    assert found.passed, found
    assert {"taylor", "hessian", "determinism", "canaries"} <= set(found.ran)


def test_places_are_known_of_most_and_named_of_nearly_all():
    placed = [name for name, m in MUTANTS.items() if m.place is not None and m.must_die]
    assert len(placed) >= 100
    assert set(placed) >= NOT_LOCATED
    assert 1 - len(NOT_LOCATED) / len(placed) >= LOCATED_SHARE


@pytest.mark.slow
def test_limits_of_detection():
    found = {(x.part, x.check, x.dtype): x.size for x in limits()}
    for part in PROBES:
        assert found[part, "agreement", "float64"] <= 1e-8
    for part in ("adjoint", "tangent"):
        assert found[part, "dot-product per step", "float64"] <= 1e-8
        assert found[part, "energy closure", "float64"] is None
    assert found["torch", "dot-product per step", "float64"] is None
    assert found["torch", "energy closure", "float64"] <= 1e-6
    # Differences certify 1e-8 of the whole gradient; one step of twenty in one term is some tenth.
    assert found["adjoint", "finite-difference", "float64"] <= PROMISED
    assert {size for size in found.values() if size} <= set(LIMIT_SIZES)


@pytest.mark.parametrize("part", PROBES)
def test_an_error_of_1e_8_in_one_step_is_seen_in_drawn_columns(part):
    count = 12
    found = share_seen(small_column, count, part=part, seed=3)
    assert found.agreement >= 0.98 * count
    assert found.steps == (0 if part == "torch" else count)


def test_without_an_error_no_drawn_column_fails():
    found = share_seen(small_column, 6, size=0.0)
    assert (found.agreement, found.steps) == (0, 0)
    assert found.missed_by_agreement == found.missed_by_steps == tuple(range(6))


def small_column(rng: np.random.Generator):
    """Draw a realistic column; its first eight steps are enough, and fast."""
    return draw_inputs(rng).window(8)


def test_names_and_beginnings_of_names_choose():
    assert choose(None) == tuple(MUTANTS)
    assert choose(["torch: λ"]) == ("torch: λ detached",)
    assert {MUTANTS[name].part for name in choose(["tangent", "adjoint"])} == {"tangent", "adjoint"}
    with pytest.raises(InputError, match="unknown mutant"):
        choose(["adjoint", "nothing"])
    with pytest.raises(InputError, match="list of names"):
        choose("adjoint")


def test_the_whole_is_told_as_it_goes_and_written_as_json():
    said = []
    found = selftest(["torch: λ", "torch: C"], with_limits=False, announce=said.append)
    assert [m.name for m in found.mutants] == ["torch: λ detached", "torch: C detached"]
    assert len(found.neighbours) == 2
    assert len(said) == 4
    assert found.passed
    assert found.exit_code == 0
    assert found.survivors == found.missed == found.misjudged == ()
    assert all(row["agreement"] is True for row in found.matrix.values())
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written["passed"] is True
    assert written["mutants"][0]["killed_by"] == list(found.mutants[0].killed_by)
    assert written["located"] == {"right": 2, "known": 2}


def outcome(**changes):
    values = {
        "name": "torch: a",
        "part": "torch",
        "kind": "sign",
        "module": "m",
        "workload": "small-twin",
        "size": None,
        "must_die": True,
        "verdict": "FAIL",
        "exit_code": 1,
        "ran": ("agreement", "dot-product"),
        "killed_by": ("agreement",),
        "blamed": ("autograd",),
        "guilty_right": True,
        "parameters": ("albedo",),
        "parameters_right": True,
        "value_right": True,
        "location": "step 0",
        "location_right": True,
        "seconds": 1.0,
    }
    return MutantOutcome(**{**values, **changes})


NEAR = NeighbourOutcome("m", "f", "x", "small-twin", ("torch: a",), (), "PASS", 0, (), 1.0)


def whole(*mutants, near=NEAR):
    return SelfTest(
        tuple(mutants), (near,), (Limit("torch", "agreement", "float64", 1e-9),), (), 0, 1.0
    )


def test_a_checker_that_is_right_passes():
    assert whole(outcome()).exit_code == 0


@pytest.mark.parametrize(
    "changes, missed, misjudged",
    [
        ({"exit_code": 0, "verdict": "PASS", "killed_by": ()}, True, False),
        ({"exit_code": 3, "verdict": "INCONCLUSIVE", "killed_by": ()}, True, False),
        ({"exit_code": 2, "verdict": "STOPPED", "killed_by": ()}, True, False),
        ({"guilty_right": False}, False, True),
        ({"parameters_right": False}, False, True),
        ({"value_right": False}, False, True),
    ],
)
def test_a_checker_that_misses_or_misjudges_fails(changes, missed, misjudged):
    found = whole(outcome(**changes))
    assert found.exit_code == 1
    assert bool(found.missed) is missed
    assert bool(found.misjudged) is misjudged
    assert bool(found.survivors) is missed


def test_an_error_below_the_promised_size_may_survive():
    small = outcome(size=1e-10, must_die=False, exit_code=0, verdict="PASS", killed_by=())
    found = whole(small)
    assert found.exit_code == 0
    assert found.survivors == ("torch: a",)


@pytest.mark.parametrize("changes", [{"exit_code": 3}, {"exit_code": 1}, {"failed": ("taylor",)}])
def test_a_checker_that_fails_what_is_right_fails(changes):
    from dataclasses import replace

    found = whole(outcome(), near=replace(NEAR, **changes))
    assert found.exit_code == 1
    assert len(found.false_alarms) == 1


def test_a_checker_that_points_elsewhere_too_often_fails():
    right = [outcome(name=f"torch: {k}") for k in range(19)]
    assert whole(*right, outcome(location_right=False)).exit_code == 0
    assert whole(*right[1:], outcome(location_right=False)).exit_code == 1


def test_a_check_that_did_not_run_neither_kills_nor_spares():
    slow = outcome(name="torch: b", ran=("agreement", "Taylor"), killed_by=("agreement", "Taylor"))
    assert whole(outcome(), slow).matrix == {
        "torch: a": {"agreement": True, "Taylor": None},
        "torch: b": {"agreement": True, "Taylor": True},
    }


def test_nothing_run_is_no_pass():
    assert SelfTest((), (), (), (), 0, 0.0).exit_code == 3
