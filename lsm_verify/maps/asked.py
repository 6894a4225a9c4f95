"""What a map's values hang on, as it stands in its store: so that no run goes on with another's."""

from __future__ import annotations

import hashlib
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.maps.job import Job
from lsm_verify.maps.plan import Plan
from lsm_verify.version import __version__

if TYPE_CHECKING:
    import xarray


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
    """Return a digest of names, types, shapes, coordinates, and of what all columns share.

    What columns have of their own stands in the seals of their regions (`lsm_verify.maps.store`).
    """
    digest = hashlib.blake2b(digest_size=16)
    names = [*job.variables, *job.layout.parameters, *map(str, dataset.coords)]
    for name in dict.fromkeys(names):
        variable = dataset[name]
        digest.update(f"{name} {variable.dims} {variable.shape} {variable.dtype}".encode())
        if name not in job.variables:
            words = variable.dtype.kind in "OUT"
            values = np.ascontiguousarray(variable.values)
            text = "\0".join(map(str, values.ravel().tolist())).encode()
            digest.update(text if words else values.tobytes())
    return digest.hexdigest()
