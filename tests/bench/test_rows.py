"""Which rows a run has."""

import pytest

from lsm_verify.bench.peers import peers
from lsm_verify.bench.rows import GROWTH_STEPS, growth_rows, rows
from lsm_verify.errors import InputError


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_rows_are_what_their_peers_cover_and_have_names_of_their_own(device, quick):
    found = rows(quick=quick, device=device)
    assert len({row.name for row in found}) == len(found)
    for row in found:
        assert row.setting.device == device
        assert row.setting.mode in row.about.modes
        assert device in row.about.devices
        assert row.setting.dtype in row.about.tolerance
        assert row.about.fits(row.workload)


def test_full_run_has_every_peer_and_all_growth():
    found = rows()
    assert {row.peer for row in found} == set(peers())
    assert set(growth_rows()) <= set(found)
    assert {row.workload.steps for row in found} >= {100, *GROWTH_STEPS}
    assert {row.workload.batch for row in found} >= {1, 64, 1024, 100_000}
    assert {row.workload.nodes for row in found} >= {10, 100, 1000, 10_000}
    assert len(rows(quick=True)) < len(found) / 5


def test_select_takes_parts_and_patterns():
    assert {row.peer for row in rows(select=["-c-"])} == {"c"}
    both = rows(select=["gradient-jax-*-B64-*", "score-c-B1-"])
    assert {(row.peer[:3], row.workload.batch) for row in both} == {("jax", 64), ("c-"[:1], 1)}
    with pytest.raises(InputError, match="fits none"):
        rows(select=["nothing-like-it"])


def test_unknown_device_is_refused():
    with pytest.raises(InputError, match="cpu or cuda"):
        rows(device="tpu")
