"""A model that `torch.export.save` wrote: `FILE.pt2`. Its graph is run again on meta tensors; no weight is read.

`torch.export.load` is not used: it reads every weight, and unpickles what is pickled. See `archive` for what is read
instead. Where the graph asks for values, weights are read, as plain bytes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from profiler import errors
from profiler.inputs import TensorSpec
from profiler.sources.exported import archive
from profiler.sources.exported.archive import Held, Program
from profiler.sources.exported.model import model, without_values
from profiler.sources.exported.sizes import example, solved
from profiler.sources.spec import Feed, Spec
from profiler.trace import Subject

SOURCE = "exported"
_SMALL = 1 << 16  # bytes of a buffer or constant whose values are read at once: masks and tables of positions


def load(spec: Spec, feed: Feed) -> Subject:
    if spec.kwargs:
        raise errors.BadSpec(spec.text, f"{spec.target} is built already and takes no arguments")
    program = archive.read(spec.target)
    given = _given(program, feed, spec.text) if feed.is_given else example(program, feed.batch)
    symbols = solved(program, given, spec.text)
    names = [fed.keyword for fed in program.fed if fed.meta is not None]
    args = tuple(one for one, name in zip(given, names, strict=True) if name is None)
    kwargs = {name: one for one, name in zip(given, names, strict=True) if name is not None}
    try:
        built = model(program, symbols, partial(_light, program))
    except errors.ProfileError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {errors.first_line(error)}"
        raise errors.UnreadableModelFile(spec.text, why) from error
    return Subject(built, spec.text, SOURCE, args, kwargs, lambda: model(program, symbols, partial(_read, program)))


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
        raise errors.NoSuchInput(name, next(iter(named)), [one.keyword or one.value for one in fed])
    if positional or len(found) != len(fed):
        raise errors.InputCount(name, [one.keyword or one.value for one in fed], len(found) + len(positional))
    return found


def _spec(value: Any) -> Any:
    if isinstance(value, Tensor):
        return TensorSpec(tuple(value.shape), str(value.dtype).removeprefix("torch."))
    return replace(value, name=None) if isinstance(value, TensorSpec) else value


# Weights --------------------------------------------------------------------------------------------------------------


def _light(program: Program, held: Held) -> Tensor:
    """Values only of what is small, and no parameter, as a live model's masks have theirs."""
    is_small = held.meta.tensor.size_bytes <= _SMALL and held.kind != "parameter"
    return _values(program, held) if is_small and held.record and not held.is_pickled else without_values(held)


def _read(program: Program, held: Held) -> Tensor:
    if held.record is None or held.is_pickled:
        why = f"its values are needed, and those of {held.path} are pickled or not there"
        raise errors.UnreadableModelFile(program.path, why)
    values = _values(program, held)
    return nn.Parameter(values, held.meta.trainable) if held.kind == "parameter" else values


def _values(program: Program, held: Held) -> Tensor:
    """From plain bytes."""
    tensor, content = held.meta.tensor, bytearray(archive.content(program.path, str(held.record)))
    dtype = getattr(torch, tensor.dtype)
    if not content:
        return torch.empty(tensor.shape, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype).as_strided(tensor.shape, tensor.strides or ()).clone()
