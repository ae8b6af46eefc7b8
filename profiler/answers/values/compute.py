"""Which tensors of a checkpoint have values that are no finite numbers? As an answer with its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from profiler import errors
from profiler.render.answer import Answer
from profiler.render.tables import Column, Row, Table, Unit
from profiler.sources import checkpoints
from profiler.sources.checkpoints.values import NonFinite, Values, values

_NAMED = 3  # in a sentence


def _column(name: str, heading: str, unit: Unit, most: int | None = None) -> Column:
    return Column(name, heading, unit, lambda row, _: row, 0, most)


_COLUMNS = (
    _column("tensor", "Not finite", Unit.TEXT, 60),
    _column("dtype", "Dtype", Unit.TEXT),
    _column("values", "Values", Unit.EXACT),
    _column("nan", "NaN", Unit.EXACT),
    _column("infinite", "Infinite", Unit.EXACT),
)


@dataclass(frozen=True, slots=True)
class CheckedValues(Answer):
    """A checkpoint whose values were looked at."""

    path: str
    values: Values

    @property
    def found(self) -> tuple[NonFinite, ...]:
        return self.values.found

    @property
    def passed(self) -> bool:
        return not self.found

    def failure(self) -> errors.CheckFailed | None:
        named = [f"{one.name} ({_words(one)})" for one in self.found[:_NAMED]]
        return errors.NotFinite(self.path, len(self.found), named) if self.found else None

    def tables(self) -> Iterator[Table]:
        yield Table(_COLUMNS, self._rows(), tuple(self._facts()), ("1 MB = 1024·1024 bytes.",), self.path)

    def raw_table(self) -> Table:
        return Table(_COLUMNS, self._rows(), chosen=True)

    def data(self) -> dict[str, Any]:
        return {
            "file": self.path,
            "passed": self.passed,
            "looked_at": self.values.looked_at,
            "size_bytes": self.values.size_bytes,
            "left_out": dict(self.values.left_out),
            "not_finite": [one._asdict() for one in self.found],
        }

    def _rows(self) -> tuple[Row, ...]:
        return tuple(Row(tuple(one)) for one in self.found)

    def _facts(self) -> Iterator[tuple[str, Any, Unit, str]]:
        yield "Tensors looked at", self.values.looked_at, Unit.EXACT, f"{len(self.found):,} with values not finite"
        yield "Read, MB", self.values.size_bytes, Unit.BYTES, ""
        for why, tensors in self.values.left_out.items():
            yield "Tensors left out", tensors, Unit.EXACT, why


def _words(one: NonFinite) -> str:
    counted = ((one.nans, "NaN"), (one.infinities, "infinite"))
    return ", ".join(f"{number:,} {what}" for number, what in counted if number)


def check_values(path: str, done: Callable[[], None] = lambda: None) -> CheckedValues:
    """Read every value of a checkpoint; raises what `checkpoints.read` raises."""
    if checkpoints.is_remote(path):
        raise errors.UnreadableCheckpoint(
            path, "its values are on the hub, of which headers alone are read; download it"
        )
    return CheckedValues(path, values(checkpoints.with_tensors(path), done))
