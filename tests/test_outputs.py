"""Where results go: single files and a folder, whole or not at all."""

import errno
import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lsm_verify import InputError, Report, files
from lsm_verify.outputs import IN_FOLDER, REPORT, Outputs

CHEAP = ["check", "twin", "--routes", "adjoint,complex-step", "--points", "0", "--fast"]


WRITER = """
import sys
from pathlib import Path
from lsm_verify import files
folder, size = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
k = 0
while True:
    k += 1
    mark = f"{sys.argv[3]}{k};"
    files.write_folder(folder, {name: mark + "x" * size + mark for name in ("a.json", "b.xml")})
"""


def names(folder):
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


@pytest.fixture
def writer(tmp_path):
    """Start a process that writes a folder again and again, until it is killed."""
    started = []

    def start(folder, mark, size=300_000):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(size), mark],
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


class TestFolder:
    def test_check_writes_all_forms_and_ends_with_the_path(self, run, tmp_path):
        folder = tmp_path / "new" / "out"
        code, out, err = run(*CHEAP, "-o", folder)
        assert (code, err) == (0, "")
        assert out.splitlines()[-1] == f"report: {folder / REPORT}"
        assert set(IN_FOLDER) <= set(names(folder))
        assert not [p for p in folder.rglob("*") if p.name.endswith(".tmp")]
        kept = Report.from_json(folder / "report.json")
        assert kept.command == f"lsm-verify check --replay {folder / 'report.json'}"

    def test_a_second_run_replaces_what_is_there_and_leaves_the_rest(self, run, tmp_path):
        (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
        (tmp_path / "junit.xml").write_text("old", encoding="utf-8")
        assert run(*CHEAP, "-o", tmp_path)[0] == 0
        assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "mine"
        assert (tmp_path / "junit.xml").read_text(encoding="utf-8").startswith("<?xml")

    def test_no_figure_of_an_earlier_run_stays_and_those_of_others_do(self, run, tmp_path):
        assert run("check", "twin-one-depth", "--fast", "-o", tmp_path)[0] == 0
        (tmp_path / "figures" / "mine.svg").write_text("mine", encoding="utf-8")
        before = set(names(tmp_path / "figures"))
        assert run("check", "twin-one-depth", "--fast", "--routes", "adjoint,tangent",
                   "-o", tmp_path)[0] == 0  # fmt: skip
        after = set(names(tmp_path / "figures"))
        listed = json.loads((tmp_path / "figures" / "captions.json").read_text(encoding="utf-8"))
        assert after == {"mine.svg", "captions.json", *listed} < before
        assert [listed[name]["page"] for name in sorted(listed) if name.endswith(".svg")]
        pages = (tmp_path / "figures" / "all.pdf").read_bytes().count(b"/Type /Page ")
        assert pages == len(listed) - 1

    def test_a_list_of_figures_names_nothing_outside(self, run, tmp_path):
        (tmp_path / "figures").mkdir()
        listed = json.dumps({"../mine.txt": {}, "gone.svg": {}})
        (tmp_path / "figures" / "captions.json").write_text(listed, encoding="utf-8")
        for name in ("mine.txt", "figures/gone.svg"):
            (tmp_path / name).write_text("x", encoding="utf-8")
        assert run(*CHEAP, "-o", tmp_path)[0] == 0
        assert (tmp_path / "mine.txt").exists()
        assert not (tmp_path / "figures" / "gone.svg").exists()

    @pytest.mark.parametrize("taken", ["report.html", "figures"])
    def test_what_is_in_the_way_is_seen_before_the_work(
        self, refused, tmp_path, taken, monkeypatch
    ):
        monkeypatch.setattr("lsm_verify.check_cli.load", lambda *a: pytest.fail("work was done"))
        if taken == "figures":
            (tmp_path / taken).write_text("x", encoding="utf-8")
        else:
            (tmp_path / taken).mkdir()
        assert refused(*CHEAP, "-o", tmp_path).startswith(f"cannot write {tmp_path / taken}: ")

    def test_an_empty_name_is_a_variable_that_was_not_set(self, refused):
        assert "an empty name; name a folder" in refused(*CHEAP, "-o", "")

    @pytest.mark.parametrize(
        "where", ["a file", "below a file", "no permission", "full", "a name too long"]
    )
    def test_is_refused_before_the_work(self, refused, tmp_path, monkeypatch, where):
        monkeypatch.setattr("lsm_verify.check_cli.load", lambda *a: pytest.fail("work was done"))
        path = tmp_path / "out"
        if where in ("a file", "below a file"):
            path.write_text("x", encoding="utf-8")
        if where == "below a file":
            path = path / "deeper"
        if where == "no permission":
            monkeypatch.setattr(files.os, "access", lambda path, mode: False)
        if where == "full":
            monkeypatch.setattr(files.tempfile, "TemporaryFile", full)
        if where == "a name too long":
            path = tmp_path / ("x" * 300)
        message = refused(*CHEAP, "-o", path)
        assert message.startswith(f"cannot write {path}: ")
        assert message.endswith(
            ("choose another.", "choose another place.", "choose another name.")
        )

    def test_two_options_that_name_one_file(self, refused, tmp_path):
        message = refused(*CHEAP, "-o", tmp_path, "--junit", tmp_path / "junit.xml")
        assert (
            message == f"--output and --junit both name {tmp_path / 'junit.xml'}; give two files."
        )
        message = refused(*CHEAP, "--json", "x", "--markdown", "./x")
        assert message == "--json and --markdown both name x; give two files."

    def test_settings_of_the_project(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "pyproject.toml").write_text('[tool.lsm-verify]\noutput = "kept"\n')
        assert run(*CHEAP)[0] == 0
        assert (tmp_path / "kept" / "report.json").is_file()


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout here")
def test_a_pipe_is_written_to_as_it_is(stored_result):
    words = ["report", str(stored_result), "--json", "/dev/stdout"]
    command = [sys.executable, "-c", "from lsm_verify.cli import main; main()", *words]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == json.loads(stored_result.read_text(encoding="utf-8"))


@pytest.fixture
def stored_result(run, tmp_path):
    path = tmp_path / "kept.json"
    assert run(*CHEAP, "--json", path)[0] == 0
    return path


class TestAccidents:
    @pytest.mark.parametrize("option", ["-o", "--junit"])
    def test_a_disk_that_fills_up_loses_no_verdict_and_no_old_file(
        self, run, tmp_path, monkeypatch, option
    ):
        for name in ("report.json", "junit.xml"):
            (tmp_path / name).write_text("old", encoding="utf-8")
        given = tmp_path / "junit.xml" if option == "--junit" else tmp_path
        write = files.Path.write_bytes
        monkeypatch.setattr(
            files.Path,
            "write_bytes",
            lambda self, data: full() if "junit" in self.name else write(self, data),
        )
        monkeypatch.setattr(files.Path, "write_text", full)
        code, out, err = run(*CHEAP, option, given)
        monkeypatch.undo()
        assert code == 2
        assert out.splitlines()[-1].startswith("PASS  exact routes agree")
        assert err.startswith(f"lsm-verify: cannot write {tmp_path / 'junit.xml'}: No space left")
        assert err.count("\n") == 1
        assert {p.name: p.read_text() for p in tmp_path.iterdir() if p.is_file()} == {
            "report.json": "old",
            "junit.xml": "old",
        }

    @pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
    def test_a_file_system_that_takes_no_files(self, refused):
        # /proc lets the superuser pass as permitted, and refuses every new file.
        message = refused(*CHEAP, "-o", "/proc")
        assert message.startswith("cannot write /proc: ")

    def test_a_killed_writer_leaves_whole_files_alone(self, writer, tmp_path):
        for k in range(5):
            process = writer(tmp_path, f"p{k}")
            time.sleep(0.02 * k)  # killed at another place of the work each time
            process.send_signal(signal.SIGKILL)
            process.wait()
            for name in names(tmp_path):
                assert whole((tmp_path / name).read_text(encoding="utf-8"))
        assert names(tmp_path) == ["a.json", "b.xml"]

    @pytest.mark.skipif(sys.platform == "win32", reason="no locks on folders there")
    def test_two_writers_at_once_leave_the_files_of_one(self, writer, tmp_path):
        one, other = writer(tmp_path, "one"), writer(tmp_path, "other")
        seen, deadline = set(), time.monotonic() + MOST_SECONDS
        while {"one", "other"} - {mark.rstrip("0123456789;") for mark in seen}:
            assert time.monotonic() < deadline, f"one of two writers never came to write: {seen}"
            for name in names(tmp_path):  # at any time
                assert whole((tmp_path / name).read_text(encoding="utf-8"))
            with alone(tmp_path):  # while none of them writes
                texts = [(tmp_path / n).read_text(encoding="utf-8") for n in names(tmp_path)]
            if texts:
                assert len(texts) == 2
                assert all(map(whole, texts))
                (mark,) = {text.partition(";")[0] for text in texts}
                seen.add(mark)
        for process in (one, other):
            process.kill()
            process.wait()
        files.write_folder(tmp_path, {"c": "locks of the killed are gone"})
        assert names(tmp_path) == ["a.json", "b.xml", "c"]


MOST_SECONDS = 30.0
"""Until each of two writers has had its turn: a call takes milliseconds."""


@contextmanager
def alone(folder):
    """Hold the lock that writers of a folder take."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def whole(text):
    """Whether a file is all that one call wrote: its mark stands at both ends."""
    mark = text.partition(";")[0] + ";"
    return len(mark) > 1 and text.endswith("x" + mark)


def test_files_of_one_call_belong_together(tmp_path, monkeypatch):
    """While one process moves its files, another waits."""
    import fcntl

    inside = []
    replace = files.Path.replace

    def slow(self, target):
        handle = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        inside.append(Path(target).name)
        return replace(self, target)

    monkeypatch.setattr(files.Path, "replace", slow)
    files.write_folder(tmp_path, {"a": "1", "figures/b": b"2"})
    assert sorted(inside) == ["a", "b"]
    assert (tmp_path / "figures" / "b").read_bytes() == b"2"


def test_nothing_moves_before_all_is_written(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old", encoding="utf-8")
    write = files.Path.write_bytes
    monkeypatch.setattr(
        files.Path, "write_bytes", lambda self, d: full() if ".b" in self.name else write(self, d)
    )
    with pytest.raises(InputError, match=r"cannot write .*b: No space left"):
        files.write_folder(tmp_path, {"a": "new", "b": "new"})
    monkeypatch.undo()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old"}


def test_a_device_is_written_to_although_nothing_can_be_made_beside_it(monkeypatch):
    access = os.access
    monkeypatch.setattr(
        files.os, "access", lambda p, mode: Path(p) != Path("/dev") and access(p, mode)
    )
    files.check_writable(Path("/dev/null"))


def test_the_forms_are_those_of_the_options():
    outputs = Outputs.of(None, json=Path("a"), html=None)
    assert dict(outputs.single) == {"json": Path("a")}
    assert outputs
    assert not Outputs.of(None, json=None)
    assert Outputs.of(Path("d")).saved == Path("d/report.json")
    assert Outputs.of(Path("d"), json=Path("a")).saved == Path("a")


def test_what_is_written_is_consistent(run, tmp_path):
    assert run(*CHEAP, "--json", tmp_path / "r.json", "-o", tmp_path)[0] == 0
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads(
        (tmp_path / "report.json").read_text()
    )
    before = {name: (tmp_path / name).read_bytes() for name in IN_FOLDER}
    assert run("report", tmp_path / "r.json", "-o", tmp_path / "again")[0] == 0
    assert {name: (tmp_path / "again" / name).read_bytes() for name in IN_FOLDER} == before


MODEL = """
import lsm_verify as lv
from scipy.optimize import rosen, rosen_der
def nearby(x):  # finite close to (1, 1) alone: too few steps are left for a remainder
    return float(x @ x) if max(abs(x - 1)) < 5e-8 else float("inf")
unbound = lv.Problem(nearby, [1.0, 1.0], gradients={"mine": lambda x: 2 * x})
wrong = lv.Problem(rosen, [1.3, 0.7, 0.8], gradients={"mine": lambda x: 1.01 * rosen_der(x)})
"""

FORMS = ("html", "junit", "markdown", "latex")
MOST_HTML = 3_000_000
"""Bytes that a page may have."""


def plain(path):
    """The words of a file, without its marks."""
    if path.suffix == ".junit":
        nodes = list(ElementTree.parse(path).iter())
        return " ".join(word for n in nodes for word in (*n.attrib.values(), n.text or ""))
    text = re.sub(r"<style.*?</style>|<svg.*?</svg>", "", path.read_text("utf-8"), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


@pytest.fixture
def every(run, tmp_path):
    """Run check with every form; returns its exit code, its text, the JSON and the files."""

    def call(*words):
        paths = {form: tmp_path / f"r.{form}" for form in ("json", *FORMS)}
        options = [word for form, path in paths.items() for word in (f"--{form}", path)]
        code, out, _ = run("check", *words, *options)
        return code, out, json.loads(paths.pop("json").read_text(encoding="utf-8")), paths

    return call


def test_all_forms_of_a_pass_agree(every):
    code, out, result, paths = every(*CHEAP[1:])
    assert (code, result["verdict"]) == (0, "PASS")
    assert "PASS" in out
    suite = ElementTree.parse(paths["junit"]).getroot().find("testsuite")
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    values = {p.get("value") for p in suite.iter("property") if p.get("name") == "bound"}
    assert {str(c["bound"]) for c in result["checks"] if c["bound"] is not None} <= values
    for form in set(paths) - {"junit", "latex"}:
        assert "PASS" in plain(paths[form]), form
        assert "FAIL" not in plain(paths[form]), form
    assert paths["html"].stat().st_size < MOST_HTML


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Make models of one's own importable for the length of a test."""
    (tmp_path / "red_model.py").write_text(MODEL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    sys.modules.pop("red_model", None)


def test_all_forms_of_a_failure_say_what_where_how_much_and_how_to_replay(every, models):
    code, out, result, paths = every("red_model:wrong", "--fast")
    assert (code, result["verdict"]) == (1, "FAIL")
    (bad,) = [c for c in result["checks"] if c["verdict"] == "FAIL"]
    shown = {form: plain(path) for form, path in paths.items() if form != "latex"}
    shown["terminal"] = " ".join(out[: out.index("Value and gradient")].split())
    # The claim is 1.01 g and its error 0.01 g: 1 / 101 of the norm of the claim.
    place, amount = f"at {bad['point']}", f"{1 / 101:.1e} of ‖g∘s‖"
    assert place == "at point"
    for form, words in shown.items():
        for wanted in ("finite-difference", place, "520.554", "515.4", amount, result["command"]):
            assert wanted in words, (form, wanted)
    tables = paths["latex"].read_text(encoding="utf-8")  # of a paper: no command
    for wanted in (
        "verdict FAIL", "FAIL: finite-difference (J)", place, "520.554", "515.4",
        r"9.9\times10^{-3}$ of \ensuremath{\|}g",
    ):  # fmt: skip
        assert wanted in tables, wanted
    suite = ElementTree.parse(paths["junit"]).getroot().find("testsuite")
    assert int(suite.get("failures")) >= 1
    assert bad["parameters"] == ["x"]


def test_a_report_with_an_infinite_bound_is_the_same_from_check_and_from_report(
    run, tmp_path, models
):
    """Where the objective is finite at the shortest steps alone, no error can be excluded."""
    code, shown, _ = run("check", "red_model:unbound", "-o", tmp_path / "one", "--verbose")
    assert code == 3
    result = json.loads((tmp_path / "one" / "report.json").read_text(encoding="utf-8"))
    (taylor,) = [c for c in result["checks"] if c["check"] == "taylor"]
    assert (taylor["verdict"], taylor["bound"]) == ("INCONCLUSIVE", None)
    stored = tmp_path / "one" / "report.json"
    assert run("report", stored, "-o", tmp_path / "two")[0] == 0
    first = {name: (tmp_path / "one" / name).read_bytes() for name in IN_FOLDER}
    assert {name: (tmp_path / "two" / name).read_bytes() for name in IN_FOLDER} == first
    assert not any(b"inf of" in content or b'"inf"' in content for content in first.values())
    again = run("report", stored, "--verbose")
    assert (again[0], again[1]) == (0, shown.removesuffix(shown.splitlines()[-1] + "\n"))
