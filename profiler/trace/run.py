"""Running a model once and recording it: on meta tensors, or on real ones where the model asks for values."""

from __future__ import annotations

import copy
import dataclasses
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy

from profiler import errors
from profiler.inputs import TensorSpec
from profiler.records import Input, Trace
from profiler.trace import operators
from profiler.trace.guard import Guard, evaluating, uncollected
from profiler.trace.layouts import META, layout_of
from profiler.trace.modules import Stack, Structure
from profiler.trace.recorder import NeedsValues, Recorder
from profiler.versions import versions

# One model runs at a time: a run sets module modes and global hooks, and Python would not run two at once anyway.
_one_at_a_time = threading.RLock()


@dataclass(slots=True)
class Subject:
    """A model and what to feed it. `TensorSpec`s among the arguments stand for tensors of that shape.

    `rebuild` makes the model again with real weights, for models that were built without.
    """

    model: nn.Module
    name: str
    source: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    rebuild: Callable[[], nn.Module] | None = None


def trace(subject: Subject) -> Trace:
    """Run the subject once and record it. The model comes back as it was, also when it raises."""
    with _one_at_a_time, uncollected(), _uncompiled():
        operators.keep_up()
        subject = _initialized(subject)
        try:
            return _attempt(subject, subject.model, real=False)
        except NeedsValues as reason:
            return _attempt(subject, _with_values(subject, reason), real=True)


def _attempt(subject: Subject, model: nn.Module, real: bool) -> Trace:
    """In inference mode, where composite operators arrive whole; without it for a model that differentiates inside."""
    try:
        return _Run(subject, model, real, torch.inference_mode()).trace()
    except errors.ModelFailed as failure:
        if not _wants_autograd(failure.__cause__):
            raise
        return _Run(subject, model, real, torch.no_grad()).trace()


def _misses_values(error: BaseException) -> bool:
    """What torch says when code goes past its operators to the values of a meta tensor."""
    return re.search(r"\bmeta\b|storage|data pointer", str(error), re.I) is not None


def _wants_autograd(error: BaseException | None) -> bool:
    return isinstance(error, RuntimeError) and re.search(r"\bgrad\b|inference tensor", str(error), re.I) is not None


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Compiled modules run their original code; a program that never compiled anything need not know of it."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using `torch.compile")  # that our hooks see the wrapper too
        yield


@contextmanager
def _slow_paths(real: bool) -> Iterator[None]:
    """On real tensors, keep nn.MultiheadAttention from fusing a layer into one call: meta tensors see it in full."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled and not real)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _initialized(subject: Subject) -> Subject:
    """A model with lazy modules, as it is after its first forward pass: a copy, since that pass changes the model."""
    if not any(isinstance(m, LazyModuleMixin) and m.has_uninitialized_params() for m in subject.model.modules()):
        return subject
    model = _meta_copy(subject.model)
    args, kwargs = (map_leaves(_as_placeholder, given) for given in (subject.args, dict(subject.kwargs)))
    try:
        with torch.no_grad():
            model(*args, **kwargs)
    except Exception as error:
        raise errors.ModelFailed(subject.name, error, _input_records(args, kwargs)) from error
    return dataclasses.replace(subject, model=model)


def _meta_copy(model: nn.Module) -> nn.Module:
    """A copy whose weights are on the meta device, the uninitialised ones still uninitialised."""
    copies: dict[int, Any] = {id(p): _on_meta(p) for p in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, copies)


def _on_meta(weight: torch.Tensor) -> torch.Tensor:
    if is_lazy(weight):
        make: Callable[..., torch.Tensor] = type(weight)
        return make(device=META)
    moved = torch.empty_like(weight, device=META)
    return nn.Parameter(moved, weight.requires_grad) if isinstance(weight, nn.Parameter) else moved


def _as_placeholder(leaf: Any) -> torch.Tensor:
    return _placeholder(leaf) if isinstance(leaf, TensorSpec) else leaf.to(META)


class _Run:
    def __init__(self, subject: Subject, model: nn.Module, real: bool, mode: AbstractContextManager[Any]) -> None:
        self._mode = mode
        self._subject = subject
        self._model = model
        self._real = real
        self._device = _device(model) if real else META

    def trace(self) -> Trace:
        structure = Structure(self._model)
        modules = [module for _, module in structure.firsts()]
        guard = Guard(modules)
        recorder = Recorder(self._real, guard.before_write, structure.is_inside)
        stack = Stack(structure, recorder)
        parameters, buffers = structure.weights(recorder)
        args, kwargs = self._feed(recorder)
        try:
            with evaluating(modules):
                self._run(args, kwargs, recorder, stack)
        finally:
            guard.restore()
        return Trace(
            model=self._subject.name,
            source=self._subject.source,
            engine=self._device.type,
            inputs=_input_records(args, kwargs),
            modules=tuple(structure.modules),
            parameters=tuple(parameters),
            buffers=tuple(buffers),
            signatures=tuple(recorder.signatures),
            calls=tuple(recorder.calls),
            module_calls=tuple(stack.calls),
            storages=tuple(recorder.lifetimes.storages),
            versions=versions(type(self._model)),
        )

    def _feed(self, recorder: Recorder) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments, with every tensor in them ready for the engine."""
        generator = torch.Generator().manual_seed(0) if self._real else None

        def ready(leaf: Any) -> Any:
            if isinstance(leaf, TensorSpec):
                leaf = _values(leaf, generator).to(self._device) if generator else _placeholder(leaf)
            elif self._real:
                leaf = leaf.to(self._device)
            elif not leaf.is_meta:
                leaf = layout_of(leaf).empty()
            recorder.give(leaf, "input")
            return leaf

        args = tuple(map_leaves(ready, arg) for arg in self._subject.args)
        return args, {name: map_leaves(ready, value) for name, value in self._subject.kwargs.items()}

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder, stack: Stack) -> None:
        """The forward pass. Its output lives until the recorder has settled, as it would in the caller's hands."""
        try:
            with self._mode, _slow_paths(self._real), stack.following(), recorder:
                output = self._model(*args, **kwargs)
        except (Exception, SystemExit) as error:
            if recorder.asked is None and not self._real and _misses_values(error):
                recorder.asked = NeedsValues(errors.first_line(error))
            if recorder.asked is not None:
                raise recorder.asked from error
            where = "" if recorder.failed_in is None else stack.path(recorder.failed_in)
            raise errors.ModelFailed(self._subject.name, error, _input_records(args, kwargs), where) from error
        recorder.lifetimes.settle()
        del output


