"""Figures for a paper: their size, their fonts, and that they are written whole or not at all."""

from __future__ import annotations

import re
import zlib

import matplotlib as mpl
import matplotlib.style
import pytest
from lxml import etree
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lsm_verify import InputError
from lsm_verify.report import paper

POINTS = 72.0
"""Of an inch, in PDF."""


def drawn(columns=1, **options):
    with paper.style(columns, **options):
        figure = Figure()
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.plot([1, 2, 3], [1, 4, 9], label="αβ ‖g∘s‖ ≤ 1e-12")
        axes.set(xlabel="step", ylabel="W m⁻²")
        axes.legend()
        return figure


@pytest.mark.parametrize("columns", [1, 2])
def test_pages_are_as_wide_as_columns(tmp_path, columns):
    pdf, svg = paper.save_figure(drawn(columns, height=60.0), tmp_path / "a")
    left, bottom, right, top = map(
        float, re.search(rb"/MediaBox \[([^\]]*)\]", pdf.read_bytes())[1].split()
    )
    size = [(right - left) / POINTS * 25.4, (top - bottom) / POINTS * 25.4]
    assert size == pytest.approx([paper.WIDTHS[columns], 60.0], abs=0.01)
    root = etree.parse(svg).getroot()
    width = float(root.get("width").removesuffix("pt")) / POINTS * 25.4
    assert width == pytest.approx(paper.WIDTHS[columns], abs=0.01)


def test_fonts_of_the_pdf_are_truetype(tmp_path):
    pdf, svg = paper.save_figure(drawn(), tmp_path / "a.pdf")
    assert (pdf.name, svg.name) == ("a.pdf", "a.svg")
    content = pdf.read_bytes()
    kinds = set(re.findall(rb"/Subtype /(Type3|Type0|CIDFontType2|TrueType|Type1)\b", content))
    assert kinds == {b"Type0", b"CIDFontType2"}
    assert b"/FontFile2" in content
    assert not etree.parse(svg).getroot().xpath("//*[local-name()='text']")


def test_a_figure_of_another_style_gets_these_fonts(tmp_path):
    figure = Figure()
    figure.add_subplot().set_title("x")
    with mpl.rc_context({"pdf.fonttype": 3}):
        pdf, _ = paper.save_figure(figure, tmp_path / "a")
    assert b"Type3" not in pdf.read_bytes()


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    one = [p.read_bytes() for p in paper.save_figure(drawn(), tmp_path / "one")]
    other = [p.read_bytes() for p in paper.save_figure(drawn(), tmp_path / "other")]
    assert one == other
    assert zlib.crc32(one[0]) != zlib.crc32(one[1])


def test_text_is_not_smaller_than_a_journal_takes():
    with paper.style():
        assert min(mpl.rcParams[k] for k in ("font.size", "axes.labelsize", "axes.titlesize")) >= 7
        assert mpl.rcParams["xtick.labelsize"] == mpl.rcParams["legend.fontsize"] == 7


def test_the_style_ends_with_its_block():
    before = mpl.rcParams["figure.figsize"]
    with paper.style(2):
        assert mpl.rcParams["figure.figsize"] != before
    assert mpl.rcParams["figure.figsize"] == before


def test_the_style_alone_is_matplotlibs():
    with mpl.style.context(paper.STYLE):
        assert mpl.rcParams["pdf.fonttype"] == 42


@pytest.mark.parametrize("columns", [0, 3])
def test_a_number_of_columns_is_one_or_two(columns):
    with pytest.raises(InputError, match="columns"), paper.style(columns):
        pass


def test_a_height_is_positive():
    with pytest.raises(InputError, match="height=-1"), paper.style(height=-1):
        pass


def test_what_cannot_be_drawn_leaves_what_was_there(tmp_path, monkeypatch):
    for suffix in paper.FORMATS:
        (tmp_path / f"a.{suffix}").write_text("before")
    figure = drawn()
    draw = figure.savefig

    def fails_second(buffer, **options):
        if options["format"] == "svg":
            raise RuntimeError("out of ink")
        draw(buffer, **options)

    monkeypatch.setattr(figure, "savefig", fails_second)
    with pytest.raises(RuntimeError, match="ink"):
        paper.save_figure(figure, tmp_path / "a")
    assert {p.read_text() for p in tmp_path.iterdir()} == {"before"}
    with pytest.raises(InputError, match="does not exist"):
        paper.save_figure(drawn(), tmp_path / "no" / "a")


def test_pages_hold_every_figure_and_the_fonts_once():
    figures = [drawn(), drawn()]
    content = paper.pages(figures)
    assert content.count(b"/Type /Page ") == 2
    assert content == paper.pages(figures)
    assert b"Type3" not in content
    assert len(content) < 1.5 * len(paper.pages(figures[:1]))
