"""How is a call told from another: by which key it is remembered, and as which values does a signature hold it?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import torch
from torch import ScriptObject, Tensor
from torch.nn.parameter import Parameter

from profiler.engine.containers.layouts import MARK
from profiler.engine.meta.operators import PACKED, Manner
from profiler.engine.record.known_tensors import KnownTensor, KnownTensors
from profiler.engine.record.packed_objects import PackedObjects
from profiler.records.trace import Value

# By position, and by name.
Values: TypeAlias = tuple[tuple[Value, ...], tuple[tuple[str, Value], ...]]

_PLAIN = {int, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format}


class Arguments:
    """Reads the arguments of operators, and what they return."""

    def __init__(self, tensors: KnownTensors, packed: PackedObjects) -> None:
        self._tensors = tensors
        self._packed = packed

    def scan(self, values: Iterable[Any], key: list[Any], tensors: list[KnownTensor]) -> None:
        """Append what identifies the values to `key`, and what is known of each tensor to `tensors`."""
        there_before, run = self._tensors.there_before, self._tensors.run
        for value in values:
            kind = type(value)
            if kind is Tensor or kind is Parameter or isinstance(value, Tensor):
                info = there_before.get(id(value)) or value.__dict__.get(MARK)
                if info is None or info.run is not run:
                    info = self._tensors.meet(value)
                tensors.append(info)
                key.append(info.layout)
            elif kind in _PLAIN:
                key.append(value)
            elif kind is list or kind is tuple:
                if value and type(value[0]) is int:
                    key.append(tuple(value))
                else:
                    key.append(len(value))
                    self.scan(value, key, tensors)
            elif kind is ScriptObject:
                key.append(hash(value))
                tensors.extend(self._packed.tensors_of(value))
            elif kind is torch.Generator:  # no result depends on which it is, and nothing may keep it alive
                key.append(kind)
            else:  # 1, 1.0 and True are equal, and give results of different dtypes
                key.append((kind, value if value.__hash__ else repr(value)))

    def values_of_call(self, func: Any, how: Manner, args: Any, kwargs: Any) -> Values:
        """All arguments of a call as its signature holds them."""
        by_position = self.packed_values(func, args) if how is Manner.PACKED else self.values(args)
        return by_position, tuple((name, self.value(value)) for name, value in kwargs.items())

    def values(self, values: Iterable[Any]) -> tuple[Value, ...]:
        """Several as a signature holds them."""
        return tuple(self.value(value) for value in values)

    def value(self, value: Any) -> Value:
        """An argument, or what was returned, as a signature holds it."""
        if isinstance(value, Tensor):
            return self._tensors.info_of(value).layout.tensor
        if isinstance(value, (list, tuple)):
            return self.values(value)
        if value is None or isinstance(value, (bool, int, float, complex, str)):
            return value
        if isinstance(value, ScriptObject):
            return self._packed.value(value)
        if isinstance(value, (torch.UntypedStorage, torch.TypedStorage)):
            return type(value).__name__  # its text would be all that is in it
        return str(value).removeprefix("torch.")

    def packed_values(self, func: Any, args: Any) -> tuple[Value, ...]:
        """As `values`, and with a tensor that says where sequences end its values, if it has any."""
        values = list(self.values(args))
        for position in PACKED[func._schema.name]:
            tensor = args[position] if position < len(args) else None
            if tensor is not None and self._tensors.have_values([self._tensors.info_of(tensor)]):
                values[position] = values[position], tuple(tensor.tolist())
        return tuple(values)

    def layouts(self, results: Any) -> Any:
        """What an operator returned, with tensors reduced to their layouts."""
        if isinstance(results, Tensor):
            return self._tensors.info_of(results).layout
        if isinstance(results, (list, tuple)):
            return type(results)(self.layouts(item) for item in results)
        return results
