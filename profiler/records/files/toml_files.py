"""What does a TOML file that somebody else wrote hold? Read whole and bounded, and checked key by key.

Whatever is wrong is one sentence, which names the file and, where it is known, the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from os import PathLike
from typing import Any, TypeVar

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files import reading as files
from profiler.records.files import toml_lines
from profiler.records.files.toml_lines import Path
from profiler.records.quantities import MOST_THINGS

T = TypeVar("T")

LONGEST = 4 << 20  # bytes: a file of 20,000 models has a third of this
_MOST_PARTS = 64  # of a key: the standard library's reader takes time with the square of them
_LARGEST = 1 << 63  # TOML's whole numbers have 64 bits
_SHOWN = 40  # characters of a value
_TEXTS = re.compile(r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)
_REMEDY = "mend the file, or write it anew"
_DOTTED = re.compile(r"[\w\-.\t ]+")


class BadTomlFile(errors.ProfileError):
    """A file that cannot be read, or holds what it should not."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the value of a key has to be, in words, and whether one is."""

    words: str
    accepts: Callable[[Any], bool]


@dataclass(frozen=True)
class TomlFile:
    """A file that was read: its path as messages show it, its text, and what that says. Numbers keep their digits."""

    path: str
    text: str
    data: Mapping[str, Any]

    def line(self, at: Path) -> int | None:
        """On which line a key stands."""
        return self._lines.get(at)

    def place(self, at: Path) -> str:
        """Where a key stands, as `budget.toml:4`."""
        line = self.line(at)
        return self.path if line is None else f"{self.path}:{line}"

    def refusal(self, at: Path, reason: str) -> BadTomlFile:
        return _bad_file(self.path, self.line(at), reason)

    def check(self, at: Path, table: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
        """Raise `BadTomlFile` where the table at a path has a key that is not known, or of another kind."""
        for key, value in table.items():
            if key not in kinds:
                near = errors.nearest(key, kinds, most=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kinds)}"
                raise self.refusal((*at, key), f"no key is called {key!r}; {hint}")
            if not kinds[key].accepts(value):
                raise self.refusal((*at, key), f"the key {key!r} has to be {kinds[key].words}, and is {shown(value)}")

    def checked(self, at: Path, read: Callable[[], T]) -> T:
        """What `read` makes of the value at a path; where it refuses that, so does this, with the line."""
        try:
            return read()
        except errors.ProfileError as error:
            raise self.refusal(at, str(error)) from None

    @cached_property
    def _lines(self) -> Mapping[Path, int]:
        return toml_lines.lines(self.text)


# Kinds ----------------------------------------------------------------------------------------------------------------


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and bool(value) and all(map(_is_text, value)))


def _is_metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(type(item) in (int, Decimal, str) for item in value.values())


def choice(*names: str) -> Kind:
    return Kind(" or ".join(names), names.__contains__)


TEXT = Kind("a text", _is_text)
TEXTS = Kind("a text or a list of texts", _is_texts)
COUNT = Kind(f"a whole number from 1 to {MOST_THINGS:,}", lambda value: type(value) is int and 0 < value <= MOST_THINGS)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
METRICS = Kind("a table of numbers and texts", _is_metrics)
TABLES = Kind("tables", lambda value: isinstance(value, list) and all(isinstance(row, dict) for row in value))
ANY = Kind("anything", lambda value: True)  # its reader says what is wrong with it


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a key that has one or several."""
    return (value,) if isinstance(value, str) else tuple(value)


def shown(value: Any) -> str:
    """A value as a file has it; the beginning of a long one."""
    text = _written(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_written(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


# Reading --------------------------------------------------------------------------------------------------------------


def read(path: str | PathLike[str], shown_as: str) -> TomlFile:
    """Raises `BadTomlFile`."""
    try:
        text = files.content(path, LONGEST).decode("utf-8")
    except OSError as error:
        raise _unreadable(shown_as, error) from None
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8: {error.reason} at byte {error.start:,}; {_REMEDY}"
        raise _bad_file(shown_as, None, reason) from None
    return of_text(text, shown_as)


def of_text(text: str, shown_as: str) -> TomlFile:
    """A file as it would be with this text; raises `BadTomlFile`."""
    try:
        return TomlFile(shown_as, text, parsed(text))
    except Malformed as error:
        raise _bad_file(shown_as, error.line, f"{error}; {_REMEDY}") from None


def parsed(content: str) -> dict[str, Any]:
    """What a text holds; raises `Malformed`."""
    import tomllib  # which a command that reads no such file does not need

    _check_keys(content)
    try:
        data = tomllib.loads(content, parse_float=Decimal)
    except RecursionError:
        raise Malformed("it is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        reason = errors.first_line(error)
        line = re.search(r"at line (\d+)", reason)
        raise Malformed(reason, int(line[1]) if line else None) from None
    except (ValueError, ArithmeticError):
        raise Malformed("a number in it has more digits than there can be") from None
    _check_numbers(data)
    return data


def _check_numbers(data: dict[str, Any]) -> None:
    waiting: list[Any] = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif type(value) is int and not -_LARGEST <= value < _LARGEST:
            raise Malformed("a whole number in it has more than 64 bits")


def _check_keys(content: str) -> None:
    """They stand outside of texts, and are as long as anyone writes them."""
    bare = _TEXTS.sub(lambda match: "s" + "\n" * match[0].count("\n"), content)
    for match in _DOTTED.finditer(bare):
        if match[0].count(".") >= _MOST_PARTS:
            raise Malformed(f"a key has more than {_MOST_PARTS} parts", bare.count("\n", 0, match.start()) + 1)


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_file(path: str, line: int | None, reason: str) -> BadTomlFile:
    return BadTomlFile(f"{path}:{f'{line}:' if line else ''} {reason}")


def _unreadable(path: str, error: OSError) -> BadTomlFile:
    return BadTomlFile(f"{path} cannot be read ({error.strerror or errors.first_line(error)}); name a file that exists")
