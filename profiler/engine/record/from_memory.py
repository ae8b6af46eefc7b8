"""What does an operator return on meta tensors? What such a call returned before; the first of its kind is worked out.

A call is remembered between runs, by its operator and what identifies its arguments. Views run again
each time, on meta tensors, so that storages stay shared; an operator that overwrites its first argument returns that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from profiler.engine.containers.forms import is_plain
from profiler.engine.containers.layouts import TensorLayout, layout_of
from profiler.engine.meta.kernels import is_corrected
from profiler.engine.meta.operators import Manner, each_tensor
from profiler.engine.meta.rules import shape
from profiler.engine.meta.shapes import dtype_error, inside_autocast, mixes_dtypes
from profiler.engine.record import memo
from profiler.engine.record.arguments import Arguments, Values
from profiler.engine.record.insides import inside_bytes
from profiler.engine.record.known_tensors import KnownTensor, KnownTensors
from profiler.engine.record.memo import FRESH, RememberedCall
from profiler.engine.record.needs import ValueRequests
from profiler.engine.record.on_meta import OnMeta
from profiler.engine.record.written import Outcome
from profiler.records.trace import Signature, Value


class FromMemory:
    """Answers operators on meta tensors."""

    def __init__(self, tensors: KnownTensors, arguments: Arguments, on_meta: OnMeta, needs: ValueRequests) -> None:
        self._tensors = tensors
        self._arguments = arguments
        self._on_meta = on_meta
        self._needs = needs

    def answer(
        self, func: Any, how: Manner, args: Any, kwargs: Any, tensors: list[KnownTensor], key: tuple[Any, ...]
    ) -> Outcome:
        entry = memo.recall(key) or memo.recall_older(key)
        if entry is None:
            return self._first_time(func, how, args, kwargs, tensors, key)
        if how is Manner.INPLACE:
            return self._overwritten(entry.signature, args[0], tensors)
        if entry.source == FRESH:
            return self._new(entry)
        return self._again(entry, func, args, kwargs, tensors)

    # Remembered ---------------------------------------------------------------------------------------------------

    def _new(self, entry: RememberedCall) -> Outcome:
        """New tensors of the remembered layouts."""
        if type(entry.answer) is TensorLayout:
            tensor, storage = self._tensors.new(entry.answer)
            return tensor, entry.signature, (storage,)
        storages: list[int] = []
        out = self._filled(entry.answer, storages)
        return out, entry.signature, tuple(storages)

    def _filled(self, answer: Any, storages: list[int]) -> Any:
        if type(answer) is TensorLayout:
            tensor, storage = self._tensors.new(answer)
            storages.append(storage)
            return tensor
        if isinstance(answer, (list, tuple)):
            return type(answer)([self._filled(item, storages) for item in answer])
        return answer

    def _overwritten(self, signature: Signature, target: Tensor, tensors: list[KnownTensor]) -> Outcome:
        """An in-place operator leaves metadata as it is. A real tensor with meta values in it is real no longer."""
        info = tensors[0]
        if info.is_real:
            self._tensors.valueless.add(info.storage)
        return target, signature, (info.storage,)

    def _again(self, entry: RememberedCall, func: Any, args: Any, kwargs: Any, tensors: list[KnownTensor]) -> Outcome:
        """A view is made anew, and known to live where its source does."""
        if entry.is_plain and tensors[0].is_meta:
            out = func(*args)
        else:
            out = self._on_meta.run(func, args, kwargs, tensors)
            original = self._on_meta.original(out, args, kwargs)
            if original is not None:
                return original, entry.signature, (self._tensors.info_of(original).storage,)
        if entry.source is None:
            return out, entry.signature, self._tensors.add_results(out, tensors, is_real=False)
        source = tensors[entry.source]
        owners, storage = source.owners if len(tensors) == 1 else (), source.storage
        if type(entry.answer) is TensorLayout:
            self._tensors.mark(out, KnownTensor(source.run, entry.answer, storage, False, True, owners))
            return out, entry.signature, (storage,)
        for tensor, layout in zip(out, entry.answer, strict=True):
            self._tensors.mark(tensor, KnownTensor(source.run, layout, storage, False, True, owners))
        return out, entry.signature, (storage,) * len(out)

    # The first of its kind ----------------------------------------------------------------------------------------

    def _first_time(
        self, func: Any, how: Manner, args: Any, kwargs: Any, tensors: list[KnownTensor], key: tuple[Any, ...]
    ) -> Outcome:
        """By a rule for shapes where one is sure, or else by torch's own function for meta tensors."""
        values = self._arguments.values_of_call(func, how, args, kwargs)
        self._refuse(func, args, tensors)
        answer = shape(func, args, kwargs)
        if answer is not None and how is Manner.FRESH:
            told: Value
            if isinstance(answer, tuple):
                told, inside = tuple(layout.tensor for layout in answer), inside_bytes(func, args, kwargs)
            else:
                told, inside = answer.tensor, inside_bytes(func, args, kwargs, answer)
            entry = RememberedCall(memo.signature(str(func), *values, told, inside), answer, FRESH)
            memo.remember(key, entry)
            return self._new(entry)
        out = args[0] if answer is not None else self._on_meta.run(func, args, kwargs, tensors, how is Manner.FRESH)
        if how is Manner.INPLACE:
            signature = memo.signature(str(func), *values, tensors[0].layout.tensor)
            memo.remember(key, RememberedCall(signature, None, None))
            return self._overwritten(signature, args[0], tensors)
        return self._ran(func, how, args, kwargs, tensors, key, values, out)

    def _refuse(self, func: Any, args: Any, tensors: list[KnownTensor]) -> None:
        """What meta tensors cannot tell, and what a kernel would refuse."""
        if any(info.layout.tensor.form is not None for info in tensors):
            raise self._needs.of_values(f"{func} of a sparse or nested tensor")
        if mixes_dtypes(func, args):
            raise self._needs.of_values(str(func)) if inside_autocast() else dtype_error(func, args)

    def _ran(
        self, func: Any, how: Manner, args: Any, kwargs: Any, tensors: list[KnownTensor], key: Any, values: Values,
        out: Any,
    ) -> Outcome:  # fmt: skip
        """Get to know what an operator returned, and remember it if that depends on its arguments' metadata alone."""
        original = None if how is Manner.FRESH else self._on_meta.original(out, args, kwargs)
        if how is Manner.RUN:
            self._tensors.look_again((args, tuple(kwargs.values())), is_real=False)
            self._on_meta.take_values_of_written(func, args, kwargs)
        if original is None:
            storages = self._tensors.add_results(out, tensors, is_real=False)
        else:
            out, storages = original, (self._tensors.info_of(original).storage,)
        inside = inside_bytes(func, args, kwargs) if how is Manner.FRESH else 0
        signature = memo.signature(str(func), *values, self._arguments.value(out), inside)
        if how is not Manner.RUN:
            source = _source(how, [info.storage for info in tensors], storages, out)
            is_plain = _is_plain_call(func, args, kwargs, tensors)
            memo.remember(key, RememberedCall(signature, self._arguments.layouts(out), source, is_plain))
        return out, signature, storages


def _is_plain_call(func: Any, args: Any, kwargs: Any, tensors: list[KnownTensor]) -> bool:
    """See `RememberedCall.is_plain`."""
    names_device = any(type(value) is torch.device for value in args)
    return len(tensors) == 1 and not kwargs and not names_device and not is_corrected(func)


def _source(how: Manner, read: list[int], written: tuple[int, ...], out: Any) -> int | None:
    """Where an operator's output lives, by the storages of its arguments and of its results; see `RememberedCall`."""
    if not set(read) & set(written):
        return FRESH if how is Manner.FRESH and all(map(_fills_its_storage, each_tensor(out))) else None
    is_flat = isinstance(out, Tensor) or all(isinstance(item, Tensor) for item in out)
    return read.index(written[0]) if is_flat and set(written) == {written[0]} else None


def _fills_its_storage(tensor: Tensor) -> bool:
    return is_plain(tensor) and tensor.untyped_storage().nbytes() == layout_of(tensor).storage_bytes
