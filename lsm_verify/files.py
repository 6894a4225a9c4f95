"""Files are written under a temporary name and moved: none is ever left half-written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsm_verify.errors import InputError


def check_writable(path: Path) -> None:
    """Refuse an output path before any work is done for it."""
    folder = path.parent
    try:
        folder_exists, is_folder = folder.is_dir(), path.is_dir()
        path.exists()
    except OSError as error:  # a name that is too long, say
        raise InputError(f"cannot write {path}: {error.strerror}; choose another name.") from None
    if not folder_exists:
        raise InputError(
            f"cannot write {path}: the folder {folder} does not exist; create it first."
        )
    if is_folder:
        raise InputError(f"cannot write {path}: it is a folder; give a file name.")
    if not os.access(folder, os.W_OK):
        raise InputError(
            f"cannot write {path}: no permission to write in {folder}; choose another."
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; move it there if the block succeeds.

    A link is followed; a device or pipe is written to as it is, for it cannot be replaced.

    Raises
    ------
    InputError
        If the file cannot be written (no folder, no permission, disk full).
    """
    check_writable(path)
    path = path.resolve()
    temporary = None
    try:
        if path.exists() and not path.is_file():
            yield path
            return
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp"
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another place."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_regular(path: Path) -> None:
    """Refuse devices and pipes, for formats that must seek in their file."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"cannot write {path}: it is no regular file; give a file name.")


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
