"""Scores are what their definitions say, counted here one sample at a time; where they are 0/0 they are not defined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from profiler import ProfileError, score
from profiler.answers.score.compute import ModelScores

CLASSES = ("a", "b", "c", "d")


def scored(labels: object, predictions: object = None, scores: object = None, **rules: object) -> ModelScores:
    (one,) = score(labels, predictions, scores, **rules).models  # type: ignore[arg-type]
    assert isinstance(one, ModelScores)
    return one


def quotient(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def one_against_the_rest(pairs: Sequence[tuple[str, str]], of: str) -> tuple[int, int, int, int]:
    """True and false positives, false and true negatives."""
    counts = [sum((y == of, p == of) == cell for y, p in pairs) for cell in ((True, True), (False, True))]
    return (*counts, *(sum((y == of, p == of) == cell for y, p in pairs) for cell in ((True, False), (False, False))))


@pytest.mark.parametrize(
    ("tp", "fp", "fn", "tn", "expected"),
    [
        (30, 10, 20, 40, (70 / 100, 30 / 40, 30 / 50, 40 / 50, 60 / 90)),
        (0, 0, 1, 199, (199 / 200, None, 0 / 1, 199 / 199, 0 / 1)),  # always "no": the accuracy paradox
        (0, 0, 0, 5, (1, None, None, 5 / 5, None)),  # no positives, and none predicted
        (0, 3, 0, 5, (5 / 8, 0 / 3, None, 5 / 8, 0 / 3)),  # no positives
        (4, 0, 0, 0, (1, 4 / 4, 4 / 4, None, 8 / 8)),  # nothing but positives
        (0, 2, 3, 0, (0, 0 / 2, 0 / 3, 0 / 2, 0 / 5)),  # all wrong
    ],
)
def test_of_two_classes(tp: int, fp: int, fn: int, tn: int, expected: tuple[float | None, ...]) -> None:
    labels = ["yes"] * tp + ["no"] * fp + ["yes"] * fn + ["no"] * tn
    predictions = ["yes"] * (tp + fp) + ["no"] * (fn + tn)
    one = scored(labels, predictions)
    whole = one.whole
    assert (one.accuracy, whole.precision, whole.recall, whole.specificity, whole.f1) == pytest.approx(expected)
    assert one.confusion == ((tn, fp), (fn, tp))
    assert (one.positive, one.classes, one.samples) == ("yes", ("no", "yes"), tp + fp + fn + tn)


PAIRS = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=40)


@given(PAIRS, st.sampled_from([0.5, 1, 2]))
def test_of_several_classes(pairs: list[tuple[str, str]], beta: float) -> None:
    """Each against the rest; their averages are of those that are defined."""
    labels, predictions = zip(*[*pairs, ("a", "b"), ("c", "a")], strict=True)  # three classes at least
    counted = list(zip(labels, predictions, strict=True))
    one = scored(labels, predictions, beta=beta)
    for of in one.by_class:
        tp, fp, fn, tn = one_against_the_rest(counted, of.name)
        assert of.support == tp + fn
        expected = (
            quotient(tp, tp + fp),
            quotient(tp, tp + fn),
            quotient(tn, tn + fp),
            quotient(2 * tp, 2 * tp + fp + fn),
        )
        assert (of.precision, of.recall, of.specificity, of.f1) == pytest.approx(expected)
        weight = beta * beta
        assert of.fbeta == pytest.approx(quotient((1 + weight) * tp, (1 + weight) * tp + weight * fn + fp))
    macro, micro, weighted = one.averages
    right = sum(label == prediction for label, prediction in counted)
    assert one.accuracy == pytest.approx(right / len(counted))
    assert (micro.precision, micro.recall, micro.f1) == pytest.approx((one.accuracy,) * 3)
    wrong, others = len(counted) - right, (len(one.classes) - 1) * len(counted)
    assert micro.specificity == pytest.approx((others - wrong) / others)
    for name, (average, weights) in product(
        ("precision", "recall", "specificity", "f1"),
        ((macro, [1.0] * len(one.classes)), (weighted, [of.support or 0.0 for of in one.by_class])),
    ):
        known = [
            (getattr(of, name), w) for of, w in zip(one.by_class, weights, strict=True) if getattr(of, name) is not None
        ]
        total = sum(w for _, w in known)
        assert getattr(average, name) == pytest.approx(quotient(sum(value * w for value, w in known), total))


@given(PAIRS)
def test_confusions_are_counted(pairs: list[tuple[str, str]]) -> None:
    labels, predictions = zip(*[*pairs, ("a", "b"), ("c", "a")], strict=True)
    one = scored(labels, predictions)
    assert one.confusion == tuple(
        tuple(
            sum((y, p) == cell for y, p in zip(labels, predictions, strict=True))
            for cell in ((r, c) for c in one.classes)
        )
        for r in one.classes
    )


SCORED = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40)  # many ties


@given(SCORED)
def test_auroc_is_the_chance_that_a_positive_has_the_higher_score(pairs: list[tuple[bool, int]]) -> None:
    """Ties are halves. Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982)."""
    labels, scores = [int(y) for y, _ in pairs], [s / 6 for _, s in pairs]
    ups, downs = ([s for y, s in pairs if y == is_one] for is_one in (True, False))
    wins = sum((up > down) + 0.5 * (up == down) for up, down in product(ups, downs))
    whole = scored(labels, scores=scores).whole
    assert whole.auroc == pytest.approx(quotient(wins, len(ups) * len(downs)))


@given(SCORED)
def test_average_precision_and_the_curve(pairs: list[tuple[bool, int]]) -> None:
    """The sum over thresholds of precision times what recall grows by; the curve has each threshold's counts."""
    labels, scores = [int(y) for y, _ in pairs], [s / 6 for _, s in pairs]
    one = scored(labels, scores=scores)
    positives = sum(labels)
    if not positives:
        assert one.curve is None
        assert one.whole.average_precision is None
        return
    expected, before, points = 0.0, 0.0, []
    for threshold in sorted(set(scores), reverse=True):
        predicted = [y for y, s in zip(labels, scores, strict=True) if s >= threshold]
        precision, recall = sum(predicted) / len(predicted), sum(predicted) / positives
        expected, before = expected + precision * (recall - before), recall
        f1 = 2 * sum(predicted) / (len(predicted) + positives)
        points.append((threshold, precision, recall, f1))
    assert one.whole.average_precision == pytest.approx(expected)
    assert one.curve is not None
    # thresholds below that of full recall may be left out: they change precision alone
    kept = [(p.threshold, p.precision, p.recall, p.f1) for p in one.curve.points]
    assert np.array(kept) == pytest.approx(np.array(points[::-1]))
    assert one.curve.best.f1 == pytest.approx(max(f1 for *_, f1 in points))


