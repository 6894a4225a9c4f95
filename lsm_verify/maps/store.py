"""The Zarr store of a map: made at once, filled region by region, sealed as it is filled.

Every region is a chunk of each variable, so regions are written side by side. When all variables of
a region are written, its seal is: a digest of them. A region without the seal of what it holds is
not done, however the run ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.files import check_folder
from lsm_verify.maps import result
from lsm_verify.maps.job import Job
from lsm_verify.maps.plan import Plan, bytes_per_column
from lsm_verify.version import __version__

if TYPE_CHECKING:
    import xarray

ASKED = "lsm_verify_map"
"""Attribute of a store: what was asked for, as JSON."""

FAILED = "failed_regions"
"""Attribute of a store: regions that failed, with their errors, as JSON."""

SEAL = "region_seal"

PARTIAL = "*.partial"
"""Names under which Zarr writes before it moves; a killed run leaves some."""


class Store:
    """A map on disk.

    Parameters
    ----------
    path : str
        Folder of the store.
    job, plan : Job, Plan
        What it is a map of.
    """

    def __init__(self, path: str, job: Job, plan: Plan) -> None:
        self.path, self.job, self.plan = path, job, plan

    @cached_property
    def _group(self) -> Any:
        import zarr

        return zarr.open_group(self.path, mode="r+", use_consolidated=False)

    def write(self, number: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Write a region, then its seal."""
        box = self.plan.box(number)
        for v in result.variables(self.job):
            self._group[v.name][box] = values[v.name]
        self._group[SEAL][number] = seal(values)

    def read(self, number: int) -> dict[str, NDArray[Any]] | None:
        """Return what a region holds, or nothing where it is not done."""
        box = self.plan.box(number)
        try:
            sealed = int(self._group[SEAL][number])
            if not sealed:
                return None
            values = {v.name: self._group[v.name][box] for v in result.variables(self.job)}
        except (OSError, ValueError, RuntimeError):  # cut short: the machine went down
            return None
        return values if seal(values) == sealed else None

    def note(self, failed: list[dict[str, Any]]) -> None:
        """Keep which regions failed, and why."""
        text = json.dumps(failed)
        if self._group.attrs[FAILED] != text:
            self._group.attrs[FAILED] = text
            _consolidate(self.path)


