"""West Phoenix, May 2012: tower forcing, soil temperature at two depths.

References
----------
Lipson, M. et al. (2022). Harmonized gap-filled datasets from 20 urban flux tower sites.
doi:10.5281/zenodo.5517550.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lsm_verify import datasets
from lsm_verify.cases.case import Case, Range
from lsm_verify.cases.twin import PUBLISHED_RANGES, middle
from lsm_verify.datasets.locate import TOWER_FILE
from lsm_verify.grid import Grid
from lsm_verify.observations import Observations, Series

START = np.datetime64("2012-05-01T07:00:00")
"""Time of the initial state, UTC: local midnight."""

STEPS = 150
ALBEDO = 0.172
"""Effective albedo that the paper derives from the tower's shortwave radiation; held fixed."""

RANGES: dict[str, Range] = {
    "turbulent_transfer_coefficient": (6.0, 31.0),  # what the published starts span
    "thermal_conductivity": PUBLISHED_RANGES["thermal_conductivity"],
    "volumetric_heat_capacity": PUBLISHED_RANGES["volumetric_heat_capacity"],
    "bottom_temperature": PUBLISHED_RANGES["bottom_temperature"],
}

PUBLISHED = {
    "turbulent_transfer_coefficient": 19.654,
    "thermal_conductivity": 0.826,
    "volumetric_heat_capacity": 2.447e6,
    "bottom_temperature": 305.40,
}
"""Means over the 50 starts of the paper, whose forcing was corrected by a reanalysis."""


def phoenix(data: str | Path | None = None, *, interpolate_gaps: int = 0) -> Case:
    """Return the Phoenix case.

    Parameters
    ----------
    data : path, optional
        Directory of the files; default: the environment variable ``LSM_VERIFY_DATA``, else the
        cache of ``lsm-verify data fetch``.
    interpolate_gaps : int
        Longest gap in the forcing, in half-hours, that may be filled by interpolation.

    Raises
    ------
    InputError
        If a file is missing, unreadable or does not cover the window.
    """
    tower, soil = datasets.find(TOWER_FILE, data), datasets.find_soil(data)
    record = datasets.read_forcing(
        tower, start=START, steps=STEPS, interpolate_gaps=interpolate_gaps
    )
    observed = datasets.read_soil(soil, start=START, steps=STEPS)
    return Case(
        name="phoenix",
        title=f"US-WestPhoenix, 150 h from 2012-05-01 07:00 UTC; soil temperature {observed.label}",
        grid=Grid(np.full(100, 0.01)),
        forcing=record.forcing,
        observations=Observations(
            tuple(
                Series("soil_temperature", values, depth=depth)
                for values, depth in zip(observed.temperature, observed.depths, strict=True)
            )
        ),
        fixed={"albedo": ALBEDO, "emissivity": 0.95},
        start=middle(RANGES),
        ranges=RANGES,
        published=PUBLISHED,
        sources=datasets.provenance(tower, soil),
        notes=tuple(
            f"{name} was interpolated at {len(stamps)} half-hours (UTC): "
            + ", ".join(map(str, stamps))
            for name, stamps in record.filled.items()
        ),
    )
