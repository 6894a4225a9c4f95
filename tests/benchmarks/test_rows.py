"""All rows of ``lsm-verify bench run``: ``pytest tests/benchmarks --benchmark-only -k NAME``."""

import pytest

from lsm_verify.bench.suite import pytest_generate_tests, test_row

__all__ = ["pytest_generate_tests", "test_row"]

pytestmark = [
    # Other people's libraries warn while they compile; that says nothing about a time.
    pytest.mark.filterwarnings("default"),
]
