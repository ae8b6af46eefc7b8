"""Does this checkpoint match this model? What is missing, unexpected, or of another shape, as `load_state_dict` has it.

A model's state_dict holds its parameters and persistent buffers. A tied tensor may be missing where one that it is
tied to is there: formats without sharing keep one of them. A dtype is no obstacle: values are cast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from profiler import errors, sources
from profiler.records.trace import Packing, Tensor, Trace
from profiler.render.answer import Answer
from profiler.sources import checkpoints
from profiler.sources.checkpoints import naming, quantisation
from profiler.sources.checkpoints.contents import Contents
from profiler.sources.checkpoints.naming import Weight

MISSING, UNEXPECTED, SHAPE, DTYPE, TIED = "missing", "unexpected", "another shape", "another dtype", "tied"
OBSTACLES = (MISSING, UNEXPECTED, SHAPE)
_NAMED = 3  # in a sentence


class Expected(NamedTuple):
    """A tensor that a model's state_dict holds; those that are tied have the same `tie`."""

    tensor: Tensor
    tie: int


class FileTensor(NamedTuple):
    """A tensor of a file, as it is stored, and what it stands for where it is packed."""

    tensor: Tensor
    packing: Packing | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        packed = self.packing.shape if self.packing is not None else None
        return self.tensor.shape if packed is None else packed

    @property
    def dtype(self) -> str:
        return self.tensor.dtype if self.packing is None else self.packing.format


class Difference(NamedTuple):
    """One name, in what it differs, and its tensors."""

    what: str
    name: str
    expected: Tensor | None
    given: FileTensor | None


@dataclass(frozen=True, slots=True)
class Match(Answer):
    """A checkpoint held against a model. `remedy` is what would make it match, or match better, where that is known."""

    model: str
    path: str
    expected: int
    given: int
    differences: tuple[Difference, ...]
    wrapper: tuple[str, ...] = ()
    remedy: str = ""
    top: int | None = None

    @property
    def passed(self) -> bool:
        return not any(one.what in OBSTACLES for one in self.differences)

    def of(self, what: str) -> list[Difference]:
        """The differences of one kind: "missing", "unexpected", "another shape", "another dtype", "tied"."""
        return [one for one in self.differences if one.what == what]

    def failure(self) -> errors.CheckFailed | None:
        if self.passed:
            return None
        found = []
        for what in OBSTACLES:
            names = [one.name for one in self.of(what)]
            if names:
                found.append(
                    f"{len(names):,} {_AS[what]} ({', '.join(names[:_NAMED])}{', ...' * (len(names) > _NAMED)})"
                )
        return _does_not_match(self.path, self.model, "; ".join(found), self.remedy)


_AS: Mapping[str, str] = {MISSING: "missing", UNEXPECTED: "unexpected", SHAPE: "of another shape"}


# Holding one against the other ----------------------------------------------------------------------------------------


def match(model: str, path: str, top: int | None = None, feed: sources.Feed | None = None) -> Match:
    """Build what a spec names, without running it, and hold a checkpoint against it; raises `errors.ProfileError`."""
    found = checkpoints.read(path)
    feed = feed or sources.Feed()
    answer = _matched(model, path, _expected(model, feed), found, top)
    if not answer.passed and sources.converts(model, feed):
        raise _converted_when_loaded(path, model)
    return answer


def match_trace(trace: Trace, path: str) -> Match:
    """The same for a model that was run."""
    return _matched(trace.model, path, expected(trace), checkpoints.read(path), None)


def expected(trace: Trace) -> dict[str, Expected]:
    """What the state_dict of a model holds that was run, or of a checkpoint."""
    found = {}
    for number, weights in enumerate((trace.parameters, trace.buffers)):
        for index, weight in enumerate(weights):
            if weight.persistent:
                path = trace.modules[weight.module].path
                first = index if weight.same_as is None else weight.same_as
                name = f"{path}.{weight.name}" if path else weight.name
                found[name] = Expected(
                    Tensor(FileTensor(weight.tensor, weight.packing).shape, weight.tensor.dtype), 2 * first + number
                )
    return found


