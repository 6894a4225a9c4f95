"""Files are written under a temporary name and moved: none is ever left half-written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
    if path.exists() and not path.is_file():  # a device or pipe: nothing is made beside it
        folder = path
    if not os.access(folder, os.W_OK):
        raise InputError(
            f"cannot write {path}: no permission to write in {folder}; choose another."
        )
    if folder.is_dir():
        _try_to_write(path, folder)


def check_folder(path: Path) -> None:
    """Refuse an output folder before any work is done for it; it need not exist yet."""
    try:
        there = next(each for each in (path, *path.absolute().parents) if each.exists())
        is_folder = there.is_dir()
    except OSError as error:  # a name that is too long, say
        raise InputError(f"cannot write {path}: {error.strerror}; choose another name.") from None
    if not is_folder:
        raise InputError(f"cannot write {path}: {there} is no folder; choose another.")
    if not os.access(there, os.W_OK):
        raise InputError(f"cannot write {path}: no permission to write in {there}; choose another.")
    _try_to_write(path, there)


BLOCK = 4096
"""Bytes that a folder must take before work is done for it: the smallest file on most disks."""


def _try_to_write(path: Path, folder: Path) -> None:
    """Find out about what permissions do not tell: a full disk, a file system that takes no files.

    The file that is tried has no name where the system allows that, so a kill leaves nothing.
    """
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(bytes(BLOCK))
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> InputError:
    """Return what is told of a file or folder that cannot be written."""
    return InputError(
        f"cannot write {path}: {error.strerror or error}; free space or choose another place."
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
    temporary = None
    try:
        if path.exists() and not path.is_file():  # before links are followed: to a pipe none leads
            yield path
            return
        path = path.resolve()
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp"
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
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


Stale = Callable[[Path, Mapping[str, object]], Iterable[Path]]


def write_folder(
    folder: Path,
    contents: Mapping[str, str | bytes],
    stale: Stale = lambda folder, contents: (),
) -> None:
    """Write files into a folder, all of them or none.

    They are moved in place when the last is written: a full disk changes nothing. Two processes
    that write to one folder wait for each other, so its files belong together; if both are killed,
    each file is still that of one of them.

    Parameters
    ----------
    folder : Path
        Made if need be.
    contents : mapping
        Path within the folder to what the file holds. The first is moved in place last.
    stale : callable
        Says of folder and contents which files of an earlier run are to be removed; they are when
        all but the first of the new ones are in place.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    try:
        for path in {folder / name for name in contents}:
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    with alone(folder), ExitStack() as stack:
        old = list(stale(folder, contents))
        for number, (name, content) in enumerate(contents.items()):
            temporary = stack.enter_context(replacing(folder / name))
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            if number == 0:
                stack.push(_removing(old))


def _removing(paths: Iterable[Path]) -> Callable[..., None]:
    """Return what removes files when a block ends, unless it ends by an error."""

    def end(kind: object, *rest: object) -> None:
        if kind is None:
            for path in paths:
                path.unlink(missing_ok=True)

    return end


@contextmanager
def alone(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock on a folder; where the system has none for folders, go on without.

    Raises
    ------
    InputError
        If another process holds it and is not to be waited for.
    """
    handle = _locked(folder, wait)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)  # and the lock with it, as does the end of the process


def _locked(folder: Path, wait: bool) -> int | None:
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise InputError(
                f"another run is writing {folder}; wait for its end, or give another name."
            ) from None
        return None
    return handle


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
