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
from profiler.records.trace import Packing, Tensor, Trace, state_name
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
    """A checkpoint held against a model.

    model, path: their names.
    expected, given: how many tensors the model has, and the file.
    differences: names that are missing or unexpected, or of another shape or dtype.
    wrapper: the keys that the tensors stand under in the file, `("state_dict",)`.
    remedy: what would make it match, or match better; "" where that is not known.
    top: how many differences are shown; None: all.
    """

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
        """Whether the model can load the file."""
        return not any(difference.what in OBSTACLES for difference in self.differences)

    def of(self, what: str) -> list[Difference]:
        """The differences of one kind.

        what: "missing", "unexpected", "another shape", "another dtype" or "tied".
        """
        return [difference for difference in self.differences if difference.what == what]

    def failure(self) -> errors.CheckFailed | None:
        """That it does not match, where that is so."""
        if self.passed:
            return None
        reasons = []
        for what in OBSTACLES:
            names = [difference.name for difference in self.of(what)]
            if names:
                reasons.append(
                    f"{len(names):,} {_AS[what]} ({', '.join(names[:_NAMED])}{', ...' * (len(names) > _NAMED)})"
                )
        return _does_not_match(self.path, self.model, "; ".join(reasons), self.remedy)


_AS: Mapping[str, str] = {MISSING: "missing", UNEXPECTED: "unexpected", SHAPE: "of another shape"}


# Comparing a file with a model ----------------------------------------------------------------------------------------


def match(model: str, path: str, top: int | None = None, feed: sources.Feed | None = None) -> Match:
    """Build what a spec names, without running it, and hold a checkpoint against it; raises `errors.ProfileError`."""
    contents = checkpoints.read(path)
    feed = feed or sources.Feed()
    answer = _matched(model, path, _expected(model, feed), contents, top)
    if not answer.passed and sources.converts(model, feed):
        raise _converted_when_loaded(path, model)
    return answer


def match_trace(trace: Trace, path: str) -> Match:
    """The same for a model that was run."""
    return _matched(trace.model, path, expected(trace), checkpoints.read(path), None)


def expected(trace: Trace) -> dict[str, Expected]:
    """What the state_dict of a model holds that was run, or of a checkpoint."""
    tensors = {}
    for number, weights in enumerate((trace.parameters, trace.buffers)):
        for index, weight in enumerate(weights):
            if weight.persistent:
                path = trace.modules[weight.module].path
                first = index if weight.same_as is None else weight.same_as
                name = state_name(path, weight.name)
                tensors[name] = Expected(
                    Tensor(FileTensor(weight.tensor, weight.packing).shape, weight.tensor.dtype), 2 * first + number
                )
    return tensors


def _expected(model: str, feed: sources.Feed) -> dict[str, Expected]:
    try:
        subject = sources.load(model, feed)
    except errors.InputsNeeded:  # to run it, which is not wanted: anything will do
        subject = sources.load(model, sources.Feed((None,)))
    if isinstance(subject, Trace):
        return expected(subject)
    from profiler.engine.run.state import state_tensors

    state = state_tensors(subject.model)
    if state is None:  # a lazy model is what its first input makes of it
        from profiler.engine.run.running import trace

        return expected(trace(subject))
    return {name: Expected(*entry) for name, entry in state.items()}


def _matched(
    model: str, path: str, model_tensors: Mapping[str, Expected], contents: Contents, top: int | None
) -> Match:
    split = naming.told_apart(contents)
    tensors = {name: weight.entry for name, weight in split.named.items()}
    packed = quantisation.reading(contents, [Weight(name, entry) for name, entry in tensors.items()]).packings
    file_tensors = {name: FileTensor(entry.tensor, packed.get(name)) for name, entry in tensors.items()}
    differences = tuple(_differences(model_tensors, file_tensors))
    return Match(
        model,
        path,
        len(model_tensors),
        len(file_tensors),
        differences,
        split.around,
        _remedy(model_tensors, file_tensors, differences),
        top,
    )


def _differences(model_tensors: Mapping[str, Expected], file_tensors: Mapping[str, FileTensor]) -> Iterator[Difference]:
    there = {expected.tie for name, expected in model_tensors.items() if name in file_tensors}
    for name, (tensor, tie) in model_tensors.items():
        if name not in file_tensors:
            yield Difference(TIED if tie in there else MISSING, name, tensor, None)
        elif not _has_its_shape(file_tensors[name], tensor):
            yield Difference(SHAPE, name, tensor, file_tensors[name])
        elif tensor.dtype not in (file_tensors[name].dtype, file_tensors[name].tensor.dtype):
            yield Difference(DTYPE, name, tensor, file_tensors[name])
    for name, file_tensor in file_tensors.items():
        if name not in model_tensors:
            yield Difference(UNEXPECTED, name, None, file_tensor)


def _has_its_shape(file_tensor: FileTensor, tensor: Tensor) -> bool:
    """As it is stored, as what it stands for, or with as many weights, where a header does not say their shape."""
    if tensor.shape in (file_tensor.shape, file_tensor.tensor.shape):
        return True
    return file_tensor.packing is not None and len(file_tensor.shape) == 1 and prod(file_tensor.shape) == tensor.numel


def _obstacles(differences: Sequence[Difference]) -> int:
    return sum(difference.what in OBSTACLES for difference in differences)


def _remedy(
    model_tensors: Mapping[str, Expected], file_tensors: Mapping[str, FileTensor], now: Sequence[Difference]
) -> str:
    """Another prefix of all names with which more of it matches."""
    best, words = _obstacles(now), ""
    for prefix in _first_parts(file_tensors):
        shortened = {name.removeprefix(prefix): tensor for name, tensor in file_tensors.items()}
        left = _obstacles(tuple(_differences(model_tensors, shortened)))
        if left < best:
            best, words = left, f"with {prefix!r} taken off its names, {_left(left)}"
    for prefix in _first_parts(model_tensors):
        prefixed = {prefix + name: tensor for name, tensor in file_tensors.items()}
        left = _obstacles(tuple(_differences(model_tensors, prefixed)))
        if left < best:
            best, words = left, f"with {prefix!r} put before its names, {_left(left)}"
    return words


def _first_parts(names: Mapping[str, object]) -> list[str]:
    """The one or two parts that most names begin with."""
    prefixes = []
    for parts in (1, 2):
        first: dict[str, int] = {}
        for name in names:
            split = name.split(".")
            if len(split) > parts:
                prefix = ".".join(split[:parts]) + "."
                first[prefix] = first.get(prefix, 0) + 1
        if first:
            prefixes.append(max(first, key=lambda prefix: first[prefix]))
    return prefixes


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
