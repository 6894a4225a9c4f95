"""The journal answers what it knows, and refuses what it does not fit."""

import numpy as np
import pytest

from lsm_verify.errors import InputError
from lsm_verify.inverse.journal import Journal


def ask(journal, x, calls):
    u = np.array([x, 1.0])

    def compute():
        calls.append(x)
        return np.array(x**2), np.full((2, 3), x)

    return journal.ask("value", u, compute)


def test_answers_are_read_back_to_the_last_bit(tmp_path):
    path, calls = tmp_path / "a.npz", []
    first = Journal(path, "f")
    before = [ask(first, x, calls) for x in (0.1, 0.2, 0.3)]
    first.write()
    again = Journal(path, "f", resume=True)
    after = [ask(again, x, calls) for x in (0.1, 0.2, 0.3, 0.4)]
    assert calls == [0.1, 0.2, 0.3, 0.1, 0.4]  # the first again, to see that the model is the same
    for (a, b), (c, d) in zip(before, after[:3], strict=True):
        assert a.tobytes() == c.tobytes()
        assert b.tobytes() == d.tobytes()
        assert (a.shape, b.shape) == (c.shape, d.shape)
    again.write()
    assert len(Journal(path, "f", resume=True).entries) == 4


def test_another_question_than_the_journals_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    journal = Journal(path, "f")
    ask(journal, 0.1, [])
    journal.write()
    with pytest.raises(InputError, match="evaluation 0 is at another point"):
        ask(Journal(path, "f", resume=True), 0.5, [])


def test_a_model_that_has_changed_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    journal = Journal(path, "f")
    ask(journal, 0.1, [])
    journal.write()
    again = Journal(path, "f", resume=True)
    with pytest.raises(InputError, match="does not give the numbers"):
        again.ask("value", np.array([0.1, 1.0]), lambda: (np.array(0.02), np.full((2, 3), 0.1)))


def test_files_that_do_not_serve_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match="does not exist"):
        Journal(path, "f", resume=True)
    with pytest.raises(InputError, match="no checkpoint to resume"):
        Journal(None, "f", resume=True)
    journal = Journal(path, "f")
    ask(journal, 0.1, [])
    journal.write()
    with pytest.raises(InputError, match="belongs to another calibration"):
        Journal(path, "g", resume=True)
    with pytest.raises(InputError, match="exists; resume from it"):
        Journal(path, "f")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="is no checkpoint"):
        Journal(path, "f", resume=True)
    path.write_text("nothing")
    with pytest.raises(InputError, match="is no checkpoint"):
        Journal(path, "f", resume=True)
    with pytest.raises(InputError, match="does not exist; create it first"):
        Journal(tmp_path / "none" / "a.npz", "f")


def test_without_a_file_nothing_is_kept():
    calls = []
    journal = Journal(None, "f")
    for x in (0.1, 0.1):
        ask(journal, x, calls)
    journal.write()
    assert calls == [0.1, 0.1]
    assert journal.entries == []
