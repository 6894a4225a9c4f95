"""``lsm-verify reproduce``: its files, and what it does without the Phoenix data."""

import json

import pytest

from lsm_verify.cases import load_case
from lsm_verify.cli import run
from lsm_verify.inverse import claims, experiments, field_claims, recovered
from lsm_verify.inverse.claim import NOT_JUDGED, QUALIFIED, SUPPORTED, Claim


@pytest.fixture
def short(monkeypatch):
    """The experiments on the first twelve hours; claims as they come out of that."""
    real = experiments.run_case

    def run_short(case, tell=print):
        return real(case.window(12), tell)

    monkeypatch.setattr(experiments, "run_case", run_short)
    monkeypatch.setattr(experiments, "bias", lambda *_: {151: (1.4, 0.5), 500: (1.3, 0.4)})
    recover = recovered.recoveries
    monkeypatch.setattr(recovered, "recoveries", lambda: recover(range(2)))
    told = Claim("no adjoint", "None is needed.", QUALIFIED, "It is off by 3 %.", {"x": 0.03})
    monkeypatch.setattr(claims, "no_adjoint", lambda: told)
    monkeypatch.setattr(
        field_claims, "in_time_by_gradients", lambda: Claim("time", "Varies.", SUPPORTED, "Yes.")
    )


def test_files_and_screen_tell_the_same_and_missing_data_is_said(
    short, tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("LSM_VERIFY_DATA", raising=False)
    empty = tmp_path / "none"
    empty.mkdir()
    code = run(["reproduce", "-o", str(tmp_path / "out"), "--data", str(empty), "--quick"])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    page = (tmp_path / "out" / "claims.md").read_text()
    plain = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert plain["command"] == "lsm-verify reproduce --quick"
    verdicts = {claim["name"]: claim["verdict"] for claim in plain["claims"]}
    assert verdicts["no adjoint"] == QUALIFIED
    assert verdicts["Phoenix"] == verdicts["predictions"] == NOT_JUDGED
    for claim in plain["claims"]:
        assert f"| {claim['statement']} | {claim['verdict']} |" in page
        assert claim["evidence"] in page
        assert claim["verdict"].upper() in out
    for name in ("twin", "twin-one-depth", "identifiability", "time-dependent"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 10_000
        assert f"({name}.png)" in page
    assert not (tmp_path / "out" / "phoenix.png").exists()


@pytest.mark.phoenix
def test_phoenix_experiment_is_in_the_published_neighbourhood():
    found = experiments.run_case(load_case("phoenix"))
    values = {name: x.mean() for name, x in experiments.combined(found.exact).items()}
    assert 17.5 <= values["turbulent_transfer_coefficient"] <= 18.8
    assert 0.70 <= values["thermal_conductivity"] <= 0.90
    assert 2.3e6 <= values["volumetric_heat_capacity"] <= 2.7e6
    assert 305.4 <= values["bottom_temperature"] <= 305.9
    assert found.exact.rmse.max() <= 0.86


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code = run(["reproduce", "-o", str(tmp_path / "file")])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "cannot make" in err
    assert err.count("\n") == 1