@given(
    st.lists(st.tuples(st.sampled_from(CLASSES), st.permutations(range(4))), min_size=1, max_size=20), st.integers(1, 3)
)
def test_of_scores_by_class(rows: list[tuple[str, list[int]]], k: int) -> None:
    labels, scores = [label for label, _ in rows], np.array([order for _, order in rows], float)
    one = scored(labels, scores=scores, classes=CLASSES, top_k=k)
    places = [
        sorted(row, reverse=True).index(row[CLASSES.index(y)]) for y, row in zip(labels, scores.tolist(), strict=True)
    ]
    assert one.top == (k, pytest.approx(sum(place < k for place in places) / len(rows)))
    assert one.accuracy == pytest.approx(sum(place == 0 for place in places) / len(rows))
    for i, of in enumerate(one.by_class):
        ups, downs = (
            [row[i] for y, row in zip(labels, scores, strict=True) if (y == of.name) == is_one]
            for is_one in (True, False)
        )
        wins = sum((up > down) + 0.5 * (up == down) for up, down in product(ups, downs))
        assert of.auroc == pytest.approx(quotient(wins, len(ups) * len(downs)))


@given(PAIRS)
def test_a_sample_of_weight_two_is_two_samples(pairs: list[tuple[str, str]]) -> None:
    labels, predictions = zip(*[*pairs, ("a", "b"), ("c", "a")], strict=True)
    weights = [1 + i % 3 for i in range(len(labels))]
    weighted = scored(labels, predictions, weights=weights)
    repeated = scored(np.repeat(labels, weights), np.repeat(predictions, weights))
    assert weighted.accuracy == pytest.approx(repeated.accuracy)
    for one, other in zip(
        (*weighted.averages, *weighted.by_class), (*repeated.averages, *repeated.by_class), strict=True
    ):
        assert (one.support, one.precision, one.recall, one.specificity, one.f1) == pytest.approx(
            (other.support, other.precision, other.recall, other.specificity, other.f1)
        )


