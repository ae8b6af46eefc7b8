"""What did the run of a layer of torch's write down? Relative to where it began, so that it can be written again.

Storages are told by their place in a list: those of the layer's weights, then those of its arguments, then those that
it allocated. Modules are told by their place among the layer and those inside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from torch import Tensor

from profiler.engine.containers.forms import is_plain
from profiler.engine.containers.layouts import MARK, TensorLayout
from profiler.engine.record.known_tensors import KnownTensor
from profiler.engine.record.module_calls import Stack
from profiler.engine.record.recorder import Recorder
from profiler.records.trace import Caller, ModuleCall, Signature, Storage


class WrittenCall(NamedTuple):
    """A call of an operator, or one that was taken apart, whose parts are the calls from `first` up to this one.

    reads, writes: pick storages out of the list of all.
    """

    signature: Signature
    caller: Caller
    module: int
    reads: Callable[[list[int]], tuple[int, ...]]
    writes: Callable[[list[int]], tuple[int, ...]]
    first: int | None = None


class Allocated(NamedTuple):
    """A storage that was allocated. `died` is None where what is returned lives in it, which `layout` then is."""

    size_bytes: int
    born: int
    died: int | None
    layout: TensorLayout | None


@dataclass(frozen=True, slots=True, eq=False)
class LayerRun:
    """What one run of a layer wrote down.

    calls: how many operators it called. events: those, and what was taken apart, in the order of writing.
    modules: the calls of the layer, and of those inside of it, in the order of their ends.
    peak_bytes, bytes: how much more was alive at most, and at the end.
    answer: what it returns: the place of a storage, of an argument (from -1 downwards), or a tuple of such.
    """

    calls: int
    events: tuple[WrittenCall, ...]
    modules: tuple[ModuleCall, ...]
    storages: tuple[Allocated, ...]
    peak_bytes: int
    bytes: int
    answer: Any


class Unrepeatable(Exception):
    """A run that cannot be written again from what is known of it."""


class Observed:
    """A layer's run, from here on."""

    def __init__(self, recorder: Recorder, stack: Stack, rows: Sequence[int], storages: Sequence[int]) -> None:
        self._recorder = recorder
        self._stack = stack
        self._rows = {row: place for place, row in enumerate(rows)}
        self._places = {storage: place for place, storage in enumerate(storages)}
        self._known = len(storages)
        written, lifetimes = recorder.written, recorder.lifetimes
        self._first = len(written.calls)
        self._composites, self._module_calls = len(written.composites), len(stack.calls)
        self._storages = len(lifetimes.storages)
        self._others = self._count_others()
        self._alive, self._most = lifetimes.alive_bytes, lifetimes.most_bytes
        lifetimes.most_bytes = self._alive

    def end(self) -> None:
        """The most that was alive is that of the whole run again."""
        lifetimes = self._recorder.lifetimes
        self._peak = lifetimes.most_bytes
        lifetimes.most_bytes = max(self._most, self._peak)

    def layer_run(self, arguments: Sequence[Tensor], output: Any) -> LayerRun:
        """What it wrote down; raises `Unrepeatable`."""
        recorder, written = self._recorder, self._recorder.written
        lifetimes = recorder.lifetimes
        fresh = lifetimes.storages[self._storages :]
        if self._count_others() != self._others:
            raise Unrepeatable
        self._places |= {self._storages + at: self._known + at for at in range(len(fresh))}
        returned: dict[int, TensorLayout] = {}
        answer = self._answer(output, arguments, returned)
        return LayerRun(
            calls=len(written.calls) - self._first,
            events=tuple(self._events()),
            modules=tuple(map(self._module_call, self._stack.calls[self._module_calls :])),
            storages=tuple(self._allocated(self._storages + at, each, returned) for at, each in enumerate(fresh)),
            peak_bytes=self._peak - self._alive,
            bytes=lifetimes.alive_bytes - self._alive,
            answer=answer,
        )

    def _count_others(self) -> tuple[int, ...]:
        """What a run may do beside what is noted here, counted."""
        recorder = self._recorder
        tensors = recorder.tensors
        return recorder.unusual, len(recorder.written.notes), len(tensors.there_before), len(tensors.valueless)

    def _events(self) -> list[WrittenCall]:
        written, callers = self._recorder.written, self._recorder.written.callers.met
        events: list[tuple[int, int, WrittenCall]] = []  # calls by their number; a composite after its last part
        for number, call in enumerate(written.calls[self._first :]):
            signature, caller = written.signatures[call.signature], callers[call.caller]
            places = self._placed(call.reads), self._placed(call.writes)
            events.append((number, 1, WrittenCall(signature, caller, self._row(call.module), *places)))
        for whole in written.composites[self._composites :]:
            signature, caller = written.signatures[whole.signature], callers[whole.caller]
            event = WrittenCall(signature, caller, self._row(whole.module), _none, _none, whole.first - self._first)
            events.append((whole.last - self._first, 0, event))
        return [event for _, _, event in sorted(events, key=lambda each: each[:2])]

    def _module_call(self, call: ModuleCall) -> ModuleCall:
        first = self._first
        return call._replace(module=self._row(call.module), first=call.first - first, last=call.last - first)

    def _allocated(self, number: int, storage: Storage, returned: dict[int, TensorLayout]) -> Allocated:
        died = None if storage.died is None else storage.died - self._first
        if storage.born < self._first or (died is None) != (number in returned):
            raise Unrepeatable
        return Allocated(storage.size_bytes, storage.born - self._first, died, returned.get(number))

    def _row(self, row: int) -> int:
        if row not in self._rows:
            raise Unrepeatable
        return self._rows[row]

    def _placed(self, storages: Sequence[int]) -> Callable[[list[int]], tuple[int, ...]]:
        if not self._places.keys() >= set(storages):
            raise Unrepeatable
        places = [self._places[storage] for storage in storages]
        if len(places) > 1:
            return itemgetter(*places)
        return partial(_only, places[0]) if places else _none

    def _answer(self, output: Any, arguments: Sequence[Tensor], returned: dict[int, TensorLayout]) -> Any:
        """A place or a tuple of places; the layout of each new tensor goes to `returned`, by its storage."""
        if output is None:
            return None
        if type(output) is tuple:
            return tuple(self._answer(item, arguments, returned) for item in output)
        for place, argument in enumerate(arguments):
            if output is argument:
                return ~place
        if type(output) is not Tensor:
            raise Unrepeatable
        info: KnownTensor | None = output.__dict__.get(MARK)
        if info is None or info.storage < self._storages or info.storage in returned or not _is_ordinary(output, info):
            raise Unrepeatable
        returned[info.storage] = info.layout
        return self._places[info.storage]


def _only(place: int, storages: list[int]) -> tuple[int, ...]:
    return (storages[place],)


def _none(_: list[int]) -> tuple[int, ...]:
    return ()


def _is_ordinary(tensor: Tensor, info: KnownTensor) -> bool:
    """Whether a tensor is as the recorder makes new ones."""
    if not (info.is_meta and is_plain(tensor) and tensor.is_inference() and len(tensor.__dict__) == 1):
        return False
    if tensor.untyped_storage().nbytes() != info.layout.storage_bytes or int(tensor.storage_offset()):
        return False
    return not info.owners and not info.is_real and info.stand_in is None
