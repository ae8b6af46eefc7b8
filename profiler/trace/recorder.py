"""The dispatch mode that writes down every operator call and answers most of them without running a kernel.

What an operator returns, given arguments of certain shapes, strides and dtypes, is remembered for the life of the
process: the next identical call is answered with fresh meta tensors. Views still run, on meta tensors, so that storages
stay shared; in-place operators return their first argument.

A real tensor that meets a meta one is replaced by a meta stand-in, and parameters always count as meta: so a live
model is profiled without a copy, and without touching its weights. Constants that meet no meta tensor stay real, and a
model may ask for their values.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import Parameter
from torch.utils._python_dispatch import TorchDispatchMode

from profiler.records import Call, Signature, Storage, Value
from profiler.records import Tensor as TensorRecord
from profiler.trace.layouts import META, Layout, layout_of
from profiler.trace.operators import ANSWERS, Manner, manner
from profiler.trace.shapes import SHAPES, check_dtypes


class NeedsValues(Exception):
    """The model asked a meta tensor for its values."""


class Info:
    """What the recorder knows of a tensor: layout, storage, whether its values are real, and which modules own it."""

    __slots__ = ("layout", "owners", "real", "recorder", "storage")

    def __init__(self, recorder: object, layout: Layout, storage: int, real: bool, owners: Sequence[int] = ()) -> None:
        self.recorder = recorder
        self.layout = layout
        self.storage = storage
        self.real = real
        self.owners = owners


class Entry:
    """A remembered call: its signature, and the layouts to answer with (None where the operator runs every time)."""

    __slots__ = ("answer", "signature")

    def __init__(self, signature: Signature, answer: Any) -> None:
        self.signature = signature
        self.answer = answer


class _Watch(weakref.ref[Any]):
    """A weak reference to a storage that knows its index and its address."""

    __slots__ = ("address", "index")
    address: int
    index: int


_entries: dict[Any, Entry] = {}
_signatures: dict[Signature, Signature] = {}
_ENTRIES_KEPT = 1 << 16
_manners: dict[Any, Manner] = {}
_MARK = "_profiler_info"
_PLAIN = (int, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format)


class Recorder(TorchDispatchMode):
    """Records operator calls. `real=True` runs every operator on real tensors instead of answering from metadata."""

    def __init__(self, real: bool, before_write: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.run_real = real
        self.module = 0
        self.asked: NeedsValues | None = None
        self.failed_in: int | None = None  # the module whose operator raised
        self.signatures: list[Signature] = []
        self._numbers: dict[int, int] = {}
        self.calls: list[Call] = []
        self.storages: list[Storage] = []
        self._before_write = before_write
        self._token = object()
        self._given: dict[int, Info] = {}
        self._kept: list[Tensor] = []  # given tensors stay alive, so that no other tensor takes their id
        self._by_address: dict[int, int] = {}  # of living storages
        self._stand_ins: dict[int, Tensor] = {}
        self._watches: list[_Watch] = []
        self._tainted: set[int] = set()
        self._is_inside: Callable[[int, int], bool] = lambda inner, outer: False

    # Tensors that were there before -------------------------------------------------------------------------------

    def give(self, tensor: Tensor, role: str, owners: Sequence[int] = ()) -> int:
        """Make a parameter, buffer or input known before the run; returns the index of its storage."""
        shape = layout_of(tensor)
        address = _address(tensor)
        index = self._by_address.setdefault(address, len(self.storages))
        if index == len(self.storages):
            self.storages.append(Storage(_storage_bytes(tensor, shape), role, -1))
        real = self.run_real or not (role == "parameter" or tensor.is_meta)
        self._given[id(tensor)] = Info(self._token, shape, index, real, owners)
        self._kept.append(tensor)
        return index

    def attribute_inside(self, is_inside: Callable[[int, int], bool]) -> None:
        """Tell which module is inside which, so that a weight used from outside its module is charged to its module."""
        self._is_inside = is_inside

    # The mode -----------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        how = _manners.get(func)
        if how is None:
            how = _manners[func] = manner(func)
        if how is Manner.ANSWER:
            return ANSWERS[func._schema.name]
        if how is Manner.PARTS:
            return self._take_apart(func, args, kwargs or {})
        if func is torch.ops.aten.index.Tensor:
            args = _with_index_lists(args)
        key: list[Any] = [func]
        infos: list[Info] = []
        self._scan(args, key, infos)
        if kwargs:
            for name, value in kwargs.items():
                key.append(name)
                self._scan((value,), key, infos)
        if self.run_real or self._all_real(infos):
            return self._run_real(func, how, args, kwargs or {}, infos)
        if how is Manner.READ:
            return self._read(func, args, kwargs or {}, infos)
        entry = _entries.get(tuple(key))
        if entry is None:
            return self._first_time(func, how, args, kwargs or {}, infos, tuple(key))
        if how is Manner.INPLACE:
            out = args[0]
            if infos[0].real:
                self._tainted.add(infos[0].storage)
            self._record(entry.signature, infos, (infos[0].storage,))
            return out
        if entry.answer is None:
            out = self._run_meta(func, args, kwargs or {})
            self._record(entry.signature, infos, self._adopt(out, infos, real=False))
            return out
        return self._answer(entry, infos)

    def _take_apart(self, func: Any, args: Any, kwargs: Any) -> Any:
        with self:
            out = func.decompose(*args, **kwargs)
        if out is NotImplemented:
            raise NotImplementedError(f"{func} cannot be taken apart")
        return out

    # Arguments ----------------------------------------------------------------------------------------------------

    def _scan(self, values: Iterable[Any], key: list[Any], infos: list[Info]) -> None:
        """Append what identifies the values to `key`, and what is known of each tensor to `infos`."""
        for value in values:
            if isinstance(value, Tensor):
                info = self._info(value)
                infos.append(info)
                key.append(info.layout)
            elif isinstance(value, (list, tuple)):
                key.append(len(value))
                self._scan(value, key, infos)
            elif isinstance(value, _PLAIN) and value is not True and value is not False:
                key.append(value)
            else:
                key.append((type(value), value if value.__hash__ else repr(value)))

    def _info(self, tensor: Tensor) -> Info:
        info: Info | None = self._given.get(id(tensor))
        if info is not None:
            return info
        info = tensor.__dict__.get(_MARK)
        if info is not None and info.recorder is self._token:
            return info
        return self._stranger(tensor)

    def _stranger(self, tensor: Tensor) -> Info:
        """A tensor that no recorded operator made: a constant of the model, or an alias of a known one."""
        is_parameter = isinstance(tensor, Parameter)
        index = self._by_address.get(_address(tensor))
        if index is None:
            self.give(tensor, "parameter" if is_parameter else "buffer")
            return self._given[id(tensor)]
        return Info(self._token, layout_of(tensor), index, self.run_real or not (is_parameter or tensor.is_meta))

    def _all_real(self, infos: list[Info]) -> bool:
        for info in infos:
            if not info.real or (self._tainted and info.storage in self._tainted):
                return False
        return True

    # Running ------------------------------------------------------------------------------------------------------

    def _run_real(self, func: Any, how: Manner, args: Any, kwargs: Any, infos: list[Info]) -> Any:
        if how is Manner.INPLACE or how is Manner.RUN:
            for tensor in _each_tensor((args, tuple(kwargs.values()))):
                if self.storages[self._info(tensor).storage].born < 0:
                    self._before_write(tensor)
        given = _recorded(self, args), tuple((k, _recorded(self, (v,))[0]) for k, v in kwargs.items())
        out = func(*args, **kwargs)
        if how is Manner.RUN:
            self._look_again(args, kwargs, real=True)
        real = self.run_real or not any(t.is_meta for t in _each_tensor(out))
        writes = self._adopt(out, infos, real)
        self._record(_signature(func, *given, _recorded(self, (out,))[0]), infos, writes)
        return out

    def _read(self, func: Any, args: Any, kwargs: Any, infos: list[Info]) -> Any:
        """Values of a parameter that really has some may be asked for; those of a meta tensor may not."""
        tensors = list(_each_tensor((args, tuple(kwargs.values()))))
        if any(t.is_meta for t in tensors) or any(i.storage in self._tainted for i in infos):
            raise self._ask(str(func))
        return func(*args, **kwargs)

    def _first_time(self, func: Any, how: Manner, args: Any, kwargs: Any, infos: list[Info], key: Any) -> Any:
        given = _recorded(self, args), tuple((k, _recorded(self, (v,))[0]) for k, v in kwargs.items())
        check_dtypes(func, args)
        rule = SHAPES.get(func)
        found = rule(*args, **kwargs) if rule is not None else None
        if found is not None and how is Manner.FRESH:
            entry = Entry(_signature(func, *given, found.tensor), found)
            self._remember(key, entry)
            return self._answer(entry, infos)
        if found is not None and how is Manner.INPLACE:
            out = args[0]
        else:
            out = self._run_meta(func, args, kwargs)
        if how is Manner.INPLACE:
            out = args[0]
            if infos[0].real:
                self._tainted.add(infos[0].storage)
            writes: tuple[int, ...] = (infos[0].storage,)
        else:
            if how is Manner.RUN:
                self._look_again(args, kwargs, real=False)
            writes = self._adopt(out, infos, real=False)
        signature = _signature(func, *given, _recorded(self, (out,))[0])
        is_new = how is Manner.FRESH and not {i.storage for i in infos} & set(writes)
        if how is not Manner.RUN:
            self._remember(key, Entry(signature, _template(self, out) if is_new else None))
        self._record(signature, infos, writes)
        return out

    def _remember(self, key: Any, entry: Entry) -> None:
        if len(_entries) >= _ENTRIES_KEPT:
            _entries.clear()
        _entries[key] = entry

    def _run_meta(self, func: Any, args: Any, kwargs: Any) -> Any:
        args = tuple(self._to_meta(a) for a in args)
        kwargs = {name: self._to_meta(value) for name, value in kwargs.items()}
        try:
            return func(*args, **kwargs)
        except NotImplementedError as error:
            raise self._ask(str(func)) from error
        except RuntimeError as error:
            self.failed_in = self.module
            if "meta" in str(error).lower():
                raise self._ask(str(func)) from error
            raise

    def _ask(self, op: str) -> NeedsValues:
        """The model may catch the exception, so it is kept as well."""
        self.asked = NeedsValues(op)
        return self.asked

    def _to_meta(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value if value.is_meta else self._stand_in(value)
        if isinstance(value, torch.device):
            return META
        if isinstance(value, (list, tuple)):
            return type(value)(self._to_meta(item) for item in value)
        return value

    def _stand_in(self, tensor: Tensor) -> Tensor:
        """A meta tensor with a real one's metadata. One for each given tensor, so that its views share one storage."""
        known = self._stand_ins.get(id(tensor))
        if known is None:
            info = self._info(tensor)
            with torch.inference_mode(tensor.is_inference()):  # a view of an ordinary tensor must be an ordinary one
                known = info.layout.empty()
            known.__dict__[_MARK] = Info(self._token, info.layout, info.storage, False, info.owners)
            if id(tensor) in self._given:
                self._stand_ins[id(tensor)] = known
                self._by_address[_address(known)] = info.storage
        return known

    # Answers ------------------------------------------------------------------------------------------------------

    def _answer(self, entry: Entry, infos: list[Info]) -> Any:
        writes: list[int] = []
        out = self._fill(entry.answer, writes)
        self._record(entry.signature, infos, tuple(writes))
        return out

    def _fill(self, template: Any, writes: list[int]) -> Any:
        if type(template) is Layout:
            tensor = template.empty()
            index = self._born(tensor.untyped_storage(), template.storage_bytes)
            tensor.__dict__[_MARK] = Info(self._token, template, index, False)
            writes.append(index)
            return tensor
        if isinstance(template, (list, tuple)):
            return type(template)(self._fill(item, writes) for item in template)
        return template

    def _adopt(self, out: Any, infos: list[Info], real: bool) -> tuple[int, ...]:
        """Get to know the tensors that an operator really returned; returns the storages they live in."""
        writes: list[int] = []
        for tensor in _each_tensor(out):
            index = self._shared_with(tensor)
            owners: Sequence[int] = infos[0].owners if index is not None and len(infos) == 1 else ()
            if index is None:
                shape = layout_of(tensor)
                held = tensor.untyped_storage() if _has_storage(tensor) else tensor
                index = self._born(held, _storage_bytes(tensor, shape))
            if id(tensor) not in self._given:
                tensor.__dict__[_MARK] = Info(self._token, layout_of(tensor), index, real, owners)
            writes.append(index)
        return tuple(writes)

    def _shared_with(self, tensor: Tensor) -> int | None:
        """The storage, if it was there before, that an operator's output lives in."""
        known = self._given.get(id(tensor)) or tensor.__dict__.get(_MARK)
        if known is not None and known.recorder is self._token:
            return int(known.storage)
        return self._by_address.get(_address(tensor))

    def _look_again(self, args: Any, kwargs: Any, real: bool) -> None:
        """After an operator that may have changed its arguments' metadata."""
        for tensor in _each_tensor((args, tuple(kwargs.values()))):
            mark = tensor.__dict__.get(_MARK)
            if mark is not None:
                tensor.__dict__[_MARK] = Info(self._token, layout_of(tensor), mark.storage, real)

    def _born(self, held: Any, size_bytes: int) -> int:
        """Follow a new storage until it is released (`held` is the tensor itself where it has no storage)."""
        index = len(self.storages)
        self.storages.append(Storage(size_bytes, "activation", len(self.calls)))
        watch = _Watch(held, self._released)
        watch.index = index
        watch.address = address = held._cdata
        self._by_address[address] = index
        self._watches.append(watch)
        return index

    def _released(self, watch: _Watch) -> None:
        self.storages[watch.index].died = len(self.calls)
        if self._by_address.get(watch.address) == watch.index:
            del self._by_address[watch.address]

    def _record(self, signature: Signature, infos: list[Info], writes: tuple[int, ...]) -> None:
        module = self.module
        for info in infos:
            if info.owners and module not in info.owners:
                module = next((o for o in info.owners if self._is_inside(o, module)), module)
        number = self._numbers.get(id(signature))
        if number is None:
            number = self._numbers[id(signature)] = len(self.signatures)
            self.signatures.append(signature)
        self.calls.append(Call(number, module, tuple([info.storage for info in infos]), writes))

    def record_of(self, tensor: Tensor) -> TensorRecord:
        """A tensor as records hold it; it may be one that operators never see, such as a batched one inside vmap."""
        info = self._given.get(id(tensor)) or tensor.__dict__.get(_MARK)
        return (layout_of(tensor) if info is None else info.layout).tensor

    def settle(self) -> None:
        """Stop following lifetimes: what is alive now outlived the forward pass."""
        self._watches.clear()


