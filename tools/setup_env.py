"""Make .venv and install lsm-verify into it, once; say in one line what stands in the way.

Plain standard library, in syntax that Python 2.7 can parse: on an interpreter too old for
lsm-verify this file has to run far enough to print which one to use instead.
"""

from __future__ import print_function

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time

OLDEST, NEWEST = (3, 11), (3, 14)
ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "lsm-verify-setup.json")
# Present while pip changes .venv: an interrupted run leaves it, and packages half unpacked.
UNFINISHED = os.path.join(VENV, "lsm-verify-unfinished")
LOG = os.path.join(ROOT, "setup.log")
INPUTS = ("pyproject.toml", "constraints.txt")


class SetupError(Exception):
    """What stands in the way and the remedy, in one line."""


def main(arguments=None):
    """Bring .venv up to date; return the exit code, 2 for anything the user must change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="data testing")
    parser.add_argument("--torch-index", default="")
    options = parser.parse_args(arguments)
    try:
        check_interpreter()
        with Lock(os.path.join(ROOT, ".venv.lock")):
            set_up(set(options.extras.split()), options.torch_index.strip())
    except SetupError as error:
        print("set-up: {0}".format(error), file=sys.stderr)
        return 2
    except (IOError, OSError) as error:
        print("set-up: {0}; see that the folder is writable.".format(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("set-up: interrupted; run make again to redo it.", file=sys.stderr)
        return 130
    return 0


def check_interpreter():
    """Raise unless this Python can make an environment that lsm-verify runs in."""
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        raise SetupError(
            "Python {0} ({1}) is too {2}: lsm-verify needs 3.11 to 3.14; {3}.".format(
                platform.python_version(),
                sys.executable,
                "old" if version < OLDEST else "new",
                suitable_python(),
            )
        )
    if sys.maxsize < 2**32:
        raise SetupError(
            "{0} is a 32-bit Python, for which there is no torch wheel; "
            "give a 64-bit one: make PYTHON=/path/to/python3.".format(sys.executable)
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        raise SetupError(
            "{0} cannot make virtual environments ({1}); on Debian or Ubuntu: "
            "apt install python{2}.{3}-venv, elsewhere give a complete Python: "
            "make PYTHON=/path/to/python3.".format(sys.executable, error, *version)
        )


def suitable_python():
    """Return the remedy for a wrong version, naming an interpreter of this machine if any."""
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        name = "python3.{0}".format(minor)
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            path = os.path.join(folder, name)
            if not os.access(path, os.X_OK):
                continue
            # A version manager's shim may exist for a version that is not enabled.
            with open(os.devnull, "w") as nowhere:
                try:
                    status = subprocess.call([path, "-c", ""], stdout=nowhere, stderr=nowhere)
                except OSError:
                    continue
            if status == 0:
                return "this machine has one: make PYTHON={0}".format(name)
    return "install one and name it: make PYTHON=/path/to/python3.13"


def set_up(extras, torch_index):
    """Make .venv where it is missing or unusable, and install where the stamp is stale."""
    remake_if_unusable()
    wanted = state(extras)
    found = read_stamp()
    if found is not None:
        if found["inputs"] == wanted["inputs"] and extras <= set(found["extras"]):
            return
        # An extra once installed stays, or `make test` and `make lint` would undo each other.
        wanted["extras"] = sorted(extras | set(found["extras"]))
        os.remove(STAMP)
    say(
        "installing into .venv with Python {0}, pip's output in {1} ...".format(
            platform.python_version(), os.path.basename(LOG)
        )
    )
    began = time.time()
    with open(LOG, "w"):
        pass
    if not os.path.exists(PYTHON):
        make_environment()
    install(wanted["extras"], torch_index)
    write_stamp(wanted)
    say("done in {0:.0f} s.".format(time.time() - began))


def remake_if_unusable():
    """Remove a .venv that cannot be used as it is, and say why."""
    if not os.path.lexists(VENV):
        return
    if os.path.islink(VENV) or not os.path.isdir(VENV):
        raise SetupError("{0} is not a folder; move it away.".format(VENV))
    looks_ours = os.path.exists(os.path.join(VENV, "pyvenv.cfg")) or not (
        set(os.listdir(VENV)) - {"bin", "include", "lib", "lib64", os.path.basename(UNFINISHED)}
    )
    if not looks_ours:
        raise SetupError("{0} is not a virtual environment; move it away.".format(VENV))
    reason = why_unusable()
    if reason:
        say("making .venv anew: {0}.".format(reason))
        shutil.rmtree(VENV)


def why_unusable():
    """Return what is wrong with the existing .venv, or an empty string."""
    if os.path.exists(UNFINISHED):
        return "an earlier set-up was interrupted"
    code = "import sys; print('%d.%d' % sys.version_info[:2]); import pip"
    try:
        process = subprocess.Popen(
            [PYTHON, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(),
        )
        version = process.communicate()[0].decode().strip()
    except OSError:
        return "its Python does not run"
    here = "{0}.{1}".format(*sys.version_info[:2])
    if version and version != here:
        return "it was made by Python {0}, and this is {1}".format(version, here)
    if process.returncode:
        return "its Python does not run, or has no pip"
    made_in = environment_paths()
    if made_in and not any(os.path.realpath(path) == VENV for path in made_in):
        return "it was made in {0} and moved".format(os.path.dirname(made_in[0]))
    return ""


def environment_paths():
    """Return the folder that .venv believes to be in: its scripts start the Python there."""
    try:
        with open(os.path.join(VENV, "bin", "activate")) as script:
            text = script.read()
    except (IOError, OSError):
        return []
    return re.findall(r"^\s*(?:export )?VIRTUAL_ENV=[\"']?(/[^\"'\n]+)", text, re.MULTILINE)


def make_environment():
    """Make .venv with pip in it."""
    status = run_logged([sys.executable, "-m", "venv", "--clear", VENV])
    if status or subprocess.call(
        [PYTHON, "-c", "import pip"], env=clean_environment(), stderr=subprocess.DEVNULL
    ):
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(
            "{0} made a virtual environment without pip; on Debian or Ubuntu: "
            "apt install python{1}.{2}-venv; details in {3}.".format(
                sys.executable, sys.version_info[0], sys.version_info[1], LOG
            )
        )


def install(extras, torch_index):
    """Install the package, editable, at the versions of constraints.txt."""
    command = [PYTHON, "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    # A package without a wheel for this platform fails at once and by name, instead of
    # after minutes of compiling.
    command += ["--only-binary", ":all:", "-c", "constraints.txt"]
    if torch_index:
        # Extra, not instead: the CPU index has torch and only part of the rest. pip takes
        # the higher version, and 2.13.0+cpu is above PyPI's 2.13.0.
        command += ["--extra-index-url", torch_index]
    with open(UNFINISHED, "w"):
        pass
    status = run_logged(command + ["-e", ".[{0}]".format(",".join(extras))])
    with open(LOG, errors="replace") as log:
        text = log.read()
    if status == 0:
        os.remove(UNFINISHED)
        return
    if "Installing collected packages" not in text:
        # pip gave up before it touched anything: what is there is still sound.
        os.remove(UNFINISHED)
    raise SetupError(diagnose(text))


def diagnose(log):
    """Return the cause that pip's output names, with the remedy, in one line."""
    # A pin without a wheel for this platform reads like a conflict to pip.
    missing = re.findall(r"No matching distribution found for ([\w.=-]+)", log)
    missing += re.findall(r"requested \(constraint\) ([\w.=-]+)", log)
    if "No space left on device" in log:
        cause = "the disk is full; free some, or take torch without its GPU libraries: "
        cause += "make verify TORCH_INDEX=https://download.pytorch.org/whl/cpu"
    elif re.search(r"name resolution|NewConnectionError|ConnectTimeout|Network is unreach", log):
        cause = "pip cannot reach the package index; check the network or pip's proxy settings"
    elif missing:
        cause = (
            "there is no wheel of {0} for Python {1} on {2} {3} ({4}); use a 64-bit glibc Linux "
            "or macOS on Apple silicon, another Python (make PYTHON=/path/to/python3), or, if "
            "you edited it, correct the pin in constraints.txt"
        ).format(
            missing[-1],
            platform.python_version(),
            platform.system(),
            platform.machine(),
            " ".join(platform.libc_ver()).strip() or "libc unknown, perhaps musl",
        )
    elif "ResolutionImpossible" in log:
        cause = "the versions in constraints.txt contradict pyproject.toml; correct one of them"
    else:
        cause = "pip could not install lsm-verify"
    return "{0}; pip's output: {1}".format(cause, LOG)


