"""Which models does a TOML file list? Rows of a table with labels, inputs and metrics, and how to show them.

    caption = "What each part costs"
    relative-to = "full"

    [[models]]
    model = "model.py:net"
    label = "full"
    metrics = { accuracy = 76.50 }

Files are named as on the command line, from the current folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiler.answers.common.listed import Listed, ModelList
from profiler.answers.models.metrics import metric
from profiler.records.files import toml_files
from profiler.records.files.toml_files import METRICS, TABLES, TEXT, TEXTS, TomlFile, texts
from profiler.records.files.toml_lines import Path

_SETTINGS = {
    "caption": TEXT,
    "tex-label": TEXT,
    "relative-to": TEXT,
    "columns": TEXTS,
    "bold": TEXTS,
    "metrics": TEXTS,
    "input": TEXTS,
    "models": TABLES,
}
_MODEL = {"model": TEXT, "label": TEXT, "input": TEXTS, "metrics": METRICS}


def read(path: str) -> ModelList:
    """Read a list; raises `BadTomlFile`."""
    file = toml_files.read(path, path)
    file.check((), file.data, _SETTINGS)
    rows = file.data.get("models", ())
    if not rows:
        raise file.refusal((), "it names no model; add [[models]] and under it model = 'resnet34'")
    models = tuple(_listed(file, ("models", index), row) for index, row in enumerate(rows))
    settings = {key: texts(value) if _SETTINGS[key] is TEXTS else value for key, value in file.data.items()}
    del settings["models"]
    return ModelList(models, settings)


def _listed(file: TomlFile, at: Path, row: Mapping[str, Any]) -> Listed:
    file.check(at, row, _MODEL)
    if "model" not in row:
        raise file.refusal(at, "the key 'model' is missing; add one, like model = 'resnet34'")
    metrics = {name: metric(value) for name, value in row.get("metrics", {}).items()}
    numbers = {name: value for name, value in metrics.items() if value is not None}
    return Listed(row["model"], row.get("label"), texts(row.get("input", ())), numbers)
