"""The cases that come with the package: ``load_case("twin")``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lsm_verify.cases.case import Case
from lsm_verify.cases.layered import layered
from lsm_verify.cases.phoenix import phoenix
from lsm_verify.cases.twin import twin, twin_one_depth
from lsm_verify.errors import unknown
from lsm_verify.names import CASES
from lsm_verify.validation import whole

__all__ = ["CASES", "Case", "load_case"]


def load_case(name: str, *, data: str | Path | None = None, interpolate_gaps: int = 0) -> Case:
    """Return a case by name.

    Parameters
    ----------
    name : str
        One of `CASES`.
    data : path, optional
        Directory of the data files, for cases that need some; default: the environment variable
        ``LSM_VERIFY_DATA``, else the cache of ``lsm-verify data fetch``.

    interpolate_gaps : int
        Longest gap in a tower's forcing, in samples of half an hour, that may be filled by linear
        interpolation; the case's notes name the times. 0 refuses every gap.

    Raises
    ------
    InputError
        If the name is unknown or data are missing or unreadable.

    Examples
    --------
    >>> load_case("twin").free
    ('albedo', 'heat_transfer_coefficient', 'bowen_ratio', 'thermal_conductivity', \
'volumetric_heat_capacity', 'bottom_temperature')
    """
    whole("interpolate_gaps", interpolate_gaps, 0)
    builders: dict[str, Callable[[], Case]] = {
        "twin": twin,
        "twin-one-depth": twin_one_depth,
        "phoenix": lambda: phoenix(data, interpolate_gaps=interpolate_gaps),
        "layered": layered,
    }
    if name not in builders:
        raise unknown("case", name, CASES)
    return builders[name]()
