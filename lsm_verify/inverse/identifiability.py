"""What observations say of the unknowns at a point, as a result: bounds, correlations, words.

References
----------
Rao, C. R. (1945). Information and the accuracy attainable in the estimation of statistical
parameters. Bull. Calcutta Math. Soc. 37, 81-91.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.directions import EPSILON, Direction
from lsm_verify.inverse.plain import number
from lsm_verify.inverse.space import Space

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """Least standard deviation of an unbiased estimate (Cramér-Rao), with priors if given.

    ``deviation`` is in ``unit`` and infinite where nothing bounds the quantity; ``relative`` is
    its share of |value|.
    """

    label: str
    unit: str
    value: float
    deviation: float

    @property
    def identifiable(self) -> bool:
        """Whether observations and priors bound it at all."""
        return bool(np.isfinite(self.deviation))

    @property
    def relative(self) -> float:
        """Deviation over |value|."""
        return self.deviation / abs(self.value) if self.value else np.inf

    def __str__(self) -> str:
        unit = "" if self.unit in ("", "1") else f" {self.unit}"
        if not self.identifiable:
            return f"{self.label} = {self.value:.6g}{unit}: not identifiable"
        return (
            f"{self.label} = {self.value:.6g} ± {self.deviation:.2g}{unit} "
            f"({100 * self.relative:.2g} %)"
        )


@dataclass(frozen=True)
class Identifiability:
    """What the observations of a case say of its unknowns at one point.

    Attributes
    ----------
    case, title : str
        What was looked at.
    space : Space
        The unknowns; one prior standard deviation is the unit of the scaled coordinates.
    point : (P,) array
        In the parameters' units.
    observation_error : (series,) array
        Standard deviations of the observations.
    count : int
        Observations that count.
    jacobian : (count, P) array
        Derivatives of the observations, over their errors, by scaled coordinates.
    prior_jacobian : (m, P) array
        The same of the priors.
    singular_values : (P,) array
        Of ``jacobian``, decreasing; zeros where there are fewer observations than unknowns.
    threshold : float
        Round-off of ``jacobian``: singular values up to here are zero.
    directions : tuple of Direction
        Unseen and weak directions in words, the worst that is seen last.
    covariance : (P, P) array
        Inverse of the information J'J + L'L in scaled coordinates on what they see.
    blind : (k, P) array
        Orthonormal directions that neither observations nor priors see.
    roundoff : float
        Of observations' and priors' rows together, in the spectral norm.
    combinations : tuple of Bound
        h(1+1/β) where h and β are unknown.
    cautions : tuple of str
        What else a reader must know.
    """

    case: str
    title: str
    space: Space
    point: Array
    observation_error: Array
    count: int
    jacobian: Array
    prior_jacobian: Array
    singular_values: Array
    threshold: float
    directions: tuple[Direction, ...]
    covariance: Array
    blind: Array
    roundoff: float
    combinations: tuple[Bound, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """Number of directions that the observations see."""
        return int(np.count_nonzero(self.singular_values > self.threshold))

    @property
    def condition_number(self) -> float:
        """Largest over least singular value; infinite where a direction is not seen."""
        if self.rank < self.space.size:
            return float(np.inf)
        return float(self.singular_values[0] / self.singular_values[-1])

    @property
    def seen_condition_number(self) -> float:
        """Largest singular value over the least of what is seen; not a number if nothing is."""
        s = self.singular_values[: self.rank]
        return float(s[0] / s[-1]) if s.size else float(np.nan)

    @property
    def identifiable(self) -> NDArray[np.bool_]:
        """Which unknowns (P,) observations and priors bound."""
        return np.array([np.isfinite(self.deviation(row)) for row in np.eye(self.space.size)])

    def deviation(self, row: Array) -> float:
        """Return the least deviation of ``row`` @ u, infinite where it has a part in ``blind``.

        ``row`` (P,) is in scaled coordinates.

        To first order an error E of the Jacobian turns the null space into v_i by at most
        ‖E‖/s_i, and moves what of ``row`` lies in it by ‖E‖ (Σ (row v_i)²/s_i²)^½: round-off times
        the deviation itself. Beside it stands that of the singular vectors.
        """
        deviation = float(np.sqrt(row @ self.covariance @ row))
        noise = self.roundoff * deviation + row.size * EPSILON * float(np.linalg.norm(row))
        return deviation if float(np.linalg.norm(self.blind @ row)) <= noise else float(np.inf)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """Cramér-Rao bound of every unknown, infinite where there is none."""
        rows = np.diag(self.space.slope(self.space.scaled(self.point)))
        deviations = [self.deviation(row) for row in rows]
        return tuple(
            Bound(label, unit, float(p), float(d))
            for label, unit, p, d in zip(
                self.space.labels, self.space.units, self.point, deviations, strict=True
            )
        )

    @property
    def correlation(self) -> Array:
        """Correlations (P, P) of estimates; not a number where one is not identifiable."""
        deviation = np.sqrt(np.diag(self.covariance))
        good = self.identifiable & (deviation > 0)
        safe = np.where(good, deviation, np.nan)
        return np.asarray(self.covariance / np.outer(safe, safe))

    def bound_of(
        self, label: str, function: Callable[[dict[str, Tensor]], Tensor], unit: str = ""
    ) -> Bound:
        """Return the bound of a function of the unknowns, by the delta method.

        Parameters
        ----------
        label, unit : str
            What it is, for tables.
        function : callable
            From the unknowns, tensors (1,) or (1, n), to one number, in torch operations. It may
            be bounded where the unknowns are not: h(1+1/β).
        """
        import torch

        unknowns = self.space.tensors(self.point[None], requires_grad=True)
        value = function(unknowns).sum()
        slopes = torch.autograd.grad(value, list(unknowns.values()), materialize_grads=True)
        row = np.concatenate([x.numpy().ravel() for x in slopes])
        row = row * self.space.slope(self.space.scaled(self.point))
        return Bound(label, unit, value.item(), self.deviation(row))

    def text(self) -> str:
        """Say all of it in lines."""
        lines = [
            f"{self.case}: {self.count} observations, {self.space.size} unknowns, "
            f"{self.rank} directions seen"
        ]
        if 0 < self.rank < self.space.size:
            lines.append(
                "scaled condition number infinite; "
                f"{self.seen_condition_number:.3g} over the directions that are seen"
            )
        elif self.rank:
            lines.append(f"scaled condition number {self.condition_number:.3g}")
        lines += [f"{d.kind}: {d.words}" for d in self.directions]
        lines += [str(b) for b in (*self.bounds, *self.combinations)]
        return "\n".join([*lines, *self.cautions])

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and strings; what is not finite is ``None``."""
        return {
            "case": self.case,
            "title": self.title,
            "observations": self.count,
            "observation_error": self.observation_error.tolist(),
            "unknowns": list(self.space.labels),
            "scales": self.space.scale.tolist(),
            "singular_values": self.singular_values.tolist(),
            "threshold": self.threshold,
            "rank": self.rank,
            "condition_number": number(self.condition_number),
            "seen_condition_number": number(self.seen_condition_number),
            "directions": [
                {
                    "kind": d.kind,
                    "count": len(d.basis),
                    "singular_value": d.singular_value,
                    "relative": d.relative,
                    "unknowns": list(d.labels),
                    "words": d.words,
                }
                for d in self.directions
            ],
            "bounds": [
                {
                    "label": b.label,
                    "unit": b.unit,
                    "value": b.value,
                    "deviation": number(b.deviation),
                    "relative": number(b.relative),
                }
                for b in (*self.bounds, *self.combinations)
            ],
            "correlation": [[number(x) for x in row] for row in self.correlation],
            "cautions": list(self.cautions),
        }
