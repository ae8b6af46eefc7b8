"""Shapes as they are written in Python: in lists, dicts and keyword arguments, beside texts that are none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from profiler import ProfileError, profile

MACS = 5 * 6 * 4


class Layered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)


class OfList(Layered):
    def forward(self, xs: list[torch.Tensor]) -> Any:
        return [self.layer(x) for x in xs]


class OfDict(Layered):
    def forward(self, batch: dict[str, Any]) -> Any:
        assert batch.get("size") in (None, (7, 7))
        return self.layer(batch["image"])


class OfTwo(Layered):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> Any:
        assert mask.dtype is torch.bool
        return self.layer(x) * mask


class OfWord(Layered):
    def forward(self, x: torch.Tensor, mode: str = "", sizes: Any = None) -> Any:
        assert mode in ("", "b", "1x")
        assert sizes in [*SETTINGS, *BY_KEYWORD]
        return self.layer(x)


class OfDictAndTensor(Layered):
    def forward(self, batch: Any, y: torch.Tensor) -> Any:
        return self.layer(batch["image"]) + self.layer(y)


class OfListAndTensor(Layered):
    def forward(self, batch: Any, y: torch.Tensor) -> Any:
        return [self.layer(x) for x in (*batch, y)]


X = torch.rand(5, 6)
SETTINGS: list[Any] = [
    None, (5, 6), "3", [7, 7], [[7, 7]], {}, [], {"flag": True, "n": 3}, {"size": (7, 7), "n": 3},
    {"mode": "train", "patch": "1x"}, {"mode": "3"}, ["a", "scalar", "a=b"],
]  # fmt: skip
BY_KEYWORD = [[(7, 7)], {"size": (7, 7)}]  # which are shapes among positional arguments
CALLS: list[tuple[nn.Module, dict[str, Any], int]] = [
    (OfList(), {"inputs": ["5x6"]}, 1),
    (OfList(), {"inputs": [(5, 6), (5, 6)]}, 2),
    (OfList(), {"inputs": ([X, X, X],)}, 3),
    (OfDict(), {"inputs": {"image": (5, 6)}}, 1),
    (OfDict(), {"inputs": {"image": "5x6:float32", "kind": "x-ray"}}, 1),
    (OfTwo(), {"inputs": [(5, 6), "5x1:bool"]}, 1),
    (OfTwo(), {"inputs": {"x": (5, 6), "mask": "5x1:bool"}}, 1),
    (OfTwo(), {"inputs": "5x6", "kwargs": {"mask": "5x1:bool"}}, 1),
    (OfWord(), {"kwargs": {"x": "5x6", "mode": "b"}}, 1),
    (OfWord(), {"inputs": (X, "b")}, 1),
    (OfDictAndTensor(), {"inputs": ({"image": (5, 6)}, (5, 6))}, 2),
    (OfDictAndTensor(), {"inputs": ({"image": "5x6", "kind": "x-ray"}, X)}, 2),
    (OfListAndTensor(), {"inputs": ([(5, 6), "5x6"], (5, 6))}, 3),
    (OfListAndTensor(), {"inputs": ([X, X], (5, 6))}, 3),
    (OfDict(), {"inputs": ({"image": (5, 6)},)}, 1),
    (OfDict(), {"inputs": {"image": X, "size": (7, 7), "id": "1x"}}, 1),
    (OfWord(), {"inputs": X, "kwargs": {"sizes": (5, 6)}}, 1),
    *((OfWord(), {"inputs": X, "kwargs": {"sizes": sizes}}, 1) for sizes in BY_KEYWORD),
    (OfWord(), {"inputs": X, "kwargs": {"sizes": "3"}}, 1),
]


@pytest.mark.parametrize(("model", "given", "rows"), CALLS)
def test_shapes_and_what_is_none(model: nn.Module, given: dict[str, Any], rows: int) -> None:
    assert profile(model, **given).totals.macs == rows * MACS


@pytest.mark.parametrize("setting", SETTINGS[3:])
def test_settings_are_no_shapes(setting: Any) -> None:
    assert profile(OfWord(), (X, "b", setting)).totals.macs == MACS
    assert profile(OfWord(), X, kwargs={"sizes": setting}).totals.macs == MACS


@pytest.mark.parametrize("inputs", ["b", (X, {"x": "5x1:bol"}), (X, "1x3x224x22A"), {"x": "5x6", "mask": "5x1:bol"}])
def test_mistakes_in_shapes_are_told(inputs: Any) -> None:
    with pytest.raises(ProfileError, match=r"^input '"):
        profile(OfTwo(), inputs)
