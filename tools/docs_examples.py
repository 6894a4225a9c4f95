"""Run the examples of a Markdown page and compare what they print with what the page shows.

    python tools/docs_examples.py README.md docs/tutorials/*.md           # compare
    python tools/docs_examples.py --refresh README.md docs/tutorials/*.md  # write anew

A page's blocks run in order, in an empty folder of the page's own. Blocks of the language python
share one namespace (those that begin with ``>>>`` are doctests); those of the language console hold
commands after ``$``, each followed by its output. A comment on the line before a block says more:

    <!-- file: model.py -->       the block becomes this file
    <!-- output of: COMMAND -->   the block, of no language, is what the command prints
    <!-- exit: 1 -->              the commands end with this exit code, not with 0
    <!-- needs: jax -->           the block is left out where the library is not installed
    <!-- not run: REASON -->      the block is shown only

``…`` stands for any number of words or lines. ``--refresh`` leaves outputs with such gaps alone.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GAP = "…"

SHOWN = 1.5
"""Units of the last digit shown by which a number of three digits or more may differ: what is
printed is rounded, and the platform's arithmetic moves it by less than one unit."""

FACTOR = 30.0
"""Factor by which a number of one or two digits may differ. Those are statistics of round-off and
its bounds: which bits are lost depends on the processor's vector width and the libraries. Verdicts
beside them are held word by word."""

SMALL = 1.0
"""Two such numbers that are both smaller are equal: less than one unit of round-off."""

FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>[\w{}-]*)[^\n`]*$")
COMMENT = re.compile(r"^<!-- *(?P<key>[a-z ]+?) *: *(?P<value>.*?) *-->$")
TIMES = re.compile(r"^seconds: .*?(?=^$|\Z)", flags=re.MULTILINE | re.DOTALL)
"""What a run took, part by part."""

TIME = re.compile(r"(?<=\s)\d+\.\d+(?:,|(?=\s|$))")
"""A time: no two runs take the same, but they have the same parts."""

ANSWERS: dict[tuple[str, ...], tuple[int, str]] = {}
"""What our command printed in an empty folder, where it depends on nothing: asked once."""

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.]*\w)")
KEYS = {"file", "output of", "exit", "needs", "not run"}
RUN = {"python", "console"}
"""Languages whose blocks run unless a comment says otherwise."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text, the comments before it, its lines [first, last)."""

    language: str
    text: str
    notes: dict[str, str]
    first: int
    last: int

    @property
    def runs(self) -> bool:
        """Whether the block is an example that is executed."""
        return "not run" not in self.notes and (
            self.language in RUN or "file" in self.notes or "output of" in self.notes
        )


@dataclass(frozen=True)
class Difference:
    """Where a page shows something else than what came out."""

    line: int
    command: str
    shown: str
    found: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.command}\n--- shown\n{self.shown}\n--- found\n{self.found}"


def blocks(text: str) -> list[Block]:
    """Split a page into its fenced blocks."""
    lines = text.splitlines()
    found: list[Block] = []
    notes: dict[str, str] = {}
    at = 0
    while at < len(lines):
        if comment := COMMENT.match(lines[at]):
            if comment["key"] in KEYS:
                notes[comment["key"]] = comment["value"]
        elif fence := FENCE.match(lines[at]):
            end = next(i for i in range(at + 1, len(lines)) if lines[i] == fence["fence"])
            body = "".join(f"{line}\n" for line in lines[at + 1 : end])
            found.append(Block(fence["language"], body, notes, at + 1, end))
            notes, at = {}, end
        elif lines[at].strip():
            notes = {}
        at += 1
    return found


# ---------------------------------------------------------------- comparing


def same(shown: str, found: str) -> bool:
    """Whether an output is what the page shows: words equal, numbers within what may differ."""
    return _match(_words(shown), _words(found))


def _words(text: str) -> list[str]:
    """Words of a text without its times; where lines end does not matter."""
    return TIMES.sub(lambda found: TIME.sub("", found[0]), text).split()


def _match(shown: list[str], found: list[str]) -> bool:
    """Match greedily from gap to gap, as file names are matched with an asterisk."""
    at, mark, back = 0, None, 0
    position = 0
    while position < len(found):
        if at < len(shown) and shown[at] == GAP:
            mark, back, at = at, position, at + 1
        elif at < len(shown) and _equal(shown[at], found[position]):
            at, position = at + 1, position + 1
        elif mark is not None:
            back += 1
            at, position = mark + 1, back
        else:
            return False
    return all(word == GAP for word in shown[at:])


def _equal(shown: str, found: str) -> bool:
    if shown == found:
        return True
    if NUMBER.sub("#", shown) != NUMBER.sub("#", found):
        return False
    return all(map(close, NUMBER.findall(shown), NUMBER.findall(found)))


def close(shown: str, found: str) -> bool:
    """Whether two printed numbers are one within what platforms differ by; counts are exact."""
    if shown == found:
        return True
    if not {".", "e"} & (set(shown) | set(found)):
        return False
    a, b = float(shown), float(found)
    if len(_digits(shown)) >= 3:
        return abs(a - b) <= SHOWN * _unit(shown)
    if max(abs(a), abs(b)) < SMALL and "e" not in shown + found:
        return True
    low, high = sorted((abs(a), abs(b)))
    return a * b > 0 and high <= FACTOR * low


def _digits(number: str) -> str:
    return number.partition("e")[0].replace(".", "").lstrip("+-0")


def _unit(number: str) -> float:
    """One unit of the last digit shown."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


# ---------------------------------------------------------------- running


class Page:
    """Runs the blocks of one page in a folder of its own."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        self.folder = folder
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.blocks = blocks("\n".join(self.lines))
        self.namespace: dict[str, Any] = {"__name__": "__page__"}
        self.differences: list[Difference] = []
        self.left_out: list[str] = []
        self.replaced: list[tuple[Block, str]] = []

    def run(self) -> None:
        """Run all blocks; what differs is collected, what breaks raises."""
        with _inside(self.folder):
            for block in self.blocks:
                if not block.runs:
                    continue
                needed = block.notes.get("needs", "")
                if any(find_spec(each) is None for each in needed.split()):
                    self.left_out.append(f"{self.path.name}:{block.first}: no {needed}")
                else:
                    self._block(block)

    def _block(self, block: Block) -> None:
        if "file" in block.notes:
            Path(block.notes["file"]).write_text(block.text, encoding="utf-8")
            self._hold_included(block)
        elif "output of" in block.notes:
            command = block.notes["output of"]
            self._compare(block, block.first, command, block.text, self._command(block, command))
        elif block.language == "console":
            self._console(block)
        elif block.text.lstrip().startswith(">>>"):
            self._doctest(block)
        else:
            code = compile("\n" * block.first + block.text, str(self.path), "exec")
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, self.namespace)

    def _hold_included(self, block: Block) -> None:
        """Compile a Python file now: a slip is told with the page's line."""
        if block.notes["file"].endswith(".py"):
            compile("\n" * block.first + block.text, str(self.path), "exec")

    def _console(self, block: Block) -> None:
        parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        if parts[0].strip():
            raise SyntaxError(f"{self.path}:{block.first}: a console block begins with '$ '")
        fresh, line = "", block.first + 1
        for part in parts[1:]:
            command, _, shown = part.partition("\n")
            while command.endswith("\\"):
                more, _, shown = shown.partition("\n")
                command = f"{command[:-1]}{more.strip()}"
            found = self._command(block, command)
            self._compare(block, line, command, shown, found, alone=False)
            head = part[: len(part) - len(shown)]
            fresh += f"$ {head}{shown if GAP in shown else _tidy(found)}"
            line += part.count("\n")
        if fresh != block.text:
            self.replaced.append((block, fresh))

    def _doctest(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self.namespace, self.path.name, str(self.path), block.first
        )
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        said = io.StringIO()
        runner.run(test, out=said.write, clear_globs=False)
        self.namespace.update(test.globs)
        if runner.failures:
            self.differences.append(Difference(block.first, "doctest", block.text, said.getvalue()))

    def _compare(
        self,
        block: Block,
        line: int,
        command: str,
        shown: str,
        found: str,
        alone: bool = True,
    ) -> None:
        if not same(shown, found):
            self.differences.append(Difference(line, command, shown, found))
        if alone and GAP not in shown and _tidy(found) != shown:
            self.replaced.append((block, _tidy(found)))

    def _command(self, block: Block, command: str) -> str:
        """Run a command and return what it prints; its exit code must be the one announced."""
        program, *arguments = shlex.split(command)
        if program == "lsm-verify":
            code, out = _ours(arguments)
        else:
            code, out = _other(program, arguments)
        wanted = int(block.notes.get("exit", "0"))
        if code != wanted:
            raise AssertionError(
                f"{self.path}:{block.first}: {command} ended with {code}, not {wanted}:\n{out}"
            )
        return out

    def refreshed(self) -> str:
        """Return the page with what came out in the place of what it shows."""
        lines = list(self.lines)
        for block, text in sorted(self.replaced, key=lambda each: -each[0].first):
            lines[block.first : block.last] = text.splitlines()
        return "\n".join(lines) + "\n"


def _tidy(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def _ours(arguments: list[str]) -> tuple[int, str]:
    """Run our command in this process: torch and the compiled kernels are loaded once."""
    asked = tuple(arguments)
    if any(Path.cwd().iterdir()):
        return _run_ours(arguments)
    if asked not in ANSWERS:
        ANSWERS[asked] = _run_ours(arguments)
    return ANSWERS[asked]


def _run_ours(arguments: list[str]) -> tuple[int, str]:
    from lsm_verify import cli

    out, err = io.StringIO(), io.StringIO()
    before = set(sys.modules)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.run(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
    here = str(Path.cwd())
    for name in set(sys.modules) - before:  # files of the page may be written anew
        if str(getattr(sys.modules[name], "__file__", "") or "").startswith(here):
            del sys.modules[name]
    return code, out.getvalue() if code != 2 else err.getvalue()


def _other(program: str, arguments: list[str]) -> tuple[int, str]:
    if program == "python":
        program = sys.executable
    elif program == "pytest":
        known = entry_points(group="pytest11", name="lsm-verify")
        plugin = () if known else ("-p", "lsm_verify.pytest_plugin")
        program, arguments = sys.executable, ["-m", "pytest", *plugin, *arguments]
    done = subprocess.run(
        [program, *arguments],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    return done.returncode, done.stdout


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder, from which modules can be imported here and in child processes."""
    path, environment, cwd = list(sys.path), dict(os.environ), Path.cwd()
    ours = [str(folder), str(ROOT), str(ROOT / "reference")]
    sys.path[:0] = ours
    given = environment.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([*ours, *([given] if given else [])])
    os.environ.pop("FORCE_COLOR", None)
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
    os.environ["COLUMNS"] = "120"
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(cwd)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)


def main() -> int:
    """Compare or refresh the pages named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--refresh", action="store_true", help="write what came out into the pages")
    given = parser.parse_args()
    wrong = 0
    for path in given.pages:
        with tempfile.TemporaryDirectory() as folder:
            page = Page(path.resolve(), Path(folder).resolve())
            page.run()
        for difference in page.differences:
            print(f"{path}, {difference}")
        for each in page.left_out:
            print(f"left out: {each}")
        if given.refresh and page.replaced:
            path.write_text(page.refreshed(), encoding="utf-8")
            print(f"wrote {path}")
        wrong += len(page.differences)
    return 1 if wrong and not given.refresh else 0


if __name__ == "__main__":
    sys.exit(main())