FUNCTIONS: dict[str, Callable[..., float]] = {
    "precision": metrics.precision_score, "recall": metrics.recall_score, "f1": metrics.f1_score,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("classes", [2, 3, 9])
def test_as_scikit_learn(name: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    labels, predictions = rng.integers(0, classes, (2, 500))
    one = scored(labels, predictions)
    average = "binary" if classes == 2 else "macro"
    assert getattr(one.whole, name) == pytest.approx(FUNCTIONS[name](labels, predictions, average=average))


# Which class is positive, and from which score on ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["0", "1"], "1"),
        (["True", "False"], "True"),
        (["yes", "maybe"], "yes"),
        (["cat", "dog"], "dog"),
        ([10, 9], "10"),
        (["no", "no"], "yes"),
        (["False", "False"], "True"),
        ([0, 0.0], "1"),
        (["cat", "cat"], "cat"),
    ],
)
def test_the_positive_class(labels: list[object], expected: str) -> None:
    answer = score(labels, labels)
    assert answer.models[0].positive == expected  # type: ignore[union-attr]
    assert f"Positive is '{expected}'" in str(answer)


def test_the_positive_class_is_chosen() -> None:
    labels, predictions = ["a", "b", "b"], ["a", "a", "b"]
    assert scored(labels, predictions, positive="a").whole.precision == pytest.approx(1 / 2)
    assert scored(labels, predictions, positive="b").whole.precision == pytest.approx(1 / 1)
    assert (
        scored([0, 1, 1], [0, 0, 1], positive=0).whole.recall == scored([0, 1], [0, 1], positive="0").whole.recall == 1
    )
    of_three = scored(["a", "b", "c"], ["a", "c", "c"], positive="c")
    assert of_three.confusion == ((1, 1), (0, 1))
    assert of_three.classes == ("not c", "c")
    with pytest.raises(ProfileError, match="--positive z: no label is called so; choose from a, b"):
        score(labels, predictions, positive="z")


@pytest.mark.parametrize(
    ("labels", "predictions", "classes"),
    [
        ([1, 0, 1, 0], [True, False, True, False], ("0", "1")),
        ([True, False, True, False], [1, 0, 1, 0], ("0", "1")),
        (["1", "0", "1", "0"], ["TRUE", "false", "true", "False"], ("0", "1")),
        (["True", "False", "True", "False"], ["true", "false", "true", "FALSE"], ("False", "True")),
        (["true", "FALSE", "true", "FALSE"], ["true", "FALSE", "true", "FALSE"], ("FALSE", "true")),
    ],
)
def test_a_truth_value_is_one_class_however_it_is_written(
    labels: list[object], predictions: list[object], classes: tuple[str, ...]
) -> None:
    one = scored(labels, predictions)
    assert (one.classes, one.accuracy, one.positive) == (classes, 1, classes[1])
    assert one.confusion == ((2, 0), (0, 2))
    for positive in (1, True, "true"):
        assert scored(labels, predictions, positive=positive).positive == classes[1]


def test_truth_values_that_have_scores_by_class() -> None:
    scores = [[0.9, 0.1], [0.2, 0.8]]  # of 0, and of 1
    assert scored([False, True], scores=scores).classes == ("0", "1")
    assert scored([0, 1], scores=scores, classes=["false", "true"]).accuracy == 1
    with pytest.raises(ProfileError, match="'1' and 'true' mean the same; leave out one of them"):
        score([0, 1, 1], scores=np.eye(3), classes=["0", "1", "true"])


def test_opposites_may_have_no_class_in_common() -> None:
    assert scored([0, 0], [1, 1]).accuracy == scored(["no"], ["yes"]).accuracy == 0
    assert scored(["a", "a"], ["c", "c"], np.eye(3)[:2], classes=["a", "b", "c"]).accuracy == 0


def test_scores_have_their_names_at_the_model() -> None:
    one = scored([0, 1, 1], [0, 0, 1], [0.1, 0.2, 0.9], beta=2)
    for name in ("precision", "recall", "specificity", "f1", "fbeta", "auroc", "average_precision"):
        assert getattr(one, name) == getattr(one.whole, name) is not None


