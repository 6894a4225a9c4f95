"""How a session runs: orders, warm-up, added blocks; and the command that it runs."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from lsm_verify.bench.session import Command, Design, measure
from lsm_verify.bench.worktree import Checkout
from lsm_verify.errors import InputError
from tests.bench import timings, trees

SIDES = [Checkout(name, Path(name), Path(name)) for name in ("candidate", "base", "base again")]


def quiet(message):
    pass


class Recorder:
    """Measures nothing; remembers which side was asked for."""

    def __init__(self, rounds=None):
        self.labels = []
        self.rounds = {"a": [1.0]} if rounds is None else rounds

    def __call__(self, checkout):
        self.labels.append(checkout.label)
        return timings.record(self.rounds, source=checkout.label)


def orders(labels):
    return [tuple(labels[start : start + 3]) for start in range(3, len(labels), 3)]


def test_every_order_comes_once_in_six_blocks():
    run = Recorder()
    blocks = measure(SIDES, run, Design(blocks=12), len, quiet)
    assert len(blocks) == 12
    found = orders(run.labels)
    every = set(itertools.permutations(side.label for side in SIDES))
    assert set(found[:6]) == set(found[6:]) == every
    assert found[:6] != found[6:]


def test_order_depends_on_the_seed_alone():
    def found(seed):
        run = Recorder()
        measure(SIDES, run, Design(blocks=12, seed=seed), len, quiet)
        return orders(run.labels)

    assert found(1) == found(1)
    assert found(1) != found(2)


def test_first_process_of_every_side_is_not_counted():
    run = Recorder()
    blocks = measure(SIDES, run, Design(blocks=2), len, quiet)
    assert run.labels[:3] == [side.label for side in SIDES]
    assert len(run.labels) == 3 + 3 * len(blocks)


def test_blocks_are_added_while_asked_for_and_not_beyond_the_most():
    asked = []

    def more(blocks):
        asked.append(len(blocks))
        return len(blocks) + 6

    blocks = measure(SIDES, Recorder(), Design(blocks=4, most_blocks=15), more, quiet)
    assert (asked, len(blocks)) == ([4, 10, 15], 15)
    assert len(measure(SIDES, Recorder(), Design(blocks=4), lambda done: 0, quiet)) == 4


def test_nothing_to_measure_ends_at_once():
    run = Recorder({})
    assert measure(SIDES, run, Design(), len, quiet) == []
    assert run.labels == ["candidate"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"blocks": 0},
        {"blocks": 40},
        {"minimum_effect": 0.0},
        {"minimum_effect": 5.0},
        {"significance": 0.0},
        {"significance": 1.0},
    ],
)
def test_impossible_designs_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Design(**wrong)


@pytest.fixture
def checkout(tmp_path):
    root = trees.make(tmp_path / "toy")
    return Checkout("base", root, tmp_path / "cache")


def test_command_runs_in_the_tree(checkout):
    found = Command(trees.COMMAND, None)(checkout)
    assert found.source == "base"
    assert min(found.rounds("toy.py::work")) == 1e-3


@pytest.mark.parametrize("code", [3, 5])
def test_command_that_found_nothing_to_run(checkout, code):
    command = Command(("{python}", "-c", f"raise SystemExit({code}) # {{output}}"), None)
    assert command(checkout).benchmarks == {}


@pytest.mark.parametrize(
    "words, said",
    [
        (("{python}", "-c", "raise SystemExit('no such device')"), "base failed .* no such device"),
        (("{python}", "-c", "pass"), "wrote no result"),
        (("{python}", "-c", "import sys; open(sys.argv[1], 'w')", "{output}"), "is not JSON"),
        (("no-such-program",), "cannot run no-such-program"),
    ],
)
def test_command_that_fails(checkout, words, said):
    with pytest.raises(InputError, match=said):
        Command(words, None)(checkout)


def test_package_from_elsewhere_is_refused(checkout):
    (checkout.root / "toy_package").mkdir()
    (checkout.root / "toy_package" / "__init__.py").touch()
    Command(trees.COMMAND, "toy_package").check(checkout)
    for elsewhere in ("typer", "no_such_package"):
        with pytest.raises(InputError, match="not the source in its own tree"):
            Command(trees.COMMAND, elsewhere).check(checkout)


def test_default_command_is_one_that_this_package_has():
    words = " ".join(Command().template)
    assert "bench run" in words
    assert "{output}" in words
    assert Command().package == "lsm_verify"
