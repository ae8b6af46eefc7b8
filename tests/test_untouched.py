"""Ways in which a forward pass reaches past its operators: counted right all the same, and nothing of it stays."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_sequence

from profiler import Profile, profile


class Model(nn.Module):
    """Two ways through, of 4·4 and 4·100 MACs a row, and places to leave things in."""

    def __init__(self, function: Callable[[Any, torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function
        self.narrow, self.wide = nn.Linear(4, 4), nn.Linear(4, 100)
        self.norm = nn.BatchNorm1d(4)
        self.norm.running_mean.fill_(0.5)
        self.norm.register_forward_hook(lambda *_: None)
        self.register_buffer("count", torch.zeros(3))
        self.register_buffer("mask", torch.zeros(8, dtype=torch.bool))
        self.scratch = torch.empty(0)
        self._cache: dict[str, Any] = {}
        self.ordered: Any = collections.OrderedDict()
        self.recent: Any = collections.deque(maxlen=2)
        self.nested: dict[str, list[Any]] = {"seen": []}
        self.array = numpy.zeros(3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)

    def state(self) -> list[Any]:
        weights = [(v.clone(), v.shape, v.requires_grad, v.grad) for v in [*self.parameters(), *self.buffers()]]
        kept = [dict(self._cache), dict(self.ordered), list(self.recent), list(self.nested["seen"])]
        hooks = [[*m._forward_hooks, *m._forward_pre_hooks, *m._backward_hooks] for m in self.modules()]
        modes = [m.training for m in self.modules()]
        return [*weights, *kept, self.array.tolist(), list(self.scratch.shape), modes, hooks]


def _counted(function: Callable[[Any, torch.Tensor], Any]) -> Profile:
    """The profile of a model; fails when the model is not as before."""
    model = Model(function)
    before = model.state()
    found = profile(model, torch.rand(8, 4))
    for was, now in zip(before, model.state(), strict=True):
        if isinstance(was, tuple):
            assert torch.equal(was[0], now[0])
            assert was[1:] == now[1:]
        else:
            assert was == now
    return found


NARROW, WIDE = 4 * 4, 4 * 100


# Values that a model gets hold of -------------------------------------------------------------------------------------


def _mask_made_of_values(m: Any, x: torch.Tensor) -> torch.Tensor:
    mask = torch.zeros(len(x), dtype=torch.bool)
    mask[x.sum(1).argsort()[:3]] = True
    return m.wide(x[mask])


def _mask_kept_in_a_buffer(m: Any, x: torch.Tensor) -> torch.Tensor:
    m.mask.copy_(x[:, 0] >= 0)
    return m.wide(x[m.mask])


def _error_that_is_caught(m: Any, x: torch.Tensor) -> torch.Tensor:
    try:
        positive = bool(x.sum() >= 0)
    except Exception:
        positive = False
    return m.narrow(x) if positive else m.wide(x)


def _written_with_out(m: Any, x: torch.Tensor) -> torch.Tensor:
    made = torch.zeros(8, 4)
    torch.add(x, 1, out=made)
    return m.wide(x) if made.sum().item() > 0 else m.narrow(x)


def _resized_with_out(m: Any, x: torch.Tensor) -> torch.Tensor:
    torch.add(x, 1, out=m.scratch)
    return m.narrow(m.scratch)


@pytest.mark.parametrize(
    ("function", "macs"),
    [
        (_mask_made_of_values, 3 * WIDE),
        (_mask_kept_in_a_buffer, 8 * WIDE),
        (_error_that_is_caught, 8 * NARROW),
        (_written_with_out, 8 * WIDE),
        (_resized_with_out, 8 * NARROW),
        (lambda m, x: m.narrow(torch.from_numpy(x.numpy())), 8 * NARROW),
        (lambda m, x: m.narrow(x) if x.tolist() else m.wide(x), 8 * NARROW),
    ],
)
def test_values_decide_on_real_tensors(function: Callable[..., Any], macs: int) -> None:
    found = _counted(function)
    assert (found.trace.engine, found.totals.macs) == ("cpu", macs)


def test_autocast_runs_where_it_casts() -> None:
    def half(m: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return m.narrow(x)

    found = _counted(half)
    assert (found.trace.engine, found.totals.macs) == ("meta", 8 * NARROW)
    assert found["narrow"].output.dtype == "bfloat16"


def test_packed_sequences() -> None:
    packed = pack_sequence([torch.rand(5, 8), torch.rand(3, 8)])
    for inputs in (packed, (packed,)):
        assert profile(nn.LSTM(8, 12), inputs).totals.macs == (5 + 3) * 4 * 12 * (8 + 12)


@pytest.mark.parametrize("by_keyword", [False, True])
def test_dicts_of_any_kind(by_keyword: bool) -> None:
    class Doubled(nn.Module):
        def forward(self, given: Any) -> torch.Tensor:
            return given["x"] * 2

    given = collections.defaultdict(list, x=torch.ones(5))
    found = profile(Doubled(), kwargs={"given": given}) if by_keyword else profile(Doubled(), given)
    assert found.totals.flops == 5


# What must not stay ---------------------------------------------------------------------------------------------------


def _keeps_tensors(m: Any, x: torch.Tensor) -> torch.Tensor:
    m._cache["x"] = m.ordered["x"] = x
    m.recent.append(x)
    m.nested["seen"].append(x)
    m.array += 1
    return m.narrow(x)


def _reshapes_buffers(m: Any, x: torch.Tensor) -> torch.Tensor:
    m.count.unsqueeze_(0)
    m.mask.resize_(2, 4)
    return m.narrow(x)


def _swaps_data(m: Any, x: torch.Tensor) -> torch.Tensor:
    m.count.data = m.count.data + 1
    m.narrow.weight.data = F.normalize(m.narrow.weight.data)
    return m.narrow(x)


def _freezes(m: Any, x: torch.Tensor) -> torch.Tensor:
    m.narrow.weight.requires_grad_(False)
    m.narrow.bias.grad = torch.ones(4)
    return m.narrow(x)


def _hooks_itself(m: Any, x: torch.Tensor) -> torch.Tensor:
    """As transformers' models do when they are first asked for their hidden states."""
    m.narrow.register_forward_hook(lambda *_: None)
    m.norm._forward_hooks.clear()
    m.register_forward_pre_hook(lambda *_: None)
    return m.narrow(x)


