"""How is a model loaded that `torch.export.save` wrote, `FILE.pt2`? Its graph is run again; no weight is read.

`torch.export.load` is not used: it reads every weight, and unpickles what is pickled. See `archive` for what is read
instead. Where the graph asks for values, weights are read, as plain bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from profiler import errors
from profiler.engine.run.subject import Subject
from profiler.records.files.limits import REAL_BYTES, TENSOR_BYTES, Budget
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed, Spec
from profiler.records.trace import Tensor as TensorRecord
from profiler.sources.exported import archive
from profiler.sources.exported.archive import ExportedProgram, StateEntry
from profiler.sources.exported.constants import array_of
from profiler.sources.exported.model import model
from profiler.sources.exported.sizes import example, solved

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE = "exported"
_SMALL = 1 << 16  # bytes of a buffer or constant whose values are read at once: masks and tables of positions


def load(spec: Spec, feed: Feed) -> Subject:
    if spec.kwargs:
        raise errors.BadSpec(spec.text, f"{spec.target} is built already and takes no arguments")
    program = archive.read(spec.target)
    try:
        return _subject(program, spec, feed)
    except errors.ProfileError:
        raise
    except ValueError as error:
        raise errors.unreadable_model_file(spec.text, errors.first_line(error)) from error
    except Exception as error:  # a malformed file can raise anything
        reason = f"{type(error).__name__}: {errors.first_line(error)}"
        raise errors.unreadable_model_file(spec.text, reason) from error


def _subject(program: ExportedProgram, spec: Spec, feed: Feed) -> Subject:
    specs = _input_specs(program, feed, spec.text) if feed.is_given else example(program, feed.batch)
    symbols = solved(program, specs, spec.text)
    names = [entry.keyword for entry in program.inputs if entry.meta is not None]
    args = tuple(shape for shape, name in zip(specs, names, strict=True) if name is None)
    kwargs = {name: shape for shape, name in zip(specs, names, strict=True) if name is not None}
    arrays = dict(_arrays(program, Budget(program.path, program.size_bytes)))
    built = model(program, symbols, arrays, _reader(program), is_real=False)
    return Subject(built, spec.text, SOURCE, args, kwargs, partial(_rebuilt, program, symbols, specs))


def _rebuilt(program: ExportedProgram, symbols: Mapping[str, int], specs: Sequence[TensorSpec]) -> nn.Module:
    """The model with the values of its weights, for a run on real tensors."""
    cost = Budget(program.path, program.size_bytes)
    cost.charge(REAL_BYTES, sum(TensorRecord(spec.shape, spec.dtype).size_bytes for spec in specs))
    try:
        return model(program, symbols, {}, _reader(program), is_real=True)
    except (ValueError, RuntimeError, KeyError) as error:
        raise errors.unreadable_model_file(program.path, errors.first_line(error)) from error


def _input_specs(program: ExportedProgram, feed: Feed, name: str) -> list[TensorSpec]:
    """The shapes that a user gives, in the program's order: each by its keyword, else by position."""
    inputs = [entry for entry in program.inputs if entry.meta is not None]
    positional: list[Any] = [_spec(value) for value in feed.args]
    named = {key: _spec(value) for key, value in feed.kwargs.items()}
    specs: list[TensorSpec] = []
    for entry in inputs:
        key = next((key for key in (entry.keyword, entry.name) if key in named), None)
        if key is not None:
            specs.append(named.pop(key))
        elif positional:
            specs.append(positional.pop(0))
    if named:
        raise errors.no_such_input(name, next(iter(named)), [entry.keyword or entry.name for entry in inputs])
    if positional or len(specs) != len(inputs):
        raise errors.input_count(name, [entry.keyword or entry.name for entry in inputs], len(specs) + len(positional))
    return specs


def _spec(value: Any) -> Any:
    if isinstance(value, Tensor):
        return TensorSpec(tuple(value.shape), str(value.dtype).removeprefix("torch."))
    return replace(value, name=None) if isinstance(value, TensorSpec) else value


# Weights --------------------------------------------------------------------------------------------------------------


def _arrays(program: ExportedProgram, cost: Budget) -> Iterator[tuple[str, NDArray[Any]]]:
    """The values of small buffers and constants, such as masks and tables of positions, by name in the graph."""
    for entry in program.state:
        tensor = entry.meta.tensor
        if entry.kind != "parameter" and entry.record and not entry.is_pickled and tensor.size_bytes <= _SMALL:
            content = archive.content(program.path, entry.record, tensor.size_bytes, cost)
            is_plain = tensor.is_contiguous and len(content) == tensor.size_bytes
            array = array_of(content, tensor.dtype, tensor.shape) if is_plain else None
            if array is not None:
                yield entry.name, array


def _reader(program: ExportedProgram) -> Callable[[StateEntry], Tensor]:
    cost = Budget(program.path, program.size_bytes)

    def read(entry: StateEntry) -> Tensor:
        if entry.record is None or entry.is_pickled:
            reason = f"its values are needed, and those of {entry.path} are pickled or not there"
            raise errors.unreadable_model_file(program.path, reason)
        values = _values(program, entry, cost)
        return nn.Parameter(values, entry.meta.trainable) if entry.kind == "parameter" else values

    return read


def _values(program: ExportedProgram, entry: StateEntry, cost: Budget) -> Tensor:
    """A weight with its values, from plain bytes."""
    tensor = entry.meta.tensor
    content = bytearray(archive.content(program.path, str(entry.record), _span_bytes(tensor), cost))
    cost.charge(TENSOR_BYTES, tensor.size_bytes)
    dtype = getattr(torch, tensor.dtype)
    if not content:
        return torch.empty(tensor.shape, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype).as_strided(tensor.shape, tensor.strides or ()).clone()


def _span_bytes(tensor: TensorRecord) -> int:
    """The bytes from a tensor's first element to its last."""
    strides = tensor.strides or ()
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, strides, strict=True))
    return (last + 1) * TensorRecord((), tensor.dtype).size_bytes if tensor.numel else 0
