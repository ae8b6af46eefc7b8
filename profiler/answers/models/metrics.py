"""How good is it? Figures that somebody measured, by model: from a CSV file, of predictions, or published."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from math import isfinite
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

from profiler import errors
from profiler.records.files import csv_files
from profiler.records.files import reading as files
from profiler.render import numbers
from profiler.render.tables import Better

if TYPE_CHECKING:
    from profiler.answers.score.scoring import Source
    from profiler.figures.profile import Profile
    from profiler.records.spec import Published

PUBLISHED = "published"  # in the place of a file: what is published with a model's weights

# Numbers keep the digits they were written with: 76.50 is not 76.5. A score that is not defined is None.
Metric: TypeAlias = Decimal | str | None
MetricSources: TypeAlias = "bool | str | PathLike[str] | Mapping[str, Mapping[str, Any]] | Sequence[Any] | None"

_LONGEST_NUMBER = 400  # characters, written out
_MOST_COLUMNS = 1000
_LESS_IS_BETTER = {
    "error", "err", "loss", "mae", "mse", "rmse", "mape", "nll", "ece", "perplexity", "ppl", "bpb", "wer", "cer", "fid",
    "epe", "fl", "latency", "time", "ms", "seconds", "sec",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metrics:
    """What one source says: the names of its columns, a row by a model's label, spec or `Profile`, and remarks.

    about: what is to be said of a model's row.
    """

    names: tuple[str, ...]
    rows: Mapping[Profile | str, Mapping[str, Metric]]
    remarks: tuple[str, ...] = field(default=())
    about: Mapping[str, str] = field(default_factory=dict)

    def of(self, *model_names: Profile | str) -> Mapping[str, Metric]:
        """The row of a model, by the first of its names that has one; empty where none has."""
        return next((self.rows[name] for name in model_names if name in self.rows), {})

    def said(self, models: Iterable[Sequence[Profile | str]]) -> Iterator[str]:
        """Its remarks, and those on the rows of models that are shown, each given by its names."""
        yield from self.remarks
        found = (next((name for name in names if name in self.about), None) for names in models)
        yield from (self.about[name] for name in dict.fromkeys(found) if isinstance(name, str))


def metric(value: Any) -> Decimal | str | None:
    """A number or a text, as it was written; None for nothing. What is no finite number stays a text."""
    text = str(value).strip()
    try:
        number = Decimal(text) if len(text) <= _LONGEST_NUMBER else None
    except InvalidOperation:
        number = None
    is_number = number is not None and _can_be_written(number) and "_" not in text
    return number if is_number else text or None


def _can_be_written(number: Decimal) -> bool:
    """In digits, without an exponent."""
    return number.is_finite() and abs(number.adjusted()) <= _LONGEST_NUMBER and isfinite(float(number))


def better(name: str) -> Better:
    """Whether less or more of it is better, by its name: an error, a loss or a time is best when it is least."""
    words = re.findall(r"[a-z]+", name.lower())
    return "min" if _LESS_IS_BETTER.intersection(words) else "max"


def from_mapping(rows: Mapping[str, Mapping[str, Any]]) -> Metrics:
    """From Python: `{"resnet34": {"accuracy": 73.3}}`, by spec or label."""
    metric_rows: dict[Profile | str, Mapping[str, Metric]] = {model: _row(row.items()) for model, row in rows.items()}
    return Metrics(names((), metric_rows.values()), metric_rows)


def names(sources: Iterable[Metrics], rows: Iterable[Mapping[str, Metric]]) -> tuple[str, ...]:
    """All that is measured, in the order of sources and of the rows' own metrics."""
    columns = dict.fromkeys(name for source in sources for name in source.names)
    return tuple(columns | dict.fromkeys(name for row in rows for name in row))


def _row(items: Iterable[tuple[str, Any]]) -> dict[str, Metric]:
    metrics = ((name, metric(value)) for name, value in items if value is not None)
    return {name: value for name, value in metrics if value is not None}


# A file ---------------------------------------------------------------------------------------------------------------


def read(path: str) -> Metrics:
    """A CSV file whose first column, or the one called "model", holds specs or labels.

    The separator is a comma, a semicolon or a tab. Columns without a name are left out, but for the models'. Raises
    `BadMetrics`.
    """
    header, rows = _table(path)
    key = next((i for i, name in enumerate(header) if name.casefold() == "model"), 0)
    named = {i: name for i, name in enumerate(header) if name and i != key}
    if not named:
        raise _bad_metrics(path, "it has no column beside the models'")
    if len(named) > _MOST_COLUMNS:
        raise _bad_metrics(path, f"it has {len(named):,} columns, and {_MOST_COLUMNS:,} are the most")
    ((name, times),) = Counter(named.values()).most_common(1)
    if times > 1:
        raise _bad_metrics(path, f"two of its columns are called {files.quoted(name)}")
    metric_rows: dict[Profile | str, Mapping[str, Metric]] = {}
    lines: dict[str, int] = {}
    for line, cells in rows:
        if len(cells) > len(header):
            raise _bad_metrics(path, f"line {line} has {len(cells)} cells and the header {len(header)}")
        model = cells[key].strip() if key < len(cells) else ""
        if model in lines:
            raise _bad_metrics(path, f"lines {lines[model]} and {line} are both for {files.quoted(model)}")
        lines[model] = line
        metric_rows[model] = _row((name, cells[i]) for i, name in named.items() if i < len(cells))
    return Metrics(tuple(named.values()), metric_rows)


