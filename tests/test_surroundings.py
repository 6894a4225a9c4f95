"""Where the program runs: closed pipes, poor encodings, odd output files, no place for a cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from lsm_reference import namespace
from lsm_verify import InputError, cli, load_case
from lsm_verify.files import check_writable, write_text

QUICK = ["check", "twin", "--routes", "adjoint,complex-step", "--points", "0"]


@pytest.fixture
def shell(tmp_path):
    """Run a shell command in which $CHECK is a quick check."""

    def run(command, **environment):
        program = f"{sys.executable} -c 'from lsm_verify.cli import main; main()'"
        return subprocess.run(
            ["bash", "-c", command.replace("$CHECK", f"{program} {' '.join(QUICK)}")],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                **environment,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    return run


def test_a_reader_that_leaves_early_changes_neither_verdict_nor_file(shell, tmp_path):
    done = shell("$CHECK --json r.json | head -1; echo ${PIPESTATUS[0]}")
    assert done.stdout.splitlines()[-1] == "0"
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["verdict"] == "PASS"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_greek_gets_question_marks(shell, encoding):
    done = shell("$CHECK", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("PASS")


def test_a_full_disk_behind_stdout_does_not_change_the_verdict(shell):
    done = shell("$CHECK > /dev/full; echo $?")
    assert done.stdout.splitlines()[-1] == "0"
    assert "Traceback" not in done.stderr
    assert "cannot print the result" in done.stderr


def test_a_closed_stdout_does_not_change_the_verdict(shell):
    done = shell("$CHECK >&- ; echo $? >&2")
    assert done.stderr.splitlines()[-1] == "0"


@pytest.mark.parametrize("place", ["/dev/full", "/dev/null"])
def test_devices_are_no_place_for_netcdf(place, capsys):
    assert cli.run(["simulate", "twin", "-o", place]) == 2
    assert "no regular file" in capsys.readouterr().err


def test_a_full_device_is_an_error_in_one_line(capsys):
    assert cli.run(["check", *QUICK[1:], "--json", "/dev/full"]) == 2
    assert "cannot write /dev/full" in capsys.readouterr().err


def test_a_pipe_is_written_to_and_stays(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()), daemon=True)
    reader.start()
    write_text(path, "text")
    reader.join(timeout=30)
    assert read == ["text"]
    assert path.is_fifo()


def test_a_link_is_followed(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(InputError, match="choose another name"):
        check_writable(tmp_path / ("a" * 300))


def test_either_form_of_the_turbulent_coefficient_may_be_set(tmp_path, capsys):
    out = str(tmp_path / "out.nc")
    one = ["simulate", "twin", "--set", "turbulent_transfer_coefficient=25", "-o", out]
    assert cli.run(one) == 0
    both = [*one[:-2], "--set", "bowen_ratio=2", "-o", out]
    assert cli.run(both) == 2
    assert "give one form" in capsys.readouterr().err


def test_functions_compile_where_no_cache_can_be_written(monkeypatch):
    import numba

    real, asked = numba.njit, []

    def without_cache(*args, **options):
        asked.append(options.get("cache", False))
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **options)

    monkeypatch.setattr(numba, "njit", without_cache)
    functions = namespace.compiled.__wrapped__()
    assert True in asked
    x, found = functions.surface_root(2.0, 0.0, 600.0, 280.0, 1e-15)
    assert found
    assert x == 300.0


def test_the_oracle_compiles_one_version_for_read_only_and_writable_input():
    """Numba counts writability as part of a type; a version each would double the first start."""
    from lsm_reference.evaluate import promote
    from lsm_reference.parameters import expand
    from lsm_verify.routes.oracle import to_problem

    problem = to_problem(load_case("twin").window(2).inputs())
    column = promote(expand(problem, problem.parameters))
    arrays = [field for field in column if isinstance(field, np.ndarray)]
    assert len(arrays) > 8
    assert all(a.flags.writeable and a.flags.c_contiguous for a in arrays)
