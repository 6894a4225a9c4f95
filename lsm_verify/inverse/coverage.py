"""How often intervals hold the truth: synthetic data sets, each fitted anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.intervals import ESTIMATORS, Intervals, intervals, naive
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.noise import Noise
from lsm_verify.inverse.refit import linearise, noise_model, refit
from lsm_verify.inverse.reml import covariance, fit_noise
from lsm_verify.validation import whole

Array = NDArray[np.float64]

KINDS = (
    *(f"{e}, noise known" for e in ESTIMATORS),
    *(f"{e}, noise re-estimated" for e in ESTIMATORS),
    "white noise",
)
"""Intervals that are tried on every data set."""


@dataclass(frozen=True)
class Coverage:
    """Share of data sets whose interval holds the truth.

    Attributes
    ----------
    labels : tuple of str
        Of the unknowns.
    level : float
        Nominal coverage.
    hits : dict of str to (sets, P) array of bool
        By kind of interval.
    widths : dict of str to (sets, P) array
        Half widths, in the parameters' units.
    coherence : (sets,) array
        Re-estimated coherence time τ of the noise [h].
    """

    labels: tuple[str, ...]
    level: float
    hits: dict[str, NDArray[np.bool_]]
    widths: dict[str, Array]
    coherence: Array

    @property
    def sets(self) -> int:
        """Number of data sets."""
        return len(self.coherence)

    def share(self, kind: str) -> Array:
        """Coverage (P,)."""
        return np.asarray(self.hits[kind].mean(axis=0))

    def uncertainty(self, kind: str) -> tuple[Array, Array]:
        """95 % interval (P,) each of the coverage: exact binomial (Clopper and Pearson 1934)."""
        from scipy.stats import beta

        k, n = self.hits[kind].sum(axis=0), self.sets
        low = np.where(k > 0, beta.ppf(0.025, k, n - k + 1), 0.0)
        high = np.where(k < n, beta.ppf(0.975, k + 1, n - k), 1.0)
        return low, high


def join(parts: Sequence[Coverage]) -> Coverage:
    """Return one coverage of several parts of the data sets."""
    one = parts[0]
    return Coverage(
        one.labels,
        one.level,
        {kind: np.concatenate([p.hits[kind] for p in parts]) for kind in one.hits},
        {kind: np.concatenate([p.widths[kind] for p in parts]) for kind in one.widths},
        np.concatenate([p.coherence for p in parts]),
    )


def cover(
    misfit: Misfit,
    u: Array,
    noise: Noise,
    *,
    sets: int,
    seed: int,
    first: int = 0,
    level: float = 0.95,
    re_estimate: bool = True,
) -> Coverage:
    """Draw data sets at the truth ``u``, refit the nonlinear model to each, count the hits.

    Parameters
    ----------
    misfit : Misfit
        Without priors.
    u : (P,) array
        Scaled coordinates at which data are simulated.
    noise : Noise
        What is added to them.
    sets, seed, first : int
        How many, of which seed, and after how many others: set k does not depend on how many
        there are, so that parts make a whole.
    level : float
        Nominal coverage.
    re_estimate : bool
        Whether the noise is also taken as unknown: restricted likelihood for each set, from the
        search's usual start, not from the noise that simulated.
    """
    count = whole("sets", sets, 1)
    truth = misfit.space.physical(u)
    clean = misfit.evaluator.predict(u[None])[0]
    errors = noise.draw(count + whole("first", first, 0), seed)[first:]
    V = covariance(noise, linearise(misfit, u))
    found: dict[str, list[Intervals]] = {kind: [] for kind in KINDS}
    coherence = []
    for k in range(count):
        values = clean + errors[k]
        least, linear = refit(misfit, u, values=values)
        point, metric = refit(misfit, least, V, values)
        rows = {
            "ordinary, noise known": intervals(misfit, least, linear, noise, level=level),
            "generalised, noise known": intervals(
                misfit, point, metric, noise, estimator="generalised", level=level
            ),
            "white noise": naive(misfit, least, linear, level),
        }
        if re_estimate:
            model = noise_model(misfit, linear, noise.model.components)
            guess = fit_noise(linear, model)
            coherence.append(float(np.exp(guess.noise.theta[_place(noise)])))
            rows["ordinary, noise re-estimated"] = intervals(
                misfit, least, linear, guess, level=level
            )
            point, metric = refit(misfit, least, covariance(guess.noise, linear), values)
            rows["generalised, noise re-estimated"] = intervals(
                misfit, point, metric, guess, estimator="generalised", level=level
            )
        else:
            coherence.append(np.nan)
        for kind, row in rows.items():
            found[kind].append(row)
    done = {kind: rows_ for kind, rows_ in found.items() if rows_}
    return Coverage(
        labels=misfit.space.labels,
        level=level,
        hits={kind: np.array([r.cover(truth) for r in rows_]) for kind, rows_ in done.items()},
        widths={
            kind: np.array([(r.upper - r.lower) / 2 for r in rows_]) for kind, rows_ in done.items()
        },
        coherence=np.array(coherence),
    )


def _place(noise: Noise) -> int:
    """Index in θ of the first process' coherence."""
    return next(i for i, name in enumerate(noise.model.names) if name.endswith("log(coherence/h)"))
