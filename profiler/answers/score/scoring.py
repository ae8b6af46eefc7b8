"""Which scores do files of predictions get? Those of each model in a file, or of a folder of maps of edges."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from profiler import errors
from profiler.answers.score import edges, predictions, several_classes, two_classes
from profiler.answers.score.columns import Column
from profiler.answers.score.compute import ModelScores, Scored, named
from profiler.answers.score.predictions import Predictions
from profiler.answers.score.rules import Rules, pair


@dataclass(frozen=True, slots=True)
class Source:
    """A file of predictions, or a folder of maps and that of their truths. model: its name, where one is given."""

    path: str
    truth: str | None = None
    model: str | None = None

    @property
    def text(self) -> str:
        return self.path if self.truth is None else f"{self.path},{self.truth}"


def source(text: str) -> Source:
    """Read `FILE`, `PREDICTED,TRUTH`, and either behind `MODEL=`, where no file is called so."""
    model, equals, rest = text.rpartition("=")
    if equals and not os.path.exists(text) and _folders(text) is None:
        return replace(source(rest), model=model)
    path, truth = _folders(text) or (text, None)
    return Source(path, truth)


def sources(texts: Sequence[str]) -> list[Source]:
    """Of a command line: two folders are one pair."""
    if len(texts) == 2 and all(map(os.path.isdir, texts)):
        return [Source(*texts)]
    return [source(text) for text in texts]


def _folders(text: str) -> tuple[str, str] | None:
    """The two folders that a comma parts; None where they are none."""
    ends = [i for i, character in enumerate(text) if character == ","]
    parted = ((text[:i], text[i + 1 :]) for i in ends)
    return next((pair for pair in parted if all(map(os.path.isdir, pair))), None)


def scored(
    of: Source,
    rules: Rules,
    with_progress: Callable[[Sequence[Any], Sequence[str]], Iterable[Any]] = lambda items, names: items,
) -> list[Scored]:
    """Of each model in a file; raises `errors.ProfileError`."""
    if of.truth is not None:
        return [edges.scored(of.model or of.path, of.path, of.truth, rules.tolerance, with_progress)]
    if os.path.isdir(of.path):
        raise _needs_truth(of.path)
    models = predictions.read(of.path)
    if of.model is not None and any(one.model for one in models):
        raise _is_named_twice(of)
    return named([of_model(one, rules) for one in models], [of.model or of.path] * len(models))


def of_arrays(columns: Mapping[str, Any], model: str, rules: Rules) -> Scored:
    """Of labels and what was predicted of them, in memory; raises `errors.ProfileError`."""
    try:
        (one,) = predictions.from_columns({name: _column(column) for name, column in columns.items()})
    except errors.Malformed as error:
        raise errors.ProfileError(
            f"these are no predictions: {error}; give labels, and predictions or scores"
        ) from None
    return of_model(replace(one, model=model), rules)


def _column(values: Any) -> Column:
    """An array, a tensor, a frame's column or a list, as a file has them."""
    import numpy

    array = numpy.asarray(values)
    return [str(value) for value in array.tolist()] if array.dtype.kind == "O" else array


def of_model(one: Predictions, rules: Rules) -> ModelScores:
    """Raises `errors.ProfileError`."""
    needed()
    if rules.beta is not None and not 0 < rules.beta < float("inf"):
        raise errors.ProfileError(f"--beta {rules.beta:g}: F-beta takes a number above 0, as 0.5 or 2")
    classes = pair(one, rules)
    result = several_classes.scored(one, rules) if classes is None else _of_two(one, rules, classes)
    return replace(result, notes=(*result.notes, *_unread(one)))


def _of_two(one: Predictions, rules: Rules, classes: tuple[str, str]) -> ModelScores:
    if rules.top_k is not None:
        raise errors.ProfileError("--top-k is about several classes, and here are two; leave it out")
    return two_classes.scored(one, rules, classes)


def _unread(one: Predictions) -> list[str]:
    return [f"Columns not used: {errors.some(one.unread)}."] if one.unread else []


def needed() -> None:
    """Raise `errors.MissingPackage` where scikit-learn is not installed."""
    try:
        import sklearn.metrics  # noqa: F401
    except ImportError:
        raise errors.MissingPackage("scikit-learn", "is not installed", "scikit-learn") from None


# Error messages -------------------------------------------------------------------------------------------------------


def _needs_truth(folder: str) -> errors.ProfileError:
    return errors.ProfileError(f"{folder} is a folder; give that of the true edges behind it, as {folder},TRUTH")


def _is_named_twice(of: Source) -> errors.ProfileError:
    return errors.ProfileError(
        f"{of.path} says which models its predictions are of, so {of.model}= cannot; leave one of them out"
    )
