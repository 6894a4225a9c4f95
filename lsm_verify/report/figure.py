"""What all figures share: colours that all readers tell apart, and files that repeat."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsm_verify.errors import InputError
from lsm_verify.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")

COLOURS = ("#0072b2", "#d55e00", "#009e73")
"""Three of Okabe and Ito's, told apart by readers who see no red or green; shapes differ, too."""


def style() -> AbstractContextManager[None]:
    """Return the context in which figures are drawn."""
    import matplotlib as mpl

    return mpl.rc_context({"svg.hashsalt": "lsm-verify", "font.size": 9})


def check_format(path: Path) -> None:
    """Refuse a figure in a format that is not drawn."""
    if path.suffix not in FORMATS:
        raise InputError(f"--figure {path} must end in {', '.join(FORMATS)}.")


def save(figure: Figure, path: Path) -> None:
    """Write a figure, atomically; the same result makes the same file: no date is kept."""
    metadata: dict[str, Any] = {".png": {}, ".svg": {"Date": None}}.get(
        path.suffix, {"CreationDate": None}
    )
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150, metadata=metadata)
