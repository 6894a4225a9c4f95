"""A result as Markdown and as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsm_verify import files
from lsm_verify.bench.growth import LIMIT, growths
from lsm_verify.bench.headlines import headlines
from lsm_verify.bench.read import best, entries, per_column

ERRORS = ("value_error", "gradient_error", "tangent_error", "trajectory_error")
FORMATS = (".png", ".svg", ".pdf")


def markdown(document: dict[str, Any]) -> str:
    """Return a page: the machine, headlines, growth, all rows, and what was not measured."""
    parts = [
        "# Benchmarks",
        _machine(document),
        "## Headlines",
        "Per column, one run; a ratio says how many times as long the other takes.",
        _table(
            ("what", "against", "ratio", "because"),
            [(h.what, h.other, f"{h.ratio:,.3g}", h.because) for h in headlines(document)],
        ),
    ]
    grown = growths(document)
    if grown:
        parts += [
            "## Growth",
            f"Exponent of the time; the claim is at most {LIMIT:.2f}, one-sided.",
            _table(
                ("mode", "with", "sizes", "exponent", "95 % bound", "claim"),
                [
                    (
                        g.mode,
                        g.size,
                        f"{g.sizes[0]:,} to {g.sizes[-1]:,}",
                        f"{g.fit.exponent:.3f} ± {g.fit.error:.3f}",
                        f"{g.fit.upper:.3f}",
                        g.verdict,
                    )
                    for g in grown
                ],
            ),
        ]
    parts += [
        "## Rows",
        "Times per column: the shortest round, and the median. Floors: how many times its floor a "
        "row takes. Error: the largest relative error against the oracle. MiB: the memory that a "
        "call takes beyond what is there before it.",
        _rows(document),
    ]
    missing = document.get("lsm_verify", {}).get("not_measured", {})
    if missing:
        lines = sorted({f"- {name.split('-B')[0]}: {why}" for name, why in missing.items()})
        parts += ["## Not measured", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _machine(document: dict[str, Any]) -> str:
    info, own = document["machine_info"], document.get("lsm_verify", {})
    cpu = info.get("cpu", {})
    lines = [
        f"- {cpu.get('brand_raw', 'unknown CPU')}, {info.get('processors', '?')} processors, "
        f"{_vectors(cpu.get('flags') or ())}; {info.get('system')} {info.get('machine')}",
        f"- GPU: {info.get('gpu') or 'none'}; C compiler: {info.get('compiler') or 'none'}",
        f"- commit {document['commit_info']['id'][:12]}"
        f"{' with changes' if document['commit_info'].get('dirty') else ''}, "
        f"{document['datetime'][:10]}",
        "- " + ", ".join(f"{k} {v}" for k, v in info.get("versions", {}).items()),
    ]
    lines += [f"- {name}: {rate:.3g}" for name, rate in own.get("rates", {}).items()]
    lines += [f"- {name}: {seconds:.2f} s" for name, seconds in own.get("start", {}).items()]
    return "\n".join(lines)


def _vectors(flags: Any) -> str:
    known = [name for name in ("avx512f", "avx2", "fma", "asimd") if name in flags]
    return " ".join(known) or "vector instructions unknown"


def _rows(document: dict[str, Any]) -> str:
    lines: list[tuple[str, ...]] = []
    for entry in entries(document):
        info, stats = entry["extra_info"], entry["stats"]
        error = max((info[name] for name in ERRORS if info.get(name) is not None), default=None)
        peak = info.get("peak_memory")
        lines.append(
            (
                info["mode"],
                info["peer"],
                f"{info['columns']:,}",
                f"{info['steps']:,}",
                f"{info['nodes']:,}",
                info["dtype"],
                f"{info['device']} {info['threads']}",
                f"{per_column(entry) * 1e6:.4g}",
                f"{stats['median'] / info['columns'] * 1e6:.4g}",
                f"{stats['rounds']}",
                f"{best(entry) / info['floor_seconds']:.3g}",
                "" if error is None else f"{error:.1e}",
                "" if peak is None else f"{peak / 2**20:.1f}",
            )
        )
    heads = "mode peer columns steps nodes dtype on µs/column median rounds floors error MiB"
    return _table(tuple(heads.split()), lines)


def _table(heads: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    rows = [heads, tuple("---" for _ in heads), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


COLOURS = 10
"""Colours of matplotlib before the first comes again; with another marker then."""


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw time per column against columns for all who compute gradients, and the growth."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    series: dict[str, dict[int, float]] = {}
    for entry in entries(document):
        info = entry["extra_info"]
        if (info["mode"], info["steps"], info["nodes"]) != ("gradient", 100, 100):
            continue
        label = f"{info['peer']}, {info['dtype']}, {info['device']}"
        label += f", {info['threads']} threads" if info["threads"] > 1 else ""
        series.setdefault(label, {})[info["columns"]] = per_column(entry) * 1e6
    for index, (label, points) in enumerate(series.items()):
        marker = "os^"[index // COLOURS % 3]
        left.loglog(*zip(*sorted(points.items()), strict=True), marker=marker, ms=4, label=label)
    left.set(xlabel="columns", ylabel="gradient, µs a column", title="100 steps, 100 nodes")
    for grown in growths(document):
        label = f"{grown.mode}, {grown.size}: {grown.fit.exponent:.2f} ± {grown.fit.error:.2f}"
        right.loglog(grown.sizes, grown.seconds, marker="o", ms=3, label=label)
    right.set(xlabel="columns, steps or nodes", ylabel="seconds", title="growth and its exponent")
    for axes in (left, right):
        if axes.has_data():
            axes.legend(fontsize=6)
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    plt.close(figure)
