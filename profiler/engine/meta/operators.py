"""How is an operator to be met? Run each time, remembered, taken apart, or answered with its first argument.

Decided once per operator from its schema; the recorder only looks the answer up.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from functools import cache
from typing import Any

import torch
from torch import Tensor

from profiler.ops.registry import free_reason, generation, is_known


class Manner(Enum):
    FRESH = auto()  # new tensors whose metadata depends on the arguments' metadata alone: remembered
    VIEW = auto()  # shares its argument's memory: runs for real, so that storages stay shared
    INPLACE = auto()  # overwrites its first argument's values and returns it
    RUN = auto()  # writes elsewhere, or changes metadata: runs for real, its tensors looked at anew
    CAST = auto()  # FRESH, unless all that changes is the device, and the model sees the tensor on that one already
    LIFT = auto()  # VIEW, of what was made a moment ago
    INDEX = auto()  # FRESH, after masks among its arguments are replaced by the indices they select
    PACKED = auto()  # FRESH, but costs what the values of some arguments say: they are written down, if there are any
    READ = auto()  # asks a tensor for its values
    ANSWER = auto()  # is no computation: asks whether a shortcut may be taken, or marks a place in a timeline
    PARTS = auto()  # composed of other operators, and without a formula of its own: taken apart


# In-place operators that change the shape, strides or storage of their first argument.
_STRIDES = {
    "as_strided_", "squeeze_", "unsqueeze_", "swapaxes_", "swapdims_", "t_", "transpose_", "detach_",
}  # fmt: skip
_RESHAPING = _STRIDES | {"resize_", "resize_as_", "set_"}
# Whether padding allows nn.TransformerEncoder to go over to nested tensors. The cost told is that of the dense batch.
ANSWERS = {"aten::_nested_tensor_from_mask_left_aligned": False}
# Attention over sequences that are packed end to end, and the arguments that say where each ends.
PACKED = {
    "torch_attn::_varlen_attn": (3, 4),
    "torch_attn::_varlen_attn_backward": (6, 7),
    "aten::_flash_attention_forward": (3, 4),
    "aten::_flash_attention_backward": (6, 7),
    "aten::_efficient_attention_forward": (4, 5),
    "aten::_efficient_attention_backward": (6, 7),
    "aten::_cudnn_attention_forward": (4, 5),
}
_READING = {"item", "is_nonzero", "_local_scalar_dense", "equal", "allclose"}


_BY_NAME = {
    torch.ops.aten.index.Tensor: Manner.INDEX,
    torch.ops.aten._to_copy.default: Manner.CAST,
    torch.ops.aten.lift_fresh.default: Manner.LIFT,
}
# By identity, since an operator's hash is computed in Python. All are kept alive, so that no other takes an id that
# calls are remembered by; there are as many as libraries register.
_manners: dict[int, Manner] = {}
_operators: dict[int, Any] = {}


def manner(func: Any) -> Manner:
    """How to meet an operator (`torch._ops.OpOverload`)."""
    decided = _manners.get(id(func))
    if decided is None:
        _operators[id(func)] = func
        decided = _manners[id(func)] = _decide(func)
    return decided


def keep_up() -> None:
    """Decide anew when something was registered: a composite operator with a formula is not taken apart."""
    global _decided_at  # noqa: PLW0603
    if _decided_at != generation():
        _manners.clear()
        _decided_at = generation()


_decided_at = -1


def _decide(func: Any) -> Manner:
    name = func._schema.name.split("::")[1]
    if func._schema.name in ANSWERS or func.namespace == "profiler":  # which marks a place in a timeline
        return Manner.ANSWER
    if name in _READING or torch.Tag.data_dependent_output in func.tags:
        return Manner.READ
    if func in _BY_NAME:
        return _BY_NAME[func]
    if func._schema.name in PACKED:
        return Manner.PACKED
    if is_composite(func) and not _has_entry(func):
        return Manner.PARTS
    return _by_schema(func, name)


def _by_schema(func: Any, name: str) -> Manner:
    arguments, returns = func._schema.arguments, func._schema.returns
    written = [i for i, a in enumerate(arguments) if a.alias_info is not None and a.alias_info.is_write]
    if written == [0] and name not in _RESHAPING and len(returns) == 1 and _is_tensor(arguments[0]):
        return Manner.INPLACE
    if written:
        return Manner.RUN
    if any(r.alias_info is not None for r in returns):
        return Manner.VIEW
    return Manner.FRESH


def changes_strides(func: Any) -> bool:
    """Whether an operator changes nothing but its first argument's shape and strides, in the same memory."""
    return func._opname in _STRIDES


@cache
def is_written(func: Any) -> bool:
    """Whether an operator overwrites one of its arguments."""
    return any(a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments)


def _is_tensor(argument: Any) -> bool:
    return str(argument.type) == "Tensor"


def is_composite(func: Any) -> bool:
    """Whether an operator is nothing but others."""
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key))


def has_kernel(func: Any) -> bool:
    """Whether a CPU computes an operator by itself, be it one that could be taken apart as well (`silu_backward`)."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), torch._C.DispatchKey.CPU))


def _has_entry(func: Any) -> bool:
    return is_known(str(func)) or free_reason(str(func)) is not None


def each_tensor(value: Any) -> Iterator[Tensor]:
    """Every tensor among an operator's arguments or results."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from each_tensor(item)
