"""Which input would a model have run on that failed on another? Read from the layer that failed, and tried on meta."""

from __future__ import annotations

import inspect
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from profiler import errors
from profiler.engine.run.failure import Unfinished
from profiler.engine.run.feed import has_one_shape
from profiler.engine.run.subject import Subject
from profiler.records import inputs
from profiler.records.inputs import TensorSpec
from profiler.records.trace import DTYPE_BITS

_MOST_RUNS, _MOST_SECONDS = 12, 3.0
_MOST_DIMENSIONS = 5
_OF_SHAPES = re.compile(r"dim|shape|size|unpack|rank|axis|axes|channel|\d-?D\b", re.IGNORECASE)
_SHOWN = 8  # parameters of a forward pass
_A_BUILDER = "name a function (FILE.py:FUNCTION) that returns the model and"

Inputs = tuple[TensorSpec, ...]


def proposal(subject: Subject, failure: Unfinished, runs: Callable[[Subject], bool | Unfinished]) -> str | None:
    """What to do about a failure: other arguments, where the forward pass does not take those; or an input that runs.

    runs: whether a subject runs on meta tensors; how it ended, where it does not.
    """
    if isinstance(failure.cause, TypeError) and (sentence := _other_arguments(subject, runs)) is not None:
        return sentence
    specs = _specs(subject)
    changed = None if specs is None else _first_that_runs(subject, specs, failure, runs)
    if specs is None or changed is None:
        return None
    return f"try {' '.join(f'--input {_written(*pair)}' for pair in zip(changed, specs, strict=True))}"


def _written(spec: TensorSpec, before: TensorSpec) -> str:
    """With its dtype where that is what changed."""
    text = inputs.written(spec)
    return text if ":" in text or spec.dtype == before.dtype else f"{text}:{spec.dtype}"


