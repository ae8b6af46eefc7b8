"""What is known of all models of a sweep? Their rows, in the order of the request, and what is shown of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from profiler import errors
from profiler.answers.common.time_columns import TIME
from profiler.answers.models import metrics
from profiler.answers.models.metrics import Metrics
from profiler.answers.sweep import journal, running
from profiler.answers.sweep.choice import Choice, chosen
from profiler.answers.sweep.columns import MODEL, SPEC, STATUS, columns, is_ok
from profiler.answers.sweep.request import Request
from profiler.answers.sweep.row import FIGURES, OK, PUBLISHED, RECORDED, TIMES, WORD, published, suffixes
from profiler.engine.processes.child import Bounds
from profiler.engine.processes.foreign_code import say_when_stopped
from profiler.render.answer import Answer
from profiler.render.tables import Column, chosen_columns
from profiler.sources.trace_cache.cache import TraceCache

_DEFAULT = ("params", "macs", "flops", "size", "activations", "input")
DEFAULT_BOUNDS = Bounds(300.0, 8 << 30)


# Shows how far it is, while the context lasts; what it yields is told each row that ended.
Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[object], None]]]


@dataclass(frozen=True, slots=True)
class Execution:
    """How a sweep is run; none of it changes a row that ends well.

    jobs: how many models at once; None: one a core. on: a cluster. bounds: of each model.
    journal: a file that each row is added to. is_resumed: go on with it. retries: run what failed once more.
    trace_cache: where traces are looked up and kept, if anywhere.
    """

    jobs: int | None = None
    on: str | None = None
    bounds: Bounds = DEFAULT_BOUNDS
    journal: str | None = None
    is_resumed: bool = False
    retries: bool = False
    trace_cache: TraceCache | None = None


def execution(
    output: str | None,
    jobs: int | None,
    on: str | None,
    timeout: float | None,
    memory_bytes: int | None,
    resume: bool,
    retry: bool,
    trace_cache: TraceCache | None = None,
) -> Execution:
    """As it is asked for; raises `errors.ProfileError`."""
    if resume and output is None:
        raise errors.only_with("--resume", "--output")
    if retry and not resume:
        raise errors.only_with("--retry", "--resume")
    bounds = Bounds(timeout or DEFAULT_BOUNDS.seconds, memory_bytes or DEFAULT_BOUNDS.memory_bytes)
    kept = None if output is None else f"{output}{journal.SUFFIX}"
    return Execution(jobs, on, bounds, kept, resume, retry, trace_cache)


@dataclass(frozen=True, slots=True)
class Sweep(Answer):
    """Many models, one row each; print it, or take `rows` or `to_pandas()`.

    rows: what is known of each model that is shown, by the names of columns; bytes and seconds.
    known: all columns that there are, by their names.
    names: those that are shown; all of them where none are chosen.
    is_chosen: whether they are chosen.
    counts: how many models ended in which way, shown or not.
    remarks: how the rows were chosen, and what is to be said of their metrics.
    convention: whose FLOPs are in the column `flops`, where that is known.
    choice: what was asked of the rows.
    uncounted: the models that call operators without a formula, shown or not.
    """

    rows: tuple[Mapping[str, Any], ...]
    known: Mapping[str, Column]
    names: tuple[str, ...]
    is_chosen: bool
    counts: Mapping[str, int]
    remarks: tuple[str, ...] = ()
    convention: str | None = None
    choice: Choice = field(default=Choice())
    uncounted: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """How many models have no figures."""
        return sum(count for status, count in self.counts.items() if status != OK)

    @property
    def summary(self) -> str:
        """How many models there are, and how many ended in which way."""
        models = sum(self.counts.values())
        in_order = sorted(self.counts.items(), key=lambda item: (item[0] != OK, item[0]))
        ended = ", ".join(f"{count:,} {status}" for status, count in in_order)
        return f"{models:,} model{'s' * (models != 1)}: {ended}"

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)


def swept(request: Request, execution: Execution, progress: Progress | None = None) -> list[dict[str, Any]]:
    """A row for each model, in the order of the request; raises `errors.ProfileError` where none can be run."""
    done: dict[int, dict[str, Any]] = {}
    path, without_values = execution.journal, blank(request)

    def whole(index: int, row: Mapping[str, Any]) -> dict[str, Any]:
        """It takes its keys from `without_values`: a hundred thousand rows have them in memory once."""
        model = request.models[index]
        return {**without_values, MODEL: model.label, SPEC: model.spec, **row}

    with journal.opened(path, request.head(), execution.is_resumed) if path else nullcontext() as kept:
        if kept is not None:
            done = {i: whole(i, row) for i, row in kept.rows.items() if is_ok(row) or not execution.retries}
        todo = [i for i in range(len(request.models)) if i not in done]
        failed = sum(not is_ok(row) for row in done.values())
        with (
            _kept_when_stopped(path, len(request.models)) as tell_kept,
            progress("models", len(todo)) if progress and todo else nullcontext(lambda ended: None) as tell,
        ):
            tell_kept(len(done))
            for index, row in _run(request, todo, execution) if todo else ():
                done[index] = whole(index, row)
                if kept is not None:
                    kept.add(index, {SPEC: request.models[index].spec, **row})
                    tell_kept(len(done))
                failed += not is_ok(row)
                tell(f"{failed:,} failed" if failed else "")
    return [done[i] for i in range(len(request.models))]


@contextmanager
def _kept_when_stopped(path: str | None, models: int) -> Iterator[Callable[[int], None]]:
    """What it yields is told how many rows a journal has, which the command says where it is stopped meanwhile."""

    def tell(rows: int) -> None:
        if path is not None:
            say_when_stopped(f"{rows:,} of {models:,} rows are kept in {path}; go on with --resume")

    try:
        yield tell
    finally:
        say_when_stopped("")


def _run(request: Request, todo: Sequence[int], execution: Execution) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows as they end; which of them needed no run is noted where traces are kept, and is no part of them."""
    cache = execution.trace_cache
    folder = None if cache is None else cache.folder
    how = execution.bounds, execution.jobs, execution.on, folder, execution.journal is not None
    for index, row in running.rows(request, todo, *how):
        recorded = row.pop(RECORDED, None)
        if cache is not None:
            cache.note(recorded)
        yield index, row


