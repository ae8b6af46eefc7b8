"""Which tensors of a checkpoint have values that are no finite numbers? As an answer with its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler import errors
from profiler.render.answer import Answer
from profiler.sources import checkpoints
from profiler.sources.checkpoints.values import NonFinite, Values, values

_NAMED = 3  # in a sentence


@dataclass(frozen=True, slots=True)
class CheckedValues(Answer):
    """A checkpoint whose values were looked at."""

    path: str
    values: Values

    @property
    def found(self) -> tuple[NonFinite, ...]:
        return self.values.found

    @property
    def passed(self) -> bool:
        return not self.found

    def failure(self) -> errors.CheckFailed | None:
        named = [f"{tensor.name} ({_words(tensor)})" for tensor in self.found[:_NAMED]]
        return _not_finite(self.path, len(self.found), named) if self.found else None


@dataclass(frozen=True, slots=True)
class CheckedFiles(Answer):
    """Several files of weights, one after another."""

    files: tuple[CheckedValues, ...]


def _words(tensor: NonFinite) -> str:
    counts = ((tensor.nans, "NaN"), (tensor.infinities, "infinite"))
    return ", ".join(f"{number:,} {what}" for number, what in counts if number)


def check_values(path: str, done: Callable[[], None] = lambda: None) -> CheckedValues:
    """Read every value of a checkpoint; raises what `checkpoints.read` raises."""
    if checkpoints.is_remote(path):
        raise errors.UnreadableCheckpoint(
            path, "its values are on the hub, of which headers alone are read; download it"
        )
    return CheckedValues(path, values(checkpoints.with_tensors(path), done))


# Error messages -------------------------------------------------------------------------------------------------------


def _not_finite(path: str, tensors: int, named: Sequence[str]) -> errors.CheckFailed:
    """`named` are the first of the tensors, with what is in them."""
    which = ", ".join(named) + ", ..." * (tensors > len(named))
    return errors.CheckFailed(
        f"{path}: {tensors:,} tensor{'s have' if tensors > 1 else ' has'} values not finite: {which}"
    )
