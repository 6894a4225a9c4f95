"""Physical constants of the oracle, kept apart from the product's on purpose (a test compares)."""

STEFAN_BOLTZMANN = 5.67e-8
"""Stefan-Boltzmann constant [W m-2 K-4], with the digits of the published model."""
