"""The benchmark of foreign models says what is wrong, and only that: on a library of our own making."""

from __future__ import annotations

import functools
import json
import random
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.benchmarks.foreign import __main__ as benchmark
from tests.benchmarks.foreign import libraries
from tests.benchmarks.foreign.accounts import account
from tests.benchmarks.foreign.check import Task, check
from tests.benchmarks.foreign.findings import findings
from tests.benchmarks.foreign.fingerprint import fingerprint
from tests.benchmarks.foreign.outcome import PROFILED, REFUSED, Outcome, Result


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("it never ran")


def _small() -> tuple[nn.Module, Any]:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.rand(3, 4)


@pytest.fixture(autouse=True)
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType(f"{libraries.__name__}.ours")
    made.ARCHITECTURES = {"small": _small, "broken": lambda: (Broken(), torch.rand(1))}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, made.__name__, made)


def test_a_model_that_is_well_is_profiled_in_every_way() -> None:
    result = check(Task("ours", "small"))
    assert {outcome.status for outcome in result.outcomes.values()} == {PROFILED}
    assert {outcome.macs for way, outcome in result.outcomes.items() if "step" not in way} == {3 * (4 * 8 + 8 * 2)}
    assert result.plain["torch_macs"] == 3 * (4 * 8 + 8 * 2)
    assert result.numel == 4 * 8 + 8 + 8 * 2 + 2
    assert not result.lost


def test_a_model_that_does_not_run_is_refused_rightly() -> None:
    result = check(Task("ours", "broken"))
    assert {outcome.status for outcome in result.outcomes.values()} == {REFUSED}
    assert "it never ran" in result.plain["error"]
    assert not [finding for finding in findings(result) if finding.kind in ("refused", "traceback")]


# The fingerprint ------------------------------------------------------------------------------------------------------


class Nested(nn.Module):
    shared: dict[str, Any] = {}  # noqa: RUF012  a cache of the class, as people write it

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm, self.kept = nn.Linear(2, 2), nn.BatchNorm1d(2), [{"a": torch.zeros(2)}]
        noted: list[int] = []
        self.note = lambda: noted.append(1)
        self.cached = functools.lru_cache(lambda x: x)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "a value": lambda m: m.linear.weight.data.add_(1),
    "a value in a container": lambda m: m.kept[0]["a"].add_(1),
    "a parameter": lambda m: setattr(m.linear, "weight", nn.Parameter(m.linear.weight.detach().clone())),
    "a parameter's memory": lambda m: setattr(m.linear.weight, "data", m.linear.weight.detach().clone()),
    "a parameter more": lambda m: m.register_parameter("more", nn.Parameter(torch.zeros(1))),
    "an empty parameter": lambda m: m.register_parameter("more", None),
    "a buffer's persistence": lambda m: m.norm._non_persistent_buffers_set.add("running_mean"),
    "a gradient": lambda m: setattr(m.linear.weight, "grad", torch.zeros(2, 2)),
    "requires_grad": lambda m: m.linear.weight.requires_grad_(False),
    "a mode": lambda m: m.norm.eval(),
    "a hook": lambda m: m.linear.register_forward_hook(lambda *_: None),
    "a tensor's hook": lambda m: m.linear.weight.register_hook(lambda grad: grad),
    "a tensor's late hook": lambda m: m.linear.weight.register_post_accumulate_grad_hook(lambda weight: None),
    "a tensor's attribute": lambda m: setattr(m.linear.weight, "name_of_mine", 1),
    "an attribute": lambda m: setattr(m, "seen", 1),
    "a class": lambda m: setattr(m.linear, "__class__", type("Other", (nn.Linear,), {})),
    "a class's cache": lambda m: m.shared.update(x=1),
    "a closure": lambda m: m.note(),
    "a cache": lambda m: m.cached(3),
    "a meta tensor": lambda m: m.kept.append(torch.zeros(1, device="meta")),
    "python's random state": lambda m: random.random(),
    "torch's random state": lambda m: torch.rand(1),
}


