"""See that ``bench compare`` calls equal code equal, and a kernel that is 10 % slower slower.

    python tools/compare_selftest.py [--equal 20] [--planted 5] [--blocks 6]

compares a commit with a copy in which every call of the kernels is kept busy for a tenth of its own
time more, and so many times with itself; after each it writes ``compare.json`` and ``compare.md``
below ``reports/benchmarks``. The verdicts come from the command line, as a user gets them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from time_kernels import processor

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "reports" / "benchmarks"
COMMAND = "{python} tools/time_kernels.py {output}"

PLANTED = 0.10
WRAPPER = '''

def _slowed(run):
    """Keep the processor busy for a share more of the time that a call takes."""
    from time import perf_counter

    def slow(*arguments, **options):
        begin = perf_counter()
        found = run(*arguments, **options)
        end = perf_counter()
        while perf_counter() < end + {share} * (end - begin):
            pass
        return found

    return slow


gradient = _slowed(gradient)
'''


def compare(folder: Path, blocks: int, seed: int) -> dict[str, Any]:
    """Run the command line in a repository; return its verdicts and exit code."""
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "verdicts.json"
        words = ["bench", "compare", "HEAD", "--command", COMMAND, "--json", str(path)]
        words += ["--blocks", str(blocks), "--seed", str(seed)]
        done = subprocess.run(
            [sys.executable, "-c", "from lsm_verify.cli import main; main()", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "reference")])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise SystemExit(f"bench compare ended with {done.returncode}: {done.stderr}")
        return {"exit_code": done.returncode, **json.loads(path.read_text())}


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Pick what counts of one comparison."""
    keys = ("benchmark", "ratio", "interval", "p_value", "floor", "verdict")
    return {
        "exit_code": found["exit_code"],
        "blocks": found["blocks"],
        "findings": [{key: each[key] for key in keys} for each in found["findings"]],
    }


def markdown(document: dict[str, Any]) -> str:
    """Render the same as a page."""
    lines = [
        "# Does `bench compare` tell equal from slower?",
        "",
        f"`{document['command']}` on {document['cpu']}, commit {document['commit'][:10]}.",
        "",
        f"- A commit with itself: {document['false_alarms']} of {len(document['equal'])} "
        "comparisons report a change.",
        f"- Every call {PLANTED:.0%} longer: {document['detected']} of "
        f"{len(document['planted'])} comparisons exit with 1; "
        f"{document['rows_detected']} of {document['rows_planted']} rows are called slower.",
        "",
        "| | row | ratios | noise floor | verdict | times |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in ("equal", "planted"):
        rows: dict[str, list[dict[str, Any]]] = {}
        for each in document[kind]:
            for finding in each["findings"]:
                rows.setdefault(finding["benchmark"], []).append(finding)
        for name, findings in rows.items():
            ratios = sorted(f["ratio"] for f in findings)
            floors = sorted(f["floor"] for f in findings)
            verdicts = {f["verdict"] for f in findings}
            lines.append(
                f"| {kind} | {name.split('::')[-1]} | {ratios[0]:.3f} to {ratios[-1]:.3f} | "
                f"{floors[0]:.1%} to {floors[-1]:.1%} | {', '.join(sorted(verdicts))} | "
                f"{len(findings)} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all comparisons; write after each, so that an interrupt loses none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--equal", type=int, default=20)
    parser.add_argument("--planted", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=6)
    asked = parser.parse_args()
    document: dict[str, Any] = {
        "command": "python tools/compare_selftest.py "
        f"--equal {asked.equal} --planted {asked.planted} --blocks {asked.blocks}",
        "cpu": processor()["brand_raw"],
        "python": platform.python_version(),
        "equal": [],
        "planted": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "repository"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        head = subprocess.run(
            ["git", "-C", str(clone), "rev-parse", "HEAD"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        document["commit"] = head.stdout.strip()
        kernels = clone / "lsm_verify" / "kernels" / "cpu.py"
        source = kernels.read_text()
        for kind, count in (("planted", asked.planted), ("equal", asked.equal)):
            change = WRAPPER.format(share=PLANTED) if kind == "planted" else ""
            kernels.write_text(source + change)
            for seed in range(count):
                document[kind].append(summary(compare(clone, asked.blocks, seed)))
                print(kind, seed, document[kind][-1]["exit_code"], flush=True)
                _write(document)


def _write(document: dict[str, Any]) -> None:
    verdicts = [f["verdict"] for each in document["planted"] for f in each["findings"]]
    document["false_alarms"] = sum(
        any(f["verdict"] != "unchanged" for f in each["findings"]) for each in document["equal"]
    )
    document["detected"] = sum(each["exit_code"] == 1 for each in document["planted"])
    document["rows_planted"] = len(verdicts)
    document["rows_detected"] = verdicts.count("slower")
    (REPORTS / "compare.json").write_text(json.dumps(document, indent=1) + "\n")
    (REPORTS / "compare.md").write_text(markdown(document))


if __name__ == "__main__":
    main()
