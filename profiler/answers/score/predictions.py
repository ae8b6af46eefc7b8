"""Which labels did a model predict, and which are right? Read from columns, one model's or several models'."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.score import columns as files
from profiler.answers.score.columns import Coded, Column, Columns, Unfit
from profiler.errors import Malformed
from profiler.records.files import csv_files
from profiler.records.files.reading import quoted

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL, PREDICTION, SCORE, WEIGHT, MODEL, CLASSES = "label", "prediction", "score", "weight", "model", "classes"
_SCORE_OF = "score_"  # before a class in the name of a column
_MOST_CLASSES = 1 << 16
_TRUTH = {"1": "1", "0": "0", "true": "1", "false": "0"}


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What one model said of each sample, and what is right, as positions in `classes`.

    model: its name; "" where the file does not say it.
    predicted: None where there are scores alone.
    scores: of each class, or one a sample: that of the positive one of two classes.
    weights: of samples; None where all count alike.
    unread: columns that say nothing of this.
    """

    model: str
    classes: tuple[str, ...]
    truth: NDArray[Any]
    predicted: NDArray[Any] | None = None
    scores: NDArray[Any] | None = None
    weights: NDArray[Any] | None = None
    unread: tuple[str, ...] = ()


def are_in(path: str) -> bool:
    """Whether a file has predictions, and not a row of metrics a model: by its suffix, or a CSV file by its columns.

    Those have labels beside predictions or scores; or labels that are the names of columns, as scores by class have it.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix not in csv_files.SUFFIXES:
        return suffix in files.SUFFIXES
    try:
        header, lines = csv_files.with_header(path)
        roles = _roles(header)
        if LABEL not in roles:
            return False
        at = header.index(roles[LABEL])
        return bool({PREDICTION, SCORE} & roles.keys()) or (
            any(name.casefold().startswith(_SCORE_OF) for name in header)
            or {cells[at].strip() for _, cells in lines if at < len(cells)} <= set(header)
        )
    except (OSError, Malformed):
        return False


def read(path: str) -> list[Predictions]:
    """Those of each model in a file; raises `errors.ProfileError`."""
    try:
        return list(from_columns(files.read(path)))
    except OSError as error:
        raise errors.unreadable(path, error, _unreadable) from None
    except Malformed as error:
        raise _bad_predictions(path, error) from None


def from_columns(held: Columns) -> Iterator[Predictions]:
    """Raises `Malformed`."""
    roles = _roles(held)
    if LABEL not in roles:
        raise Malformed(f"it has no column {LABEL!r}, but {errors.some([quoted(name) for name in held])}")
    truth = files.labels(LABEL, held[roles[LABEL]])
    if not len(truth):
        raise Unfit("it has no row under its header", "give one a sample")
    predicted = files.labels(PREDICTION, held[roles[PREDICTION]]) if PREDICTION in roles else None
    rest = [name for name in held if name not in roles.values()]
    by_class, scores = _scores(held, roles, rest, truth)
    if predicted is None and scores is None:
        raise Malformed(f"it has no column {PREDICTION!r} and none of scores")
    weights = _weights(held[roles[WEIGHT]]) if WEIGHT in roles else None
    models = files.coded(MODEL, held[roles[MODEL]]) if MODEL in roles else None
    for column in (predicted, scores, weights, models):
        if column is not None and len(column) != len(truth):
            raise _other_length(len(truth), len(column))
    unread = tuple(name for name in rest if name not in by_class.values())
    yield from _of_each(_joined(truth, predicted, by_class, scores, weights, unread), models)


def _roles(names: Iterable[str]) -> dict[str, str]:
    """The columns that have a meaning by their names: label or labels, in letters of any size."""
    roles: dict[str, str] = {}
    known = {form: role for role in (LABEL, PREDICTION, SCORE, WEIGHT, MODEL) for form in (role, f"{role}s")}
    for name in names:
        role = known.get(name.casefold())
        if role in roles:
            raise _mean_the_same(roles[role], name)
        if role is not None:
            roles[role] = name
    if CLASSES in names:
        roles[CLASSES] = CLASSES
    return roles


def _scores(
    held: Columns, roles: Mapping[str, str], rest: Sequence[str], truth: Coded
) -> tuple[dict[str, str], NDArray[Any] | None]:
    """The column of each class's scores, and the scores: a column a class, or one column."""
    import numpy

    if SCORE in roles:
        scores = files.numbers(SCORE, held[roles[SCORE]])
        if scores.ndim == 1:
            return {}, scores
        if scores.ndim != 2:
            raise Unfit(f"its scores have {scores.ndim} dimensions", "give a row a sample and a column a class")
        names = _canonical(held[CLASSES]) if CLASSES in held else tuple(map(str, range(scores.shape[1])))
        if len(set(names)) != scores.shape[1]:
            raise _other_classes(scores.shape[1], len(set(names)))
        return dict.fromkeys(names, ""), scores
    by_class = {_class(name): name for name in rest if name.casefold().startswith(_SCORE_OF)}
    if not by_class and set(truth.texts) <= set(rest):
        by_class = {text: text for text in truth.texts}
    if not by_class:
        return {}, None
    return by_class, numpy.stack([files.numbers(name, held[name]) for name in by_class.values()], axis=1)


def _class(name: str) -> str:
    return _canonical([name[len(_SCORE_OF) :]])[0]


def _canonical(column: Column) -> tuple[str, ...]:
    coded = files.coded("class", column)
    return tuple(coded.texts[i] for i in coded.ids.tolist())


