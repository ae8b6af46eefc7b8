"""What holds for the time of a run alone? The modules' modes, and no garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_mode(modules: Sequence[nn.Module], training: bool) -> Iterator[None]:
    """Every module in training or in inference mode, and back to its own mode afterwards."""
    others = [module for module in modules if getattr(module, "training", training) is not training]
    _set_modes(others, training)
    try:
        yield
    finally:
        _set_modes(others, not training)


def _set_modes(modules: Sequence[nn.Module], training: bool) -> None:
    for module in modules:
        if "training" in module.__dict__:  # not in a scripted module, whose attributes are elsewhere
            module.__dict__["training"] = training
        else:
            module.training = training


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection: tensors are released when the model lets go of them, not whenever a collector runs."""
    enabled = gc.isenabled()
    if enabled:
        gc.collect(0)  # what is young to it from here on was made in the block
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