def _updates_statistics(m: Any, x: torch.Tensor) -> torch.Tensor:
    m.norm.train()
    return m.narrow(m.norm(x))


def _updates_statistics_unasked(m: Any, x: torch.Tensor) -> torch.Tensor:
    return m.narrow(F.batch_norm(x, m.norm.running_mean, m.norm.running_var, training=True))


@pytest.mark.parametrize("real", [False, True], ids=["meta", "cpu"])
@pytest.mark.parametrize(
    "function",
    [
        _keeps_tensors,
        _reshapes_buffers,
        _swaps_data,
        _freezes,
        _hooks_itself,
        _updates_statistics,
        _updates_statistics_unasked,
    ],
)
def test_nothing_stays(function: Callable[..., Any], real: bool) -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        if real:
            x.sum().item()
        return function(m, x)

    found = _counted(forward)
    assert found.totals.macs == 8 * NARROW
    assert found.trace.engine == "cpu" or not real


def test_these_do_stay_without_a_profile() -> None:
    """The comparison can tell."""
    for function in (_keeps_tensors, _reshapes_buffers, _swaps_data, _freezes, _hooks_itself, _updates_statistics):
        model = Model(function)
        before = model.state()
        with torch.no_grad():
            model(torch.rand(8, 4))
        assert repr(before) != repr(model.state()), function


@functools.lru_cache
def _positions(length: int) -> torch.Tensor:
    return torch.arange(length, dtype=torch.float32)


@pytest.mark.parametrize("real", [False, True], ids=["meta", "cpu"])
def test_constants_that_code_caches_can_be_trained_with(real: bool) -> None:
    _positions.cache_clear()
    model = Model(lambda m, x: m.narrow(x * (1 if not real or x.sum().item() else 0)) * _positions(4))
    profile(model, torch.rand(8, 4))
    model(torch.rand(8, 4)).sum().backward()
    assert model.narrow.weight.grad is not None


def test_global_settings_come_back() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        torch.set_default_dtype(torch.float64)
        torch.backends.cudnn.benchmark = True
        return m.narrow(x)

    _counted(forward)
    assert torch.get_default_dtype() is torch.float32
    assert not torch.backends.cudnn.benchmark


def test_a_live_meta_model_is_not_marked() -> None:
    class Returned(nn.Module):
        """Operators that return their argument."""

        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(torch.zeros(1, 4, device="meta"))
            self.register_buffer("b", torch.zeros(1, 4, device="meta"))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.a.to(x.dtype) + self.b.float() + self.a.flatten(0, 0)

    model = Returned()
    first, second = profile(model, (2, 4)), profile(model, (2, 4))
    assert first.totals == second.totals
    assert (model.a.__dict__, model.b.__dict__) == ({}, {})


def test_integers_follow_the_default_dtype() -> None:
    model = Model(lambda m, x: torch.arange(8) / 2 + x[:, 0].long() / 2)
    single = profile(model, (8, 4)).totals.activation_bytes
    torch.set_default_dtype(torch.float64)
    try:
        double = profile(model, "8x4:float64").totals.activation_bytes
    finally:
        torch.set_default_dtype(torch.float32)
    assert double == single + 3 * 8 * (8 - 4)


# Collections with methods of their own --------------------------------------------------------------------------------


class _NoLength(tuple):  # type: ignore[type-arg]
    """As the representations of equivariant networks are: its length would be ambiguous."""

    __slots__ = ()

    def __len__(self) -> int:
        raise NotImplementedError


class _NoIteration(list):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        raise TypeError("not one by one")


class _NoTruth(collections.deque):  # type: ignore[type-arg]
    def __bool__(self) -> bool:
        raise ValueError("neither")

    def __len__(self) -> int:
        raise ValueError("unknown")


class _NoMembers(frozenset):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        raise TypeError("closed")


@pytest.mark.parametrize("kind", [_NoLength, _NoIteration, _NoTruth, _NoMembers])
def test_a_collection_of_a_model_is_not_asked_for_more_than_the_built_in_class_has(kind: Any) -> None:
    model = Model(lambda m, x: m.wide(x))
    held = kind([3, "a"])
    model.held = held  # type: ignore[assignment]
    assert profile(model, torch.rand(8, 4)).totals.macs == 8 * WIDE
    assert model.held is held
