"""Which layers can be left out? Those that return a tensor like the one they take, as their calls were recorded."""

from __future__ import annotations

from collections.abc import Iterable

from profiler.records.trace import ModuleCall, Tensor, Trace, Value, tensors

_SHOWN = 3  # tensors


class NotRemovable(Exception):
    """What a layer takes and returns, where that is not alike: "in 1x64x56x56, out 1x128x28x28"."""


def entries_behind(trace: Trace, path: str) -> int | None:
    """How many entries, all of them None, the tuple has that a layer returns behind one like its first argument.

    None where it returns no tuple, or was never called. Raises `NotRemovable`.
    """
    rows = {module.path: row if module.same_as is None else module.same_as for row, module in enumerate(trace.modules)}
    calls = [call for call in trace.module_calls if call.module == rows[path]]
    several = {_entries_behind(call) for call in calls}
    if len(several) > 1:
        raise NotRemovable("it returns a tuple in one call, and none or a longer one in another")
    return several.pop() if several else None


def _entries_behind(call: ModuleCall) -> int | None:
    first = call.inputs[0] if isinstance(call.inputs, tuple) and call.inputs else None
    output = call.output
    if _is_alike(first, output):
        return None
    if isinstance(output, tuple) and output and _is_alike(first, output[0]) and not any(map(_is_there, output[1:])):
        return len(output) - 1
    raise NotRemovable(_in_and_out(list(tensors(first)), list(tensors(output))))


def _is_alike(value: Value, other: Value) -> bool:
    """Whether both are tensors of one shape and dtype, or tuples of such."""
    if isinstance(value, tuple) and isinstance(other, tuple):
        return len(value) == len(other) > 0 and all(map(_is_alike, value, other))
    if not (isinstance(value, Tensor) and isinstance(other, Tensor)):
        return False
    return (value.shape, value.dtype, value.form) == (other.shape, other.dtype, other.form)


def _is_there(value: Value) -> bool:
    return value is not None


def _in_and_out(taken: list[Tensor], returned: list[Tensor]) -> str:
    """With dtypes where those alone are not the same."""
    with_dtypes = [tensor.shape for tensor in taken] == [tensor.shape for tensor in returned]
    return f"in {_written(taken, with_dtypes)}, out {_written(returned, with_dtypes)}"


def _written(several: Iterable[Tensor], with_dtypes: bool) -> str:
    texts = ["x".join(map(str, t.shape)) + f":{t.dtype}" * with_dtypes if t.shape else "a scalar" for t in several]
    return ", ".join(texts[:_SHOWN]) + ", ..." * (len(texts) > _SHOWN) if texts else "no tensor"