def seal(values: Mapping[str, NDArray[Any]]) -> int:
    """Return a digest of a region's values that is not 0."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(values):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values[name]).tobytes())
    return int.from_bytes(digest.digest(), "little") | 1


def check_new(path: Path, resume: bool) -> bool:
    """Refuse a store before any work is done for it; return whether it is there to go on with."""
    if path.suffix.lower() in (".nc", ".nc4", ".h5", ".hdf5", ".tif"):
        raise InputError(
            f"{path}: maps are written as Zarr, region by region; give {path.with_suffix('.zarr')} "
            "and turn it into netCDF afterwards, xarray.open_zarr(…).to_netcdf(…)."
        )
    check_folder(path)
    if not path.exists():
        return False
    if not resume:
        raise InputError(f"{path} exists; give --resume to go on with it, or another name.")
    if not (path / "zarr.json").is_file():
        raise InputError(f"{path} is no Zarr store of a map; give another name.")
    return True


def create(path: Path, dataset: xarray.Dataset, job: Job, plan: Plan) -> None:
    """Make an empty store, under a temporary name that is then moved."""
    import zarr

    temporary = path.parent / f".{path.name}.new"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _coordinates(dataset, job).to_zarr(temporary, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(temporary, mode="r+", use_consolidated=False)
        for v in result.variables(job):
            group.create_array(
                v.name,
                shape=plan.shape,
                chunks=plan.chunk,
                dtype=v.dtype,
                fill_value=v.fill,
                attributes=_plain(result.attributes(v, dataset, job)),
                dimension_names=list(plan.space),
            )
        group.create_array(
            SEAL, shape=(plan.regions,), chunks=(1,), dtype="uint64", fill_value=0,
            attributes={"long_name": "digest of a region's values, 0 where it is not done"},
            dimension_names=["region"],
        )  # fmt: skip
        asked = json.dumps(asked_for(dataset, job, plan), sort_keys=True)
        group.attrs.update(result.global_attributes(job) | {ASKED: asked, FAILED: "[]"})
        _consolidate(temporary)
        _to_disk(temporary)
        temporary.rename(path)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another place."
        ) from error


def go_on(path: Path, dataset: xarray.Dataset, job: Job) -> Plan:
    """Return the plan of a store that is there, and clear what a killed run left.

    Raises
    ------
    InputError
        If something else was asked for there, or of another file.
    """
    try:
        attributes = json.loads((path / "zarr.json").read_text())["attributes"]
        known = json.loads(attributes[ASKED])
        chunk = tuple(known["chunk"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} is no Zarr store of a map; give another name.") from None
    each = bytes_per_column(dataset, job)
    plan = Plan(job.layout.space, job.layout.shape, chunk, each)
    asked = json.loads(json.dumps(asked_for(dataset, job, plan)))
    other = sorted(key for key in known.keys() | asked.keys() if known.get(key) != asked.get(key))
    if other:
        raise InputError(
            f"{path} was begun with another {', '.join(other)}; give the same file and options, or "
            "another name."
        )
    for left in path.rglob(PARTIAL):
        left.unlink(missing_ok=True)
    return plan


def asked_for(dataset: xarray.Dataset, job: Job, plan: Plan) -> dict[str, Any]:
    """Return all that a map's values hang on, as it stands in its store."""
    s = job.settings
    return {
        "version": __version__,
        "input": fingerprint(dataset, job),
        "chunk": list(plan.chunk),
        "unknowns": list(s.unknowns),
        "observation_error": s.observation_error,
        "spacing": [[len(list(alike)), value] for value, alike in groupby(s.grid.spacing.tolist())],
        "fixed": dict(s.fixed),
        "start": dict(s.start),
        "ranges": {name: list(pair) for name, pair in s.ranges.items()},
        "bounds": {name: list(pair) for name, pair in s.bounds.items()},
        "priors": {name: list(pair) for name, pair in s.priors.items()},
        "logarithmic": list(s.logarithmic),
        "insulated": s.insulated,
        "observe": dict(s.observe),
        "mask": s.mask,
        "iterations": s.iterations,
        "verify": s.verify,
        "seed": s.seed,
        "device": s.device,
    }


def fingerprint(dataset: xarray.Dataset, job: Job) -> str:
    """Return a digest of what a dataset looks like: not of all its values, which are too many.

    Names, types, shapes, coordinates, what all columns share, and the first and last column.
    """
    digest = hashlib.blake2b(digest_size=16)
    names = [*job.variables, *job.layout.parameters, *map(str, dataset.coords)]
    for name in dict.fromkeys(names):
        variable = dataset[name]
        digest.update(f"{name} {variable.dims} {variable.shape} {variable.dtype}".encode())
        if name in job.variables:
            ends = {d: [0, -1] for d in job.layout.space if d in variable.dims}
            variable = variable.isel({d: ends[d] for d in ends})
        digest.update(np.ascontiguousarray(variable.values).astype("S" if variable.dtype.kind in
                      "OU" else variable.dtype).tobytes())  # fmt: skip
    return digest.hexdigest()


# ------------------------------------------------------------------ inside


def _coordinates(dataset: xarray.Dataset, job: Job) -> xarray.Dataset:
    """Return the coordinates of a map, to be written as they are."""
    kept = result.kept_coordinates(dataset, job).load()
    for name, values in kept.coords.items():
        kept[name].encoding = {}
        if values.dtype.kind == "U":  # of fixed length they have no place in Zarr's format 3
            kept[name] = values.astype(object)
    return kept


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as JSON has them."""
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in attributes.items()}


def _consolidate(path: Path | str) -> None:
    """Write all metadata into one file, in which readers look first."""
    import zarr

    with warnings.catch_warnings():
        # Zarr says that format 3 does not define it yet; Xarray reads and writes it all the same.
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        zarr.consolidate_metadata(str(path))


def _to_disk(folder: Path) -> None:
    """See that what was written stays, whatever becomes of the machine."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
