"""Series that ship with the package, as text with 17 significant digits."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


def read_series(file: str) -> tuple[dict[str, NDArray[np.float64]], str]:
    """Return the columns of an embedded CSV file by name, and its SHA-256; empty cells are gaps."""
    raw = (files("lsm_verify.cases") / file).read_bytes()
    header, *rows = raw.decode().split()
    table = np.array([[float(cell or "nan") for cell in row.split(",")] for row in rows])
    columns = {name: table[:, i] for i, name in enumerate(header.split(","))}
    return columns, hashlib.sha256(raw).hexdigest()
