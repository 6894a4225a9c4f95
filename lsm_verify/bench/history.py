"""Keep benchmark results and draw how they went.

A folder with one file per result, named by time and commit: git merges it, and any of the files
can be a base for ``bench compare``. Nothing is judged here: results of different days differ for
many reasons, and ``bench compare`` is the test.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from lsm_verify import files
from lsm_verify.bench import machine, record
from lsm_verify.bench.record import Record
from lsm_verify.bench.show import time_of
from lsm_verify.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
"""Panels side by side."""

LATEST = 8
"""Results that the Markdown table shows for each machine."""

FIGURES = (".png", ".svg")


@dataclass(frozen=True)
class Point:
    """One benchmark in one result: the fastest rounds of its processes [s].

    Their median, least and largest. On a shared machine the median of all rounds measures the
    neighbours: it was seen to be eight times the fastest.
    """

    time: datetime
    commit: str
    middle: float
    least: float
    largest: float


def append(folder: Path, result: Path) -> Path:
    """Keep a copy of a result; one that is there already is not kept twice.

    The file appears whole or not at all, and no other file is touched: two processes may append
    at the same time.

    Returns
    -------
    Path
        The kept file.

    Raises
    ------
    InputError
        If the result cannot be read or the folder not written.
    """
    found = record.read(result)
    text = record.text_of(found.content)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {folder}: {error.strerror}; name another folder.") from None
    stem = f"{found.time:%Y%m%dT%H%M%SZ}_{str(found.commit.get('id') or 'unknown')[:10]}"
    for number in itertools.count(1):
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        if _create(path, text) or path.read_text(encoding="utf-8") == text:
            return path
    raise AssertionError("unreachable")


def _create(path: Path, text: str) -> bool:
    """Write a new file; False if one of that name is there."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.link(temporary, path)  # unlike a rename, it never replaces a file
    except FileExistsError:
        return False
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; free space or choose another folder."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
    return True


def load(folder: Path) -> list[Record]:
    """Read the results of a folder, oldest first."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; keep a first result there with --add FILE.json.")
    paths = sorted(folder.glob("[!.]*.json"), key=lambda path: path.stem)
    return sorted((record.read(path) for path in paths), key=lambda each: each.time)


def machines(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Sort results by machine: times of different machines make no trend."""
    found: dict[str, list[Record]] = {}
    for each in records:
        key = json.dumps(machine.identity(each.content.get("machine_info") or {}), sort_keys=True)
        found.setdefault(key, []).append(each)
    titles = [_title(group[0]) for group in found.values()]
    named = {}
    for index, (title, group) in enumerate(zip(titles, found.values(), strict=True)):
        unique = title if titles.count(title) == 1 else f"{title} [{index + 1}]"
        named[unique] = group
    return named


def series(records: Sequence[Record]) -> dict[str, list[Point]]:
    """Return every benchmark's points, oldest first."""
    found: dict[str, list[Point]] = {}
    for each in records:
        for name in each.benchmarks:
            found.setdefault(name, []).append(_point(each, name))
    return found


def markdown(records: Sequence[Record]) -> str:
    """Return a table for each machine: benchmarks down, the latest results across."""
    lines = ["# Benchmark history", ""]
    lines += ["Fastest round, median over processes. No verdict: see `bench compare`.", ""]
    for title, group in machines(records).items():
        latest = group[-LATEST:]
        columns = [f"{each.time:%Y-%m-%d} {_commit(each)}" for each in latest]
        lines += [f"## {title}", "", _row(["benchmark", *columns])]
        lines += [_row(["---", *["---:"] * len(columns)])]
        names = dict.fromkeys(name for each in latest for name in each.benchmarks)
        for name in names:
            cells = [
                time_of(_point(each, name).middle) if name in each.benchmarks else ""
                for each in latest
            ]
            lines.append(_row([f"`{name}`", *cells]))
        lines.append("")
    return "\n".join(lines)


def draw(records: Sequence[Record], path: Path) -> None:
    """Draw every benchmark's fastest rounds over time, a colour for each machine.

    Raises
    ------
    InputError
        If there is nothing to draw, or the name does not end in .png or .svg.
    """
    check_figure(path)
    groups = {title: series(group) for title, group in machines(records).items()}
    names = list(dict.fromkeys(name for points in groups.values() for name in points))
    if not names:
        raise InputError("no results to draw; keep one with --add FILE.json.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(4.5 * columns, 2.6 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        _panel(panel, name, {title: points.get(name, []) for title, points in groups.items()})
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", fontsize=8)
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=120)


def check_figure(path: Path) -> None:
    """Refuse a figure that cannot be written, before any work."""
    if path.suffix.lower() not in FIGURES:
        raise InputError(f"{path} must end in {' or '.join(FIGURES)}.")
    files.check_writable(path)


def _panel(panel: Axes, name: str, points: Mapping[str, Sequence[Point]]) -> None:
    from matplotlib import dates

    for index, (title, line) in enumerate(points.items()):
        # Drawn also where it is empty: every panel has the same colours and legend.
        middle = [point.middle for point in line]
        spread = [
            [point.middle - point.least for point in line],
            [point.largest - point.middle for point in line],
        ]
        panel.errorbar(
            [point.time for point in line],  # type: ignore[arg-type]
            middle,
            yerr=spread if line else None,
            marker="o",
            markersize=3,
            linewidth=1,
            color=f"C{index}",
            label=title,
        )
    panel.set_title(name, fontsize=8, wrap=True)
    panel.set_ylabel("time [s]", fontsize=8)
    panel.set_ylim(bottom=0)
    panel.tick_params(labelsize=7)
    locator = dates.AutoDateLocator(minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_locator(locator)
    formatter = dates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_formatter(formatter)
    times = [point.time for line in points.values() for point in line]
    margin = max((max(times) - min(times)) * 0.05, timedelta(hours=12))
    panel.set_xlim(min(times) - margin, max(times) + margin)  # type: ignore[arg-type]


def _point(each: Record, name: str) -> Point:
    fastest = [min(rounds) for rounds in each.processes(name)]
    return Point(each.time, _commit(each), median(fastest), min(fastest), max(fastest))


def _title(each: Record) -> str:
    info: Mapping[str, Any] = each.content.get("machine_info") or {}
    cpu = info.get("cpu") or {}
    parts = [str(cpu.get("brand_raw") or info.get("machine") or "unknown machine")]
    if cpu.get("count"):
        parts.append(f"{cpu['count']} cores")
    parts += [str(info[name]) for name in machine.DEVICE_FIELDS if info.get(name)]
    return ", ".join(parts)


def _commit(each: Record) -> str:
    return str(each.commit.get("id") or "unknown")[:10]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
