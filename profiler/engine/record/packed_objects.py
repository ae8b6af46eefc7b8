"""What does a run know of packed weights: objects of torch's script classes, which hold tensors that nobody sees?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from profiler.engine.containers.packed import PackedTensor, class_name, is_packed, parts, value
from profiler.engine.record.known_tensors import KnownTensor, KnownTensors
from profiler.records.trace import Value


class _Unpacked(NamedTuple):
    """A packed object, which stays alive so that no other takes its hash, and what it holds."""

    packed: Any
    parts: tuple[PackedTensor, ...]
    tensors: list[KnownTensor]


class PackedObjects:
    """The packed objects that a run knows, by their hash, which is that of what is inside."""

    def __init__(self, run_real: bool, tensors: KnownTensors) -> None:
        self._run_real = run_real
        self._tensors = tensors
        self._unpacked: dict[int, _Unpacked] = {}

    def add(self, packed: Any, role: str, owners: Sequence[int] = ()) -> list[tuple[PackedTensor, int]]:
        """Make the tensors known that a packed object holds; each comes with its storage."""
        unpacked = self._unpacked.get(hash(packed))
        if unpacked is None:
            contents = parts(packed)
            tensors = [self._of_part(part, role, owners) for part in contents]
            unpacked = self._unpacked[hash(packed)] = _Unpacked(packed, contents, tensors)
            if isinstance(packed, Tensor):
                self._tensors.there_before[id(packed)] = tensors[0]
        return [(part, info.storage) for part, info in zip(unpacked.parts, unpacked.tensors, strict=True)]

    def _of_part(self, part: PackedTensor, role: str, owners: Sequence[int]) -> KnownTensor:
        storage = self._tensors.lifetimes.add_hidden(part.layout.tensor.size_bytes, role)
        return KnownTensor(self._tensors.run, part.layout, storage, self._run_real, False, owners)

    def tensors_of(self, argument: Any) -> list[KnownTensor]:
        """What is known of the tensors in a script object; of one that is no packed weights, nothing."""
        if hash(argument) not in self._unpacked and is_packed(argument):
            self.add(argument, "buffer")
        unpacked = self._unpacked.get(hash(argument))
        return [] if unpacked is None else unpacked.tensors

    def value(self, argument: Any) -> Value:
        """A script object as a signature holds it."""
        self.tensors_of(argument)
        unpacked = self._unpacked.get(hash(argument))
        return class_name(argument) if unpacked is None else value(unpacked.parts)
