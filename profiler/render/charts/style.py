"""What does a style file of matplotlib say? Settings, each checked, so that a wrong one is told in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from profiler import errors
from profiler.records.files import reading

SUFFIX = ".mplstyle"
_PACKAGE = "matplotlib"
_LONGEST = 1 << 20  # bytes
_COMMENT = re.compile(r"""("[^"]*")|#.*""")
_OF_A_WINDOW = ("backend", "interactive", "toolbar", "figure.max_open_warning", "savefig.directory")


def read(path: str) -> Mapping[str, Any]:
    """The settings of a file; raises `errors.ProfileError`."""
    needed()
    try:
        text = reading.content(path, _LONGEST).decode("utf-8-sig")
    except OSError as error:
        raise errors.unreadable(path, error, _bad_style) from None
    except UnicodeDecodeError:
        raise _bad_style(path, "it is not UTF-8") from None
    settings: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        setting = _COMMENT.sub(lambda match: match[1] or "", line).strip()
        if setting:
            settings |= _checked(path, number, setting)
    return {name: value for name, value in settings.items() if not name.startswith(_OF_A_WINDOW)}


def _checked(path: str, number: int, setting: str) -> dict[str, Any]:
    from matplotlib import RcParams

    name, colon, value = (part.strip() for part in setting.partition(":"))
    if not colon:
        raise _bad_style(path, f"line {number} has no colon")
    params: Any = RcParams()
    try:
        params[name] = value.removeprefix('"').removesuffix('"')
    except KeyError:
        raise _bad_style(path, f"line {number}: {reading.quoted(name)} is no setting of matplotlib") from None
    except Exception as error:  # each setting has a validator of its own, and each of them its exceptions
        raise _bad_style(path, f"line {number}: {reading.quoted(name)}: {errors.first_line(error)}") from None
    return {name: params[name]}


def needed() -> None:
    """Raise `errors.MissingPackage` where what draws is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        why = "is not installed" if error.name == _PACKAGE else f"cannot be imported ({errors.first_line(error)})"
        raise errors.MissingPackage(_PACKAGE, why, _PACKAGE) from None


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_style(path: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path} cannot be read as a style of matplotlib: {why}; write a setting a line, like font.size: 8"
    )
