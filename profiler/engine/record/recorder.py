"""Which operators does a model call? The dispatch mode that sees each call, has it answered, and writes it down.

How an operator is met is decided once, from its schema (`meta/operators.py`). On meta tensors it is answered from
memory (`from_memory.py`), on constants and in a run on real tensors it is run (`on_real.py`). One that is nothing but
others, and has no formula of its own, is taken apart, and its parts come here in turn.

A real tensor that meets a meta one is replaced by a meta stand-in (`on_meta.py`), and parameters always count as meta:
so a live model is profiled without a copy, and without touching its weights. Constants that meet no meta tensor stay
real, and a model may ask for their values.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator, OpOverload

from profiler import errors
from profiler.engine.containers.forms import is_jagged
from profiler.engine.meta.constants import is_large, joins_meta, names_device, stays_for_model, where_it_is
from profiler.engine.meta.higher_order import unseen
from profiler.engine.meta.mode import LeanDispatchMode
from profiler.engine.meta.operators import ANSWERS, Manner, changes_strides, each_tensor, is_written, manner
from profiler.engine.record import memo
from profiler.engine.record.arguments import Arguments
from profiler.engine.record.from_memory import FromMemory
from profiler.engine.record.known_tensors import KnownTensor, KnownTensors
from profiler.engine.record.lifetimes import Lifetimes
from profiler.engine.record.needs import NeedsValues, ValueRequests
from profiler.engine.record.on_meta import OnMeta
from profiler.engine.record.on_real import OnReal
from profiler.engine.record.packed_objects import PackedObjects
from profiler.engine.record.step import PhaseTracker
from profiler.engine.record.written import Written
from profiler.records.trace import UPDATE

_FRESH, _VIEW, _INPLACE = Manner.FRESH, Manner.VIEW, Manner.INPLACE
_NO_KWARGS: dict[str, Any] = {}
_DETACHED = torch.ops.aten.detach_.default


class Recorder(LeanDispatchMode):
    """Records operator calls. `run_real` runs every operator on real tensors instead of answering from metadata.

    before_write: called with a tensor of the model or the caller before an operator overwrites it.
    step: says whose the calls of a training step are; None in inference.
    is_inside: whether one module (by its row) is inside another.
    module: the one that is running, by its row.
    """

    def __init__(
        self,
        run_real: bool,
        before_write: Callable[[Tensor], None],
        is_inside: Callable[[int, int], bool],
        step: PhaseTracker | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.run_real = run_real
        self.computes_constants = True  # a file's are never computed: its numbers may be anything
        self.step = step
        self.module = 0
        self.written = Written(is_inside, step)
        self.lifetimes = Lifetimes(self.written.calls)
        self.tensors = KnownTensors(run_real, self.lifetimes, step)
        self.packed = PackedObjects(run_real, self.tensors)
        self.needs = ValueRequests()
        self._arguments = Arguments(self.tensors, self.packed)
        self._on_meta = OnMeta(self.tensors, self.needs)
        self._from_memory = FromMemory(self.tensors, self._arguments, self._on_meta, self.needs)
        self._on_real = OnReal(run_real, before_write, self.tensors, self._arguments)
        self.unusual = 0  # operators so far that did not depend on layouts alone, or changed some
        self._caller = 0  # of the operator under way
        self._is_apart = False  # whether it is a part of one that is being taken apart
        self._frames = 1  # from the mode's method to the model's code

    # Threads ------------------------------------------------------------------------------------------------------

    def beside(self, module: int) -> Recorder:
        """A recorder for another thread, which writes into the same record, and starts in a module."""
        if not isinstance(self, _Shared):
            self.__class__, self._frames, self._lock = _Shared, 2, threading.RLock()
        other = copy.copy(self)
        other.module, other._is_apart = module, False
        return other

    def is_same(self, mode: Any) -> bool:
        """Whether a dispatch mode is of this record."""
        return isinstance(mode, Recorder) and mode.written is self.written

    def is_active(self) -> bool:
        """Whether the model's code is running in this thread, and not an operator."""
        at = torch._C._get_dispatch_stack_at
        return any(self.is_same(at(position)) for position in range(torch._C._len_torch_dispatch_stack()))

    # Calls that are seen elsewhere --------------------------------------------------------------------------------

    def asks(self, reason: BaseException) -> None:
        """A run on meta tensors cannot go on as it is."""
        self.needs.add(errors.text_of(reason))

    def asks_for(self, op: str) -> NeedsValues:
        """What to raise where a meta tensor has not what is needed."""
        return self.needs.of_values(op)

    def on_meta(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor amid those without values."""
        return tensor if tensor.is_meta else self._on_meta.stand_in(tensor)

    def note(self, text: str) -> None:
        """Something about the run that a report has to say."""
        self.written.add_note(text)

    def foreign(self, op: str, args: Sequence[Any], out: Sequence[Tensor], kwargs: Sequence[Any] = ()) -> None:
        """Write down a call of an operator that was not run here, and what it is known to return."""
        self.unusual += 1
        tensors = [self.tensors.info_of(tensor) for tensor in each_tensor(args)]
        storages = self.tensors.add_results(out, tensors, is_real=self.run_real)
        values, results = self._arguments.values(args), self._arguments.values(out)
        signature = memo.signature(op, values, tuple(kwargs), results[0] if len(results) == 1 else results)
        self.written.add_call(signature, tensors, storages, self.module, self._caller)

    # The mode -----------------------------------------------------------------------------------------------------

    supports_higher_order_operators = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if types and any(map(is_jagged, types)):
            return self._by_its_rows()
        kwargs = kwargs or _NO_KWARGS
        if type(func) is not OpOverload and isinstance(func, HigherOrderOperator):
            self.unusual += 1
            return unseen(self, func, args, kwargs)
        if self.step is not None:
            func = self.step.really(func, args, kwargs, sys._getframe(self._frames))
        elif not self._is_apart:
            self._caller = self.written.callers.of(sys._getframe(self._frames))
        how = manner(func)
        if how is _FRESH or how is _VIEW or how is _INPLACE:
            return self._ordinarily(func, how, args, kwargs)
        return self._specially(func, how, args, kwargs)

    def _ordinarily(self, func: Any, how: Manner, args: Any, kwargs: Any) -> Any:
        """Run on real tensors, or answered from memory; and written down."""
        key: list[Any] = [id(func)]
        tensors: list[KnownTensor] = []
        self._arguments.scan(args, key, tensors)
        if kwargs:
            key.extend(kwargs)
            self._arguments.scan(kwargs.values(), key, tensors)
        if self.run_real or self._has_values(func, how, args, kwargs, tensors):
            self.unusual += 1
            outcome = self._on_real.run(func, how, args, kwargs, tensors, tuple(key))
        elif how is Manner.READ:
            return self._read(func, args, kwargs, tensors)
        else:
            if how is Manner.PACKED:
                key.append(self._arguments.packed_values(func, args))
            outcome = self._from_memory.answer(func, how, args, kwargs, tensors, tuple(key))
        out, signature, storages = outcome
        self.written.add_call(signature, tensors, storages, self.module, self._caller)
        return out

    def _specially(self, func: Any, how: Manner, args: Any, kwargs: Any) -> Any:
        """What has to be done before an operator may be met as others are."""
        self.unusual += how is not Manner.PARTS
        if how is Manner.CAST:
            if not self.run_real and self._is_there(args, kwargs):
                return self.tensors.alias(args[0])
            how = Manner.FRESH
        if how is Manner.PARTS:
            if not self._has_kernel(args):
                return self._take_apart(func, args, kwargs)
            how = Manner.FRESH
        if how is Manner.ANSWER:
            return ANSWERS[func._schema.name] if func._schema.name in ANSWERS else func(*args, **kwargs)
        if how is Manner.INDEX:
            args, how = self._with_index_lists(func, args), Manner.FRESH
        if how is Manner.LIFT or func is _DETACHED:  # `torch.tensor` calls them on what it has made, unseen by any mode
            self.tensors.meet_new_constant(args[0])
            how = Manner.VIEW if how is Manner.LIFT else how
        return self._ordinarily(func, how, args, kwargs)

    # What an operator is run on -----------------------------------------------------------------------------------

    def _has_values(self, func: Any, how: Manner, args: Any, kwargs: Any, tensors: list[KnownTensor]) -> bool:
        """Whether an operator is run on constants. Strides may change also of those that have no values any more."""
        if not self.computes_constants:
            return False
        if self.tensors.have_values(tensors):
            return not self._is_large(func, how, args, kwargs)
        return how is Manner.RUN and changes_strides(func) and tensors[0].is_real

    def _is_large(self, func: Any, how: Manner, args: Any, kwargs: Any) -> bool:
        """A constant that is not computed: it becomes a meta tensor."""
        if self.step is not None and self.step.is_after and names_device(args, kwargs):
            return True  # autograd wants gradients on the device of what they are of
        return how is Manner.FRESH and is_large(func, args, kwargs, self._on_meta.in_place)

    def _is_there(self, args: Any, kwargs: Any) -> bool:
        """Whether a copy for another device is none to the model: of a meta tensor, or of what joins one."""
        is_before = self.step is None or not self.step.is_after
        return stays_for_model(args, kwargs) or (is_before and joins_meta(args, kwargs))

    def _by_its_rows(self) -> Any:
        """Jagged tensors call operators on ordinary ones, which are then seen here; their lengths are values."""
        if not self.run_real:
            raise self.needs.of_values("a nested tensor")
        return NotImplemented

    def _read(self, func: Any, args: Any, kwargs: Any, tensors: list[KnownTensor]) -> Any:
        """Values of a parameter that really has some may be asked for; those of a meta tensor may not."""
        if any(info.is_meta or info.storage in self.tensors.valueless for info in tensors):
            if self.step is not None and self.step.kind == UPDATE:
                return 1.0  # an optimizer's scalars: they decide no shape
            raise self.needs.of_values(str(func))
        return func(*args, **kwargs)

    def _with_index_lists(self, func: Any, args: Any) -> Any:
        """`x[mask]` with a real mask selects known elements: say which ones, so that a meta `x` can be indexed."""
        source, indices, *rest = args
        plain: list[Any] = []
        for index in indices:
            if index is None or index.dtype is not torch.bool or index.is_meta:
                plain.append(index)
            elif self.tensors.info_of(index).storage in self.tensors.valueless:
                raise self.needs.of_values(str(func))
            else:
                plain += torch.nonzero(index, as_tuple=True)
        return (source, plain, *rest)

    # Taking apart -------------------------------------------------------------------------------------------------

    def _has_kernel(self, args: Any) -> bool:
        """Of nested tensors torch has kernels for what it takes apart of others."""
        return self.run_real and any(tensor.is_nested for tensor in each_tensor(args))

    def _take_apart(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Record the parts of an operator, and that they are its parts; those of a part belong to the whole."""
        if self._is_apart:
            return self._by_parts(func, args, kwargs)
        first, self._is_apart = len(self.written.calls), True
        values = self._arguments.values_of_call(func, Manner.PARTS, args, kwargs)
        try:
            out = self._by_parts(func, args, kwargs)
        finally:
            self._is_apart = False
        signature = memo.signature(str(func), *values, self._arguments.value(out))
        self.written.add_composite(signature, self.module, first, self._caller)
        return out

    def _by_parts(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What an operator returns, by its parts, each of which this mode sees."""
        own_args, own_kwargs = args, kwargs
        if not self.run_real and any(tensor.is_meta for tensor in each_tensor((args, tuple(kwargs.values())))):
            on_meta = self._on_meta.all_in_place if is_written(func) else where_it_is
            args, kwargs = on_meta(args, kwargs)
        with self:
            out = func.decompose(*args, **kwargs)
        if out is NotImplemented:
            raise NotImplementedError(f"{func} cannot be taken apart")
        if args is own_args:
            return out
        self._on_meta.take_values_of_written(func, own_args, own_kwargs)
        original = self._on_meta.original(out, own_args, own_kwargs)
        return out if original is None else original


class _Shared(Recorder):
    """A recorder whose record several threads write into, one operator at a time."""

    _lock: threading.RLock

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with self._lock:
            return super().__torch_dispatch__(func, types, args, kwargs)
