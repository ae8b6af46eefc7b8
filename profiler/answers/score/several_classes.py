"""How well are several classes told apart? Each against the rest, and their macro, micro and weighted averages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.score.compute import ClassScores, Matrix, ModelScores
from profiler.answers.score.predictions import Predictions
from profiler.answers.score.rules import Rules
from profiler.answers.score.two_classes import auroc, average_precision, known

if TYPE_CHECKING:
    from numpy.typing import NDArray

MACRO, MICRO, WEIGHTED = AVERAGES = ("macro", "micro", "weighted")
_MOST_IN_MATRIX = 1000  # classes
_USUAL_TOP = 5


def scored(predictions: Predictions, rules: Rules) -> ModelScores:
    """Raises `errors.ProfileError` where a rule is about two classes, or about scores and there are none."""
    from sklearn import metrics

    if rules.threshold is not None:
        raise _two_classes_alone(len(predictions.classes))
    classes, truth, scores, weights = predictions.classes, predictions.truth, predictions.scores, predictions.weights
    scores = None if scores is None or scores.ndim == 1 else scores
    predicted = predictions.predicted
    if predicted is None:
        if scores is None:
            raise _one_score(len(classes))
        predicted = scores.argmax(axis=1)
    by_class = _by_class(predictions, predicted, scores, rules.beta)
    averages = tuple(_average(name, predictions, predicted, by_class, rules.beta) for name in AVERAGES)
    matrix: Matrix | None = None
    if len(classes) <= _MOST_IN_MATRIX:
        labels = range(len(classes))
        held = metrics.confusion_matrix(truth, predicted, labels=labels, sample_weight=weights)
        matrix = tuple(map(tuple, held.tolist()))
    return ModelScores(
        predictions.model,
        len(truth),
        classes,
        None,
        float(metrics.accuracy_score(truth, predicted, sample_weight=weights)),
        averages[0],
        averages,
        by_class,
        _top(truth, scores, weights, len(classes), rules.top_k),
        matrix,
        weights is not None,
        scores is not None,
        notes=tuple(_notes(predictions, by_class, scores)),
    )


def _by_class(
    predictions: Predictions, predicted: NDArray[Any], scores: NDArray[Any] | None, beta: float | None
) -> tuple[ClassScores, ...]:
    import numpy
    from sklearn import metrics

    truth, weights, count = predictions.truth, predictions.weights, len(predictions.classes)
    counts = metrics.multilabel_confusion_matrix(truth, predicted, labels=range(count), sample_weight=weights)
    true_negatives, false_positives = counts[:, 0, 0].astype(float), counts[:, 0, 1]
    negatives = true_negatives + false_positives
    columns = _scored(predictions, predicted, None, beta)
    specificity = numpy.divide(true_negatives, negatives, out=numpy.full(count, numpy.nan), where=negatives > 0)
    support = (counts[:, 1, 0] + counts[:, 1, 1]).tolist()
    rows = zip(predictions.classes, support, *columns[:2], specificity, *columns[2:], strict=True)
    return tuple(
        ClassScores(
            name,
            in_all,
            known(precision),
            known(recall),
            known(specific),
            known(f1),
            None if beta is None else known(fbeta),
            None if scores is None else auroc(truth == i, scores[:, i], weights),
            None if scores is None else average_precision(truth == i, scores[:, i], weights),
        )
        for i, (name, in_all, precision, recall, specific, f1, fbeta) in enumerate(rows)
    )


def _scored(predictions: Predictions, predicted: NDArray[Any], average: Any, beta: float | None) -> Any:
    """Precision, recall, F1 and F-beta: of each class, or an average of them."""
    from sklearn import metrics

    given: dict[str, Any] = {
        "labels": range(len(predictions.classes)),
        "average": average,
        "sample_weight": predictions.weights,
        "zero_division": float("nan"),
    }
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(predictions.truth, predicted, **given)
    fbeta = f1 if beta is None else metrics.fbeta_score(predictions.truth, predicted, beta=beta, **given)
    return precision, recall, f1, fbeta


def _average(
    name: str,
    predictions: Predictions,
    predicted: NDArray[Any],
    by_class: Sequence[ClassScores],
    beta: float | None,
) -> ClassScores:
    """Classes whose score is not defined are left out of its mean, as scikit-learn does it."""
    precision, recall, f1, fbeta = map(known, _scored(predictions, predicted, name, beta))
    supports = [of.support or 0.0 for of in by_class]
    weights = supports if name == WEIGHTED else [1.0] * len(supports)
    if name == MICRO:
        means: list[float | None] = [_micro_specificity(predictions, predicted), None, None]
    else:
        columns = zip(*((of.specificity, of.auroc, of.average_precision) for of in by_class), strict=True)
        means = [_mean(column, weights) for column in columns]
    return ClassScores(name, sum(supports), precision, recall, means[0], f1, fbeta if beta else None, *means[1:])


def _micro_specificity(predictions: Predictions, predicted: NDArray[Any]) -> float | None:
    from sklearn import metrics

    labels = range(len(predictions.classes))
    counts = metrics.multilabel_confusion_matrix(
        predictions.truth, predicted, labels=labels, sample_weight=predictions.weights
    ).sum(axis=0)
    negatives = counts[0].sum()
    return float(counts[0, 0] / negatives) if negatives else None


def _mean(scores: Sequence[float | None], weights: Sequence[float]) -> float | None:
    import numpy

    pairs = [(score, weight) for score, weight in zip(scores, weights, strict=True) if score is not None and weight]
    return float(numpy.average([score for score, _ in pairs], weights=[w for _, w in pairs])) if pairs else None


def _top(
    truth: NDArray[Any], scores: NDArray[Any] | None, weights: NDArray[Any] | None, classes: int, k: int | None
) -> tuple[int, float] | None:
    from sklearn import metrics

    if scores is None:
        if k is not None:
            raise errors.ProfileError("--top-k is about scores by class, and there are none here; leave it out")
        return None
    k = k or (_USUAL_TOP if classes > _USUAL_TOP else None)
    if k is None:
        return None
    if k >= classes:
        raise errors.ProfileError(f"--top-k {k}: of {classes} classes the label is always among so many; give less")
    score = metrics.top_k_accuracy_score(truth, scores, k=k, labels=range(classes), sample_weight=weights)
    return k, float(score)


def _notes(predictions: Predictions, by_class: Sequence[ClassScores], scores: NDArray[Any] | None) -> Iterator[str]:
    if predictions.predicted is None:
        yield "Predicted is the class of the highest score."
    elif predictions.scores is not None and scores is None:
        yield f"One score a sample says nothing of {len(by_class)} classes; not used."
    never, missing = ([of.name for of in by_class if getattr(of, score) is None] for score in ("precision", "recall"))
    left_out = "not defined, and left out of averages"
    if never:
        yield f"Precision of classes that were never predicted is {left_out}: {errors.some(never)}."
    if missing:
        also = ", AUROC and AP" * (scores is not None)
        yield f"Recall{also} of classes that no label has is {left_out}: {errors.some(missing)}."
    if len(by_class) > _MOST_IN_MATRIX:
        yield f"No confusion matrix: {_MOST_IN_MATRIX:,} classes are the most that one is made of."


# Error messages -------------------------------------------------------------------------------------------------------


def _two_classes_alone(classes: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"--threshold is about one class against the rest, and there are {classes}; choose one with --positive"
    )


def _one_score(classes: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"one score a sample does not say which of {classes} classes is predicted; add a column 'prediction', or one "
        "of scores for each class"
    )
