"""The loops that measure the machine compute what they say."""

import pytest

from lsm_verify.bench import devices, memory, rates


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_spinning_multiplies_and_adds(dtype):
    for width in rates._vector_bytes():
        spin, lanes, _ = rates._spinner(dtype, width)
        assert lanes * (8 if dtype == "float64" else 4) == width
        # Every accumulator starts at 1/2 and goes to 3/4 x + 1/4; both are exact.
        assert spin(1) == rates.ACCUMULATORS * 0.625
        assert spin(2) == rates.ACCUMULATORS * 0.71875
        assert spin(10_000) == pytest.approx(rates.ACCUMULATORS)


def test_rates_count_operations_and_bytes(monkeypatch):
    monkeypatch.setattr(rates, "_rate_each", lambda calls: 2.0)  # every call takes half a second
    lanes = [width // 8 for width in rates._vector_bytes()]
    spins = rates.SPINS * rates.ACCUMULATORS
    assert rates.fma_rate.__wrapped__("float64", 3) == 2.0 * 3 * spins * max(lanes)
    assert rates.bandwidth.__wrapped__(2) == 2.0 * 2 * rates.COPY_BYTES


def test_event_clock_adds_up_differences_of_neighbours(monkeypatch):
    import torch

    made = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing
            made.append(self)
            self.waited = False

        def record(self):
            self.at = 1.5 * len(made)  # ms

        def synchronize(self):
            self.waited = True

        def elapsed_time(self, other):
            assert other is made[made.index(self) + 1]
            return other.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    clock = devices.EventClock()
    assert [clock() for _ in range(4)] == pytest.approx([0.0, 1.5e-3, 3e-3, 4.5e-3], rel=1e-15)
    assert all(event.waited for event in made)


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="needs Linux's /proc")
def test_peak_sees_an_array_that_is_gone_afterwards():
    import numpy as np

    size = 40_000_000
    found = memory.peak(lambda: float(np.ones(size // 8).sum()), "cpu")
    if found is None:
        pytest.skip("this system does not let a process forget its peak")
    # Linux counts pages per thread and adds up in batches: some 64 pages may be missing. Other
    # threads of the process may take some MB meanwhile.
    assert size - 2**20 <= found < 1.5 * size
    assert memory.peak(lambda: None, "cpu") < size
