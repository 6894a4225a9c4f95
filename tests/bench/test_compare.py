"""``bench compare`` from its command line to its files, on trees whose times stand in a file."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lsm_verify.bench_cli import app
from lsm_verify.errors import InputError
from tests.bench import trees

BLOCKS = ["--blocks", "6"]  # 2 · 3^-6 = 0.003 is below 0.01


@pytest.fixture
def repository(tmp_path, monkeypatch):
    root = trees.make(tmp_path / "toy")
    monkeypatch.chdir(root)
    return root


def run(*words):
    found = CliRunner().invoke(app, ["compare", *words, *BLOCKS, "--command", trees.LINE])
    if isinstance(found.exception, InputError):
        raise found.exception
    return found


@pytest.mark.parametrize(
    "cost, code, said",
    [("1e-3", 0, "1 unchanged"), ("1.1e-3", 1, "SLOWER"), ("0.9e-3", 0, "1 faster")],
)
def test_verdict_against_a_commit(repository, cost, code, said):
    (repository / "cost.txt").write_text(cost)
    found = run("main")
    assert (found.exit_code, said in found.stdout) == (code, True)
    assert trees.worktrees(repository) == [str(repository)]


def test_files_and_the_stored_result_they_make(repository, tmp_path):
    paths = {name: tmp_path / f"{name}.json" for name in ("times", "metrics", "verdicts")}
    options = ["-o", paths["times"], "--bencher", paths["metrics"], "--json", paths["verdicts"]]
    assert run("main", *map(str, options)).exit_code == 0
    times, metrics, verdicts = (json.loads(path.read_text()) for path in paths.values())
    assert times["benchmarks"][0]["stats"]["rounds"] == 6 * 5
    assert times["commit_info"]["id"] == trees.git(repository, "rev-parse", "HEAD").strip()
    assert metrics["toy.py::work"]["gradient-error"]["value"] == 1e-15
    assert verdicts["findings"][0]["verdict"] == "unchanged"
    assert run(str(paths["times"])).exit_code == 0
    (repository / "cost.txt").write_text("1.1e-3")
    assert run(str(paths["times"])).exit_code == 1


def test_nothing_in_common_is_exit_code_three(repository, tmp_path):
    renamed = trees.PROGRAM.replace("toy.py::work", "toy.py::other")
    (repository / "toy.py").write_text(renamed)
    found = run("main")
    assert found.exit_code == 3
    assert "NOTHING MEASURED" in found.stdout
    assert "only the base has: toy.py::work" in found.stdout


def test_nothing_ran_is_exit_code_three_and_writes_no_times(repository, tmp_path):
    (repository / "toy.py").write_text("raise SystemExit(3)")
    found = run("main", "-o", str(tmp_path / "times.json"))
    assert found.exit_code == 3
    assert not (tmp_path / "times.json").exists()


def test_other_dependencies_are_refused_before_anything_runs(repository):
    (repository / "toy.py").write_text("raise SystemExit('must not run')")
    (repository / "constraints.txt").write_text("numpy==2.5\n")
    with pytest.raises(InputError, match=r"constraints.txt differs"):
        run("main")


def test_wrong_usage_is_refused_before_anything_runs(repository, tmp_path):
    for words, said in [
        (["nope"], "neither a result file nor a commit"),
        (["none.json"], r"cannot read none\.json"),
        (["main", "-o", "no/such/folder.json"], "the folder no/such does not exist"),
        (["main", "-o", "a.json", "--json", "a.json"], "name one file twice"),
        (["main", "--minimum-effect", "5"], "minimum_effect=5.0"),
    ]:
        with pytest.raises(InputError, match=said):
            run(*words)


def test_command_line_must_say_where_its_result_goes(repository):
    for line, said in [("pytest tests", "write {output}"), ('"', "cannot be split")]:
        found = CliRunner().invoke(app, ["compare", "main", "--command", line])
        assert isinstance(found.exception, InputError)
        assert said in str(found.exception)


def test_history_command(repository, tmp_path):
    assert run("main", "-o", str(tmp_path / "times.json")).exit_code == 0
    words = ["history", "kept", "--add", str(tmp_path / "times.json")]
    found = CliRunner().invoke(app, [*words, "--figure", "trend.svg", "--markdown", "trend.md"])
    assert found.exit_code == 0
    assert (repository / "trend.svg").read_text().startswith("<?xml")
    assert "| `toy.py::work` | 1.00 ms |" in (repository / "trend.md").read_text()
    assert "1.00 ms" in CliRunner().invoke(app, ["history", "kept"]).stdout
