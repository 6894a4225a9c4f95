"""How often intervals hold the truth: synthetic data sets, each fitted anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.intervals import ESTIMATORS, Intervals, gain, intervals, naive
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.noise import Noise
from lsm_verify.inverse.refit import linearise, noise_model, record, refit
from lsm_verify.inverse.reml import Linear, covariance, fit_noise
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
    converged : (sets,) array of bool
        Whether the search for the noise ended by its tolerance; true where it was not searched.
    """

    labels: tuple[str, ...]
    level: float
    hits: dict[str, NDArray[np.bool_]]
    widths: dict[str, Array]
    coherence: Array
    converged: NDArray[np.bool_]

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
        np.concatenate([p.converged for p in parts]),
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
    coherence, converged = [], []
    for k in range(count):
        values = clean.copy()
        values[:, record(misfit)] += errors[k]
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
            coherence.append(guess.noise.coherence)
            rows["ordinary, noise re-estimated"] = intervals(
                misfit, least, linear, guess, level=level
            )
            converged.append(guess.converged)
            point, metric = refit(misfit, least, covariance(guess.noise, linear), values)
            rows["generalised, noise re-estimated"] = intervals(
                misfit, point, metric, guess, estimator="generalised", level=level
            )
        else:
            coherence.append(np.nan)
            converged.append(True)
        for kind, row in rows.items():
            found[kind].append(row)
    return _count(misfit, found, truth, coherence, converged)


def cover_linearised(
    misfit: Misfit,
    u: Array,
    linear: Linear,
    noise: Noise,
    *,
    sets: int,
    seed: int,
    level: float = 0.95,
) -> Coverage:
    """Count hits as `cover` does, of the model linearised once, the noise re-estimated each time.

    The noise that simulates may have a coherence longer than the record; the one that is
    re-estimated may not, as in a fit: this tells what that bound costs. The truth is ``u`` (P,),
    about which ``linear`` was taken; its response is not used.
    """
    X, seen = linear.design, linear.seen
    found: dict[str, list[Intervals]] = {kind: [] for kind in KINDS if "re-est" in kind}
    coherence, converged = [], []
    for drawn in noise.draw(whole("sets", sets, 1), seed):
        e = drawn[seen]
        step = gain(misfit, linear) @ e
        one = Linear(e - X @ step, X, seen)
        guess = fit_noise(one, noise_model(misfit, one, noise.model.components))
        V = covariance(guess.noise, linear)
        for estimator, kind in zip(ESTIMATORS, found, strict=True):
            at = u + (step if estimator == "ordinary" else gain(misfit, linear, V) @ e)
            found[kind].append(intervals(misfit, at, one, guess, estimator=estimator, level=level))
        coherence.append(guess.noise.coherence)
        converged.append(guess.converged)
    return _count(misfit, found, misfit.space.physical(u), coherence, converged)


def _count(
    misfit: Misfit,
    found: dict[str, list[Intervals]],
    truth: Array,
    coherence: list[float],
    converged: list[bool],
) -> Coverage:
    done = {kind: rows for kind, rows in found.items() if rows}
    return Coverage(
        labels=misfit.space.labels,
        level=next(iter(done.values()))[0].level,
        hits={kind: np.array([r.cover(truth) for r in rows]) for kind, rows in done.items()},
        widths={
            kind: np.array([(r.upper - r.lower) / 2 for r in rows]) for kind, rows in done.items()
        },
        coherence=np.array(coherence),
        converged=np.array(converged),
    )
