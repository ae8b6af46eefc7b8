"""Whose is a file? Python's, an installed package's, the system's, ours; or somebody's own, which changes any time."""

from __future__ import annotations

import os
import sys
from functools import cache

_INSTALLED = ("site-packages", "dist-packages")
_OF_SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr/bin",
    "/usr/include", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/usr/sbin", "/usr/share",
)  # fmt: skip
_LIBRARY = f"{os.path.dirname(os.__file__)}{os.sep}"
PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def is_installed(folder: str) -> bool:
    """Whether a folder is one that packages are installed in."""
    return os.path.basename(folder) in _INSTALLED


def is_own(path: str) -> bool:
    """Whether a file or a folder, by its absolute path, belongs to none but the user."""
    return os.path.isabs(path) and not f"{path}{os.sep}".startswith(_others())


def is_of_python(path: str) -> bool:
    """Whether a file is one of Python's own library."""
    return path.startswith(("<frozen ", _LIBRARY)) and not path.startswith(_packages())


@cache
def _others() -> tuple[str, ...]:
    """Folders of Python, of packages and of the system, each with a separator behind it."""
    folders = (PACKAGE, *(_OF_SYSTEM if os.sep == "/" else ()))
    return (_LIBRARY, *_packages(), *(f"{folder}{os.sep}" for folder in folders))


@cache
def _packages() -> tuple[str, ...]:
    return tuple(f"{folder.rstrip(os.sep)}{os.sep}" for folder in sys.path if is_installed(folder))
