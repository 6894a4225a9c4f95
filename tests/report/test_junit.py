"""JUnit XML: what is a failure, an error, skipped; what a viewer can read from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import numpy as np
import pytest
from lxml import etree
from scipy.optimize import rosen, rosen_der

from lsm_verify import Location, Problem, Verdict, verify
from lsm_verify.report.junit import render

SCHEMA = Path(__file__).with_name("junit.xsd")

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
    assert {f.text.splitlines()[-1] for f in failures} == {f"replay with: {command}"}
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


@pytest.fixture(scope="module")
def schema():
    return etree.XMLSchema(etree.parse(SCHEMA))


def without_properties(text):
    """Leave what the strict schemas of the viewers admit: none has properties in a test case."""
    root = etree.fromstring(text.encode())
    for box in root.xpath("//testcase/properties"):
        box.getparent().remove(box)
    return root


def test_it_keeps_to_the_schema(schema, right, wrong):
    flat = verify(Problem(lambda x: 3.0, [1.0], gradients={"zero": lambda x: 0 * x}))
    for report in (right, wrong, flat, replace(wrong, command="lsm-verify check m:p --seed 0")):
        text = render(report)
        schema.assertValid(etree.fromstring(text.encode()))
        schema.assertValid(without_properties(text))


@pytest.mark.parametrize(
    "old, new",
    [
        (' name="lsm-verify mine &lt;&amp;&gt;"', ""),
        ("<failure ", "<wrong "),
        (' failures="', ' failures="some'),
        ("<properties>", "<properties><note/>"),
    ],
)
def test_the_schema_can_refuse(schema, wrong, old, new):
    text = render(wrong)
    assert old in text
    broken = etree.fromstring(
        text.replace(old, new, 1).replace("</failure>", "</wrong>", "wrong" in new).encode()
    )
    assert not schema.validate(broken)


def test_a_reader_finds_counts_and_properties(wrong):
    """Read by the library that tools on GitHub and GitLab are made with."""
    read = junitparser.JUnitXml.fromstring(render(wrong).encode())
    (suite,) = list(read)
    failed = [
        case for case in suite if any(isinstance(r, junitparser.Failure) for r in case.result)
    ]
    assert suite.tests == len(list(suite))
    assert suite.failures == len(failed) > 0
    check = next(c for c in wrong.checks if c.verdict is Verdict.FAIL)
    values = {p.name: p.value for p in failed[0].child(junitparser.Properties)}
    assert float(values["value"]) == check.value


def test_the_first_line_of_a_failure_says_what_where_and_by_how_much(wrong):
    _, found = cases(wrong)
    messages = {c.get("name"): c.find("failure").get("message") for c in found if c.find("failure")
                is not None}  # fmt: skip
    check = next(c for c in wrong.checks if c.verdict is Verdict.FAIL)
    first = next(text for name, text in messages.items() if name.startswith("finite-difference"))
    assert "\n" not in first
    assert check.message in first
    assert "parameters: b" in first
    assert f"at {check.point}" in first
    assert f"{check.value:.3g} of {check.pass_limit:g}" in first
    assert f"{check.bound:.1e}" in first
    row = next(r for r in wrong.points[0].rows if r.verdict is Verdict.FAIL)
    by_row = messages["gradient of J by b"]
    assert f"mine {row.gradients['mine']:.9g}" in by_row
    assert f"differences {row.finite_difference:.9g} ± {row.finite_difference_uncertainty:.1e}" in (
        by_row
    )


def test_what_xml_cannot_hold_is_replaced(schema, wrong):
    made = replace(wrong, case="a\x1b[31m\x00b\ud800", title="\x07")
    text = render(made).encode("utf-8")
    root = etree.fromstring(text)
    schema.assertValid(root)
    assert "a\ufffd[31m\ufffdb\ufffd" in root.find("testsuite").get("name")


def test_a_parameter_of_which_one_number_has_no_bound_has_none(right):
    rows = right.points[0].rows
    assert len(rows) > 1
    made = replace(
        right, points=(replace(right.points[0], rows=(replace(rows[0], bound=None), *rows[1:])),)
    )

    def bounds(report):
        cases = ElementTree.fromstring(render(report).encode()).iter("testcase")
        (case,) = [c for c in cases if c.get("name").startswith("gradient of")]
        return [p.get("value") for p in case.iter("property") if p.get("name") == "bound"]

    assert bounds(right) == [str(max(row.bound for row in rows))]
    assert bounds(made) == []
