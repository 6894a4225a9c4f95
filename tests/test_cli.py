# ruff: noqa: E501 (messages are quoted whole)
import errno
import json
import os
import re
import shlex
import sys
from importlib import import_module
from xml.etree import ElementTree

import pytest

from lsm_verify import NoSolutionError, __version__, check_cli, cli, files, model_cli

CHEAP = ["check", "twin", "--routes", "adjoint,complex-step", "--points", "0"]


class TestHelp:
    @pytest.mark.parametrize("option", ["--help", "-h"])
    def test_help(self, run, option):
        code, out, err = run(option)
        assert (code, err) == (0, "")
        for word in ("check", "simulate", "data", "Exit codes"):
            assert word in out

    @pytest.mark.parametrize("name", ["check", "simulate", "data"])
    def test_help_of_a_command(self, run, name):
        code, out, err = run(name, "--help")
        assert (code, err) == (0, "")
        assert "Usage:" in out
        assert f" {name} " in out

    def test_version(self, run):
        assert run("--version") == (0, f"lsm-verify {__version__}\n", "")

    def test_from_a_shell(self, command):
        done = command("--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"lsm-verify {__version__}\n", "")


class TestCheck:
    def test_twin(self, run):
        code, out, err = run(*CHEAP)
        assert (code, err) == (0, "")
        assert out.startswith("twin: ")
        assert "∂/∂α" in out
        assert "adjoint" in out
        assert out.splitlines()[-1].startswith("PASS  exact routes agree; relative error")

    def test_verbose_shows_every_point_and_check(self, run):
        _, short, _ = run(*CHEAP)
        code, long, _ = run(*CHEAP, "--verbose")
        assert code == 0
        assert "gradient of J at truth" in long
        assert "gradient of J at truth" not in short

    def test_a_single_route_says_what_was_added(self, run):
        code, out, _ = run("check", "twin", "--routes", "adjoint", "--points", "0")
        assert code == 0
        assert "complex-step was added" in out

    def test_json(self, run, tmp_path):
        path = tmp_path / "result.json"
        code, _, err = run(*CHEAP, "--seed", 7, "--json", path)
        assert (code, err) == (0, "")
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
        assert data["case"] == "twin"
        assert data["verdict"] == "PASS"
        assert data["exit_code"] == 0
        assert data["options"] == {
            "routes": ["adjoint", "complex-step"],
            "points": 0,
            "seed": 7,
            "strict": False,
            "fast": False,
            "jacobi_tolerance": 1e-4,
            "tolerance": 1e-8,
            "named": True,
        }
        assert os.listdir(tmp_path) == ["result.json"]

    def test_json_is_replaced_whole(self, run, tmp_path, monkeypatch):
        path = tmp_path / "result.json"
        path.write_text("old", encoding="utf-8")
        replace = files.Path.replace

        def full(self, target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(files.Path, "replace", full)
        code, _, err = run(*CHEAP, "--json", path)
        monkeypatch.setattr(files.Path, "replace", replace)
        assert code == 2
        assert err.startswith(f"lsm-verify: cannot write {path}: ")
        assert err.count("\n") == 1
        assert path.read_text(encoding="utf-8") == "old"
        assert os.listdir(tmp_path) == ["result.json"]

    @pytest.mark.parametrize("code", [0, 1, 3])
    def test_exit_code_is_the_reports(self, run, monkeypatch, code):
        package = import_module("lsm_verify.verify")
        from dataclasses import replace

        right = package.verify

        def verify(*args, **kwargs):
            return replace(right(*args, **kwargs), exit_code=code)

        monkeypatch.setattr(package, "verify", verify)
        assert run(*CHEAP)[0] == code

    def test_options_reach_the_run(self, run, monkeypatch):
        seen = {}

        def verify(case, **options):
            seen.update(options, case=case.name)
            raise KeyboardInterrupt

        monkeypatch.setattr(import_module("lsm_verify.verify"), "verify", verify)
        run("check", "layered", "--routes", " adjoint , tangent,", "--points", 3, "--seed", 5,
            "--strict", "--jacobi-tol", "1e-6")  # fmt: skip
        assert seen["case"] == "layered"
        assert seen["routes"] == ["adjoint", "tangent"]
        assert (seen["points"], seen["seed"], seen["strict"]) == (3, 5, True)
        assert seen["jacobi_tolerance"] == 1e-6


class TestRefusals:
    def test_unknown_case(self, refused):
        assert refused("check", "twn") == (
            "unknown case 'twn'; known: twin, twin-one-depth, phoenix, layered. Did you mean 'twin'? "
            "Your own model is named as package.module:attr, model.misfit:problem, say."
        )

    def test_unknown_route(self, refused):
        message = refused("check", "twin", "--routes", "adjoint,tangnt")
        assert message.startswith("unknown route 'tangnt'; known: adjoint, ")
        assert message.endswith("Did you mean 'tangent'?")

    @pytest.mark.parametrize("routes", ["", ",", " "])
    def test_no_route(self, refused, routes):
        assert refused("check", "twin", "--routes", routes).startswith("no route is named; known: ")

    @pytest.mark.parametrize("option", ["points", "seed"])
    def test_negative_numbers(self, refused, option):
        assert refused("check", "twin", f"--{option}", "-1") == (
            f"{option}=-1 must be a whole number, at least 0."
        )

    @pytest.mark.parametrize("arguments", [
        ("check", "twin", "--points", "many"),
        ("check", "twin", "--points", "1.5"),
        ("check", "twin", "--jacobi-tol", "small"),
        ("simulate", "twin", "-o", "x.nc", "--jacobi-tol", "small"),
    ])  # fmt: skip
    def test_no_number(self, refused, arguments):
        message = refused(*arguments)
        option = arguments[-2]
        assert f"'{option}'" in message
        assert "valid" in message
        assert message.endswith(f". See lsm-verify {arguments[0]} --help.")

    @pytest.mark.parametrize("tolerance", ["1e-13", "0", "-1", "nan", "inf"])
    def test_jacobi_tolerance(self, refused, tolerance):
        message = refused(
            "check", "twin", "--routes", "autograd-published", "--jacobi-tol", tolerance
        )
        assert message.startswith(f"Jacobi tolerance {float(tolerance):g} K must lie in [1e-12, 1]")

    def test_published_route_on_layers(self, refused):
        message = refused("check", "layered", "--routes", "autograd-published", "--points", "0")
        assert message.startswith("the published method does not cover this case")

    @pytest.mark.parametrize(
        "arguments, named",
        [
            (("check", "twin", "--pionts", "1"), "check --help"),
            (("chekc", "twin"), "--help"),
            (("--pionts",), "--help"),
            (("check", "twin", "extra"), "check --help"),
            (("check", "twin", "--seed"), "check --help"),
            (("simulate", "twin"), "simulate --help"),
            (("bench", "comprae"), "bench --help"),
            (("bench", "--pionts"), "bench --help"),
            (("bench", "compare"), "bench compare --help"),
            (("data", "fetch", "extra"), "data fetch --help"),
        ],
    )
    def test_wrong_usage_is_told_in_sentences_with_the_help_of_its_command(
        self, refused, arguments, named
    ):
        message = refused(*arguments)
        assert re.search(rf"[.?] See lsm-verify {named}\.$", message)
        assert "known: ." not in message

    def test_no_case(self, refused):
        assert refused("check").startswith("nothing to check; name a case (twin), ")

    @pytest.mark.parametrize(
        "assignment",
        ["albedo", "albedo=", "albedo=bright", "=", ""],
    )
    def test_wrong_assignment(self, refused, assignment):
        assert refused("simulate", "twin", "-o", "x.nc", "--set", assignment) == (
            f"--set {assignment!r} must have the form NAME=VALUE with a number, albedo=0.3, say."
        )

    @pytest.mark.parametrize(
        "assignment, message",
        [
            (
                "albedo=nan",
                "albedo=nan must be finite; 1 of 1 values are not. Remove or fill them first.",
            ),
            ("albedo=-0.1", "albedo=-0.1 must lie in [0, 1]; check its value and unit."),
            (
                "bottom_temperature=20",
                "bottom_temperature=20.0 must lie in [150, 450] K; it looks like °C: add 273.15.",
            ),
            (
                "bowen_ratio=0",
                "bowen_ratio=0.0 must be non-zero; give turbulent_transfer_coefficient instead.",
            ),
        ],
    )
    def test_wrong_value(self, refused, assignment, message):
        assert refused("simulate", "twin", "-o", "x.nc", "--set", assignment) == message

    def test_unknown_parameter(self, refused):
        message = refused("simulate", "twin", "-o", "x.nc", "--set", "albdo=0.1")
        assert message.startswith("unknown parameter 'albdo'; known: albedo, ")
        assert message.endswith("Did you mean 'albedo'?")

    def test_unknown_point(self, refused):
        assert refused("simulate", "twin", "-o", "x.nc", "--at", "trut") == (
            "unknown point of case twin 'trut'; known: start, truth. Did you mean 'truth'?"
        )

    def test_unknown_model_and_device(self, refused):
        assert refused("simulate", "twin", "-o", "x.nc", "--model", "dirct").endswith("'direct'?")
        assert refused("simulate", "twin", "-o", "x.nc", "--device", "gpu") == (
            "device='gpu' is no torch device; give cpu or cuda."
        )

    @pytest.mark.parametrize("arguments", [("simulate", "twin", "-o"), ("check", "twin", "--json")])
    def test_unwritable_output_is_refused_before_the_work(
        self, refused, tmp_path, monkeypatch, arguments
    ):
        def no_work(*args, **kwargs):
            raise AssertionError("work was done for a file that cannot be written")

        for module in (check_cli, model_cli):
            monkeypatch.setattr(module, "load", no_work)
        missing = tmp_path / "no" / "x"
        assert refused(*arguments, missing) == (
            f"cannot write {missing}: the folder {missing.parent} does not exist; create it first."
        )
        assert refused(*arguments, tmp_path) == (
            f"cannot write {tmp_path}: it is a folder; give a file name."
        )
        monkeypatch.setattr(files.os, "access", lambda path, mode: False)
        assert "no permission" in refused(*arguments, "x")

    @pytest.mark.parametrize("name", ["check", "simulate"])
    def test_phoenix_without_data(self, refused, tmp_path, name):
        output = ("-o", "x.nc") if name == "simulate" else ()
        message = refused(name, "phoenix", "--data", tmp_path / "here", *output)
        assert str(tmp_path) in message
        assert "lsm-verify data fetch" in message

    def test_a_balance_without_solution(self, refused, monkeypatch):
        def verify(case, **options):
            raise NoSolutionError(3)

        monkeypatch.setattr(import_module("lsm_verify.verify"), "verify", verify)
        assert refused(*CHEAP).startswith(
            "the surface energy balance has no positive root at step 3;"
        )

    def test_from_a_shell(self, command):
        done = command("check", "twn")
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("lsm-verify: unknown case 'twn'")
        assert done.stderr.count("\n") == 1


MODEL = """
import numpy as np
import lsm_verify as lv
from scipy.optimize import rosen, rosen_der

X = [1.3, 0.7, 0.8]
right = lv.Problem(rosen, X, gradients={"mine": rosen_der, "half": lambda x: rosen_der(x)})
wrong = lv.Problem(rosen, X, gradients={"mine": lambda x: 1.01 * rosen_der(x)})
flat = lv.Problem(lambda x: 3.0, [1.0], gradients={"zero": lambda x: 0 * x})
corner = lv.Problem(
    lambda p: p[0] + min(abs(p[0]), abs(p[1])), [0.0, 0.0], gradients={"mine": lambda p: [1.0, 0]}
)
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Stand in a folder that holds a model of the user's own; it is forgotten afterwards."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own_model.py").write_text(MODEL, encoding="utf-8")
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    sys.modules.pop("own_model", None)


def answer(path):
    """What a result says, without what differs from run to run."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return {key: data[key] for key in ("verdict", "exit_code", "options", "checks", "points")}


def commands(path):
    """The commands that a JUnit file shows, of what did not pass."""
    cases = ElementTree.parse(path).getroot().iter("testcase")
    found = [e for case in cases for tag in ("failure", "error", "skipped") for e in case.iter(tag)]
    return {e.text.splitlines()[-1].removeprefix("replay with: ") for e in found}


class TestOwnModel:
    @pytest.mark.parametrize("name, code", [("right", 0), ("wrong", 1), ("flat", 3)])
    def test_a_result_replays(self, run, model, name, code):
        first, again = model / "first.json", model / "again.json"
        assert run("check", f"own_model:{name}", "--seed", 5, "--json", first)[0] == code
        assert answer(first)["options"]["points"] == 0
        found, out, err = run("check", "--replay", first, "--json", again)
        assert (found, err) == (code, "")
        assert answer(again) == answer(first)
        assert "replay: same verdict; " in out.splitlines()[-1]
        assert "others within" not in out

    def test_what_fails_is_shown_with_the_command_that_replays_it(self, run, model):
        saved, junit = model / "a result.json", model / "junit.xml"
        code, out, _ = run("check", "own_model:wrong", "--json", saved, "--junit", junit)
        assert code == 1
        command = f"lsm-verify check --replay {shlex.quote(str(saved))}"
        assert f"replay with: {command}" in out.splitlines()
        assert json.loads(saved.read_text(encoding="utf-8"))["command"] == command
        assert commands(junit) == {command}
        assert run(*shlex.split(command)[1:])[0] == 1

    def test_without_a_file_the_command_holds_the_options(self, run, model):
        junit, again = model / "junit.xml", model / "again.xml"
        given = ["own_model:wrong", "--seed", "3", "--tolerance", "1e-05", "--fast"]
        code, out, _ = run("check", *given, "--routes", "mine", "--junit", junit)
        (command,) = commands(junit)
        assert command == (
            "lsm-verify check own_model:wrong --seed 3 --routes mine --fast --tolerance 1e-05"
        )
        assert f"replay with: {command}" in out.splitlines()
        assert run(*shlex.split(command)[1:], "--junit", again)[0] == code == 1
        first, second = (
            [p.attrib for p in ElementTree.parse(p).iter("property")] for p in (junit, again)
        )
        assert first == second
        assert first

    def test_a_pass_shows_no_command(self, run, model):
        code, out, _ = run("check", "own_model:right", "--json", model / "r.json")
        assert code == 0
        assert "replay with" not in out

    @pytest.mark.parametrize(
        "option, value",
        [("--points", 2), ("--jacobi-tol", 1e-6), ("--data", "."), ("--interpolate-gaps", 3)],
    )
    def test_settings_of_cases_are_refused(self, run, model, option, value):
        code, out, err = run("check", "own_model:right", option, value)
        assert (code, out) == (2, "")
        assert str(value) in err
        assert err.endswith("; leave it out.\n")
        assert err.count("\n") == 1

    def test_settings_of_cases_in_the_file_are_left_out(self, run, model):
        (model / "pyproject.toml").write_text(
            "[tool.lsm-verify]\npoints = 4\njacobi-tol = 1e-6\ndata = 'd'\ninterpolate-gaps = 2\n"
            "strict = true\n",
            encoding="utf-8",
        )
        code, _, err = run("check", "own_model:right", "--json", model / "r.json")
        assert (code, err) == (0, "")
        options = answer(model / "r.json")["options"]
        assert (options["points"], options["strict"]) == (0, True)
        assert options["jacobi_tolerance"] == 1e-4

    def test_a_file_in_place_of_a_module(self, run, model):
        code, out, err = run("check", "own_model.py:right")
        assert (code, out) == (2, "")
        assert err == (
            "lsm-verify: 'own_model.py' is no module name; give package.module:attr, "
            "own_model:right, say.\n"
        )

    def test_a_module_without_an_attribute(self, run, model):
        code, _, err = run("check", "own_model")
        assert code == 2
        assert "Your own model is named as package.module:attr" in err

    def test_fast_leaves_out_what_its_help_says(self, run, model):
        assert run("check", "own_model:corner", "--json", model / "all.json")[0] == 3
        run("check", "own_model:corner", "--fast", "--json", model / "fast.json")
        every, fast = (
            {c["check"]: c["verdict"] for c in answer(model / name)["checks"]}
            for name in ("all.json", "fast.json")
        )
        assert every["kinks"] == "NONSMOOTH"
        assert every.keys() - fast.keys() == {"kinks", "taylor"}
        assert fast["finite-difference"] == "PASS"
        words = " ".join(run("check", "--help")[1].replace("│", " ").split())
        for word in ("kinks", "Taylor remainder", "Hessian"):
            assert word in words[words.index("Leaves out") :]


class TestSimulate:
    def test_writes_a_file(self, run, tmp_path):
        xarray = pytest.importorskip("xarray")
        path = tmp_path / "out.nc"
        code, out, err = run("simulate", "twin", "--at", "truth", "--set", "albedo=0.3",
                             "--set", "emissivity=0.9", "-o", path)  # fmt: skip
        assert (code, err) == (0, "")
        assert out == f"wrote {path}: {{'time': 101, 'depth': 101}}\n"
        assert os.listdir(tmp_path) == ["out.nc"]
        with xarray.open_dataset(path, engine="h5netcdf") as dataset:
            assert dataset["SWup"].values[14] == pytest.approx(0.3 * 800.0)
            assert dataset["SoilTemp"].attrs["units"] == "K"

    @pytest.mark.parametrize("point", ["start", "truth"])
    def test_point(self, run, tmp_path, point):
        xarray = pytest.importorskip("xarray")
        assert run("simulate", "layered", "--at", point, "-o", tmp_path / "out.nc")[0] == 0
        with xarray.open_dataset(tmp_path / "out.nc", engine="h5netcdf", decode_times=False) as d:
            bottom = {"start": 290.0, "truth": 288.0}[point]
            assert d["SoilTemp"].values[1, -1] == pytest.approx(bottom, abs=0.01)


class TestAccidents:
    @pytest.mark.parametrize("interruption", [KeyboardInterrupt, cli.typer.Abort])
    def test_interrupted(self, run, monkeypatch, interruption):
        def verify(*args, **kwargs):
            raise interruption

        monkeypatch.setattr(import_module("lsm_verify.verify"), "verify", verify)
        code, out, err = run(*CHEAP)
        assert (code, out) == (130, "")
        assert "Traceback" not in err

    def test_unexpected(self, run, monkeypatch):
        def verify(*args, **kwargs):
            raise RuntimeError("a bug")

        monkeypatch.setattr(import_module("lsm_verify.verify"), "verify", verify)
        code, out, err = run(*CHEAP)
        assert (code, out) == (4, "")
        assert "Traceback (most recent call last)" in err
        assert "RuntimeError: a bug" in err
        assert err.splitlines()[-1].startswith("lsm-verify: internal error, please report it")

    def test_unexpected_from_a_shell(self, command):
        before = "import lsm_verify.cases as c; c.load_case = lambda *a, **k: 1 / 0"
        done = command(*CHEAP, before=before)
        assert done.returncode == 4
        assert "ZeroDivisionError" in done.stderr
