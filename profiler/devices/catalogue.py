"""Which devices are known by name, and what can each do? `catalogue.toml`, and files of the user's own like it.

[my-card]
title = "My card, 16 GB"
kind = "gpu"
memory = "16 GB"
memory_bandwidth = 448e9
peak = { float32 = 11e12, float16 = 44e12 }
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

from profiler import errors
from profiler.devices.device import DTYPES, KINDS, Device
from profiler.errors import Malformed, ProfileError
from profiler.records import quantities
from profiler.records.files import toml_files
from profiler.records.files.toml_files import TEXT, TEXTS, Kind, TomlFile, choice, texts

_FILE = Path(__file__).with_name("catalogue.toml")
_MOST_NAMED = 8  # devices that a message lists


def names() -> list[str]:
    """Every device, in the catalogue's order."""
    return list(_file().data)


def matching(pattern: str) -> list[Device]:
    """Those whose names match a pattern such as `a100*`; raises `ProfileError` where there are none."""
    matches = [name for name in names() if fnmatchcase(name, pattern.strip().lower())]
    if not matches:
        raise _no_match(pattern)
    return [named(name) for name in matches]


def named(name: str) -> Device:
    """Raises `ProfileError` for a name that is not there, or that several devices share the beginning of."""
    key = name.strip().lower()
    if key not in _file().data:
        raise _unknown(name)
    return _device(_file(), key)


def read(path: str | PathLike[str]) -> Device:
    """The one device that a user's own file holds, as a row of the catalogue is; raises `ProfileError`."""
    return of(toml_files.read(path, str(path)))


def of(file: TomlFile) -> Device:
    """The device of a file that was read; raises `ProfileError`."""
    if len(file.data) != 1 or not isinstance(next(iter(file.data.values())), dict):
        raise file.refusal((), "it has to hold one device, as a table: [my-card], and its keys under that")
    return _device(file, *file.data)


@cache
def _file() -> TomlFile:
    return toml_files.read(_FILE, _FILE.name)


# A row ----------------------------------------------------------------------------------------------------------------


def _between(least: str, most: str, words: str) -> Kind:
    low, high = Decimal(least), Decimal(most)
    return Kind(
        f"{words}, from {least} to {most}",
        lambda value: type(value) in (int, Decimal) and Decimal(value).is_finite() and low <= value <= high,
    )


def _is_size(value: Any) -> bool:
    try:
        return isinstance(value, str) and quantities.size(value, least=1) > 0
    except Malformed:
        return False


_BYTES_A_SECOND = _between("1e6", "1e15", "bytes a second")
_FLOP_A_SECOND = _between("1e6", "1e19", "FLOP a second")
_TABLE = Kind("a table of FLOP a second by dtype", lambda value: isinstance(value, dict) and bool(value))
_KINDS: Mapping[str, Kind] = {
    "title": TEXT,
    "kind": choice(*KINDS),
    "vendor": TEXT,
    "year": Kind("a year", lambda value: type(value) is int and 1900 <= value <= 2100),
    "memory": Kind('a size, like "16 GB"', _is_size),
    "memory_bandwidth": _BYTES_A_SECOND,
    "peak": _TABLE,
    "vector": _TABLE,
    "headroom": _between("1", "2", "a number"),
    "launch_overhead": _between("0", "1", "seconds"),
    "link": TEXT,
    "link_bandwidth": _BYTES_A_SECOND,
    "remarks": TEXT,
    "sources": TEXTS,
}
_NEEDED = {
    "title": 'title = "My card"',
    "kind": 'kind = "gpu"',
    "memory": 'memory = "16 GB"',
    "memory_bandwidth": "memory_bandwidth = 448e9",
    "peak": "peak = { float32 = 11e12 }",
}
_PEAKS = dict.fromkeys(DTYPES, _FLOP_A_SECOND)


def _device(file: TomlFile, name: str) -> Device:
    row = file.data[name]
    _check(file, name, row)
    return Device(
        name=name,
        title=row["title"],
        kind=row["kind"],
        vendor=row.get("vendor"),
        year=row.get("year"),
        memory_bytes=quantities.size(row["memory"]),
        memory_bandwidth=float(row["memory_bandwidth"]),
        peak={dtype: float(value) for dtype, value in row["peak"].items()},
        vector={dtype: float(value) for dtype, value in row.get("vector", {}).items()},
        launch_overhead=float(row.get("launch_overhead", 0)),
        link=row.get("link"),
        link_bandwidth=float(row["link_bandwidth"]) if "link_bandwidth" in row else None,
        sources=texts(row.get("sources", ())),
        headroom=float(row.get("headroom", 1)),
        remarks=row.get("remarks", ""),
    )


def _check(file: TomlFile, name: str, row: Mapping[str, Any]) -> None:
    file.check((name,), row, _KINDS)
    for key, example in _NEEDED.items():
        if key not in row:
            raise file.refusal((name,), f"the key {key!r} is missing; add one, like {example}")
    for key in ("peak", "vector"):
        file.check((name, key), row.get(key, {}), _PEAKS)
    if ("link" in row) != ("link_bandwidth" in row):
        raise file.refusal((name,), "the keys 'link' and 'link_bandwidth' belong together; add the other one")


# Error messages -------------------------------------------------------------------------------------------------------


def _unknown(name: str) -> ProfileError:
    parts = set(re.split(r"[\s_-]+", name.strip().lower())) - {""}
    members = [device for device in names() if parts and parts <= set(device.split("-"))]
    if len(members) > 1:
        return ProfileError(f"{name} is one of {errors.some(members, _MOST_NAMED)}; name one of them")
    near = members or errors.nearest(name, names(), most=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return ProfileError(f"no device is called {name!r}; {hint}profile-model list --devices lists them")


def _no_match(pattern: str) -> ProfileError:
    return ProfileError(f"no device's name matches {pattern!r}; a pattern is written like 'a100*'")
