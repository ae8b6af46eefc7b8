"""Which versions does a report depend on?"""

from __future__ import annotations

import sys
from functools import cache

__version__ = "0.1.0"


@cache
def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def own() -> dict[str, str]:
    """Of this package and of Python."""
    return {"profile-model": __version__, "python": _python()}


def versions(model: type) -> dict[str, str]:
    """Of this package, of Python, of torch, and of the library that a model's class comes from."""
    by_package = own()
    for name in dict.fromkeys(("torch", model.__module__.partition(".")[0])):
        if name == __name__.partition(".")[0]:  # a model that was made of a file
            continue
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            by_package[name] = str(version)
    return by_package
