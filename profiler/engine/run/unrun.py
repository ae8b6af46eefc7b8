"""What does a model hold that was not run? Modules, parameters and buffers; every figure of a run is not known."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from profiler.engine.record.recorder import Recorder
from profiler.engine.record.structure import Structure
from profiler.engine.run.lazy import waits_for_input
from profiler.records.trace import NOT_RUN, Trace
from profiler.records.versions import versions


def holding(model: nn.Module, name: str, source: str) -> Callable[[], Trace] | None:
    """What makes the record of a model as it is; None where layers wait for a first input to know their parameters."""
    return None if waits_for_input(model) else partial(not_run, model, name, source)


def not_run(model: nn.Module, name: str, source: str, notes: tuple[str, ...] = ()) -> Trace:
    """The record of a model that nothing was fed to."""
    structure = Structure(model)
    recorder = Recorder(True, _untouched, structure.is_inside)
    parameters, buffers = structure.weights(recorder)
    return Trace(
        model=name,
        source=source,
        engine=NOT_RUN,
        inputs=(),
        modules=tuple(structure.modules),
        parameters=tuple(parameters),
        buffers=tuple(buffers),
        signatures=(),
        calls=(),
        callers=(),
        composites=(),
        module_calls=(),
        storages=tuple(recorder.lifetimes.storages),
        outputs=(),
        versions=versions(type(model)),
        notes=notes,
    )


def _untouched(_: Tensor) -> None:
    """Nothing is written to."""


def takes_nothing(model: Any) -> bool:
    """Whether a model's forward pass can be called without arguments, other than by taking any number of them."""
    try:
        signature = inspect.signature(model.forward)
        signature.bind()
    except (TypeError, ValueError):  # it wants some; it is written in C
        return False
    return all(p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in signature.parameters.values())