def _with_values(subject: Subject, reason: NeedsValues) -> nn.Module:
    """The subject's model with real weights, for a run on real tensors."""
    import psutil  # for this rare case alone

    weights = [*subject.model.parameters(), *subject.model.buffers()]
    if not any(weight.is_meta for weight in weights):
        return subject.model
    if subject.rebuild is None:
        raise errors.WeightsWithoutValues(subject.name, str(reason))
    needed, free = sum(weight.nbytes for weight in weights), psutil.virtual_memory().available
    if needed > free:
        raise errors.WeightsDoNotFit(subject.name, str(reason), needed, free)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return subject.rebuild()


def _device(model: nn.Module) -> torch.device:
    first = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to every tensor and `TensorSpec` inside lists, tuples, mappings and dataclasses."""
    if isinstance(value, (torch.Tensor, TensorSpec)):
        return function(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_leaves(function, item) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(map_leaves(function, item) for item in value)
    if isinstance(value, dict):
        return type(value)((key, map_leaves(function, item)) for key, item in value.items())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init]
        return dataclasses.replace(value, **{n: map_leaves(function, getattr(value, n)) for n in names})
    return value


def _placeholder(spec: TensorSpec) -> torch.Tensor:
    try:
        return torch.empty(spec.shape, dtype=_dtype(spec), device=META)
    except RuntimeError as error:  # the number of its bytes overflows
        raise errors.TooLarge(spec.shape) from error


def _values(spec: TensorSpec, generator: torch.Generator) -> torch.Tensor:
    """Uniform in [0, 1) for floating-point inputs; zeros for the others, which are valid token indices."""
    dtype = _dtype(spec)
    if dtype.is_floating_point:
        return torch.rand(spec.shape, generator=generator).to(dtype)
    return torch.zeros(spec.shape, dtype=dtype)


def _dtype(spec: TensorSpec) -> torch.dtype:
    found: torch.dtype = getattr(torch, spec.dtype)
    return found


def _input_records(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Input, ...]:
    found: list[Input] = []

    def walk(name: str | None, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            found.append(Input(name, tuple(value.shape), str(value.dtype).removeprefix("torch.")))
        elif isinstance(value, (list, tuple)):
            for item in value:
                walk(name, item)
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(f"{name}.{key}" if name else str(key), item)

    walk(None, args)
    walk(None, kwargs)
    return tuple(found)
