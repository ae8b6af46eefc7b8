"""How are scores shown? A row a model; its classes, the matrix of confusions, and precision against recall."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from profiler import errors
from profiler.answers.score.compute import EdgeScores, ModelScores, Point, Scored, Scores
from profiler.render import numbers
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit

SCORES, BY_CLASS, CONFUSION, CURVE = TABLES = ("scores", "classes", "confusion", "curve")
_MOST_IN_MATRIX = 12  # classes that a page has room for
_MOST_CLASSES, _MOST_CONFUSIONS, _MOST_POINTS = 50, 20, 11  # rows


def _column(name: str, heading: str, unit: Unit = Unit.SCORE, rank: int = 0, most: int | None = None) -> Column:
    return Column(name, heading, unit, rank=rank, most=most)


_MODEL = _column("model", "Model", Unit.TEXT, most=40)
_PRECISION, _RECALL, _F1 = _column("precision", "Precision"), _column("recall", "Recall"), _column("f1", "F1")
_OF_CLASS = (
    _PRECISION,
    _RECALL,
    _column("specificity", "Specificity", rank=2),
    _F1,
    _column("fbeta", "F-beta"),
    _column("auroc", "AUROC", rank=1),
    _column("average_precision", "AP", rank=1),
)
_POINT = (_column("threshold", "Threshold"), _PRECISION, _RECALL, _F1)
_EDGES = (
    _column("ods", "ODS"),
    _column("ods_threshold", "at", rank=2),
    _column("ods_precision", "Precision", rank=1),
    _column("ods_recall", "Recall", rank=1),
    _column("ois", "OIS"),
)


# One row a model ------------------------------------------------------------------------------------------------------


def scores_of(scored: Scored, has_fbeta: bool = False) -> dict[Column, Any]:
    """What a model's row has beside its name: the columns that a comparison joins, too.

    has_fbeta: whether F-beta was asked for.
    """
    if isinstance(scored, EdgeScores):
        ods, ois = scored.ods, scored.ois
        values = [ods and ods.f1, ods and ods.threshold, ods and ods.precision, ods and ods.recall, ois and ois.f1]
        return dict(zip(_EDGES, values, strict=True))
    row: dict[Column, Any] = {_column("accuracy", "Accuracy"): scored.accuracy}
    if scored.top is not None:
        row[_column(f"top_{scored.top[0]}", f"Top-{scored.top[0]}")] = scored.top[1]
    is_macro = scored.positive is None
    for column in _kept(scored, has_fbeta):
        own = replace(column, name=f"macro_{column.name}", heading=f"Macro {column.heading}") if is_macro else column
        row[own] = getattr(scored.whole, column.name)
    return row


def place(name: str) -> tuple[int, int]:
    """Where a column of scores stands among others, whichever of them are defined."""
    if name.startswith("top_"):
        return _PLACES["top"], int(name.removeprefix("top_"))
    return _PLACES[name], 0


_OWN = [column.name for column in _OF_CLASS]
_PLACES = {
    name: i
    for i, name in enumerate(["accuracy", "top", *_OWN, *(f"macro_{name}" for name in _OWN), *(c.name for c in _EDGES)])
}


def _kept(scored: ModelScores, has_fbeta: bool) -> list[Column]:
    """The columns of classes, without what was not asked for: F-beta, and what needs scores."""
    of_scores = () if scored.has_scores else ("auroc", "average_precision")
    without = {*of_scores, *([] if has_fbeta else ["fbeta"])}
    return [column for column in _OF_CLASS if column.name not in without]


def _scores(scores: Scores) -> Table:
    found = [scores_of(one, scores.rules.beta is not None) for one in scores.models]
    rows = [{column.name: (column, value) for column, value in row.items()} for row in found]
    together = {name: column for row in rows for name, (column, _) in row.items()}
    columns = {name: together[name] for name in sorted(together, key=place)}
    size = _column("samples", "Samples", Unit.EXACT, rank=2)
    values = (
        Row((one.model, samples(one), *(row[name][1] if name in row else "" for name in columns)))
        for one, row in zip(scores.models, rows, strict=True)
    )
    return Table((_MODEL, size, *columns.values()), tuple(values), notes=tuple(_notes(scores)))


def samples(scored: Scored) -> int:
    return scored.images if isinstance(scored, EdgeScores) else scored.samples


def _notes(scores: Scores) -> Iterator[str]:
    several = len(scores.models) > 1
    for one in scores.models:
        yield from (f"{one.model}: {note}" if several else note for note in one.notes)
    if scores.rules.beta is not None:
        yield f"F-beta has beta {scores.rules.beta:g}: recall counts so many times as much as precision."
    if any(isinstance(one, EdgeScores) for one in scores.models):
        yield Explanation("ODS: F1 with the one threshold that is best for all images. OIS: with each image's own.")
        return
    yield Explanation(
        "Precision: TP/(TP+FP). Recall, or sensitivity: TP/(TP+FN). Specificity: TN/(TN+FP). F1: their harmonic mean, "
        "of precision and recall. AUROC: the area under recall against 1 - specificity. AP: average precision."
    )


# Of one model ---------------------------------------------------------------------------------------------------------


def _by_class(one: ModelScores, scores: Scores) -> Table:
    """Averages first; where there are many classes, those with the lowest F1."""
    most, classes = scores.top or _MOST_CLASSES, one.by_class
    worst = sorted(classes, key=lambda of: (of.f1 is None, of.f1 or 0.0))[:most]
    of_all = (*one.averages, *(classes if len(classes) <= most else worst))
    kept = _kept(one, scores.rules.beta is not None)
    columns = (_column("class", "Class", Unit.TEXT, most=40), _column("support", "Support", _counted(one)), *kept)
    rows = (Row((of.name, of.support, *(getattr(of, column.name) for column in kept))) for of in of_all)
    notes = []
    if len(classes) > most:
        notes.append(f"Shown are the {most:,} of {len(classes):,} classes with the lowest F1; --top has more.")
    if one.averages and one.has_scores:
        notes.append("AUROC and AP are of one class against the rest, and have no micro average here.")
    return Table(columns, tuple(rows), notes=tuple(notes), caption=f"{one.model}: classes")


def _counted(one: ModelScores) -> Unit:
    """Samples are whole; sums of weights are not."""
    return Unit.RATIO if one.is_weighted else Unit.EXACT


def _confusion(one: ModelScores) -> Table:
    """A row a label, a column a prediction; of many classes a row for each pair that is often confused."""
    assert one.confusion is not None
    caption = f"{one.model}: labels (rows) and predictions (columns)"
    if len(one.classes) <= _MOST_IN_MATRIX:
        names = [_column(name, name, _counted(one)) for name in one.classes]
        rows = (Row((name, *row)) for name, row in zip(one.classes, one.confusion, strict=True))
        return Table((_column("label", "Label", Unit.TEXT, most=40), *names), tuple(rows), caption=caption)
    wrong = [row for row in _pairs(one) if row[0] != row[1] and row[2]]
    most = sorted(wrong, key=lambda row: -row[2])[:_MOST_CONFUSIONS]
    note = f"Shown are the {len(most):,} most frequent of {len(wrong):,} confusions; CSV and JSON have all."
    return Table(_confused(_counted(one)), tuple(map(Row, most)), notes=(note,), caption=f"{one.model}: confusions")


def _confused(counted: Unit) -> tuple[Column, ...]:
    label, prediction = (_column(n, n.capitalize(), Unit.TEXT, most=40) for n in ("label", "prediction"))
    return label, prediction, _column("count", "Count", counted)


def _pairs(one: ModelScores) -> Iterator[tuple[str, str, float]]:
    for label, row in zip(one.classes, one.confusion or (), strict=False):
        yield from ((label, prediction, count) for prediction, count in zip(one.classes, row, strict=True))


def _curve(one: Scored) -> Table:
    """A few points along it, and the best of all."""
    assert one.curve is not None
    points, best = one.curve.points, one.curve.best
    step = max(1, -(-len(points) // _MOST_POINTS))
    shown = [point for i, point in enumerate(points) if i % step == 0 or point == best or i == len(points) - 1]
    f1 = _POINT.index(_F1)
    rows = (Row(_values(point), best=frozenset([f1] if point == best else [])) for point in shown)
    assert best.threshold is not None  # of a curve, each point has one
    fact = ("Best F1", best.f1, Unit.SCORE, f"from a score of {numbers.tick(best.threshold)} on")
    notes = [f"Shown are {len(shown):,} of {one.curve.thresholds:,} thresholds."]
    return Table(_POINT, tuple(rows), (fact,), tuple(notes), f"{one.model}: precision and recall")


def _values(point: Point) -> tuple[float | None, ...]:
    return point.threshold, point.precision, point.recall, point.f1


# All of them ----------------------------------------------------------------------------------------------------------


def tables(scores: Scores) -> Iterator[Table]:
    """Those that are chosen, of each model one after another."""
    for name in scores.shown or TABLES:
        if name == SCORES:
            yield _scores(scores)
            continue
        for one in scores.models:
            if has(one, name):
                yield _OF_ONE[name](one, scores)


def has(one: Scored, name: str) -> bool:
    """Whether a table of this name says something of a model that the row of its scores does not."""
    if name == CURVE:
        return one.curve is not None
    if isinstance(one, EdgeScores):
        return name == SCORES
    return bool({SCORES: True, BY_CLASS: one.by_class, CONFUSION: one.confusion}[name])


_OF_ONE: Mapping[str, Callable[[Any, Scores], Table]] = {
    BY_CLASS: _by_class,
    CONFUSION: lambda one, _: _confusion(one),
    CURVE: lambda one, _: _curve(one),
}


def _raw(scores: Scores) -> Table:
    """The first of the tables that are chosen, of all models, whole."""
    name = (scores.shown or TABLES)[0]
    if name == SCORES:
        return _scores(scores)
    columns, rows_of = _RAW[name]
    rows = [Row((one.model, *row)) for one in scores.models for row in rows_of(one)]
    return Table((_MODEL, *columns), tuple(rows), chosen=True)


def _class_rows(one: Scored) -> Iterator[tuple[Any, ...]]:
    for of in (*one.averages, *one.by_class) if isinstance(one, ModelScores) else ():
        yield tuple(asdict(of).values())


_SIZE = _column("support", "Support", Unit.RATIO)
_RAW: Mapping[str, tuple[Sequence[Column], Callable[[Any], Iterator[tuple[Any, ...]]]]] = {
    BY_CLASS: ((_column("class", "Class", Unit.TEXT), _SIZE, *_OF_CLASS), _class_rows),
    CONFUSION: (_confused(Unit.RATIO), lambda one: _pairs(one) if isinstance(one, ModelScores) else iter(())),
    CURVE: (_POINT, lambda one: map(_values, one.curve.points) if one.curve is not None else iter(())),
}


def _data(scores: Scores) -> dict[str, Any]:
    return {
        "models": [_model(one) for one in scores.models],
        "rules": asdict(scores.rules) | {"tolerance": scores.rules.distance},
    }


def _model(one: Scored) -> dict[str, Any]:
    curve = one.curve
    points = curve and {
        "thresholds": curve.thresholds,
        "best": asdict(curve.best),
        "points": [asdict(point) for point in curve.points],
    }
    return {**asdict(replace(one, curve=None)), "curve": points}


def check_shown(names: Sequence[str], scored: Sequence[Scored] | None = None) -> None:
    """Raise `errors.ProfileError` where no table has a name; or no model that table."""
    for name in names:
        if name not in TABLES:
            raise errors.no_such_choice("--show", name, TABLES)
        if scored is not None and not any(has(one, name) for one in scored):
            raise _nothing_to_show(name)


show(Scores, Shown(tables, _raw, _data))


# Error messages -------------------------------------------------------------------------------------------------------

_WHOSE = {
    BY_CLASS: "averages and classes are of three classes or more",
    CONFUSION: "a matrix is of labels, and of a thousand classes at most",
    CURVE: "a curve is of scores of two classes, or of one that --positive chooses",
}


def _nothing_to_show(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"--show {name}: there is none here, for {_WHOSE[name]}; leave it out")
