"""Is everything seen that a model's code does to a layer amid a run, so that it is not answered from memory wrongly?"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations
from torch.overrides import TorchFunctionMode

from profiler import profile
from profiler.engine.record import torchs_own
from tests.engine.leaf_memory import Plain, is_same


class Amid(nn.Module):
    """A layer, called once as it is and once amid something."""

    def __init__(self, amid: Callable[[nn.Module, torch.Tensor], Any], layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.amid = layer, amid

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x), self.amid(self.layer, x)


class Doubling(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        return out * 2 if func is F.linear else out


def _patched_function(layer: nn.Module, x: torch.Tensor) -> Any:
    with mock.patch.object(F, "linear", lambda x, weight, bias: torch.mm(x, weight.t())):
        return layer(x)


def _patched_class(layer: nn.Module, x: torch.Tensor) -> Any:
    with mock.patch.object(nn.Linear, "forward", lambda layer, x: x @ layer.weight.t()):
        return layer(x)


def _in_mode(layer: nn.Module, x: torch.Tensor) -> Any:
    with Doubling():
        return layer(x)


def _autocast(layer: nn.Module, x: torch.Tensor) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return layer(x)


def _with_gradients(layer: nn.Module, x: torch.Tensor) -> Any:
    with torch.inference_mode(False), torch.enable_grad():
        return layer(torch.zeros_like(x, requires_grad=True)).sum()


def _hooked(layer: nn.Module, x: torch.Tensor) -> Any:
    handle = layer.register_forward_hook(lambda layer, args, out: out * 2)
    try:
        return layer(x)
    finally:
        handle.remove()


def _in_threads(layer: nn.Module, x: torch.Tensor) -> Any:
    out: list[torch.Tensor] = []
    threads = [threading.Thread(target=lambda: out.append(layer(x))) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    return out


def _functional(layer: nn.Module, x: torch.Tensor) -> Any:
    other = {name: weight + 1 for name, weight in layer.named_parameters()}
    return torch.func.functional_call(layer, other, (x,))


def _patched_by_an_object(layer: nn.Module, x: torch.Tensor) -> Any:
    with mock.patch.object(F, "linear", Adding()):
        return layer(x)


class Adding:
    """Stands for a function, and is none."""

    def __call__(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return x + 1


def _method_added(layer: nn.Module, x: torch.Tensor) -> Any:
    def doubled(layer: nn.Module, name: str) -> Any:
        value = nn.Module.__getattr__(layer, name)
        return value * 2 if name == "weight" else value

    with mock.patch.object(nn.Linear, "__getattr__", doubled, create=True):
        return layer(x)


def _method_of_the_instance(layer: Any, x: torch.Tensor) -> Any:
    layer.forward = lambda x: x * 2
    try:
        return layer(x)
    finally:
        del layer.forward


def _narrower(layer: Any, x: torch.Tensor) -> Any:
    layer.weight.data, layer.bias.data = torch.ones(4, 8), torch.ones(4)
    return layer(x)


def _new_weights(layer: Any, x: torch.Tensor) -> Any:
    layer.bias = None
    out = []
    for width in (3, 4, 5, 3):
        del layer.weight  # its place in memory may be the next one's
        layer.weight = nn.Parameter(torch.ones(width, 8), requires_grad=False)
        out.append(layer(x))
    return out


def _normed(layer: nn.Module, x: torch.Tensor) -> Any:
    parametrizations.weight_norm(layer)
    inside = layer(x)
    nn.utils.parametrize.remove_parametrizations(layer, "weight")
    return inside, layer(x)


def _copied(layer: nn.Module, x: torch.Tensor) -> Any:
    for _ in range(4):
        x = copy.deepcopy(layer)(x) + copy.copy(layer)(x)
    return x


def _caught(layer: nn.Module, x: torch.Tensor) -> Any:
    with pytest.raises(RuntimeError):
        layer(x[:, :3])
    return layer(x)


def _profiled(layer: nn.Module, x: torch.Tensor) -> Any:
    profile(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), (8, 8))
    return layer(x)


AMID = (
    _patched_by_an_object, _method_added, _method_of_the_instance, _narrower, _new_weights, _normed, _copied, _caught,
    _profiled,
    lambda layer, x: torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False),
    lambda layer, x: torch.func.jvp(layer, (x,), (x,)),
    lambda layer, x: layer(layer.weight.t()),
    _patched_function, _patched_class, _in_mode, _autocast, _with_gradients, _hooked, _in_threads, _functional,
    lambda layer, x: torch.func.vmap(layer)(x),
    lambda layer, x: layer(input=x),
    lambda layer, x: layer(x[:, ::2].repeat(1, 2)),
    lambda layer, x: layer(layer.weight),
    lambda layer, x: torch.fx.symbolic_trace(layer)(x),
)  # fmt: skip


@pytest.mark.parametrize("amid", AMID, ids=lambda amid: amid.__name__)
def test_a_change_amid_a_run_is_seen(amid: Callable[..., Any]) -> None:
    assert is_same(Amid(amid, nn.Linear(8, 8)), (8, 8))


def _other_size(layer: Any, x: torch.Tensor) -> Any:
    layer.kernel_size[0] = 3
    try:
        return layer(x)
    finally:
        layer.kernel_size[0] = 2


def _in_training(layer: nn.Module, x: torch.Tensor) -> Any:
    with torch.no_grad():
        out = layer.train()(x)
    return out, layer.eval()(x)


def _by_its_count(layer: Any, x: torch.Tensor) -> Any:
    layer.train()
    for _ in range(3):
        x = layer(x)
    return x * 2 if layer.num_batches_tracked > 3 else x


def _slowly(layer: nn.Module, x: torch.Tensor) -> Any:
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        return layer(x, x, x)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def _by_a_formula(layer: nn.Module, x: torch.Tensor) -> Any:
    with sdpa_kernel(SDPBackend.MATH):
        return layer(x, x + 1, x, need_weights=False)


def _inner_hook(layer: Any, x: torch.Tensor) -> Any:
    handle = layer[1].register_forward_hook(lambda layer, args, out: out * 2)
    try:
        return layer(x)
    finally:
        handle.remove()


def _appended(layer: Any, x: torch.Tensor) -> Any:
    return layer.append(nn.Linear(8, 8))(x)


class Attending(nn.MultiheadAttention):
    """Called with one argument for its three, beside torch's own inside of it."""

    def __init__(self) -> None:
        super().__init__(8, 2)
        self.inner = nn.MultiheadAttention(8, 2)

    def forward(self, *args: Any, **options: Any) -> Any:
        return self.inner(*(args if len(args) == 3 else args * 3), **options)


