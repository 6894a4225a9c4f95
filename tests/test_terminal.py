"""Progress: a bar at a terminal, lines where it is plain, nothing anywhere else."""

import os
import pty
import subprocess
import sys

import pytest

from lsm_verify import terminal

SCRIPT = """
import sys, time
from lsm_verify.terminal import progress, warn, working
with working("work", moving=MOVING) as announce:
    for k in range(3):
        announce(f"a part ({k + 1} of 3)")
        time.sleep(0.15)
    warn("a warning")
progress("wrote x")
print("the result")
"""


COLUMNS = """
import time
from lsm_verify.terminal import columns_bar
with columns_bar() as bar:
    bar.begin(12345)
    for k in range(4):
        time.sleep(0.2)
        bar.advance(2500)
print("the result")
"""


def at_a_terminal(moving=True, script=SCRIPT, **surroundings):
    """Run a script with its errors on a terminal; returns what stood there, and its output."""
    leader, follower = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "COLUMNS")}
    env |= {"TERM": "xterm", "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **surroundings}
    process = subprocess.Popen(
        [sys.executable, "-c", script.replace("MOVING", str(moving))],
        stdout=subprocess.PIPE, stderr=follower, env=env, text=True,
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # Linux says so where the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    output = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0
    return shown.decode(), output


def test_a_bar_of_columns_has_their_rate_and_the_time_left():
    shown, output = at_a_terminal(script=COLUMNS)
    for words in ("columns", "7500/12345", "a second", "left", "━"):
        assert words in shown
    assert output == "the result\n"
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert at_a_terminal(script=COLUMNS, **plain) == ("", "the result\n")


@pytest.mark.parametrize("moving", [True, False])
def test_a_bar_with_the_time_left(moving):
    shown, output = at_a_terminal(moving)
    for words in ("work", "a part (3 of 3)", "2/3", "left", "━", "\x1b["):
        assert words in shown
    assert "a warning" in shown
    assert shown.rstrip().endswith("wrote x")
    assert output == "the result\n"


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_lines_where_it_is_plain(plain):
    shown, output = at_a_terminal(**plain)
    assert shown.splitlines() == [
        "a part (1 of 3)", "a part (2 of 3)", "a part (3 of 3)", "lsm-verify: a warning", "wrote x",
    ]  # fmt: skip
    assert output == "the result\n"


def test_nothing_in_a_log(capsys):
    with terminal.working("work") as announce:
        announce("a part (1 of 3)")
    terminal.progress("wrote x")
    assert capsys.readouterr() == ("", "")


def test_no_stream_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with terminal.working("work") as announce:
        announce("a part")


def test_the_last_count_of_a_message_is_that_of_the_work():
    assert terminal.COUNTED.findall("J of 2 of 3: mutant 4 of 7")[-1] == ("4", "7")
    assert terminal.COUNTED.findall("40 iterations of Adam from 50 starts") == []
