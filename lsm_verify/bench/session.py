"""Measure several source trees in turn: fresh processes, in blocks, in random order."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsm_verify.bench import record
from lsm_verify.bench.record import Record
from lsm_verify.bench.worktree import Checkout
from lsm_verify.errors import InputError

Run = Callable[[Checkout], Record]
"""Measure one tree in a fresh process."""

Block = Mapping[str, Record]
"""One process of every side, by the sides' labels."""

DEFAULT_COMMAND = (
    "{python}",
    "-c",
    "from lsm_verify.cli import main; main()",
    "bench",
    "run",
    "--quick",
    "-o",
    "{output}",
)

NOTHING_RAN = (3, 5)
"""Exit codes that say so: of ``lsm-verify bench run``, and of pytest without tests."""


@dataclass(frozen=True)
class Command:
    """A command line that measures the tree it runs in and writes a result file.

    Attributes
    ----------
    template : tuple of str
        ``{python}`` stands for this interpreter, ``{output}`` for the file to write, ``{root}``
        for the tree.
    package : str or None
        Import package that must come from the tree; ``None``: not looked at.
    """

    template: tuple[str, ...] = DEFAULT_COMMAND
    package: str | None = "lsm_verify"

    def __call__(self, checkout: Checkout) -> Record:
        """Measure a tree.

        Raises
        ------
        InputError
            If the command fails or writes no result.
        """
        with tempfile.TemporaryDirectory(prefix="lsm-verify-run-") as folder:
            output = Path(folder) / "result.json"
            filled = {"{python}": sys.executable, "{output}": output, "{root}": checkout.root}
            words = list(self.template)
            for mark, value in filled.items():
                words = [word.replace(mark, str(value)) for word in words]
            code, tail = _execute(words, checkout)
            if code in NOTHING_RAN and not output.exists():
                return Record(checkout.label, {}, {})
            if code not in (0, *NOTHING_RAN):
                raise InputError(
                    f"the benchmarks of the {checkout.label} failed with exit code {code}: {tail}"
                )
            if not output.exists():
                raise InputError(
                    f"the benchmarks of the {checkout.label} wrote no result: let the command "
                    "write {output}."
                )
            found = record.read(output)
            return record.Record(checkout.label, found.content, found.benchmarks)

    def check(self, checkout: Checkout) -> None:
        """Refuse to measure if the package would come from another place than the tree."""
        if self.package is None:
            return
        program = f"import {self.package} as p; print(p.__file__)"
        code, said = _execute([sys.executable, "-c", program], checkout)
        if code != 0 or not Path(said).resolve().is_relative_to(checkout.root):
            raise InputError(
                f"the {checkout.label} would run {said}, not the source in its own tree; is "
                f"{self.package} part of the repository, and installed editable?"
            )


def _execute(words: Sequence[str], checkout: Checkout) -> tuple[int, str]:
    """Run a command in a tree; return its exit code and the last line that it printed."""
    try:
        done = subprocess.run(
            words,
            cwd=checkout.root,
            env=checkout.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise InputError(f"cannot run {words[0]}: {error.strerror}; check --command.") from None
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return done.returncode, lines[-1].strip() if lines else "it printed nothing"


@dataclass(frozen=True)
class Design:
    """How much is measured, and what counts.

    Attributes
    ----------
    blocks : int
        Fresh processes of every side at least.
    most_blocks : int
        Where adding blocks ends while the noise floor is above the minimum effect.
    minimum_effect : float
        Smallest change of the ratio of times that counts: 0.05 is 5 %.
    significance : float
        Chance of one false alarm in a whole comparison by the Mann–Whitney test alone.
    seed : int
        Of the order in the blocks and of all resampling.
    """

    blocks: int = 12
    most_blocks: int = 36
    minimum_effect: float = 0.05
    significance: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.blocks <= self.most_blocks:
            raise InputError(
                f"blocks={self.blocks} must be at least 1 and at most most_blocks="
                f"{self.most_blocks}."
            )
        if not 0 < self.minimum_effect < 1:
            raise InputError(f"minimum_effect={self.minimum_effect} must lie between 0 and 1.")
        if not 0 < self.significance < 1:
            raise InputError(f"significance={self.significance} must lie between 0 and 1.")


def measure(
    sides: Sequence[Checkout],
    run: Run,
    design: Design,
    more: Callable[[Sequence[Block]], int],
    announce: Callable[[str], None],
) -> list[Block]:
    """Measure blocks until no more are asked for.

    The first process of every side is not counted: it compiles and fills the disk's cache.

    Parameters
    ----------
    more : callable
        Blocks wanted in all, given those measured so far. It may look at the noise of the base
        against itself, but not at the candidate: stopping when the difference looks right would
        spoil the significance.
    """
    for side in sides:
        announce(f"warming up the {side.label}")
        if not run(side).benchmarks:
            return []
    rng = random.Random(design.seed)
    orders: list[tuple[Checkout, ...]] = []
    blocks: list[Block] = []
    wanted = design.blocks
    while len(blocks) < wanted:
        if not orders:  # every order once before any comes again
            orders = list(itertools.permutations(sides))
            rng.shuffle(orders)
        announce(f"block {len(blocks) + 1} of {wanted}")
        blocks.append({side.label: run(side) for side in orders.pop()})
        if len(blocks) == wanted:
            wanted = max(wanted, min(design.most_blocks, more(blocks)))
    return blocks
