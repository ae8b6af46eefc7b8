"""How is a calibration kept? As a TOML file of the samples and what was fitted to them; see docs/calibration.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from os import PathLike
from typing import Any

from profiler.devices.calibration.families import NOT_MEASURED, SIZES, Point
from profiler.devices.calibration.fit import Fit, Kernel, Law
from profiler.devices.calibration.measure import Sample
from profiler.devices.calibration.predict import Calibration, Fitted, Machine
from profiler.records.files import toml_files
from profiler.records.files.toml_files import COUNT, TABLES, TEXT, Kind, TomlFile, choice
from profiler.records.files.toml_lines import Path
from profiler.records.trace import DTYPE_BITS

SCHEMA = 1
KEY = "calibration"  # of the schema; a file of a device's specification has none
_FASTEST, _LONGEST = 1e-9, 1e4  # seconds of a call
_MOST_RATE = 1e18  # FLOP or bytes a second

_LEADING = 3  # figures of a sample before its sizes: seconds, FLOPs, bytes


def _is_number(value: Any) -> bool:
    return type(value) in (int, Decimal) and isfinite(value) and value >= 0


def _is_seconds(value: Any) -> bool:
    return _is_number(value) and _FASTEST <= value <= _LONGEST


def _is_rate(value: Any) -> bool:
    return _is_number(value) and 1 <= value <= _MOST_RATE


def _is_peaks(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(name in DTYPE_BITS for name in value) and _are_rates(value)


def _is_bandwidths(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(str.isdecimal, value)) and _are_rates(value)


def _are_rates(value: Mapping[str, Any]) -> bool:
    return all(map(_is_rate, value.values()))


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _is_samples(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_numbers, value))


_NUMBERS = Kind("numbers that are not negative", _is_numbers)
_NUMBER = Kind("a number that is not negative", _is_number)
_SECONDS = Kind(f"seconds, from {_FASTEST:g} to {_LONGEST:g}", _is_seconds)
_MACHINE = {
    "title": TEXT,
    "device": TEXT,
    "threads": COUNT,
    "torch": TEXT,
    "date": TEXT,
    "module_seconds": _SECONDS,
    "call_seconds": _SECONDS,
    "peak": Kind(f"FLOP a second by dtype, from 1 to {_MOST_RATE:g}", _is_peaks),
    "bandwidth": Kind(f"bytes a second, from 1 to {_MOST_RATE:g}, by the bytes copied", _is_bandwidths),
}
_FAMILY = {
    "name": choice(*(name for name in SIZES if name not in NOT_MEASURED)),
    "dtype": choice(*DTYPE_BITS),
    "law": _NUMBERS,
    "deviation": _NUMBER,
    "noise": _NUMBER,
    "lengths": _NUMBERS,
    "error": _NUMBER,
    "samples": Kind("a list of samples, each a list of numbers that are not negative", _is_samples),
}
_TABLE = Kind("a table", lambda value: isinstance(value, dict))
_WHOLE = {KEY: COUNT, "machine": _TABLE, "family": TABLES}


def is_calibration(file: TomlFile) -> bool:
    """Also of one that lacks its first key: a device has no families of operators."""
    return KEY in file.data or "family" in file.data


def read(path: str | PathLike[str]) -> Calibration:
    """Raises `ProfileError`."""
    return of(toml_files.read(path, str(path)))


def of(file: TomlFile) -> Calibration:
    """The calibration of a file that was read; raises `ProfileError`."""
    schema = file.data.get(KEY)
    if type(schema) is int and schema > SCHEMA:
        raise file.refusal((KEY,), f"its schema is {schema}, and this version reads {SCHEMA}; update profile-model")
    _require(file, (), file.data, _WHOLE)
    machine = file.data["machine"]
    _require(file, ("machine",), machine, _MACHINE)
    fitted = tuple(_fitted(file, at, row) for at, row in enumerate(file.data["family"]))
    if not fitted:
        raise file.refusal(("family",), "no family of operators is in it; run profile-model calibrate again")
    rates = {
        "peak": {name: float(rate) for name, rate in machine["peak"].items()},
        "bandwidth": {int(size): float(rate) for size, rate in machine["bandwidth"].items()},
    }
    seconds = {key: float(machine[key]) for key in ("module_seconds", "call_seconds")}
    return Calibration(file.path, Machine(**{**machine, **rates, **seconds}), fitted)


def _require(file: TomlFile, at: Path, table: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    file.check(at, table, kinds)
    missing = [key for key in kinds if key not in table]
    if missing:
        raise file.refusal(at, f"the key {missing[0]!r} is missing; run profile-model calibrate again")


def _fitted(file: TomlFile, at: int, row: Mapping[str, Any]) -> Fitted:
    where: Path = ("family", at)
    _require(file, where, row, _FAMILY)
    name, sizes = row["name"], SIZES[row["name"]]
    if len(row["law"]) != len(Law._fields) or not any(row["law"]):
        raise file.refusal((*where, "law"), f"it has to be {', '.join(Law._fields)}, and not all of them 0")
    if len(row["lengths"]) != len(sizes) or not all(row["lengths"]):
        raise file.refusal((*where, "lengths"), f"{name} has {len(sizes)} sizes, each with a length above 0")
    if not row["noise"]:
        raise file.refusal((*where, "noise"), "it has to be above 0")
    samples = tuple(_sample(file, (*where, "samples"), row, numbers) for numbers in row["samples"])
    kernel = Kernel(float(row["deviation"]), float(row["noise"]), tuple(map(float, row["lengths"])))
    return Fitted(name, row["dtype"], samples, Fit(Law(*map(float, row["law"])), kernel, float(row["error"])))


def _sample(file: TomlFile, at: Path, row: Mapping[str, Any], numbers: list[Any]) -> Sample:
    count = _LEADING + len(SIZES[row["name"]])
    if len(numbers) != count or not _is_seconds(numbers[0]) or not all(numbers[_LEADING:]):
        listed = ", ".join(map(str, numbers[:4]))
        raise file.refusal(
            at, f"a sample of {row['name']} has {count} numbers, seconds first and no size 0; [{listed}, ...] has not"
        )
    seconds, flops, moved, *sizes = map(float, numbers)
    return Sample(Point(row["name"], row["dtype"], flops, moved, tuple(sizes)), seconds)


# Writing --------------------------------------------------------------------------------------------------------------


def text(calibration: Calibration) -> str:
    """What the file holds."""
    return "\n".join(_lines(calibration)) + "\n"


def _lines(calibration: Calibration) -> Iterator[str]:
    machine = calibration.machine
    yield f"{KEY} = {SCHEMA}"
    yield "\n[machine]"
    for key in ("title", "device", "threads", "torch", "date"):
        value = getattr(machine, key)
        yield f"{key} = {value if isinstance(value, int) else _quoted(value)}"
    yield f"module_seconds = {_short(machine.module_seconds)}"
    yield f"call_seconds = {_short(machine.call_seconds)}"
    yield f"peak = {{ {', '.join(f'{name} = {_short(rate)}' for name, rate in machine.peak.items())} }}"
    yield f"bandwidth = {{ {', '.join(f'{size} = {_short(rate)}' for size, rate in machine.bandwidth.items())} }}"
    for fitted in calibration.fitted:
        yield from _family_lines(fitted)


def _family_lines(fitted: Fitted) -> Iterator[str]:
    law, kernel, error = fitted.fit
    yield "\n[[family]]"
    yield f"name = {_quoted(fitted.family)}"
    yield f"dtype = {_quoted(fitted.dtype)}"
    yield f"law = {_listed(law)}  # seconds a call, a FLOP, a byte"
    yield f"deviation = {_short(kernel.deviation)}"
    yield f"noise = {_short(kernel.noise)}"
    yield f"lengths = {_listed(kernel.lengths)}"
    yield f"error = {_short(error)}"
    yield f"samples = [  # {', '.join(('seconds', 'FLOPs', 'bytes', *SIZES[fitted.family]))}"
    for point, seconds in fitted.samples:
        yield f"  {_listed((seconds, point.flops, point.moved_bytes, *point.sizes))},"
    yield "]"


def _listed(numbers: tuple[float, ...]) -> str:
    return f"[{', '.join(map(_short, numbers))}]"


def _short(number: float) -> str:
    """Four digits, as TOML writes them; whole numbers whole."""
    return str(int(number)) if float(number).is_integer() and number < 1e15 else f"{number:.4g}"


def _quoted(words: str) -> str:
    printable = "".join(letter for letter in words if letter.isprintable())
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
