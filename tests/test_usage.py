"""What every command's help has, what a shell completes, what was meant by a wrong word."""

import shlex

import pytest
import typer

from lsm_verify import cli, usage
from lsm_verify.cases import CASES
from lsm_verify.errors import MOST_LISTED, unknown
from lsm_verify.mutants.catalogue import MUTANTS
from lsm_verify.names import ROUTES
from lsm_verify.routes import routes

HEAVY = ("torch", "numba", "numpy", "scipy", "xarray", "rich")


def commands(command, path=()):
    """Every command and group with the words that lead to it."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


TREE = dict(commands(typer.main.get_command(cli.app)))


def examples(command):
    return [line for line in command.epilog.split("\n\n") if line.startswith("lsm-verify")]


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_help_has_examples(run, path):
    code, out, _ = run(*path, "--help")
    assert code == 0
    _, found, after = out.partition("Examples:")
    assert found
    shown = " ".join(after.split())
    for example in examples(TREE[path]):
        assert example in shown
    assert examples(TREE[path])


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_the_usage_line_brackets_what_may_be_left_out_once(path):
    command = TREE[path]
    line = command.get_usage(typer.Context(command, info_name=" ".join(path)))
    assert "[OPTIONS]" in line
    assert "[[" not in line
    assert "…" not in line


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_examples_parse(path):
    for example in examples(TREE[path]):
        program, *words = shlex.split(example)
        assert program == "lsm-verify"
        command = TREE[()]
        while hasattr(command, "commands"):
            assert words[0] in command.commands, example
            command = command.commands[words.pop(0)]
        assert path == () or command is TREE[path] or hasattr(TREE[path], "commands")
        command.make_context("lsm-verify", words)


def test_an_example_with_an_option_that_does_not_exist_would_not_parse():
    with pytest.raises(Exception, match="No such option"):
        TREE[("check",)].make_context("lsm-verify", ["twin", "--jnuit", "x"])


def test_every_command_of_the_issue_is_there():
    assert {path[0] for path in TREE if path} == {
        "check", "report", "selftest", "simulate", "calibrate", "reproduce", "doctor", "bench",
        "data", "map",
    }  # fmt: skip


@pytest.mark.parametrize(
    "words, message",
    [
        (["chekc"], "unknown command 'chekc'; known: check, "),
        (["reprot", "x.json"], "Did you mean 'report'?"),
        (["bench", "comprae"], "Did you mean 'compare'?"),
        (["check", "twin", "--jnuit", "x"], "Did you mean '--junit'?"),
        (["check", "twin", "--pionts=3"], "Did you mean '--points'?"),
        (["doctor", "--jsno", "x"], "unknown option '--jsno'; known: --data, --self-check, "),
        (["check", "twin", "--routes", "adjiont"], "Did you mean 'adjoint'?"),
        (["check", "twni"], "Did you mean 'twin'?"),
        (["selftest", "adjiont"], "Did you mean 'adjoint'?"),
        (["simulate", "twin", "-o", "x.nc", "--set", "albdeo=1"], "Did you mean 'albedo'?"),
        (["calibrate", "twin", "--method", "addam"], "Did you mean 'adam'?"),
    ],
)
def test_what_was_meant(refused, words, message):
    assert message in refused(*words)


def test_a_long_list_is_not_shown_whole(refused):
    message = refused("selftest", "adjoint: emision doubled")
    assert "Did you mean 'adjoint: emission doubled'?" in message
    assert len(message) < 300
    assert len(MUTANTS) > MOST_LISTED


def test_a_word_like_none_of_many():
    known = [f"name {k}" for k in range(MOST_LISTED + 1)]
    assert str(unknown("thing", "zzz", known)) == (
        "unknown thing 'zzz'; 21 are known, name 0, name 1, name 2 among them."
    )


class TestCompletion:
    def test_names_are_those_of_the_registries(self):
        assert set(ROUTES) == set(routes())
        assert [name for name, _ in usage.cases("")] == list(CASES)

    def test_of_a_list_the_last_is_completed(self):
        assert usage.routes("adjoint,tan") == ["adjoint,tangent"]
        assert "adjoint,adjoint" not in usage.routes("adjoint,a")
        assert usage.routes("adjoint,a") == ["adjoint,autograd", "adjoint,autograd-published"]
        assert usage.routes("x") == []

    def test_mutants(self):
        assert usage.mutants("adj") == ["adjoint"]
        whole = usage.mutants("adjoint: emission d")
        assert whole
        assert set(whole) <= set(MUTANTS)

    @pytest.mark.parametrize(
        "line, found",
        [
            ("lsm-verify che", ["check"]),
            ("lsm-verify check tw", ["twin", "twin-one-depth"]),
            ("lsm-verify simulate lay", ["layered"]),
            ("lsm-verify calibrate pho", ["phoenix"]),
            ("lsm-verify check twin --routes adjoint,mul", ["adjoint,multiprecision"]),
            ("lsm-verify selftest tan", ["tangent"]),
            ("lsm-verify check twin --jun", ["--junit"]),
        ],
    )
    def test_in_a_shell_without_loading_libraries(self, command, line, found):
        before = (
            "import atexit, os, sys\n"
            f"os.environ.update(_LSM_VERIFY_COMPLETE='complete_bash', COMP_WORDS={line!r},\n"
            f"    COMP_CWORD={str(len(line.split()) - 1)!r})\n"
            f"atexit.register(lambda: sys.stderr.write(repr([m for m in {HEAVY!r}"
            " if m in sys.modules])))"
        )
        done = command(before=before)
        assert done.returncode == 0
        assert done.stdout.split() == found
        loaded = set(eval(done.stderr)) - {"rich"}  # typer may load it to print help texts
        assert loaded == set()

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_scripts(self, run, shell):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
            code, out, _ = run("--show-completion", shell)
        assert code == 0
        assert "_LSM_VERIFY_COMPLETE" in out


def test_help_loads_no_library(command):
    before = (
        "import atexit, sys\natexit.register(lambda: sys.stderr.write(repr("
        "[m for m in ('torch', 'numba', 'numpy') if m in sys.modules])))"
    )
    assert command("--help", before=before).stderr == "[]"
