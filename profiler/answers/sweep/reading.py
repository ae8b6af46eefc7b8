"""What does the file of a finished sweep hold? Its rows, from Parquet, CSV, or the journal, without running a model."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from profiler import errors
from profiler.answers.models.metrics import metric
from profiler.answers.sweep import journal
from profiler.answers.sweep.columns import MODEL, REASON, SPEC, STATUS, from_keys, is_metric
from profiler.answers.sweep.row import FIGURES
from profiler.records.files import reading as files
from profiler.render.frame import WHOLE
from profiler.render.tables import Unit

SUFFIXES = (".parquet", ".csv", journal.SUFFIX)
_LONGEST = 1 << 30  # bytes
_TEXTS = (MODEL, SPEC, STATUS, REASON, *(c.name for c in FIGURES if c.unit in (Unit.TEXT, Unit.SHAPE)))
_WHOLE = tuple(column.name for column in FIGURES if column.unit in WHOLE)


@dataclass(frozen=True, slots=True)
class Finished:
    """Rows by the names of columns, which of those are metrics, and whose FLOPs they have, where that is known."""

    rows: list[dict[str, Any]]
    metrics: tuple[str, ...] = ()
    convention: str | None = None


def is_finished(spec: str) -> bool:
    """Whether a spec is the file of a sweep, by its suffix."""
    return PurePath(spec).suffix.lower() in SUFFIXES


def read(path: str) -> Finished:
    """Raises `errors.ProfileError`."""
    suffix = PurePath(path).suffix.lower()
    if suffix == journal.SUFFIX:
        head, rows = journal.read(path)
        named = [{MODEL: rows[i].get(SPEC), **rows[i]} for i in sorted(rows)]
        return Finished(named, (), next(iter(head.get("options", {}).get("convention", ())), None))
    table = _parquet(path) if suffix == ".parquet" else _csv(path)
    return _finished(path, table)


def _finished(path: str, table: Sequence[Mapping[str, Any]]) -> Finished:
    keys = list(table[0]) if table else []
    names, words = from_keys(keys)
    if MODEL not in names.values() or STATUS not in names.values():
        raise _no_sweep(path, "it has no columns model and status")
    metrics = tuple(name for name in names.values() if is_metric(name, words))
    of_metrics = frozenset(metrics)  # which are not known where a row lacks one, and not undefined
    named = ({names[key]: value for key, value in row.items()} for row in table)
    rows = [{name: v for name, v in row.items() if v is not None or name not in of_metrics} | words for row in named]
    return Finished(rows, metrics)


def _parquet(path: str) -> list[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise errors.MissingPackage("pyarrow", "is not installed", "pyarrow") from None
    try:
        content = io.BytesIO(files.content(path, _LONGEST))
        file = parquet.ParquetFile(
            content, pre_buffer=False
        )  # no thread of its own, which may hinder this process's end
        return file.read(use_threads=False).to_pylist()  # type: ignore[no-any-return]
    except OSError as error:
        raise errors.unreadable(path, error, _no_sweep) from None
    except ArrowException as error:
        raise _no_sweep(path, errors.first_line(error)) from None


def _csv(path: str) -> list[dict[str, Any]]:
    try:
        text = files.content(path, _LONGEST).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except OSError as error:
        raise errors.unreadable(path, error, _no_sweep) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise _no_sweep(path, errors.first_line(error)) from None
    return [{key: _typed(path, key, value) for key, value in row.items() if key is not None} for row in rows]


def _typed(path: str, key: str, text: str | None) -> Any:
    """A cell of a CSV file as it was before it was a text."""
    if not text:
        return None
    name = from_keys([key])[0][key]
    if name in _TEXTS:
        return text
    try:
        return int(text) if name in _WHOLE or name.startswith("flops") else _number(text)
    except ValueError:
        raise _no_sweep(path, f"its column {key} has {text!r}") from None


def _number(text: str) -> Any:
    value = metric(text)
    return value if isinstance(value, str) or value is None else float(value)


# Error messages -------------------------------------------------------------------------------------------------------


def _no_sweep(path: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path} cannot be read as a sweep ({why}); give a file that profile-model sweep wrote")
