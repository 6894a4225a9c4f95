"""``lsm-verify bench run`` and ``bench show``: what they refuse and print."""

import json

import pytest
import typer
from typer.testing import CliRunner

from lsm_verify import bench_cli
from lsm_verify.bench.rows import rows
from lsm_verify.errors import InputError
from tests.bench.documents import document, entry

app = typer.Typer()
app.command("run")(bench_cli.run)
app.command("show")(bench_cli.show)


def invoke(*words):
    result = CliRunner().invoke(app, list(map(str, words)))
    if isinstance(result.exception, InputError):
        raise result.exception
    return result


def test_list_prints_the_names_of_the_rows():
    printed = invoke("run", "--quick", "--list")
    assert printed.exit_code == 0
    assert printed.output.split() == [row.name for row in rows(quick=True)]


@pytest.mark.parametrize(
    "words, message",
    [
        (["run", "--select", "no-such-row"], "fits none"),
        (["run", "--device", "tpu"], "cpu or cuda"),
        (["run", "-o", "/no/such/folder/r.json"], "does not exist"),
        (["run", "-o", "same.png", "--figure", "same.png"], "one file twice"),
        (["run", "--figure", "figure.txt"], "must end in"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        invoke(*words)
    assert not list(tmp_path.iterdir())


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr("lsm_verify.bench.devices.cuda_name", lambda: None)
    with pytest.raises(InputError, match="no CUDA GPU"):
        invoke("run", "--device", "cuda", "--quick")


def test_show_renders_a_stored_result(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(document(entry("kernel", "score", 5e-5), entry("c", "score", 4e-5))))
    page, figure = tmp_path / "r.md", tmp_path / "r.png"
    printed = invoke("show", path, "--markdown", page, "--figure", figure)
    assert printed.exit_code == 0
    assert "score-kernel-B1-S100-N100-float64-cpu-t1" in printed.output
    assert "| score, 1 column, 1 thread | C | 0.8 |" in page.read_text()
    assert figure.stat().st_size > 0
