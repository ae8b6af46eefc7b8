"""A run on real tensors: of which model, and is there memory for it?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch

from profiler import errors
from profiler.engine.containers.layouts import layout_of
from profiler.engine.guard.randomness import restored_randomness
from profiler.engine.run.failure import Unfinished
from profiler.engine.run.subject import Subject
from profiler.records.conditions import Conditions
from profiler.records.quantities import size_up

_OF_TRAINING = 2  # beside its weights, a training step holds a gradient of each


def free_bytes() -> int:
    """Memory that is free for a run on real tensors."""
    import psutil  # for this rare case alone

    return int(psutil.virtual_memory().available)


def check_memory(name: str, kind: str, needed: int) -> None:
    """Raise where a device of this machine has not so many bytes free."""
    free = torch.cuda.mem_get_info()[0] if kind == "cuda" else free_bytes()
    if needed > free:
        raise _does_not_fit(name, kind, needed, free)


def with_values(subject: Subject, under: Conditions, why: Unfinished | None) -> Subject:
    """The subject with real weights. `why` is how a run on meta tensors ended; None where a real one was asked for.

    Raises `errors.ProfileError`.
    """
    weights = list(chain(subject.model.parameters(), subject.model.buffers()))
    is_meta = any(weight.is_meta for weight in weights)
    unfinished = _real_run_request() if why is None else why
    if is_meta and subject.rebuild is None:
        raise _weights_without_values(subject.name, unfinished.reason, unfinished.inputs) from unfinished.cause
    needed = unfinished.alive_bytes
    if is_meta:
        needed += sum(layout_of(weight).tensor.size_bytes for weight in weights) * (
            1 if under.training is None else _OF_TRAINING
        )
    free = free_bytes()
    if needed > free:
        raise _run_does_not_fit(subject.name, unfinished.reason, unfinished.inputs, needed, free) from unfinished.cause
    if not is_meta:
        return dataclasses.replace(subject, rebuild=None)
    with restored_randomness(seeded=True):
        return subject.rebuilt()


def _real_run_request() -> Unfinished:
    return Unfinished(RuntimeError("a run on real tensors was asked for"))


# Error messages -------------------------------------------------------------------------------------------------------


def _weights_without_values(model: str, reason: str, inputs: Sequence[Any]) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} fails on input {errors.shapes(inputs)} without values ({reason}), and its weights are on the meta "
        "device; check what it is fed, or give a model with real weights"
    )


def _does_not_fit(model: str, kind: str, needed: int, free: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"a run of {model} needs at least {size_up(needed)}, of which {size_up(free)} are free on {kind}; take a "
        "smaller batch, or a device of the catalogue for a lower bound"
    )


def _run_does_not_fit(model: str, reason: str, inputs: Sequence[Any], needed: int, free: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} fails on input {errors.shapes(inputs)} without values ({reason}), and a run with values needs at "
        f"least {size_up(needed)}, of which {size_up(free)} are free; check what it is fed, or use a machine with "
        "more memory"
    )


def without_values(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} has its weights on the meta device, where nothing is computed; give it real weights"
    )
