"""A report as JUnit XML: a test case per check, and one per parameter at every point.

Elements and attributes are those that the viewers of Jenkins, GitLab and GitHub's actions read,
and ``properties`` inside of a test case, which Jenkins' and pytest's reports have too; a viewer
that does not know them passes over them.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from lsm_verify.report.findings import RANK, headline, stops, wrong_row
from lsm_verify.report.text import detail, replayed
from lsm_verify.verify.result import CheckResult, GradientRow, PointResult, Report, Verdict

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold (W3C 2008, production 2), not even escaped."""


def render(report: Report) -> str:
    """Return the XML; what fails the gate is a failure or an error, what stays open is skipped.

    A wrong gradient is a ``failure``; a gate that could not conclude an ``error``; a secondary
    check that could not conclude is ``skipped`` with its reason. Their message says in one line
    what, where and by how much; their text gives all that is known and the command that asks the
    same again.
    """
    suite = ElementTree.Element("testsuite", name=f"lsm-verify {report.case}")
    for check in report.checks:
        _add_check(suite, report, check)
    for point in report.points:
        for parameter in dict.fromkeys(row.parameter for row in point.rows):
            rows = [row for row in point.rows if row.parameter == parameter]
            _add_parameter(suite, report, point, parameter, rows)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{sum(report.seconds.values()):.3f}")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    _clean(root)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_check(suite: ElementTree.Element, report: Report, check: CheckResult) -> None:
    name = f"{check.check} ({check.objective})" if check.objective else check.check
    if check.subject:
        name += f": {check.subject}"
    case = _case(suite, report, check.point, name)
    location = check.location
    _properties(
        case,
        {
            "verdict": check.verdict.value,
            "statistic": check.statistic,
            "value": check.value,
            "pass_limit": check.pass_limit,
            "bound": check.bound,
            "detectable": check.detectable,
            "seed": check.seed,
            "parameters": ", ".join(check.parameters) or None,
            "route": check.odd_one_out or (location.route if location else None) or None,
            "step": location.step if location else None,
            "node": location.node if location else None,
            "term": location.term if location else None,
        },
    )
    if check.verdict is Verdict.PASS:
        return
    tag = "failure" if check.verdict is Verdict.FAIL else "error" if stops(check) else "skipped"
    found = _add_outcome(case, tag, headline(report, check), detail(check), report)
    if tag != "skipped":
        found.set("type", check.verdict.value)


def _add_parameter(
    suite: ElementTree.Element,
    report: Report,
    point: PointResult,
    parameter: str,
    rows: list[GradientRow],
) -> None:
    worst = min(rows, key=lambda row: (RANK.index(row.verdict), -row.share))
    case = _case(suite, report, point.point, f"gradient of {point.objective} by {parameter}")
    _properties(
        case,
        {
            "verdict": worst.verdict.value,
            "components": len(rows),
            "worst_component": ",".join(map(str, worst.component)) or None,
            "share": worst.share,
            "agreement_z": worst.agreement_z,
            "bound": _bound(rows),
            **{f"gradient by {route}": value for route, value in worst.gradients.items()},
        },
    )
    if worst.verdict is Verdict.FAIL:
        text = wrong_row(point, worst)
        _add_outcome(case, "failure", text, "", report).set("type", worst.verdict.value)


def _bound(rows: list[GradientRow]) -> float | None:
    """Return the largest bound; of a number without one nothing is certified."""
    bounds = [row.bound for row in rows if row.bound is not None]
    return max(bounds) if len(bounds) == len(rows) else None


def _add_outcome(
    case: ElementTree.Element, tag: str, message: str, more: str, report: Report
) -> ElementTree.Element:
    """Add what a viewer shows of a test case that did not pass."""
    found = ElementTree.SubElement(case, tag, message=message)
    lines = [more, replayed(report) if report.command else ""]
    found.text = "\n".join(line for line in lines if line)
    return found


def _case(suite: ElementTree.Element, report: Report, point: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", classname=f"{report.case}.{point.replace(' ', '_')}", name=name, time="0"
    )


def _properties(case: ElementTree.Element, values: dict[str, object]) -> None:
    """Attach what is known as properties; numbers keep all their digits."""
    known = [(name, value) for name, value in values.items() if value is not None]
    box = ElementTree.SubElement(case, "properties")
    for name, value in known:
        ElementTree.SubElement(box, "property", name=name, value=str(value))


def _clean(root: ElementTree.Element) -> None:
    """Replace what XML cannot hold: control characters in a user's names and messages, say."""
    for element in root.iter():
        for name, value in element.items():
            element.set(name, FORBIDDEN.sub("\ufffd", value))
        if element.text:
            element.text = FORBIDDEN.sub("\ufffd", element.text)
