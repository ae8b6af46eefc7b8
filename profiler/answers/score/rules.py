"""What is asked of predictions? Which class is the positive one, from which score on, and what F-beta weighs."""

from __future__ import annotations

from dataclasses import dataclass

from profiler import errors
from profiler.answers.score.columns import canonical
from profiler.answers.score.predictions import Predictions, is_truth

_NEGATIVE = {"1": "0", "true": "false", "yes": "no", "positive": "negative", "pos": "neg"}
_POSITIVE = {negative: positive for positive, negative in _NEGATIVE.items()}
USUAL_THRESHOLD = 0.5
TOLERANCE = 0.0075  # of the diagonal, as in the benchmark of Berkeley


@dataclass(frozen=True, slots=True)
class Rules:
    """positive: the class that precision and recall are of, as labels are written; None: what `pair` says.

    threshold: the score from which on a sample is predicted to be positive. beta: recall counts so many times as much
    as precision in F-beta. top_k: the label is among so many highest scores. tolerance: how far matched pixels of edges
    may be apart, as a share of the diagonal; None: `TOLERANCE`.
    """

    positive: str | None = None
    threshold: float | None = None
    beta: float | None = None
    top_k: int | None = None
    tolerance: float | None = None

    @property
    def distance(self) -> float:
        """The tolerance, asked for or not."""
        return TOLERANCE if self.tolerance is None else self.tolerance

    @property
    def given(self) -> dict[str, float | str]:
        """The rules that are about classes, by their options."""
        rules = {"--positive": self.positive, "--threshold": self.threshold, "--beta": self.beta, "--top-k": self.top_k}
        return {option: value for option, value in rules.items() if value is not None}


def pair(predictions: Predictions, rules: Rules) -> tuple[str, str] | None:
    """The negative and the positive class; None of several classes, none of which is chosen.

    Of two classes, positive is the one called 1, true, yes or positive, else the last in their order. Where there is
    one class, its opposite is known for these names. Raises `errors.ProfileError` where the chosen one is none of them.
    """
    classes, positive = predictions.classes, None if rules.positive is None else canonical(rules.positive)
    if positive is not None and positive not in classes:
        positive = next((name for name in classes if is_truth(name, positive)), positive)
    if positive is not None and positive not in classes and len(classes) > 1:
        raise _no_such_class(positive, classes)
    if len(classes) > 2:
        return None if positive is None else (f"not {positive}", positive)
    if positive is None:
        positive = next((name for name in classes if name.casefold() in _NEGATIVE), None)
    if positive is None and len(classes) == 1:
        positive = _like(classes[0], _POSITIVE.get(classes[0].casefold(), classes[0]))
    positive = positive or classes[-1]
    others = [name for name in classes if name != positive]
    return (others[0] if others else _negative(positive)), positive


def are_opposites(classes: tuple[str, ...]) -> bool:
    """Whether they are two that are known to belong together, as yes and no."""
    first, last = (name.casefold() for name in (classes[0], classes[-1]))
    return len(classes) == 2 and last in (_NEGATIVE.get(first), _POSITIVE.get(first))


def _negative(positive: str) -> str:
    opposite = _NEGATIVE.get(positive.casefold())
    return f"not {positive}" if opposite is None else _like(positive, opposite)


def _like(name: str, other: str) -> str:
    """The other word, with a capital where the name has one."""
    return other.capitalize() if name[:1].isupper() else other


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_class(name: str, classes: tuple[str, ...]) -> errors.ProfileError:
    return errors.ProfileError(f"--positive {name}: no label is called so; choose from {errors.some(classes)}")
