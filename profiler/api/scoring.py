"""How good are predictions, in Python? `score`: of a file, or of labels and what a model said of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from operator import index
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.score.rules import Rules

if TYPE_CHECKING:
    from profiler.answers.score.compute import Scored, Scores
    from profiler.answers.score.scoring import Source


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
    tolerance: float | None = None,
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
    tolerance: how far matched pixels of edges may be apart, as a share of the diagonal; by default 0.0075.
    show: which tables: "scores", "classes", "confusion", "curve".
    top: how many classes are shown.

    `print` what it returns, or take `to_pandas()`, `to_latex()`, `plot("curve.pdf")`, ...; its `models` have
    `accuracy`, `precision`, `recall`, `f1`, `auroc` and so on. Raises `profiler.errors.ProfileError`.
    """
    from profiler.answers.score.compute import Scores as Answer
    from profiler.answers.score.table import check_shown

    rules = Rules(
        None if positive is None else str(positive),
        _number("threshold", threshold),
        _number("beta", beta),
        _count("top_k", top_k),
        _number("tolerance", tolerance),
    )
    beside = {"prediction": predictions, "score": scores, "weight": weights, "classes": classes}
    scored = _scored(labels, beside, model, rules)
    check_shown(show, scored)
    return Answer(tuple(scored), rules, tuple(show), _count("top", top))


def _scored(labels: Any, beside: Mapping[str, Any], model: str, rules: Rules) -> list[Scored]:
    """Of files, or of labels and what is beside them."""
    from profiler.answers.score import scoring

    if isinstance(labels, (str, os.PathLike, Mapping)):
        for name, column in beside.items():
            if column is not None:
                raise _is_in_the_file(name)
        sources = _sources(labels)
        scoring.check(sources, rules)
        return [one for source in sources for one in scoring.scored(source, rules)]
    scoring.check((), rules)
    columns = {"label": labels, **{name: column for name, column in beside.items() if column is not None}}
    return [scoring.of_arrays(columns, model, rules)]


def _sources(files: Any) -> list[Source]:
    from profiler.answers.score.scoring import source

    if isinstance(files, Mapping):
        return [replace(source(os.fspath(path)), model=name) for name, path in files.items()]
    return [source(os.fspath(files))]


def _number(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _no_number(name, value, "a number") from None
    if not isfinite(number):
        raise _no_number(name, value, "a finite number")
    return number


def _count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    try:
        count = index(value)
    except TypeError:
        raise _no_number(name, value, "a whole number above 0") from None
    if count < 1:
        raise _no_number(name, value, "a whole number above 0")
    return count


# Error messages -------------------------------------------------------------------------------------------------------


def _no_number(name: str, value: object, kind: str) -> errors.ProfileError:
    return errors.ProfileError(f"{name}={value!r} is not {kind}; give one, or leave it out")


def _is_in_the_file(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"a file has its own column {name!r}; give labels in its place, or leave {name!r} out")
