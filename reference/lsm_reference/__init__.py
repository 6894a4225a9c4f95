"""The oracle: a slow, plain, readable land-surface model with its hand-derived derivatives.

Every function stands beside an equation of ``reference/derivation.md``. The oracle checks the
product, so it knows neither torch nor ``lsm_verify`` and keeps constants of its own.
"""
