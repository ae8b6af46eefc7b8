"""A model that `torch.export.save` wrote: `FILE.pt2`. Its graph is run again on meta tensors; no weight is read.

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
from profiler.sources.exported.archive import Held, Program
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
    except Exception as error:  # there is no end to what a file can say
        why = f"{type(error).__name__}: {errors.first_line(error)}"
        raise errors.unreadable_model_file(spec.text, why) from error


def _subject(program: Program, spec: Spec, feed: Feed) -> Subject:
    given = _given(program, feed, spec.text) if feed.is_given else example(program, feed.batch)
    symbols = solved(program, given, spec.text)
    names = [fed.keyword for fed in program.fed if fed.meta is not None]
    args = tuple(one for one, name in zip(given, names, strict=True) if name is None)
    kwargs = {name: one for one, name in zip(given, names, strict=True) if name is not None}
    arrays = dict(_arrays(program, Budget(program.path, program.size_bytes)))
    built = model(program, symbols, arrays, _reader(program), is_real=False)
    return Subject(built, spec.text, SOURCE, args, kwargs, partial(_rebuilt, program, symbols, given))


def _rebuilt(program: Program, symbols: Mapping[str, int], given: Sequence[TensorSpec]) -> nn.Module:
    """With its weights' values, for a run on real tensors."""
    cost = Budget(program.path, program.size_bytes)
    cost.charge(REAL_BYTES, sum(TensorRecord(spec.shape, spec.dtype).size_bytes for spec in given))
    try:
        return model(program, symbols, {}, _reader(program), is_real=True)
    except (ValueError, RuntimeError, KeyError) as error:
        raise errors.unreadable_model_file(program.path, errors.first_line(error)) from error


def _given(program: Program, feed: Feed, name: str) -> list[TensorSpec]:
    """The shapes in the program's order: those by position first, the others by their keywords."""
    fed = [one for one in program.fed if one.meta is not None]
    positional: list[Any] = [_spec(value) for value in feed.args]
    named = {key: _spec(value) for key, value in feed.kwargs.items()}
    found: list[TensorSpec] = []
    for one in fed:
        key = next((key for key in (one.keyword, one.value) if key in named), None)
        if key is not None:
            found.append(named.pop(key))
        elif positional:
            found.append(positional.pop(0))
    if named:
        raise errors.no_such_input(name, next(iter(named)), [one.keyword or one.value for one in fed])
    if positional or len(found) != len(fed):
        raise errors.input_count(name, [one.keyword or one.value for one in fed], len(found) + len(positional))
    return found


def _spec(value: Any) -> Any:
    if isinstance(value, Tensor):
        return TensorSpec(tuple(value.shape), str(value.dtype).removeprefix("torch."))
    return replace(value, name=None) if isinstance(value, TensorSpec) else value


# Weights --------------------------------------------------------------------------------------------------------------


def _arrays(program: Program, cost: Budget) -> Iterator[tuple[str, NDArray[Any]]]:
    """Values of what is small, and no parameter: masks, and tables of positions."""
    for held in program.held:
        tensor = held.meta.tensor
        if held.kind != "parameter" and held.record and not held.is_pickled and tensor.size_bytes <= _SMALL:
            content = archive.content(program.path, held.record, tensor.size_bytes, cost)
            is_plain = tensor.is_contiguous and len(content) == tensor.size_bytes
            found = array_of(content, tensor.dtype, tensor.shape) if is_plain else None
            if found is not None:
                yield held.value, found


def _reader(program: Program) -> Callable[[Held], Tensor]:
    cost = Budget(program.path, program.size_bytes)

    def read(held: Held) -> Tensor:
        if held.record is None or held.is_pickled:
            why = f"its values are needed, and those of {held.path} are pickled or not there"
            raise errors.unreadable_model_file(program.path, why)
        values = _values(program, held, cost)
        return nn.Parameter(values, held.meta.trainable) if held.kind == "parameter" else values

    return read


def _values(program: Program, held: Held, cost: Budget) -> Tensor:
    """From plain bytes."""
    tensor = held.meta.tensor
    content = bytearray(archive.content(program.path, str(held.record), _least(tensor), cost))
    cost.charge(TENSOR_BYTES, tensor.size_bytes)
    dtype = getattr(torch, tensor.dtype)
    if not content:
        return torch.empty(tensor.shape, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype).as_strided(tensor.shape, tensor.strides or ()).clone()


def _least(tensor: TensorRecord) -> int:
    """The bytes from a tensor's first element to its last."""
    strides = tensor.strides or ()
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, strides, strict=True))
    return (last + 1) * TensorRecord((), tensor.dtype).size_bytes if tensor.numel else 0
