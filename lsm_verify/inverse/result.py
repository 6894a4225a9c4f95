"""The result of a calibration: estimates from all starts, as a dataset and as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.directions import NO_EFFECT, STRUCTURAL
from lsm_verify.inverse.directions import UNSEEN as NOT_SEEN
from lsm_verify.inverse.identifiability import Identifiability
from lsm_verify.inverse.outcome import INTERRUPTED
from lsm_verify.inverse.plain import number, numbers
from lsm_verify.inverse.space import Space
from lsm_verify.parameters import Value
from lsm_verify.quantities import PARAMETERS
from lsm_verify.version import __version__

if TYPE_CHECKING:
    import xarray

Array = NDArray[np.float64]

FORMAT = "lsm-verify calibration 1"

UNSEEN = (NO_EFFECT, STRUCTURAL, NOT_SEEN)
"""Kinds of directions along which an estimate is no number."""


@dataclass(frozen=True)
class Calibration:
    """Estimates from every start.

    Attributes
    ----------
    case, title, method, route : str
        What was calibrated, and how.
    space : Space
        The unknowns.
    start, estimate : (B, P) array
        Rows in the order of the space, in the parameters' units; estimates are not-a-number where
        a start has none.
    value : (B,) array
        The objective ½ Σ w r²/σ² + priors at the estimates; infinite where none was reached.
    mean_square : (B,) array
        Σ w r² / Σ w at the estimates, in squared units of the observations.
    iterations, evaluations : (B,) array
        Of every start.
    status : tuple of str
        Why every start ended, see `lsm_verify.inverse.outcome`.
    options : dict
        What was asked beside: bounds, priors, observation error, seed.
    sources : dict
        Data files used: name to SHA-256.
    truth, published : (P,) array, optional
        Known values.
    identifiability : Identifiability, optional
        What the observations say of the unknowns at the best estimate.
    cautions : tuple of str
        What else a reader must know.
    """

    case: str
    title: str
    method: str
    route: str
    space: Space
    start: Array
    estimate: Array
    value: Array
    mean_square: Array
    iterations: NDArray[np.int64]
    evaluations: NDArray[np.int64]
    status: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    truth: Array | None = None
    published: Array | None = None
    identifiability: Identifiability | None = None
    cautions: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know, and what cannot be told apart or not be seen, in words."""
        if self.identifiability is None:
            return self.cautions
        unseen = [d.words for d in self.identifiability.directions if d.kind in UNSEEN]
        return (*self.cautions, *unseen)

    @property
    def best(self) -> int:
        """Index of the start with the least objective."""
        return int(np.argmin(np.where(np.isfinite(self.value), self.value, np.inf)))

    @property
    def interrupted(self) -> bool:
        """Whether a start was cut off, or not begun."""
        return INTERRUPTED in self.status

    @property
    def reached(self) -> bool:
        """Whether any start has an estimate."""
        return bool(np.any(np.isfinite(self.value)))

    @property
    def rmse(self) -> Array:
        """Root of the mean square misfit (B,), in units of the observations."""
        return np.sqrt(self.mean_square)

    @property
    def at_bound(self) -> NDArray[np.bool_]:
        """Which estimates (B, P) lie on a bound: the observations ask for more."""
        return self.space.at_bound(self.estimate)

    def parameters(self, start: int | None = None) -> dict[str, Value]:
        """Estimates by public name; default: of the best start."""
        return self.space.named(self.estimate[self.best if start is None else start])

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and strings; what is not finite is ``None``."""
        rows = [
            {
                "start": numbers(self.start[b]),
                "estimate": numbers(self.estimate[b]),
                "objective": number(self.value[b]),
                "rmse": number(self.rmse[b]),
                "iterations": int(self.iterations[b]),
                "evaluations": int(self.evaluations[b]),
                "status": self.status[b],
                "at_bound": [
                    label
                    for label, hit in zip(self.space.labels, self.at_bound[b], strict=True)
                    if hit
                ],
            }
            for b in range(len(self.start))
        ]
        return {
            "format": FORMAT,
            "version": __version__,
            "case": self.case,
            "title": self.title,
            "method": self.method,
            "route": self.route,
            "options": self.options,
            "sources": self.sources,
            "unknowns": [
                {"label": label, "unit": unit}
                for label, unit in zip(self.space.labels, self.space.units, strict=True)
            ],
            "truth": None if self.truth is None else numbers(self.truth),
            "published": None if self.published is None else numbers(self.published),
            "best": self.best,
            "interrupted": self.interrupted,
            "warnings": list(self.warnings),
            "identifiability": (
                None if self.identifiability is None else self.identifiability.to_json()
            ),
            "starts": rows,
        }

    def to_dataset(self) -> xarray.Dataset:
        """Return the estimates with dimension ``start``; arrays have one of their own.

        ``NAME`` is the estimate, ``NAME_initial`` the start; ``at_bound`` and the rest per start.
        """
        import xarray

        variables: dict[str, Any] = {}
        about_start = {"long_name": "number of the start"}
        coordinates: dict[str, Any] = {"start": ("start", np.arange(len(self.start)), about_start)}
        for u in self.space.unknowns:
            dims: tuple[str, ...] = ("start",)
            if u.shape:
                dims = ("start", f"{u.name}_index")
                if u.times is not None:
                    coordinates[f"{u.name}_time"] = (
                        dims[1],
                        u.times,
                        {"units": "s", "long_name": f"time of {u.name} since the initial state"},
                    )
            about = PARAMETERS.get(u.name)
            attributes: dict[str, Any] = {
                "units": u.unit,
                "long_name": about.description if about else u.name,
            }
            place = self.space.places[u.name]
            for known in ("truth", "published"):
                row = getattr(self, known)
                if row is not None:
                    attributes[known] = row[place]
            for suffix, rows, what in (
                ("", self.estimate, "estimate"),
                ("_initial", self.start, "start"),
            ):
                values = rows[:, place].reshape(len(rows), *u.shape)
                variables[u.name + suffix] = (dims, values, {**attributes, "comment": what})
        per_start = {
            "objective": (self.value, "half the squares of residuals over σ, and priors", "1"),
            # Without a unit: of series in several units it has none.
            "mean_square": (
                self.mean_square,
                "mean square misfit, in the observations' units squared",
                "",
            ),
            "iterations": (self.iterations, "iterations of the minimiser", "1"),
            "evaluations": (self.evaluations, "evaluations of the model", "1"),
            "status": (np.array(self.status), "why the start ended", ""),
        }
        # Not a coordinate variable, which CF wants numbers in: labels stand beside the dimension.
        about_label = {"long_name": "name of the unknown"}
        coordinates["unknown_name"] = ("unknown", list(self.space.labels), about_label)
        about_bound = {"long_name": "whether the estimate lies on a bound, or beyond it"}
        variables["at_bound"] = (("start", "unknown"), self.at_bound.astype(np.int8), about_bound)
        for name, (values, text, unit) in per_start.items():
            about_it = {"long_name": text} | ({"units": unit} if unit else {})
            variables[name] = (("start",), values, about_it)
        return xarray.Dataset(
            variables,
            coords=coordinates,
            attrs={
                "Conventions": "CF-1.11",
                "history": f"made by lsm-verify {__version__}",
                "title": f"calibration of {self.case}: {self.title}",
                "method": self.method,
                "route": self.route,
                "source": f"lsm-verify {__version__}",
                "best_start": self.best,
                "options": json.dumps(self.options),
                "interrupted": int(self.interrupted),
                "warnings": "; ".join(self.warnings),
                # CF: letters, digits and underscores.
                **{f"sha256_{re.sub('[^A-Za-z0-9_]', '_', k)}": v for k, v in self.sources.items()},
            },
        )