class Curious(tuple):  # type: ignore[type-arg]
    """A tuple that has no length, as e3nn's are."""

    __slots__ = ()

    def __len__(self) -> int:
        raise NotImplementedError


def test_a_container_that_has_no_length_is_walked_all_the_same() -> None:
    model = Nested()
    kept = torch.zeros(1)
    model.curious = Curious([kept])
    before = fingerprint(model=model)
    assert not before.changes(fingerprint(model=model))
    kept.add_(1)
    assert before.changes(fingerprint(model=model))


@pytest.mark.parametrize("change", CHANGES)
def test_a_fingerprint_sees(change: str) -> None:
    model = Nested()
    before = fingerprint(model=model)
    assert not before.changes(fingerprint(model=model))
    try:
        CHANGES[change](model)
        assert before.changes(fingerprint(model=model))
    finally:
        Nested.shared.clear()


# What a difference is due to ------------------------------------------------------------------------------------------

_SPARSE = "sparse factors, which torch counts as dense"
ACCOUNTS: dict[str, tuple[dict[str, float], dict[str, float], tuple[str, ...], str | None]] = {
    "equal": ({"aten.linear.default": 8}, {"aten.addmm": 8}, (), ""),
    "attention": (
        {"aten.linear.default": 8, "aten.scaled_dot_product_attention.default": 5},
        {"aten.addmm": 8},
        (),
        "fused attention",
    ),
    "groups": (
        {"aten.convolution.default": 8, "aten.convolution_backward.default": 16},
        {"aten.convolution": 8, "aten.convolution_backward": 40},
        (),
        "groups in the backward pass of a convolution",
    ),
    "vector": ({"aten.mv.default": 3}, {}, (), "products with a vector"),
    "two at once": (
        {"aten.mv.default": 3, "aten.lstm.input": 7},
        {},
        (),
        "products with a vector, recurrent kernels",
    ),
    "a product that torch counts": ({"aten.mm.default": 9}, {"aten.mm": 8}, (), None),
    "parts of an LSTM": ({"aten.mm.default": 9}, {}, ("aten.mkldnn_rnn_layer.default",), "oneDNN's LSTM"),
    "attention as a whole": (
        {"aten.mm.default": 9, "aten.scaled_dot_product_attention.default": 5},
        {},
        ("aten._native_multi_head_attention.default",),
        "fused attention, attention as one kernel",
    ),
    "complex": ({"aten.bmm.default of complex numbers": 40}, {"aten.bmm": 10}, (), "complex numbers"),
    "a sparse factor": ({"aten.mm.default": 3}, {"aten.mm": 9}, ("aten._sparse_addmm.default",), _SPARSE),
    "attention that does not add up": (
        {"aten.linear.default": 9, "aten.scaled_dot_product_attention.default": 5},
        {"aten.addmm": 8},
        (),
        None,
    ),
}


@pytest.mark.parametrize("case", ACCOUNTS)
def test_a_difference_is_explained_or_not(case: str) -> None:
    ours, theirs, seen, reason = ACCOUNTS[case]
    outcome = Outcome("live", PROFILED, macs=int(sum(ours.values())), by_operator=ours)
    plain = {"torch_macs": sum(theirs.values()), "by_operator": theirs, "operators": seen}
    assert account(outcome, plain) == reason


# The report -----------------------------------------------------------------------------------------------------------


def test_what_is_wrong_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    well = check(Task("ours", "small"))
    figures = {"macs": (well.outcomes["real"].macs or 0) + 1}
    worse = replace(
        well,
        name="ours/other",
        numel=(well.numel or 0) + 1,
        outcomes={**well.outcomes, "real": replace(well.outcomes["real"], **figures)},
    )
    lines = [json.dumps(result.as_dict()) for result in (well, worse, Result("ours/gone", lost="it crashed"))]
    assert benchmark.shown(benchmark.latest(lines)) == 1
    printed = capsys.readouterr().out
    assert "| ours | 3 | 2 | 2 | 2 | 0 | 1 |" in printed
    assert "figures: ours/other (live, real): macs 144 against 145" in printed
    assert "lost: ours/gone" in printed
    assert "parameters: ours/other" in printed
