"""The figures that count: ratios to the best of the others and to the floor."""

from __future__ import annotations

from typing import Any, NamedTuple

from lsm_verify.bench.read import Entry, best, entries, find, per_column

JAX = ("jax-tridiagonal", "jax-dense", "jax-elimination")
AS_FUNCTION = {
    "function": "as PyTorch function",
    "fused": "as PyTorch function of the six parameters",
}
TWIN: dict[str, Any] = {"steps": 100, "nodes": 100, "dtype": "float64", "device": "cpu"}


class Headline(NamedTuple):
    """One ratio: how many times as long the other takes, per column."""

    what: str
    other: str
    ratio: float
    ours: str  #: name of our row
    theirs: str  #: name of the row it is held against, or of its floor
    because: str = ""


def headlines(document: dict[str, Any]) -> list[Headline]:
    """Return the ratios that the rows of a result allow."""
    found: list[Headline] = []
    ours = [e for e in entries(document) if e["extra_info"]["peer"] == "kernel"]
    for entry in ours:
        info = entry["extra_info"]
        if info["mode"] not in ("score", "gradient", "tangent") or not _twin(info):
            continue
        if info["device"] == "cpu" and info["threads"] != _threads(document, info["columns"]):
            continue
        found += _against_jax(document, entry)
        found += _against_c(document, entry)
        found += _against_published(document, entry)
        found += _against_torch(document, entry)
        found.append(_against_floor(entry))
    return found + _own(document)


def _twin(info: dict[str, Any]) -> bool:
    return all(info[name] == TWIN[name] for name in ("steps", "nodes", "dtype"))


def _threads(document: dict[str, Any], columns: int) -> int:
    """Threads of the row that is shown: the most that were measured, one for one column."""
    rows = find(document, peer="kernel", columns=columns, **TWIN)
    return max((int(e["extra_info"]["threads"]) for e in rows), default=1)


def _what(entry: Entry) -> str:
    info = entry["extra_info"]
    count = "1 column" if info["columns"] == 1 else f"{info['columns']:,} columns"
    threads = "1 thread" if info["threads"] == 1 else f"{info['threads']} threads"
    return f"{info['mode']}, {count}, {'GPU' if info['device'] == 'cuda' else threads}"


def _ratio(entry: Entry, other: Entry, name: str, because: str = "") -> Headline:
    ratio = per_column(other) / per_column(entry)
    return Headline(_what(entry), name, ratio, entry["name"], other["name"], because)


def _like(document: dict[str, Any], entry: Entry, **changes: Any) -> list[Entry]:
    info = entry["extra_info"]
    names = ("mode", "columns", "steps", "nodes", "dtype", "device")
    return find(document, **{**{name: info[name] for name in names}, **changes})


def _against_jax(document: dict[str, Any], entry: Entry) -> list[Headline]:
    rows = [e for e in _like(document, entry) if e["extra_info"]["peer"] in JAX]
    if not rows:
        return []
    return [_ratio(entry, rows[0], f"best of JAX ({rows[0]['extra_info']['peer'][4:]})")]


def _against_c(document: dict[str, Any], entry: Entry) -> list[Headline]:
    """Hold against C's forward run, gradients too: it has no adjoint."""
    threads = entry["extra_info"]["threads"]
    rows = _like(document, entry, mode="score", peer="c", threads=threads)
    name = "C" if entry["extra_info"]["mode"] == "score" else "C, forward run alone"
    return [_ratio(entry, row, name) for row in rows[:1]]


def _against_torch(document: dict[str, Any], entry: Entry) -> list[Headline]:
    rows = [
        e
        for e in _like(document, entry)
        if e["extra_info"]["peer"] in ("torch-eager", "torch-compile")
    ]
    return [
        _ratio(entry, row, f"best of PyTorch ({row['extra_info']['peer']})") for row in rows[:1]
    ]


def _against_published(document: dict[str, Any], entry: Entry) -> list[Headline]:
    """Hold against the published method per column, with the cause of the ratio beside it."""
    info = entry["extra_info"]
    if info["mode"] != "gradient":
        return []
    found = []
    for peer in ("published", "published-batched", "published-1e-12"):
        for row in find(document, peer=peer, mode="gradient", **{**TWIN, "device": info["device"]}):
            theirs = row["extra_info"]
            because = (
                f"{theirs['sweeps_per_step']:.0f} sweeps over {theirs['nodes']} nodes a step where "
                "the direct solve takes one, each sweep several tensor operations that autograd "
                f"keeps; its gradient is off by {theirs['gradient_error']:.1g}"
            )
            found.append(_ratio(entry, row, peer, because))
    return found


def _against_floor(entry: Entry) -> Headline:
    info = entry["extra_info"]
    share = best(entry) / info["floor_seconds"]
    return Headline(
        _what(entry),
        f"floor ({info['floor_bound']})",
        1 / share,
        entry["name"],
        f"{info['operations']:.3g} operations, {info['bytes']:.3g} bytes",
        f"{share:.1f} times the floor",
    )


def _own(document: dict[str, Any]) -> list[Headline]:
    """Ratios within: gradient to forward run, and the PyTorch function to the bare kernel."""
    found = []
    for entry in entries(document):
        info = entry["extra_info"]
        if info["peer"] == "kernel" and info["mode"] == "gradient":
            rows = _like(document, entry, mode="score", peer="kernel", threads=info["threads"])
            for row in rows[:1]:
                times = f"{best(entry) / best(row):.2f} times the forward run"
                found.append(_ratio(entry, row, "its own forward run", times))
        if info["peer"] in AS_FUNCTION and info["mode"] == "gradient":
            rows = _like(document, entry, peer="kernel", threads=info["threads"])
            for row in rows[:1]:
                extra = (best(entry) - best(row)) * 1e6
                headline = _ratio(entry, row, "the bare kernel", f"{extra:.0f} µs more a call")
                found.append(
                    headline._replace(what=f"{AS_FUNCTION[info['peer']]}: {headline.what}")
                )
    return found
