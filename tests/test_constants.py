"""Constants amid a run on meta: which have values, and that large ones are not computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from profiler import Profile, profile
from profiler.engine.meta.constants import LARGEST


class Model(nn.Module):
    """4 · 4 MACs a row, and 4 · 100 more where the function says so."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.narrow, self.wide = nn.Linear(4, 4), nn.Linear(4, 100)

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        return self.wide(self.narrow(x)) if self.function(x, *others) else self.narrow(x)


def _ran(function: Callable[..., Any], *others: Any, train: bool = False) -> tuple[str, bool]:
    """The engine, and whether the function said yes."""
    found: Profile = profile(Model(function), ((8, 4), *others), train=train)
    return found.trace.engine, found["wide"].calls == 1


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.ones(3, 5, device=x.device).all(),
        lambda x: (torch.arange(x.shape[0], device=x.device) < 8).all(),
        lambda x: torch.ones(3).to(x.device).bool().all(),
        lambda x: torch.full((2, 2), 1.0, device=x.device, dtype=x.dtype).sum() == 4,
        lambda x: torch.tril(torch.ones(3, 3, device=x.device)).sum() == 6,
        lambda x: torch.rand(3, device=x.device).sum() >= 0,
    ],
)
def test_made_on_the_models_own_device(function: Callable[..., Any], train: bool) -> None:
    assert _ran(function, train=train) == ("meta", True)


@pytest.mark.parametrize("given", ["3x5:int64", torch.ones(3, 5, dtype=torch.long), torch.ones(3, 5, dtype=torch.bool)])
def test_integers_and_flags_that_are_fed(given: Any) -> None:
    """Shapes stand for zeros."""
    expected = 0 if isinstance(given, str) else 15
    assert _ran(lambda x, ids: int(ids.sum()) == expected, given) == ("meta", True)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum() > 0,
        lambda x: torch.zeros(3, device=x.device).add_(x[0, :3]).sum() > 0,
    ],
)
def test_what_depends_on_more_has_no_values(function: Callable[..., Any]) -> None:
    engine, _ = _ran(function)
    assert engine == "cpu"


_SIDE = int(LARGEST**0.5) + 1


@pytest.mark.parametrize(
    "make",
    [
        lambda x: torch.zeros(_SIDE, _SIDE),
        lambda x: torch.arange(_SIDE)[:, None] <= torch.arange(_SIDE)[None],
        lambda x: torch.ones(_SIDE).repeat(_SIDE, 1),
        lambda x: torch.arange(float(LARGEST + 1)),
        lambda x: torch.arange(_SIDE).view(1, -1).expand(_SIDE, -1).clone(),
        lambda x: torch.nn.functional.one_hot(torch.arange(_SIDE), _SIDE),
    ],
)
def test_large_ones_are_not_computed(make: Callable[..., Any]) -> None:
    seen: list[bool] = []

    def look(x: torch.Tensor) -> bool:
        made = make(x)
        seen.append(made.is_meta)
        return bool(made.numel())

    assert _ran(look) == ("meta", True)
    assert seen == [True]


def test_a_fed_tensor_that_is_large_has_no_values() -> None:
    found = profile(Model(lambda x, ids: ids.is_meta), ((8, 4), f"{LARGEST + 1}:int64"))
    assert found["wide"].calls == 1
    assert profile(Model(lambda x, ids: ids.is_meta), ((8, 4), f"{LARGEST}:int64"))["wide"].calls == 0


def test_what_is_fed_is_not_overwritten() -> None:
    ids = torch.zeros(5, dtype=torch.long)

    def overwrite(x: torch.Tensor, ids: torch.Tensor) -> bool:
        ids.add_(1)
        return int(ids.sum()) == 5

    assert _ran(overwrite, ids) == ("meta", True)
    assert ids.tolist() == [0] * 5
