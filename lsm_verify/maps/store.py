"""The Zarr store of a map: made at once, filled region by region, sealed as it is filled.

Every region is a chunk of each variable, so regions are written side by side. When all variables of
a region are written, its seal is: a digest of them and of what they were made of. A region without
the seal of what it holds is not done, however the run ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.files import cannot_write, check_folder
from lsm_verify.maps import result
from lsm_verify.maps.asked import asked_for
from lsm_verify.maps.job import Job
from lsm_verify.maps.plan import Plan, bytes_per_column

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

    def write(self, number: int, values: Mapping[str, NDArray[Any]], given: bytes) -> None:
        """Write a region, its status after the other variables, then its seal.

        Where that fails, what is there of the region is taken back. So what stands beside a status
        is whole, whatever became of the run.
        """
        box = self.plan.box(number)
        variables = sorted(result.variables(self.job), key=lambda v: v.name == result.STATUS)
        try:
            for v in variables:
                self._group[v.name][box] = values[v.name]
            self._group[SEAL][number] = seal(values, given)
        except Exception:
            for v in variables:
                with suppress(Exception):
                    self._group[v.name][box] = v.fill
            raise

    def read(self, number: int, given: bytes | None) -> dict[str, NDArray[Any]] | None:
        """Return what a region holds, or nothing where it is not done or made of other values.

        ``given``: digest of what it is to be made of; without it the seal is taken as it is.
        """
        box = self.plan.box(number)
        try:
            sealed = int(self._group[SEAL][number])
            if not sealed:
                return None
            values = {v.name: self._group[v.name][box] for v in result.variables(self.job)}
        except (OSError, ValueError, RuntimeError):  # cut short: the machine went down
            return None
        return values if given is None or seal(values, given) == sealed else None

    def done(self) -> list[int]:
        """Return the numbers of the regions that bear a seal."""
        return [int(n) for n in np.flatnonzero(self._group[SEAL][:])]

    def note(self, failed: list[dict[str, Any]]) -> None:
        """Keep which regions failed, and why."""
        text = json.dumps(failed)
        if self._group.attrs[FAILED] != text:
            self._group.attrs[FAILED] = text
            _consolidate(self.path)


def seal(values: Mapping[str, NDArray[Any]], given: bytes) -> int:
    """Return a digest, not 0, of a region's values and of what they were made of."""
    digest = hashlib.blake2b(given, digest_size=8)
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

    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent))
    except OSError as error:
        raise cannot_write(path, error) from None
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
        temporary.chmod(path.parent.stat().st_mode & 0o777)
        temporary.rename(path)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and path.exists():
            raise InputError(
                f"{path} was made by another run meanwhile; wait for its end."
            ) from None
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


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
