"""What a result was made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from lsm_verify import __version__
from lsm_verify.cases import Case


def provenance(case: Case) -> dict[str, str]:
    """Return versions, platform and data checksums."""
    found = {
        "lsm-verify": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for name in ("numpy", "torch", "numba", "mpmath"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    found |= {f"sha256 of {name}": digest for name, digest in case.sources.items()}
    return found
