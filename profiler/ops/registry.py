"""Which operators are known, which are free, and what does a call of a known one cost?

A formula is a function of an operator's arguments, tensors given as `Tensor(shape, dtype)`, and of its output as the
keyword `out`; it returns a `Cost`:

    @formula("mylib.scale_add")
    def scale_add(x, y, scale, *, out):
        return Cost(muls=out.numel, adds=out.numel)

A name without its overload ("aten.add") stands for all overloads, and for the in-place and `out=` twins ("aten.add_"):
those take the same arguments. Operators are known (a formula), free (listed with the reason) or unknown, and unknown is
never silently zero. A formula that meets a case it does not cover raises `Uncovered`: the call is then unknown too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from profiler.ops.cost import Cost, weighted_sum
from profiler.ops.folder import load
from profiler.records.remembered import Recent
from profiler.records.trace import NESTED, Signature, Tensor, tensors

Formula = Callable[..., Cost]
F = TypeVar("F", bound=Formula)


@dataclass(frozen=True, slots=True)
class Free:
    """Why an operator computes nothing, and which of its data it moves all the same: a view neither, a copy both.

    copied: the bytes that a call copies, of an operator that makes a view where it can.
    """

    reason: str
    reads: bool
    writes: bool
    copied: Callable[[Signature], int] | None

    def moved(self, signature: Signature) -> Cost:
        if self.copied is None:
            return Cost(bytes_read=None if self.reads else 0, bytes_written=None if self.writes else 0)
        size = self.copied(signature)
        return Cost(bytes_read=size, bytes_written=size)


_formulas: dict[str, Formula] = {}
_free: dict[str, Free] = {}
_sparse: dict[str, Formula] = {}
_nested: dict[str, Formula] = {}
# Functions of one element that leave zero zero, and those that go by the elements that two tensors share.
_OF_VALUES = {
    "abs", "add", "asin", "asinh", "atan", "atanh", "ceil", "conj_physical", "deg2rad", "div", "erf", "expm1", "floor",
    "frac", "leaky_relu", "log1p", "mul", "neg", "positive", "pow", "rad2deg", "relu", "round", "sgn", "sign", "sin",
    "sinh", "sqrt", "sub", "tan", "tanh", "trunc",
}  # fmt: skip
# By identity: comparing signatures is slow. As many as the engine remembers calls.
_costs: Recent[int, tuple[Signature, Cost | None]] = Recent(1 << 14)
_generation = 0


class Uncovered(Exception):
    """Raised by a formula that does not cover the case it was given."""


def formula(*names: str, replace: bool = False) -> Callable[[F], F]:
    """Register a function as the cost formula of operators. A second registration is an error unless `replace`."""

    def register(function: F) -> F:
        for name in names:
            _claim(name, replace)
            _formulas[name] = function
        _changed()
        return function

    return register


def of_sparse(*names: str) -> Callable[[F], F]:
    """Register what operators cost where sparse tensors are among their arguments."""
    return _into(_sparse, names)


def of_nested(*names: str) -> Callable[[F], F]:
    """Register what operators cost on the parts of nested tensors, that are taken apart where there are none."""
    return _into(_nested, names)


def _into(table: dict[str, Formula], names: Sequence[str]) -> Callable[[F], F]:
    def register(function: F) -> F:
        table.update(dict.fromkeys(names, function))
        _changed()
        return function

    return register


def free(
    reason: str,
    *names: str,
    reads: bool = False,
    writes: bool = False,
    copied: Callable[[Signature], int] | None = None,
) -> None:
    """Declare operators that compute nothing, and why; `reads`, `writes`: whether inputs and outputs are traffic."""
    for name in names:
        _claim(name, replace=False)
        _free[name] = Free(reason, reads, writes, copied)
    _changed()


def generation() -> int:
    """How often something was registered: what was decided from the registry's content may be stale when it grows."""
    load()
    return _generation


def _changed() -> None:
    global _generation  # noqa: PLW0603
    _generation += 1
    _costs.clear()


def _claim(name: str, replace: bool) -> None:
    if not replace and (name in _formulas or name in _free):
        standing = "has a formula" if name in _formulas else "is declared free"
        raise ValueError(f"{name} {standing} already; a formula with replace=True may take its place")
    _formulas.pop(name, None)
    _free.pop(name, None)


def _names(op: str) -> tuple[str, ...]:
    """Where to look an operator up, the most exact name first: "aten.add_.Tensor", "aten.add_", "aten.add"."""
    packet = op.rsplit(".", 1)[0] if op.count(".") > 1 else op
    plain = packet.rstrip("_") if not packet.endswith("__") else packet
    return op, packet, plain


def _find(op: str) -> Formula | Free | None:
    for name in _names(op):
        if name in _formulas:
            return _formulas[name]
        if name in _free:
            return _free[name]
    return None


