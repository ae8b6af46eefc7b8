"""Which of torch's optimizers does a text name? Its update is run: nothing here says how large its state is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from profiler import errors
from profiler.records.conditions import OPTIMIZERS
from profiler.records.spec import parse


def optimizer(text: str, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
    """The optimizer that a text like "adamw" or "sgd(momentum=0.9)" names; it needs a parameter at least."""
    spec = parse(text)
    settings: Mapping[str, Any] = OPTIMIZERS[spec.target].settings
    cls: Any = partial(getattr(torch.optim, OPTIMIZERS[spec.target].cls), **{**settings, **spec.kwargs})
    try:
        created: torch.optim.Optimizer = cls(parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        raise errors.optimizer_failed(text, error) from error
    return created


def state(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    """Every tensor of its state."""
    for entries in optimizer.state.values():
        yield from (value for value in entries.values() if isinstance(value, Tensor))
