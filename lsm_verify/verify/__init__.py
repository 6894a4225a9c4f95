"""Verification: the checks, one module each, and the run that holds them together.

``lsm_verify.verify(case)`` calls `lsm_verify.verify.run.verify`.
"""

from __future__ import annotations

from lsm_verify._callable import make_callable
from lsm_verify.verify.run import verify

__all__ = ["verify"]

make_callable(__name__, verify)
