"""Self-certification: errors planted on purpose, and whether the checks find them.

A mutant is a module of the product or of the oracle in which one place of the syntax tree is
another (`rewrite`), loaded under a private name together with everything that imports it (`world`).
Production code has no hook for this and never runs with an error in it.
"""
