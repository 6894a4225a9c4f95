"""A call that kills its process, in a module that a process loads in no time."""

import os
import signal
from pathlib import Path


def mortal(work, number):
    """Kill the process once, or always, as a file in the folder says."""
    sign = Path(work) / f"kill{number}"
    if sign.exists():
        if sign.read_text() == "once":
            sign.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return number
