"""Bounds in few digits: rounded up, so that what is printed holds too."""

from __future__ import annotations

import math
from decimal import ROUND_UP, Context, Decimal


def up(value: float, digits: int = 2) -> str:
    """Return a bound rounded up to significant digits, as in ``1.9e-12``.

    >>> up(1.82e-12), up(2e-12, 1), up(0.0), up(float("nan"))
    ('1.9e-12', '2e-12', '0.0e+00', 'nan')
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:.{digits - 1}e}"
    # `repr` first: the binary value of 2e-12 lies above 2e-12 and would be rounded to 3e-12.
    rounded = Context(prec=digits, rounding=ROUND_UP).plus(Decimal(repr(float(value))))
    return f"{float(rounded):.{digits - 1}e}"
