"""Make reports/peers.json, peers.md and figures/peers.png: other checkers on planted errors.

Run as ``python tools/make_peers.py`` from the repository, with the extra ``peers`` installed (about
a minute on one core). ``--draw`` makes page and figure again from the JSON file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl

from lsm_verify.files import replacing, write_text

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "reports"

# The problems and adapters belong to the tests; a script's own folder is all that Python adds.
sys.path.insert(0, str(ROOT))

from tests.peers.problem import Group  # noqa: E402
from tests.peers.problems import problems  # noqa: E402
from tests.peers.table import SEEDS, Cell, Row, Standing, Table, measure  # noqa: E402
from tests.peers.tools import OURS, PEERS  # noqa: E402

TOOLS = (OURS, *PEERS)

HEADINGS = {
    Group.ERROR: ("Planted errors", "caught", "let pass"),
    Group.CORRECT: ("Correct gradients", "passed", "false alarm"),
    Group.NEITHER: ("Nothing to conclude", "refused", "judged anyway"),
}

COUNTED = {
    Group.ERROR: ("caught", Standing.RIGHT),
    Group.CORRECT: ("false alarms", Standing.WRONG),
    Group.NEITHER: ("refused", Standing.RIGHT),
}
"""What the sums of a group count."""

# Okabe and Ito's colours, told apart by all; the symbols say the same without colour.
RIGHT_COLOUR, WRONG_COLOUR, OPEN_COLOUR = "#0072B2", "#D55E00", "#E69F00"
COLOURS = {
    Standing.RIGHT: RIGHT_COLOUR,
    Standing.WRONG: WRONG_COLOUR,
    Standing.OPEN: OPEN_COLOUR,
}
SIGNS = {Standing.RIGHT: "✓", Standing.WRONG: "✗", Standing.OPEN: "?", Standing.UNUSABLE: "–"}

LEFT = 4.75
"""Where the columns of tools begin in the figure, in widths of one column."""

CAPTION = f"""\
? refused with a reason      – cannot be asked      3/{SEEDS}, pale: right answers of {SEEDS} random draws      size: of the error, in ‖g∘s‖
column: the twin experiment on 20 nodes      layer: one layer, variable Δt, adjoint by hand      defaults of every tool; lsm-verify gets parameter scales, where known"""

# ruff: noqa: E501 - lines of the page are as long as they are
PAGE = """\
# What gradient checkers say of planted errors

Made by `python tools/make_peers.py`; the answers are in `peers.json`, and a test asks the tools again
and compares. Every tool runs with its defaults, as its users call it. ✓ is the right answer, ✗ the
wrong one, ? a refusal with a reason, – a question that the tool cannot be asked. Where a tool draws
at random it was asked {{ seeds }} times: 3/{{ seeds }} are three right answers; the sums go by the majority.

![Matrix of the tables below](figures/peers.png)

{% for group in groups %}
## {{ group.title }}: ✓ {{ group.good }}, ✗ {{ group.bad }}

{{ group.table }}

{% endfor %}
The size of an error is that of g - ∂J, in units of ‖∂J∘s‖, s being the scales of the parameters
(|p| where none are given); ∂J is found by complex step. "Column" is the twin experiment on 20 nodes,
"layer" a one-layer model with variable time steps and an adjoint by hand. All errors are larger than
1e-6, the default tolerance of lsm-verify, which lets smaller ones pass by design. It alone is given
the scales of the parameters of column, layer and kinks; the others have no such option.

## How each tool was asked

{{ tools }}

numdifftools and SciPy's `check_grad` return numbers; what is made of them is the user's. JAX's forward
mode cannot be asked, for a gradient given as `custom_vjp` has none. PyLops tests pairs of operators:
it got the tangent and the adjoint behind a gradient, where there are two.

Versions: {% for name, version in versions.items() %}{{ name }} {{ version }}{{ ", " if not loop.last }}{% endfor %}.
"""


def label(group: Group, cell: Cell) -> str:
    """Sign of a cell, or the share of right answers where they differ."""
    right = cell.right(group)
    return f"{right}/{cell.runs}" if 0 < right < cell.runs else SIGNS[cell.standing(group)]


def total(table: Table, group: Group, tool: str) -> str:
    """How many of the problems that could be asked: right answers, or false alarms."""
    asked = len(table.of(group)) - table.count(tool, group, Standing.UNUSABLE)
    return f"{table.count(tool, group, COUNTED[group][1])} of {asked}" if asked else ""


def size(row: Row) -> str:
    """Size of the planted error."""
    return "not a number" if row.error is None else f"{row.error:.1g}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table, its head first."""
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def group_table(table: Table, group: Group) -> str:
    """Lay out one group: a row per problem, a column per tool."""
    sized = group is Group.ERROR
    names = [tool.name for tool in TOOLS]
    rows = [["", *(["size"] if sized else []), *names]]
    for row in table.of(group):
        answers = [label(group, row.cells[name]) for name in names]
        rows.append([row.title, *([size(row)] if sized else []), *answers])
    totals = [total(table, group, name) for name in names]
    cells = [COUNTED[group][0], *([""] if sized else []), *totals]
    return markdown([*rows, [f"**{cell}**" if cell else "" for cell in cells]])


