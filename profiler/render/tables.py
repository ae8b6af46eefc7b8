"""What a table is: columns, rows, facts and notes of raw values, which `profiler.render` puts into a dress.

What stands under every table is here too: how it was run, in which unit, and by which versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple, TypeAlias

from profiler import errors
from profiler.figures.profile import Profile
from profiler.records.trace import Input, Tensor, Trace, Value, tensors

Better: TypeAlias = Literal["min", "max"]


class Unit(Enum):
    """What a value is, so that a renderer knows how to write it."""

    TEXT = "text"
    EXACT = "exact"  # an int, all digits shown
    COUNT = "count"  # an int, all digits shown on a screen, and 21.80 M in a paper
    AMOUNT = "amount"  # an int that may be shortened to 3.66 G
    BYTES = "bytes"
    DIFFERENCE = "difference"  # an int with its sign
    GROWTH = "growth"  # a difference as a share of what it was, with its sign
    SHARE = "share"  # of the total, 0 to 1
    RATIO = "ratio"
    TIMES = "times"  # as many times as another row has: ×0.54
    NUMBER = "number"  # a Decimal or a text that somebody else wrote, kept as it was written
    SHAPE = "shape"
    BAR = "bar"  # a share, to be drawn
    MIXED = "mixed"  # a Quantity: the rows of the column are in different units


class Quantity(NamedTuple):
    """A value that brings its own unit."""

    value: int | None
    unit: Unit


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name for `--columns` and CSV, its heading, its unit, and how it is got from a row's subject.

    `most` is the width from which a narrow screen may cut it; columns with a higher `rank` are given up first.
    `better` is which of its values is the best, where one is. `get` also takes what a subject is seen against: a
    layer's profile, or the model that others are measured by.
    """

    name: str
    heading: str
    unit: Unit
    get: Callable[[Any, Any], Any]
    rank: int = 0
    most: int | None = None
    better: Better | None = None


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

    `caption` stands above it, `anchor` is what a document refers to it by. Where the user has not `chosen` the columns,
    some may be left out for want of room.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    facts: tuple[tuple[str, Any, Unit, str], ...] = ()
    notes: tuple[str, ...] = ()
    caption: str = ""
    anchor: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What the user wants to see of a layer table."""

    columns: Sequence[str] = ()
    depth: int | None = None
    sort: str | None = None
    top: int | None = None
    filter: str | None = None
    caption: str = ""
    anchor: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether layers stand by themselves, and not in their tree."""
        return self.sort is not None or self.filter is not None or self.top is not None

    @property
    def key(self) -> str:
        """The column that layers are told apart by."""
        return "path" if self.is_flat else "layer"


def as_shape(value: Value) -> Value:
    """A module's output as a shape, or several; None where there is no tensor."""
    found = tuple(tensors(value))
    return found if len(found) != 1 else found[0]


def fed_shape(inputs: Iterable[Input]) -> Value:
    return as_shape(tuple(Tensor(i.shape, i.dtype) for i in inputs))


def chosen_columns(names: Sequence[str], known: Mapping[str, Column]) -> tuple[Column, ...]:
    for name in names:
        if name not in known:
            raise errors.NoSuchColumn(name, known)
    return tuple(known[name] for name in names)


def run_words(trace: Trace) -> str:
    """What was asked for otherwise than usual: "training step, optimizer adamw"."""
    asked = dict(trace.asked)
    words = ["training step"] if asked.pop("train", None) else []
    return ", ".join(words + [f"{name} {_said(value)}" for name, value in asked.items()])


def run_note(trace: Trace) -> str:
    """What was run: fed with what, by which engine, and how otherwise than usual; or that nothing was."""
    if not trace.was_run and trace.header is None:
        return "Nothing ran, for want of an input: MACs, FLOPs and activations are not known."
    if not trace.was_run:
        return "Read from the file's header: nothing ran, so MACs, FLOPs and activations are not known."
    otherwise = run_words(trace)
    return f"Input {inputs_words(trace.inputs)}. Engine {trace.engine}." + f" Run as {otherwise}." * bool(otherwise)


def _said(value: Value) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def uncounted(profile: Profile, prefix: str = "") -> Iterator[str]:
    if profile.unknown_ops:
        missing = ", ".join(f"{op} ×{times}" for op, times in profile.unknown_ops.items())
        yield f"{prefix}NOT COUNTED, for want of a formula: {missing}"


def unit_note(profile: Profile) -> str:
    says = f"{profile.convention.name}: {profile.convention.says}. " if profile.trace.was_run else ""
    return f"{says}1 MB = 1024·1024 bytes."


def versions_note(items: Iterable[tuple[str, str]]) -> str:
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in dict.fromkeys(items)) + "."


def inputs_words(inputs: Iterable[Input]) -> str:
    return ", ".join(map(_fed_words, inputs)) or "nothing"


def _fed_words(given: Input) -> str:
    return (f"{given.name} " if given.name else "") + "×".join(map(str, given.shape)) + f" {given.dtype}"
