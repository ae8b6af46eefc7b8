"""Where must devices that share every layer's matrices add up what each of them has? The sums, read off a trace.

Matrices are divided so that little has to be sent (Shoeybi et al. 2019, arXiv:1909.08053, section 3): a product whose
factor is on every device leaves a part of its outputs on each; a product whose factor is in parts leaves an addend of
all its outputs on each, and so does a table of words of which each device has a part. Addends stay addends when they
are added, moved or multiplied with what every device has; anything else needs their sum. Whole numbers, such as which
experts a token is sent to, are on every device.

What experts give comes back whole where tokens are sent to them. Then each of the devices that share a layer sends its
part of the tokens: the two halves of the sum before (a part to each, all to all) lie on either side of the experts
(sequence parallel; Korthikanti et al. 2022, arXiv:2205.05198, section 4.2.2), and no other sum is needed after them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from profiler.figures.experts import mixtures
from profiler.ops import cost, family
from profiler.records.trace import Call, Signature, Tensor, Trace, tensors

PART, ADDEND = "part", "addend"  # what a device has of a tensor; of one that is not listed, all
_ADDING, _SCALING = ("aten.add", "aten.sub", "aten.sum", "aten.mean"), ("aten.mul", "aten.div")
_CASTING = ("aten.to.", "aten._to_copy", "aten.type_as")


class Sum(NamedTuple):
    """The call at a position needs the sum of a tensor of this size."""

    position: int
    size_bytes: int


@dataclass(slots=True)
class _Addends:
    """Tensors that are the same addends, in several dtypes: the smallest is what is sent."""

    width: int
    size_bytes: int
    is_summed: bool = False


def sums(trace: Trace, *, sends_tokens: bool = False) -> list[Sum]:
    """Every sum over devices that one run needs, where each layer is divided.

    sends_tokens: whether tokens are sent to experts, and not all of them to be had wherever an expert is.
    """
    return list(_Walk(trace, {mixture.module for mixture in mixtures(trace)} if sends_tokens else set()))


class _Walk:
    def __init__(self, trace: Trace, whole: set[int]) -> None:
        """`whole`: modules, of which each device computes the whole of what it has tokens for."""
        self._trace, self._whole = trace, whole
        self._weights = {weight.storage: weight.tensor for weight in trace.parameters}
        self._state: dict[int, str | _Addends] = {}
        self._width: int | None = None  # of what is handed from layer to layer: that of the first table's rows

    def __iter__(self) -> Iterator[Sum]:
        for position, call in enumerate(self._trace.calls):
            signature = self._trace.signatures[call.signature]
            output = next(tensors(signature.output), None)
            if output is not None:
                yield from self._after(position, call, signature, output)

    def _after(self, position: int, call: Call, signature: Signature, output: Tensor) -> Iterator[Sum]:
        matrix = any(self._weights[read].ndim > 1 for read in call.reads if read in self._weights)
        if call.module in self._whole:
            yield from self._summed(position, call)
            self._write(call, None)
        elif matrix and family(signature.op) == "embedding":
            self._width = self._width or output.shape[-1]
            self._write(call, _Addends(output.shape[-1], output.size_bytes))
        elif matrix and _multiplies(signature):
            is_part = any(self._state.get(read) == PART for read in call.reads)
            yield from self._summed(position, call)
            self._write(call, _Addends(output.shape[-1], output.size_bytes) if is_part else PART)
        elif self._addends(call) and _is_linear(signature, call):
            self._write(call, self._moved(call, signature, output))
        else:
            yield from self._summed(position, call)
            is_part = output.is_float and any(self._state.get(read) == PART for read in call.reads)
            self._write(call, PART if is_part else None)

    def _addends(self, call: Call) -> list[_Addends]:
        states = (self._state.get(read) for read in call.reads)
        return [state for state in states if isinstance(state, _Addends) and not state.is_summed]

    def _moved(self, call: Call, signature: Signature, output: Tensor) -> _Addends:
        """The same addends where they are cast; new ones where something is added, or there are fewer."""
        several = self._addends(call)
        if signature.op.startswith(_CASTING):
            several[0].size_bytes = min(several[0].size_bytes, output.size_bytes)
            return several[0]
        return _Addends(several[0].width, output.size_bytes)

    def _summed(self, position: int, call: Call) -> Iterator[Sum]:
        """Those that the call needs; of another width they are between two divided matrices, and stay in parts."""
        for addends in self._addends(call):
            addends.is_summed = True
            if addends.width == self._width:
                yield Sum(position, addends.size_bytes)
            else:
                self._state |= {read: PART for read in call.reads if self._state.get(read) is addends}

    def _write(self, call: Call, state: str | _Addends | None) -> None:
        for written in call.writes:
            if state is None:
                self._state.pop(written, None)
            else:
                self._state[written] = state


def _is_linear(signature: Signature, call: Call) -> bool:
    """Whether of a sum it makes the sum of what it makes of the addends: it adds, moves, or scales."""
    amount = cost(signature)
    if amount is None:
        return False
    if signature.op.startswith(_SCALING):
        return len(call.reads) == len(list(tensors(signature.args)))
    computes = amount.macs or amount.adds or amount.muls or amount.divs or amount.specials or amount.comparisons
    return signature.op.startswith(_ADDING) or not computes


def _multiplies(signature: Signature) -> bool:
    amount = cost(signature)
    return amount is not None and bool(amount.macs)