def page(table: Table) -> str:
    """Render the table as Markdown."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        trim_blocks=True,
    )
    groups = [
        {"title": title, "good": good, "bad": bad, "table": group_table(table, group)}
        for group, (title, good, bad) in HEADINGS.items()
    ]
    tools = [[tool.name, table.versions[tool.package], tool.rule] for tool in TOOLS]
    return environment.from_string(PAGE).render(
        groups=groups,
        tools=markdown([["tool", "version", "accepts if"], *tools]),
        seeds=SEEDS,
        versions=table.versions,
    )


def draw(table: Table, path: Path) -> None:
    """Plot the matrix: a row per problem, a column per tool."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    heights = len(table.rows) + 1.35 * len(HEADINGS)
    figure, axis = plt.subplots(figsize=(10, 0.232 * heights + 1.35))
    axis.set_axis_off()
    for column, tool in enumerate(TOOLS):
        axis.text(
            LEFT + column + 0.5,
            -0.15,
            tool.name.replace(", ", " ").replace(" ", "\n").replace("check_d", "check_\nd"),
            ha="center",
            va="bottom",
            fontsize=8.5,
            linespacing=1.15,
            fontweight="bold" if tool is OURS else "normal",
        )
    y = 0.0
    for group in HEADINGS:
        y = _draw_group(axis, table, group, y)
    axis.set_xlim(0, LEFT + len(TOOLS))
    axis.set_ylim(y + 1.9, -2.4)
    axis.text(0, y + 0.2, CAPTION, fontsize=7.8, color="0.25", va="top", linespacing=1.5)
    figure.subplots_adjust(left=0.008, right=0.992, top=0.995, bottom=0.005)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=160)


def _draw_group(axis: Any, table: Table, group: Group, y: float) -> float:
    """Draw one group's heading and rows from ``y`` downward; return where the next begins."""
    title, good, bad = HEADINGS[group]
    axis.text(0, y + 0.62, title, fontsize=10, fontweight="bold", va="center")
    for x, colour, text in (
        (2.3, RIGHT_COLOUR, f"✓ {good}"),
        (3.2, WRONG_COLOUR, f"✗ {bad}"),
    ):
        axis.text(x, y + 0.62, text, fontsize=8.5, color=colour, va="center")
    counted = COUNTED[group][1]
    for column, tool in enumerate(TOOLS):
        sum_ = total(table, group, tool.name)
        axis.text(
            LEFT + column + 0.5,
            y + 0.62,
            f"{SIGNS[counted]} {sum_}" if sum_ else "",
            fontsize=8.5,
            fontweight="bold",
            color=COLOURS[counted],
            ha="center",
            va="center",
        )
    if group is Group.ERROR:
        right = {"ha": "right", "va": "center"}
        axis.text(LEFT - 0.12, y + 0.62, "size", fontsize=7.5, color="0.45", **right)
    axis.plot([0, LEFT + len(TOOLS)], [y + 1.1] * 2, color="0.2", linewidth=0.8)
    y += 1.15
    for row in table.of(group):
        axis.text(0.08, y + 0.5, row.title, fontsize=8.5, va="center")
        if group is Group.ERROR and row.error is not None:
            axis.text(
                LEFT - 0.12, y + 0.5, size(row), fontsize=7.5, color="0.45", ha="right", va="center"
            )
        for column, tool in enumerate(TOOLS):
            _draw_cell(axis, group, row.cells[tool.name], LEFT + column, y)
        y += 1
    return y + 0.2


def _draw_cell(axis: Any, group: Group, cell: Cell, x: float, y: float) -> None:
    """Draw a coloured field with its sign; pale with the share where answers differ."""
    from matplotlib.patches import FancyBboxPatch

    standing, text = cell.standing(group), label(group, cell)
    mixed = "/" in text
    if standing is Standing.UNUSABLE:
        axis.text(x + 0.5, y + 0.5, text, color="0.6", fontsize=9, ha="center", va="center")
        return
    axis.add_patch(
        FancyBboxPatch(
            (x + 0.06, y + 0.09),
            0.88,
            0.82,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor=COLOURS[standing],
            alpha=0.3 if mixed else 1.0,
            linewidth=0,
        )
    )
    colour = "black" if mixed or standing is Standing.OPEN else "white"
    axis.text(
        x + 0.5,
        y + 0.5,
        text,
        color=colour,
        fontsize=7.5 if mixed else 9.5,
        fontweight="bold",
        ha="center",
        va="center",
    )


def to_json(table: Table) -> str:
    """Answers as text; not-a-number has no place in JSON."""
    rows = []
    for row in table.rows:
        cells = {name: asdict(cell) for name, cell in row.cells.items()}
        error = None if row.error != row.error else float(f"{row.error:.3g}")
        rows.append(
            {
                "name": row.name,
                "title": row.title,
                "group": row.group,
                "error": error,
                "answers": cells,
            }
        )
    return json.dumps({"versions": table.versions, "seeds": SEEDS, "rows": rows}, indent=1) + "\n"


def from_json(text: str) -> Table:
    """Read the table back."""
    content = json.loads(text)
    rows = tuple(
        Row(
            row["name"],
            row["title"],
            Group(row["group"]),
            row["error"],
            {name: Cell(**cell) for name, cell in row["answers"].items()},
        )
        for row in content["rows"]
    )
    return Table(rows, content["versions"])


def main() -> int:
    """Ask every tool and write the reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="ask nobody, use peers.json")
    options = parser.parse_args()
    missing = [tool.missing for tool in PEERS if tool.missing]
    if missing and not options.draw:
        print(f"make_peers: {missing[0]}", file=sys.stderr)
        return 2
    if not options.draw:
        table = measure(problems(), TOOLS, announce=print)
        write_text(FOLDER / "peers.json", to_json(table))
    table = from_json((FOLDER / "peers.json").read_text(encoding="utf-8"))
    write_text(FOLDER / "peers.md", page(table))
    draw(table, FOLDER / "figures" / "peers.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
