"""Reading a TOML file that somebody else wrote: whole, bounded, and every mistake one sentence."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from os import PathLike
from typing import Any

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files import reading as files

LONGEST = 4 << 20  # bytes: a file of 20,000 models has a third of this
_MOST_PARTS = 64  # of a key: the standard library's reader takes time with the square of them
_LARGEST = 1 << 63  # TOML's whole numbers have 64 bits
_TEXTS = re.compile(r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)
_DOTTED = re.compile(r"[\w\-.\t ]+")


def text(path: str | PathLike[str]) -> str:
    """A file's text with the line ends that it has; raises `OSError`, or `Malformed` where it is not UTF-8."""
    content = files.content(path, LONGEST)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"it is not UTF-8: {error.reason} at byte {error.start:,}") from None


def parsed(content: str, decimals: bool = False) -> dict[str, Any]:
    """What a text holds; raises `Malformed`.

    decimals: numbers keep the digits they are written with.
    """
    _check_keys(content)
    try:
        found = tomllib.loads(content, parse_float=Decimal if decimals else float)
    except RecursionError:
        raise Malformed("it is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        why = errors.first_line(error)
        line = re.search(r"at line (\d+)", why)
        raise Malformed(why, int(line[1]) if line else None) from None
    except (ValueError, ArithmeticError):
        raise Malformed("a number in it has more digits than there can be") from None
    _check_numbers(found)
    return found


def _check_numbers(found: dict[str, Any]) -> None:
    waiting: list[Any] = [found]
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
