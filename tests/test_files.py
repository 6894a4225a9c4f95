import errno
import os

import pytest

from lsm_verify import files
from lsm_verify.errors import InputError


@pytest.fixture
def target(tmp_path):
    """A file that is already there."""
    path = tmp_path / "result.json"
    path.write_text("old", encoding="utf-8")
    return path


def listing(path):
    return sorted(p.name for p in path.parent.iterdir())


def refusal(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return str(caught.value)


class TestCheckWritable:
    def test_a_new_and_an_old_file(self, target):
        files.check_writable(target)
        files.check_writable(target.with_name("new.json"))
        assert listing(target) == ["result.json"]

    def test_missing_folder(self, tmp_path):
        path = tmp_path / "no" / "result.json"
        assert refusal(files.check_writable, path) == (
            f"cannot write {path}: the folder {path.parent} does not exist; create it first."
        )

    def test_a_folder_in_place_of_the_file(self, tmp_path):
        assert refusal(files.check_writable, tmp_path) == (
            f"cannot write {tmp_path}: it is a folder; give a file name."
        )

    def test_a_file_in_place_of_the_folder(self, target):
        message = refusal(files.check_writable, target / "result.json")
        assert f"the folder {target} does not exist" in message

    def test_no_permission(self, target, monkeypatch):
        # Permissions do not bind the superuser, under whom tests may run.
        monkeypatch.setattr(files.os, "access", lambda path, mode: False)
        assert refusal(files.check_writable, target) == (
            f"cannot write {target}: no permission to write in {target.parent}; choose another."
        )


class TestReplacing:
    def test_moves_the_file_in_place(self, target):
        with files.replacing(target) as temporary:
            temporary.write_text("new", encoding="utf-8")
            assert temporary.parent == target.parent
            assert target.read_text(encoding="utf-8") == "old"
        assert target.read_text(encoding="utf-8") == "new"
        assert listing(target) == ["result.json"]

    @pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
    def test_a_failure_leaves_the_old_file_and_nothing_else(self, target, error):
        def write():
            with files.replacing(target) as temporary:
                temporary.write_text("half", encoding="utf-8")
                raise error

        with pytest.raises(type(error)):
            write()
        assert target.read_text(encoding="utf-8") == "old"
        assert listing(target) == ["result.json"]

    def test_a_full_disk_is_an_input_error(self, target):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def write():
            with files.replacing(target):
                raise full

        assert refusal(write) == (
            f"cannot write {target}: {os.strerror(errno.ENOSPC)}; "
            "free space or choose another place."
        )
        assert target.read_text(encoding="utf-8") == "old"
        assert listing(target) == ["result.json"]

    def test_an_input_error_of_the_block_is_passed_on(self, target):
        with pytest.raises(InputError, match=r"^mine$"), files.replacing(target):
            raise InputError("mine")

    def test_a_disk_already_full_is_an_input_error(self, target, monkeypatch):
        def full(*args, **kwargs):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(files.tempfile, "mkstemp", full)
        assert refusal(files.write_text, target, "new").startswith(f"cannot write {target}: ")
        assert target.read_text(encoding="utf-8") == "old"

    @pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
    @pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o027, 0o640)])
    def test_permissions_are_those_of_any_new_file(self, tmp_path, mask, mode):
        before = os.umask(mask)
        try:
            files.write_text(tmp_path / "x", "text")
        finally:
            os.umask(before)
        assert (tmp_path / "x").stat().st_mode & 0o777 == mode


def test_write_text(tmp_path):
    files.write_text(tmp_path / "x", "∂J/∂α\n")
    assert (tmp_path / "x").read_bytes() == "∂J/∂α\n".encode()
