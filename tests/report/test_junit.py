"""JUnit XML: what is a failure, an error, skipped; what a viewer can read from it."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from lsm_verify import Location, Problem, Verdict, verify
from lsm_verify.report.junit import render

X = [1.3, 0.7, 0.8]


def named(p):
    return rosen(np.array([p["a"], p["b"], 1.1]))


def half_wrong(p):
    slope = rosen_der(np.array([p["a"], p["b"], 1.1]))
    return {"a": slope[0], "b": 2 * slope[1]}


def cases(report):
    root = ElementTree.fromstring(render(report))
    suite = root.find("testsuite")
    assert root.tag == "testsuites"
    assert suite is not None
    return suite, suite.findall("testcase")


def properties(case):
    return {p.get("name"): p.get("value") for p in case.findall("properties/property")}


@pytest.fixture(scope="module")
def right():
    return verify(Problem(rosen, X, gradients={"rosen_der": rosen_der}))


@pytest.fixture(scope="module")
def wrong():
    problem = Problem(named, {"a": 1.3, "b": 0.7}, gradients={"mine": half_wrong}, name="mine <&>")
    return verify(problem)


def test_a_case_per_check_and_per_parameter(right):
    suite, found = cases(right)
    assert len(found) == len(right.checks) + 1
    assert suite.get("tests") == str(len(found))
    assert [suite.get(k) for k in ("failures", "errors", "skipped")] == ["0", "0", "0"]
    assert found[-1].get("name") == "gradient of J by x"


def test_the_report_renders_itself(wrong):
    assert wrong.to_junit() == render(wrong)


def test_bounds_are_properties_with_all_their_digits(right):
    _, found = cases(right)
    check = right.checks[0]
    assert float(properties(found[0])["bound"]) == check.bound
    assert float(properties(found[0])["detectable"]) == check.detectable
    assert properties(found[0])["verdict"] == "PASS"


def test_a_wrong_gradient_is_a_failure_and_names_the_parameter(wrong):
    suite, found = cases(wrong)
    failed = {c.get("name"): c for c in found if c.find("failure") is not None}
    assert suite.get("failures") == str(len(failed))
    assert "gradient of J by b" in failed
    assert "gradient of J by a" not in failed
    message = failed["gradient of J by b"].find("failure").get("message")
    assert "mine" in message
    check = next(c for n, c in failed.items() if n.startswith("finite-difference"))
    assert "parameters: b" in check.find("failure").get("message")
    assert properties(check)["parameters"] == "b"


def test_an_inconclusive_gate_is_an_error_and_a_secondary_check_skipped():
    flat = verify(Problem(lambda x: 3.0, [1.0], gradients={"zero": lambda x: 0 * x}))
    suite, found = cases(flat)
    assert flat.exit_code == 3
    gate = next(c for c in found if c.get("name").startswith("finite-difference"))
    second = next(c for c in found if c.get("name").startswith("taylor"))
    assert gate.find("error") is not None
    assert second.find("skipped") is not None
    assert suite.get("errors") == "1"


def test_what_did_not_pass_holds_its_command(right, wrong):
    command = "lsm-verify check model:problem --seed 0"
    _, found = cases(replace(wrong, command=command))
    failures = [c.find("failure") for c in found if c.find("failure") is not None]
    assert {f.text for f in failures} == {f"replay with: {command}"}
    assert any("gradient of J by b" in c.get("name") for c in found)
    assert command not in render(replace(right, command=command))
    assert "replay with" not in render(wrong)  # a run in Python has no command


def test_step_node_and_term_are_shown(wrong):
    where = Location(48, 0, "emission", "autograd", "step 48, node 0, emission 4εσT³: half")
    first = next(k for k, c in enumerate(wrong.checks) if c.verdict is Verdict.FAIL)
    checks = list(wrong.checks)
    checks[first] = replace(checks[first], location=where)
    _, found = cases(replace(wrong, checks=tuple(checks)))
    shown = properties(found[first])
    assert (shown["step"], shown["node"], shown["term"]) == ("48", "0", "emission")
    assert shown["route"] == "autograd"
    assert "step 48, node 0, emission 4εσT³" in found[first].find("failure").get("message")
