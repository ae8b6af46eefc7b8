"""What is a table? Columns, rows, facts and notes of raw values, which a format turns into text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from profiler import errors

Better: TypeAlias = Literal["min", "max"]


class Unit(Enum):
    """What a value is, so that a renderer knows how to write it."""

    TEXT = "text"
    EXACT = "exact"  # an int, all digits shown
    COUNT = "count"  # an int, all digits shown on a screen, and 21.80 M in a paper
    AMOUNT = "amount"  # an int that may be shortened to 3.66 G
    BYTES = "bytes"  # an int; a table for people has it in one of the three below
    KB = "KB"
    MB = "MB"
    GB = "GB"
    SECONDS = "seconds"  # a float; a table for people has it in one of the three below
    S = "s"
    MS = "ms"
    US = "us"
    NANOSECONDS = "nanoseconds"  # an int, in a column of mixed units
    RATE = "rate"  # of something a second, that may be shortened to 3.66 G
    DIFFERENCE = "difference"  # an int with its sign
    LONGER = "longer"  # a difference of seconds, with its sign
    GROWTH = "growth"  # a difference as a share of what it was, with its sign
    SHARE = "share"  # of the total, 0 to 1
    RATIO = "ratio"
    SCORE = "score"  # 0 to 1, of predictions; None where it is not defined
    SCIENTIFIC = "scientific"  # a float of any magnitude: four significant digits, 3.214e-5
    TIMES = "times"  # as many times as another row has: ×0.54
    NUMBER = "number"  # a Decimal or a text that somebody else wrote, kept as it was written
    SHAPE = "shape"
    BAR = "bar"  # a share, to be drawn
    MIXED = "mixed"  # a Quantity: the rows of the column are in different units


class Caution(str):
    """A note that no table goes without: what was not counted, or what keeps two figures from being compared."""

    __slots__ = ()


class Explanation(str):
    """A note for who wants to know more: what a word means, which versions ran. `--notes full` shows it."""

    __slots__ = ()


class Quantity(NamedTuple):
    """A value that brings its own unit."""

    value: int | float | None
    unit: Unit


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name for `--columns` and CSV, its heading, its unit, and how it is got from a row's subject.

    The heading of a size is without its unit, which the renderer chooses.

    `most` is the width from which a narrow screen may cut it. Columns with a higher `rank` are given up first: those of
    rank 0 never, those of rank 1 and 2 only when texts are cut as short as they can be.
    `better` is which of its values is the best, where one is. `kind` is what exports have before the name, of
    values that are not what they are without it: "lower bound". `get` is left out where rows hold values
    themselves; it also takes what a subject is seen against: a layer's profile, or the model that others are
    measured by. What `is_drawn` is a share of the whole, which a screen with room draws as a bar besides.
    """

    name: str
    heading: str
    unit: Unit
    get: Callable[[Any, Any], Any] = lambda value, _: value
    rank: int = 0
    most: int | None = None
    better: Better | None = None
    kind: str = ""
    is_drawn: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row's raw values, how deep it stands in the tree, and which of its columns it is the best in.

    `failure` is why there are no values but the first; it takes the place of the others.
    """

    values: tuple[Any, ...]
    depth: int = 0
    best: frozenset[int] = frozenset()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, rows and what is said under them: `facts` (label, value, unit, remark), then `notes`.

    A note is a plain `str`, a `Caution` or an `Explanation`.

    `caption` stands above it, `anchor` is what a document refers to it by. Where the user has not `chosen` the columns,
    some may be left out for want of room. Where it `is_foldable`, its rows are a tree that the user has not limited,
    and the deepest may be.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    facts: tuple[tuple[str, Any, Unit, str], ...] = ()
    notes: tuple[str, ...] = ()
    caption: str = ""
    anchor: str = ""
    chosen: bool = False
    is_foldable: bool = False


def chosen_columns(names: Sequence[str], columns: Mapping[str, Column]) -> tuple[Column, ...]:
    for name in names:
        if name not in columns:
            raise errors.no_such_column(name, columns)
    return tuple(columns[name] for name in names)


class Tabled(Protocol):
    """What a format writes; see `render.answer.Answer`."""

    def tables(self) -> Iterable[Table]: ...

    def paper_tables(self) -> Iterable[Table]: ...

    def raw_table(self) -> Table: ...

    def data(self) -> Any: ...

    def page(self) -> Mapping[str, Any] | None: ...
