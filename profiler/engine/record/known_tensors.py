"""What does a run know of each tensor that it meets: its layout, its storage, and whether its values may be used?

Tensors that were there before the run are the model's or the caller's: they are known by their identity, and nothing is
written on them. Those that operators return carry what is known of them as an attribute (`MARK`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import Parameter

from profiler.engine.containers.layouts import MARK, TensorLayout, layout_of
from profiler.engine.meta.operators import each_tensor
from profiler.engine.record.lifetimes import Lifetimes
from profiler.engine.record.step import PhaseTracker
from profiler.records.trace import UPDATE
from profiler.records.trace import Tensor as TensorRecord


class KnownTensor:
    """What a run knows of a tensor.

    run: the object that stands for the run. storage: its index among the run's storages.
    is_real: whether its values may be used. is_meta: whether it has none. A parameter of a live model is neither.
    owners: the modules (their rows) that hold the weight which the tensor is, or is a view of.
    stand_in: the meta tensor that operators on meta tensors see in place of a real one, once one has.
    """

    __slots__ = ("is_meta", "is_real", "layout", "owners", "run", "stand_in", "storage")

    def __init__(
        self, run: object, layout: TensorLayout, storage: int, is_real: bool, is_meta: bool, owners: Sequence[int] = ()
    ) -> None:
        self.run = run
        self.layout = layout
        self.storage = storage
        self.is_real = is_real
        self.is_meta = is_meta
        self.owners = owners
        self.stand_in: Tensor | None = None


class KnownTensors:
    """All tensors that a run knows.

    run: the object that stands for this run in what is known of a tensor; it holds on to nothing.
    there_before: what is known of the model's and the caller's tensors, by their ids.
    valueless: the storages of real tensors that an operator has written to whose result has no values.
    """

    def __init__(self, run_real: bool, lifetimes: Lifetimes, step: PhaseTracker | None) -> None:
        self.run = object()
        self.there_before: dict[int, KnownTensor] = {}
        self.valueless: set[int] = set()
        self.lifetimes = lifetimes
        self._run_real = run_real
        self._step = step
        self._users: list[
            Tensor
        ] = []  # the model's and the caller's stay alive, so that no other tensor takes their id

    # Tensors that were there before -------------------------------------------------------------------------------

    def add(self, tensor: Tensor, role: str, owners: Sequence[int] = ()) -> KnownTensor:
        """Make a parameter, buffer or input known before the run."""
        layout, is_meta = layout_of(tensor), tensor.is_meta
        is_real = self._run_real or not (is_meta or role == "parameter")
        storage = self.lifetimes.add(tensor, layout, role)
        info = self.there_before[id(tensor)] = KnownTensor(self.run, layout, storage, is_real, is_meta, owners)
        self._users.append(tensor)
        return info

    def hand_over(self, tensor: Tensor, role: str) -> None:
        """Make a tensor known that is the model's from now on, to keep or to release."""
        layout, is_meta = layout_of(tensor), tensor.is_meta
        storage = self.lifetimes.hand_over(tensor, layout, role)
        tensor.__dict__[MARK] = KnownTensor(self.run, layout, storage, self._run_real or not is_meta, is_meta)

    def mark_as_runs_own(self, tensor: Tensor) -> None:
        """Mark a tensor that was there before, because it was made for this run: it is nobody else's."""
        tensor.__dict__[MARK] = self.there_before[id(tensor)]

    def all_before(self) -> list[tuple[Tensor, TensorLayout]]:
        """The tensors made known so far, as they were then."""
        return [(tensor, self.there_before[id(tensor)].layout) for tensor in self._users]

    # Asking -------------------------------------------------------------------------------------------------------

    def info_of(self, tensor: Tensor) -> KnownTensor:
        """What is known of a tensor; one that was never seen becomes known."""
        info = self.there_before.get(id(tensor))
        if info is not None:
            return info
        mark: KnownTensor | None = tensor.__dict__.get(MARK)
        if mark is not None and mark.run is self.run:
            return mark
        return self.meet(tensor)

    def have_values(self, tensors: list[KnownTensor]) -> bool:
        """Whether the values of all may be used."""
        for info in tensors:  # noqa: SIM110  a loop is left at once, and this runs for every call
            if not info.is_real or info.storage in self.valueless:
                return False
        return True

    def are_runs_own(self) -> Callable[[Tensor], bool]:
        """Says whether a tensor was made by this run; it holds on to none, and outlives the recorder."""
        run, lifetimes = self.run, self.lifetimes

        def is_runs_own(tensor: Tensor) -> bool:
            mark = tensor.__dict__.get(MARK)
            return (mark is not None and mark.run is run) or lifetimes.is_alive(tensor)

        return is_runs_own

    def record_of(self, tensor: Tensor) -> TensorRecord:
        """A tensor as records hold it; it may be one that operators never see, such as a batched one inside vmap."""
        info = self.there_before.get(id(tensor)) or tensor.__dict__.get(MARK)
        return (layout_of(tensor) if info is None else info.layout).tensor

    def storage_of(self, tensor: Tensor) -> int | None:
        """The storage that a tensor lives in; None where no operator ever saw it."""
        return self.lifetimes.find(tensor)

    def storages_of(self, tensors: Iterable[Tensor]) -> tuple[int, ...]:
        """The storages that tensors live in; those that no operator ever saw are left out."""
        storages = map(self.lifetimes.find, tensors)
        return tuple(dict.fromkeys(storage for storage in storages if storage is not None))

    def own_memory(self, tensor: Tensor) -> Tensor:
        """The tensor whose memory a view that was made amid the run has: of a view of a weight torch may not tell more
        than that once the weight is written (`view_as_real`, by an optimizer).
        """
        is_users = id(tensor) in self.there_before or MARK not in tensor.__dict__
        return tensor if is_users or tensor._base is None else tensor._base

    # Tensors of the run -------------------------------------------------------------------------------------------

    def new(self, layout: TensorLayout) -> tuple[Tensor, int]:
        """A new meta tensor that the call under way allocates, and its storage."""
        tensor = layout.empty()
        return tensor, self.born(tensor, layout)

    def born(self, tensor: Tensor, layout: TensorLayout, call: int | None = None) -> int:
        """The storage of a new meta tensor, which a call allocated: the one under way, where none is named."""
        storage = self.lifetimes.born(tensor.untyped_storage(), layout.storage_bytes, call)
        tensor.__dict__[MARK] = KnownTensor(self.run, layout, storage, False, True)
        return storage

    def alias(self, tensor: Tensor) -> Tensor:
        """Another tensor of the same memory: nothing was computed."""
        info = self.info_of(tensor)
        out: Tensor = torch.ops.aten.alias.default(tensor)
        self.mark(out, KnownTensor(self.run, info.layout, info.storage, info.is_real, info.is_meta, info.owners))
        return out

    def mark(self, tensor: Tensor, info: KnownTensor) -> None:
        """Note on a tensor what is known of it, unless the model or the caller owns it."""
        if id(tensor) not in self.there_before:
            tensor.__dict__[MARK] = info

    def add_results(self, results: Any, arguments: list[KnownTensor], is_real: bool) -> tuple[int, ...]:
        """Get to know the tensors that an operator really returned; returns the storages they live in."""
        all_storages: list[int] = []
        for tensor in (results,) if isinstance(results, Tensor) else each_tensor(results):
            layout, storage = layout_of(tensor), self._storage_before(tensor)
            storages, is_new = ([storage], False) if storage is not None else self.lifetimes.find_or_add(tensor, layout)
            owners: Sequence[int] = arguments[0].owners if not is_new and len(arguments) == 1 else ()
            self.mark(tensor, KnownTensor(self.run, layout, storages[0], is_real, tensor.is_meta, owners))
            all_storages += storages
        return tuple(all_storages)

    def _storage_before(self, tensor: Tensor) -> int | None:
        """The storage that a tensor lives in which an operator did not make, but return."""
        info = self.there_before.get(id(tensor)) or tensor.__dict__.get(MARK)
        return int(info.storage) if info is not None and info.run is self.run else None

    def look_again(self, arguments: Any, is_real: bool) -> None:
        """After an operator that may have changed its arguments' metadata."""
        for tensor in each_tensor(arguments):
            info, layout = self.info_of(tensor), layout_of(tensor)
            now_in = self.lifetimes.find(tensor)
            storage = info.storage if now_in is None else now_in
            if info.layout is layout and info.storage == storage:
                continue
            changed = KnownTensor(self.run, layout, storage, info.is_real and is_real, info.is_meta, info.owners)
            if id(tensor) in self.there_before:
                self.there_before[id(tensor)] = changed
            else:
                tensor.__dict__[MARK] = changed

    # Tensors that no recorded operator made -----------------------------------------------------------------------

    def meet(self, tensor: Tensor) -> KnownTensor:
        """A tensor that is seen for the first time: a constant of the model, or an alias of a known one."""
        is_parameter = isinstance(tensor, Parameter)
        storage, is_meta = self.lifetimes.find(tensor), tensor.is_meta
        if (
            storage is None and self._step is not None and self._step.kind == UPDATE
        ):  # what an optimizer counts steps in
            self.add_results(tensor, [], is_real=not is_meta)
            info: KnownTensor = tensor.__dict__[MARK]
            return info
        if storage is None:
            return self.add(tensor, "parameter" if is_parameter else "buffer")
        is_real = self._run_real or not (is_parameter or is_meta)
        return KnownTensor(self.run, layout_of(tensor), storage, is_real, is_meta)

    def meet_new_constant(self, tensor: Tensor) -> None:
        """A constant that was made from numbers a moment ago: it was not there before."""
        if id(tensor) in self.there_before or MARK in tensor.__dict__ or self.lifetimes.find(tensor) is not None:
            return
        self.add_results(tensor, [], is_real=self._run_real or not tensor.is_meta)
