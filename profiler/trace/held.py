"""Which parameters and buffers does a model hold? Each made known to the recorder, and written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from profiler.records import Packing, Weight
from profiler.trace.inner import Kept, kept_in, packings_of, scales_of
from profiler.trace.layouts import layout_of
from profiler.trace.packed import Packed, packed_in
from profiler.trace.recorder import Recorder

BUFFER, PARAMETER = "buffer", "parameter"


def weights(modules: Iterable[tuple[int, nn.Module]], recorder: Recorder) -> tuple[list[Weight], list[Weight]]:
    """Of modules with their rows: the parameters, and the buffers. Packed weights are parameters wherever they are."""
    modules = list(modules)
    packings = {row: packings_of(module) for row, module in modules}
    parameters, buffers = _Found(PARAMETER, recorder), _Found(BUFFER, recorder)
    for row, module in modules:
        for name, parameter in module._parameters.items():
            parameters.add(row, name, parameter, packing=packings[row].get(name))
        parameters.add_packed(row, module, packings[row])
    for row, module in modules:
        passing = module._non_persistent_buffers_set
        for name, tensor in module._buffers.items():
            if name not in packings[row]:
                buffers.add(row, name, tensor, name not in passing)
    return parameters.weights, buffers.weights


class _Found:
    """Weights of one role, in order. What was met before under another name is tied to that."""

    def __init__(self, role: str, recorder: Recorder) -> None:
        self.weights: list[Weight] = []
        self._role = role
        self._recorder = recorder
        self._firsts: dict[int, int] = {}  # id of a tensor, hash of a packed object -> its place in the list
        self._owners: dict[int, list[int]] = {}

    def add(
        self,
        row: int,
        name: str,
        tensor: torch.Tensor | None,
        persistent: bool = True,
        packing: Packing | None = None,
        registered: bool = True,
    ) -> None:
        if tensor is None:
            return
        key, trainable = id(tensor), tensor.requires_grad
        same_as = self._firsts.get(key)
        if same_as is None:
            self._firsts[key], self._owners[key] = len(self.weights), [row]
            info = self._recorder.give(tensor, self._role, self._owners[key])
        else:
            self._owners[key].append(row)
            info = self._recorder.known(tensor)
        record = info.layout.tensor
        found = Weight(row, name, record, info.storage, trainable, persistent, same_as, None, packing, registered)
        self.weights.append(found)
        kept = kept_in(name, tensor)
        if kept:
            self._add_kept(found, kept)

    def _add_kept(self, found: Weight, kept: list[Kept]) -> None:
        """A parameter that is kept in other tensors: the first has the weights, and the place that it was given."""
        first, *helpers = kept
        record = layout_of(first.tensor).tensor
        self._recorder.lifetimes.storages[found.storage].size_bytes = record.size_bytes
        self.weights[-1] = found._replace(tensor=record, packing=first.packing)
        for offset, part in enumerate(helpers, 1):
            tensor = layout_of(part.tensor).tensor
            storage = self._recorder.lifetimes.held(tensor.size_bytes, self._role)
            tied = None if found.same_as is None else found.same_as + offset
            self.weights.append(
                Weight(found.module, part.name, tensor, storage, same_as=tied, packing=part.packing, registered=False)
            )

    def add_packed(self, row: int, module: nn.Module, packings: Mapping[str, Packing]) -> None:
        """What a module holds of weights that are no parameters to torch."""
        for packed in packed_in(module):
            self._add_object(row, packed)
        for name in packings:
            if name in module._buffers:
                self.add(row, name, module._buffers[name], packing=packings[name], registered=False)
        for kept in scales_of(module):
            self.add(row, kept.name, kept.tensor, packing=kept.packing, registered=False)

    def _add_object(self, row: int, packed: Packed) -> None:
        """Every tensor that a packed object holds. Nothing trains them."""
        key = hash(packed.held)
        first = self._firsts.setdefault(key, len(self.weights))
        owners = self._owners.setdefault(key, [])
        owners.append(row)
        same_as = None if first == len(self.weights) else first
        for offset, (part, storage) in enumerate(self._recorder.give_packed(packed.held, self._role, owners)):
            tied, name = None if same_as is None else same_as + offset, packed.called(part.name)
            tensor = part.layout.tensor
            self.weights.append(
                Weight(row, name, tensor, storage, same_as=tied, packing=part.packing, registered=False)
            )
