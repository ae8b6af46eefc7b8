"""What does an operator return on real tensors? It is run; its call is written down as one on meta tensors would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from profiler.engine.containers.layouts import MARK
from profiler.engine.meta.constants import with_values
from profiler.engine.meta.operators import Manner, each_tensor
from profiler.engine.record import memo
from profiler.engine.record.arguments import Arguments, Values
from profiler.engine.record.insides import inside_bytes_by_values
from profiler.engine.record.known_tensors import KnownTensor, KnownTensors
from profiler.engine.record.written import Outcome
from profiler.records.trace import Signature

_MOST_SIGNATURES = 1 << 14
# What `torch.inference_mode` and `torch.no_grad` enter, without what these add: a small operator takes less than that.
_InferenceMode, _set_grad_enabled = torch._C._InferenceMode, torch._C._set_grad_enabled


class OnReal:
    """Runs operators on real tensors.

    run_real: whether the whole run is one on real tensors, or these are constants amid one on meta tensors.
    before_write: called with a tensor of the model or the caller before an operator overwrites it.
    """

    def __init__(
        self, run_real: bool, before_write: Callable[[Tensor], None], tensors: KnownTensors, arguments: Arguments
    ) -> None:
        self._run_real = run_real
        self._before_write = before_write
        self._tensors = tensors
        self._arguments = arguments
        self._signatures: dict[tuple[Any, ...], Signature] = {}  # by what identifies a call
        self._insides: dict[tuple[Any, Values], int] = {}

    def run(
        self, func: Any, how: Manner, args: Any, kwargs: Any, tensors: list[KnownTensor], key: tuple[Any, ...]
    ) -> Outcome:
        if how is Manner.READ:
            return self._read(func, args, kwargs, key)
        if how is Manner.INPLACE or how is Manner.RUN:
            self._save_values(args, kwargs, tensors)
        if how is Manner.PACKED:
            key = ()  # it knows of no values
        signature = self._signatures.get(key)
        values = (
            self._arguments.values_of_call(func, how, args, kwargs)
            if signature is None
            else (signature.args, signature.kwargs)
        )
        if not self._run_real:
            args, kwargs = with_values(func, args, kwargs)
        with _InferenceMode(False):  # what a model keeps of it must not be an inference tensor
            _set_grad_enabled(False)
            out = func(*args, **kwargs)
        if how is Manner.RUN:
            self._tensors.look_again((args, tuple(kwargs.values())), is_real=True)
        is_real = self._run_real or not any(tensor.is_meta for tensor in each_tensor(out))
        is_same = how is Manner.INPLACE and _is_same(out, tensors[0], is_real)
        storages = (tensors[0].storage,) if is_same else self._tensors.add_results(out, tensors, is_real)
        output = self._arguments.value(out)
        if signature is None or signature.output is not output:
            inside = self._inside(func, args, kwargs, values) if how is Manner.FRESH else 0
            signature = memo.signature(str(func), *values, output, inside)
            if key:
                self._keep(key, signature)
        return out, signature, storages

    def _read(self, func: Any, args: Any, kwargs: Any, key: tuple[Any, ...]) -> Outcome:
        """What is read is no part of the record, as no value is."""
        signature = self._signatures.get(key)
        if signature is None:
            values = self._arguments.values_of_call(func, Manner.READ, args, kwargs)
            signature = memo.signature(str(func), *values, None)
            self._keep(key, signature)
        return func(*args, **kwargs), signature, ()

    def _keep(self, key: tuple[Any, ...], signature: Signature) -> None:
        """For the next call like this: loops make many."""
        if len(self._signatures) >= _MOST_SIGNATURES:
            self._signatures.clear()
        self._signatures[key] = signature

    def _inside(self, func: Any, args: Any, kwargs: Any, values: Values) -> int:
        """The same for all calls like this, and slow to find out."""
        key = func, values
        if key not in self._insides:
            self._insides[key] = inside_bytes_by_values(func, args, kwargs)
        return self._insides[key]

    def _save_values(self, args: Any, kwargs: Any, tensors: list[KnownTensor]) -> None:
        storages = self._tensors.lifetimes.storages
        if all(storages[info.storage].born >= 0 for info in tensors):
            return
        for tensor in each_tensor((args, tuple(kwargs.values()))):
            if storages[self._tensors.info_of(tensor).storage].born < 0:
                self._before_write(self._tensors.own_memory(tensor))


def _is_same(out: Tensor, info: KnownTensor, is_real: bool) -> bool:
    """Whether nothing new is known of a tensor that was overwritten."""
    is_marked = out.__dict__.get(MARK) is info
    return is_marked and info.is_real == is_real and not info.owners and info.stand_in is None
