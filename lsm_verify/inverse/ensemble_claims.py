"""The paper's reading of its 50 starts, judged by where they end and what the observations say."""

from __future__ import annotations

from collections.abc import Sequence

from lsm_verify.inverse.claim import QUALIFIED, REFUTED, SUPPORTED, Claim
from lsm_verify.inverse.valley import PUBLISHED_CORRELATION, Valley

LEFT = 0.01
"""Spread that another minimiser leaves of the same starts, as a share of Adam's, up to which that
is Adam's own."""


def spread(valleys: Sequence[Valley]) -> Claim:
    """Judge: the spread over the starts tells how well the parameters are known.

    All starts fit one record, so that the observations can spread them only if they leave a
    direction open: another minimiser would then spread, too.
    """
    own = [v.left_by_least_squares <= LEFT for v in valleys]
    told = "; ".join(_of_starts(v) for v in valleys)
    agree = all(own)
    return Claim(
        "spread of starts",
        "The spread of the estimates over 50 starts, with their correlation of λ and C, tells how "
        "well the parameters are known.",
        REFUTED if agree else QUALIFIED if any(own) else SUPPORTED,
        (
            "All starts fit the same record, and by least squares they all end in one point: "
            if agree
            else "Not in every case do the starts end in one point by least squares: "
        )
        + f"{told}. Where Adam stops in the valley of the worst direction decides the spread, not "
        "what the observations say; a spread along one line has a correlation near 1 whatever its "
        "length. Bounds and correlation of noisy records are for independent "
        "errors; those of Phoenix are correlated, see the claim on Phoenix.",
        {
            v.case: {
                "correlation_over_starts": v.correlation,
                "correlation_of_noisy_records": v.correlation_of_data,
                "share_along_the_worst_direction": v.share,
                "spread_along_directions": {
                    "starts": v.along(v.starts).tolist(),
                    "adam": v.along(v.adam).tolist(),
                    "least_squares": v.along(v.exact).tolist(),
                    "bound": v.deviations.tolist(),
                },
            }
            for v in valleys
        },
    )


def _of_starts(v: Valley) -> str:
    """Say it of one ensemble."""
    starts, adam, bound = (x[-1] for x in (v.along(v.starts), v.along(v.adam), v.deviations))
    published = PUBLISHED_CORRELATION.get(v.case)
    return (
        f"{v.case}: least squares leave {v.left_by_least_squares:.0e} of Adam's spread; of that "
        f"{100 * v.share:.1f} % of the variance lies along the worst direction, where the starts "
        f"have a spread of {starts:.2g}, Adam's ends {adam:.2g}, and estimates from records with "
        f"errors of {v.error:.2g} K at least {bound:.2g} prior deviations; correlation of λ and C "
        f"{v.correlation:.3f} over Adam's ends"
        + (f" (published {published:g})" if published else "")
        + f", {v.correlation_of_data:.3f} of noisy records"
    )
