"""Estimate parameters: `calibrate`."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse import adam, local
from lsm_verify.inverse.evaluate import Compose
from lsm_verify.inverse.identify import cautions, identified
from lsm_verify.inverse.journal import Journal
from lsm_verify.inverse.misfit import Misfit, direct
from lsm_verify.inverse.outcome import Announce, Outcomes, silent
from lsm_verify.inverse.plain import number
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.result import Calibration
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.starts import starts_of
from lsm_verify.inverse.unknowns import Bounds, Unknown
from lsm_verify.validation import whole
from lsm_verify.version import __version__

METHODS = {
    "least-squares": "trust-region least squares (SciPy), Jacobian from the tangent",
    "l-bfgs-b": "L-BFGS-B (SciPy), value and gradient",
    "adam": "Adam with the paper's rates and stopping rule, no bounds, all starts as one batch",
}

MOST_EXAMINED = 1000
"""Unknowns up to which a result tells what the observations say of them: their Jacobian takes a run
of the tangent for each."""

ITERATIONS = {
    "least-squares": local.ITERATIONS,
    "l-bfgs-b": local.ITERATIONS,
    "adam": adam.ITERATIONS,
}


def calibrate(
    case: Case,
    unknowns: Iterable[str] | Sequence[Unknown] | None = None,
    *,
    method: str = "least-squares",
    route: str = "fused",
    starts: Any = None,
    seed: int = 0,
    compose: Compose | None = None,
    bounds: Bounds | None = None,
    logarithmic: Iterable[str] = (),
    priors: Sequence[Prior] = (),
    observation_error: Any = 1.0,
    iterations: int | None = None,
    rates: Mapping[str, float] | None = None,
    stop_early: bool = True,
    checkpoint: Path | None = None,
    resume: bool = False,
    examine: bool = True,
    threads: int | None = None,
    announce: Announce = silent,
) -> Calibration:
    """Estimate parameters of a case from its observations.

    Parameters
    ----------
    case : Case
        What is modelled and observed; its ``start`` gives the free parameters and their form.
    unknowns : names or sequence of Unknown, optional
        Free parameters to estimate (default: all), or with ``compose`` the user's own.
    method : str
        ``least-squares``, ``l-bfgs-b`` or ``adam``.
    route : str
        Route of the gradient, see `lsm_verify.routes`. Least squares take the Jacobian of the
        fused kernels' tangent and no other.
    starts : None, int, "published", mapping(s) or (B, P) array
        Where to start: the case's start, so many seeded draws from the ranges, the paper's 50, or
        values.
    seed : int
        Of the draws.
    compose : callable, optional
        From the unknowns, tensors (B,) or (B, n), to parameters of the model, in torch operations:
        ``lambda c: {"albedo": c["a"][:, None] + c["b"][:, None] * snow}``.
    bounds : mapping, optional
        Names to (least, most); default: what is physical. Adam has none.
    logarithmic : iterable of str
        Unknowns whose logarithm is the coordinate; not for Adam.
    priors : sequence of Normal or Smooth
        See `lsm_verify.inverse.priors`.
    observation_error : float or one per series
        Standard deviation of the observations, in their units.
    iterations : int, optional
        At most so many; default 150 for Adam, 200 for the others.
    rates : mapping, optional
        Learning rates of Adam, in the parameters' units; default: the paper's.
    stop_early : bool
        Whether Adam stops by the paper's rule.
    checkpoint : Path, optional
        File that is kept up to date, atomically, to go on from.
    resume : bool
        Whether to go on from it: the result is that of an undisturbed run, to the last bit.
    examine : bool
        Whether to tell what the observations say of the unknowns at the best estimate, see
        `lsm_verify.identify`; takes some runs of the tangent. Not done beyond `MOST_EXAMINED`.
    threads : int, optional
        Of the kernels; the result does not depend on it.
    announce : callable
        Called with a `Progress` after every evaluation: starts or iterations done, the objective.

    Returns
    -------
    Calibration
        Also after an interrupt, with what was reached; then ``interrupted`` is true.

    Raises
    ------
    InputError
        If a name or value is wrong, or a file cannot be read or written.

    Examples
    --------
    >>> from lsm_verify import load_case
    >>> found = calibrate(load_case("twin"))
    >>> round(found.parameters()["albedo"], 9)
    0.2
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if method != "adam" and rates:
        raise InputError(f"rates are Adam's; method {method} has none.")
    if method == "adam" and (bounds or tuple(logarithmic)):
        raise InputError("Adam has neither bounds nor logarithms here; take l-bfgs-b.")
    if method == "least-squares" and route != "fused":
        raise InputError(
            f"route={route!r}: least squares take the Jacobian of the fused tangent; leave the "
            "route out, or take l-bfgs-b or adam."
        )
    count = whole("iterations", ITERATIONS[method] if iterations is None else iterations, 1)
    space = Space.asked_for(
        case, unknowns, composed=compose is not None, bounds=bounds, logarithmic=logarithmic
    )
    begin = starts_of(case, space, starts, seed)
    options = {
        "starts": starts if starts is None or isinstance(starts, int | str) else "given",
        "seed": whole("seed", seed, 0),
        "iterations": count,
        "bounds": [[number(a), number(b)] for a, b in zip(space.least, space.most, strict=True)],
        "logarithmic": [u.name for u in space.unknowns if u.logarithmic],
        "priors": [_plain_prior(prior) for prior in priors],
        "observation_error": np.asarray(observation_error, dtype=float).tolist(),
    }
    if method == "adam":
        del options["bounds"]
        options["rates"] = adam.rates(space, rates).tolist()
        options["stop_early"] = stop_early
    journal = Journal(
        checkpoint, _fingerprint(case, space, begin, method, route, options), resume=resume
    )
    misfit = Misfit(
        case,
        space,
        route=route,
        compose=compose,
        threads=threads,
        observation_error=observation_error,
        priors=priors,
        ask=journal.ask,
    )
    scaled = space.scaled(begin)
    outcomes = Outcomes.begin(scaled)
    known = _known(case, space)
    interrupted = False
    try:
        _minimise(method, misfit, scaled, outcomes, count, rates, stop_early, announce)
    except KeyboardInterrupt:
        interrupted = True  # `outcomes` says which starts were not finished
    finally:
        journal.write()
    misfit.ask = direct  # what follows is no question of the minimiser: not for the journal
    there = np.isfinite(outcomes.value)
    result = Calibration(
        case=case.name,
        title=case.title,
        method=method,
        route=route,
        space=space,
        start=begin,
        estimate=np.where(there[:, None], space.physical(outcomes.u), np.nan),
        value=outcomes.value,
        mean_square=np.where(there, misfit.mean_square(outcomes.u), np.nan),
        iterations=outcomes.iterations,
        evaluations=outcomes.evaluations,
        status=tuple(outcomes.status),
        options=options,
        sources=dict(case.sources),
        truth=known.get("truth"),
        published=known.get("published"),
        cautions=(*([journal.trouble] if journal.trouble else []), *cautions(misfit)),
    )
    if not examine or not result.reached:
        return result
    return _examined(result, misfit, outcomes.u[result.best], interrupted=interrupted)


