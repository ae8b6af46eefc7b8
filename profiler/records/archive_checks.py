"""Is what was read from a file a trace? Every fact is of its kind, every index points into its list.

A column of all rows is looked at at once, so that a large trace takes no longer to load for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from profiler.records.files.limits import LARGEST_INTEGER
from profiler.records.trace import DTYPE_BITS, Call, Composite, Tensor, Trace, Weight

_DEEPEST = 1000  # modules in modules: Python calls no deeper
_MOST_DIMENSIONS = 64
_INT, _TEXT, _FLAG, _TUPLE = frozenset({int}), frozenset({str}), frozenset({bool}), frozenset({tuple})
_NONE = type(None)
_MAYBE_INT, _MAYBE_TEXT = _INT | {_NONE}, _TEXT | {_NONE}
_WORDS = {int: "whole numbers", str: "texts", bool: "flags", tuple: "lists"}


def tensor(
    shape: Sequence[Any], dtype: Any, strides: Sequence[Any] | None = None, form: Any = None, parts: Sequence[Any] = ()
) -> Tensor:
    """A row of the table of tensors; raises `ValueError`. The last two are there of sparse and nested ones alone."""
    inner = tuple(tensor(*part) for part in parts)
    return replace(_dense(shape, dtype, strides), form=None if form is None else str(form), parts=inner)


def _dense(shape: Sequence[Any], dtype: Any, strides: Sequence[Any] | None) -> Tensor:
    _column("shapes", shape, _INT)
    _column("strides", strides or (), _INT)
    if len(shape) > _MOST_DIMENSIONS or min(shape, default=0) < 0 or len(shape) != len(strides or shape):
        raise ValueError("a tensor has a shape that there cannot be")
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise ValueError("a tensor has a dtype that is not known")
    dense = Tensor(tuple(shape), dtype, None if strides is None else tuple(strides))
    if Tensor(tuple(max(size, 1) for size in shape), dtype).numel > LARGEST_INTEGER:
        raise ValueError("a tensor is larger than there can be one")
    return dense


def checked(trace: Trace) -> Trace:
    """The trace, whose facts are of their kinds; raises whatever says that it is none."""
    _texts(trace)
    _modules(trace)
    _weights(trace, trace.parameters)
    _weights(trace, trace.buffers)
    _calls(trace)
    _storages(trace)
    _header(trace)
    return trace


def _column(what: str, values: Iterable[Any], kinds: frozenset[type]) -> None:
    """All of them of these kinds."""
    wrong = set(map(type, values)) - kinds
    if wrong:
        names = " or ".join(_WORDS[kind] for kind in kinds if kind is not _NONE)
        raise ValueError(f"its {what} are {names}, and there is {_indefinite(wrong.pop())}")


def _indefinite(kind: type) -> str:
    return "nothing" if kind is _NONE else f"a {_WORDS.get(kind, kind.__name__).removesuffix('s')}"


def _columns(what: str, rows: Sequence[Sequence[Any]], *kinds: frozenset[type]) -> None:
    if rows:
        for values, allowed in zip(zip(*rows, strict=True), kinds, strict=True):
            _column(what, values, allowed)


def _within(what: str, rows: Sequence[object], indices: Sequence[int]) -> None:
    if indices and not 0 <= min(indices) <= max(indices) < len(rows):
        raise ValueError(f"its {what} point past the end of their list")


def _without_none(values: Iterable[int | None]) -> list[int]:
    return [value for value in values if value is not None]


def _texts(trace: Trace) -> None:
    names: Mapping[str, Any] = {"model": trace.model, "source": trace.source, "engine": trace.engine}
    _column("model, source and engine", names.values(), _TEXT)
    _column("versions", chain(trace.versions, trace.versions.values()), _TEXT)
    _column("inputs", (entry.name for entry in trace.inputs), _MAYBE_TEXT)
    for entry in trace.inputs:
        tensor(entry.shape, entry.dtype, None)


def _modules(trace: Trace) -> None:
    _columns("modules", trace.modules, _TEXT, _TUPLE, _TUPLE, _MAYBE_INT)
    _column("classes", chain.from_iterable(module.classes for module in trace.modules), _TEXT)
    _within("shared modules", trace.modules, _without_none(module.same_as for module in trace.modules))
    if not all(module.classes for module in trace.modules):
        raise ValueError("a module has no class")
    if any(module.path.count(".") >= _DEEPEST for module in trace.modules):
        raise ValueError(f"it has modules nested more than {_DEEPEST} deep")


def _weights(trace: Trace, weights: Sequence[Weight]) -> None:
    rows = [weight._replace(packing=None) for weight in weights]
    flags = _FLAG, _FLAG
    kinds = _INT, _TEXT, frozenset({Tensor}), _INT, *flags, _MAYBE_INT, _MAYBE_INT, frozenset({_NONE}), _FLAG
    _columns("weights", rows, *kinds, _MAYBE_INT)
    for packing in filter(None, (weight.packing for weight in weights)):
        tensor(packing.shape or (), "uint8", None)
    _within("weights", trace.modules, [weight.module for weight in weights])
    _within("tied weights", weights, _without_none(weight.same_as for weight in weights))
    _within("gradients", trace.storages, _without_none(weight.gradient for weight in weights))
    # A file of weights has tensors without memory of their own, at -1.
    _within("weights", [None, *trace.storages], [weight.storage + 1 for weight in weights])


def _calls(trace: Trace) -> None:
    _columns("calls", trace.calls, _INT, _INT, _TUPLE, _TUPLE, _INT)
    moved = list(chain.from_iterable(call.reads + call.writes for call in trace.calls))
    _column("calls", moved, _INT)
    _column("operators", [signature.op for signature in trace.signatures], _TEXT)
    _column("operators", [signature.inside_bytes for signature in trace.signatures], _INT)
    _columns("composites", trace.composites, *[_INT] * 5)
    _columns("phases", trace.phases, _TEXT, _INT, _INT)
    spans = [(call.module, call.first, call.last) for call in trace.module_calls]
    _columns("module calls", spans, _INT, _INT, _INT)
    several: list[Call | Composite] = [*trace.calls, *trace.composites]
    _within("calls", trace.modules, [call.module for call in several] + [module for module, *_ in spans])
    _within("calls", trace.signatures, [call.signature for call in several])
    _within("calls", trace.callers, [call.caller for call in several])
    _within("calls", trace.storages, moved)
    _spans(trace, [bounds for _, *bounds in spans])


def _spans(trace: Trace, calls_of_modules: Sequence[Sequence[int]]) -> None:
    """Stretches of calls, from the first up to, without, the last."""
    composites = ((span.first, span.last) for span in trace.composites)
    phases = ((span.first, span.last) for span in trace.phases)
    for first, last in chain(calls_of_modules, composites, phases):
        if not 0 <= first <= last <= len(trace.calls):
            raise ValueError("a stretch of its calls ends before it begins, or behind the last call")


def _storages(trace: Trace) -> None:
    rows = [(storage.size_bytes, storage.role, storage.born, storage.died) for storage in trace.storages]
    _columns("storages", rows, _INT, _TEXT, _INT, _MAYBE_INT)
    if any(size < 0 or size > LARGEST_INTEGER for size, *_ in rows):
        raise ValueError("a storage has a size that there cannot be")
    _within("storages", [None, *trace.calls], [born + 1 for *_, born, _ in rows])
    _within("storages", [*trace.calls, None], _without_none(died for *_, died in rows))
    _column("outputs", trace.outputs, _INT)
    _within("outputs", trace.storages, trace.outputs)
    _columns("cache", trace.cache, _TEXT, _TEXT, frozenset({Tensor}), _INT)
    _within("cache", trace.storages, [cached.storage for cached in trace.cache])


def _header(trace: Trace) -> None:
    """What a file of weights said of itself, where the trace is of one."""
    if trace.header is not None:
        _column("numbers of files and bytes", (trace.header.files, trace.header.size_bytes), _INT)
        _columns("other tensors", trace.header.besides, _TEXT, _INT, _INT, _INT)
        _columns("doubts", trace.header.doubts, _TEXT, _TEXT, _MAYBE_INT)
