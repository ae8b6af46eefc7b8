"""Does the benchmark of architecture search compare what it says? On a few subnets, with tools of our own making."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import torch
from torch import nn

from tests.benchmarks import search
from tests.benchmarks.search import WITNESS
from tests.benchmarks.supernets import SUPERNETS, subnets
from tests.benchmarks.tools import OURS, TOOLS, Tool


@pytest.mark.parametrize("supernet", SUPERNETS)
def test_no_two_subnets_are_alike_and_a_seed_draws_the_same(supernet: str) -> None:
    def shapes(seed: int) -> list[list[Any]]:
        models = [subnet.on("meta") for subnet in islice(subnets(supernet, seed), 6)]
        return [[image.shape, *(weight.shape for weight in model.parameters())] for model, image in models]

    drawn = shapes(1)
    assert drawn == shapes(1) != shapes(2)
    assert len(set(map(str, drawn))) == 6


def _failing(model: nn.Module, image: torch.Tensor) -> int:
    raise RuntimeError(f"not at {image.shape[-1]}")


def _untidy(model: nn.Module, image: torch.Tensor) -> int:
    """Counts right, and leaves a buffer behind, which it takes amiss."""
    assert not hasattr(model, "total")
    model.register_buffer("total", torch.zeros(1))
    return 1000


@pytest.fixture
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(1000))

    def fails_later(model: nn.Module, image: torch.Tensor) -> int:
        return 1000 if next(calls) < 4 else _failing(model, image)

    ours = {"fvcore": fails_later, "thop": _untidy}
    chosen = {name: TOOLS[name] for name in (OURS, WITNESS)}
    chosen |= {name: Tool(name, lambda count=count: count, "meta") for name, count in ours.items()}
    monkeypatch.setattr(search, "TOOLS", chosen)
    monkeypatch.setattr(search, "OTHERS", (WITNESS, *ours))


@pytest.mark.usefixtures("_tools")
def test_every_tool_counts_models_that_no_other_has_touched(capsys: pytest.CaptureFixture[str]) -> None:
    """The witness agrees with us; who fails, or has spent its seconds, is compared by the models that it saw."""
    assert search.main(["--supernets", "vit", "--subnets", "3"]) == 0
    printed = capsys.readouterr().out
    models = {line[:24].strip(): line[24:].split()[0] for line in printed.splitlines()[3:7]}
    assert models == {OURS: "3", WITNESS: "3", "fvcore": "1", "thop": "3"}
    assert "fvcore fails on vit 4: RuntimeError: not at 224" in printed
    assert "MACs are half of FlopCounterMode's FLOPs for 3 of 3 models" in printed


@pytest.mark.usefixtures("_tools")
def test_counts_that_disagree_are_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(search.TOOLS, WITNESS, Tool(WITNESS, lambda: lambda model, image: 7, "meta"))  # type: ignore[arg-type]
    assert search.main(["--supernets", "mobilenet", "--subnets", "2", "--seconds", "0"]) == 1
    assert "for 0 of 1 models" in capsys.readouterr().out
