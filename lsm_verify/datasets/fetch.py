"""Download the Phoenix data into the cache, with checksums; nothing half-written stays.

The tests run against a local server with a small archive. The real addresses below were **not**
exercised: neither the size of the Zenodo archive nor the answers of EDI's service were seen.

EDI asks for a free key since July 2026; it is sent as the query parameter ``key`` and kept out of
all messages.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsm_verify.datasets.locate import (
    DIGITISED_FILE,
    EDI_FILES,
    SUBFOLDER,
    TOWER_FILE,
    TOWER_SHA256,
    cache_directory,
    sha256,
)
from lsm_verify.datasets.soil import read_table
from lsm_verify.errors import InputError

KEY_VARIABLE = "EDI_API_KEY"

MEMBER = f"US-WestPhoenix/timeseries/{TOWER_FILE}"
"""Path of the tower file in the archive."""

EDI_FILE = EDI_FILES.replace("*", "")
"""Name under which the original soil temperatures are kept."""

_CHUNK = 1 << 20
_BY_HAND = "or get the files by hand and name their folder by --data DIR"


@dataclass(frozen=True)
class BaseURLs:
    """Where the data are served.

    Attributes
    ----------
    zenodo : str
        Files of record 7104984, version v1 of doi 10.5281/zenodo.5517550.
    edi : str
        Data package service of EDI (PASTA+).
    """

    zenodo: str = "https://zenodo.org/records/7104984/files"
    edi: str = "https://pasta.lternet.edu/package"

    @property
    def archive(self) -> str:
        """Address of the archive that holds the tower file."""
        return f"{self.zenodo}/Urban-PLUMBER_FullCollection_v1.zip"


@dataclass(frozen=True)
class Fetched:
    """Paths of the files in the cache; which of them were written by this call."""

    tower: Path
    soil: Path | None
    written: tuple[Path, ...]


def fetch(
    *,
    base_urls: BaseURLs | None = None,
    edi_key: str | None = None,
    soil_file: Path | str | None = None,
    soil: bool = True,
    cache: Path | str | None = None,
    progress: bool = False,
    checksum: str = TOWER_SHA256,
) -> Fetched:
    """Make the Phoenix data available in the cache.

    What is there and right is not downloaded again. The real addresses were not exercised.

    Parameters
    ----------
    base_urls : BaseURLs, optional
        Where to download from; tests and mirrors give their own.
    edi_key : str, optional
        Key of EDI's service for the soil temperatures; else environment variable ``EDI_API_KEY``.
    soil_file : Path or str, optional
        A soil temperature CSV that is already at hand, original or digitised: checked and copied.
    soil : bool
        Whether soil temperatures are wanted; without them only the tower file is fetched.
    cache : Path or str, optional
        Directory to fill; else `lsm_verify.datasets.locate.cache_directory`.
    progress : bool
        Whether to report progress on standard error.
    checksum : str
        SHA-256 that the tower file must have.

    Returns
    -------
    Fetched

    Raises
    ------
    InputError
        If there is no key and no file for the soil temperatures; if pooch is not installed, a
        download fails, the archive or the soil file is not what is expected, or the checksum
        differs.
    """
    urls = base_urls or BaseURLs()
    folder = Path(cache or cache_directory()) / SUBFOLDER
    tower = folder / TOWER_FILE
    original, digitised = _whole(folder, EDI_FILES), _whole(folder, DIGITISED_FILE)
    key = edi_key or os.environ.get(KEY_VARIABLE)
    # Everything that can be refused before the first byte is written is refused here.
    if soil_file is not None:
        read_table(soil_file)
    elif soil and not (original or digitised or key):
        raise InputError(
            f"no key for the soil temperatures: set {KEY_VARIABLE} (free of charge at "
            "https://edirepository.org), or give the CSV file itself with --soil-file FILE, or "
            "fetch without them with --no-soil."
        )
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
            if not tower.is_file() or sha256(tower) != checksum:
                _fetch_tower(urls, tower, Path(scratch), checksum, progress)
                written.append(tower)
            if soil_file is not None:
                original = _copy_soil(Path(soil_file), folder, Path(scratch))
                written.append(original)
            elif soil and original is None and key:
                original = _fetch_soil(urls, folder / EDI_FILE, Path(scratch), key, progress)
                written.append(original)
    except OSError as error:
        raise InputError(
            f"cannot write the data to {folder} ({error.strerror or error}); free space, or choose "
            "another directory."
        ) from None
    return Fetched(tower, original or digitised, tuple(written))


def _whole(folder: Path, pattern: str) -> Path | None:
    """Return the soil file of that name in the cache, if it is there and can be read."""
    for path in sorted(folder.glob(pattern), reverse=True):
        try:
            read_table(path)
        except InputError:
            continue  # Damaged: as good as absent, and replaced by what is fetched.
        return path
    return None


def _fetch_tower(
    urls: BaseURLs, target: Path, scratch: Path, checksum: str, progress: bool
) -> None:
    """Download the archive, take the tower file out of it, check it, put it in place."""
    archive = _download(urls.archive, scratch / "archive.zip", progress=progress)
    loose = scratch / TOWER_FILE
    try:
        with zipfile.ZipFile(archive) as opened:
            inside = [n for n in opened.namelist() if f"/{n}".endswith(f"/{MEMBER}")]
            if not inside:
                raise InputError(f"{urls.archive} holds no {MEMBER}; {_BY_HAND}.")
            with opened.open(inside[0]) as source, loose.open("wb") as sink:
                shutil.copyfileobj(source, sink, _CHUNK)
    except (zipfile.BadZipFile, EOFError, RuntimeError, zlib.error) as error:
        raise InputError(
            f"{urls.archive} is not a whole zip archive ({error}); try again, {_BY_HAND}."
        ) from None
    found = sha256(loose)
    if found != checksum:
        raise InputError(
            f"{MEMBER} of {urls.archive} has sha256 {found}, {checksum} is wanted; try again, "
            f"{_BY_HAND}."
        )
    os.replace(loose, target)


def _fetch_soil(urls: BaseURLs, target: Path, scratch: Path, key: str, progress: bool) -> Path:
    """Download the newest revision of the soil temperatures from EDI, check it, put it in place."""
    package = "eml/knb-lter-cap/591"
    secret = {"key": key}

    def ask(address: str, name: str, **more: str) -> Path:
        return _download(
            f"{urls.edi}/{address}", scratch / name, query={**secret, **more}, progress=progress
        )

    revision = ask(package, "revision", filter="newest").read_text(errors="replace").strip()
    if not revision.isdecimal():
        raise InputError(
            f"{urls.edi}/{package} answers {revision[:40]!r}, the number of a revision is wanted; "
            "get the CSV by hand and give it with --soil-file FILE."
        )
    names = ask(f"name/{package}/{revision}", "names").read_text(errors="replace").splitlines()
    entities = dict(line.split(",", 1) for line in names if "," in line)
    matching = [entity for entity, name in entities.items() if "fluxtower" in name.lower()]
    if len(matching) != 1:
        raise InputError(
            f"EDI package knb-lter-cap.591.{revision} has {len(matching)} tables named fluxtower, "
            f"one is wanted; its tables: {', '.join(entities.values()) or 'none'}; get the CSV by "
            "hand and give it with --soil-file FILE."
        )
    loose = ask(f"data/{package}/{revision}/{matching[0]}", EDI_FILE)
    read_table(loose)
    os.replace(loose, target)
    return target


def _copy_soil(source: Path, folder: Path, scratch: Path) -> Path:
    """Copy a soil file that was checked before; it is whole or not there at all."""
    digitised = read_table(source).layout.digitised
    target = folder / (DIGITISED_FILE if digitised else EDI_FILE)
    loose = scratch / target.name
    shutil.copyfile(source, loose)
    os.replace(loose, target)
    return target


def _download(
    url: str, target: Path, *, query: Mapping[str, str] | None = None, progress: bool = False
) -> Path:
    """Download one file by pooch; the query is kept out of messages, it may hold a key."""
    try:
        import pooch
    except ImportError:
        raise InputError(
            'downloading needs pooch, which is not installed; pip install "lsm-verify[data]".'
        ) from None
    bar: Any = _Progress(url) if progress else False
    answers: list[Any] = []
    loader = pooch.HTTPDownloader(
        progressbar=bar,
        chunk_size=_CHUNK,
        params=dict(query or {}),
        hooks={"response": lambda answer, **_: answers.append(answer)},
    )
    try:
        loader(url, str(target), None)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{url} cannot be downloaded ({_reason(error)}); check the network and try again, "
            f"{_BY_HAND}."
        ) from None
    finally:
        for answer in answers:  # pooch leaves the connection of a failed download open.
            answer.close()
    return target


def _reason(error: Exception) -> str:
    """Say why a download failed without repeating the address, which holds the query."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}"
    return type(error).__name__


class _Progress:
    """Progress bar as pooch wants it: one line on standard error, rewritten at each per cent."""

    def __init__(self, url: str) -> None:
        self.name = url.rsplit("/", 1)[-1]
        self.total = 0
        self.done = 0
        self.shown = -1

    def update(self, size: int) -> None:
        """Add the bytes that came in."""
        self.done += size
        percent = min(100, 100 * self.done // self.total) if self.total else 0
        if percent > self.shown:
            self.shown = percent
            sys.stderr.write(f"\r{self.name}: {percent} %")
            sys.stderr.flush()

    def reset(self) -> None:
        """Start counting again; pooch does so to show the end."""
        self.done = 0

    def close(self) -> None:
        """End the line."""
        sys.stderr.write("\n")
