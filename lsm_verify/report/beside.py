"""What may stand beside a report: kill matrix, benchmarks, calibration, claims, from their JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lsm_verify.bench.headlines import headlines
from lsm_verify.report.companions import require
from lsm_verify.report.tables import Cell, Table, number


def of_selftest(content: Mapping[str, Any]) -> tuple[str, list[Table]]:
    """Say what a self-test found, and show its kill matrix (``selftest --json``)."""
    require("selftest", content)
    found = content.get("selftest", content)
    mutants: Sequence[Mapping[str, Any]] = found["mutants"]
    neighbours = found["neighbours"]
    checks = list(found.get("checks") or dict.fromkeys(c for m in mutants for c in m["killed_by"]))
    killed = sum(bool(m["killed_by"]) for m in mutants)
    passed = sum(n["exit_code"] == 0 and not n["failed"] for n in neighbours)
    placed = [m["location_right"] for m in mutants if m["location_right"] is not None]
    words = (
        f"{'PASS' if found.get('passed') else 'FAIL'}: {killed} of {len(mutants)} planted errors "
        f"were found, {sum(placed)} of {len(placed)} located rightly; {passed} of "
        f"{len(neighbours)} equivalent rewritings pass."
    )
    rows = []
    for m in mutants:
        signs = [Cell("×" if c in m["killed_by"] else "·" if c in m["ran"] else "") for c in checks]
        place = {True: "right", False: "wrong", None: ""}[m["location_right"]]
        rows.append((Cell(m["name"], below=m["location"] or ""), *signs, Cell(place)))
    matrix = Table(
        "Kill matrix: × found by this check, · not found, blank: not asked",
        ("planted error", *checks, "place"),
        tuple(rows),
        closed=f"Kill matrix ({len(mutants)} planted errors × {len(checks)} checks)",
    )
    limits = [
        (
            Cell(limit["check"]),
            Cell(limit["dtype"]),
            Cell(limit["part"]),
            number(limit["size"], ".0e"),
        )
        for limit in found.get("limits") or ()
    ]
    tables = [matrix]
    if limits:
        caption = "Smallest relative error of one step's emission that a check saw"
        tables.append(Table(caption, ("check", "dtype", "in", "error"), tuple(limits)))
    return words, tables


def of_benchmarks(document: Mapping[str, Any]) -> tuple[str, list[Table]]:
    """Say where benchmarks were measured, and show the ratios (``bench run -o``)."""
    require("benchmarks", document)
    info = document.get("machine_info") or {}
    cpu = (info.get("cpu") or {}).get("brand_raw", "unknown CPU")
    commit = (document.get("commit_info") or {}).get("id", "unknown")[:12]
    words = (
        f"{cpu}, {info.get('processors', '?')} processors; GPU: {info.get('gpu') or 'none'}; "
        f"commit {commit}, {document.get('datetime', '')[:10]}. Per column, the shortest round of "
        "each: a ratio says how many times as long the other takes. One run on one machine: "
        "compare the two columns, not digits."
    )
    rows = [
        (Cell(h.what), Cell(h.other), number(h.ratio, ".3g"), Cell(h.because))
        for h in headlines(dict(document))
    ]
    return words, [Table("Headlines", ("what", "against", "ratio", "because"), tuple(rows))]


def of_calibration(content: Mapping[str, Any]) -> tuple[str, list[Table]]:
    """Say what a calibration estimated (``calibrate --json``)."""
    require("calibration", content)
    starts, best, unknowns = content["starts"], content["best"], content["unknowns"]
    words = (
        f"{content['case']}: {content['title']}; {content['method']}, route {content['route']}, "
        f"{len(starts)} starts."
    )
    ended = [s["estimate"] for s in starts if s["objective"] is not None]
    if not ended:
        return f"{words} No estimate: no start reached a solution.", []
    known = [name for name in ("truth", "published") if content.get(name) is not None]
    rows = []
    for k, unknown in enumerate(unknowns):
        column = [estimate[k] for estimate in ended]
        rows.append(
            (
                Cell(unknown["label"]),
                number(starts[best]["estimate"][k], ".8g"),
                number(min(column), ".6g"),
                number(max(column), ".6g"),
                *(number(content[name][k], ".6g") for name in known),
                Cell(unknown["unit"]),
            )
        )
    words += (
        f" Best of start {best}: RMSE {starts[best]['rmse']:.4g} in the observations' units, "
        f"{starts[best]['iterations']} iterations."
    )
    heads = ("parameter", "estimate", "least of all starts", "largest", *known, "unit")
    warnings = " ".join(content.get("warnings") or ())
    return words, [Table("Estimates", heads, tuple(rows), note=warnings)]


def of_claims(content: Mapping[str, Any]) -> tuple[str, list[Table]]:
    """Say which claims of the paper hold, and on what evidence (``reproduce``)."""
    require("claims", content)
    claims = content["claims"]
    rows = [
        (Cell(c["statement"], below=c["name"]), Cell(c["verdict"]), Cell(c["evidence"]))
        for c in claims
    ]
    words = f"{content.get('paper', '')}. {content.get('command', '')}".strip()
    heads = ("claim", "verdict", "evidence")
    return words, [Table("Claims of the paper and what became of them", heads, tuple(rows))]
