"""How well is one class told from the rest? By scikit-learn, on which samples are of it, and which are predicted so."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.answers.score.compute import ClassScores, Curve, ModelScores, Point
from profiler.answers.score.predictions import Predictions
from profiler.answers.score.rules import USUAL_THRESHOLD, Rules

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_POINTS = 1000  # of a curve that is kept


def scored(predictions: Predictions, rules: Rules, pair: tuple[str, str]) -> ModelScores:
    """Raises `errors.ProfileError` where there is no threshold that suits the scores."""
    from sklearn import metrics

    _, positive = pair
    is_true, scores = predictions.truth == _place(predictions, positive), _scores(predictions, positive)
    is_predicted, notes = _predicted(predictions, rules, positive, scores)
    weights = predictions.weights
    undefined: dict[str, Any] = {"zero_division": float("nan"), "sample_weight": weights}
    matrix = metrics.confusion_matrix(is_true, is_predicted, labels=[False, True], sample_weight=weights).tolist()
    beta = rules.beta
    whole = ClassScores(
        positive,
        sum(matrix[1]),
        known(metrics.precision_score(is_true, is_predicted, **undefined)),
        known(metrics.recall_score(is_true, is_predicted, **undefined)),
        known(metrics.recall_score(is_true, is_predicted, pos_label=False, **undefined)),
        known(metrics.f1_score(is_true, is_predicted, **undefined)),
        None if beta is None else known(metrics.fbeta_score(is_true, is_predicted, beta=beta, **undefined)),
        auroc(is_true, scores, weights),
        average_precision(is_true, scores, weights),
    )
    return ModelScores(
        predictions.model,
        len(is_true),
        pair,
        positive,
        float(metrics.accuracy_score(is_true, is_predicted, sample_weight=weights)),
        whole,
        confusion=tuple(map(tuple, matrix)),
        is_weighted=weights is not None,
        has_scores=scores is not None,
        curve=curve(is_true, scores, weights),
        notes=(*notes, *_why_undefined(whole, matrix, scores is not None)),
    )


def known(score: Any) -> float | None:
    """None for scikit-learn's NaN, which is a score that is divided by nothing."""
    return None if isnan(score) else float(score)


def auroc(is_true: NDArray[Any], scores: NDArray[Any] | None, weights: NDArray[Any] | None) -> float | None:
    from sklearn import metrics

    if scores is None or not _weighs(is_true, weights) or not _weighs(~is_true, weights):
        return None
    return float(metrics.roc_auc_score(is_true, scores, sample_weight=weights))


def average_precision(is_true: NDArray[Any], scores: NDArray[Any] | None, weights: NDArray[Any] | None) -> float | None:
    from sklearn import metrics

    if scores is None or not _weighs(is_true, weights):
        return None
    return float(metrics.average_precision_score(is_true, scores, sample_weight=weights))


def _weighs(which: NDArray[Any], weights: NDArray[Any] | None) -> bool:
    """Whether some sample is one of these, and counts."""
    return bool(which.any() if weights is None else weights[which].sum() > 0)


def curve(is_true: NDArray[Any], scores: NDArray[Any] | None, weights: NDArray[Any] | None) -> Curve | None:
    """Precision and recall at each score as the threshold; None without scores, or without a positive sample."""
    import numpy
    from sklearn import metrics

    if scores is None or not _weighs(is_true, weights):
        return None
    precision, recall, thresholds = metrics.precision_recall_curve(is_true, scores, sample_weight=weights)
    precision, recall = precision[:-1], recall[:-1]  # the last point has no threshold
    sums = precision + recall
    f1 = numpy.divide(2 * precision * recall, sums, out=numpy.zeros_like(sums), where=sums > 0)
    kept = numpy.arange(len(thresholds))
    if len(kept) > _MOST_POINTS:
        evenly = numpy.linspace(0, len(kept) - 1, _MOST_POINTS).round().astype(int)
        kept = numpy.unique(numpy.append(evenly, f1.argmax()))
    values = zip(*(column[kept].tolist() for column in (thresholds, precision, recall, f1)), strict=True)
    return Curve(tuple(Point(*value) for value in values), len(thresholds))


def _place(predictions: Predictions, positive: str) -> int:
    """-1 where no sample has that class."""
    return predictions.classes.index(positive) if positive in predictions.classes else -1


def _scores(predictions: Predictions, positive: str) -> NDArray[Any] | None:
    """Of the positive class."""
    scores = predictions.scores
    if scores is None or (scores.ndim == 1 and len(predictions.classes) > 2):
        return None
    return scores if scores.ndim == 1 else scores[:, _place(predictions, positive)]


def _predicted(
    predictions: Predictions, rules: Rules, positive: str, scores: NDArray[Any] | None
) -> tuple[NDArray[Any], list[str]]:
    """Which samples are predicted to be positive, and a note on how that is known."""
    place, threshold = _place(predictions, positive), rules.threshold
    if threshold is not None and scores is None:
        raise errors.ProfileError("--threshold is about scores, and there are none here; leave it out, or add scores")
    if threshold is None and predictions.predicted is not None:
        return predictions.predicted == place, [f"Positive is {positive!r}."]
    if threshold is None and scores is not predictions.scores and predictions.scores is not None:
        return predictions.scores.argmax(axis=1) == place, [
            f"Positive is {positive!r}; predicted is the highest score."
        ]
    assert scores is not None
    if threshold is None and not (scores.min() >= 0 and scores.max() <= 1):
        raise _no_probabilities(float(scores.min()), float(scores.max()))
    threshold = USUAL_THRESHOLD if threshold is None else threshold
    return scores >= threshold, [f"Positive is {positive!r}, predicted from a score of {threshold:g} on."]


def _why_undefined(whole: ClassScores, matrix: list[list[float]], has_scores: bool) -> Iterator[str]:
    """A sentence for each score that is divided by nothing."""
    (true_negative, false_positive), (false_negative, true_positive) = matrix
    if whole.precision is None:
        yield f"Precision is not defined: {whole.name!r} was never predicted."
    if not true_positive + false_negative:
        more = " and F1" * (whole.f1 is None) + ", AUROC and AP" * has_scores
        yield f"Recall{more} {'are' if more else 'is'} not defined: no label is {whole.name!r}."
    if not true_negative + false_positive:
        yield f"Specificity{' and AUROC are' if has_scores else ' is'} not defined: every label is {whole.name!r}."


# Error messages -------------------------------------------------------------------------------------------------------


def _no_probabilities(least: float, most: float) -> errors.ProfileError:
    return errors.ProfileError(
        f"the scores go from {least:g} to {most:g} and are no probabilities, of which 0.5 would be the threshold; say "
        "which it is, as --threshold 0 of logits"
    )
