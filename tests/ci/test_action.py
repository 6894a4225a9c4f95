"""The GitHub action: its shell steps run here, in the order and the environment that GitHub gives.

What is emulated is small: expressions of inputs and outputs, two files that GITHUB_… name, and
``bash -e -o pipefail`` (docs.github.com, "Workflow syntax", shell).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lsm_verify.report.markdown import LIMIT
from tests.report.reports import right, wrong

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = ACTION["runs"]["steps"]


class Job:
    """A job with one use of the action."""

    def __init__(self, folder, **inputs):
        self.folder = folder
        self.inputs = {k: v.get("default", "") for k, v in ACTION["inputs"].items()} | inputs
        self.outputs: dict[str, str] = {}
        self.log = ""
        self.bin = folder / "bin"
        self.bin.mkdir()
        (folder / "summary").touch()
        self.program(
            "python",
            'if [ "$1 $2" = "-m pip" ]; then printf "%s\\n" "$@" > "$PIP_LOG"; exit 0; fi\n'
            f'exec "{sys.executable}" "$@"',
        )

    def program(self, name, script):
        path = self.bin / name
        path.write_text(f"#!/usr/bin/env bash\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def expression(self, text):
        def known(match):
            words, _, otherwise = match[1].strip().partition(" || ")
            if words.startswith("inputs."):
                return self.inputs[words.removeprefix("inputs.")]
            if words.startswith("steps.check.outputs."):
                value = self.outputs.get(words.removeprefix("steps.check.outputs."), "")
                return value or otherwise.strip("'")
            assert words == "github.action_path"
            return str(ROOT)

        return re.sub(r"\$\{\{(.*?)\}\}", known, str(text))

    def run(self, name):
        """Run a step; return its exit code."""
        (step,) = [s for s in STEPS if s.get("name") == name]
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        written = self.folder / "output"
        written.write_text("")
        environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'reference'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""),
            "PIP_LOG": str(self.folder / "pip"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": "__self",
            "GITHUB_OUTPUT": str(written),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder),
        }
        environment |= {k: self.expression(v) for k, v in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=ROOT / self.expression(step.get("working-directory", ".")),
            env={k: v for k, v in environment.items() if v or k in step.get("env", {})},
            capture_output=True,
            text=True,
            check=False,
        )
        self.log += done.stdout + done.stderr
        pairs = (line.partition("=") for line in written.read_text().splitlines())
        self.outputs |= {key: value for key, _, value in pairs}
        return done.returncode

    def output(self, name):
        """What the workflow that uses the action reads."""
        return self.expression(ACTION["outputs"][name]["value"])

    @property
    def summary(self):
        return (self.folder / "summary").read_text("utf-8")


@pytest.fixture
def job(tmp_path):
    if shutil.which("bash") is None:
        pytest.skip("no bash: the action's runners have it")
    return lambda **inputs: Job(tmp_path, **inputs)


def stand_in(job, code, verdict=None):
    """A command line that writes down how it was called, and a verdict, if any."""
    report = "" if verdict is None else f'echo \'{{"verdict": "{verdict}"}}\' > "$last/report.json"'
    job.program(
        "lsm-verify",
        f'printf "%s\\n" "$@" > "{job.folder}/called"\nlast="${{@: -1}}"\n{report}\nexit {code}',
    )


def called(job):
    return (job.folder / "called").read_text().splitlines()


def test_the_metadata_are_complete():
    assert ACTION["runs"]["using"] == "composite"
    assert {"name", "description", "inputs", "outputs", "runs"} <= ACTION.keys()
    assert {"verdict", "exit-code"} <= ACTION["outputs"].keys()
    for each in (*ACTION["inputs"].values(), *ACTION["outputs"].values()):
        assert each["description"]
    assert all(isinstance(i["default"], str) for i in ACTION["inputs"].values())


@pytest.mark.parametrize(
    "path",
    [
        "action.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/nightly.yml",
        "docs/howto/ci.md",
    ],
)
def test_actions_of_others_are_pinned_by_major_version(path):
    used = re.findall(r"uses: (\S+)", (ROOT / path).read_text("utf-8"))
    assert used
    for action in used:
        assert action == "./" or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action)


def test_inputs_reach_scripts_through_the_environment_alone():
    for step in STEPS:
        if "run" in step:
            assert "${{" not in step["run"]


def test_the_report_is_kept_and_told_when_the_check_is_red():
    order = [s.get("name") for s in STEPS]
    assert order[-1] == "Verdict"
    for name in ("Summary and annotations", "Keep the report"):
        (step,) = [s for s in STEPS if s.get("name") == name]
        assert step["if"].startswith("always()")
    (check,) = [s for s in STEPS if s.get("id") == "check"]
    assert "continue-on-error" not in check


@pytest.mark.parametrize(
    "inputs, wanted",
    [
        ({}, [str(ROOT)]),
        ({"package": "lsm-verify==0.1.0", "requirements": "-e . numpy"},
         ["lsm-verify==0.1.0", "-e", ".", "numpy"]),
        ({"requirements": "-e .\n-r\twanted.txt\n\nnumpy\n"},
         [str(ROOT), "-e", ".", "-r", "wanted.txt", "numpy"]),
        ({"requirements": " \n"}, [str(ROOT)]),
    ],
)  # fmt: skip
def test_install(job, inputs, wanted):
    made = job(**inputs)
    assert made.run("Install lsm-verify") == 0
    arguments = (made.folder / "pip").read_text().splitlines()
    assert arguments[:2] == ["-m", "pip"]
    assert arguments[arguments.index("--extra-index-url") + 1] == made.inputs["torch-index"]
    assert arguments[-len(wanted) :] == wanted


def test_a_failed_installation_is_an_error(job):
    made = job(target="twin")
    made.program("python", "exit 1")
    assert made.run("Install lsm-verify") == 1
    assert made.output("verdict") == "ERROR"
    assert made.output("exit-code") == made.output("report") == ""


@pytest.mark.parametrize("code, verdict", [(0, "PASS"), (1, "FAIL"), (3, "INCONCLUSIVE")])
def test_outputs_and_exit_code(job, code, verdict):
    made = job(target="twin", arguments="--fast --seed 7")
    stand_in(made, code, verdict)
    assert made.run("Check the gradient") == 0
    assert made.output("verdict") == verdict
    assert made.output("exit-code") == str(code)
    assert called(made) == [
        "check", "twin", "--fast", "--seed", "7", "--output", made.outputs["report"]
    ]  # fmt: skip
    assert made.run("Verdict") == code


@pytest.mark.parametrize("text", ["--fast\n--strict\n", "--fast --strict", "\n--fast\t--strict"])
def test_arguments_are_split_at_lines_too(job, text):
    made = job(target="twin", arguments=text)
    stand_in(made, 0, "PASS")
    assert made.run("Check the gradient") == 0
    assert called(made)[:-2] == ["check", "twin", "--fast", "--strict"]


def test_without_a_target_the_projects_own_is_checked(job):
    made = job()
    stand_in(made, 0, "PASS")
    assert made.run("Check the gradient") == 0
    assert called(made)[:2] == ["check", "--output"]


def test_what_an_input_holds_is_not_run(job):
    made = job(
        target='twin"; touch pwned; $(touch pwned)', arguments="$(touch pwned) `touch pwned`"
    )
    stand_in(made, 0, "PASS")
    assert made.run("Check the gradient") == 0
    assert called(made)[1] == made.inputs["target"]
    assert not (ROOT / "pwned").exists()


def test_a_check_that_could_not_run_says_so(job):
    made = job(target="twin")
    stand_in(made, 2)
    assert made.run("Check the gradient") == 0
    assert made.output("verdict") == "ERROR"
    assert made.run("Summary and annotations") == 0
    assert "exit code 2" in made.summary
    assert "::error title=lsm-verify could not run::exit code 2" in made.log
    assert made.run("Verdict") == 2


@pytest.mark.parametrize("made_of, rest", [(right, 2100), (wrong, 2100)])
def test_the_summary_counts_what_stands_there_already(job, made_of, rest):
    made = stored(job(), made_of())
    before = "x" * (LIMIT - rest - 1) + "\n"
    (made.folder / "summary").write_text(before)
    assert made.run("Summary and annotations") == 0, made.log
    assert made.summary.startswith(before)
    assert f"{made_of().verdict}: gradient of" in made.summary[len(before) :]
    assert len(made.summary.encode()) <= LIMIT


def test_a_summary_that_is_full_is_told_and_fails_nothing(job):
    made = stored(job(), right())
    (made.folder / "summary").write_text("x" * LIMIT)
    assert made.run("Summary and annotations") == 0, made.log
    assert "::warning title=no summary of lsm-verify::limit=0 bytes is too little" in made.log
    assert made.summary == "x" * LIMIT


def stored(job, report):
    """A job whose check has left this report."""
    path = job.folder / "report.json"
    path.write_text(json.dumps(report.to_json()), encoding="utf-8")
    job.outputs = {
        "report": str(job.folder), "verdict": report.verdict, "exit-code": str(report.exit_code)
    }  # fmt: skip
    return job


@pytest.mark.parametrize("name, code", [("rosenbrock", 0), ("wrong_gradient", 1)])
def test_the_whole_of_it(job, name, code):
    """With the command line itself."""
    made = job(target=f"examples.{name}:problem")
    made.program(
        "lsm-verify", f'exec "{sys.executable}" -c "from lsm_verify.cli import main; main()" "$@"'
    )
    for step in ("Check the gradient", "Summary and annotations"):
        assert made.run(step) == 0, made.log
    folder = Path(made.outputs["report"])
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert made.outputs["verdict"] == report["verdict"] == ("PASS" if code == 0 else "FAIL")
    assert made.summary == (folder / "summary.md").read_text("utf-8")
    assert report["verdict"] in made.summary.splitlines()[0]
    assert json.loads((folder / "badge.json").read_text("utf-8"))["isError"] == bool(code)
    errors = [line for line in made.log.splitlines() if line.startswith("::error ")]
    assert len(errors) == len({*errors})
    assert bool(errors) == bool(code)
    if code:
        assert f"file=examples/{name}.py,line=" in errors[0]
    assert made.run("Verdict") == code
