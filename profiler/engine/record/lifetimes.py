"""When was each piece of memory allocated and released? Seen through weak references to storages."""

from __future__ import annotations

import weakref
from collections.abc import Sized
from typing import Any

import torch

from profiler.engine.containers.forms import is_plain, pieces
from profiler.engine.containers.layouts import TensorLayout
from profiler.records.trace import Storage


class _Watch(weakref.ref[Any]):
    """A weak reference to a storage that knows its index and its address."""

    __slots__ = ("address", "index")
    address: int
    index: int


class Lifetimes:
    """Every storage met, in order. Time is the length of `clock`, the list of calls made so far."""

    def __init__(self, clock: Sized) -> None:
        self.storages: list[Storage] = []
        self._clock = clock
        self._by_address: dict[int, int] = {}  # of living storages
        self._watches: list[_Watch] = []
        self._handed_over: set[int] = set()  # were there before, and are followed
        self._holders: dict[int, int] = {}  # of storages that others stand for: how many living ones there are
        self.alive_bytes = 0  # that the run allocated and did not release
        self.most_bytes = 0  # that the run had allocated at once so far

    def add(self, tensor: torch.Tensor, layout: TensorLayout, role: str) -> int:
        """The storage, or the first of them, that was there before the run, and that somebody else keeps alive."""
        if layout.tensor.form is None:
            storage = tensor.untyped_storage()
            return self._there(storage._cdata, storage.nbytes(), role)
        first, *_ = [self._there(storage._cdata, _bytes(storage, layout), role) for storage in memory(tensor)]
        return first

    def _there(self, address: int, size_bytes: int, role: str) -> int:
        index = self._by_address.get(address)
        if index is None:
            index = self._by_address[address] = len(self.storages)
            self.storages.append(Storage(size_bytes, role, -1))
        return index

    def add_hidden(self, size_bytes: int, role: str) -> int:
        """Memory that was there before the run, and that no tensor gives access to."""
        self.storages.append(Storage(size_bytes, role, -1))
        return len(self.storages) - 1

    def born(self, storage: Any, size_bytes: int, call: int | None = None) -> int:
        """A storage (or a tensor that has none) which a call allocated, followed until it is released.

        call: None for the one under way.
        """
        self.alive_bytes += size_bytes
        self.most_bytes = max(self.most_bytes, self.alive_bytes)
        index = len(self.storages)
        self.storages.append(Storage(size_bytes, "activation", len(self._clock) if call is None else call))
        self._watch(storage, index)
        return index

    def born_and_died(self, size_bytes: int, born: int, died: int) -> int:
        """A storage that is known to have come and gone between two calls."""
        self.storages.append(Storage(size_bytes, "activation", born, died))
        return len(self.storages) - 1

    def find_or_add(self, tensor: torch.Tensor, layout: TensorLayout) -> tuple[list[int], bool]:
        """The storages that a tensor lives in, and whether they are new: then the call under way allocated them.

        Where the first was there before, it stands for all.
        """
        storages = memory(tensor)
        first = self._by_address.get(storages[0]._cdata)
        if first is not None:
            return [first], False
        indexed = [(self._by_address.get(storage._cdata), storage) for storage in storages]
        return [
            self.born(storage, _bytes(storage, layout)) if index is None else index for index, storage in indexed
        ], True

    def hand_over(self, tensor: torch.Tensor, layout: TensorLayout, role: str) -> int:
        """A storage that was there before the run, and that the model may release."""
        existing = self.find(tensor)
        if existing is not None:
            return existing
        storage, index = memory(tensor)[0], len(self.storages)
        self.storages.append(Storage(_bytes(storage, layout), role, -1))
        self._handed_over.add(index)
        self._watch(storage, index)
        return index

    def _watch(self, storage: Any, index: int) -> None:
        watch = _Watch(storage, self._released)
        watch.index = index
        watch.address = address = storage._cdata
        self._by_address[address] = index
        self._watches.append(watch)

    def stands_for(self, tensor: torch.Tensor, index: int) -> None:
        """A stand-in's storage is an alias of the one that it stands for: that memory lives while either does."""
        if self._is_followed(index):
            self._holders[index] = self._holders.get(index, 1) + 1
        self._watch(memory(tensor)[0], index)

    def find(self, tensor: torch.Tensor) -> int | None:
        """The storage that a tensor lives in; None when it is a new one."""
        return self._by_address.get(_address(tensor))

    def is_alive(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor lives in a storage that the run made, and that was not released: no other has its address.

        What was there before, and is no meta tensor, is the model's or the caller's.
        """
        index = self.find(tensor)
        return index is not None and (tensor.is_meta or self.storages[index].born >= 0)

    def becomes(self, tensor: torch.Tensor | None, role: str) -> int | None:
        """What an allocated storage turned out to be for; returns it."""
        index = None if tensor is None else self.find(tensor)
        if index is not None and self.storages[index].role == "activation":
            self.storages[index].role = role
        return index

    def settle(self) -> None:
        """Stop following: what is alive now outlived the run."""
        self._watches.clear()

    def _is_followed(self, index: int) -> bool:
        return self.storages[index].born >= 0 or index in self._handed_over

    def _released(self, watch: _Watch) -> None:
        index = watch.index
        if self._by_address.get(watch.address) == index:
            del self._by_address[watch.address]
        storage = self.storages[index]
        if storage.born < 0 and index not in self._handed_over:
            return
        if index in self._holders:
            self._holders[index] -= 1
            if self._holders[index]:
                return
        storage.died = len(self._clock)
        if storage.born >= 0:
            self.alive_bytes -= storage.size_bytes


def memory(tensor: torch.Tensor) -> list[Any]:
    """The storages that a tensor is kept in; the tensor itself where it tells of none."""
    if is_plain(tensor):
        return [tensor.untyped_storage()]
    inner = pieces(tensor)
    if inner[0] is tensor:
        return [tensor]
    return [piece.untyped_storage() for piece in inner]


def _bytes(storage: Any, layout: TensorLayout) -> int:
    return layout.storage_bytes if isinstance(storage, torch.Tensor) else int(storage.nbytes())


def _address(tensor: torch.Tensor) -> int:
    return int(memory(tensor)[0]._cdata)
