"""What does a model's state_dict hold? Names, shapes and dtypes, of a model that is built and was not run."""

from __future__ import annotations

import torch
from torch import nn

from profiler.engine.run.lazy import waits_for_input
from profiler.records.trace import Tensor


def state_tensors(model: nn.Module) -> dict[str, tuple[Tensor, int]] | None:
    """Each tensor by its name, with a number that tied ones share; None where shapes wait for a first input."""
    if waits_for_input(model):
        return None
    return {
        name: (Tensor(tuple(value.shape), str(value.dtype).removeprefix("torch.")), id(value))
        for name, value in model.state_dict(keep_vars=True).items()
        if isinstance(value, torch.Tensor)
    }
