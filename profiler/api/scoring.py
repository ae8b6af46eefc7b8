"""How good are predictions, in Python? `score`: of a file, or of labels and what a model said of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profiler.answers.score.rules import TOLERANCE, Rules

if TYPE_CHECKING:
    from profiler.answers.score.compute import Scored, Scores


def score(
    labels: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | Any,
    predictions: Any = None,
    scores: Any = None,
    *,
    weights: Any = None,
    classes: Sequence[str] | None = None,
    model: str = "model",
    positive: object = None,
    threshold: float | None = None,
    beta: float | None = None,
    top_k: int | None = None,
    tolerance: float = TOLERANCE,
    show: Sequence[str] = (),
    top: int | None = None,
) -> Scores:
    """How good predictions are.

    labels: what is right: a list, an array or a tensor; or the path of a file of predictions (CSV, Parquet or NPZ, or
        two folders of maps of edges, "PREDICTED,TRUTH"), or a mapping of models to such paths.
    predictions: what a model predicted of each, as labels are.
    scores: of each sample one, that of the positive of two classes, or a row with one a class.
    weights: of samples.
    classes: the names of the columns of scores; by default 0, 1, ...
    model: what the row of these predictions is called.
    positive: the class that precision and recall are of; by default 1, true or yes, or the last of two.
    threshold: a sample is positive from this score on; by default 0.5, where there are no predictions.
    beta: adds F-beta, in which recall counts so many times as much as precision.
    top_k: how often a label is among so many highest scores.
    tolerance: how far matched pixels of edges may be apart, as a share of the diagonal.
    show: which tables: "scores", "classes", "confusion", "curve".
    top: how many classes are shown.

    `print` what it returns, or take `to_pandas()`, `to_latex()`, `plot("curve.pdf")`, ... Raises
    `profiler.errors.ProfileError`.
    """
    from profiler.answers.score.compute import Scores as Answer
    from profiler.answers.score.table import check_shown

    rules = Rules(None if positive is None else str(positive), threshold, beta, top_k, tolerance)
    beside = {"prediction": predictions, "score": scores, "weight": weights, "classes": classes}
    scored = _scored(labels, beside, model, rules)
    check_shown(show, scored)
    return Answer(tuple(scored), rules, tuple(show), top)


def _scored(labels: Any, beside: Mapping[str, Any], model: str, rules: Rules) -> list[Scored]:
    """Of files, or of labels and what is beside them."""
    from profiler.answers.score import scoring

    if isinstance(labels, (str, os.PathLike)):
        return scoring.scored(scoring.source(os.fspath(labels)), rules)
    if isinstance(labels, Mapping):
        sources = [replace(scoring.source(os.fspath(path)), model=name) for name, path in labels.items()]
        return [one for source in sources for one in scoring.scored(source, rules)]
    columns = {"label": labels, **{name: column for name, column in beside.items() if column is not None}}
    return [scoring.of_arrays(columns, model, rules)]
