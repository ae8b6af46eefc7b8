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

_draws = 0


def draws() -> int:
    """How often a run drew numbers that are others in each process: by Python or NumPy, without a seed.

    torch's begin with the same one each time.
    """
    return _draws


class RandomStates:
    """The states as they are; one that is the same again is left alone."""

    what = "the random states"

    def __init__(self, seeded: bool = False) -> None:
        self._seeded = seeded
        self._python = random.getstate()
        self._numpy = numpy.random.get_state(legacy=False)
        self._generators = [(generator, generator.get_state()) for generator in generators()]

    def restore(self, failures: Failures) -> None:
        global _draws  # noqa: PLW0603
        if random.getstate() != self._python:
            _draws += not self._seeded
            failures.attempt("Python's random state", random.setstate, self._python)
        if not _are_same(numpy.random.get_state(legacy=False), self._numpy):
            _draws += not self._seeded
            failures.attempt("NumPy's random state", numpy.random.set_state, self._numpy)
        for generator, state in self._generators:
            failures.attempt(f"the random state of {generator.device}", restore_generator, generator, state)


def _are_same(state: Any, other: Any) -> bool:
    """NumPy's, which is a dict with an array in it."""
    if isinstance(state, dict):
        return state.keys() == other.keys() and all(_are_same(value, other[name]) for name, value in state.items())
    return bool(numpy.array_equal(state, other))


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
def restored_randomness(seeded: bool = False) -> Iterator[None]:
    """What the block draws or seeds is undone. seeded: it draws the same numbers each time."""
    states, failures = RandomStates(seeded), Failures()
    try:
        if seeded:
            seed()
        yield
    finally:
        states.restore(failures)
        failures.tell()
