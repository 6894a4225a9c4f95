"""Names that a shell completes: they load nothing, not even NumPy."""

from __future__ import annotations

CASES: dict[str, str] = {
    "twin": "the paper's synthetic experiment, observed at 0 and 0.05 m",
    "twin-one-depth": "the same, observed at 0.05 m alone",
    "phoenix": "US-WestPhoenix flux tower, May 2012, observed at 0.05 and 0.15 m (needs data)",
    "layered": "stretched grid, layers, variable steps, time-dependent parameters, fluxes, gaps",
}
"""Name to description, in the order in which they are listed."""

ROUTES = (
    "adjoint",
    "tangent",
    "autograd",
    "fused",
    "complex-step",
    "multiprecision",
    "autograd-published",
    "finite-difference",
)
"""Routes to a gradient, in the order of `lsm_verify.routes.routes`; a test compares the two."""
