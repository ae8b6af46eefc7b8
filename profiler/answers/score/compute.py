"""How good are predictions? Accuracy, precision, recall and their like; scikit-learn computes what it has.

A score that would be something divided by nothing is None, and a note says why: it is not 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from profiler import errors
from profiler.answers.score.rules import Rules
from profiler.render.answer import Answer
from profiler.render.charts.data import Axis, Tradeoff, TradeoffCurve
from profiler.render.charts.look import Look
from profiler.render.charts.look import read as read_look
from profiler.render.tables import Unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Matrix: TypeAlias = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Of one class against the rest, or a mean of several; None where a score is not defined, or was not asked for.

    name: the class, or which mean it is: "macro", "micro" or "weighted".
    support: the samples that are of it, or their weights.
    precision, recall, specificity, f1, fbeta: as docs/scores.md has their formulas.
    auroc, average_precision: of its scores, where there are any.
    """

    name: str
    support: float | None
    precision: float | None
    recall: float | None
    specificity: float | None
    f1: float | None
    fbeta: float | None = None
    auroc: float | None = None
    average_precision: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """What is reached where a score of a threshold or more is a yes.

    threshold: that score; None where each image has its own.
    precision, recall, f1: of the samples, or pixels.
    """

    threshold: float | None
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Curve:
    """What is reached at each threshold.

    points: by rising threshold; of very many a part.
    thresholds: how many there are.
    """

    points: tuple[Point, ...]
    thresholds: int

    @property
    def best(self) -> Point:
        """That of the highest F1; of several the one with the lowest threshold."""
        return max(self.points, key=lambda point: point.f1)


@dataclass(frozen=True, slots=True)
class ModelScores:
    """The scores of one model.

    model: its name.
    samples: how many there are.
    classes: in the order of `confusion`; of two classes, the positive one is the last.
    positive: of two classes; None of several.
    accuracy: how often the prediction is the label.
    whole: the scores of the positive class; of several classes, their macro average. precision, recall, specificity,
        f1, fbeta, auroc and average_precision are there by their names, too.
    averages, by_class: of several classes.
    top: k, and how often the label is among the k highest scores.
    confusion: a row a label, a column a prediction; None of too many classes.
    is_weighted: whether samples count by their weights.
    has_scores: whether AUROC and average precision can be told, where they are defined.
    curve: of two classes with scores.
    notes: which class is positive, and why a score is not defined.
    """

    model: str
    samples: int
    classes: tuple[str, ...]
    positive: str | None
    accuracy: float
    whole: ClassScores
    averages: tuple[ClassScores, ...] = ()
    by_class: tuple[ClassScores, ...] = ()
    top: tuple[int, float] | None = None
    confusion: Matrix | None = None
    is_weighted: bool = False
    has_scores: bool = False
    curve: Curve | None = None
    notes: tuple[str, ...] = ()

    @property
    def precision(self) -> float | None:
        """That of `whole`, as those below."""
        return self.whole.precision

    @property
    def recall(self) -> float | None:
        return self.whole.recall

    @property
    def specificity(self) -> float | None:
        return self.whole.specificity

    @property
    def f1(self) -> float | None:
        return self.whole.f1

    @property
    def fbeta(self) -> float | None:
        return self.whole.fbeta

    @property
    def auroc(self) -> float | None:
        return self.whole.auroc

    @property
    def average_precision(self) -> float | None:
        return self.whole.average_precision


@dataclass(frozen=True, slots=True)
class EdgeScores:
    """The scores of one detector of edges, over a set of images.

    model: its name.
    images: how many there are.
    ods: with the one threshold that is best for the set; None where it is not defined.
    ois: with the one that is best for each image.
    curve: over thresholds, of the whole set.
    notes: the tolerance, and why a score is not defined.
    """

    model: str
    images: int
    ods: Point | None
    ois: Point | None
    curve: Curve | None
    notes: tuple[str, ...] = ()


Scored: TypeAlias = ModelScores | EdgeScores


@dataclass(frozen=True)
class Scores(Answer):
    """How good the predictions of models are.

    models: the scores of each.
    rules: what was asked for.
    shown: which tables, by their names; none: all that there are.
    top: how many classes are shown.
    look: of the figure.
    """

    models: tuple[Scored, ...]
    rules: Rules = field(default_factory=Rules)
    shown: tuple[str, ...] = ()
    top: int | None = None
    look: Look = field(default_factory=Look)

    def plot(
        self,
        output: str | os.PathLike[str] | None = None,
        *,
        width: str | float | None = None,
        style: str | os.PathLike[str] | None = None,
        title: str = "",
    ) -> Figure:
        """Precision against recall, as a figure of matplotlib; raises `errors.ProfileError` where there is no curve.

        output: the file that it is also written to: .pdf, .svg, .png or .pgf.
        width, style, title: as `profiler.plot` takes them.
        """
        from profiler.answers.common.drawing import drawn

        return drawn(replace(self, look=read_look(width, style, title)), output)

    @cached_property
    def chart(self) -> Tradeoff:
        """Precision against recall, a curve a model; raises `errors.ProfileError` where there is none."""
        drawn = tuple(_drawn(scored) for scored in self.models if scored.curve is not None)
        if not drawn:
            raise _no_curve()
        return Tradeoff(Axis("recall", "Recall", Unit.SCORE), Axis("precision", "Precision", Unit.SCORE), drawn)


def _drawn(scored: Scored) -> TradeoffCurve:
    assert scored.curve is not None
    best = scored.curve.best
    points = tuple((point.recall, point.precision) for point in scored.curve.points)
    return TradeoffCurve(scored.model, points, (best.recall, best.precision), best.f1, best.threshold)


def named(scored: Iterable[Scored], names: Iterable[str]) -> list[Scored]:
    """Those of models without a name under others."""
    return [replace(one, model=one.model or name) for one, name in zip(scored, names, strict=True)]


# Error messages -------------------------------------------------------------------------------------------------------


def _no_curve() -> errors.ProfileError:
    return errors.ProfileError(
        "a curve is precision against recall over thresholds of a score, and there is none here; give scores of two "
        "classes, or choose one of several with --positive"
    )