def _table(path: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the rows that are not empty with their line numbers."""
    try:
        header, lines = csv_files.with_header(path)
        rows = list(lines)
    except OSError as error:
        raise _bad_metrics(path, error.strerror or errors.first_line(error)) from None
    except errors.Malformed as error:
        raise _bad_metrics(path, str(error)) from None
    if not rows:
        raise _bad_metrics(path, "it has no row under its header")
    return header, rows


def sources(paths: Sequence[str], models: Sequence[tuple[str, str]]) -> tuple[Metrics, ...]:
    """What files say, each of which speaks of one of the models at least, given as (spec, label).

    A file has a row of metrics a model; or predictions, of which scores are computed.
    """
    return tuple(_of_file(path, models) for path in paths)


def _of_file(text: str, models: Sequence[tuple[str, str]]) -> Metrics:
    from profiler.answers.score import joining  # which imports what most comparisons do not need

    source = joining.predictions(text)
    if source is not None:
        return _scored(source, models)
    metrics = read(text)
    _check_some_match(text, metrics.rows, models)
    return metrics


def _scored(source: Source, models: Sequence[tuple[str, str]]) -> Metrics:
    """Of predictions; those of a file that names no model are of the only one there is.

    Of a model that is not compared, which is perhaps a name misspelt, there is a remark alone.
    """
    from profiler.answers.score import joining

    scores = joining.scores(source, [label for _, label in models])
    text = source.text if source.model is None else f"{source.model}={source.text}"
    _check_some_match(text, scores.rows, models)
    known = {name for of_model in models for name in of_model}
    rows: dict[Profile | str, Mapping[str, Metric]] = {
        model: {name: None if value is None else Decimal(numbers.score(value)) for name, value in row.items()}
        for model, row in scores.rows.items()
        if model in known
    }
    there = {name for row in rows.values() for name in row}
    others = [model for model in scores.rows if model not in known]
    return Metrics(
        tuple(name for name in scores.names if name in there),
        rows,
        (_not_compared(source.text, others),) if others else (),
        scores.remarks,
    )


def _not_compared(path: str, others: Sequence[str]) -> str:
    is_one = len(others) == 1
    return (
        f"{path} has scores of {errors.some(others)}, which {'is' if is_one else 'are'} not compared here; check how "
        f"{'it is' if is_one else 'they are'} spelt."
    )


def _check_some_match(path: str, rows: Iterable[Profile | str], models: Sequence[tuple[str, str]]) -> None:
    """Raise `NoMetricsMatch` where a file speaks of none of the models, given as (spec, label)."""
    if not {name for names in models for name in names}.intersection(rows):
        raise _no_metrics_match(path, list(map(str, rows)), [label for _, label in models])


# Published ------------------------------------------------------------------------------------------------------------


def published(profiles: Sequence[Profile]) -> Metrics:
    """What the zoos publish for the weights of these models.

    A metric that is known for several data sets has the data set in its name.
    """
    from profiler import sources  # which may have to import a zoo

    return of_published({p: sources.published(p.trace, p.totals.params) for p in profiles})


def of_published(answers: Mapping[Any, Published | str]) -> Metrics:
    """What is published of each model, given as a profile or a spec, or why nothing is."""
    published_rows = {model: answer for model, answer in answers.items() if not isinstance(answer, str)}
    figures = dict.fromkeys(figure for row in published_rows.values() for figure in row.figures)
    times = Counter(name for _, name in figures)
    columns = {(data, name): name if times[name] == 1 else f"{name} {data}" for data, name in figures}
    rows: dict[Profile | str, Mapping[str, Metric]] = {
        model: _row((columns[figure], value) for figure, value in row.figures.items())
        for model, row in published_rows.items()
    }
    weights = dict.fromkeys((row.weights, _model(model)) for model, row in published_rows.items())
    reasons = dict.fromkeys((answer, _model(model)) for model, answer in answers.items() if isinstance(answer, str))
    return Metrics(tuple(columns.values()), rows, tuple(_remarks(figures, weights, reasons)))


def _model(model: Profile | str) -> str:
    return model if isinstance(model, str) else model.model


def _remarks(
    figures: Iterable[tuple[str, str]], weights: Iterable[tuple[str, str]], reasons: Iterable[tuple[str, str]]
) -> Iterator[str]:
    """On which data the figures were measured, with which weights, and of which models there are none, and why."""
    if figures:
        measured = "; ".join(f"{_listed(names)} on {data}" for data, names in _grouped(figures).items())
        yield f"As published with the weights: {measured}."
        by_weights = _grouped(weights).items()
        yield f"Weights: {'; '.join(f'{name} ({_listed(models)})' for name, models in by_weights)}."
    for reason, models in _grouped(reasons).items():
        yield f"No published accuracy for {_listed(models)}: {reason}."


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


# From Python ----------------------------------------------------------------------------------------------------------


def metric_sources(
    metrics: MetricSources, profiles: Sequence[Profile], pairs: Sequence[tuple[str, str]]
) -> list[Metrics]:
    """From Python: what each thing that a user names says of models, given as profiles and as (spec, label)."""
    several = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    return [_source(source, profiles, pairs) for source in several if source is not None and source is not False]


def _source(source: Any, profiles: Sequence[Profile], pairs: Sequence[tuple[str, str]]) -> Metrics:
    if source is True:
        return published(profiles)
    if isinstance(source, Mapping):
        return from_mapping(source)
    return _of_file(str(source), pairs)


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_metrics(path: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path} cannot be read as metrics: {why}; give CSV, with a row a model and named columns"
    )


def _no_metrics_match(path: str, rows: Sequence[str], models: Sequence[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path} has no row for any of the models: it has {errors.some(rows)}, and they are {errors.some(models)}; "
        "rename its rows, or give --label"
    )
