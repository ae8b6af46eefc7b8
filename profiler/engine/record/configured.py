"""When do two layers of torch do the same? If class, settings and the layouts of their weights are the same.

Read off a layer as it is at the moment, in as few steps as can be. What has a hook, an attribute that holds more than
settings, or a weight that the run does not know, is not told: such a layer may do anything.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import is_, itemgetter
from typing import Any, NamedTuple, TypeAlias

from torch import Size, Tensor, nn
from torch.nn.parameter import Parameter

from profiler.engine.record import memo
from profiler.engine.record.known_tensors import KnownTensor
from profiler.engine.record.torchs_own import NOTED, TorchsOwn
from profiler.records.remembered import Recent

Attributes: TypeAlias = "dict[str, Any]"

_NEW = vars(nn.Module())
_HOOKS = itemgetter(*(name for name in _NEW if name.endswith("_hooks")))
_MEMBERS = itemgetter("_parameters", "_buffers", "_modules")
_MEMBERS_AND_HOOKS = {"training", *(name for name, value in _NEW.items() if isinstance(value, dict))}
_REGISTRIES = {name for name, value in _NEW.items() if isinstance(value, (dict, set))}
_SCALARS = {bool, int, float, str, type(None)}
_SEQUENCES = {tuple, list, Size}
_WEIGHTS = (Parameter, Tensor)


class Configured(NamedTuple):
    """A layer, and those inside of it, as they are.

    runs: what is known of layers that do the same, by what they are fed.
    own: the classes that they are of.
    rows: of the layers among the run's modules. storages: those of their weights, each another.
    """

    runs: dict[Any, Any]
    own: tuple[TorchsOwn, ...]
    rows: tuple[int, ...]
    storages: list[int]


class _Layer:
    """The settings of one layer as they were when it was last looked at. It is not kept alive.

    count: its attributes; `read` reads those that are settings.
    lists: the settings that are lists. items: what they held.
    alike: the runs of layers with the same settings, by their weights.
    """

    __slots__ = ("alike", "cls", "count", "items", "layer", "lists", "own", "read", "settings")

    def __init__(self, module: nn.Module, own: TorchsOwn, read: Any, key: Any) -> None:
        self.layer = weakref.ref(module, partial(_forget, id(module)))
        self.cls = type(module)
        self.own = own
        self.count = len(module.__dict__)
        self.read = read
        self.settings = read(module.__dict__)
        self.lists = [value for value in self.settings if type(value) is list]
        self.items = [list(value) for value in self.lists]
        self.alike = memo.layers_like(key)

    def is_set_up_as(self, attributes: Attributes) -> bool:
        """Raises `KeyError` where an attribute is gone."""
        if len(attributes) != self.count or not all(map(is_, self.read(attributes), self.settings)):
            return False
        flat = chain.from_iterable
        return self.lists == self.items and all(map(is_, flat(self.lists), flat(self.items)))


class _Shape(NamedTuple):
    """Of settings of certain classes: which hold several values, and which of those are lists."""

    sequences: tuple[int, ...]
    lists: tuple[int, ...]


class Configurations:
    """How layers are set up, in one run.

    known: what the run knows of tensors, by their ids. index: the rows of its modules, by their ids.
    device: which layers see.
    """

    def __init__(self, known: Mapping[int, KnownTensor], index: Mapping[int, int], device: str) -> None:
        self._known = known
        self._index = index
        self._device = device

    def of(self, module: nn.Module) -> Configured | None:
        """How a layer is set up; None where it may do something else each time."""
        row, layer = self._index.get(id(module)), _layer(module)
        if row is None or layer is None:
            return None
        weights: list[Any] = [self._device]
        storages: list[int] = []
        parameters, buffers, children = _MEMBERS(module.__dict__)
        known = self._known
        own: tuple[TorchsOwn, ...] = (layer.own,)
        rows: tuple[int, ...] = (row,)
        for tensor in chain(parameters.values(), buffers.values()):
            if tensor is None:
                weights.append(None)
                continue
            info = known.get(id(tensor))
            if info is None or type(tensor) not in _WEIGHTS or info.storage in storages:
                return None
            weights.append(info.layout)
            storages.append(info.storage)
        for name, child in children.items():
            if child is None:
                continue
            inner = self.of(child)
            if inner is None or inner.rows[0] != rows[-1] + 1 or not set(storages).isdisjoint(inner.storages):
                return None  # one inside stands there alone
            weights += name, id(inner.runs)
            own, rows, storages = own + inner.own, rows + inner.rows, storages + inner.storages
        return Configured(memo.runs_like(layer.alike, tuple(weights)), own, rows, storages)


def _layer(module: nn.Module) -> _Layer | None:
    """A layer's settings; None where they are more than plain values, or it has hooks."""
    attributes, layer = module.__dict__, memo.settings.get(id(module))
    if layer is None or layer.layer() is not module or layer.cls is not type(module):
        return _read(module, attributes)
    try:
        if any(_HOOKS(attributes)):
            return None
        if layer.is_set_up_as(attributes):
            known: _Layer = layer
            return known
    except KeyError:  # one is gone
        return None
    return _read(module, attributes)


_MOST = 1 << 10  # torch has some hundred layers, with a few ways each to be set up
# Of the names of a layer's attributes: what reads its settings. Of the classes of settings, all Python's: their shape.
_readers: Recent[tuple[str, ...], Callable[[Attributes], tuple[Any, ...]]] = Recent(_MOST)
_shapes: Recent[tuple[type, ...], _Shape] = Recent(_MOST)


def _read(module: nn.Module, attributes: Attributes) -> _Layer | None:
    own, names = NOTED[type(module)], tuple(attributes)
    if own is None:
        return None
    read = _readers.find(names)
    if read is None:
        if not attributes.keys() >= _MEMBERS_AND_HOOKS:
            return None
        plain = [name for name in names if name not in _REGISTRIES]
        read = _readers[names] = itemgetter("training", *plain)
    if any(_HOOKS(attributes)):
        return None
    settings = read(attributes)
    key = _key(names, settings)
    if key is None:
        return None
    layer = memo.settings[id(module)] = _Layer(module, own, read, (type(module), *key))
    return layer


def _forget(key: int, _: Any) -> None:
    memo.settings.pop(key, None)


def _key(names: tuple[str, ...], settings: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Values and their classes: 1, 1.0 and True are equal."""
    kinds = tuple(map(type, settings))
    shape = _shapes.find(kinds)
    if shape is None:
        shape = _shape(kinds)
        if shape is None:
            return None
        _shapes[kinds] = shape
    if not shape.sequences:
        return names, kinds, settings
    inner = tuple(map(type, chain.from_iterable([settings[at] for at in shape.sequences])))
    if not _SCALARS.issuperset(inner):
        return None
    plain = tuple([tuple(value) if type(value) is list else value for value in settings]) if shape.lists else settings
    return names, kinds, inner, plain


def _shape(kinds: Sequence[type]) -> _Shape | None:
    if not _SCALARS.union(_SEQUENCES).issuperset(kinds):
        return None
    return _Shape(
        tuple(at for at, kind in enumerate(kinds) if kind in _SEQUENCES),
        tuple(at for at, kind in enumerate(kinds) if kind is list),
    )
