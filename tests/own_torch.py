"""Other counters replace functions of torch, and some leave a few replaced, which changes how it is counted later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from profiler.engine.record import torchs_own

_SPACES = (torch, functional, torch.Tensor, *{each for each in vars(nn).values() if isinstance(each, type)})


@contextmanager
def put_back() -> Iterator[None]:
    """What is replaced meanwhile in torch's commonest places is put back, and what its classes got is taken away."""
    before = [dict(vars(space)) for space in _SPACES]
    try:
        yield
    finally:
        for space, attributes in zip(_SPACES, before, strict=True):
            _put_back(space, attributes)
        noted: Any = torchs_own.NOTED
        for cls in [cls for cls, own in noted.items() if own is None]:
            del noted[cls]  # as it is now it may be torch's own again


def _put_back(space: object, attributes: Mapping[str, object]) -> None:
    now = dict(vars(space))
    if isinstance(space, type):  # a module gets more whenever a part of torch is imported
        for name in now.keys() - attributes.keys():
            delattr(space, name)
    for name, value in attributes.items():
        if callable(value) and now.get(name) is not value:
            setattr(space, name, value)
