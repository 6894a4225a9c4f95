"""Build the wheel, look into it, install it in a clean environment and run it elsewhere.

An editable install finds every file of the checkout; only the built wheel shows a data file
that packaging dropped, or an import that works by luck of the current folder.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Folder in the checkout to folder in the wheel.
PACKAGES = {"lsm_verify": "lsm_verify", "reference/lsm_reference": "lsm_reference"}
IMPORT_CHECK = (
    "import lsm_reference, sys; "
    "assert 'torch' not in sys.modules, 'lsm_reference loads torch'; "
    "assert 'lsm_verify' not in sys.modules, 'lsm_reference loads lsm_verify'"
)


def main() -> int:
    """Return 0 if the wheel is whole and works, 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-index", default="")
    torch_index = parser.parse_args().torch_index.strip()
    with tempfile.TemporaryDirectory(prefix="lsm-verify-wheel-") as folder:
        try:
            check(Path(folder), ["--extra-index-url", torch_index] if torch_index else [])
        except subprocess.CalledProcessError as error:
            print(f"wheel-check: exit code {error.returncode} from {error.cmd}", file=sys.stderr)
            return 1
        except MissingFilesError as error:
            print(f"wheel-check: {error}", file=sys.stderr)
            return 1
    print("wheel-check: passed")
    return 0


def check(folder: Path, index: list[str]) -> None:
    """Raise at the first thing that is wrong with the wheel."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], folder)
    (wheel,) = folder.glob("lsm_verify-*.whl")
    count = check_contents(wheel)
    print(f"wheel-check: {wheel.name} has all {count} files", flush=True)

    run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    scripts = folder / "venv" / "bin"
    python = str(scripts / "python")
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    constraints = ["--only-binary", ":all:", "-c", str(ROOT / "constraints.txt")]
    run([*install, *constraints, *index, str(wheel)], folder)
    print("wheel-check: installed in a clean environment", flush=True)

    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    run([python, "-c", IMPORT_CHECK], elsewhere)
    run([str(scripts / "lsm-verify"), "check", "twin"], elsewhere)


def check_contents(wheel: Path) -> int:
    """Raise if a file of the packages is not in the wheel; return how many there are."""
    with zipfile.ZipFile(wheel) as archive:
        present = set(archive.namelist())
    expected = {
        packaged + name.removeprefix(source)
        for source, packaged in PACKAGES.items()
        for name in tracked_files(source)
    }
    roots = {name.split("/")[0] for name in expected}
    missing = sorted(expected - present) + sorted(set(PACKAGES.values()) - roots)
    if missing:
        raise MissingFilesError(f"not in {wheel.name}: {', '.join(missing)}")
    return len(expected)


def tracked_files(source: str) -> list[str]:
    """Return the files below a folder of the checkout that git tracks, or all without git."""
    command = ["git", "ls-files", "-z", "--", source]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        # A file deleted but not yet committed is still listed.
        names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
    except (OSError, subprocess.CalledProcessError):
        names = []
    if names:
        return names
    return [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / source).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]


def run(command: list[str], folder: Path) -> None:
    """Run a command in a folder outside the checkout; raise if it fails."""
    subprocess.run(command, cwd=folder, check=True)


class MissingFilesError(Exception):
    """Files of the checkout that packaging dropped."""


if __name__ == "__main__":
    sys.exit(main())
