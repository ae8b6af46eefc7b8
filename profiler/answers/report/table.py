"""How is a report shown? As data for the page, and as the tables that its models have by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from profiler.answers.diff.compute import Diff
from profiler.answers.diff.table import diff_tables, words
from profiler.answers.layers.data import profile_data
from profiler.answers.layers.table import layer_table
from profiler.answers.models.compute import Comparison
from profiler.answers.models.table import model_table, telling_columns
from profiler.answers.report.compute import Report
from profiler.answers.report.model import model_data
from profiler.errors import shown
from profiler.records.versions import __version__
from profiler.render.answer import Shown, show
from profiler.render.report.data import table_data
from profiler.render.tables import Table


def page_data(report: Report) -> dict[str, Any]:
    """`Report` of the page's `data.ts`."""
    models = [
        model_data(entry.label, entry.profile, report.columns) for entry in report.entries if entry.profile is not None
    ]
    kind = {Comparison: "comparison", Diff: "diff"}.get(type(report.subject), "model")
    return {
        "schema": 1,
        "title": shown(report.title),
        "tool": f"profile-model {__version__}",
        "kind": kind,
        "models": models,
        "comparison": _comparison(report.subject) if isinstance(report.subject, Comparison) else None,
        "diff": _diff(report.subject) if isinstance(report.subject, Diff) else None,
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    """Every column that says something of these models."""
    layout = replace(comparison.layout, columns=telling_columns(comparison), sort=None)
    positions = count()
    return {
        "table": table_data(model_table(replace(comparison, layout=layout))),
        "shown": [column.name for column in model_table(comparison).columns],
        "models": [None if entry.profile is None else next(positions) for entry in comparison.entries],
    }


def _diff(diff: Diff) -> dict[str, Any]:
    return {
        "tables": [table_data(table) for table in diff_tables(Diff(diff.before, diff.after, None, diff.columns))],
        "changes": [
            {
                "status": change.status,
                "before": None if change.before is None else change.before.index,
                "after": None if change.after is None else change.after.index,
                "what": shown(words(change)),
            }
            for change in diff.layers
        ],
    }


def report_tables(report: Report) -> Iterator[Table]:
    subject = report.subject
    if isinstance(subject, Comparison):
        yield model_table(subject)
    elif isinstance(subject, Diff):
        yield from diff_tables(subject)
    else:
        yield from map(layer_table, report.profiles)


show(
    Report,
    Shown(report_tables, data=lambda report: [profile_data(p) for p in report.profiles], page=page_data),
)
