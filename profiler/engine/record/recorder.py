"""The dispatch mode that writes down every operator call and answers most of them without running a kernel.

What an operator returns, given arguments of certain shapes, strides and dtypes, is remembered for the life of the
process: the next identical call is answered with fresh meta tensors. Views still run, on meta tensors, so that storages
stay shared; in-place operators return their first argument.

A real tensor that meets a meta one is replaced by a meta stand-in, and parameters always count as meta: so a live
model is profiled without a copy, and without touching its weights. Constants that meet no meta tensor stay real, and a
model may ask for their values.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import ScriptObject, Tensor
from torch._ops import HigherOrderOperator, OpOverload
from torch.nn.parameter import Parameter

from profiler import errors
from profiler.engine.held.forms import is_jagged
from profiler.engine.held.layouts import MARK, META, Layout, layout_of
from profiler.engine.held.packed import Part, class_name, is_packed, parts
from profiler.engine.held.packed import value as packed_value
from profiler.engine.meta.constants import is_large, is_seen_there, joins_meta, names_device, where_it_is, with_values
from profiler.engine.meta.higher_order import unseen
from profiler.engine.meta.kernels import is_corrected, returned
from profiler.engine.meta.mode import LeanDispatchMode
from profiler.engine.meta.operators import ANSWERS, PACKED, Manner, changes_strides, each_tensor, is_written, manner
from profiler.engine.meta.shapes import SHAPES, dtype_error, inside_autocast, mixes_dtypes
from profiler.engine.record import memo
from profiler.engine.record.callers import Callers
from profiler.engine.record.insides import inside_bytes, taken_apart
from profiler.engine.record.lifetimes import Lifetimes, has_storage
from profiler.engine.record.memo import FRESH, Entry
from profiler.engine.record.step import Step
from profiler.records.trace import UPDATE, Call, Composite, Signature, Value
from profiler.records.trace import Tensor as TensorRecord


class NeedsValues(Exception):
    """An operator asked a meta tensor for its values, or does not take it, as a meta tensor, for another reason."""


class Info:
    """What the recorder knows of a tensor.

    `real` is whether its values may be used, `is_meta` whether it has none; a parameter of a live model is neither.
    `owners` are the modules that hold the weight which the tensor is, or is a view of. `stand_in` is the meta tensor
    that operators on meta tensors see in place of a real one, once one has.
    """

    __slots__ = ("is_meta", "layout", "owners", "real", "recorder", "stand_in", "storage")

    def __init__(
        self, recorder: object, layout: Layout, storage: int, real: bool, is_meta: bool, owners: Sequence[int] = ()
    ) -> None:
        self.recorder = recorder
        self.layout = layout
        self.storage = storage
        self.real = real
        self.is_meta = is_meta
        self.owners = owners
        self.stand_in: Tensor | None = None


class _Unpacked(NamedTuple):
    """A packed object, which stays alive so that no other takes its hash, and what it holds."""

    held: Any
    parts: tuple[Part, ...]
    infos: list[Info]


_FRESH, _VIEW, _INPLACE = Manner.FRESH, Manner.VIEW, Manner.INPLACE
_SIGNATURES_KEPT = 1 << 14
# What `torch.inference_mode` and `torch.no_grad` enter, without what these add: a small operator takes less than that.
_InferenceMode, _set_grad_enabled = torch._C._InferenceMode, torch._C._set_grad_enabled
_PLAIN = {int, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format}
_NO_KWARGS: dict[str, Any] = {}
_DETACHED = torch.ops.aten.detach_.default


class Recorder(LeanDispatchMode):
    """Records operator calls. `run_real` runs every operator on real tensors instead of answering from metadata.

    before_write: called with a tensor of the model or the caller before an operator overwrites it.
    step: says whose the calls of a training step are; None in inference.
    is_inside: whether one module (by its row) is inside another; a weight that is used from outside its module is
        charged to its module.
    """

    def __init__(
        self,
        run_real: bool,
        before_write: Callable[[Tensor], None],
        is_inside: Callable[[int, int], bool],
        step: Step | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.run_real = run_real
        self.computes_constants = True  # a file's are never computed: its numbers may be anything
        self.step = step
        self.module = 0
        self._asked: list[NeedsValues] = []
        self.signatures: list[Signature] = []
        self.calls: list[Call] = []
        self.callers = Callers()
        self.composites: list[Composite] = []
        self.notes: list[str] = []
        self.lifetimes = Lifetimes(self.calls)
        self._before_write = before_write
        self._is_inside = is_inside
        self._numbers: dict[int, int] = {}  # id(signature) -> its index
        self._insides: dict[Any, int] = {}
        self._known: dict[tuple[Any, ...], Signature] = {}  # of operators that ran on real tensors, by their arguments
        self._caller = 0  # of the operator under way
        self._is_apart = False  # whether it is a part of one that is being taken apart
        self._token = object()  # what the marks of this run are known by
        self._given: dict[int, Info] = {}
        self._kept: list[Tensor] = []  # given tensors stay alive, so that no other tensor takes their id
        self._tainted: set[int] = set()  # real storages that were written from meta tensors
        self._packed: dict[int, _Unpacked] = {}  # by the hash of a packed object, which is that of what is inside
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
        return isinstance(mode, Recorder) and mode._token is self._token

    def is_active(self) -> bool:
        """Whether the model's code is running in this thread, and not an operator."""
        at = torch._C._get_dispatch_stack_at
        return any(self.is_same(at(position)) for position in range(torch._C._len_torch_dispatch_stack()))

    @property
    def asked(self) -> NeedsValues | None:
        """What an operator asked for, of a meta tensor, that it does not have; kept, as the model may catch it."""
        return self._asked[0] if self._asked else None

    def asks(self, reason: BaseException) -> None:
        """A run on meta tensors cannot go on as it is."""
        self._asked.append(NeedsValues(errors.text_of(reason)))

    # Tensors that were there before -------------------------------------------------------------------------------

    def give(self, tensor: Tensor, role: str, owners: Sequence[int] = ()) -> Info:
        """Make a parameter, buffer or input known before the run."""
        layout, is_meta = layout_of(tensor), tensor.is_meta
        real = self.run_real or not (is_meta or role == "parameter")
        index = self.lifetimes.given(tensor, layout, role)
        info = self._given[id(tensor)] = Info(self._token, layout, index, real, is_meta, owners)
        self._kept.append(tensor)
        return info

    def hand(self, tensor: Tensor, role: str) -> None:
        """Make a tensor known that is the model's from now on, to keep or to release."""
        layout, is_meta = layout_of(tensor), tensor.is_meta
        index = self.lifetimes.handed(tensor, layout, role)
        tensor.__dict__[MARK] = Info(self._token, layout, index, self.run_real or not is_meta, is_meta)

    def own(self, tensor: Tensor) -> None:
        """Mark a tensor that was made known, and that was made for this run."""
        tensor.__dict__[MARK] = self._given[id(tensor)]

    def mine(self) -> Callable[[Tensor], bool]:
        """Says whether a tensor was made by this run; it holds on to none, and outlives the recorder."""
        token, lifetimes = self._token, self.lifetimes

        def is_mine(tensor: Tensor) -> bool:
            mark = tensor.__dict__.get(MARK)
            return (mark is not None and mark.recorder is token) or lifetimes.is_alive(tensor)

        return is_mine

    def home(self, tensor: Tensor) -> int | None:
        """The storage that a tensor lives in; None where no operator ever saw it."""
        return self.lifetimes.find(tensor)

    def give_packed(self, held: Any, role: str, owners: Sequence[int] = ()) -> list[tuple[Part, int]]:
        """Make the tensors known that a packed object holds; each is given with its storage."""
        found = self._packed.get(hash(held))
        if found is None:
            known = parts(held)
            infos = [self._of_part(part, role, owners) for part in known]
            found = self._packed[hash(held)] = _Unpacked(held, known, infos)
            if isinstance(held, Tensor):
                self._given[id(held)] = infos[0]
        return [(part, info.storage) for part, info in zip(found.parts, found.infos, strict=True)]

    def _of_part(self, part: Part, role: str, owners: Sequence[int]) -> Info:
        storage = self.lifetimes.held(part.layout.tensor.size_bytes, role)
        return Info(self._token, part.layout, storage, self.run_real, False, owners)

    def given(self) -> list[tuple[Tensor, Layout]]:
        """The tensors made known so far, as they were then."""
        return [(tensor, self._given[id(tensor)].layout) for tensor in self._kept]

    def known(self, tensor: Tensor) -> Info:
        """What is known of a given tensor."""
        return self._given[id(tensor)]

    def record_of(self, tensor: Tensor) -> TensorRecord:
        """A tensor as records hold it; it may be one that operators never see, such as a batched one inside vmap."""
        info = self._given.get(id(tensor)) or tensor.__dict__.get(MARK)
        return (layout_of(tensor) if info is None else info.layout).tensor

    def homes(self, tensors: Iterable[Tensor]) -> tuple[int, ...]:
        """The storages that tensors live in; those that no operator ever saw are left out."""
        found = [self.home(tensor) for tensor in tensors]
        return tuple(dict.fromkeys(index for index in found if index is not None))

    def on_meta(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor amid those without values."""
        return tensor if tensor.is_meta else self._stand_in(tensor)

    def foreign(self, op: str, args: Sequence[Any], out: Sequence[Tensor], kwargs: Sequence[Any] = ()) -> None:
        """Write down a call of an operator that was not run here, and what it is known to return."""
        infos = [self._info(tensor) for tensor in each_tensor(args)]
        writes = self._adopt(out, infos, real=self.run_real)
        values = self._values(out)
        signature = memo.signature(op, self._values(args), tuple(kwargs), values[0] if len(values) == 1 else values)
        self._record(signature, infos, writes)

    # The mode -----------------------------------------------------------------------------------------------------

    supports_higher_order_operators = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if types and any(map(is_jagged, types)):
            return self._by_its_rows()
        kwargs = kwargs or _NO_KWARGS
        if type(func) is not OpOverload and isinstance(func, HigherOrderOperator):
            return unseen(self, func, args, kwargs)
        if self.step is not None:
            func = self.step.really(func, args, kwargs, sys._getframe(self._frames))
        elif not self._is_apart:
            self._caller = self.callers.of(sys._getframe(self._frames))
        how = manner(func)
        if how is _FRESH or how is _VIEW or how is _INPLACE:
            return self._ordinarily(func, how, args, kwargs)
        return self._specially(func, how, args, kwargs)

    def _specially(self, func: Any, how: Manner, args: Any, kwargs: Any) -> Any:
        """What has to be done before an operator may be met as others are."""
        if how is Manner.CAST:
            if not self.run_real and self._is_there(args, kwargs):
                return self._alias(args[0])
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
            self._be_born(args[0])
            how = Manner.VIEW if how is Manner.LIFT else how
        return self._ordinarily(func, how, args, kwargs)

    def _ordinarily(self, func: Any, how: Manner, args: Any, kwargs: Any) -> Any:
        """Run on real tensors, answered from memory, or run on meta tensors."""
        key: list[Any] = [id(func)]
        infos: list[Info] = []
        self._scan(args, key, infos)
        if kwargs:
            key.extend(kwargs)
            self._scan(kwargs.values(), key, infos)
        if self.run_real or self._has_values(func, how, args, kwargs, infos):
            return self._run_real(func, how, args, kwargs, key, infos)
        if how is Manner.READ:
            return self._read(func, args, kwargs, infos)
        if how is Manner.PACKED:
            key.append(self._packed_values(func, args))
        entry = memo.recall(found := tuple(key))
        if entry is None:
            return self._first_time(func, how, args, kwargs, infos, found)
        if how is Manner.INPLACE:
            return self._overwrite(entry.signature, args[0], infos)
        if entry.source == FRESH:
            return self._answer(entry, infos)
        return self._run_again(entry, func, args, kwargs, infos)

    def _is_there(self, args: Any, kwargs: Any) -> bool:
        """Whether a copy for another device is none to the model: of a meta tensor, or of what joins one."""
        is_before = self.step is None or not self.step.is_after
        return is_seen_there(args, kwargs) or (is_before and joins_meta(args, kwargs))

    def _has_kernel(self, args: Any) -> bool:
        """Of nested tensors torch has kernels for what it takes apart of others."""
        return self.run_real and any(tensor.is_nested for tensor in each_tensor(args))

    def _by_its_rows(self) -> Any:
        """Jagged tensors call operators on ordinary ones, which are then seen here; their lengths are values."""
        if not self.run_real:
            raise self._ask("a nested tensor")
        return NotImplemented

    def _take_apart(self, func: Any, args: Any, kwargs: Any) -> Any:
        if self._is_apart:
            return self._decomposed(func, args, kwargs)
        first, self._is_apart = len(self.calls), True
        given = self._values(args), tuple((name, self._value(value)) for name, value in kwargs.items())
        try:
            out = self._decomposed(func, args, kwargs)
        finally:
            self._is_apart = False
        signature = self._number(memo.signature(str(func), *given, self._value(out)))
        self.composites.append(Composite(signature, self.module, first, len(self.calls), self._caller))
        return out

    def _alias(self, tensor: Tensor) -> Tensor:
        """Another tensor of the same memory: nothing was computed."""
        info = self._info(tensor)
        out: Tensor = torch.ops.aten.alias.default(tensor)
        self._mark(out, Info(self._token, info.layout, info.storage, info.real, info.is_meta, info.owners))
        return out

    def _decomposed(self, func: Any, args: Any, kwargs: Any) -> Any:
        given = args, kwargs
        if not self.run_real and any(t.is_meta for t in each_tensor((args, tuple(kwargs.values())))):
            args, kwargs = self._all_on_meta(args, kwargs) if is_written(func) else where_it_is(args, kwargs)
        with self:
            out = func.decompose(*args, **kwargs)
        if out is NotImplemented:
            raise NotImplementedError(f"{func} cannot be taken apart")
        if args is given[0]:
            return out
        self._taint_written(func, *given)
        same = self._original(out, given)
        return out if same is None else same

    # Arguments ----------------------------------------------------------------------------------------------------

    def _scan(self, values: Iterable[Any], key: list[Any], infos: list[Info]) -> None:
        """Append what identifies the values to `key`, and what is known of each tensor to `infos`."""
        given, token = self._given, self._token
        for value in values:
            kind = type(value)
            if kind is Tensor or kind is Parameter or isinstance(value, Tensor):
                info = given.get(id(value)) or value.__dict__.get(MARK)
                if info is None or info.recorder is not token:
                    info = self._stranger(value)
                infos.append(info)
                key.append(info.layout)
            elif kind in _PLAIN:
                key.append(value)
            elif kind is list or kind is tuple:
                if value and type(value[0]) is int:
                    key.append(tuple(value))
                else:
                    key.append(len(value))
                    self._scan(value, key, infos)
            elif kind is ScriptObject:
                key.append(hash(value))
                infos.extend(self._packed_infos(value))
            else:  # 1, 1.0 and True are equal, and give results of different dtypes
                key.append((kind, value if value.__hash__ else repr(value)))

    def _with_index_lists(self, func: Any, args: Any) -> Any:
        """`x[mask]` with a real mask selects known elements: say which ones, so that a meta `x` can be indexed."""
        source, indices, *rest = args
        plain: list[Any] = []
        for index in indices:
            if index is None or index.dtype is not torch.bool or index.is_meta:
                plain.append(index)
            elif self._info(index).storage in self._tainted:
                raise self._ask(str(func))
            else:
                plain += torch.nonzero(index, as_tuple=True)
        return (source, plain, *rest)

    def _info(self, tensor: Tensor) -> Info:
        info: Info | None = self._given.get(id(tensor))
        if info is not None:
            return info
        mark: Info | None = tensor.__dict__.get(MARK)
        if mark is not None and mark.recorder is self._token:
            return mark
        return self._stranger(tensor)

    def _stranger(self, tensor: Tensor) -> Info:
        """A tensor that no recorded operator made: a constant of the model, or an alias of a known one."""
        is_parameter = isinstance(tensor, Parameter)
        index, is_meta = self.lifetimes.find(tensor), tensor.is_meta
        if index is None and self.step is not None and self.step.kind == UPDATE:  # what an optimizer counts steps in
            self._adopt(tensor, [], real=not is_meta)
            found: Info = tensor.__dict__[MARK]
            return found
        if index is None:
            return self.give(tensor, "parameter" if is_parameter else "buffer")
        return Info(self._token, layout_of(tensor), index, self.run_real or not (is_parameter or is_meta), is_meta)

    def _be_born(self, tensor: Tensor) -> None:
        """A constant that was made from numbers a moment ago: it was not there before."""
        if id(tensor) not in self._given and MARK not in tensor.__dict__ and self.lifetimes.find(tensor) is None:
            self._adopt(tensor, [], real=self.run_real or not tensor.is_meta)

    def _packed_infos(self, held: Any) -> list[Info]:
        if hash(held) not in self._packed and is_packed(held):
            self.give_packed(held, "buffer")
        found = self._packed.get(hash(held))
        return [] if found is None else found.infos

    def _all_real(self, infos: list[Info]) -> bool:
        for info in infos:  # noqa: SIM110  a loop is left at once, and this runs for every call
            if not info.real or info.storage in self._tainted:
                return False
        return True

    def _has_values(self, func: Any, how: Manner, args: Any, kwargs: Any, infos: list[Info]) -> bool:
        """Whether an operator is run on constants. Strides may change also of those that have no values any more."""
        if not self.computes_constants:
            return False
        if self._all_real(infos):
            return not self._is_large(func, how, args, kwargs)
        return how is Manner.RUN and changes_strides(func) and infos[0].real

    def _is_large(self, func: Any, how: Manner, args: Any, kwargs: Any) -> bool:
        """A constant that is not computed: it becomes a meta tensor."""
        if self.step is not None and self.step.is_after and names_device(args, kwargs):
            return True  # autograd wants gradients on the device of what they are of
        return how is Manner.FRESH and is_large(func, args, kwargs, self._to_meta)

    # Answering from memory ----------------------------------------------------------------------------------------

    def _answer(self, entry: Entry, infos: list[Info]) -> Any:
        """New tensors of the remembered layouts."""
        if type(entry.answer) is Layout:
            out, storage = self._new(entry.answer)
            self._record(entry.signature, infos, (storage,))
            return out
        writes: list[int] = []
        out = self._filled(entry.answer, writes)
        self._record(entry.signature, infos, tuple(writes))
        return out

    def _filled(self, answer: Any, writes: list[int]) -> Any:
        if type(answer) is Layout:
            tensor, storage = self._new(answer)
            writes.append(storage)
            return tensor
        if isinstance(answer, (list, tuple)):
            return type(answer)([self._filled(item, writes) for item in answer])
        return answer

    def _new(self, layout: Layout) -> tuple[Tensor, int]:
        tensor = layout.empty()
        index = self.lifetimes.born(tensor.untyped_storage(), layout.storage_bytes)
        tensor.__dict__[MARK] = Info(self._token, layout, index, False, True)
        return tensor, index

    def _overwrite(self, signature: Signature, target: Tensor, infos: list[Info]) -> Tensor:
        """An in-place operator leaves metadata as it is. A real tensor with meta values in it is real no longer."""
        storage = infos[0].storage
        if infos[0].real:
            self._tainted.add(storage)
        self._record(signature, infos, (storage,))
        return target

    def _run_again(self, entry: Entry, func: Any, args: Any, kwargs: Any, infos: list[Info]) -> Any:
        """A view is made anew, and known to live where its source does."""
        is_plain = entry.is_plain and infos[0].is_meta
        out = func(*args) if is_plain else self._run_meta(func, args, kwargs, infos)
        same = None if is_plain else self._original(out, (args, kwargs))
        if same is not None:
            self._record(entry.signature, infos, (self._info(same).storage,))
            return same
        if entry.source is None:
            writes = self._adopt(out, infos, real=False)
        else:
            source = infos[entry.source]
            owners = source.owners if len(infos) == 1 else ()
            if type(entry.answer) is Layout:
                self._mark(out, Info(self._token, entry.answer, source.storage, False, True, owners))
                writes = (source.storage,)
            else:
                for tensor, layout in zip(out, entry.answer, strict=True):
                    self._mark(tensor, Info(self._token, layout, source.storage, False, True, owners))
                writes = (source.storage,) * len(out)
        self._record(entry.signature, infos, writes)
        return out

    # Running ------------------------------------------------------------------------------------------------------

    def _first_time(self, func: Any, how: Manner, args: Any, kwargs: Any, infos: list[Info], key: Any) -> Any:
        given = self._arguments(func, how, args, kwargs)
        if any(info.layout.tensor.form is not None for info in infos):
            raise self._ask(f"{func} of a sparse or nested tensor")
        if mixes_dtypes(func, args):
            raise self._ask(str(func)) if inside_autocast() else dtype_error(func, args)
        rule = SHAPES.get(func)
        layout = None if rule is None else rule(*args, **kwargs)
        if layout is not None and how is Manner.FRESH:
            inside = inside_bytes(func, args, kwargs, layout)
            entry = Entry(memo.signature(str(func), *given, layout.tensor, inside), layout, FRESH)
            memo.remember(key, entry)
            return self._answer(entry, infos)
        out = args[0] if layout is not None else self._run_meta(func, args, kwargs, infos)
        same = None if how is Manner.FRESH else self._original(out, (args, kwargs))
        out = out if same is None else same
        if how is Manner.INPLACE:
            signature = memo.signature(str(func), *given, infos[0].layout.tensor)
            memo.remember(key, Entry(signature, None, None))
            return self._overwrite(signature, args[0], infos)
        if how is Manner.RUN:
            self._look_again((args, tuple(kwargs.values())), real=False)
            self._taint_written(func, args, kwargs)
        writes = self._adopt(out, infos, real=False) if same is None else (self._info(same).storage,)
        inside = inside_bytes(func, args, kwargs) if how is Manner.FRESH else 0
        signature = memo.signature(str(func), *given, self._value(out), inside)
        if how is not Manner.RUN:
            is_plain = len(infos) == 1 and not kwargs and not any(type(value) is torch.device for value in args)
            is_plain = is_plain and not is_corrected(func)
            memo.remember(key, Entry(signature, self._layouts(out), _source(how, infos, writes, out), is_plain))
        self._record(signature, infos, writes)
        return out

    def _taint_written(self, func: Any, args: Any, kwargs: Any) -> None:
        """A real tensor that meta values were written to has none any more; one that was resized cannot be followed."""
        for position, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            for tensor in each_tensor(value):
                if not tensor.is_meta:
                    info = self._info(tensor)
                    if layout_of(self._stand_in(tensor)) is not info.layout:
                        raise self._ask(str(func))
                    self._tainted.add(info.storage)

    def _run_real(self, func: Any, how: Manner, args: Any, kwargs: Any, key: list[Any], infos: list[Info]) -> Any:
        if how is Manner.READ:
            return self._read_real(func, args, kwargs, tuple(key), infos)
        if how is Manner.INPLACE or how is Manner.RUN:
            self._save_values(args, kwargs, infos)
        found = () if how is Manner.PACKED else tuple(key)  # the key knows of no values
        known = self._known.get(found)
        given = self._arguments(func, how, args, kwargs) if known is None else (known.args, known.kwargs)
        if not self.run_real:
            args, kwargs = with_values(func, args, kwargs)
        with _InferenceMode(False):  # what a model keeps of it must not be an inference tensor
            _set_grad_enabled(False)
            out = func(*args, **kwargs)
        if how is Manner.RUN:
            self._look_again((args, tuple(kwargs.values())), real=True)
        real = self.run_real or not any(t.is_meta for t in each_tensor(out))
        is_same = how is Manner.INPLACE and self._is_same(out, infos[0], real)
        writes = (infos[0].storage,) if is_same else self._adopt(out, infos, real)
        output = self._value(out)
        if known is None or known.output is not output:
            inside = self._inside(func, args, kwargs, given) if how is Manner.FRESH else 0
            known = memo.signature(str(func), *given, output, inside)
            if found:
                self._keep(found, known)
        self._record(known, infos, writes)
        return out

    def _is_same(self, out: Tensor, info: Info, real: bool) -> bool:
        """Whether nothing new is known of a tensor that was overwritten."""
        return out.__dict__.get(MARK) is info and info.real == real and not info.owners and info.stand_in is None

    def _read_real(self, func: Any, args: Any, kwargs: Any, key: tuple[Any, ...], infos: list[Info]) -> Any:
        """What is read is no part of the record, as no value is."""
        known = self._known.get(key)
        if known is None:
            known = memo.signature(str(func), *self._arguments(func, Manner.READ, args, kwargs), None)
            self._keep(key, known)
        out = func(*args, **kwargs)
        self._record(known, infos, ())
        return out

    def _arguments(
        self, func: Any, how: Manner, args: Any, kwargs: Any
    ) -> tuple[tuple[Value, ...], tuple[tuple[str, Value], ...]]:
        """Arguments as a signature holds them, by position and by name."""
        values = self._packed_values(func, args) if how is Manner.PACKED else self._values(args)
        return values, tuple((name, self._value(value)) for name, value in kwargs.items())

    def _keep(self, key: tuple[Any, ...], signature: Signature) -> None:
        """For the next call like this: loops make many."""
        if len(self._known) >= _SIGNATURES_KEPT:
            self._known.clear()
        self._known[key] = signature

    def _inside(self, func: Any, args: Any, kwargs: Any, given: Any) -> int:
        """The same for all calls like this, and slow to find out."""
        key = func, given
        if key not in self._insides:
            self._insides[key] = self._inside_bytes(func, args, kwargs)
        return self._insides[key]

    def _inside_bytes(self, func: Any, args: Any, kwargs: Any) -> int:
        """By meta tensors as ever; by the real ones where parts of the operator want values, as `nonzero` does."""
        try:
            return inside_bytes(func, args, kwargs)
        except RuntimeError:  # whatever it says: what fails on real tensors too is told
            pass
        with torch.inference_mode(False), torch.no_grad():
            return taken_apart(func, args, kwargs)

    def _save_values(self, args: Any, kwargs: Any, infos: list[Info]) -> None:
        storages = self.lifetimes.storages
        if all(storages[info.storage].born >= 0 for info in infos):
            return
        for tensor in each_tensor((args, tuple(kwargs.values()))):
            if storages[self._info(tensor).storage].born < 0:
                self._before_write(self._of_user(tensor))

    def _of_user(self, tensor: Tensor) -> Tensor:
        """The tensor whose memory a view that was made amid the run has: of a view of a weight torch may not tell more
        than that once the weight is written (`view_as_real`, by an optimizer).
        """
        is_users = id(tensor) in self._given or MARK not in tensor.__dict__
        return tensor if is_users or tensor._base is None else tensor._base

    def _read(self, func: Any, args: Any, kwargs: Any, infos: list[Info]) -> Any:
        """Values of a parameter that really has some may be asked for; those of a meta tensor may not."""
        if any(info.is_meta or info.storage in self._tainted for info in infos):
            if self.step is not None and self.step.kind == UPDATE:
                return 1.0  # an optimizer's scalars: they decide no shape
            raise self._ask(str(func))
        return func(*args, **kwargs)

    def _run_meta(self, func: Any, args: Any, kwargs: Any, infos: list[Info]) -> Any:
        if kwargs or not all(info.is_meta for info in infos) or any(type(a) is torch.device for a in args):
            args, kwargs = self._all_on_meta(args, kwargs)
        try:
            return returned(func, func(*args, **kwargs), args, kwargs)
        except (RuntimeError, NotImplementedError, ValueError, IndexError, TypeError) as error:
            self._asked.append(NeedsValues(errors.first_line(error)))
            raise

    def note(self, text: str) -> None:
        """Something about the run that a report has to say."""
        if text not in self.notes:
            self.notes.append(text)

    def asks_for(self, op: str) -> NeedsValues:
        """What to raise where a meta tensor has not what is needed."""
        return self._ask(op)

    def _ask(self, op: str) -> NeedsValues:
        self._asked.append(NeedsValues(f"{op} asks for values"))
        return self._asked[-1]

    def _all_on_meta(self, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
        return [self._to_meta(value) for value in args], {name: self._to_meta(value) for name, value in kwargs.items()}

    def _to_meta(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value if value.is_meta else self._stand_in(value)
        if isinstance(value, torch.device):
            return META
        if isinstance(value, (list, tuple)):
            return type(value)(self._to_meta(item) for item in value)
        return value

    def _stand_in(self, tensor: Tensor) -> Tensor:
        """A meta tensor with a real one's metadata, whose storage counts as the real one's."""
        info = self._info(tensor)
        if info.layout.tensor.form is not None:
            raise self._ask(f"a {info.layout.tensor.form} tensor")
        if info.stand_in is None:
            with torch.inference_mode(tensor.is_inference()):  # a view of an ordinary tensor must be an ordinary one
                made = info.layout.empty()
            made.__dict__[MARK] = Info(self._token, info.layout, info.storage, False, True, info.owners)
            if tensor.is_leaf and tensor.requires_grad:  # kernels ask
                made.requires_grad_()
            self.lifetimes.stands_for(made, info.storage)
            info.stand_in = made
        return info.stand_in

    def _original(self, out: Any, arguments: tuple[Any, dict[str, Any]]) -> Tensor | None:
        """The argument itself where an operator returned it, as `.to` does with nothing to change: not its stand-in."""
        if not isinstance(out, Tensor):
            return None
        args, kwargs = arguments
        given = each_tensor((args, tuple(kwargs.values())))
        return next((tensor for tensor in given if self._info(tensor).stand_in is out), None)

    # Results ------------------------------------------------------------------------------------------------------

    def _adopt(self, out: Any, infos: list[Info], real: bool) -> tuple[int, ...]:
        """Get to know the tensors that an operator really returned; returns the storages they live in."""
        writes: list[int] = []
        for tensor in (out,) if isinstance(out, Tensor) else each_tensor(out):
            layout, index = layout_of(tensor), self._known_home(tensor)
            homes, is_new = self.lifetimes.homes(tensor, layout) if index is None else ([index], False)
            owners: Sequence[int] = infos[0].owners if not is_new and len(infos) == 1 else ()
            self._mark(tensor, Info(self._token, layout, homes[0], real, tensor.is_meta, owners))
            writes += homes
        return tuple(writes)

    def _mark(self, tensor: Tensor, info: Info) -> None:
        """Tensors that the model or the caller owns are known by their identity; nothing is written on them."""
        if id(tensor) not in self._given:
            tensor.__dict__[MARK] = info

    def _known_home(self, tensor: Tensor) -> int | None:
        """The storage that a tensor lives in which an operator did not make, but return."""
        known = self._given.get(id(tensor)) or tensor.__dict__.get(MARK)
        return int(known.storage) if known is not None and known.recorder is self._token else None

    def _look_again(self, arguments: Any, real: bool) -> None:
        """After an operator that may have changed its arguments' metadata."""
        for tensor in each_tensor(arguments):
            known, layout = self._info(tensor), layout_of(tensor)
            home = self.lifetimes.find(tensor)
            storage = known.storage if home is None else home
            if known.layout is not layout or known.storage != storage:
                found = Info(self._token, layout, storage, known.real and real, known.is_meta, known.owners)
                if id(tensor) in self._given:
                    self._given[id(tensor)] = found
                else:
                    tensor.__dict__[MARK] = found

    def _layouts(self, out: Any) -> Any:
        """What was returned, with tensors reduced to their layouts."""
        if isinstance(out, Tensor):
            return self._info(out).layout
        if isinstance(out, (list, tuple)):
            return type(out)(self._layouts(item) for item in out)
        return out

    # Records ------------------------------------------------------------------------------------------------------

    def _record(self, signature: Signature, infos: list[Info], writes: tuple[int, ...]) -> None:
        module = self.module
        for info in infos:
            if info.owners and module not in info.owners:
                module = next((o for o in info.owners if self._is_inside(o, module)), module)
        if self.step is not None:
            module = self.step.charged(module, len(self.calls))
        storages = tuple([info.storage for info in infos])
        self.calls.append(Call(self._number(signature), module, storages, writes, self._caller))

    def _number(self, signature: Signature) -> int:
        number = self._numbers.get(id(signature))
        if number is None:
            number = self._numbers[id(signature)] = len(self.signatures)
            self.signatures.append(signature)
        return number

    def _values(self, values: Iterable[Any]) -> tuple[Value, ...]:
        """Arguments as a signature holds them."""
        return tuple(self._value(value) for value in values)

    def _packed_values(self, func: Any, args: Any) -> tuple[Value, ...]:
        """The same, and with a tensor that says where sequences end its values, if it has any."""
        values = list(self._values(args))
        for position in PACKED[func._schema.name]:
            tensor = args[position] if position < len(args) else None
            if tensor is not None and self._all_real([self._info(tensor)]):
                values[position] = values[position], tuple(tensor.tolist())
        return tuple(values)

    def _value(self, value: Any) -> Value:
        if isinstance(value, Tensor):
            return self._info(value).layout.tensor
        if isinstance(value, (list, tuple)):
            return self._values(value)
        if value is None or isinstance(value, (bool, int, float, complex, str)):
            return value
        if isinstance(value, ScriptObject):
            self._packed_infos(value)
            found = self._packed.get(hash(value))
            return class_name(value) if found is None else packed_value(found.parts)
        if isinstance(value, (torch.UntypedStorage, torch.TypedStorage)):
            return type(value).__name__  # its text would be all that is in it
        return str(value).removeprefix("torch.")


class _Shared(Recorder):
    """A recorder whose record several threads write into, one operator at a time."""

    _lock: threading.RLock

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with self._lock:
            return super().__torch_dispatch__(func, types, args, kwargs)


def _source(how: Manner, infos: list[Info], writes: tuple[int, ...], out: Any) -> int | None:
    """Where an operator's output lives; see `Entry.source`."""
    given = [info.storage for info in infos]
    shared = set(given) & set(writes)
    if not shared:
        return FRESH if how is Manner.FRESH and all(map(_fills_its_storage, each_tensor(out))) else None
    flat = isinstance(out, Tensor) or all(isinstance(item, Tensor) for item in out)
    return given.index(writes[0]) if flat and set(writes) == {writes[0]} else None


def _fills_its_storage(tensor: Tensor) -> bool:
    return has_storage(tensor) and tensor.untyped_storage().nbytes() == layout_of(tensor).storage_bytes
