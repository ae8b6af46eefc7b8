"""How is an answer shown on a terminal? As plain text is, with restrained colour, bars, and a tree that fits.

A pipe, a file and a job of continuous integration (CI) get plain text, and so does a terminal that says it can do no
more (TERM=dumb). NO_COLOR takes the colour away (https://no-color.org). Colours are those of the terminal's own
palette, so that they suit its ground.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from profiler.errors import printable
from profiler.records.files import writing
from profiler.render import layout, numbers
from profiler.render.folding import Fold, folded
from profiler.render.layout import Line, Role
from profiler.render.shown import SHORT, prepared, with_notes
from profiler.render.tables import Table, Tabled

STYLES = {
    Role.PLAIN: "", Role.HEADING: "bold", Role.QUIET: "dim", Role.LARGE: "bold cyan", Role.BAR: "cyan",
    Role.BEST: "bold", Role.CAUTION: "yellow",
}  # fmt: skip
_USUAL_HEIGHT = 50
_BELOW = 1  # lines that a shell's prompt takes


@dataclass(frozen=True, slots=True)
class Screen:
    """A terminal that can show more than plain text: so many places wide and lines high."""

    width: int
    height: int
    is_coloured: bool


def width() -> int | None:
    """How wide plain text may be: as the terminal, or as COLUMNS says; None for a file or a pipe."""
    stream = writing.stdout()
    is_terminal = stream is not None and stream.isatty()  # it is None where the shell has closed it
    return _size(stream)[0] if is_terminal or "COLUMNS" in os.environ else None


def here() -> Screen | None:
    """The terminal that results are printed to; None where they go elsewhere, or are to be plain."""
    stream = writing.stdout()
    is_plain = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    if stream is None or is_plain or not stream.isatty() or not _has_blocks(stream):
        return None
    return Screen(*_size(stream), is_coloured=not os.environ.get("NO_COLOR"))


def _has_blocks(stream: TextIO) -> bool:
    """Whether its letters have those that bars are made of."""
    try:
        numbers.blocks(0.9, 1).encode(stream.encoding or "ascii")
    except (LookupError, UnicodeError):
        return False
    return True


def _size(stream: TextIO | None) -> tuple[int, int]:
    """Of the stream's own terminal: descriptor 1 may be standard error's meanwhile."""
    usual = shutil.get_terminal_size()  # COLUMNS and LINES go before all
    try:
        assert stream is not None
        own = os.get_terminal_size(stream.fileno())
    except (AssertionError, OSError, ValueError):
        return usual.columns, usual.lines
    columns = usual.columns if os.environ.get("COLUMNS", "").isdigit() else own.columns
    lines = usual.lines if os.environ.get("LINES", "").isdigit() else own.lines
    return columns or usual.columns, lines or usual.lines


def written(answer: Tabled, screen: Screen, notes: str = SHORT) -> str:
    """The answer, in colour where the screen has some; what is not a command for colour is harmless text."""
    tables = [prepared(with_notes(table, notes)) for table in answer.tables()]
    parts = [fitted(table, screen.width, screen.height, _by_depth) for table in tables]
    return "\n\n".join(_coloured(part) if screen.is_coloured else printable(layout.joined(part)) for part in parts)


def in_short(answer: Tabled) -> str:
    """Plain text of an answer that is shown without being printed: a tree of it is no longer than a screen."""
    screen = here()
    height = _USUAL_HEIGHT if screen is None else screen.height
    tables = [prepared(with_notes(table, SHORT)) for table in answer.tables()]
    parts = [_folded(table, lambda shown: layout.lines(shown, width()), height, _by_print) for table in tables]
    return "\n\n".join(printable(layout.joined(part)) for part in parts)


def fitted(table: Table, width: int, height: int | None, remedy: Callable[[Fold], str]) -> list[Line]:
    """A prepared table in so many places and lines: with bars, and where it may be, folded. height: None for any."""
    return _folded(table, lambda shown: layout.lines(shown, width, has_bars=True), height, remedy)


def _folded(
    table: Table, laid_out: Callable[[Table], list[Line]], height: int | None, remedy: Callable[[Fold], str]
) -> list[Line]:
    def fits(shown: Table) -> bool:
        return height is None or (len(shown.rows) < height and len(laid_out(shown)) + _BELOW <= height)

    return laid_out(folded(table, fits, remedy) if table.is_foldable else table)


def _by_depth(fold: Fold) -> str:
    return f"--depth {fold.depth + 1} or --depth all shows more"


def _by_print(fold: Fold) -> str:
    return "print() shows all"


def _coloured(written: list[Line]) -> str:
    from rich.color import ColorSystem  # behind what is written elsewhere
    from rich.style import Style

    styles = {role: Style.parse(words) for role, words in STYLES.items()}

    def piece(text: str, role: Role) -> str:
        return styles[role].render(printable(text), color_system=ColorSystem.STANDARD)

    return "\n".join("".join(piece(*part) for part in line) for line in written)
