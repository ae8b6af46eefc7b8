"""Laws that hold for every model, on random module trees."""

from __future__ import annotations

import random
import threading
from contextlib import nullcontext
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from profiler import Profile, ProfileError, profile
from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.ops import cost
from profiler.ops.cost import Cost
from tests.laws import share
from tests.strategies import trees

Tree = tuple[nn.Module, tuple[int, ...]]


def _sum_of_calls(found: Profile) -> Cost:
    total = Cost(bytes_read=0, bytes_written=0)
    for call in found.trace.calls:
        price = cost(found.trace.signatures[call.signature])
        assert price is not None, found.trace.signatures[call.signature]
        total += price
    return total


@given(trees())
def test_total_is_the_sum_of_calls_and_the_root_of_the_tree(tree: Tree) -> None:
    model, shape = tree
    found = profile(model, shape)
    assert found.figures.cost == _sum_of_calls(found) == found.layers[0].total.cost
    assert found.figures == found.layers[0].total
    assert sum(layer.own.params for layer in found.layers) == sum(p.numel() for p in model.parameters())


@given(trees())
def test_macs_are_half_of_torchs_own_counter(tree: Tree) -> None:
    model, shape = tree
    found = profile(model, shape)
    on_meta = model.to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        on_meta(torch.empty(shape, device="meta"))
    assert 2 * found.totals.macs == counter.get_total_flops()


@given(trees())
def test_meta_and_cpu_agree(tree: Tree) -> None:
    model, shape = tree
    subject = Subject(model, "model", "live", (torch.rand(shape),))
    dry, wet = (Profile(trace(subject, real=real)) for real in (False, True))
    assert (dry.trace.engine, wet.trace.engine) == ("meta", "cpu")
    assert [layer.total for layer in dry.layers] == [layer.total for layer in wet.layers]
    assert dry.totals == wet.totals


@given(trees())
def test_macs_are_linear_in_the_batch(tree: Tree) -> None:
    model, (batch, *rest) = tree
    one, several = profile(model, (1, *rest)), profile(model, (batch, *rest))
    assert several.totals.params == one.totals.params
    assert several.totals.macs - _fixed_macs(several) == batch * (one.totals.macs - _fixed_macs(one))


def _fixed_macs(found: Profile) -> int:
    """No call of these trees multiplies weights with weights alone, which a batch would not scale."""
    weights = {weight.storage for weight in found.trace.parameters}
    calls = (c for c in found.trace.calls if c.reads and weights.issuperset(c.reads))
    return sum(int(price.macs) for c in calls if (price := cost(found.trace.signatures[c.signature])))


# The model comes back untouched ---------------------------------------------------------------------------------------


def _state(model: nn.Module) -> dict[str, Any]:
    """Everything about a model, and about torch, that a profile must not change."""
    return {
        "state_dict": {name: (value.clone(), value.dtype, value.device) for name, value in model.state_dict().items()},
        "identities": [id(tensor) for tensor in [*model.parameters(), *model.buffers()]],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "frozen": [p.requires_grad for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "collections": [(list(m.log), dict(m.seen)) for m in model.modules() if isinstance(m, Meddler)],
        "hooks": [
            (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks), len(m._state_dict_hooks))
            for m in model.modules()
        ],
        "global hooks": [len(getattr(torch.nn.modules.module, name)) for name in _GLOBAL_HOOKS],
        "random": (random.getstate(), str(numpy.random.get_state()), torch.get_rng_state()),
        "flags": (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.backends.mha.get_fastpath_enabled(),
            torch.backends.mkldnn.enabled,
            torch.are_deterministic_algorithms_enabled(),
            torch.get_num_threads(),
        ),
    }


_GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks")


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        return isinstance(after, torch.Tensor) and torch.equal(before, after)
    if isinstance(before, dict):
        return list(before) == list(after) and all(_same(before[k], after[k]) for k in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_same, before, after))
    return bool(before == after)


class Meddler(nn.Module):
    """Writes on itself and on its inner module as it runs, draws random numbers, and may raise at the end."""

    def __init__(self, inner: nn.Module, raises: bool) -> None:
        super().__init__()
        self.inner = inner
        self.raises = raises
        self.register_buffer("steps", torch.zeros(()))
        self.scale = nn.Parameter(torch.ones(3))
        self.last: Any = None
        self.log: list[Any] = [1]
        self.seen: dict[str, Any] = {"x": None}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.log.append(x)
        self.seen["x"] = x
        self.steps += 1
        self.steps = self.steps + 1
        self.scale.data.mul_(2)
        self.last = self.inner(x + torch.rand(1) + random.random() + float(numpy.random.rand()))
        self.extra = nn.Linear(2, 2)
        self.inner.eval()
        if self.raises:
            raise ValueError("as asked")
        return self.last


def _with_grads(model: nn.Module, shape: tuple[int, ...]) -> None:
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.rand_like(parameter)


@share(50)  # two runs an example, one of which fails
@given(trees())
def test_the_model_is_untouched(tree: Tree) -> None:
    model, shape = tree
    for raises in (False, True):
        meddler = Meddler(model, raises)
        meddler.register_forward_hook(lambda *_: None)
        _with_grads(meddler, shape)
        before = _state(meddler)
        with pytest.raises(ProfileError, match="as asked") if raises else nullcontext():
            profile(meddler, shape)
        after = _state(meddler)
        assert [key for key in before if not _same(before[key], after[key])] == []


def test_untouched_can_tell_the_difference() -> None:
    """The comparison above sees each thing that it claims to see."""
    model = Meddler(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)), raises=False)
    before = _state(model)
    with torch.no_grad():
        model(torch.rand(1, 2, 4, 4))
    after = _state(model)
    changed = {key for key in before if not _same(before[key], after[key])}
    assert {"state_dict", "identities", "modes", "attributes", "collections", "random"} <= changed


def test_the_model_is_untouched_by_two_threads_at_once() -> None:
    model = Meddler(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Dropout()), raises=False)
    before, macs, failures = _state(model), [], []

    def work() -> None:
        try:
            for _ in range(20):
                macs.append(profile(model, (2, 2, 6, 6)).totals.macs)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = _state(model)
    assert failures == []
    assert macs == [2 * 4 * 4 * 4 * 2 * 3 * 3] * 40
    assert [key for key in before if not _same(before[key], after[key])] == []


def test_another_threads_work_is_not_recorded() -> None:
    """While one thread profiles, another runs a model of its own."""
    stop, other = threading.Event(), nn.Linear(3, 3)

    def work() -> None:
        while not stop.is_set():
            other(torch.rand(2, 3))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        found = [profile(nn.Sequential(nn.Linear(4, 5)), (2, 4)) for _ in range(50)]
    finally:
        stop.set()
        thread.join()
    assert {p.totals.macs for p in found} == {2 * 4 * 5}
    assert {len(p.trace.module_calls) for p in found} == {2}
