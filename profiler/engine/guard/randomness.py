"""How are the states of Python's, NumPy's and torch's random number generators saved and restored?"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import torch

from profiler.engine.guard.failures import Failures


class RandomStates:
    """The states as they are; one that is the same again is left alone."""

    what = "the random states"

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = numpy.random.get_state(legacy=False)
        self._generators = [(generator, generator.get_state()) for generator in generators()]

    def restore(self, failures: Failures) -> None:
        failures.attempt("Python's random state", random.setstate, self._python)
        failures.attempt("NumPy's random state", numpy.random.set_state, self._numpy)
        for generator, state in self._generators:
            failures.attempt(f"the random state of {generator.device}", restore_generator, generator, state)


def restore_generator(generator: torch.Generator, state: torch.Tensor) -> None:
    if generator.get_state().numpy().tobytes() != state.numpy().tobytes():
        generator.set_state(state)


def generators() -> Iterator[torch.Generator]:
    """torch's default generators of the CPU and of the devices that were used before; none is initialised for this."""
    yield torch.default_generator
    for name in ("cuda", "xpu"):
        device = getattr(torch, name)
        if device.is_initialized():
            yield from device.default_generators
    mps: Any = sys.modules.get("torch.mps")
    generator = getattr(mps, "_default_mps_generator", None)
    if generator is not None:
        yield generator


def seed() -> None:
    """The same random numbers each time, of the CPU alone: `torch.manual_seed` seeds every device, now or later."""
    random.seed(0)
    numpy.random.seed(0)
    torch.default_generator.manual_seed(0)


@contextmanager
def restored_randomness() -> Iterator[None]:
    """What the block draws or seeds is undone."""
    states, failures = RandomStates(), Failures()
    try:
        yield
    finally:
        states.restore(failures)
        failures.tell()
