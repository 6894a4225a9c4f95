"""Readers of the Phoenix data, where they lie, and their download.

Importing this package needs numpy alone; netCDF and download libraries are imported by the
functions that need them. The download stands apart, in `lsm_verify.datasets.fetch`.
"""

from lsm_verify.datasets.locate import cache_directory, data_directory, find, find_soil, provenance
from lsm_verify.datasets.soil import SoilRecord, read_soil
from lsm_verify.datasets.urban_plumber import ForcingRecord, read_forcing, read_series

__all__ = [
    "ForcingRecord",
    "SoilRecord",
    "cache_directory",
    "data_directory",
    "find",
    "find_soil",
    "provenance",
    "read_forcing",
    "read_series",
    "read_soil",
]