def _other_arguments(subject: Subject, runs: Callable[[Subject], bool | Unfinished]) -> str | None:
    """The parameters of the forward pass, where it does not take these arguments; or all of them as one."""
    try:
        signature = inspect.signature(subject.model.forward)
    except (TypeError, ValueError):  # it is written in C
        return None
    try:
        signature.bind(*subject.args, **subject.kwargs)
        return None
    except TypeError:
        if (together := _together(subject, signature, runs)) is not None:
            return together
        named = [p for p in signature.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        needed = [f"--input {p.name}=SHAPE" for p in named if p.default is p.empty]
        are_more = len(subject.args) + len(subject.kwargs) > len(named)
        names = ", ".join(p.name if p.default is p.empty else f"[{p.name}]" for p in named[:_SHOWN])
        return f"its forward takes {names or 'nothing'}{', ...' * (len(named) > _SHOWN)}" + (
            f"; give {' '.join(needed)}{f', or {_A_BUILDER} what it takes' * are_more}" if needed else ""
        )


def _together(
    subject: Subject, signature: inspect.Signature, runs: Callable[[Subject], bool | Unfinished]
) -> str | None:
    """Several inputs as one dict or list, where the model runs on that: no `--input` says it, a builder does."""
    specs = _specs(subject)
    if specs is None or len(specs) < 2 or (subject.args and subject.kwargs):
        return None
    together = {spec.name: replace(spec, name=None) for spec in specs} if subject.kwargs else list(specs)
    try:
        (name,) = signature.bind(together).arguments
    except TypeError:  # it takes several arguments, and others than these
        return None
    if runs(replace(subject, args=(together,), kwargs={})) is not True:
        return None
    made = [f"{spec.name!r}: {_made(spec)}" if subject.kwargs else _made(spec) for spec in specs]
    value = f"{{{', '.join(made)}}}" if subject.kwargs else f"[{', '.join(made)}]"
    kind = type(together).__name__
    return f"its forward takes them as one {kind}, {name}; {_A_BUILDER} ({value},)"


def _made(spec: TensorSpec) -> str:
    """The code that makes such a tensor."""
    return f"torch.zeros({spec.shape}{'' if spec.dtype == 'float32' else f', dtype=torch.{spec.dtype}'})"


def _specs(subject: Subject) -> Inputs | None:
    """The inputs; None where one is no tensor, in something, sparse or nested, which no `--input` says."""
    arguments = [(None, value) for value in subject.args] + list(subject.kwargs.items())
    if subject.cache or not all(has_one_shape(value) for _, value in arguments):
        return None
    specs = (TensorSpec(tuple(value.shape), str(value.dtype).removeprefix("torch."), name) for name, value in arguments)
    return tuple(specs) or None


def _first_that_runs(
    subject: Subject, specs: Inputs, failure: Unfinished, runs: Callable[[Subject], bool | Unfinished]
) -> Inputs | None:
    """One change, then two, ...: each is told by how the last one ended."""
    waiting, tried, end = deque([(specs, failure)]), {specs}, time.monotonic() + _MOST_SECONDS
    while waiting:
        before, why = waiting.popleft()
        for changed in _changes(subject.model, before, why):
            if changed in tried:
                continue
            if len(tried) > _MOST_RUNS or time.monotonic() > end:
                return None
            tried.add(changed)
            ended = runs(_with_inputs(subject, changed))
            if ended is True:
                return changed
            if isinstance(ended, Unfinished):
                waiting.append((changed, ended))
    return None


def _with_inputs(subject: Subject, specs: Inputs) -> Subject:
    positional = tuple(spec for spec in specs if spec.name is None)
    return replace(subject, args=positional, kwargs={spec.name: spec for spec in specs if spec.name is not None})


# What may be changed --------------------------------------------------------------------------------------------------


def _changes(model: nn.Module, specs: Inputs, failure: Unfinished) -> Iterator[Inputs]:
    """Other dtypes, channels or features, and a batch dimension more."""
    layer, got = _failed(model, failure)
    for dtype in _dtypes(layer, got, failure):
        yield tuple(replace(s, dtype=dtype) if _is_other(s.dtype, dtype) else s for s in specs)
    if layer is not None and got is not None:
        yield from _with_features(layer, got, specs)
    if _is_about_shapes(failure.cause) and all(len(spec.shape) < _MOST_DIMENSIONS for spec in specs):
        yield tuple(replace(spec, shape=(1, *spec.shape)) for spec in specs)


def _is_about_shapes(error: BaseException) -> bool:
    """Whether it may have been raised for a dimension that is missing; a model is not run again for nothing."""
    return isinstance(error, (AssertionError, IndexError)) or _OF_SHAPES.search(errors.text_of(error)) is not None


def _failed(model: nn.Module, failure: Unfinished) -> tuple[nn.Module | None, Any]:
    """The innermost layer that raised, and the first tensor that it was given."""
    failed = failure.failed
    if failed is None or not failed.tensors:
        return None, None
    return dict(model.named_modules(remove_duplicate=False)).get(failed.path), failed.tensors[0]


def _dtypes(layer: nn.Module | None, got: Any, failure: Unfinished) -> Iterator[str]:
    """That of the layer's weights, whole numbers for what looks them up; torch's own words where no layer says it."""
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        yield "int64"
    elif type(layer).__module__.startswith("torch.nn.") and (weight := next(_weights(layer), None)) is not None:
        yield str(weight.dtype).removeprefix("torch.")
    elif re.search(r"dtype|scalar type|\bLong\b|\bInt\b", errors.text_of(failure.cause)):
        yield "int64"
        yield "float32"


def _weights(layer: Any) -> Iterator[nn.Parameter]:
    parameters: Iterator[nn.Parameter] = layer.parameters(recurse=False)
    return parameters


def _is_other(dtype: str, wanted: str) -> bool:
    """Whether an input of a dtype may have been meant as another: flags are flags."""
    return dtype not in (wanted, "bool") and dtype in DTYPE_BITS


def _with_features(layer: nn.Module, got: Any, specs: Inputs) -> Iterator[Inputs]:
    """As many channels or features as a layer has weights for, in an input that came to it as it is."""
    wanted = _features(layer, len(got.shape))
    if wanted is None or not -len(got.shape) <= wanted[0] < len(got.shape) or got.shape[wanted[0]] == wanted[1]:
        return
    for index, spec in enumerate(specs):
        if (spec.shape, spec.dtype) == (tuple(got.shape), got.dtype):
            for shape in _shapes(spec.shape, *wanted):
                yield (*specs[:index], replace(spec, shape=shape), *specs[index + 1 :])


def _shapes(shape: tuple[int, ...], axis: int, size: int) -> Iterator[tuple[int, ...]]:
    """All dimensions of a sample as one, a second side of images, channels that came last, or another size there."""
    if axis == -1 and size in (prod(shape), prod(shape[1:])):
        yield prod(shape) // size, size
    if axis == 0 and len(shape) > 2 and shape[:2] == (1, size):  # a batch of one, and not one channel
        yield (*shape, shape[-1])
    if axis != -1 and shape[-1] == size:
        yield (*shape[:axis], size, *shape[axis:-1])
    place = axis % len(shape)
    yield (*shape[:place], size, *shape[place + 1 :])


def _features(layer: nn.Module, dimensions: int) -> tuple[int, int] | None:
    """The dimension of a layer's input whose size its settings say, and that size."""
    if isinstance(layer, _ConvNd):
        unbatched = len(layer.kernel_size) + 1
        return (dimensions - unbatched, layer.in_channels) if dimensions in (unbatched, unbatched + 1) else None
    if isinstance(layer, _NormBase):
        return 1, layer.num_features
    if isinstance(layer, nn.GroupNorm):
        return 1, layer.num_channels
    if isinstance(layer, nn.LayerNorm):
        return -1, layer.normalized_shape[-1]
    attribute = next((name for name in ("in_features", "input_size", "embed_dim") if hasattr(layer, name)), None)
    size = None if attribute is None else getattr(layer, attribute)
    return (-1, size) if isinstance(size, int) else None
