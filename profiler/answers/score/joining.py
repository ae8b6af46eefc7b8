"""Which scores join a comparison? Those of `score` for files of predictions, by the names of its columns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from profiler import errors
from profiler.answers.score.predictions import are_in
from profiler.answers.score.rules import Rules
from profiler.answers.score.scoring import Source, scored, source
from profiler.answers.score.table import samples, scores_of


def predictions(text: str) -> Source | None:
    """Where predictions are; None of what is a table of metrics, or no file at all.

    Behind `MODEL=` there is nothing else.
    """
    of = source(text)
    if of.truth is not None or (of.model is not None and os.path.exists(of.path)):
        return of
    return of if are_in(text) else None


def scores(of: Source, labels: Sequence[str]) -> tuple[Mapping[str, Mapping[str, float]], tuple[str, ...]]:
    """By model, and remarks on them; raises `errors.ProfileError` where it is not known whose they are."""
    results = scored(of, Rules())
    if of.model is None and len(results) == 1 and results[0].model == of.path:
        if len(labels) > 1:
            raise _whose(of, labels)
        rows = {labels[0]: results[0]}
    else:
        rows = {result.model: result for result in results}
    remarks = tuple(
        " ".join([f"{model}: scores of {of.text}, {samples(result):,} samples.", *result.notes])
        for model, result in rows.items()
    )
    values = {
        model: {column.name: value for column, value in scores_of(result).items() if value is not None}
        for model, result in rows.items()
    }
    return values, remarks


# Error messages -------------------------------------------------------------------------------------------------------


def _whose(of: Source, labels: Sequence[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"{of.text} does not say which model its predictions are of, and there are {len(labels)}; write "
        f"{labels[0]}={of.text}, or give it a column 'model'"
    )
