"""The helpers that other tests rest on."""

import pytest

from lsm_reference import adjoint, namespace
from lsm_verify.models import direct


@pytest.mark.parametrize("old", ["no such line", "mu[0]"])
def test_a_place_that_is_not_there_once_is_refused(planter, old):
    with pytest.raises(LookupError, match="not once"):
        planter.copy(adjoint, old, "pass")


def test_what_is_planted_is_taken_out_again(planter, monkeypatch):
    right, compiled = direct.simulate, namespace.compiled
    with monkeypatch.context() as patch:
        inner = type(planter)(planter.folder, patch)
        inner.plant(direct, "for _ in range(2):", "for _ in range(1):")
        inner.plant_in_oracle(adjoint, "bar.LW[n] += mu[0]", "pass")
        assert direct.simulate is not right
        assert direct.simulate.__globals__["surface_root"] is direct.surface_root
        changed = namespace.compiled()
        assert changed.run is compiled().run
        assert changed.adjoint_run is not compiled().adjoint_run
        assert changed.adjoint_run.__globals__["eliminate"] is compiled().eliminate
    assert direct.simulate is right
    assert namespace.compiled is compiled


def test_missing_data_skip_and_fail_where_they_are_required(absent, monkeypatch):
    monkeypatch.delenv("LSM_VERIFY_REQUIRE_DATA", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no data"):
        absent("no data")
    monkeypatch.setenv("LSM_VERIFY_REQUIRE_DATA", "1")
    with pytest.raises(pytest.fail.Exception, match="no data"):
        absent("no data")
