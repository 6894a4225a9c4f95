"""Verdicts on synthetic timings with drift and bursts."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from lsm_verify.bench import judge, record
from lsm_verify.bench.session import Design
from lsm_verify.bench.show import show
from lsm_verify.errors import InputError
from tests.bench import timings

DESIGN = Design()
EQUAL = {"forward": 1.0, "gradient": 1.0, "tangent": 1.0}
TWICE = ("candidate", "candidate again")


def judged(blocks, design=DESIGN):
    return judge.judge_blocks(blocks, "main", timings.COMMIT, design)


def verdicts(found):
    return {each.benchmark: each.verdict for each in found.findings}


def stored(seed, change=1.0, processes=12):
    sides = timings.blocks(seed, processes, dict.fromkeys(EQUAL, change), sides=("base",))
    content = record.pool([block["base"] for block in sides], timings.COMMIT)
    return record.parse(content, "baseline.json")


def test_equal_code_is_never_reported():
    # 20 comparisons of three benchmarks: at a significance of 1 % for a whole comparison the first
    # test alone would stay silent in 82 % of all such series; the other two make it sure here.
    for seed in range(20):
        found = judged(timings.blocks(1000 + seed, 12, EQUAL))
        assert verdicts(found) == dict.fromkeys(EQUAL, "unchanged")
        assert found.exit_code == 0


def test_ten_per_cent_slower_is_reported_and_nothing_else():
    for seed in range(20):
        found = judged(timings.blocks(2000 + seed, 12, {**EQUAL, "gradient": 1.1}))
        assert verdicts(found) == {**dict.fromkeys(EQUAL, "unchanged"), "gradient": "slower"}
        assert found.exit_code == 1
        (slow,) = (each for each in found.findings if each.benchmark == "gradient")
        assert slow.interval[0] < 1.1 < slow.interval[1] or abs(slow.ratio - 1.1) < 0.03


def test_all_slower_is_reported_for_all():
    found = judged(timings.blocks(1, 12, dict.fromkeys(EQUAL, 1.1)))
    assert set(verdicts(found).values()) == {"slower"}


def test_faster_is_reported_and_passes():
    found = judged(timings.blocks(2, 12, {**EQUAL, "forward": 1 / 1.1}))
    assert verdicts(found)["forward"] == "faster"
    assert found.exit_code == 0


def test_minimum_effect_alone_stops_a_significant_difference():
    blocks = timings.blocks(3, 24, dict.fromkeys(EQUAL, 1.03))
    found = judged(blocks)
    assert all(each.p_value < 0.01 and each.ratio - 1 > each.floor for each in found.findings)
    assert set(verdicts(found).values()) == {"unchanged"}
    assert set(verdicts(judged(blocks, Design(minimum_effect=0.01))).values()) == {"slower"}


def test_noise_floor_alone_stops_what_the_base_shows_against_itself():
    blocks = timings.blocks(4, 12, dict.fromkeys(EQUAL, 1.2), offset=0.13)
    found = judged(blocks)
    assert all(each.p_value < 0.01 and each.ratio > 1.05 for each in found.findings)
    assert all(each.floor > 0.12 for each in found.findings)
    quiet = judged(timings.blocks(4, 12, dict.fromkeys(EQUAL, 1.2)))
    assert set(verdicts(quiet).values()) == {"slower"}
    stopped = judged(timings.blocks(4, 12, dict.fromkeys(EQUAL, 1.15), offset=0.13))
    assert all(each.p_value < 0.01 and each.ratio > 1.05 for each in stopped.findings)
    assert set(verdicts(stopped).values()) == {"unchanged"}


def test_significance_alone_stops_too_few_blocks():
    found = judged(timings.blocks(5, 3, dict.fromkeys(EQUAL, 1.3)))
    assert all(each.ratio > 1.05 and each.ratio - 1 > each.floor for each in found.findings)
    assert set(verdicts(found).values()) == {"unchanged"}


def test_blocks_are_added_for_noise_and_for_many_benchmarks_only():
    quiet = timings.blocks(6, 12, EQUAL)
    assert judge.blocks_wanted(quiet, DESIGN) <= 12
    slow = timings.blocks(6, 12, dict.fromkeys(EQUAL, 2.0))
    assert judge.blocks_wanted(slow, DESIGN) == judge.blocks_wanted(quiet, DESIGN)
    noisy = timings.blocks(6, 12, EQUAL, drift=0.2)
    assert judge.blocks_wanted(noisy, DESIGN) == 12 + judge.STEP
    many = timings.blocks(6, 6, {f"b{index}": 1.0 for index in range(300)})
    assert judge.blocks_wanted(many, DESIGN) > 6


def test_nothing_in_common_is_exit_code_three():
    blocks = timings.blocks(7, 4, EQUAL)
    for block in blocks:
        block["base"] = block["base again"] = timings.record({"other": [1.0]})
    found = judged(blocks)
    assert found.exit_code == 3
    assert (found.added, found.removed) == (tuple(sorted(EQUAL)), ("other",))
    assert judged([]).exit_code == 3


def test_other_parameters_are_not_compared():
    blocks = timings.blocks(8, 4, EQUAL)
    for block in blocks:
        rounds = {name: block["base"].rounds(name) for name in EQUAL}
        block["base"] = timings.record(rounds, params={"steps": 200})
    assert judged(blocks).redefined == tuple(sorted(EQUAL))


def test_stored_result_of_equal_code_is_never_reported():
    for seed in range(10):
        base = stored(100 + seed)
        blocks = timings.blocks(200 + seed, 12, EQUAL, sides=TWICE)
        found = judge.judge_stored(blocks, base, timings.COMMIT, DESIGN)
        assert found.exit_code == 0


@pytest.mark.parametrize("processes", [12, 1])
def test_slower_than_a_stored_result(processes):
    # The floor of a single process is the spread of processes, disturbed ones among them.
    change = 1.1 if processes > 1 else 1.5
    blocks = timings.blocks(9, 12, {**EQUAL, "gradient": change}, sides=TWICE)
    found = judge.judge_stored(blocks, stored(10, processes=processes), timings.COMMIT, DESIGN)
    assert verdicts(found)["gradient"] == "slower"
    assert found.exit_code == 1
    assert any("another session" in note for note in found.notes)


def test_stored_result_of_another_environment_is_noted():
    blocks = timings.blocks(11, 3, EQUAL, sides=TWICE)
    rounds = {name: [1e-3] * 5 for name in EQUAL}
    machine = {**timings.MACHINE, "python_version": "3.12.1", "versions": {"numba": "0.61"}}
    base = timings.record(rounds, machine=machine)
    found = judge.judge_stored(blocks, base, timings.COMMIT, DESIGN)
    assert "python_version was 3.12.1, is 3.11.7" in found.notes
    assert "numba was 0.61, is None" in found.notes


CPU = timings.MACHINE["cpu"]


@pytest.mark.parametrize(
    "machine, said",
    [
        ({"cpu": {**CPU, "model": 2}}, "cpu model"),
        ({"cpu": {**CPU, "count": 64}}, "cpu count"),
        ({"cpu": {**CPU, "flags": ["avx2", "avx512f", "fma"]}}, "vector instructions"),
        ({"gpu": "H200"}, "gpu"),
        ({"cpu": {}}, "does not name its CPU"),
    ],
)
def test_other_machines_are_refused(machine, said):
    blocks = timings.blocks(12, 2, EQUAL, sides=TWICE)
    rounds = {name: [1e-3] * 5 for name in EQUAL}
    base = timings.record(rounds, machine={**timings.MACHINE, **machine}, source="old.json")
    with pytest.raises(InputError, match=said) as raised:
        judge.judge_stored(blocks, base, timings.COMMIT, DESIGN)
    assert "old.json" in str(raised.value)


def test_other_flags_of_the_system_are_no_other_machine():
    blocks = timings.blocks(12, 2, EQUAL, sides=TWICE)
    machine = {**timings.MACHINE, "cpu": {**CPU, "flags": ["avx2", "fma"]}, "node": "elsewhere"}
    base = timings.record({name: [1e-3] * 5 for name in EQUAL}, machine=machine)
    assert judge.judge_stored(blocks, base, timings.COMMIT, DESIGN).findings


def test_other_devices_are_refused():
    blocks = timings.blocks(13, 2, EQUAL, sides=TWICE)
    base = timings.record({name: [1e-3] * 5 for name in EQUAL}, extra={"device": "cuda"})
    with pytest.raises(InputError, match=r"ran on None .* and on cuda"):
        judge.judge_stored(blocks, base, timings.COMMIT, DESIGN)


def test_verdicts_as_json():
    found = judged(timings.blocks(14, 12, EQUAL))
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["format"] == "lsm-verify-bench-compare"
    assert [each["benchmark"] for each in content["findings"]] == list(EQUAL)
    assert "measured" not in content
    assert found.measured["benchmarks"][0]["stats"]["rounds"] == 12 * timings.ROUNDS


def page(found):
    console = Console(file=io.StringIO(), width=120)
    show(found, console)
    return console.file.getvalue()


def test_page_tells_verdicts_floor_and_what_was_not_compared():
    blocks = timings.blocks(15, 12, {**EQUAL, "gradient": 1.1, "forward": 0.9})
    for block in blocks:
        rounds = {name: block["candidate"].rounds(name) for name in EQUAL}
        block["candidate"] = timings.record({**rounds, "new": [1.0]})
    text = page(judged(blocks))
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert lines["gradient"].rstrip().endswith("SLOWER")
    assert lines["forward"].rstrip().endswith("faster")
    assert lines["tangent"].rstrip().endswith("unchanged")
    assert "not compared, only the candidate has: new" in text
    assert "REGRESSION: 1 slower, 1 faster, 1 unchanged" in text
    assert "too noisy" not in text


def test_page_tells_when_the_machine_is_too_noisy():
    text = page(judged(timings.blocks(16, 12, EQUAL, drift=0.2)))
    assert "too noisy to see 5% in 3 of 3 benchmarks" in text
    assert "no regression" in text
