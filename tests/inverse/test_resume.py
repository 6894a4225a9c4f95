"""A calibration that is cut off goes on to the same result, to the last bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from lsm_verify.cases import load_case
from lsm_verify.errors import InputError
from lsm_verify.inverse import journal as journal_
from lsm_verify.inverse import outcome
from lsm_verify.inverse.calibrate import METHODS, calibrate
from lsm_verify.inverse.unknowns import Unknown


@pytest.fixture(scope="module")
def twin():
    return load_case("twin")


def same(left, right):
    for field in ("estimate", "value", "mean_square", "iterations", "evaluations"):
        assert getattr(left, field).tobytes() == getattr(right, field).tobytes(), field
    assert left.status == right.status


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("after", [0.1, 0.5, 0.95])
def test_interrupted_run_resumes_to_the_same_bits(twin, tmp_path, monkeypatch, method, after):
    monkeypatch.setattr(journal_, "EVERY", 0.0)
    case, options = twin.window(30), {"method": method, "starts": 3, "iterations": 25}
    whole = calibrate(case, **options)
    path = tmp_path / "run.npz"
    calls = int(after * (26 if method == "adam" else int(whole.evaluations.sum())))
    real = journal_.Journal.ask
    done = []

    def ask(self, kind, u, compute):
        if len(done) == calls:
            raise KeyboardInterrupt
        done.append(kind)
        return real(self, kind, u, compute)

    with monkeypatch.context() as patch:
        patch.setattr(journal_.Journal, "ask", ask)
        cut = calibrate(case, **options, checkpoint=path)
    assert cut.interrupted
    assert outcome.INTERRUPTED in cut.status
    computed = []

    def count(self, kind, u, compute):
        return real(self, kind, u, lambda: computed.append(kind) or compute())

    monkeypatch.setattr(journal_.Journal, "ask", count)
    found = calibrate(case, **options, checkpoint=path, resume=True)
    same(found, whole)
    assert not found.interrupted
    total = 26 if method == "adam" else int(whole.evaluations.sum())
    assert len(computed) == total - calls + (calls > 0)  # the first answer is asked for again


PROGRAM = """
import sys
from pathlib import Path
from lsm_verify.inverse import journal
journal.EVERY = 0.0
from lsm_verify.cli import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process, which takes POSIX")
def test_killed_command_resumes_to_the_same_bits(tmp_path):
    words = ["calibrate", "twin-one-depth", "--starts", "published", "--method", "adam"]

    def start(*more):
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words, *map(str, more)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
        )

    assert start("--json", tmp_path / "whole.json").wait() == 0
    path = tmp_path / "run.npz"
    rng = random.Random(0)
    options = ["--json", tmp_path / "killed.json", "--checkpoint", path]
    kills = 0
    for _ in range(20):
        process = start(*options, *(["--resume"] if path.exists() else []))
        while kills < 3 and not path.exists() and process.poll() is None:
            time.sleep(0.01)
        if kills < 3:
            time.sleep(rng.uniform(0.05, 0.3))
            if process.poll() is None:
                process.kill()
                kills += 1
            process.wait()
        if process.wait() == 0:
            break
    assert kills >= 1
    whole, killed = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("whole", "killed"))
    assert killed == whole


def test_checkpoint_of_another_calibration_is_refused(twin, tmp_path):
    path = tmp_path / "run.npz"
    case = twin.window(10)
    calibrate(case, checkpoint=path)
    for change in ({"method": "l-bfgs-b"}, {"iterations": 9}, {"starts": 2}, {"seed": 1}):
        with pytest.raises(InputError, match="another calibration"):
            calibrate(case, checkpoint=path, resume=True, **change)
    with pytest.raises(InputError, match="another calibration"):
        calibrate(twin.window(11), checkpoint=path, resume=True)
    with pytest.raises(InputError, match="exists"):
        calibrate(case, checkpoint=path)


def test_checkpoint_of_another_function_of_unknowns_is_refused(twin, tmp_path):
    path = tmp_path / "run.npz"
    options = {"unknowns": [Unknown("a", 0.0, 0.2)], "checkpoint": path}
    case = twin.window(10)
    calibrate(case, compose=lambda c: {"albedo": c["a"]}, **options)
    with pytest.raises(InputError, match="does not give the numbers that it holds"):
        calibrate(case, compose=lambda c: {"albedo": 2 * c["a"]}, resume=True, **options)