def joined(
    rows: Sequence[Mapping[str, Any]], sources: Iterable[Metrics], own: Sequence[Mapping[str, Any]] = ()
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The rows with what is known of how good the models are, and the names of that.

    own: metrics that each model brought along, which are preferred to all.
    """
    answers = {row[SPEC]: published(row[PUBLISHED]) for row in rows if PUBLISHED in row}
    every = [*([metrics.of_published(answers)] if answers else ()), *sources]
    named = metrics.names(every, own)
    wide: list[dict[str, Any]] = []
    for i, row in enumerate(rows):
        figures: dict[str, Any] = {}
        for source in every:
            figures |= source.of(row[MODEL], row[SPEC])
        figures |= own[i] if own else {}
        wide.append({name: value for name, value in row.items() if name != PUBLISHED} | figures)
    return wide, named


def sweep(
    rows: Sequence[Mapping[str, Any]],
    metric_names: Sequence[str],
    choice: Choice,
    names: Sequence[str] = (),
    convention: str | None = None,
    sources: Iterable[Metrics] = (),
) -> Sweep:
    """What is shown of rows, and what is said of it, also by the sources of metrics; raises `errors.ProfileError`."""
    known = columns(rows, metric_names)
    chosen_columns(names, known)
    shown, remarks = chosen(rows, choice, known)
    counts = Counter(str(row.get(STATUS)) for row in rows)
    several = (name for name, column in known.items() if name.startswith(("flops_", TIME)) and column.rank < 4)
    usual = (*choice.focus, *metric_names, *_DEFAULT, *several)
    default = dict.fromkeys((MODEL, *(name for name in usual if name in known)))
    uncounted = tuple(str(row[MODEL]) for row in rows if row.get("unknown"))
    models = [(row[MODEL], row[SPEC]) for row in shown]
    said = (*remarks, *(remark for source in sources for remark in source.said(models)))
    chosen_names = tuple(names or default)
    return Sweep(tuple(shown), known, chosen_names, bool(names), counts, said, convention, choice, uncounted)


def blank(request: Request) -> dict[str, Any]:
    """A row of the request without its values."""
    flops = [f"flops{suffix}" for suffix in suffixes(request.conventions)[1:]]
    devices = suffixes([timer.name for timer in request.devices.values()])
    times = [f"{name}{suffix}" for suffix in devices for name in (WORD, *(column.name for column in TIMES))]
    return dict.fromkeys((MODEL, SPEC, STATUS, *(column.name for column in FIGURES), *flops, *times))


def nothing_fits(choice: Choice) -> errors.CheckFailed:
    """No row is left of those that a budget is about."""
    return errors.CheckFailed(f"no model is within the budget by {choice.best}; raise a limit, or look with --sort")
