"""LaTeX tables and the methods paragraph: they compile, fit their columns, and hold the numbers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from lsm_verify import Verdict
from lsm_verify.quantities import PARAMETERS
from lsm_verify.report import latex, methods
from lsm_verify.report.rounding import up
from lsm_verify.report.tex import GREEK, SIGNS, SPECIAL, escape, number, prose, symbol
from tests.report.reports import check, flat, located, right, row, wrong

REPORTS = (right, wrong, flat, located)
ODD = "\\{}$&#%_^~<>|\"'`–—…’“”§·?`--!`" + "".join((*SPECIAL, *GREEK, *SIGNS)) + "⁰₄é中\x07"
"""What text may hold."""


@pytest.fixture(scope="session")
def compiled():
    """Compile a document; skip, or fail where it is asked for, without TeX."""
    program = shutil.which("pdflatex")
    if program is None:
        reason = "no pdflatex: apt-get install texlive-latex-recommended (booktabs is in it)"
        if os.environ.get("LSM_VERIFY_REQUIRE_TEX") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    def run(folder, files, *, options=""):
        body = "\n".join(rf"\input{{{name}}}" + "\n\n\\clearpage" for name in files)
        for name, text in files.items():
            (folder / f"{name}.tex").write_text(text, encoding="utf-8")
        # A page of A4 with columns of 84 mm, two of them 174 mm.
        (folder / "main.tex").write_text(
            rf"\documentclass[{options}]{{article}}"
            "\n\\usepackage[a4paper,textwidth=174mm,textheight=250mm,columnsep=6mm]{geometry}"
            "\n\\usepackage{booktabs}\n\\begin{document}\n" + body + "\n\\end{document}\n",
            encoding="utf-8",
        )
        command = [program, "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
        for _ in range(2):  # labels are known in the second run
            done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        log = (folder / "main.log").read_text("utf-8", errors="replace")
        assert done.returncode == 0, log[-3000:]
        return log

    return run


@pytest.mark.parametrize("options", ["", "twocolumn"])
@pytest.mark.parametrize("made", REPORTS)
def test_tables_and_methods_compile_and_fit(compiled, tmp_path, made, options):
    files = {"tables": latex.render(made()), "methods": methods.render(made())}
    log = compiled(tmp_path, files, options=options)
    tables = log.split("methods.tex")[0]
    assert "Overfull" not in tables
    assert not re.search("Warning: (?!Underfull)", log.replace("LaTeX Font Warning", "")), log
    assert (tmp_path / "main.pdf").stat().st_size > 10_000


def test_every_special_character_compiles(compiled, tmp_path):
    text = f"{escape(ODD)}\n\n{prose(ODD)}\n\n" + ", ".join(
        symbol(q.symbol) for q in PARAMETERS.values()
    )
    compiled(tmp_path, {"odd": text})


def test_the_compiler_would_refuse_what_is_not_escaped(compiled, tmp_path):
    with pytest.raises(AssertionError):
        compiled(tmp_path, {"odd": "a_b & ε"})


def test_what_is_printed_is_what_stood_there(compiled, tmp_path):
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("no pdftotext: apt-get install poppler-utils")
    # Without an underscore: the default encoding draws it as a rule, which is no text to pdftotext.
    text = "lsm-verify check ab:c --seed 7 {x} 100% #1 & ~/d ^2"
    compiled(tmp_path, {"text": rf"\noindent {escape(text)}"})
    shown = subprocess.run(
        [program, "main.pdf", "-"], cwd=tmp_path, capture_output=True, check=True
    ).stdout.decode()
    assert "".join(text.split()) in "".join(shown.split()).replace("˜", "~").replace("ˆ", "^")


def test_a_row_has_every_route_in_one_power_of_ten():
    text = latex.render(located())
    (line,) = [x for x in text.splitlines() if "initial temperature" in x]
    cells = [c.strip(" \\$") for c in line.split("&")]
    assert cells[1:3] == ["T^{0}", "10^{-5}"]
    values = [float(c) * 1e-5 for c in cells[3:]]
    r = next(r for r in located().points[0].rows if r.parameter == "initial_temperature")
    assert values == pytest.approx([*r.gradients.values(), r.finite_difference], rel=1e-7)


def test_a_far_smaller_number_keeps_its_digits():
    odd = row("albedo", gradients={"adjoint": 1.0, "autograd": -3.25e-9})
    point = replace(located().points[0], rows=(odd,))
    text = latex.render(replace(located(), points=(point,)))
    assert r"$-3.250\times10^{-9}$" in text


def test_more_routes_than_fit_make_more_tables():
    names = [f"route{k}" for k in range(8)]
    values = dict.fromkeys(names, 1.5)
    point = replace(located().points[0], values=values, rows=(row("albedo", gradients=values),))
    text = latex.render(replace(located(), points=(point,)))
    assert text.count(r"\begin{table*}") == 2
    for name in names:
        assert text.count(f" {name} ") == 1


def test_of_many_values_the_worst_is_told():
    rows = (row("albedo", (0,), share=0.9), row("albedo", (1,), share=0.1, verdict="FAIL"))
    assert [r.component for r in latex.telling(rows)] == [(1,)]
    assert [r.component for r in latex.telling((rows[0], row("albedo", (2,))))] == [(0,)]


def test_bounds_are_rounded_up_and_verdicts_marked():
    text = latex.render(located())
    assert r"$1.9\times10^{-13}$" in text  # of 1.82e-13
    assert r"\textbf{fail}" in text
    assert r"\emph{open}" in text
    assert "1 without a signal are left out" in text
    assert "fail" not in latex.render(right()).replace("% ", "")


@pytest.mark.parametrize(
    "value, shown",
    [
        (None, ""), (0.0, "$0$"), (float("nan"), "NaN"), (float("-inf"), r"$-$$\infty$"),
        (-1.25e-7, r"$-1.2\times10^{-7}$"),
    ],
)  # fmt: skip
def test_numbers(value, shown):
    assert number(value) == shown


def test_methods_say_what_the_report_holds():
    report = right()
    text = methods.plain(report)
    gate = [c for c in report.checks if c.primary and not c.covered]
    assert f"at most {up(max(c.bound for c in gate if c.bound is not None))};" in text
    assert f"seed {report.options.seed}" in text
    assert f"numpy {report.provenance['numpy']}" in text
    assert f"The command {report.command} repeats it." in text
    assert "rosen_der" in text


def test_methods_of_a_red_run_certify_nothing():
    text = methods.plain(located())
    assert "did not pass (FAIL): agreement (J): autograd stands apart" in text
    assert "certified to be" not in text
    assert "Without a conclusion remained 1: hessian (1)." in text
    assert "In 1 check the misfit's gradient was below its own noise" in text
    assert f"tower.nc (SHA-256 {'ab' * 6}…)" in text


def test_methods_name_every_check_that_failed_and_count_what_they_name():
    names = ["agreement", "taylor", "taylor", "determinism", "energy closure", "energy closure"]
    verdicts = [Verdict.FAIL, Verdict.FAIL, Verdict.FAIL, *[Verdict.PASS] * 3]
    checks = [check(v, check=n) for n, v in zip(names, verdicts, strict=True)]
    text = methods.plain(replace(located(), checks=tuple(checks)))
    assert "3 checks failed: agreement (1), taylor (2)." in text
    assert "Of further checks 3 passed: determinism (1), energy closure (2)." in text
    assert "1 check failed: agreement (1)." in methods.plain(located())


@pytest.mark.parametrize(
    "command, shown",
    [
        ("check --replay /home/me/x/report.json", "check --replay report.json"),
        ("check --replay '/home/me/my runs/r.json'", "check --replay r.json"),
        ("check --replay out/report.json", "check --replay report.json"),
        ("check phoenix --data /home/me/data --seed 7", "check phoenix --data data --seed 7"),
        ("check model:problem --seed 0", "check model:problem --seed 0"),
    ],
)
def test_methods_name_a_file_alone(command, shown):
    report = replace(located(), command=f"lsm-verify {command}")
    assert f"The command lsm-verify {shown} repeats it." in methods.plain(report)
    assert "/home" not in methods.render(report)


def test_methods_change_with_the_numbers():
    one = replace(right(), checks=(check(bound=1e-12),))
    other = replace(right(), checks=(check(bound=2e-12),))
    assert methods.plain(one).replace("1.0e-12", "2.0e-12") == methods.plain(other)
