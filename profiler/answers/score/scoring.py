"""Which scores do files of predictions get? Those of each model in a file, or of a folder of maps of edges."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from profiler import errors
from profiler.answers.score import edges, predictions, several_classes, two_classes
from profiler.answers.score.columns import Column, Unfit
from profiler.answers.score.compute import ModelScores, Scored, named
from profiler.answers.score.predictions import Predictions
from profiler.answers.score.rules import Rules, are_opposites, pair


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
    """Of a command line: two folders are one pair. Raises `errors.ProfileError`."""
    if len(texts) == 2 and all(map(os.path.isdir, texts)):
        return [Source(*texts)]
    found = [source(text) for text in texts]
    for one, times in Counter(found).items():
        if times > 1:
            raise _is_given_twice(one)
    alone = [one.path for one in found if one.truth is None]
    if len(alone) == len(texts) == 2 and sorted(map(_kind, alone)) == [_FOLDER, _NOTHING]:
        raise _no_pair(*sorted(alone, key=_kind))
    return found


_FOLDER, _NOTHING, _FILE = range(3)


def _kind(path: str) -> int:
    if os.path.isdir(path):
        return _FOLDER
    return _FILE if os.path.exists(path) else _NOTHING


def check(of: Sequence[Source], rules: Rules) -> None:
    """Raise `errors.ProfileError` where a rule is about nothing of these; labels in memory have no source."""
    if rules.beta is not None and not 0 < rules.beta < float("inf"):
        raise errors.ProfileError(f"--beta {rules.beta:g}: F-beta takes a number above 0, as 0.5 or 2")
    if rules.tolerance is not None and not any(one.truth for one in of):
        raise _means_nothing("--tolerance", "maps of edges", "there are none here")
    if rules.given and of and all(one.truth for one in of):
        raise _means_nothing(next(iter(rules.given)), "classes", "here are maps of edges alone")


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
        return [edges.scored(of.model or of.path, of.path, of.truth, rules.distance, with_progress)]
    if os.path.isdir(of.path):
        raise _needs_truth(of.path)
    models = predictions.read(of.path)
    if of.model is not None and any(one.model for one in models):
        raise _is_named_twice(of)
    needed()
    return named([_of_file(of.path, one, rules) for one in models], [of.model or of.path] * len(models))


def _of_file(path: str, one: Predictions, rules: Rules) -> ModelScores:
    """What is wrong with it is said of the file."""
    try:
        return of_model(one, rules)
    except errors.ProfileError as error:
        place = f"{path}, {one.model}" if one.model else path
        raise errors.ProfileError(f"{place}: {error}") from error


def told_apart(of_each: Sequence[tuple[Source, Sequence[Scored]]]) -> list[Scored]:
    """All of them; behind the name of models that several files have stands whose they are."""
    times = Counter(one.model for _, scored in of_each for one in scored)
    return [
        replace(one, model=f"{one.model} ({of.text})") if times[one.model] > 1 else one
        for of, scored in of_each
        for one in scored
    ]


def of_arrays(columns: Mapping[str, Any], model: str, rules: Rules) -> Scored:
    """Of labels and what was predicted of them, in memory; raises `errors.ProfileError`."""
    try:
        (one,) = predictions.from_columns({name: _column(name, column) for name, column in columns.items()})
    except errors.Malformed as error:
        remedy = predictions.remedy(error, "give labels, and predictions or scores")
        raise errors.ProfileError(f"these are no predictions: {error}; {remedy}") from None
    return of_model(replace(one, model=model), rules)


def _column(name: str, values: Any) -> Column:
    """An array, a tensor, a frame's column or a list, as a file has them; raises `Unfit`."""
    import numpy

    try:
        array = numpy.asarray(_in_memory(values))
    except Exception as error:  # whatever classes of others raise
        remedy = "give a list, an array, a tensor or a column of pandas"
        raise Unfit(f"its {name} is no array ({errors.first_line(error)})", remedy) from None
    return [str(value) for value in array.tolist()] if array.dtype.kind == "O" else array


def _in_memory(values: Any) -> Any:
    """Tensors, on whichever device and with whatever gradients, as arrays; numpy has no bfloat16."""
    if hasattr(values, "detach"):
        tensor = values.detach().cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return [_in_memory(value) for value in values] if isinstance(values, (list, tuple)) else values


def of_model(one: Predictions, rules: Rules) -> ModelScores:
    """Raises `errors.ProfileError`."""
    needed()
    _check_classes(one)
    classes = pair(one, rules)
    result = several_classes.scored(one, rules) if classes is None else _of_two(one, rules, classes)
    return replace(result, notes=(*result.notes, *_unread(one)))


def _check_classes(one: Predictions) -> None:
    """Raise `errors.ProfileError` where labels and predictions are of different classes, unless scores name both."""
    import numpy

    if one.predicted is None or (one.scores is not None and one.scores.ndim == 2):
        return
    labels, predicted = numpy.unique(one.truth), numpy.unique(one.predicted)
    if not numpy.intersect1d(labels, predicted).size and not are_opposites(one.classes):
        raise _no_class_in_common(*([repr(one.classes[i]) for i in ids] for ids in (labels, predicted)))


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


def _is_given_twice(of: Source) -> errors.ProfileError:
    remedy = "leave one out" if of.model is not None else f"leave one out, or name each, as A={of.text} B={of.text}"
    return errors.ProfileError(f"{of.text} is given twice; {remedy}")


def _no_pair(folder: str, other: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{folder} is a folder and {other} does not exist; give the folder of maps and that of their true edges"
    )


def _means_nothing(option: str, subject: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"{option} is about {subject}, and {why}; leave it out")


def _no_class_in_common(labels: Sequence[str], predicted: Sequence[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"no prediction is one of the labels, which are {errors.some(labels, 3)}, where predictions are "
        f"{errors.some(predicted, 3)}; write the classes of both alike"
    )
