"""Models in the hands of others: of torch.distributed and of TorchScript, counted as what they wrap."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from profiler import ProfileError, profile

MACS = 2 * (8 * 36 * 27 + 288 * 10)
SHAPE = "2x3x8x8"


def _model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)).eval()


@pytest.fixture(scope="module", autouse=True)
def _one_process() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _sharded(model: nn.Module) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    return model


def _traced(model: nn.Module) -> Any:
    return torch.jit.trace(model, torch.rand(2, 3, 8, 8))


WRAPPERS: dict[str, Callable[[nn.Module], Any]] = {
    "data parallel": DataParallel,
    "distributed": DistributedDataParallel,
    "sharded": _sharded,
    "scripted": torch.jit.script,
    "traced": _traced,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_counted_as_what_they_wrap(wrap: Callable[[nn.Module], Any]) -> None:
    found = profile(wrap(_model()), SHAPE)
    assert (found.totals.macs, found.totals.params) == (MACS, 8 * 27 + 8 + 2880 + 10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [torch.jit.freeze, lambda m: torch.jit.freeze(m, optimize_numerics=False)])
def test_frozen_graphs_name_their_constants(make: Callable[[Any], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = make(torch.jit.script(_model()))
    found = profile(frozen, SHAPE)
    assert found.totals.macs == MACS
    assert any("3,114 weights are constants" in note for note in found.trace.notes)


class Opaque(torch.Tensor):
    """A weight that takes part in nothing but what it names: products."""

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket not in (torch.ops.aten.linear, torch.ops.aten.detach, torch.ops.aten.addmm):
            raise NotImplementedError(f"no {func}")
        with torch._C._DisableTorchDispatch():  # type: ignore[attr-defined]
            return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("asked", [{"train": True}, {"dtype": "bfloat16"}])
def test_weights_that_cannot_be_made_anew_are_refused_in_one_line(asked: Any) -> None:
    model = nn.Linear(4, 2)
    weight: Any = torch.Tensor._make_subclass(Opaque, torch.rand(2, 4), True)
    weight._is_param = True
    model._parameters["weight"] = weight
    with pytest.raises(ProfileError, match="cannot be copied to be run in another way") as raised:
        profile(model, (3, 4), **asked)
    assert "\n" not in str(raised.value)
    assert model._parameters["weight"] is weight


@pytest.mark.filterwarnings("ignore")
def test_graphs_that_compute_where_nobody_sees_are_refused() -> None:
    hidden: Any = torch.jit.optimize_for_inference(torch.jit.script(_model()))
    with pytest.raises(ProfileError, match=r"before torch\.jit\.optimize_for_inference"):
        profile(hidden, SHAPE)
