"""Which parameters and buffers does a model hold? Each made known to the recorder, and written down."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from profiler.records import Packing, Weight
from profiler.trace.packed import Packed, packed_in
from profiler.trace.recorder import Recorder

BUFFER, PARAMETER = "buffer", "parameter"


def weights(modules: Iterable[tuple[int, nn.Module]], recorder: Recorder) -> tuple[list[Weight], list[Weight]]:
    """Of modules with their rows: the parameters, packed ones among them, and the buffers."""
    modules = list(modules)
    parameters, buffers = _Found(PARAMETER, recorder), _Found(BUFFER, recorder)
    for row, module in modules:
        for name, tensor in module._parameters.items():
            parameters.add(row, name, tensor)
        for packed in packed_in(module):
            parameters.add_packed(row, packed)
    for row, module in modules:
        passing = module._non_persistent_buffers_set
        for name, tensor in module._buffers.items():
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
        self, row: int, name: str, tensor: torch.Tensor | None, persistent: bool = True, packing: Packing | None = None
    ) -> None:
        if tensor is None:
            return
        key = id(tensor)
        same_as = self._firsts.get(key)
        if same_as is None:
            self._firsts[key], self._owners[key] = len(self.weights), [row]
            info = self._recorder.give(tensor, self._role, self._owners[key])
        else:
            self._owners[key].append(row)
            info = self._recorder.known(tensor)
        record, trainable = info.layout.tensor, tensor.requires_grad
        self.weights.append(Weight(row, name, record, info.storage, trainable, persistent, same_as, None, packing))

    def add_packed(self, row: int, packed: Packed) -> None:
        """Every tensor that a packed object holds. Nothing trains them."""
        key = hash(packed.held)
        first = self._firsts.setdefault(key, len(self.weights))
        owners = self._owners.setdefault(key, [])
        owners.append(row)
        same_as = None if first == len(self.weights) else first
        for offset, (part, storage) in enumerate(self._recorder.give_packed(packed.held, self._role, owners)):
            tied, name = None if same_as is None else same_as + offset, packed.called(part.name)
            tensor = part.layout.tensor
            self.weights.append(Weight(row, name, tensor, storage, same_as=tied, packing=part.packing))
