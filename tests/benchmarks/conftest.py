"""The hooks by which a result says what it was measured with."""

from lsm_verify.bench.notes import (
    pytest_benchmark_generate_commit_info,
    pytest_benchmark_update_json,
    pytest_benchmark_update_machine_info,
    pytest_runtest_makereport,
)

__all__ = [
    "pytest_benchmark_generate_commit_info",
    "pytest_benchmark_update_json",
    "pytest_benchmark_update_machine_info",
    "pytest_runtest_makereport",
]