def _expected(model: str, feed: sources.Feed) -> dict[str, Expected]:
    try:
        subject = sources.load(model, feed)
    except errors.InputsNeeded:  # to run it, which is not wanted: anything will do
        subject = sources.load(model, sources.Feed((None,)))
    if isinstance(subject, Trace):
        return expected(subject)
    from profiler.engine.run.state import held

    found = held(subject.model)
    if found is None:  # a lazy model is what its first input makes of it
        from profiler.engine.run.running import trace

        return expected(trace(subject))
    return {name: Expected(*one) for name, one in found.items()}


def _matched(model: str, path: str, wanted: Mapping[str, Expected], contents: Contents, top: int | None) -> Match:
    found = naming.told_apart(contents)
    tensors = {name: weight.entry for name, weight in found.named.items()}
    packed = quantisation.reading(contents, [Weight(name, entry) for name, entry in tensors.items()]).packings
    given = {name: FileTensor(entry.tensor, packed.get(name)) for name, entry in tensors.items()}
    differences = tuple(_differences(wanted, given))
    return Match(
        model, path, len(wanted), len(given), differences, found.around, _remedy(wanted, given, differences), top
    )


def _differences(wanted: Mapping[str, Expected], given: Mapping[str, FileTensor]) -> Iterator[Difference]:
    there = {expected.tie for name, expected in wanted.items() if name in given}
    for name, (tensor, tie) in wanted.items():
        if name not in given:
            yield Difference(TIED if tie in there else MISSING, name, tensor, None)
        elif not _has_its_shape(given[name], tensor):
            yield Difference(SHAPE, name, tensor, given[name])
        elif tensor.dtype not in (given[name].dtype, given[name].tensor.dtype):
            yield Difference(DTYPE, name, tensor, given[name])
    for name, held in given.items():
        if name not in wanted:
            yield Difference(UNEXPECTED, name, None, held)


def _has_its_shape(given: FileTensor, tensor: Tensor) -> bool:
    """As it is stored, as what it stands for, or with as many weights, where a header does not say their shape."""
    if tensor.shape in (given.shape, given.tensor.shape):
        return True
    return given.packing is not None and len(given.shape) == 1 and prod(given.shape) == tensor.numel


def _obstacles(differences: Sequence[Difference]) -> int:
    return sum(one.what in OBSTACLES for one in differences)


def _remedy(wanted: Mapping[str, Expected], given: Mapping[str, FileTensor], now: Sequence[Difference]) -> str:
    """Another prefix of all names with which more of it matches."""
    best, words = _obstacles(now), ""
    for prefix in _first_parts(given):
        taken = {name.removeprefix(prefix): held for name, held in given.items()}
        left = _obstacles(tuple(_differences(wanted, taken)))
        if left < best:
            best, words = left, f"with {prefix!r} taken off its names, {_left(left)}"
    for prefix in _first_parts(wanted):
        added = {prefix + name: held for name, held in given.items()}
        left = _obstacles(tuple(_differences(wanted, added)))
        if left < best:
            best, words = left, f"with {prefix!r} put before its names, {_left(left)}"
    return words


def _first_parts(names: Mapping[str, object]) -> list[str]:
    """The one or two parts that most names begin with."""
    found = []
    for parts in (1, 2):
        first: dict[str, int] = {}
        for name in names:
            split = name.split(".")
            if len(split) > parts:
                prefix = ".".join(split[:parts]) + "."
                first[prefix] = first.get(prefix, 0) + 1
        if first:
            found.append(max(first, key=lambda prefix: first[prefix]))
    return found


def _left(obstacles: int) -> str:
    return (
        "it matches" if not obstacles else f"{obstacles:,} name{'s do' if obstacles > 1 else ' does'} still not match"
    )


# Error messages -------------------------------------------------------------------------------------------------------


def _converted_when_loaded(path: str, model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path} does not have the tensors of {model}, and transformers merges or splits those of such a model "
        "while it loads them: whether it matches cannot be told from names and shapes; load it, and look at its report"
    )


def _does_not_match(path: str, model: str, why: str, remedy: str) -> errors.CheckFailed:
    """`why` are the kinds of differences with some names."""
    return errors.CheckFailed(f"{path} does not match {model}: {why}" + (f"; {remedy}" if remedy else ""))
