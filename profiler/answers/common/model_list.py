"""Which models, by a TOML file: the rows of a table with their labels, inputs and metrics, and how to show them.

    caption = "What each part costs"
    relative-to = "full"

    [[models]]
    model = "model.py:net"
    label = "full"
    metrics = { accuracy = 76.50 }

Every key that is not known is refused. Files are named as on the command line, from the current folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from profiler import errors
from profiler.answers.models.metrics import Metric, metric
from profiler.records.files import toml_files

SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of a list."""

    spec: str
    label: str | None = None
    inputs: tuple[str, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelList:
    """A file's models, and its settings by the names of the options that they stand for."""

    models: tuple[Listed, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


# What each key holds, in words; a list may stand for a single text as well.
_TEXT, _TEXTS, _TABLE, _TABLES = "a text", "a text or a list of texts", "a table of numbers and texts", "tables"
_SETTINGS = {
    "caption": _TEXT,
    "tex-label": _TEXT,
    "relative-to": _TEXT,
    "columns": _TEXTS,
    "bold": _TEXTS,
    "metrics": _TEXTS,
    "input": _TEXTS,
    "models": _TABLES,
}
_MODEL = {"model": _TEXT, "label": _TEXT, "input": _TEXTS, "metrics": _TABLE}


def read(path: str) -> ModelList:
    """Read a list; raises `BadModelList`."""
    try:
        data = toml_files.parsed(toml_files.text(path), decimals=True)
    except OSError as error:
        raise _bad_model_list(path, error.strerror or errors.first_line(error)) from None
    except errors.Malformed as error:
        raise _bad_model_list(path, str(error)) from None
    _check(path, data, _SETTINGS, "")
    rows = data.pop("models", ())
    if not rows:
        raise _bad_model_list(path, "it names no model; add [[models]] and under it model = 'resnet34'")
    models = tuple(_listed(path, row, f" of model {number}") for number, row in enumerate(rows, 1))
    settings = {key: _texts(value) if _SETTINGS[key] is _TEXTS else value for key, value in data.items()}
    return ModelList(models, settings)


def _listed(path: str, row: Mapping[str, Any], where: str) -> Listed:
    _check(path, row, _MODEL, where)
    if "model" not in row:
        raise _bad_model_list(path, f"the key 'model'{where} is missing")
    found = {name: metric(value) for name, value in row.get("metrics", {}).items()}
    known = {name: value for name, value in found.items() if value is not None}
    return Listed(row["model"], row.get("label"), _texts(row.get("input", ())), known)


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _check(path: str, given: Mapping[str, Any], known: Mapping[str, str], where: str) -> None:
    for key, value in given.items():
        if key not in known:
            raise _bad_model_list(path, f"no key{where} is called {key!r}; there are {', '.join(known)}")
        if not _FITS[known[key]](value):
            raise _bad_model_list(path, f"the key {key!r}{where} has to be {known[key]}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are(kind: type) -> Any:
    return lambda values: isinstance(values, list) and all(isinstance(value, kind) for value in values)


_FITS = {
    _TEXT: _is_text,
    _TEXTS: lambda value: _is_text(value) or _are(str)(value),
    _TABLE: lambda value: isinstance(value, dict) and all(type(item) in (int, Decimal, str) for item in value.values()),
    _TABLES: _are(dict),
}


# What is said ---------------------------------------------------------------------------------------------------------


def _bad_model_list(path: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path} is not a list of models: {why}")
