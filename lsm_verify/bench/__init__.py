"""Benchmarks: what is timed, against what, and what the limits are.

Every row runs one peer on one workload, after its answer has been held against the oracle: the
time of a wrong answer is not taken. ``pytest-benchmark`` times and stores the rows.
"""