def free_reason(op: str) -> str | None:
    """Why an operator is free; None when it is not on the list."""
    load()
    entry = _find(op)
    return entry.reason if isinstance(entry, Free) else None


def is_known(op: str) -> bool:
    load()
    return callable(_find(op))


def family(op: str) -> str | None:
    """The name of the file that has its formula, "convolution"; None of an operator that is free, or unknown."""
    load()
    entry = _find(op)
    return entry.__module__.rpartition(".")[2] if callable(entry) else None


def formula_of(op: str) -> Formula:
    """The formula of a known operator, for another that is made of it."""
    entry = _find(op)
    if not callable(entry):
        raise Uncovered(f"{op} has no formula")
    return entry


def cost(signature: Signature) -> Cost | None:
    """The cost of a call with this signature; None when the operator, or this use of it, is unknown."""
    entry = _costs.get(id(signature)) or _costs.find(id(signature))
    if entry is not None:
        return entry[1]
    result = _compute(signature)
    _costs[id(signature)] = signature, result
    return result


def spent(signatures: Sequence[Signature], calls: Mapping[int, int]) -> tuple[Cost, int]:
    """The cost of so many calls of each signature, by its index, and how many of them are unknown."""
    prices = [(cost(signatures[index]), times) for index, times in calls.items()]
    unknown = sum(times for price, times in prices if price is None)
    return weighted_sum((price, times) for price, times in prices if price is not None), unknown


def _compute(signature: Signature) -> Cost | None:
    load()
    entry = _find(signature.op) or _of_form(signature)
    if entry is None:
        return None
    if isinstance(entry, Free):
        return _with_traffic(entry.moved(signature), signature)
    kwargs: dict[str, Any] = dict(signature.kwargs)
    kwargs["out"] = signature.output
    try:
        result = _price(entry, signature.op, signature.args, kwargs)
    except Uncovered:
        return None
    return _with_traffic(result, signature)


def _of_form(signature: Signature) -> Formula | None:
    """The formula that an operator has for sparse or nested tensors alone."""
    forms = {tensor.form for tensor in tensors(signature.args)} - {None}
    table = _nested if NESTED in forms else _sparse if forms else {}
    return next((table[name] for name in _names(signature.op) if name in table), None)


def _price(function: Formula, op: str, args: Any, kwargs: dict[str, Any]) -> Cost:
    """What a formula says of a call; tensors that are not one block are looked at by what they are kept in."""
    forms = {tensor.form for tensor in tensors((args, tuple(kwargs.values())))} - {None}
    if NESTED in forms:
        return _by_parts(function, args, kwargs)
    if not forms:
        return function(*args, **kwargs)
    name = next((name for name in _names(op) if name in _sparse), None)
    return (
        function(*map(_values, args), **_on_values(op, args, kwargs))
        if name is None
        else _sparse[name](*args, **kwargs)
    )


def _on_values(op: str, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """An elementwise function of sparse tensors is one of the values that they keep, if all keep as many."""
    stored = {tensor.stored if tensor.is_sparse else None for tensor in tensors((args, kwargs["out"])) if tensor.ndim}
    if _names(op)[-1].removeprefix("aten.") not in _OF_VALUES or len(stored) != 1 or None in stored:
        raise Uncovered(f"{op} of sparse tensors")
    return {name: _values(value) for name, value in kwargs.items()}


def _values(value: Any) -> Any:
    return value.parts[0] if isinstance(value, Tensor) and value.is_sparse else value


def _by_parts(function: Formula, args: Any, kwargs: dict[str, Any]) -> Cost:
    """An operator on nested tensors is that operator on each of the tensors that they consist of."""
    counts = {len(tensor.parts) for tensor in tensors((args, tuple(kwargs.values()))) if tensor.form == NESTED}
    if len(counts) != 1 or not all(tensor.form == NESTED for tensor in tensors(kwargs["out"])):
        raise Uncovered("nested tensors that do not go together")
    total = Cost()
    for at in range(counts.pop()):
        total += function(*(_part(arg, at) for arg in args), **{name: _part(arg, at) for name, arg in kwargs.items()})
    return total


def _part(value: Any, at: int) -> Any:
    """A batch of one, so that dimensions keep their places."""
    if isinstance(value, Tensor) and value.form == NESTED:
        return replace(value.parts[at], shape=(1, *value.parts[at].shape))
    return tuple(_part(item, at) for item in value) if isinstance(value, tuple) else value


def _with_traffic(cost: Cost, signature: Signature) -> Cost:
    """Fill in the traffic a formula left open: each input read once, each output written once."""
    read, written = cost.bytes_read, cost.bytes_written
    if read is None:
        inputs = (signature.args, tuple(value for name, value in signature.kwargs if name != "out"))
        read = sum(t.size_bytes for t in tensors(inputs))
    if written is None:
        written = sum(t.size_bytes for t in tensors(signature.output))
    return Cost(cost.macs, cost.adds, cost.muls, cost.divs, cost.specials, cost.comparisons, read, written)
