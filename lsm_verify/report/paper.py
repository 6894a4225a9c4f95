"""Figures for a paper: sized for its columns, written as PDF and SVG, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from lsm_verify.errors import InputError, unknown
from lsm_verify.files import check_writable, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("paper.mplstyle")
"""For `matplotlib.style.use`; works without this module."""

WIDTHS = {1: 84.0, 2: 174.0}
"""Widths [mm] of a figure over one and two columns: Springer's (artwork guidelines), the narrowest
of the usual ones, so that they fit Elsevier's (90 and 190 mm) and others' too."""

GOLDEN = 0.618
"""Height of a figure as a share of its width, unless given."""

MILLIMETRES = 25.4
"""In an inch (1959)."""

FORMATS = ("pdf", "svg")


@contextmanager
def style(columns: int = 1, *, height: float | None = None) -> Iterator[None]:
    """Draw within a ``with`` block in the style of a paper.

    Parameters
    ----------
    columns : int
        1 (84 mm wide) or 2 (174 mm).
    height : float, optional
        Height of the figures [mm]; default: 0.618 of the width of one column.

    Raises
    ------
    InputError
        If ``columns`` is neither, or the height is not positive.
    """
    import matplotlib as mpl
    import matplotlib.style

    if columns not in WIDTHS:
        raise unknown("columns", str(columns), [str(c) for c in WIDTHS])
    tall = WIDTHS[1] * GOLDEN if height is None else height
    if not tall > 0:
        raise InputError(f"height={height!r} mm must be positive; leave it out for the default.")
    size = (WIDTHS[columns] / MILLIMETRES, tall / MILLIMETRES)
    with mpl.style.context(STYLE), mpl.rc_context({"figure.figsize": size}):
        yield


def save_figure(figure: Figure, path: Path | str) -> tuple[Path, ...]:
    """Write a figure as PDF and as SVG beside each other; return their paths.

    Both are drawn before either is written, so that an error leaves what was there. The files hold
    no date: the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        Drawn in `style` or not; its size is kept.
    path : path
        Name of the files; a suffix .pdf or .svg is replaced by either.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    path = Path(path)
    stem = path.with_suffix("") if path.suffix[1:] in FORMATS else path
    paths = {kind: stem.with_name(f"{stem.name}.{kind}") for kind in FORMATS}
    for each in paths.values():
        check_writable(each)
    for kind, content in drawn(figure).items():
        with replacing(paths[kind]) as temporary:
            temporary.write_bytes(content)
    return tuple(paths.values())


def drawn(figure: Figure, formats: Sequence[str] = FORMATS) -> dict[str, bytes]:
    """Return a figure in some formats, without a date: the same figure gives the same bytes."""
    found = {}
    with _filed():
        for kind in formats:
            buffer = BytesIO()
            undated = {"CreationDate": None} if kind == "pdf" else {"Date": None}
            figure.savefig(buffer, format=kind, metadata=undated)
            found[kind] = buffer.getvalue()
    return found


def pages(figures: Iterable[Figure]) -> bytes:
    """Return figures as one PDF, a page each; fonts are embedded once, most of a PDF's time."""
    from matplotlib.backends.backend_pdf import PdfPages

    buffer = BytesIO()
    with _filed(), PdfPages(buffer, metadata={"CreationDate": None}) as file:
        for figure in figures:
            file.savefig(figure)
    return buffer.getvalue()


@contextmanager
def _filed() -> Iterator[None]:
    """Set how files hold a figure; what it looks like was settled when it was drawn."""
    import matplotlib as mpl

    every = mpl.rc_params_from_file(STYLE, use_default_template=False)
    settings = {k: v for k, v in every.items() if k.partition(".")[0] in ("pdf", "svg", "savefig")}
    with mpl.rc_context(settings):
        yield
