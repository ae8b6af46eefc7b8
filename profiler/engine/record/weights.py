"""Which parameters and buffers does a model hold? Each made known to the recorder, and written down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import nn

from profiler.engine.containers.inner import (
    InnerTensor,
    inner_tensors,
    is_ordinary,
    may_be_packed,
    packings_of,
    scales_of,
)
from profiler.engine.containers.layouts import layout_of
from profiler.engine.containers.packed import Packed, packed_in
from profiler.engine.record.known_tensors import KnownTensors
from profiler.engine.record.packed_objects import PackedObjects
from profiler.records.trace import Packing, Weight

Tensors: TypeAlias = Mapping[str, torch.Tensor | None]

BUFFER, PARAMETER = "buffer", "parameter"
_NONE: Mapping[str, Packing] = MappingProxyType({})


def weights(
    modules: Iterable[tuple[int, nn.Module]], tensors: KnownTensors, objects: PackedObjects
) -> tuple[list[Weight], list[Weight]]:
    """Of modules with their rows: the parameters, and the buffers. Packed weights are parameters wherever they are."""
    modules = list(modules)
    parameters, buffers = _RoleWeights(PARAMETER, tensors, objects), _RoleWeights(BUFFER, tensors, objects)
    packings: dict[int, Mapping[str, Packing]] = {}
    for row, module in modules:
        is_torchs = type(module).__module__.startswith("torch.nn.modules")
        if not is_torchs and may_be_packed(module):
            packings[row] = packings_of(module)
        if module._parameters:
            parameters.add(row, module._parameters, packings=packings.get(row, _NONE))
        if not is_torchs:
            parameters.add_packed(row, module, packings.get(row, _NONE))
    for row, module in modules:
        if module._buffers:
            plain = _without(module._buffers, packings[row]) if row in packings else module._buffers
            buffers.add(row, plain, module._non_persistent_buffers_set)
    return parameters.weights, buffers.weights


def _without(tensors: Mapping[str, torch.Tensor | None], packed: Mapping[str, Packing]) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if name not in packed}


class _RoleWeights:
    """Weights of one role, in order. What was met before under another name is tied to that."""

    def __init__(self, role: str, tensors: KnownTensors, objects: PackedObjects) -> None:
        self.weights: list[Weight] = []
        self._role = role
        self._tensors = tensors
        self._objects = objects
        self._firsts: dict[int, int] = {}  # id of a tensor, hash of a packed object -> its place in the list
        self._owners: dict[int, list[int]] = {}

    def add(
        self,
        row: int,
        named: Tensors,
        passing: Collection[str] = (),
        packings: Mapping[str, Packing] = _NONE,
        registered: bool = True,
    ) -> None:
        """Tensors by their names; a state_dict does not hold those that are `passing`."""
        weights, firsts, tensors = self.weights, self._firsts, self._tensors
        for name, tensor in named.items():
            if tensor is None:
                continue
            key = id(tensor)
            same_as = firsts.get(key)
            if same_as is None:
                firsts[key], self._owners[key] = len(weights), [row]
                info = tensors.add(tensor, self._role, self._owners[key])
            else:
                self._owners[key].append(row)
                info = tensors.info_of(tensor)
            record, persistent, packing = info.layout.tensor, name not in passing, packings.get(name)
            trained = tensor.requires_grad
            weights.append(
                Weight(row, name, record, info.storage, trained, persistent, same_as, None, packing, registered)
            )
            if not is_ordinary(tensor):
                self._add_inner(weights[-1], inner_tensors(name, tensor))

    def _add_inner(self, weight: Weight, tensors: list[InnerTensor]) -> None:
        """A parameter that is kept in other tensors: the first has the weights, and the place that it was given."""
        if not tensors:
            return
        first, *helpers = tensors
        record = layout_of(first.tensor).tensor
        lifetimes = self._tensors.lifetimes
        lifetimes.storages[weight.storage].size_bytes = record.size_bytes
        self.weights[-1] = weight._replace(tensor=record, packing=first.packing)
        for offset, part in enumerate(helpers, 1):
            tensor = layout_of(part.tensor).tensor
            storage = lifetimes.find(part.tensor)
            if storage is None:
                storage = lifetimes.add_hidden(tensor.size_bytes, self._role)
            tied = None if weight.same_as is None else weight.same_as + offset
            self.weights.append(
                Weight(weight.module, part.name, tensor, storage, same_as=tied, packing=part.packing, registered=False)
            )

    def add_packed(self, row: int, module: nn.Module, packings: Mapping[str, Packing]) -> None:
        """What a module holds of weights that are no parameters to torch."""
        for packed in packed_in(module):
            self._add_object(row, packed)
        if not module._parameters and not packings:
            return
        tensors: dict[str, torch.Tensor | None] = {n: module._buffers[n] for n in packings if n in module._buffers}
        tensors |= {scales.name: scales.tensor for scales in scales_of(module)}
        if tensors:
            self.add(row, tensors, packings=packings, registered=False)

    def _add_object(self, row: int, packed: Packed) -> None:
        """Every tensor that a packed object holds. Nothing trains them."""
        key = hash(packed.content)
        first = self._firsts.setdefault(key, len(self.weights))
        owners = self._owners.setdefault(key, [])
        owners.append(row)
        same_as = None if first == len(self.weights) else first
        for offset, (part, storage) in enumerate(self._objects.add(packed.content, self._role, owners)):
            tied, name = None if same_as is None else same_as + offset, packed.called(part.name)
            tensor = part.layout.tensor
            self.weights.append(
                Weight(row, name, tensor, storage, same_as=tied, packing=part.packing, registered=False)
            )
