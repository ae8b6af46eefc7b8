"""How did the model's code come to an operator? Through which functions of torch, or by a sign such as `@`.

Read off the Python stack when an operator arrives. Nothing is patched, and nothing is asked of the model.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import torch
from torch.nn import functional

from profiler.engine.record.lookups import source
from profiler.records.trace import Caller

_SIGN = Caller((), True)
_SIGNS = ("BINARY_", "UNARY_", "COMPARE_")
# Functions written in Python that stand between the model's code and an operator.
_FUNCTIONS = {functional.__file__, torch.functional.__file__}
# And what else does: functions that choose between two, and methods, such as those of `1 - x` and `x**2`.
_TORCHS = {*_FUNCTIONS, torch._jit_internal.__file__, torch._tensor.__file__}


class Callers:
    """The callers met in a run, each once; a call refers to one by its index in `met`."""

    def __init__(self) -> None:
        self.met: list[Caller] = []
        self._index: dict[Caller, int] = {}
        # By instruction; of functions of torch also by that which calls them. Their code is kept alive.
        self._indices: dict[tuple[int, ...], tuple[tuple[CodeType, ...], int]] = {}
        self._applied = _applications()
        self._is_enclosed = False  # whether the last operator was inside of a torch.autograd.Function

    def of(self, frame: FrameType) -> int:
        """The caller of the operator that a frame's current instruction has called."""
        applied: int = _applications()
        if applied != self._applied or self._is_enclosed:
            self._applied, self._is_enclosed = applied, _is_enclosed(frame)
            if self._is_enclosed:
                return self.number(_read(frame)._replace(is_enclosed=True))
        code, at = frame.f_code, frame.f_lasti
        entry = self._indices.get((id(code), at))
        if entry is not None:
            return entry[1]
        if code.co_filename in _TORCHS:
            return self._below(frame, code, at)
        index = self.number(_SIGN if _is_sign(code, at) else Caller((), False, source=source(frame)))
        self._indices[id(code), at] = (code,), index
        return index

    def _below(self, frame: FrameType, code: CodeType, at: int) -> int:
        """The same in a function of torch: it depends on the frames below, most often on one."""
        back = frame.f_back
        if back is None or back.f_code.co_filename in _TORCHS:
            return self.number(_read(frame))
        key = id(code), at, id(back.f_code), back.f_lasti
        entry = self._indices.get(key)
        if entry is not None:
            return entry[1]
        self._indices[key] = (code, back.f_code), (index := self.number(_read(frame)))
        return index

    def number(self, caller: Caller) -> int:
        """Its index in `met`."""
        index = self._index.setdefault(caller, len(self.met))
        if index == len(self.met):
            self.met.append(caller)
        return index


def _read(frame: FrameType) -> Caller:
    """The functions from the innermost outwards, up to code that is not torch's; that may have a sign for them."""
    names: list[str] = []
    below: FrameType | None = frame
    while below is not None and (file := below.f_code.co_filename) in _TORCHS:
        if file in _FUNCTIONS:
            names.append(below.f_code.co_name)
        below = below.f_back
    if below is None:
        return Caller(tuple(names), False)
    if not names and _is_sign(below.f_code, below.f_lasti):
        return _SIGN
    return Caller(tuple(names), False, source=source(below))


# A number that grows whenever a `torch.autograd.Function` is applied: with each node of a graph for gradients. Without
# gradients there are no others. Asking it is a hundred times cheaper than looking through the stack.
_applications = torch._C._autograd._get_sequence_nr


def _is_enclosed(frame: FrameType) -> bool:
    """Whether the forward pass of a `torch.autograd.Function` is under way: C++ calls it, and leaves no other frame."""
    forwards = {getattr(cls.forward, "__code__", None) for cls in _below(torch.autograd.Function)}
    around: FrameType | None = frame
    while around is not None:
        if around.f_code in forwards:
            return True
        around = around.f_back
    return False


def _below(cls: Any) -> Iterator[Any]:
    for below in cls.__subclasses__():
        yield below
        yield from _below(below)


def _is_sign(code: CodeType, at: int) -> bool:
    return dis.opname[code.co_code[at]].startswith(_SIGNS)