def _signature(func: Any, args: Any, kwargs: Any, output: Value) -> Signature:
    """The one signature object for calls like this."""
    signature = Signature(str(func), args, kwargs, output)
    if len(_signatures) >= _ENTRIES_KEPT:
        _signatures.clear()
    return _signatures.setdefault(signature, signature)


def _has_storage(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_nested


def _address(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata) if _has_storage(tensor) else tensor._cdata


def _storage_bytes(tensor: Tensor, shape: Layout) -> int:
    return tensor.untyped_storage().nbytes() if _has_storage(tensor) else shape.storage_bytes


def _each_tensor(value: Any) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _each_tensor(item)


def _template(recorder: Recorder, out: Any) -> Any:
    if isinstance(out, Tensor):
        return recorder._info(out).layout
    if isinstance(out, (list, tuple)):
        return type(out)(_template(recorder, item) for item in out)
    return out


def _recorded(recorder: Recorder, values: Iterable[Any]) -> tuple[Value, ...]:
    """Arguments as a signature holds them."""
    return tuple(_value(recorder, value) for value in values)


def _value(recorder: Recorder, value: Any) -> Value:
    if isinstance(value, Tensor):
        return recorder._info(value).layout.tensor
    if isinstance(value, (list, tuple)):
        return tuple(_value(recorder, item) for item in value)
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return value
    return str(value).removeprefix("torch.")


def _with_index_lists(args: Any) -> Any:
    """`x[mask]` with a real mask selects a known number of elements: say which, so that a meta `x` can be indexed."""
    source, indices, *rest = args
    plain: list[Any] = []
    for index in indices:
        if index is not None and index.dtype is torch.bool and not index.is_meta:
            plain += torch.nonzero(index, as_tuple=True)
        else:
            plain.append(index)
    return (source, plain, *rest)
