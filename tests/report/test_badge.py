"""The badge's endpoint and the provenance: every value is the report's."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lsm_verify import Verdict
from lsm_verify.report import badge, provenance
from lsm_verify.report.rounding import up
from tests.report.reports import check, flat, located, right, wrong


@pytest.mark.parametrize(
    "made, colour, error",
    [(right, "brightgreen", False), (wrong, "red", True), (flat, "yellow", False)],
)
def test_colour_and_words_follow_the_verdict(made, colour, error):
    found = json.loads(badge.render(made()))
    assert found["schemaVersion"] == 1
    assert found["label"] == "gradient"
    assert (found["color"], found["isError"]) == (colour, error)
    assert (str(made().verdict) in found["message"]) == (made().verdict is not Verdict.PASS)


def test_a_pass_shows_the_largest_bound_rounded_up():
    made = replace(right(), checks=(check(bound=1.1e-12), check(bound=2e-13)))
    assert badge.badge(made)["message"] == "verified, error ≤ 2e-12"
    made = replace(right(), checks=(check(bound=None),))
    assert badge.badge(made)["message"] == "verified"


@pytest.mark.parametrize("value", [1.01e-12, 1.9e-12, 2e-12, 9.96e-13, 3.0000000001e4])
def test_a_bound_is_never_rounded_down(value):
    assert value <= float(up(value)) <= value * 1.1


def test_provenance_holds_what_it_takes_to_repeat():
    found = json.loads(provenance.render(located()))
    assert found["command"] == located().command
    assert found["options"]["seed"] == 7
    assert found["seeds"] == [7]
    assert found["data"] == {"tower.nc": {"sha256": "ab" * 32}}
    assert found["made_with"] == {
        k: v for k, v in located().provenance.items() if not k.startswith("sha256")
    }
    assert found["result"]["verdict"] == "FAIL"
    assert found["result"]["checks"] == {
        "FAIL": 1, "INCONCLUSIVE": 2, "PASS": 1, "NONSMOOTH": 0
    }  # fmt: skip


def test_provenance_of_a_run_has_versions_and_seed():
    found = json.loads(provenance.render(right()))
    assert found["made_with"]["numpy"] == right().provenance["numpy"]
    assert right().options.seed in found["seeds"]
    assert json.loads(provenance.render(replace(right(), command="")))["command"] is None
