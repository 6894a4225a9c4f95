"""Let a parameter vary in time: a value per step, or knots, as unknowns of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.parameters import COMBINED, SEPARATE, Knots, Value, combine
from lsm_verify.quantities import FORCING, PARAMETERS
from lsm_verify.validation import as_array, increasing, vector

Array = NDArray[np.float64]

STEPS = "steps"
"""The form in which a parameter has a value per step."""

IN_TIME = tuple(name for name, q in PARAMETERS.items() if STEPS in q.shapes and name not in FORCING)
"""Parameters that may vary in time."""


def varying(case: Case, name: str, form: Any = STEPS, *, range: Any = None) -> Case:
    """Return a case in which a parameter varies in time and is free.

    Parameters
    ----------
    case : Case
        Where it is one number, free or fixed, or varies already in another form.
    name : str
        ``albedo``, ``bottom_temperature``, ``heat_transfer_coefficient``, ``bowen_ratio``, or
        ``turbulent_transfer_coefficient``, which then replaces h and β.
    form : "steps" or (knots,) array_like
        A value per step, or the times of knots [s since the start], strictly increasing; between
        knots the parameter is linear in time, outside of them constant.
    range : pair of () or (n,) array_like, optional
        Lower and upper end, in the parameter's unit. Default: the case's range of it; of h(1+1/β)
        what the ranges of h and β span.

    Returns
    -------
    Case
        Starts from what the case starts from. Truth and published values are kept where the form
        can express them, and otherwise left out, with a note.

    Raises
    ------
    InputError
        If the parameter does not vary in time or is not in the case; if times or range are wrong;
        if the parameter is fixed and has no range.

    Examples
    --------
    >>> from lsm_verify import load_case
    >>> case = varying(load_case("twin"), "albedo")
    >>> case.start["albedo"].shape
    (100,)
    >>> case = varying(case, "turbulent_transfer_coefficient", form=[0.0, 180e3, 360e3])
    >>> case.free[1], case.start["turbulent_transfer_coefficient"].values.shape
    ('turbulent_transfer_coefficient', (3,))
    """
    if name not in IN_TIME:
        raise unknown("parameter that varies in time", name, IN_TIME)
    times = _times(form)
    size = case.forcing.steps if times is None else times.size
    case = combined(case) if name == COMBINED else case
    if name not in case.start and name not in case.fixed:
        other = f"it has {COMBINED}" if COMBINED in {**case.fixed, **case.start} else "add it"
        raise InputError(f"{name} has no value in case {case.name}: {other}.")
    if range is None:
        if name not in case.ranges:
            raise InputError(f"{name} is fixed in case {case.name}; give its range.")
        low, high = case.ranges[name]
        if np.shape(low) not in ((), (size,)) or np.shape(high) not in ((), (size,)):
            low, high = np.min(low), np.max(high)
        range = (low, high)
    ends = np.cumsum(case.forcing.time_step)
    before = case.start.get(name, case.fixed.get(name))
    points, notes = {}, list(case.notes)
    for point in case.points():
        values = case.point(point)
        given = values.get(name, before)
        values[name] = in_form(given, times, ends)
        if point != "start" and _lossy(given, values[name], ends):
            notes.append(f"{name} at the {point} is not linear between the knots: left out")
            continue
        points[point] = values
    return replace(
        case,
        start=points["start"],
        truth=points.get("truth"),
        published=points.get("published"),
        fixed={k: v for k, v in case.fixed.items() if k != name},
        ranges={**case.ranges, name: range},
        notes=tuple(notes),
    )


def combined(case: Case, limits: tuple[float, float] | None = None) -> Case:
    """Return a case with h(1+1/β) in the place of h and β, at every point and in the ranges.

    ``limits`` are its range, where it is free; default: what the ranges of h and β let it be.

    Raises
    ------
    InputError
        If h or β is given by knots: their quotient is not piecewise linear.
    """
    if COMBINED in {**case.fixed, **case.start}:
        return case
    h, beta = SEPARATE
    points = {}
    for point in case.points():
        values = {**case.fixed, **case.start, **case.point(point)}
        for each in SEPARATE:
            if isinstance(values[each], Knots):
                raise InputError(
                    f"{each} is given by knots, and h(1+1/β) is not linear between them; give "
                    f"values per step, or {COMBINED} itself."
                )
        product = combine(np.asarray(values[h]), np.asarray(values[beta]))
        points[point] = _in_place(case.point(point), product)
    ends = [case.ranges.get(n, (case.fixed.get(n), case.fixed.get(n))) for n in SEPARATE]
    corners = [combine(np.asarray(a), np.asarray(b)) for a in ends[0] for b in ends[1]]
    least, most = (float(f([f(c) for c in corners])) for f in (np.min, np.max))
    is_free = any(n in case.start for n in SEPARATE)
    fixed = {k: v for k, v in case.fixed.items() if k not in SEPARATE}
    if not is_free:
        fixed[COMBINED] = points["start"].pop(COMBINED)
        points = {k: {n: v for n, v in p.items() if n != COMBINED} for k, p in points.items()}
    ranges = {k: v for k, v in case.ranges.items() if k not in SEPARATE}
    return replace(
        case,
        start=points["start"],
        truth=points.get("truth"),
        published=points.get("published"),
        fixed=fixed,
        ranges={**ranges, COMBINED: limits or (least, most)} if is_free else ranges,
    )


def _in_place(values: Mapping[str, Value], product: Array) -> dict[str, Value]:
    """Put h(1+1/β) where the first of h and β stood, or at the end."""
    found: dict[str, Value] = {}
    for name, value in values.items():
        if name not in SEPARATE:
            found[name] = value
        elif COMBINED not in found:
            found[COMBINED] = product
    return {**found, COMBINED: product}


def in_form(value: Value, times: Array | None, ends: Array) -> Value:
    """Return a value per step, or at knots, of a parameter in any form.

    Parameters
    ----------
    value : float, (steps,) array or Knots
        The parameter.
    times : (knots,) array or None
        Times of the knots [s]; None: a value per step.
    ends : (steps,) array
        Times of the ends of the steps [s], which the values per step belong to.
    """
    wanted = ends if times is None else times
    if isinstance(value, Knots):
        found = np.interp(wanted, value.times, value.values)
    else:
        array = as_array("value", value)  # type: ignore[arg-type]
        found = np.full(wanted.size, array) if array.ndim == 0 else np.interp(wanted, ends, array)
    return found if times is None else Knots(times, found)


def per_step(value: Value, ends: Array) -> Array:
    """Return what a step sees of a parameter in any form, (steps,)."""
    return np.asarray(in_form(value, None, ends), dtype=np.float64)


def free_only(case: Case, names: tuple[str, ...], at: Mapping[str, Value]) -> Case:
    """Return a case in which only some parameters are free; the others are known to be ``at``.

    Raises
    ------
    InputError
        If a name is not free, or one that is left out has no value.
    """
    for name in names:
        if name not in case.free:
            raise unknown(f"free parameter of case {case.name}", name, case.free)
    known = [name for name in case.free if name not in names]
    missing = [name for name in known if name not in at]
    if missing:
        raise InputError(f"{missing[0]} is to be known and has no value; give one.")

    def kept(values: Any) -> Any:
        return None if values is None else {k: v for k, v in values.items() if k in names}

    return replace(
        case,
        fixed={**case.fixed, **{name: at[name] for name in known}},
        start=kept(case.start),
        ranges=kept(case.ranges),
        truth=kept(case.truth),
        published=kept(case.published),
    )


def _times(form: Any) -> Array | None:
    if isinstance(form, str):
        if form != STEPS:
            raise InputError(f"form={form!r}; give {STEPS!r}, or the times of knots in s.")
        return None
    return increasing("knot times", vector("knot times", form))


ROUNDING = 1e-12
"""Relative difference that interpolation leaves in what it can express: some thousand roundings."""


def _lossy(value: Value, formed: Value, ends: Array) -> bool:
    """Whether a form cannot express a value: what the steps see of it changes."""
    was, now = per_step(value, ends), per_step(formed, ends)
    return bool(np.any(np.abs(now - was) > ROUNDING * np.abs(was)))
