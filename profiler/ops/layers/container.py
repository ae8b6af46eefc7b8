"""Which layers have no parameters but their children's? Containers."""

from __future__ import annotations

from profiler.ops.cost import Count
from profiler.ops.layers.kind import NONE, Names, Settings, kind, torch_nn


def _nothing_of_its_own(a: Settings, names: Names) -> Count | None:
    """One that does have parameters (`ParameterList`, somebody's subclass) is in no textbook."""
    return None if names else NONE


for _file in ("container", "transformer", "adaptive"):
    kind(*torch_nn(_file), parameters=_nothing_of_its_own)
kind(
    "torch.nn.parallel.data_parallel.DataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel",
    parameters=_nothing_of_its_own,
)