def state(extras):
    """Return what the installed environment depends on."""
    digest = hashlib.sha256()
    for name in INPUTS:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read() + b"\0")
    return {"inputs": digest.hexdigest(), "extras": sorted(extras)}


def read_stamp():
    """Return the state at the last complete set-up, or None."""
    try:
        with open(STAMP) as file:
            found = json.load(file)
    except (IOError, OSError, ValueError):
        return None
    return found if {"inputs", "extras"} <= set(found) else None


def write_stamp(content):
    """Write the stamp in one step, so that it is never there by half."""
    with open(STAMP + ".new", "w") as file:
        json.dump(content, file)
    os.rename(STAMP + ".new", STAMP)


def run_logged(command):
    """Run a command in the root folder with its output appended to the log."""
    with open(LOG, "a") as log:
        log.write("$ {0}\n".format(" ".join(command)))
        log.flush()
        return subprocess.call(
            command, cwd=ROOT, env=clean_environment(), stdout=log, stderr=subprocess.STDOUT
        )


def clean_environment():
    """Return the environment without what would lead pip or Python out of .venv."""
    environment = dict(os.environ)
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIREMENT"):
        environment.pop(name, None)
    environment["PIP_USER"] = "0"
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    # The build backend too: older pips read the first, pip 25.3 and later the second.
    # Relative, for pip splits these values at spaces.
    environment["PIP_CONSTRAINT"] = environment["PIP_BUILD_CONSTRAINT"] = "constraints.txt"
    return environment


def say(text):
    """Report progress on stderr."""
    print("set-up: {0}".format(text), file=sys.stderr)
    sys.stderr.flush()


class Lock(object):
    """Hold a file lock, so that two makes at once do not set up the same .venv."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        import fcntl

        self.file = open(self.path, "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *exception):
        self.file.close()


if __name__ == "__main__":
    sys.exit(main())
