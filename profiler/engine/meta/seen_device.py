"""Which device does the model see? That of its weights, on meta tensors too.

Model code looks at `x.device`: to enter `torch.autocast(x.device.type)`, to compare it with its weights', to make
constants there. So `Tensor.device` answers for the length of a run, where the model's code asks about a meta tensor.
Wherever the recorder or a kernel asks, its mode is not on the stack of modes, and the answer is the true one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from profiler.engine.meta.recording import RecorderProtocol

_OWN: Any = torch._C.TensorBase.device
_NAME = "device"


@contextmanager
def reporting_device(device: torch.device, recorder: RecorderProtocol) -> Iterator[None]:
    """In threads that the recorder follows, meta tensors say that they are on a device."""
    before = vars(torch.Tensor).get(_NAME)
    own = _OWN if before is None else before

    def reported_device(tensor: torch.Tensor) -> torch.device:
        true: torch.device = own.__get__(tensor)
        return device if true.type == "meta" and recorder.is_active() else true

    torch.Tensor.device = property(reported_device)  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del torch.Tensor.device
        else:
            torch.Tensor.device = before
