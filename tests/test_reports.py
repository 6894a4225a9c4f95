"""The committed reports and the README's output can be made again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import lsm_verify as lv
from lsm_verify import cli
from lsm_verify.routes import ROUTES

ROOT = Path(__file__).parents[1]
RELATIVE = 1e-9
"""Objectives and gradients move with the platform's arithmetic by some 1e-12 of ‖g∘s‖."""

SHOWN = 1e-5
"""The README shows five digits after the point."""

CASES = ("twin", "twin-one-depth", "layered", pytest.param("phoenix", marks=pytest.mark.phoenix))


@pytest.fixture(scope="module")
def committed():
    content = json.loads((ROOT / "reports" / "verification.json").read_text(encoding="utf-8"))
    return {report["case"]: report for report in content["reports"]}


@pytest.fixture
def load(request):
    def load_case(name):
        data = request.getfixturevalue("data_dir") if name == "phoenix" else None
        return lv.load_case(name, data=data)

    return load_case


@pytest.mark.parametrize("name", CASES)
def test_objective_and_gradient_are_those_reported(name, committed, load):
    case = load(name)
    points = {"start": case.point("start")}
    points |= {f"random {i + 1}": p for i, p in enumerate(case.random_points(2, 0))}
    points |= {p: case.point(p) for p in case.points()}
    scales = case.scales
    reported = committed[name]["points"]
    assert {p["point"] for p in reported} == set(points)
    for entry in reported:
        value, gradient = lv.gradient(case, points[entry["point"]], route="adjoint")
        assert value == pytest.approx(entry["value"], rel=RELATIVE, abs=1e-20)
        for parameter, slope in entry["gradient"].items():
            error = abs(float(gradient[parameter]) - slope) * float(scales[parameter])
            assert error <= RELATIVE * max(entry["norm"], 1e-12)


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_reported_as_passed(name, committed):
    assert committed[name]["verdict"] == "PASS"
    assert committed[name]["exit_code"] == 0


def test_phoenix_misfit_is_the_one_reported(committed, load):
    case = load("phoenix")
    value, _ = lv.gradient(case, case.point("published"), route="adjoint")
    entry = next(p for p in committed["phoenix"]["points"] if p["point"] == "published")
    assert np.sqrt(value) == pytest.approx(0.9356, abs=5e-5)
    assert "all [K] 0.9356" in entry["misfit"]


def test_readme_shows_the_gradient_of_the_twin():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = next(line for line in text.splitlines() if line.startswith("adjoint  "))
    value, gradient = lv.gradient(lv.load_case("twin"), route="adjoint")
    found = [float(cell) for cell in shown.split()[1:]]
    assert found == pytest.approx([value, *map(float, gradient.values())], rel=SHOWN)


def test_readme_and_help_know_every_route():
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    wide = CliRunner(env={"COLUMNS": "400"})
    help_ = wide.invoke(cli.app, ["check", "--help"]).output
    table = shown.partition("| route | what it is |")[2]
    page = (ROOT / "docs" / "tutorials" / "our-model.md").read_text(encoding="utf-8")
    whole = page.partition("lsm-verify check twin -->\n```\n")[2].partition("\n```\n")[0]
    for name, route in ROUTES.items():
        assert f"| `{name}` |" in table
        assert name in help_
        assert not route.default or f"\n{name}  " in whole


def test_the_reported_selftest_is_of_this_catalogue_and_passed():
    from lsm_verify.mutants.catalogue import MUTANTS
    from lsm_verify.mutants.outcome import LOCATED_SHARE

    content = json.loads((ROOT / "reports" / "selftest.json").read_text(encoding="utf-8"))
    found = content["selftest"]
    assert [m["name"] for m in found["mutants"]] == list(MUTANTS)
    assert found["passed"] is True
    assert found["missed"] == found["misjudged"] == []
    assert all(n["exit_code"] == 0 for n in found["neighbours"])
    assert found["located"]["right"] >= LOCATED_SHARE * found["located"]["known"]


def test_the_selftest_page_shows_what_the_numbers_say():
    content = json.loads((ROOT / "reports" / "selftest.json").read_text(encoding="utf-8"))
    text = (ROOT / "reports" / "selftest.md").read_text(encoding="utf-8")
    found = content["selftest"]
    assert all(m["name"] in text for m in found["mutants"])
    right, known = found["located"]["right"], found["located"]["known"]
    assert f"{right} of {known} located rightly" in text
    for part in ("adjoint", "tangent", "torch"):
        share = content["shares_at_1e-8"][part]
        assert f"| {part} | {share['agreement']} | {share['per_step']} |" in text
        seen, count = map(int, share["agreement"].split(" of "))
        assert seen >= 0.98 * count


def test_comparisons_of_equal_code_are_committed_with_their_page(monkeypatch):
    """Twenty comparisons of a commit with itself, and a planted 10 %: a run of half an hour."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import compare_selftest

    folder = ROOT / "reports" / "benchmarks"
    document = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
    assert compare_selftest.markdown(document) == (folder / "compare.md").read_text("utf-8")
    assert len(document["equal"]) >= 20
    changed = [
        each
        for each in document["equal"]
        if {f["verdict"] for f in each["findings"]} != {"unchanged"}
    ]
    assert len(changed) == document["false_alarms"] == 0
    assert all(each["exit_code"] == 0 for each in document["equal"])
    assert len(document["planted"]) >= 5
    assert all(each["exit_code"] == 1 for each in document["planted"])


def test_reproduction_of_the_paper_is_committed_with_its_page():
    from lsm_verify.inverse.claim import Claim
    from lsm_verify.report.reproduction import markdown

    folder = ROOT / "reports" / "reproduction"
    document = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
    claims = [Claim(**each) for each in document["claims"]]
    assert markdown(claims, document) == (folder / "claims.md").read_text(encoding="utf-8")
    assert all((folder / name).is_file() for name in document["figures"].values())
    named = ["one depth", "two depths", "h and β", "physics", "no adjoint", "time", "Phoenix"]
    assert [claim.name for claim in claims] == [*named, "predictions", "spread of starts"]
    assert "not judged" not in {claim.verdict for claim in claims}
