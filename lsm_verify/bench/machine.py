"""Whether two results come from machines whose times can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lsm_verify.bench.record import Record
from lsm_verify.errors import InputError

CPU_FIELDS = ("arch", "vendor_id_raw", "brand_raw", "family", "model", "stepping", "count")
"""Virtual machines hide the model in the brand ("AMD EPYC"): family and model tell it."""

VECTOR_PREFIXES = ("avx", "fma", "sve", "asimd")
"""Flags that decide which kernels a compiler makes; others come and go with the system."""

DEVICE_FIELDS = ("gpu", "gpus", "device", "devices")


def identity(machine: Mapping[str, Any]) -> dict[str, str]:
    """Return what must be equal, in words, from a file's ``machine_info``."""
    cpu = machine.get("cpu") or {}
    found = {name: machine.get(name) for name in ("system", "machine")}
    found |= {f"cpu {name}": cpu.get(name) for name in CPU_FIELDS}
    flags = (flag for flag in cpu.get("flags") or () if flag.startswith(VECTOR_PREFIXES))
    found["cpu vector instructions"] = " ".join(sorted(flags)) or None
    found |= {name: machine.get(name) for name in DEVICE_FIELDS}
    return {name: str(value) for name, value in found.items() if value is not None}


def refuse_other_machine(left: Record, right: Record) -> None:
    """Refuse results of different CPUs or devices.

    Raises
    ------
    InputError
        Naming what differs, or that a file does not say.
    """
    one, other = (identity(record.content.get("machine_info") or {}) for record in (left, right))
    for record, known in ((left, one), (right, other)):
        if not any(name.startswith("cpu") for name in known):
            raise InputError(
                f"{record.source} does not name its CPU (machine_info.cpu); times of unknown "
                "machines are not compared."
            )
    unlike = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    if unlike:
        name = unlike[0]
        raise InputError(
            f"{left.source} and {right.source} come from different machines: {name} "
            f"{one.get(name)} and {other.get(name)}; measure both on one."
        )


def refuse_other_devices(left: Record, right: Record, names: Iterable[str]) -> None:
    """Refuse a benchmark that ran on different devices (``extra_info.device``)."""
    for name in names:
        one, other = (record.extra(name).get("device") for record in (left, right))
        if one != other:
            raise InputError(
                f"{name} ran on {one} in {left.source} and on {other} in {right.source}; measure "
                "both on one device."
            )


def changed_surroundings(before: Record, now: Record) -> list[str]:
    """Return what may differ but should be told: interpreter, system, compiler, libraries."""
    one, other = _surroundings(before), _surroundings(now)
    return [
        f"{what} was {one.get(what)}, is {other.get(what)}"
        for what in {**one, **other}
        if one.get(what) != other.get(what)
    ]


def _surroundings(record: Record) -> dict[str, str]:
    machine = record.content.get("machine_info") or {}
    named = ("python_version", "python_implementation", "release", "compiler")
    found = {name: machine.get(name) for name in named} | (machine.get("versions") or {})
    return {name: str(value) for name, value in found.items() if value is not None}
