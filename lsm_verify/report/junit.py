"""A report as JUnit XML: a test case per check, and one per parameter at every point."""

from __future__ import annotations

from xml.etree import ElementTree

from lsm_verify.report.text import detail, replayed
from lsm_verify.verify.result import CheckResult, GradientRow, PointResult, Report, Verdict

RANK = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)


def render(report: Report) -> str:
    """Return the XML; what fails the gate is a failure or an error, what stays open is skipped.

    A wrong gradient is a ``failure``; a gate that could not conclude an ``error``; a secondary
    check that could not conclude is ``skipped`` with its reason. Their text is the command that
    asks the same again, where it is known.
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
    gate = check.verdict is Verdict.FAIL or (check.primary and not check.covered)
    tag = "failure" if check.verdict is Verdict.FAIL else "error" if gate else "skipped"
    found = _add_outcome(case, tag, detail(check), report)
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
            "bound": max((r.bound for r in rows if r.bound is not None), default=None),
            **{f"gradient by {route}": value for route, value in worst.gradients.items()},
        },
    )
    if worst.verdict is Verdict.FAIL:
        values = ", ".join(f"{route} {value:.9g}" for route, value in worst.gradients.items())
        text = f"the gradient by {parameter} is wrong: {values}"
        if worst.finite_difference is None and worst.agreement_z is None:
            text = f"a number of the gradient by {parameter} is wrong; which is not known"
        _add_outcome(case, "failure", text, report).set("type", worst.verdict.value)


def _add_outcome(
    case: ElementTree.Element, tag: str, message: str, report: Report
) -> ElementTree.Element:
    """Add what a viewer shows of a test case that did not pass."""
    found = ElementTree.SubElement(case, tag, message=message)
    if report.command:
        found.text = replayed(report)
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