INSIDES = (
    (nn.MaxPool2d([2, 2]), (1, 3, 8, 8), _other_size),
    (nn.Dropout(), (4, 8), _in_training),
    (nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout()), (4, 8), _in_training),
    (nn.BatchNorm1d(8), (4, 8), _by_its_count),
    (nn.BatchNorm1d(8, track_running_stats=False), (4, 8), _in_training),
    (nn.ReLU(inplace=True), (4, 8), lambda layer, x: (layer(x) + x, x, layer((x * 2)[:2]))),
    (Attending(), (4, 1, 8), _slowly),
    (Attending(), (4, 1, 8), _by_a_formula),
    (nn.Sequential(nn.Linear(8, 8), nn.ReLU()), (4, 8), _inner_hook),
    (nn.Sequential(nn.Linear(8, 8), nn.ReLU()), (4, 8), _appended),
    (nn.Conv2d(3, 3, 3), (1, 3, 8, 8), lambda layer, x: layer(x.contiguous(memory_format=torch.channels_last))),
    (nn.LeakyReLU(0.0), (4, 8), lambda layer, x: (setattr(layer, "negative_slope", -0.0), layer(x))),
)  # fmt: skip


@pytest.mark.parametrize(("layer", "shape", "amid"), INSIDES)
def test_a_change_of_such_a_layer_is_seen(layer: nn.Module, shape: tuple[int, ...], amid: Callable[..., Any]) -> None:
    model = Amid(amid, layer)
    assert is_same(model, shape)


# Layers that are not as torch makes them ------------------------------------------------------------------------------


class OnlyInName(nn.ReLU):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 3


OnlyInName.__module__, OnlyInName.__name__ = nn.ReLU.__module__, "ReLU"


def _with(change: Callable[[Any], object], layer: nn.Module | None = None) -> nn.Module:
    layer = nn.Linear(8, 8) if layer is None else layer
    change(layer)
    return nn.Sequential(layer, Plain())


def _views_of_one(layer: Any) -> None:
    memory = torch.ones(9, 8)
    layer.weight, layer.bias = nn.Parameter(memory[:8]), nn.Parameter(memory[8])


def _no_parameter(layer: Any) -> None:
    weight = layer.weight.data
    del layer.weight
    layer.weight = weight


def _a_buffer(layer: Any) -> None:
    weight = layer.weight.data
    del layer.weight
    layer.register_buffer("weight", weight)


UNUSUAL = (
    _with(_views_of_one),
    _with(_no_parameter),
    _with(_a_buffer),
    _with(lambda layer: setattr(layer, "weight", nn.Parameter(torch.ones(1, 1).expand(8, 8)))),
    _with(lambda layer: setattr(layer, "weight", nn.Parameter(torch.ones(8, 8).t()))),
    _with(lambda layer: setattr(layer, "weight", nn.Parameter(layer.weight.to("meta")))),
    _with(lambda layer: layer.register_module("none", None)),
    _with(parametrizations.spectral_norm),
    _with(lambda _: None, OnlyInName()),
    nn.Sequential(*[nn.Linear(8, 8)] * 2, Plain()),
)


@pytest.mark.parametrize("model", UNUSUAL)
def test_an_unusual_layer(model: nn.Module) -> None:
    assert is_same(model, (4, 8))


def test_a_class_first_met_while_something_was_replaced() -> None:
    model = nn.Sequential(nn.Softsign(), Plain())
    with mock.patch.dict(torchs_own.NOTED, clear=True):
        with mock.patch.object(F, "softsign", Adding()):
            assert is_same(model, (4, 4))
        assert is_same(model, (4, 4))
