"""``lsm-verify doctor``: what is there, what is missing, and that nothing missing breaks it."""

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from lsm_verify import doctor, installation
from lsm_verify.datasets import locate
from lsm_verify.doctor import Diagnosis, Finding, Status

PARTS = {"versions", "libraries", "threads", "GPU", "data", "caches", "self-check"}

BROKEN = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise OSError("libtorch_cpu.so: cannot open shared object file")
sys.meta_path.insert(0, Finder())
"""


@pytest.fixture
def quick(run, tmp_path):
    """Run doctor without its self-check; return exit code, text and JSON."""

    def call(*words):
        path = tmp_path / "doctor.json"
        code, out, err = run("doctor", "--no-self-check", "--json", path, *words)
        assert err == ""
        return code, out, json.loads(path.read_text(encoding="utf-8"))

    return call


def found(content, name):
    (finding,) = [each for each in content["findings"] if each["name"] == name]
    return finding


def test_all_is_well_and_the_self_check_feeds_canaries(run, tmp_path):
    code, out, err = run("doctor", "--json", tmp_path / "d.json")
    assert (code, err) == (0, "")
    content = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert {each["part"].partition(" ")[0] for each in content["findings"]} - {"extra"} == PARTS
    assert content["exit_code"] == 0
    assert content["verdict"] == "PASS"
    check = found(content, "check twin --fast")
    assert check["status"] == "ok"
    assert "corrupted answers caught" in check["found"]
    assert "\nOK  all that is needed is there" in out
    assert out.startswith("part ")


@pytest.mark.parametrize("before", ["import sys; sys.modules['torch'] = None", BROKEN])
def test_torch_cannot_be_imported(command, tmp_path, before):
    path = tmp_path / "d.json"
    done = command("doctor", "--json", str(path), before=before)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    content = json.loads(path.read_text(encoding="utf-8"))
    torch = [each for each in content["findings"] if each["name"] == "torch"]
    broken = next(each for each in torch if each["part"] == "libraries")
    assert broken["status"] == "wrong"
    assert broken["found"].startswith("cannot be imported: ")
    assert broken["remedy"] == "pip install --force-reinstall torch"
    assert found(content, "check twin --fast")["status"] == "wrong"
    assert content["verdict"] == ""
    assert "NOT OK  needed and not right: torch, check twin --fast" in done.stdout


def test_versions_out_of_bounds_and_missing_packages(quick, monkeypatch):
    known = installation.version

    def version(name):
        if name == "pooch":
            raise PackageNotFoundError(name)
        if name == "mpmath":
            raise PackageNotFoundError(name)
        return "1.0" if name == "numpy" else known(name)

    monkeypatch.setattr(installation, "version", version)
    code, out, content = quick()
    assert code == 2
    assert found(content, "numpy")["status"] == "wrong"
    assert found(content, "numpy")["found"] == "1.0 (wanted >=2.0)"
    assert found(content, "mpmath")["status"] == "wrong"
    assert found(content, "pooch")["status"] == "absent"
    assert found(content, "pooch")["remedy"] == "pip install 'lsm-verify[data]'"
    assert "NOT OK needed and not right: mpmath, numpy; " in " ".join(out.split())


def test_run_from_a_source_tree(quick, monkeypatch):
    def requires(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation, "requires", requires)
    code, _, content = quick()
    assert code == 0
    assert found(content, "bounds")["status"] == "absent"


class TestData:
    def test_none(self, quick, tmp_path):
        folder = tmp_path / "empty"
        folder.mkdir()
        code, _, content = quick("--data", folder)
        assert code == 0
        for name in ("tower forcing", "soil temperature"):
            assert found(content, name)["status"] == "absent"
            assert found(content, name)["remedy"].startswith("lsm-verify data fetch")

    def test_a_damaged_tower_file(self, quick, tmp_path):
        (tmp_path / locate.TOWER_FILE).write_bytes(b"half")
        (tmp_path / locate.DIGITISED_FILE).write_text("x")
        code, out, content = quick("--data", tmp_path)
        assert code == 2
        tower = found(content, "tower forcing")
        assert tower["status"] == "wrong"
        assert "sha256" in tower["found"]
        assert tower["remedy"] == "remove it, then lsm-verify data fetch"
        assert found(content, "soil temperature")["found"].startswith("digitised: ")
        assert "NOT OK needed and not right: tower forcing; " in " ".join(out.split())


def test_a_cache_that_cannot_be_written(quick, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    code, _, content = quick()
    assert code == 0
    cache = found(content, "compiled code")
    assert cache["status"] == "absent"
    assert "cannot be written" in cache["found"]
    assert cache["remedy"].startswith("set NUMBA_CACHE_DIR")


def test_a_gpu_that_is_there(monkeypatch):
    monkeypatch.setattr(installation, "_torch_gpu", lambda: (True, "a GPU, CUDA 12"))
    monkeypatch.setattr(installation, "_numba_gpu", lambda: 1 / 0)
    one, other = installation.gpu()
    assert (one.status, one.found, one.remedy) == (Status.OK, "a GPU, CUDA 12", "")
    assert other.status is Status.ABSENT
    assert other.found.startswith("ZeroDivisionError")


@pytest.mark.parametrize(
    "verdict, statuses, code",
    [
        ("PASS", [Status.OK, Status.ABSENT], 0),
        ("FAIL", [Status.WRONG], 1),
        ("", [Status.WRONG, Status.OPEN], 2),
        ("INCONCLUSIVE", [Status.OPEN], 3),
        ("", [Status.OK], 0),
    ],
)
def test_exit_codes(verdict, statuses, code):
    findings = tuple(Finding("part", "name", each, "found") for each in statuses)
    assert Diagnosis(findings, verdict, 1.0).exit_code == code


@pytest.mark.parametrize("exit_code, status", [(0, "ok"), (1, "wrong"), (3, "open")])
def test_the_self_check_counts(monkeypatch, exit_code, status):
    from dataclasses import replace
    from importlib import import_module

    module = import_module("lsm_verify.verify.run")
    right = module.verify
    monkeypatch.setattr(
        module, "verify", lambda *a, **k: replace(right(*a, **k), exit_code=exit_code)
    )
    assert doctor.check_itself()[1].status == status


@pytest.mark.parametrize(
    "words, message",
    [
        (["--data", "/no/such/folder"], "is not a directory"),
        (["--json", "no/such/folder/d.json"], "create it first"),
        (["--json", "."], "it is a folder"),
        (["--jsno", "d.json"], "Did you mean '--json'?"),
        (["twin"], "argument(s) (twin). See lsm-verify doctor --help."),
    ],
)
def test_wrong_usage(refused, words, message):
    assert message in refused("doctor", *words)


def test_an_installation_keeps_its_promises_on_python():
    assert Path(doctor.__file__).is_file()
    names = [each.name for each in installation.versions()]
    assert names[:2] == ["lsm-verify", "python"]
