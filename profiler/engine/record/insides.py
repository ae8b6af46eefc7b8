"""What does an operator allocate inside that is kept whole? It is taken apart on meta tensors, once per signature.

`max_pool2d` computes indices that it does not return, `layer_norm` keeps statistics until it ends, an LSTM consists of
hundreds of calls. All of these are tensors, alive for a while, and belong to the peak. Scratch memory that a kernel
takes for itself is no tensor, and is not seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from profiler.engine.containers.layouts import META, TensorLayout, layout_of
from profiler.engine.meta import elementwise, shapes  # noqa: F401  which register their rules
from profiler.engine.meta.instead import READ, in_parts
from profiler.engine.meta.kernels import returned
from profiler.engine.meta.mode import LeanDispatchMode
from profiler.engine.meta.operators import each_tensor, has_kernel, is_composite
from profiler.engine.meta.rules import by_rule

_aten = torch.ops.aten


_PLAIN = (torch.float32, torch.float64)  # whose statistics are of the same dtype


class _Inside(LeanDispatchMode):
    """Follows how much of what is allocated is alive."""

    def __init__(self, arguments: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._live = 0
        self._addresses = {tensor.untyped_storage()._cdata for tensor in arguments}
        self._watches: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if has_parts(func):
            with self:
                out = in_parts(func, args, kwargs)
            if out is not NotImplemented:
                return out
        out = by_rule(func, args, kwargs)
        if out is None:
            out = returned(func, func(*args, **kwargs), args, kwargs)
        for tensor in each_tensor(out):
            self._born(tensor.untyped_storage())
        self.most = max(self.most, self._live)
        return out

    def _born(self, storage: torch.UntypedStorage) -> None:
        address, size_bytes = storage._cdata, storage.nbytes()
        if address in self._addresses:
            return

        def released(_: object) -> None:
            self._addresses.discard(address)
            self._watches.pop(address, None)
            self._live -= size_bytes

        self._addresses.add(address)
        self._live += size_bytes
        self._watches[address] = weakref.ref(storage, released)


def inside_bytes(func: Any, args: Any, kwargs: Any, answer: TensorLayout | None = None) -> int:
    """The most that is alive inside a composite operator at once, what it returns included; 0 for other operators.

    answer: what it is known to return, where a shape rule knew: then a rule here is as sure of its insides.
    """
    if answer is not None and func in _BESIDE and answer.dtype in _PLAIN:
        beside = _BESIDE[func](answer, *args)
        return answer.storage_bytes + beside if beside else 0
    return taken_apart(func, *on_meta_alone(func, args, kwargs)) if has_parts(func) else 0


def inside_bytes_by_values(func: Any, args: Any, kwargs: Any) -> int:
    """By meta tensors as ever; by the real arguments where parts of the operator want values, as `nonzero` does."""
    try:
        return inside_bytes(func, args, kwargs)
    except RuntimeError:  # whatever it says: what fails on real tensors too is told
        pass
    with torch.inference_mode(False), torch.no_grad():
        return taken_apart(func, args, kwargs)


@cache
def has_parts(func: Any) -> bool:
    """In inference a CPU's `max_pool1d` is a kernel of its own, which finds no indices."""
    return is_composite(func) and not has_kernel(func) and func is not _aten.max_pool1d.default


def on_meta_alone(func: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments, with meta tensors in place of all whose values do not matter."""
    read = READ.get(func)
    return (
        tuple(value if i == read else _on_meta(value) for i, value in enumerate(args)),
        {name: _on_meta(value) for name, value in kwargs.items()},
    )


def taken_apart(func: Any, args: Any, kwargs: Any) -> int:
    """As `inside_bytes`, by running the parts of a composite operator."""
    return _apart(func, args, kwargs)[1]


def by_parts(func: Any, args: Any, kwargs: Any) -> Any:
    """What a composite operator returns on meta tensors, of whose parts the rules know most."""
    return _apart(func, args, kwargs)[0]


def _apart(func: Any, args: Any, kwargs: Any) -> tuple[Any, int]:
    inside = _Inside(each_tensor((args, tuple(kwargs.values()))))
    with inside:
        out = in_parts(func, args, kwargs)
    return out, inside.most


def _on_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value if value.is_meta else layout_of(value).empty()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_on_meta, value))
    return META if isinstance(value, torch.device) else value


# What is alive beside the result when the commonest operators end, in bytes. Each is tested against `taken_apart`.


def _nothing(out: TensorLayout, *_: Any) -> int:
    return 0


def _indices(out: TensorLayout, *_: Any) -> int:
    """An int64 for each element."""
    return 8 * out.tensor.numel


def _of_rows(out: TensorLayout, x: Tensor, shape: Sequence[int], *_: Any) -> int:
    """Mean and deviation of each row."""
    return 2 * out.tensor.numel // prod(shape) * out.dtype.itemsize


def _of_groups(out: TensorLayout, x: Tensor, groups: int, *_: Any) -> int:
    """Mean and deviation of each group of channels."""
    return 2 * out.shape[0] * groups * out.dtype.itemsize


_BESIDE: Mapping[Any, Callable[..., int]] = {
    _aten.max_pool2d.default: _indices,
    _aten.layer_norm.default: _of_rows,
    _aten.group_norm.default: _of_groups,
    **dict.fromkeys(
        (
            _aten.conv1d.default, _aten.conv2d.default, _aten.conv3d.default, _aten.conv_transpose2d.input,
            _aten.linear.default, _aten.batch_norm.default, _aten.softmax.int, _aten.adaptive_avg_pool2d.default,
        ),
        _nothing,
    ),
}  # fmt: skip