def _examined(result: Calibration, misfit: Misfit, u: Any, *, interrupted: bool) -> Calibration:
    """Add what the observations say of the unknowns, or why that is not looked at."""
    reason = "it was interrupted" if interrupted else ""
    if misfit.space.size > MOST_EXAMINED:
        reason = f"{misfit.space.size} are more than {MOST_EXAMINED}"
    if not reason:
        try:
            return replace(result, identifiability=identified(misfit, u))
        except KeyboardInterrupt:
            reason = "that was interrupted"
        except InputError as error:
            reason = str(error)
    told = f"what the observations say of the unknowns was not examined: {reason}"
    return replace(result, cautions=(*result.cautions, told))


def _known(case: Case, space: Space) -> dict[str, Any]:
    """Known values of the unknowns, where the case has them in the same form."""
    found = {}
    for name in ("truth", "published"):
        values = getattr(case, name)
        if values is not None and set(space.names) <= set(values):
            with contextlib.suppress(InputError):
                found[name] = space.flatten(values)
    return found


def _minimise(
    method: str,
    misfit: Misfit,
    starts: Any,
    outcomes: Outcomes,
    iterations: int,
    rates: Mapping[str, float] | None,
    stop_early: bool,
    announce: Announce,
) -> None:
    if method == "adam":
        adam.minimise(
            misfit,
            starts,
            outcomes,
            learning_rates=adam.rates(misfit.space, rates),
            iterations=iterations,
            stop_early=stop_early,
            announce=announce,
        )
        return
    run = local.least_squares if method == "least-squares" else local.lbfgsb
    run(misfit, starts, outcomes, iterations=iterations, announce=announce)


def _fingerprint(
    case: Case, space: Space, starts: Any, method: str, route: str, options: dict[str, Any]
) -> str:
    """Name a calibration by all that it depends on; not the function in ``compose``."""
    digest = hashlib.sha256(json.dumps([__version__, method, route, options]).encode())
    inputs = case.inputs({}, wrt=())
    arrays = [inputs.spacing, inputs.time_step, starts, space.middle, space.scale]
    arrays += [inputs.parameters[name] for name in sorted(inputs.parameters)]
    for s in inputs.series:
        arrays += [s.values, np.asarray(s.weights), np.asarray(s.depth)]
        digest.update(s.kind.encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    digest.update(" ".join([*space.labels, *sorted(inputs.parameters)]).encode())
    return digest.hexdigest()


def _plain_prior(prior: Prior) -> dict[str, Any]:
    fields = {name: np.asarray(value).tolist() for name, value in vars(prior).items()}
    return {"kind": type(prior).__name__, **fields}
