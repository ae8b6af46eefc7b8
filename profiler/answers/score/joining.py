"""Which scores join a comparison? Those of `score` for files of predictions, by the names of its columns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from profiler import errors
from profiler.answers.score.compute import EdgeScores, Scored
from profiler.answers.score.predictions import are_in
from profiler.answers.score.rules import Rules
from profiler.answers.score.scoring import Source, scored, source
from profiler.answers.score.table import place, scores_of


def predictions(text: str) -> Source | None:
    """Where predictions are; None of what is a table of metrics, or no file at all.

    Behind `MODEL=` there is nothing else.
    """
    of = source(text)
    if of.truth is not None or (of.model is not None and os.path.exists(of.path)):
        return of
    return of if are_in(text) else None


class Scores(NamedTuple):
    """Those of several models: the names of all in their order, and by model what is known, and a remark."""

    names: tuple[str, ...]
    rows: Mapping[str, Mapping[str, float | None]]
    remarks: Mapping[str, str]


def scores(of: Source, labels: Sequence[str]) -> Scores:
    """Raises `errors.ProfileError` where it is not known whose they are."""
    results = scored(of, Rules())
    if of.model is None and len(results) == 1 and results[0].model == of.path:
        if len(labels) > 1:
            raise _whose(of, labels)
        rows = {labels[0]: results[0]}
    else:
        rows = {result.model: result for result in results}
    values = {
        model: {column.name: value for column, value in scores_of(result).items()} for model, result in rows.items()
    }
    names = sorted({name for row in values.values() for name in row}, key=place)
    return Scores(tuple(names), values, {model: _remark(of, model, result) for model, result in rows.items()})


def _remark(of: Source, model: str, result: Scored) -> str:
    """Notes on maps of edges say how many they are."""
    size = "" if isinstance(result, EdgeScores) else f", {result.samples:,} sample{'s' * (result.samples != 1)}"
    return " ".join([f"{model}: scores of {of.text}{size}.", *result.notes])


# Error messages -------------------------------------------------------------------------------------------------------


def _whose(of: Source, labels: Sequence[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"{of.text} does not say which model its predictions are of, and there are {len(labels)}; write "
        f"{labels[0]}={of.text}, or give it a column 'model'"
    )
