"""What a result was made with."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from lsm_verify import __version__


def provenance(sources: Mapping[str, str]) -> dict[str, str]:
    """Return versions, platform and the checksums of data files (name to SHA-256)."""
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
    found |= {f"sha256 of {name}": digest for name, digest in sources.items()}
    return found
