"""A journal of evaluations: a killed calibration resumes by reading instead of computing.

An optimiser here is deterministic: it asks the model at a point, and goes on by the answer alone.
So it is started anew and its first questions are answered from the journal, until it asks one that
is not in it. Whatever state it has (moments, Hessian approximations, trust regions) is then what it
was, to the last bit, and none of it needs to be known here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.files import check_writable, replacing

Array = NDArray[np.float64]

FORMAT = 1
EVERY = 5.0  # s
"""Least time between two writings."""

SHARE = 0.05
"""Most of the time that may go into writing."""


class Journal:
    """Answers that were given, in their order, and the file that holds them.

    Parameters
    ----------
    path : Path, optional
        File to write; without one nothing is kept.
    fingerprint : str
        Names the calibration: case, data, method, options, version.
    resume : bool
        Whether to read the file first.

    Raises
    ------
    InputError
        If the file cannot be written; if it is to be read and is missing, damaged, or of another
        calibration; if it is there already and is not to be read.
    """

    def __init__(self, path: Path | None, fingerprint: str, *, resume: bool = False) -> None:
        self.path, self.fingerprint = path, fingerprint
        self.entries: list[tuple[str, list[Array]]] = []
        self.known = self.next = 0
        self.written = time.monotonic()
        self.every = EVERY
        self.trouble = ""
        if path is None:
            if resume:
                raise InputError("there is no checkpoint to resume from; give its file.")
            return
        check_writable(path)
        if resume:
            self._read(path)
        elif path.exists():
            raise InputError(
                f"{path} exists; resume from it, remove it, or name another checkpoint."
            )

    def ask(
        self, kind: str, u: Array, compute: Callable[[], tuple[Array, ...]]
    ) -> tuple[Array, ...]:
        """Answer from the journal, or compute and keep the answer."""
        if self.path is None:
            return compute()
        if self.next < self.known:
            known, (point, *answer) = self.entries[self.next]
            if known != kind or point.shape != u.shape or point.tobytes() != u.tobytes():
                raise InputError(
                    f"{self.path} does not fit: evaluation {self.next} is at another point than it "
                    "says; it was made by other versions of the libraries. Start without it."
                )
            if self.next == 0:
                self._check(compute(), answer)
            self.next += 1
            return tuple(answer)
        answer_now = compute()
        self.entries.append((kind, [np.array(u), *(np.asarray(a, np.float64) for a in answer_now)]))
        self.next = self.known = len(self.entries)
        if time.monotonic() - self.written > self.every:
            self.write()
        return answer_now

    def _check(self, now: tuple[Array, ...], then: list[Array]) -> None:
        """Refuse a journal whose first answer is not what the model says today."""
        pairs = zip(now, then, strict=True)
        if any(np.asarray(a, np.float64).tobytes() != b.tobytes() for a, b in pairs):
            raise InputError(
                f"{self.path} does not fit: the model does not give the numbers that it holds; the "
                "function of unknowns, a library or the processor is another one. Start without it."
            )

    def write(self) -> None:
        """Write all entries under a temporary name, and move the file.

        A file that cannot be written does not end what it was to protect: ``trouble`` says so.
        """
        if self.path is None:
            return
        began = time.monotonic()
        try:
            self._write(self.path)
            self.trouble = ""
        except InputError as error:
            self.trouble = f"the checkpoint is not up to date: {error}"
        self.written = time.monotonic()
        self.every = max(EVERY, (self.written - began) / SHARE)

    def _write(self, path: Path) -> None:
        head = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "entries": [[kind, [a.shape for a in arrays]] for kind, arrays in self.entries],
        }
        numbers = [a.ravel() for _, arrays in self.entries for a in arrays]
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
                numbers=np.concatenate([np.zeros(0), *numbers]),
            )

    def _read(self, path: Path) -> None:
        try:
            with path.open("rb") as file, np.load(file) as found:
                head, numbers = json.loads(bytes(found["head"])), found["numbers"]
            if head["format"] != FORMAT:
                raise InputError(
                    f"{path} has format {head['format']}, wanted {FORMAT}; start without it."
                )
            at = 0
            for kind, shapes in head["entries"]:
                arrays = []
                for shape in shapes:
                    size = int(np.prod(shape))
                    arrays.append(numbers[at : at + size].reshape(shape))
                    at += size
                self.entries.append((kind, arrays))
        except FileNotFoundError:
            raise InputError(f"{path} does not exist; start without --resume.") from None
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{path} is no checkpoint ({error}); start without it.") from None
        if head["fingerprint"] != self.fingerprint:
            raise InputError(
                f"{path} belongs to another calibration (case, data, method, options or version); "
                "repeat the command that made it, or start without it."
            )
        self.known = len(self.entries)
