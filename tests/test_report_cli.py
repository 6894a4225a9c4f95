"""``lsm-verify report``: stored results rendered by the code of check."""

import json
import shutil
from pathlib import Path

import pytest

from lsm_verify import report_cli
from lsm_verify.verify.result import SCHEMA_VERSION
from tests.report.samples import CALIBRATION

ROOT = Path(__file__).parents[1]

MORE = {
    "selftest": ROOT / "reports" / "selftest.json",
    "benchmarks": ROOT / "reports" / "benchmarks" / "cpu.json",
    "claims": ROOT / "reports" / "reproduction" / "claims.json",
}

CHEAP = ["check", "twin", "--routes", "adjoint,complex-step", "--points", "0", "--fast"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A result of check, and what check printed and wrote as JUnit."""
    from lsm_verify import cli

    folder = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("lsm_verify.check_cli.print_text", printed.append)
        words = ["--json", str(folder / "r.json"), "--junit", str(folder / "j.xml")]
        assert cli.run([*CHEAP, *words]) == 0
    return folder / "r.json", folder / "j.xml", "".join(printed)


@pytest.fixture
def changed(stored, tmp_path):
    """Copy the result with a change."""

    def copy(**values):
        content = json.loads(stored[0].read_text(encoding="utf-8")) | values
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return copy


def test_prints_what_check_printed(run, stored):
    assert run("report", stored[0]) == (0, stored[2], "")


def test_writes_what_check_wrote(run, stored, tmp_path):
    code, out, err = run("report", stored[0], "--junit", tmp_path / "j.xml")
    assert (code, out, err) == (0, "", "")
    assert (tmp_path / "j.xml").read_bytes() == stored[1].read_bytes()


@pytest.mark.parametrize("code, verdict", [(0, "PASS"), (1, "FAIL"), (3, "INCONCLUSIVE")])
def test_exit_code_is_that_of_rendering_unless_asked(run, changed, code, verdict):
    path = changed(exit_code=code, verdict=verdict)
    assert run("report", path)[0] == 0
    assert run("report", path, "--exit-code")[0] == code


def test_a_red_result_begins_and_ends_with_what_is_wrong(run, stored, changed):
    content = json.loads(stored[0].read_text(encoding="utf-8"))
    check = content["checks"][0] | {"verdict": "FAIL", "message": "adjoint stands apart",
                                    "bound": 0.25, "parameters": ["albedo"],
                                    "odd_one_out": "adjoint"}  # fmt: skip
    point = content["points"][0]
    row = point["rows"][0] | {"verdict": "FAIL", "gradients": {"adjoint": 1.5, "complex-step": 2.0}}
    points = [point | {"rows": [row, *point["rows"][1:]]}, *content["points"][1:]]
    path = changed(verdict="FAIL", exit_code=1, checks=[check], points=points)
    code, out, _ = run("report", path, "--exit-code")
    assert code == 1
    first = " ".join(" ".join(out.splitlines()[1:5]).split())
    last = " ".join(out[out.rindex("FAIL") :].split())
    for place in (first, last):
        for words in ("FAIL", "agreement", "at start", "adjoint stands apart", "albedo",
                      "∂J/∂α is 1.5 by adjoint, 2 by others", "error up to 2.5e-01"):  # fmt: skip
            assert words in place
    assert out.count("replay with: lsm-verify check --replay ") == 2
    assert first.index("replay with") > 0


def test_companions_are_recognised_by_content(stored, tmp_path):
    shutil.copy(MORE["selftest"], tmp_path / "a.json")
    shutil.copy(MORE["benchmarks"], tmp_path / "b.json")
    calibration = tmp_path / "c.json"
    calibration.write_text(json.dumps(CALIBRATION))
    more = [tmp_path / "b.json", MORE["claims"], tmp_path / "a.json", calibration]
    report, beside = report_cli.read(stored[0], more)
    assert report.case == "twin"
    assert beside.keys() == {"selftest", "benchmarks", "claims", "calibration"}
    assert "mutants" in beside["selftest"]
    # The result may stand anywhere.
    again, same = report_cli.read(more[0], [*more[1:], stored[0]])
    assert again.to_json() == report.to_json()
    assert same == beside


class TestRefusals:
    @pytest.mark.parametrize(
        "content, message",
        [
            ("{", "is no JSON"),
            ("[]", "holds a list, no result"),
            ("{}", "is no result that is known here; give a file of check --json, selftest"),
            ('{"verdict": "PASS", "checks": []}', "has schema version None"),
        ],
    )
    def test_a_file_that_is_no_result(self, refused, tmp_path, content, message):
        path = tmp_path / "r.json"
        path.write_text(content, encoding="utf-8")
        assert message in refused("report", path)

    def test_no_file(self, refused, tmp_path):
        message = refused("report", tmp_path / "none.json")
        assert message == (
            f"cannot read {tmp_path / 'none.json'}: No such file or directory; check the name."
        )
        assert refused("report").endswith(". See lsm-verify report --help.")
        assert "cannot read" in refused("report", tmp_path)

    def test_a_version_of_the_future(self, refused, changed):
        message = refused("report", changed(schema_version=SCHEMA_VERSION + 1))
        assert f"schema version {SCHEMA_VERSION + 1}" in message

    def test_a_damaged_field(self, refused, changed):
        path = changed(verdict="PASSED")
        assert refused("report", path).startswith(f"{path}: unknown value of verdict 'PASSED'")

    def test_companions_without_a_page(self, refused, stored):
        message = refused("report", stored[0], MORE["claims"])
        assert message.endswith("shown in the page alone; give --html FILE or -o DIR.")

    @pytest.mark.parametrize(
        "content, lacks, writes",
        [
            ({"mutants": [{}], "neighbours": []}, "it lacks 'passed'.", "selftest --json"),
            ({"mutants": [{}], "neighbours": [], "passed": True}, "mutants[0] lacks 'name'.",
             "selftest --json"),
            ({"benchmarks": [{}], "machine_info": {}}, "benchmarks[0] lacks 'name'.",
             "bench run -o"),
            (CALIBRATION | {"starts": [{}]}, "starts[0] lacks 'estimate'.", "calibrate --json"),
            ({"format": "lsm-verify reproduction 1", "claims": [{}]}, "claims[0] lacks 'name'.",
             "reproduce (claims.json)"),
        ],
    )  # fmt: skip
    def test_a_damaged_companion(self, refused, stored, tmp_path, content, lacks, writes):
        path = tmp_path / "more.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        message = refused("report", stored[0], path, "-o", tmp_path / "out")
        assert message == f"{path}: {lacks} Give a file of {writes}."
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("form", ["--html", "-o", None])
    def test_parts_that_do_not_fit_together(self, refused, stored, changed, tmp_path, form):
        points = json.loads(stored[0].read_text(encoding="utf-8"))["points"]
        points[0]["values"] = {}
        path = changed(points=points)
        message = refused("report", path, *([form, tmp_path / "out"] if form else []))
        assert message.startswith(f"{path}: points[0].values is empty;")

    def test_two_of_a_kind(self, refused, stored, tmp_path):
        message = refused("report", stored[0], stored[0], "-o", tmp_path / "out")
        assert message.endswith("are both of check --json; give one.")

    def test_no_result_among_the_files(self, refused, tmp_path):
        message = refused("report", MORE["claims"], "-o", tmp_path / "out")
        assert "a result of check --json is wanted beside it" in message

    def test_a_place_that_cannot_be_written(self, refused, stored, tmp_path):
        message = refused("report", stored[0], "--junit", tmp_path / "no" / "j.xml")
        assert "the folder" in message
        assert message.endswith("create it first.")
        assert "is no folder" in refused("report", stored[0], "-o", stored[0])
