import json
import math
from dataclasses import replace

import pytest

from lsm_verify import Reason, Report, Verdict
from lsm_verify.verify.result import (
    SCHEMA_VERSION,
    CheckResult,
    GradientRow,
    Options,
    PointResult,
    judge,
    overall,
)

NAN, INF = float("nan"), float("inf")


def check(verdict, *, primary=True, covered=False):
    return CheckResult(
        check="agreement",
        point="start",
        objective="J",
        subject="a, b",
        verdict=Verdict(verdict),
        primary=primary,
        statistic="max z",
        value=1.0,
        pass_limit=32.0,
        fail_limit=128.0,
        covered=covered,
    )


class TestJudge:
    @pytest.mark.parametrize(
        "value, verdict",
        [
            (0.0, "PASS"),
            (32.0, "PASS"),
            (math.nextafter(32, INF), "INCONCLUSIVE"),
            (128.0, "INCONCLUSIVE"),
            (math.nextafter(128, INF), "FAIL"),
            (INF, "FAIL"),
        ],
    )
    def test_limits(self, value, verdict):
        assert judge(value, 32.0, 128.0) is Verdict(verdict)

    def test_not_a_number_is_never_a_pass(self):
        assert judge(NAN, 32.0, 128.0) is not Verdict.PASS
        assert judge(1.0, NAN, 128.0) is not Verdict.PASS


class TestOverall:
    @pytest.mark.parametrize("strict", [False, True])
    @pytest.mark.parametrize(
        "checks, verdict, code",
        [
            ([check("PASS")], "PASS", 0),
            ([check("PASS"), check("PASS", primary=False)], "PASS", 0),
            ([check("PASS"), check("FAIL")], "FAIL", 1),
            ([check("PASS"), check("FAIL", primary=False)], "FAIL", 1),
            ([check("INCONCLUSIVE"), check("FAIL", primary=False)], "FAIL", 1),
            ([check("PASS"), check("INCONCLUSIVE")], "INCONCLUSIVE", 3),
            ([check("PASS"), check("NONSMOOTH")], "NONSMOOTH", 3),
            ([check("PASS"), check("INCONCLUSIVE", covered=True)], "PASS", 0),
            ([check("INCONCLUSIVE", covered=True)], "INCONCLUSIVE", 3),
            ([check("FAIL", covered=True), check("PASS")], "FAIL", 1),
            ([], "INCONCLUSIVE", 3),
            ([check("PASS", primary=False)], "INCONCLUSIVE", 3),
        ],
    )
    def test_exit_codes(self, checks, verdict, code, strict):
        assert overall(tuple(checks), strict=strict) == (Verdict(verdict), code)

    @pytest.mark.parametrize("verdict", ["INCONCLUSIVE", "NONSMOOTH"])
    def test_strict_extends_the_gate_to_secondary_checks(self, verdict):
        checks = (check("PASS"), check(verdict, primary=False))
        assert overall(checks, strict=False) == (Verdict.PASS, 0)
        assert overall(checks, strict=True) == (Verdict(verdict), 3)


def small_report(value=1.0):
    row = GradientRow(
        parameter="albedo",
        component=(),
        value=0.3,
        scale=0.1,
        unit="1",
        gradients={"a": value},
        share=1.0,
        agreement_z=0.5,
        bound=1e-13,
        finite_difference=None,
        finite_difference_uncertainty=value,
        verdict=Verdict.PASS,
    )
    failed = replace(check("FAIL"), value=value, reason=Reason.DISAGREEMENT, parameters=("albedo",))
    return Report(
        case="twin",
        title="a title",
        verdict=Verdict.FAIL,
        exit_code=1,
        options=Options(
            routes=("a", "b"),
            points=2,
            seed=0,
            strict=False,
            fast=False,
            jacobi_tolerance=1e-4,
            tolerance=1e-8,
            named=True,
        ),
        checks=(failed,),
        points=(
            PointResult(
                "start", "J", {"a": value}, value, Verdict.PASS, value, (row,), {"all": value}
            ),
        ),
        seconds={"a": 0.1},
        notes=("a note",),
        provenance={"python": "3"},
    )


class TestJson:
    def test_plain_types(self):
        data = small_report().to_json()
        assert data["schema_version"] == SCHEMA_VERSION
        assert data["options"] == {
            "routes": ["a", "b"],
            "points": 2,
            "seed": 0,
            "strict": False,
            "fast": False,
            "jacobi_tolerance": 1e-4,
            "tolerance": 1e-8,
            "named": True,
        }
        assert type(data["verdict"]) is str
        assert data["checks"][0]["reason"] == Reason.DISAGREEMENT.value
        assert data["checks"][0]["parameters"] == ["albedo"]
        assert data["points"][0]["rows"][0]["component"] == []
        assert json.loads(json.dumps(data, allow_nan=False)) == data

    @pytest.mark.parametrize("value", [NAN, INF, -INF])
    def test_numbers_that_json_lacks_are_null(self, value):
        data = small_report(value).to_json()
        json.dumps(data, allow_nan=False)
        point = data["points"][0]
        assert point["values"] == {"a": None}
        assert point["rmse"] == {"all": None}
        assert point["rows"][0]["gradients"] == {"a": None}
        assert data["checks"][0]["value"] is None

    def test_numbers_keep_every_digit(self):
        value = math.nextafter(0.1, 1)
        text = json.dumps(small_report(value).to_json(), allow_nan=False)
        assert json.loads(text)["points"][0]["values"]["a"] == value

    def test_a_real_report(self, report):
        data = report.to_json()
        assert json.loads(json.dumps(data, allow_nan=False)) == data
        assert data["verdict"] == "PASS"
        assert len(data["checks"]) == len(report.checks)
