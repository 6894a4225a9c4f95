"""What CI runs: the stages of a push with their budget of time, and the jobs of the night."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml
from hypothesis import settings

from lsm_verify import cli
from tools import calibrate

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / ".ci" / "run").read_text("utf-8")
BUDGET = int(re.search(r"^BUDGET=(\d+)$", SCRIPT, re.MULTILINE)[1])
WORKFLOWS = {
    name: yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf-8"))
    for name in ("ci", "nightly")
}


@pytest.fixture
def ci(tmp_path):
    """Run a copy of the script with a make that does nothing; return what it did.

    bash takes the first value of SECONDS from the environment: the clock is put forward.
    """
    if shutil.which("bash") is None:
        pytest.skip("no bash: the machines that run CI have it")
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    make = tmp_path / "bin" / "make"
    make.parent.mkdir()

    def call(*, seconds=0, profile="ci", code=0):
        make.write_text(f"#!/usr/bin/env bash\nexit {code}\n")
        make.chmod(0o755)
        return subprocess.run(
            [tmp_path / ".ci" / "run"],
            env={
                "PATH": f"{make.parent}:{os.environ['PATH']}",
                "SECONDS": str(seconds),
                "HYPOTHESIS_PROFILE": profile,
                "LSM_VERIFY_OFFLINE": "1",
                "LSM_VERIFY_DATA": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return call


@pytest.mark.parametrize("code", [0, 1])
def test_a_run_beyond_its_budget_says_so_last_and_fails_no_more_for_it(ci, code):
    done = ci(seconds=BUDGET * 60 + 1, code=code)
    assert done.returncode == code, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"warning: {BUDGET + 1} minutes are more than the {BUDGET} ")


@pytest.mark.parametrize("given", [{}, {"seconds": BUDGET * 120, "profile": "nightly"}])
def test_a_run_within_its_budget_or_at_night_says_nothing(ci, given):
    done = ci(**given)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("total        ok")
    assert "warning" not in done.stdout


def test_a_job_may_reach_the_warning():
    assert WORKFLOWS["ci"]["jobs"]["check"]["timeout-minutes"] > BUDGET


def test_contributors_are_told_every_stage():
    stages = re.search(r"^for stage in (.*?); do$", SCRIPT, re.MULTILINE)[1].split()
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("are what CI runs")[0]
    assert sorted(re.findall(r"`make ([a-z-]+)`", told)) == sorted(stages)


# ---------------------------------------------------------------- at night


def commands(job):
    return [
        shlex.split(step["run"])
        for step in WORKFLOWS["nightly"]["jobs"][job]["steps"]
        if "run" in step
    ]


def test_the_night_has_its_time_and_its_profile():
    night = WORKFLOWS["nightly"]
    (when,) = night[True]["schedule"]  # YAML 1.1 reads `on` as true
    assert re.fullmatch(r"\d+ \d+ \* \* \*", when["cron"])
    tests = night["jobs"]["tests"]
    assert commands("tests") == [[".ci/run"]]
    more = settings.get_profile(tests["env"]["HYPOTHESIS_PROFILE"])
    assert more.max_examples > settings.get_profile("ci").max_examples


def test_the_night_calibrates_with_options_that_there_are(monkeypatch):
    *_, (python, script, *given) = commands("calibration")
    assert (python, script) == (".venv/bin/python", "tools/calibrate.py")
    asked = []

    def parse(parser, arguments=None):
        asked.append(parsed(parser, given))
        raise SystemExit

    parsed = argparse.ArgumentParser.parse_args
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    with pytest.raises(SystemExit):
        calibrate.main()
    assert asked[0].fast
    assert asked[0].clean >= 10_000


def test_the_night_runs_all_benchmarks():
    *_, (program, *words) = commands("benchmarks")
    assert program == ".venv/bin/lsm-verify"
    command = typer.main.get_command(cli.app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    asked = command.make_context("lsm-verify", words).params
    assert not asked["quick"]
    assert not asked["select"]
