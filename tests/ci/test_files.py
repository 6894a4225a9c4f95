"""Files that other tools read: hooks, citation, and the snippets of the guide to CI."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

import lsm_verify
from lsm_verify import cli

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
GUIDE = (ROOT / "docs/howto/ci.md").read_text("utf-8")
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))


@pytest.fixture
def options(capsys):
    """Options of ``lsm-verify check``."""
    assert cli.run(["check", "--help"]) == 0
    return set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))


def test_the_hook_is_one_that_pre_commit_takes(options):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert {"id", "name", "entry", "language"} <= hook.keys()
    program, command, *given = shlex.split(hook["entry"])
    assert (program, command) == ("lsm-verify", "check")
    assert given
    assert set(given) <= options
    assert hook["pass_filenames"] is False


def test_the_citation_has_what_its_format_asks_for(citation):
    """Required keys of citation-file-format 1.2.0, and values that must agree with the package."""
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["version"] == lsm_verify.__version__
    assert citation["type"] == "software"
    for person in citation["authors"]:
        assert "name" in person or {"family-names", "given-names"} <= person.keys()
    assert f'license = "{citation["license"]}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    for work in citation["references"]:
        assert {"type", "title", "authors"} <= work.keys()


def test_the_guides_workflow_gives_inputs_that_there_are():
    steps = SNIPPETS[0]["jobs"]["gradient"]["steps"]
    (use,) = [s for s in steps if "lsm-verify" in s.get("uses", "")]
    assert use["with"].keys() <= ACTION["inputs"].keys()
    for output in re.findall(r"outputs\.([\w-]+)", GUIDE):
        assert output in ACTION["outputs"]


def test_the_guide_lists_every_input_with_its_default():
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) \|", GUIDE, re.MULTILINE)
    assert [name for name, _ in rows] == list(ACTION["inputs"])
    for name, shown in rows:
        if shown.startswith("`"):
            assert shown.strip("`") == ACTION["inputs"][name]["default"]


def test_the_guides_gitlab_job_installs_what_there_is():
    """lsm-verify is on no package index: its source, at this version, and the reader's package."""
    *before, _ = SNIPPETS[1]["gradient"]["script"]
    (install,) = (shlex.split(line) for line in before)
    assert install[:2] == ["pip", "install"]
    index = install.index("--extra-index-url") + 1
    assert install[index] == ACTION["inputs"]["torch-index"]["default"]
    what = install[2 : index - 1] + install[index + 1 :]
    source = f"git+https://github.com/OWNER/lsm-verify@v{lsm_verify.__version__}"
    assert what == [source, "-e", "."]


def test_the_guides_gitlab_job_writes_what_it_keeps(options):
    job = SNIPPETS[1]["gradient"]
    command = shlex.split(job["script"][-1])
    assert command[:2] == ["lsm-verify", "check"]
    assert {word for word in command if word.startswith("--")} <= options
    kept = job["artifacts"]["paths"]
    assert set(kept) == {command[command.index(o) + 1] for o in ("--junit", "--json")}
    assert job["artifacts"]["reports"]["junit"] in kept


def test_the_guides_hook_is_ours():
    (repository,) = SNIPPETS[2]["repos"]
    (known,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert repository["hooks"][0]["id"] == known["id"]
    assert repository["rev"] == f"v{lsm_verify.__version__}"
