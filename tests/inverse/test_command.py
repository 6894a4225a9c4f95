"""``lsm-verify calibrate``: what it prints, writes and refuses."""

import io
import json
import re

import numpy as np
import pytest
import xarray

from lsm_verify.cases import load_case
from lsm_verify.cli import run
from lsm_verify.inverse import adam, local
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.terminal import progress_bar


@pytest.fixture
def command(capsys):
    def call(*words):
        code = run(["calibrate", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_files_and_table_tell_the_same(command, tmp_path):
    paths = [tmp_path / name for name in ("a.json", "a.nc", "a.png")]
    options = ["--json", paths[0], "-o", paths[1], "--figure", paths[2]]
    code, out, err = command("twin", "--starts", "5", "--seed", "3", *options)
    assert (code, err) == (0, "")
    plain = json.loads(paths[0].read_text())
    assert plain["format"] == "lsm-verify calibration 1"
    with xarray.open_dataset(paths[1]) as dataset:
        estimates = [row["estimate"][0] for row in plain["starts"]]
        np.testing.assert_array_equal(dataset["albedo"].values, estimates)
        assert dataset["status"].values.tolist() == [row["status"] for row in plain["starts"]]
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    assert "least-squares, route fused; 5 starts: 5 converged" in out
    for label in (u["label"] for u in plain["unknowns"]):
        assert label in out
    best = plain["starts"][plain["best"]]
    assert f"best of start {plain['best']}" in out
    assert f"{best['evaluations']} evaluations" in out
    assert plain["truth"] == [0.2, 15.0, 1.5, 0.8, 2.2e6, 293.0]


def test_figure_of_the_same_result_is_the_same_file(command, tmp_path):
    for name in ("a.svg", "b.svg"):
        command("twin", "--starts", "3", "--iterations", "3", "--figure", tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    "words, expected",
    [
        (["0.1"], 0.1),
        (["soil_temperature=0.1"], [0.1, 0.1]),
        (["0.2", "soil_temperature@0.05=0.1"], [0.2, 0.1]),
        (["soil_temperature=0.3", "soil_temperature@0=0.1"], [0.1, 0.3]),
    ],
)
def test_observation_errors_of_some_series(command, tmp_path, words, expected):
    path = tmp_path / "a.json"
    options = [word for each in words for word in ("--observation-error", each)]
    code, _, _ = command("twin", "--iterations", "2", "--json", path, *options)
    assert code == 0
    assert json.loads(path.read_text())["options"]["observation_error"] == expected


def test_estimate_on_a_bound_is_told(command):
    code, out, _ = command("twin", "--bound", "albedo=0.25,0.5")
    assert code == 0
    assert "at a bound: albedo" in out


class Terminal(io.StringIO):
    """A terminal in the place of stderr."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    "words, count",
    [
        ([], "1/? starts"),
        (["--starts", "3"], "3/3 starts"),
        (["--method", "adam", "--iterations", "5"], "5/5 iterations"),
    ],
)
def test_progress_at_a_terminal(monkeypatch, words, count):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "200")):
        monkeypatch.setenv(name, value)
    with progress_bar("method") as announce:
        seen = []

        def both(progress):
            seen.append(progress)
            announce(progress)

        run_calibration(words, both)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert count in shown
    assert f"{seen[-1].evaluations} evaluations" in shown
    assert f"least {seen[-1].best:.6g}" in shown
    assert [p.evaluations for p in seen] == sorted(p.evaluations for p in seen)
    assert [p.best for p in seen] == sorted((p.best for p in seen), reverse=True)
    assert len({p.evaluations for p in seen}) >= 5


@pytest.mark.parametrize("name, value", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_bar_where_a_terminal_is_to_stay_plain(monkeypatch, name, value):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv(name, value)
    with progress_bar("method") as announce:
        run_calibration([], announce)
    assert terminal.getvalue() == ""


def test_no_progress_elsewhere(command):
    code, _, err = command("twin", "--iterations", "3")
    assert (code, err) == (0, "")


def run_calibration(words, announce):
    options = dict(zip([w[2:] for w in words[::2]], words[1::2], strict=True))
    given = {k: int(v) if v.isdigit() else v for k, v in options.items()}
    calibrate(load_case("twin").window(20), examine=False, announce=announce, **given)


@pytest.mark.parametrize("method", ["least-squares", "adam"])
def test_interrupt_shows_and_writes_what_was_reached(command, tmp_path, monkeypatch, method):
    module, name = (adam, "minimise") if method == "adam" else (local, "least_squares")
    real = getattr(module, name)

    def cut(misfit, starts, outcomes, *, announce, **options):
        def stop(progress):
            if progress.done == 2:
                raise KeyboardInterrupt

        real(misfit, starts, outcomes, announce=stop, **options)

    monkeypatch.setattr(module, name, cut)
    path = tmp_path / "a.json"
    words = ["twin", "--starts", "4", "--method", method, "--json", path]
    code, out, err = command(*words, "--checkpoint", tmp_path / "run.npz")
    assert code == 130
    assert "interrupted: the estimates are those reached so far; go on with --resume" in err
    assert "interrupted" in out
    assert json.loads(path.read_text())["interrupted"] is True
    monkeypatch.setattr(module, name, real)
    code, _, _ = command(*words, "--checkpoint", tmp_path / "run.npz", "--resume")
    assert code == 0
    undisturbed = tmp_path / "b.json"
    command(*words[:-1], undisturbed)
    assert json.loads(path.read_text()) == json.loads(undisturbed.read_text())


@pytest.mark.parametrize(
    "words, message",
    [
        (["twin", "--resume"], "--resume needs --checkpoint FILE"),
        (["twin", "--prior", "albedo=1"], "must have the form NAME=MEAN,SD with numbers"),
        (["twin", "--bound", "albedo=x,1"], "must have the form NAME=LOW,HIGH"),
        (["twin", "--bound", "albedo=0,1", "--bound", "albedo=0,1"], "names albedo twice"),
        (["twin", "--observation-error", "x"], "'x' must be a number above 0, KIND=NUMBER or"),
        (["twin", "--observation-error", "-1"], "'-1' must be a number above 0"),
        (["twin", "--observation-error", "longwave_up=1"], "unknown series in --observation-error"),
        (
            ["twin", "--observation-error", "soil_temperature@0=1"],
            "--observation-error leaves out soil_temperature at 0.05 m; add "
            "soil_temperature@0.05=NUMBER, or a number for all others.",
        ),
        (
            ["twin", "--observation-error", "1", "--observation-error", "2"],
            "--observation-error gives a value for all twice",
        ),
        (["twin", "--figure", "a.jpg"], "must end in .png, .svg, .pdf"),
        (["twin", "--json", "no/such/a.json"], "does not exist; create it first"),
        (["twin", "--starts", "-3"], "starts=-3"),
        (["twin", "--method", "lm"], "unknown method"),
        (["tiwn"], "Did you mean 'twin'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_two(command, words, message):
    code, out, err = command(*words)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