def _weights(column: Column) -> NDArray[Any]:
    weights: NDArray[Any] = files.numbers(WEIGHT, column)
    if weights.ndim != 1 or (weights < 0).any() or not weights.sum() > 0:
        raise Unfit("a weight of it is below 0, or all are 0", "give weights of 0 or more, of which some are more")
    return weights


def _joined(
    truth: Coded,
    predicted: Coded | None,
    by_class: Mapping[str, str],
    scores: NDArray[Any] | None,
    weights: NDArray[Any] | None,
    unread: tuple[str, ...],
) -> Predictions:
    """All as positions in the same classes, in their order."""
    import numpy

    truth, predicted, by_class = _written_alike(truth, predicted, by_class)
    names = set(truth.texts) | (set(predicted.texts) if predicted is not None else set()) | set(by_class)
    if len(names) > _MOST_CLASSES:
        raise _too_many_classes(len(names))
    if by_class and (without := sorted(names - set(by_class))):
        raise Unfit(f"its label {quoted(without[0])} has no column of scores", "give each class one")
    classes = in_order(names)
    place = {name: i for i, name in enumerate(classes)}

    def placed(coded: Coded) -> NDArray[Any]:
        ids: NDArray[Any] = numpy.asarray([place[text] for text in coded.texts], numpy.int64)[coded.ids]
        return ids

    if by_class and scores is not None:
        scores = scores[:, numpy.argsort([place[name] for name in by_class])]
    return Predictions("", classes, placed(truth), placed(predicted) if predicted else None, scores, weights, unread)


def _written_alike(
    truth: Coded, predicted: Coded | None, by_class: Mapping[str, str]
) -> tuple[Coded, Coded | None, Mapping[str, str]]:
    """The same truth value is one class, whether it is True, true or 1."""
    several = [coded for coded in (truth, predicted) if coded is not None]
    alike = _spelling({text for coded in several for text in coded.texts} | set(by_class))
    if not alike:
        return truth, predicted, by_class
    written: dict[str, str] = {}
    for name in by_class:
        if written.setdefault(alike[name], name) != name:
            raise _mean_the_same(written[alike[name]], name)
    classes = {alike[name]: column for name, column in by_class.items()}
    renamed = [Coded(coded.ids, tuple(alike[text] for text in coded.texts)) for coded in several]
    return renamed[0], renamed[1] if predicted is not None else None, classes


def _spelling(names: set[str]) -> Mapping[str, str]:
    """Of truth values in several spellings the one for each: 1 and 0 where there are numbers; else empty."""
    if not all(name.casefold() in _TRUTH for name in names):
        return {}
    numbers = {name: _TRUTH[name.casefold()] for name in names}
    are_numbers = [name == number for name, number in numbers.items()]
    if any(are_numbers) and not all(are_numbers):
        return numbers
    return {name: name.capitalize() for name in names} if len(set(numbers.values())) < len(names) else {}


def is_truth(name: str, other: str) -> bool:
    """Whether two names are of the same truth value."""
    return _TRUTH.get(name.casefold(), name) == _TRUTH.get(other.casefold(), other)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Classes by number where all are whole numbers, else by name."""
    names = list(names)
    is_whole = all(name.isascii() and name.lstrip("-").isdigit() and len(name) < 20 for name in names)
    return tuple(sorted(names, key=lambda name: (int(name), name)) if is_whole else sorted(names))


def _of_each(whole: Predictions, models: Coded | None) -> Iterator[Predictions]:
    """Those of each model, whose classes are those of its own labels, predictions and scores."""
    import numpy

    if models is None:
        yield whole
        return
    for number, model in enumerate(models.texts):
        rows = models.ids == number
        truth, predicted = whole.truth[rows], None if whole.predicted is None else whole.predicted[rows]
        scores = None if whole.scores is None else whole.scores[rows]
        weights = None if whole.weights is None else whole.weights[rows]
        classes = whole.classes
        if scores is None or scores.ndim == 1:
            used = numpy.unique(truth if predicted is None else numpy.concatenate([truth, predicted]))
            classes = tuple(classes[i] for i in used)
            truth = numpy.searchsorted(used, truth)
            predicted = None if predicted is None else numpy.searchsorted(used, predicted)
        yield Predictions(model, classes, truth, predicted, scores, weights, whole.unread)


# Error messages -------------------------------------------------------------------------------------------------------


_NEEDED = f"give a column {LABEL!r}, and {PREDICTION!r} or scores, of CSV, Parquet or NPZ (docs/scores.md)"


def remedy(error: Malformed, needed: str = _NEEDED) -> str:
    """What to do: of most errors, to give the columns that are needed."""
    return error.remedy if isinstance(error, Unfit) else needed


def _bad_predictions(path: str, error: Malformed) -> errors.ProfileError:
    return errors.ProfileError(f"{path} cannot be read as predictions: {error}; {remedy(error)}")


def _unreadable(path: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path} cannot be read as predictions: {why}; name a file of CSV, Parquet or NPZ")


def _other_length(labels: int, others: int) -> Unfit:
    words = [f"{count:,} {word}{'s' * (count != 1)}" for count, word in ((labels, "label"), (others, "value"))]
    return Unfit(f"it has {words[0]}, and {words[1]} in another column", "give one of each a sample")


def _mean_the_same(first: str, second: str) -> Unfit:
    return Unfit(f"its columns {quoted(first)} and {quoted(second)} mean the same", "leave out one of them")


def _other_classes(columns: int, classes: int) -> Unfit:
    return Unfit(f"its scores have {columns:,} columns, and its classes are {classes:,}", "give each class a column")


def _too_many_classes(classes: int) -> Unfit:
    return Unfit(
        f"it has {classes:,} labels that differ, and {_MOST_CLASSES:,} classes are the most",
        "give labels of fewer classes",
    )
