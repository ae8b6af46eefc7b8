"""What was written down of a run so far? The calls, their signatures, who called them, and what was taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from profiler.engine.record.callers import Callers
from profiler.engine.record.known_tensors import KnownTensor
from profiler.engine.record.step import PhaseTracker
from profiler.records.trace import Call, Composite, Signature

# Of one call of an operator: what it returns, how it is written down, and the storages that what it returns lives in.
Outcome: TypeAlias = tuple[Any, Signature, tuple[int, ...]]


class Written:
    """The calls of a run, in order, and what is told beside them.

    is_inside: whether one module (by its row) is inside another; a weight that is used from outside its module is
        charged to its module.
    """

    def __init__(self, is_inside: Callable[[int, int], bool], step: PhaseTracker | None) -> None:
        self.signatures: list[Signature] = []
        self.calls: list[Call] = []
        self.callers = Callers()
        self.composites: list[Composite] = []
        self.notes: list[str] = []
        self._is_inside = is_inside
        self._step = step
        self._numbers: dict[int, int] = {}  # id(signature) -> its index

    def add_call(
        self, signature: Signature, tensors: list[KnownTensor], storages: tuple[int, ...], module: int, caller: int
    ) -> None:
        """A call on some tensors, whose results live in some storages, made while a module was running."""
        for info in tensors:
            if info.owners and module not in info.owners:
                module = next((owner for owner in info.owners if self._is_inside(owner, module)), module)
        if self._step is not None:
            module = self._step.charged(module, len(self.calls))
        read = tuple([info.storage for info in tensors])
        self.calls.append(Call(self.number(signature), module, read, storages, caller))

    def add_composite(self, signature: Signature, module: int, first: int, caller: int) -> None:
        """An operator that was taken apart: all calls from the first on are its parts."""
        self.composites.append(Composite(self.number(signature), module, first, len(self.calls), caller))

    def add_note(self, text: str) -> None:
        """Something about the run that a report has to say."""
        if text not in self.notes:
            self.notes.append(text)

    def number(self, signature: Signature) -> int:
        """Its index among the signatures."""
        number = self._numbers.get(id(signature))
        if number is None:
            number = self._numbers[id(signature)] = len(self.signatures)
            self.signatures.append(signature)
        return number
