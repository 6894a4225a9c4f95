"""What it takes to make a result again, as JSON beside a paper's figures."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from lsm_verify.report.findings import RANK
from lsm_verify.verify.provenance import CHECKSUM, data_of
from lsm_verify.verify.result import Report

FORMAT = "lsm-verify provenance 1"


def provenance(report: Report) -> dict[str, Any]:
    """Return command, options and seeds, versions and machine, checksums of the data, the verdict.

    All of it is what the run wrote down then; nothing is looked up now. What it did not write down
    is ``null`` or absent.
    """
    made_with = report.provenance
    seeds = {check.seed for check in report.checks if check.seed is not None}
    return {
        "format": FORMAT,
        "case": report.case,
        "title": report.title,
        "command": report.command or None,
        "options": asdict(report.options),
        "seeds": sorted(seeds | {report.options.seed}),
        "made_with": {k: v for k, v in made_with.items() if not k.startswith(CHECKSUM)},
        "data": {name: {"sha256": digest} for name, digest in data_of(made_with).items()},
        "result": {
            "verdict": str(report.verdict),
            "exit_code": report.exit_code,
            "checks": {str(v): sum(c.verdict is v for c in report.checks) for v in RANK},
            "schema_version": report.schema_version,
        },
    }


def render(report: Report) -> str:
    """Return it as JSON."""
    return json.dumps(provenance(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