def test_the_threshold() -> None:
    labels, scores = [0, 0, 1, 1], [0.1, 0.5, 0.4, 0.9]
    assert scored(labels, scores=scores).confusion == ((1, 1), (1, 1))
    assert scored(labels, scores=scores, threshold=0.4).confusion == ((1, 1), (0, 2))
    assert scored(labels, [0, 0, 0, 0], scores).confusion == ((2, 0), (2, 0))  # predictions are taken as they are
    assert scored(labels, [0, 0, 0, 0], scores, threshold=0.6).confusion == ((2, 0), (1, 1))
    with pytest.raises(ProfileError, match="the scores go from -2 to 3 and are no probabilities"):
        score(labels, scores=[-2, 1, 0, 3])
    assert scored(labels, scores=[-2, 1, 0, 3], threshold=0).confusion == ((1, 1), (0, 2))


@pytest.mark.parametrize(
    ("arguments", "rules", "says"),
    [
        (([0, 1], [0, 1]), {"threshold": 0.4}, "--threshold is about scores"),
        (([0, 1], [0, 1]), {"top_k": 2}, "--top-k is about several classes"),
        (([0, 1], [0, 1]), {"beta": 0}, "--beta 0: F-beta takes a number above 0"),
        (([0, 1, 2], [0, 1, 2]), {"threshold": 0.4}, "choose one with --positive"),
        (([0, 1, 2], [0, 1, 2]), {"top_k": 2}, "--top-k is about scores by class"),
        (([0, 1, 2], None, np.eye(3)), {"top_k": 3}, "--top-k 3: of 3 classes the label is always among so many"),
        (([0, 1, 2], None, [0.1, 0.2, 0.3]), {}, "one score a sample does not say which of 3 classes is predicted"),
        (([0, 1], [0, 1]), {"show": ["pie"]}, "--show pie is not known"),
        (([0, 1], [0, 1]), {"show": ["curve"]}, "--show curve: there is none here"),
        (([0, 1], [0]), {}, "it has 2 labels, and 1 value in another column; give one of each"),
        (([], []), {}, "no row under its header"),
        (([0, 1], None), {}, "no column 'prediction' and none of scores"),
        (([0, 3], None, np.eye(2)), {}, "its label '3' has no column of scores"),
        (([0, 1], None, [0.5, float("nan")]), {}, "row 2 has nan as its score"),
        (([0, 1], [0, 1]), {"weights": [1, -1]}, "a weight of it is below 0"),
        (([0, 1], None, [0.1, 0.9]), {"threshold": "x"}, "threshold='x' is not a number; give one, or leave it out"),
        (([0, 1], None, [0.1, 0.9]), {"threshold": float("nan")}, "threshold=nan is not a finite number"),
        (([0, 1], [0, 1]), {"beta": []}, r"beta=\[\] is not a number"),
        (([0, 1, 2], None, np.eye(3)), {"top_k": 0}, "top_k=0 is not a whole number above 0"),
        (([0, 1, 2], None, np.eye(3)), {"top_k": "x"}, "top_k='x' is not a whole number above 0"),
        (([0, 1], [0, 1]), {"tolerance": 0.1}, "--tolerance is about maps of edges, and there are none here"),
        (([0, 1], None, [[0.1, 0.9], [0.2]]), {}, "its score is no array"),
        (([0, 1], [0.2, 0.9]), {}, "row 1 has 0.2 as its prediction, and a class is a text, a truth value or a whole"),
        (([1.5, 1], [1, 1]), {}, "row 1 has 1.5 as its label.*; call a column of scores 'score', and round"),
        ((["a", "b"], ["c", "d"]), {}, "which are 'a', 'b', where predictions are 'c', 'd'; write the classes of both"),
        (([0, 1], ["no", "yes"]), {}, "no prediction is one of the labels"),
    ],
)  # fmt: skip
def test_what_cannot_be(arguments: tuple[object, ...], rules: dict[str, object], says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        score(*arguments, **rules)  # type: ignore[arg-type]


def test_a_long_curve_is_thinned_and_keeps_its_best() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 5000), rng.random(5000)
    curve = scored(labels, scores=scores).curve
    assert curve is not None
    assert len(curve.points) <= 1001 < curve.thresholds
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    assert curve.best.f1 == pytest.approx(max(2 * precision * recall / (precision + recall)))


def test_a_thousand_classes_have_no_room_for_a_matrix() -> None:
    labels = np.arange(1001)
    one = scored(labels, labels)
    assert one.confusion is None
    assert "No confusion matrix: 1,000 classes are the most that one is made of." in one.notes
    assert one.accuracy == 1
