"""What do the families of layouts see of a layer's tensors, and which of several readings of one is chosen?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple, TypeAlias

from profiler.records.packing.told import Grouping, Told
from profiler.records.trace import DTYPE_BITS, Doubt, Packing, Tensor

Tensors: TypeAlias = Mapping[str, Tensor]
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Finding: TypeAlias = "tuple[str, Packing] | Doubt"


@dataclass(frozen=True, slots=True)
class File:
    """All tensors by their names, and what is known of them besides."""

    tensors: Tensors
    shapes: Shapes
    settings: Told
    explained: Set[str]
    widths: Mapping[int, Set[str]]  # sizes that layers have on their outside, and which layers have them


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """The tensors whose names are alike but for the last part; `path` is what they have in common."""

    path: str
    tensors: Tensors = field(default_factory=dict)  # by the last parts of their names
    file: File | None = None

    def full(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    @property
    def whole(self) -> File:
        assert self.file is not None
        return self.file

    @property
    def grouping(self) -> Grouping:
        return self.whole.settings.of(self.path)

    @property
    def method(self) -> str:
        return self.whole.settings.method

    def matrix(self, name: str) -> tuple[int, int] | None:
        tensor = self.tensors.get(name)
        return (tensor.shape[0], tensor.shape[1]) if tensor is not None and tensor.ndim == 2 else None

    def dtype(self, name: str) -> str:
        return self.tensors[name].dtype if name in self.tensors else ""

    def shape(self, name: str) -> tuple[int, ...] | None:
        """What is known of the weights that a tensor holds."""
        return self.whole.shapes.get(self.full(name))

    def holds(self, name: str, form: str, shape: Sequence[int]) -> tuple[str, Packing]:
        """A tensor that holds weights of a shape."""
        return self.full(name), Packing(form, tuple(self.shape(name) or shape))

    def helpers(self, names: Iterable[str], form: str) -> Iterator[tuple[str, Packing]]:
        """Those of these names that are there: they hold no weights."""
        for name in names:
            if name in self.tensors:
                yield self.full(name), Packing(form)

    def has_width(self, size: int) -> bool:
        """Whether another layer gives or normalises so many features."""
        return bool(self.whole.widths.get(size, frozenset()) - {self.path})


def layers(tensors: Tensors, shapes: Shapes, settings: Told, explained: Set[str]) -> Iterator[PackedLayer]:
    """Every layer that there is, in order."""
    by_path: dict[str, dict[str, Tensor]] = {}
    widths: dict[int, set[str]] = {}
    for name, tensor in tensors.items():
        path, _, last = name.rpartition(".")
        by_path.setdefault(path, {})[last] = tensor
        if tensor.ndim and (tensor.ndim > 1 or tensor.is_float):
            widths.setdefault(tensor.shape[0], set()).add(path)
    file = File(tensors, shapes, settings, explained, widths)
    for path, inside in by_path.items():
        yield PackedLayer(path, inside, file)


def bits_of(tensor: Tensor) -> int:
    """Of one element as it is stored."""
    return DTYPE_BITS[tensor.dtype]


def ratio(number: int, by: int) -> int:
    """Of two whole numbers; 0 where it is not whole."""
    return number // by if by and number % by == 0 else 0


# Several readings -----------------------------------------------------------------------------------------------------


class Option(NamedTuple):
    """One way to read a packed tensor: bits of a weight, weights that share a scale, and the weights' shape."""

    bits: int
    group: int
    shape: tuple[int, ...]


def chosen(layer: PackedLayer, name: str, options: Sequence[Option]) -> tuple[Option, Doubt | None]:
    """What is told decides, then sizes that other layers have, then the order of `options`: the usual first.

    Where nothing is told, there is a doubt with the largest other reading.
    """
    agreeing = [option for option in options if _agrees(option, layer.grouping)]
    if len(agreeing) == 1 and layer.grouping.bits is not None:
        return agreeing[0], None
    left = agreeing or list(options)
    best = next((option for option in left if layer.has_width(option.shape[-1])), left[0])
    largest = max(left, key=lambda option: prod(option.shape))
    return best, doubt(layer, name, _says(best, largest), prod(largest.shape) - prod(best.shape))


def _agrees(option: Option, grouping: Grouping) -> bool:
    is_group = grouping.group in (None, 0, option.group)
    return grouping.bits in (None, option.bits) and is_group


def _says(best: Option, largest: Option) -> str:
    return f"read as {_words(best)}; shapes allow {_words(largest)} too"


def _words(option: Option) -> str:
    return f"{option.bits} bits" + (f" in groups of {option.group}" if option.group else "")


def doubt(layer: PackedLayer, name: str, says: str, more: int | None) -> Doubt | None:
    """None where it makes no difference."""
    return None if more == 0 else Doubt(layer.full(name), says, more)
