"""Where the data files lie, and which they are."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from lsm_verify.errors import InputError

VARIABLE = "LSM_VERIFY_DATA"
"""Environment variable that names the data directory."""

SUBFOLDER = "us-westphoenix"

TOWER_FILE = "US-WestPhoenix_clean_observations_v1.nc"
TOWER_SHA256 = "cb14f8fd651764c3574fbbcbc5191f91328e0bd1300b211d150ab2fb52cacba0"

EDI_FILES = "591_fluxtower_data*.csv"
"""Name of the original soil temperatures, as a pattern: it varies with the revision."""

DIGITISED_FILE = "US-WestPhoenix_T5_T15_digitised.csv"

_REMEDY = f"run `lsm-verify data fetch`, or name their folder by --data DIR or {VARIABLE}"


def cache_directory() -> Path:
    """Return where fetched data are kept: a folder in the user's cache."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lsm-verify"


def data_directory(data: Path | str | None = None) -> Path:
    """Return the one directory in which data are looked for.

    Parameters
    ----------
    data : Path or str, optional
        The directory; else that of the environment variable ``LSM_VERIFY_DATA``, else the cache
        that ``lsm-verify data fetch`` fills. The first that is named counts, even if it is empty:
        nothing falls back in silence.

    Raises
    ------
    InputError
        If the directory does not exist.
    """
    named = os.environ.get(VARIABLE)
    if data is not None:
        place, origin = Path(data), "--data "
    elif named:
        place, origin = Path(named), f"{VARIABLE}="
    else:
        place, origin = cache_directory(), "the cache "
    try:
        there = place.is_dir()
    except OSError:  # a name that is too long, say
        there = False
    if not there:
        raise InputError(f"no data: {origin}{place} is not a directory; {_REMEDY}.")
    return place


def find(name: str, data: Path | str | None = None) -> Path:
    """Return the path of a data file.

    Parameters
    ----------
    name : str
        Name of the file, or a pattern with ``*``; of several that match, the last by name.
    data : Path or str, optional
        Where to look, see `data_directory`; there and in its subfolder ``us-westphoenix``.

    Raises
    ------
    InputError
        If the directory does not exist or does not hold the file.
    """
    return find_first([name], data)


def find_soil(data: Path | str | None = None) -> Path:
    """Return the path of the soil temperatures: the original if it is there, else the digitised."""
    return find_first([EDI_FILES, DIGITISED_FILE], data)


def find_first(names: list[str], data: Path | str | None = None) -> Path:
    """Return the path of the first of several files that is there; arguments as for `find`."""
    directory = data_directory(data)
    folders = [directory, directory / SUBFOLDER]
    for name in names:
        for folder in folders:
            found = sorted(path for path in folder.glob(name) if path.is_file())
            if found:
                return found[-1]
    raise InputError(
        f"no data: {' or '.join(names)} is neither in {folders[0]} nor in its subfolder "
        f"{SUBFOLDER}; {_REMEDY}."
    )


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def provenance(*paths: Path | str) -> dict[str, str]:
    """Return name (without folders) and SHA-256 of data files, for the record of a result."""
    return {Path(path).name: sha256(path) for path in paths}
