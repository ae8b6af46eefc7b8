"""The versions a report depends on."""

from __future__ import annotations

import sys
from functools import cache

__version__ = "0.1.0"

_SHOWN = ("torch", "torchvision", "timm")


@cache
def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def versions() -> dict[str, str]:
    """Of this package, of Python, and of those model libraries that are loaded."""
    found = {"profile-model": __version__, "python": _python()}
    for name in _SHOWN:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            found[name] = str(version)
    return found
