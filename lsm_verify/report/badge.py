"""A badge for a README: what shields.io's "endpoint" reads (shields.io/badges/endpoint-badge)."""

from __future__ import annotations

import json

from lsm_verify.report.rounding import up
from lsm_verify.verify.result import Report, Verdict

COLOURS = {
    Verdict.PASS: "brightgreen",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NONSMOOTH: "yellow",
}


def badge(report: Report, *, label: str = "gradient") -> dict[str, object]:
    """Return the endpoint's answer: the verdict, and of a pass the certified error.

    A verdict that strictness alone made is shown as it is. ``isError`` is set for a wrong gradient.
    """
    words = str(report.verdict)
    if report.verdict is Verdict.PASS:
        bounds = [c.bound for c in report.checks if c.primary and not c.covered]
        known = [bound for bound in bounds if bound is not None]
        words = f"verified, error ≤ {up(max(known), 1)}" if known else "verified"
    return {
        "schemaVersion": 1,
        "label": label,
        "message": words,
        "color": COLOURS[report.verdict],
        "isError": report.verdict is Verdict.FAIL,
    }


def render(report: Report) -> str:
    """Return the endpoint's answer as JSON."""
    return json.dumps(badge(report), ensure_ascii=False, indent=1) + "\n"
