"""Which samples is a model differentiated on? Batches of inputs with their labels, or random ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from profiler.engine.containers.walk import leaves, map_leaves, named
from profiler.engine.run.feed import on_device, once
from profiler.engine.run.subject import Subject
from profiler.records.inputs import TensorSpec
from profiler.records.sensitivities import SEED

_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Batch:
    """What a model is run on at once; labels: a tensor with one entry a sample, or None."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    labels: Tensor | None = None

    @property
    def size(self) -> int:
        """How many samples: the first dimension of the first input."""
        first = next(leaves((self.args, dict(self.kwargs))), None)
        return 1 if first is None or not first.ndim else first.shape[0]

    def on(self, device: torch.device) -> Batch:
        """The same there; no input is part of a graph."""
        args, kwargs = self.mapped(lambda leaf: leaf.detach().to(device))
        return Batch(args, kwargs, None if self.labels is None else self.labels.detach().to(device))

    def mapped(self, function: Callable[[Tensor], Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments with a function applied to each tensor; what was one tensor stays one."""
        args, kwargs = map_leaves(once(function), (self.args, dict(self.kwargs)))
        return args, kwargs

    def sample(self, index: int) -> Batch:
        """One sample: of each tensor that has one entry a sample, that entry."""
        size = self.size
        if size == 1:
            return self
        args, kwargs = self.mapped(
            lambda leaf: leaf[index : index + 1] if leaf.ndim and leaf.shape[0] == size else leaf
        )
        return Batch(args, kwargs, None if self.labels is None else self.labels[index : index + 1])


def first_samples(batches: Iterator[Batch] | Sequence[Batch], number: int) -> list[Batch]:
    """Whole batches, until there are so many samples; the last is cut."""
    taken: list[Batch] = []
    left = number
    for batch in batches:
        taken.append(batch if batch.size <= left else _first(batch, left))
        left -= taken[-1].size
        if left <= 0:
            break
    return taken


def _first(batch: Batch, number: int) -> Batch:
    size = batch.size
    args, kwargs = batch.mapped(lambda leaf: leaf[:number] if leaf.ndim and leaf.shape[0] == size else leaf)
    return Batch(args, kwargs, None if batch.labels is None else batch.labels[:number])


def random_samples(subject: Subject, number: int) -> list[Batch]:
    """So many of the subject's inputs with random values, the same each time; tensors of the caller's are themselves.

    Floating-point values are uniform in [0, 1); whole numbers are 0, which every table of tokens has.
    """
    generator = torch.Generator().manual_seed(SEED)
    repeats = is_random(subject)

    def drawn() -> Iterator[Batch]:
        while True:
            ready = once(lambda leaf: on_device(leaf, _CPU, generator))
            args, kwargs = map_leaves(ready, (subject.args, dict(subject.kwargs)))
            yield Batch(args, kwargs)
            if not repeats:
                return

    return first_samples(drawn(), number)


def is_random(subject: Subject) -> bool:
    """Whether some of what the subject is fed has a shape and no values."""
    fed = named((subject.args, dict(subject.kwargs)))
    return any(isinstance(leaf, TensorSpec) or leaf.is_meta for _, leaf in fed)


def shapes(batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What stands for the tensors of a batch where a model is fed no values."""
    shape: Any = lambda leaf: TensorSpec(tuple(leaf.shape), str(leaf.dtype).removeprefix("torch."))  # noqa: E731
    return batch.mapped(shape)
