"""lsm-verify: a differentiable land-surface model whose gradient is proven right.

Public names load on first use, so that importing the package loads neither torch nor numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lsm_verify.version import __version__ as __version__

if TYPE_CHECKING:
    from lsm_verify.cases import Case, load_case
    from lsm_verify.errors import InputError, NoSolutionError
    from lsm_verify.forcing import Forcing
    from lsm_verify.grid import Grid
    from lsm_verify.inputs import Objective
    from lsm_verify.inverse.calibrate import calibrate
    from lsm_verify.inverse.identifiability import Identifiability
    from lsm_verify.inverse.identify import identify
    from lsm_verify.inverse.priors import Normal, Smooth
    from lsm_verify.inverse.result import Calibration
    from lsm_verify.inverse.unknowns import Unknown
    from lsm_verify.maps.calibrate_map import calibrate_map
    from lsm_verify.models.simulation import simulate
    from lsm_verify.names import CASES
    from lsm_verify.observations import Observations, Series
    from lsm_verify.parameters import Knots
    from lsm_verify.routes import gradient, routes
    from lsm_verify.verify.problem import Operator, Problem
    from lsm_verify.verify.result import Location, Reason, Report, Verdict
    from lsm_verify.verify.run import verify


_HOME = {
    "CASES": "lsm_verify.names",
    "Case": "lsm_verify.cases",
    "load_case": "lsm_verify.cases",
    "InputError": "lsm_verify.errors",
    "NoSolutionError": "lsm_verify.errors",
    "Forcing": "lsm_verify.forcing",
    "Grid": "lsm_verify.grid",
    "Objective": "lsm_verify.inputs",
    "calibrate": "lsm_verify.inverse.calibrate",
    "calibrate_map": "lsm_verify.maps.calibrate_map",
    "Identifiability": "lsm_verify.inverse.identifiability",
    "identify": "lsm_verify.inverse.identify",
    "Normal": "lsm_verify.inverse.priors",
    "Smooth": "lsm_verify.inverse.priors",
    "Calibration": "lsm_verify.inverse.result",
    "Unknown": "lsm_verify.inverse.unknowns",
    "simulate": "lsm_verify.models.simulation",
    "Observations": "lsm_verify.observations",
    "Series": "lsm_verify.observations",
    "Knots": "lsm_verify.parameters",
    "gradient": "lsm_verify.routes",
    "routes": "lsm_verify.routes",
    "Operator": "lsm_verify.verify.problem",
    "Problem": "lsm_verify.verify.problem",
    "Location": "lsm_verify.verify.result",
    "Reason": "lsm_verify.verify.result",
    "Report": "lsm_verify.verify.result",
    "Verdict": "lsm_verify.verify.result",
    "verify": "lsm_verify.verify.run",
}

__all__ = [
    "CASES",
    "Calibration",
    "Case",
    "Forcing",
    "Grid",
    "Identifiability",
    "InputError",
    "Knots",
    "Location",
    "NoSolutionError",
    "Normal",
    "Objective",
    "Observations",
    "Operator",
    "Problem",
    "Reason",
    "Report",
    "Series",
    "Smooth",
    "Unknown",
    "Verdict",
    "calibrate",
    "calibrate_map",
    "gradient",
    "identify",
    "load_case",
    "routes",
    "simulate",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
