"""How long does a run take at several batch sizes? One row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from profiler.answers.common.notes import uncounted, versions_note
from profiler.answers.time.compute import TimeReport
from profiler.answers.time.table import bytes_per_second, captioned, of_kind, time_data
from profiler.render.answer import Answer, Shown, show
from profiler.render.plain import failed
from profiler.render.tables import Column, Row, Table, Unit, chosen_columns


@dataclass(frozen=True, slots=True)
class BatchPoint:
    """One batch size, and its time; or why there is none."""

    batch: int
    report: TimeReport | None
    failure: str | None = None


@dataclass(frozen=True)
class BatchTimes(Answer):
    """The time of a run at several batch sizes."""

    points: Sequence[BatchPoint]
    columns: Sequence[str] = ()
    caption: str = ""
    anchor: str = ""

    @property
    def reports(self) -> list[TimeReport]:
        return [point.report for point in self.points if point.report is not None]


_Get = Callable[[BatchPoint, Any], Any]


def _of(get: Callable[[TimeReport], Any]) -> _Get:
    return lambda point, _: None if point.report is None else get(point.report)


def _quartile(which: int) -> _Get:
    return _of(lambda report: None if report.measurement is None else report.measurement.quartiles[which])


def _rate(amount: Callable[[TimeReport], float | None]) -> _Get:
    def get(report: TimeReport) -> float | None:
        number, seconds = amount(report), report.times.whole.seconds
        return number / seconds if seconds and number is not None else None

    return _of(get)


def _moved(report: TimeReport, is_fused: bool) -> int | None:
    """By the operators that the time is of; not known of the others."""
    return report.timed_amounts[0].moved_bytes if report.is_of_fused is is_fused else None


BATCH_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("batch", "Batch", Unit.EXACT, lambda point, _: point.batch),
        Column("time", "Time", Unit.SECONDS, _of(lambda report: report.times.whole.seconds)),
        Column("low", "From", Unit.SECONDS, _of(lambda report: report.times.whole.low), 1),
        Column("high", "To", Unit.SECONDS, _of(lambda report: report.times.whole.high), 1),
        Column("quartile_1", "25 %", Unit.SECONDS, _quartile(0), 3),
        Column("quartile_3", "75 %", Unit.SECONDS, _quartile(1), 3),
        Column("throughput", "Samples/s", Unit.RATE, _of(lambda report: report.times.throughput)),
        Column("flops_per_second", "FLOP/s", Unit.RATE, _rate(lambda report: report.amounts[0].flops), 2),
        Column("bytes_per_second", "Bytes/s", Unit.RATE, _rate(lambda r: _moved(r, is_fused=False)), 2),
        Column("fused_bytes_per_second", "Bytes/s, fused", Unit.RATE, _rate(lambda r: _moved(r, is_fused=True)), 2),
        Column("bound", "Bound by", Unit.TEXT, _of(lambda report: report.times.bounds[0] or ""), 2),
    )
}
_OF_MEASURED = ("quartile_1", "quartile_3")


def batch_table(answer: BatchTimes) -> Table:
    """A batch that failed keeps its row, with the reason."""
    first = answer.reports[0]
    columns = of_kind(chosen_columns(answer.columns or _usual(first), BATCH_COLUMNS), first)
    rows = tuple(_row(point, columns) for point in answer.points)
    caption, is_chosen = captioned(answer.caption, first), bool(answer.columns)
    return Table(columns, rows, (), tuple(_notes(answer)), caption, answer.anchor, is_chosen)


def _usual(report: TimeReport) -> Sequence[str]:
    """What there is of such a time."""
    others = {"bytes_per_second", "fused_bytes_per_second"} - {bytes_per_second(report)}
    others |= set() if report.measurement is not None else {*_OF_MEASURED}
    return [name for name in BATCH_COLUMNS if name not in others]


def _row(point: BatchPoint, columns: Sequence[Column]) -> Row:
    """The reason stands behind the batch, wherever that is."""
    values = tuple(column.get(point, None) for column in columns)
    if point.failure is None or values[0] == point.batch:
        return Row(values, failure=point.failure)
    return Row(values, failure=f"batch {point.batch}: {point.failure}")


def _notes(answer: BatchTimes) -> Iterator[str]:
    yield from dict.fromkeys(note for report in answer.reports for note in uncounted(report.profile))
    for point in answer.points:
        notes = () if point.report is None else point.report.times.notes
        yield from (type(note)(f"Batch {point.batch}: {note}") for note in notes)
    yield versions_note(item for report in answer.reports for item in report.profile.trace.versions.items())


def _data(answer: BatchTimes) -> list[dict[str, Any]]:
    return [
        {"batch": point.batch, **(failed(point.failure) if point.report is None else time_data(point.report))}
        for point in answer.points
    ]


show(BatchTimes, Shown(lambda answer: [batch_table(answer)], None, _data))
