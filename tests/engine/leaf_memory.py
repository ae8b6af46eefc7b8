"""Does a layer that is answered from memory leave the same record as one that runs?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import nn

from profiler import profile
from profiler.engine.record import leaves
from profiler.records import archive


class Plain(nn.Module):
    """A model's own code, so that the whole is no layer of torch's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


def _record(model: nn.Module, *inputs: Any, **options: Any) -> Any:
    return archive.to_json(profile(model, *inputs, **options).trace)


@contextmanager
def _without_memory() -> Iterator[None]:
    with mock.patch.object(leaves, "_is_turned_on", False):
        yield


def is_same(model: nn.Module, *inputs: Any, **options: Any) -> bool:
    """Whether runs with the memory leave the record of one without: the second is answered from it, the third also as
    to containers.
    """
    with _without_memory():
        expected = _record(model, *inputs, **options)
    return all(_record(model, *inputs, **options) == expected for _ in range(3))
