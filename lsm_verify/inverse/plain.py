"""Numbers as JSON has them: what is not finite is ``None``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def number(x: Any) -> float | None:
    """Return one number."""
    return float(x) if np.isfinite(x) else None


def numbers(row: Iterable[Any]) -> list[float | None]:
    """Return a row of them."""
    return [number(x) for x in row]
