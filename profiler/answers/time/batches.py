"""How long does a run take at several batch sizes? One row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from profiler.answers.common.notes import uncounted, versions_note
from profiler.answers.time.compute import TimeReport
from profiler.answers.time.table import heading, of_kind, time_data
from profiler.render.answer import Answer, Shown, show
from profiler.render.plain import failed
from profiler.render.tables import Column, Row, Table, Unit


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
    caption: str = ""
    anchor: str = ""

    @property
    def reports(self) -> list[TimeReport]:
        return [point.report for point in self.points if point.report is not None]


def _quartile(which: int) -> Callable[[TimeReport, Any], float | None]:
    return lambda report, _: None if report.measurement is None else report.measurement.quartiles[which]


def _rate(amount: Callable[[TimeReport], float]) -> Callable[[TimeReport, Any], float | None]:
    return lambda report, _: amount(report) / report.times.whole.seconds if report.times.whole.seconds else None


BATCH_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("time", "Time", Unit.SECONDS, lambda report, _: report.times.whole.seconds),
        Column("low", "From", Unit.SECONDS, lambda report, _: report.times.whole.low, 1),
        Column("high", "To", Unit.SECONDS, lambda report, _: report.times.whole.high, 1),
        Column("quartile_1", "25 %", Unit.SECONDS, _quartile(0), 3),
        Column("quartile_3", "75 %", Unit.SECONDS, _quartile(1), 3),
        Column("throughput", "Samples/s", Unit.RATE, lambda report, _: report.times.throughput),
        Column("flops_per_second", "FLOP/s", Unit.RATE, _rate(lambda report: report.amounts[0].flops), 2),
        Column("bytes_per_second", "Bytes/s", Unit.RATE, _rate(lambda report: report.amounts[0].moved_bytes), 2),
        Column("bound", "Bound by", Unit.TEXT, lambda report, _: report.times.bounds[0] or "", 2),
    )
}
_BATCH = Column("batch", "Batch", Unit.EXACT, lambda batch, _: batch)


def batch_table(answer: BatchTimes) -> Table:
    """A batch that failed keeps its row, with the reason."""
    is_measured = any(report.measurement is not None for report in answer.reports)
    shown = [column for column in BATCH_COLUMNS.values() if is_measured or not column.name.startswith("quartile")]
    columns = of_kind(shown, answer.reports[0])
    rows = []
    for point in answer.points:
        report = point.report
        values = [column.get(report, None) if report is not None else None for column in columns]
        rows.append(Row((point.batch, *values), failure=point.failure))
    caption = answer.caption or heading(answer.reports[0])
    return Table((_BATCH, *columns), tuple(rows), (), tuple(_notes(answer)), caption, answer.anchor)


def _notes(answer: BatchTimes) -> Iterator[str]:
    yield from dict.fromkeys(note for report in answer.reports for note in uncounted(report.profile))
    for report in answer.reports:
        yield from (type(note)(f"Batch {report.times.samples}: {note}") for note in report.times.notes)
    yield versions_note(item for report in answer.reports for item in report.profile.trace.versions.items())


def _data(answer: BatchTimes) -> list[dict[str, Any]]:
    return [
        {"batch": point.batch, **(failed(point.failure) if point.report is None else time_data(point.report))}
        for point in answer.points
    ]


show(BatchTimes, Shown(lambda answer: [batch_table(answer)], None, _data))
