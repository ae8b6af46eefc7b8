"""Accounts: every difference to another counter as a term, and what no term covers named with its layers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import nn

from profiler import Profile, counters, profile
from profiler.answers.cross_check.accounts import Account, account
from profiler.answers.cross_check.compute import Accounts, CrossCheck
from profiler.counters import conventions
from profiler.counters.conventions import Charge, Replica
from profiler.counters.replay.rules import Rule
from profiler.counters.running.reading import Reading
from profiler.counters.tools import fvcore
from profiler.ops import Cost, formula
from profiler.render import FORMATS, renderer
from tests.laws import share
from tests.strategies import trees

TOOLS = counters.names()


class Net(nn.Module):
    """A convolution, a norm and attention, each under a name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x)).flatten(2).transpose(1, 2)
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))


SIDE, TOKENS = 6, 6 * 6
CONV = 8 * TOKENS * 3 * 3 * 3
NORM = 8 * TOKENS
PROJECTIONS = 4 * TOKENS * 8 * 8
PRODUCTS = 2 * TOKENS * TOKENS * 8
HEAD = 8 * 5


@pytest.fixture
def net() -> Profile:
    return profile(Net(), (1, 3, SIDE, SIDE))


def reading(found: Profile, tool: str, **changed: Any) -> Reading:
    """What a tool would say if it counted as its convention says: total, layers and parameters."""
    replica = conventions.named(tool)
    assert isinstance(replica, Replica)
    seen = found.under(tool)
    layers = {layer.path: layer.own_flops for layer in seen.layers if layer.shared_with is None}
    params = None
    if replica.weighings is not None:
        params = sum(weighing.amount for weighing in replica.weighings(found.trace))
    return replace(Reading(tool, "1.0", seen.totals.flops, params, layers), **changed)


def terms(found: Account) -> dict[str, int]:
    assert found.operations is not None
    return {f"{term.family}: {term.why}": term.amount for term in found.operations.terms}


# Accounts that close --------------------------------------------------------------------------------------------------


def test_how_much_of_ours_the_tool_bears_out(net: Profile) -> None:
    """fvcore does not see the products of attention; thop nothing of attention; DeepSpeed everything."""
    alike = {tool: account(net.trace, reading(net, tool)).operations for tool in ("fvcore", "thop", "deepspeed")}
    assert {tool: made.alike for tool, made in alike.items() if made is not None} == {
        "fvcore": CONV + PROJECTIONS + HEAD,
        "thop": CONV + HEAD,
        "deepspeed": CONV + PROJECTIONS + PRODUCTS + HEAD,
    }


def test_each_difference_is_a_term(net: Profile) -> None:
    by_fvcore = account(net.trace, reading(net, "fvcore"))
    assert by_fvcore.closes
    assert by_fvcore.operations is not None
    assert by_fvcore.operations.ours == CONV + PROJECTIONS + PRODUCTS + HEAD
    assert by_fvcore.operations.reported == CONV + 2 * NORM + PROJECTIONS + HEAD
    assert terms(by_fvcore) == {
        "batch norm: 2 per element": 2 * NORM,
        "attention: it has no rule for scaled_dot_product_attention": -PRODUCTS,
    }


def test_the_layers_of_a_term(net: Profile) -> None:
    by_thop = account(net.trace, reading(net, "thop"))
    assert by_thop.operations is not None
    assert {term.family: [share.path for share in term.shares] for term in by_thop.operations.terms} == {
        "attention": ["attention"],
        "linear": ["attention"],
        "batch norm": ["norm"],
    }


def test_a_unit_of_two_for_a_mac(net: Profile) -> None:
    """The layer is in evaluation and takes its fast path, projections and all."""
    by_torch = account(net.trace, reading(net, "torch"))
    assert by_torch.operations is not None
    assert by_torch.operations.ours == 2 * (CONV + PROJECTIONS + PRODUCTS + HEAD)
    assert by_torch.operations.reported == 2 * (CONV + HEAD)
    assert sum(terms(by_torch).values()) == -2 * (PROJECTIONS + PRODUCTS)


def test_parameters_have_an_account_of_their_own(net: Profile) -> None:
    by_thop = account(net.trace, reading(net, "thop"))
    attention = 4 * (8 * 8 + 8)
    assert by_thop.parameters is not None
    assert by_thop.parameters.ours - attention == by_thop.parameters.reported
    assert {share.path: share.amount for term in by_thop.parameters.terms for share in term.shares} == {
        "attention": -3 * (8 * 8 + 8),
        "attention.out_proj": -(8 * 8 + 8),
    }


@pytest.mark.parametrize("tool", TOOLS)
@share(30)
@given(case=trees())
def test_our_macs_and_the_terms_are_the_convention(tool: str, case: Any) -> None:
    """On any model: nothing is left over when a tool counts as its convention says."""
    model, shape = case
    found = profile(model, shape)
    made = account(found.trace, reading(found, tool))
    assert made.closes, (made.operations, made.parameters)


def test_what_only_the_tool_knows_is_a_term(net: Profile) -> None:
    said = reading(net, "torchinfo")
    assert said.total is not None
    assert said.params is not None
    assert said.layers is not None
    layers = {**said.layers, "conv": said.layers["conv"] - 5}
    less = replace(
        said, total=said.total - 5, params=said.params - 2, layers=layers, asides={"so": {"conv": -5}},
        param_asides={"so": {"conv": -2}},
    )  # fmt: skip
    made = account(net.trace, less)
    assert made.closes
    assert terms(made)["not in our trace: so"] == -5
    assert made.parameters is not None
    assert {f"{term.family}: {term.why}": term.amount for term in made.parameters.terms}["parameters: so"] == -2
    assert not account(net.trace, replace(less, param_asides={})).closes


@pytest.mark.parametrize(("tool", "per_mac"), [("fvcore", 1), ("torch", 2), ("deepspeed", 1)])
def test_complex_numbers(tool: str, per_mac: int) -> None:
    class Product(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.view_as_complex(x)
            return y @ y.T

    found = profile(Product(), (3, 4, 2))
    made = account(found.trace, reading(found, tool))
    assert made.closes
    assert made.operations is not None
    assert (made.operations.ours, made.operations.reported) == (per_mac * 4 * 3 * 4 * 3, per_mac * 3 * 4 * 3)


# Accounts that do not -------------------------------------------------------------------------------------------------


def test_a_number_that_no_rule_explains(net: Profile) -> None:
    said = reading(net, "fvcore")
    assert said.total is not None
    made = account(net.trace, replace(said, total=said.total + 7))
    assert not made.closes
    assert made.operations is not None
    assert made.operations.remainder == 7


def test_the_layer_where_the_tool_says_something_else(net: Profile) -> None:
    said = reading(net, "fvcore")
    assert said.layers is not None
    assert said.total is not None
    layers = {**said.layers, "norm": said.layers["norm"] + 7}
    made = account(net.trace, replace(said, total=said.total + 7, layers=layers))
    assert made.operations is not None
    assert [(suspect.path, suspect.expected, suspect.found) for suspect in made.operations.suspects] == [
        ("norm", 2 * NORM, 2 * NORM + 7)
    ]


def test_a_tool_that_divides_by_the_batch_gives_parts_of_one() -> None:
    found = profile(nn.Sequential(nn.Upsample(scale_factor=2), nn.Flatten()), (3, 1, 2, 5))
    said = reading(found, "ptflops", params=0)
    thirds = {"": 0, "0": 4 * 5 * 2 / 3 + 3 * 4 * 5 * 2, "1": 0}  # one sample's output by 3, and the function's whole
    assert account(found.trace, replace(said, layers=thirds)).closes
    assert not account(found.trace, replace(said, layers={**thirds, "0": thirds["0"] + 1})).closes


def test_equal_totals_do_not_hide_layers_that_differ(net: Profile) -> None:
    said = reading(net, "fvcore")
    assert said.layers is not None
    layers = {**said.layers, "norm": said.layers["norm"] + 7, "head": said.layers["head"] - 7}
    made = account(net.trace, replace(said, layers=layers))
    assert not made.closes
    (failure,) = CrossCheck(net, (made,)).failures()
    assert "the operations by fvcore add up, and not layer by layer, in norm, head" in str(failure)


@pytest.mark.parametrize("tool", ["fvcore", "thop", "torch", "torchprofile", "ptflops-aten"])
def test_a_wrong_formula_of_ours_is_found(tool: str, restored_registries: None) -> None:
    """One MAC too many in every convolution: each tool's account says so, and where."""
    right = profile(Net(), (1, 3, SIDE, SIDE))
    said = reading(right, tool)
    formula("aten.conv2d", replace=True)(lambda *args, out, **kwargs: Cost(macs=CONV + 1))
    made = account(right.trace, said)
    assert made.operations is not None
    assert not made.closes
    assert [suspect.path for suspect in made.operations.suspects] == ["conv"]
    assert made.operations.remainder == -(2 if tool == "torch" else 1)


def test_a_wrong_formula_of_a_convention_is_found(net: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    said = reading(net, "fvcore")
    monkeypatch.setitem(fvcore._RULES, "aten.batch_norm", Rule("batch norm", lambda op: 3, "3 in all"))
    made = account(net.trace, said)
    assert made.operations is not None
    assert made.operations.remainder == 2 * NORM - 3
    assert [suspect.path for suspect in made.operations.suspects] == ["norm"]
    (failure,) = CrossCheck(net, (made,)).failures()
    assert failure.status == 1
    assert "norm" in str(failure)


def test_a_convention_that_cannot_be_replayed_is_not_explained(net: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    said = reading(net, "fvcore")
    monkeypatch.setitem(fvcore._RULES, "aten.batch_norm", Rule("batch norm", lambda op: 1 // 0))
    made = account(net.trace, said)
    assert not made.closes
    (failure,) = CrossCheck(net, (made,)).failures()
    assert failure.status == 1
    assert "cannot be replayed (ZeroDivisionError" in str(Accounts((made,)))


def test_a_charge_without_a_reason_has_to_be_our_macs(net: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def charges(trace: Any) -> list[Charge]:
        return [Charge(1, 1, range(1), "convolution")]

    monkeypatch.setattr(fvcore, "CONVENTION", replace(fvcore.CONVENTION, charges=charges))
    made = account(net.trace, Reading("fvcore", "1.0", 1, None, None))
    assert made.operations is not None
    assert [suspect.path for suspect in made.operations.suspects] == ["conv"]


# Counters that say nothing --------------------------------------------------------------------------------------------

SILENT = {
    "missing": Reading("thop", missing="thop is not installed; pip install thop"),
    "failed": Reading("thop", "0.1.1", error="RuntimeError: no"),
    "late": Reading("thop", "0.1.1", error="thop took longer than 1 seconds", timed_out=True),
}


@pytest.mark.parametrize("said", SILENT.values(), ids=SILENT)
def test_a_silent_counter_hides_no_other(net: Profile, said: Reading) -> None:
    check = CrossCheck(net, (account(net.trace, said), account(net.trace, reading(net, "fvcore"))))
    assert not check["thop"].closes
    assert check["thop"].problem == (said.missing or said.error)
    assert check["fvcore"].closes
    assert check.closes
    assert list(check.failures()) == []


def test_no_counter_at_all_is_a_failure(net: Profile) -> None:
    (failure,) = CrossCheck(net, (account(net.trace, SILENT["missing"]),)).failures()
    assert failure.status == 2


# How they are shown ---------------------------------------------------------------------------------------------------


@pytest.fixture
def accounts(net: Profile) -> list[Account]:
    said = reading(net, "fvcore")
    assert said.total is not None
    return [
        account(net.trace, replace(said, total=said.total + 1)),
        account(net.trace, reading(net, "torch")),
        account(net.trace, SILENT["missing"]),
    ]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("verbose", [False, True])
def test_every_format_shows_them(accounts: list[Account], format: str, verbose: bool) -> None:
    shown = renderer(format).answer(Accounts(tuple(accounts), verbose))
    assert "pip install thop" in shown
    assert str(2 * NORM) in shown.replace(",", "")
    assert ("norm" in shown.replace("batch norm", "")) is (verbose or format == "json")


def test_json_has_every_term_and_layer(accounts: list[Account]) -> None:
    first, second, third = json.loads(Accounts(tuple(accounts)).to_json())
    assert first["operations"]["remainder"] == 1
    assert first["closes"] is False
    assert {term["family"]: term["layers"] for term in first["operations"]["terms"]} == {
        "attention": {"attention": -PRODUCTS},
        "batch norm": {"norm": 2 * NORM},
    }
    assert (second["per_mac"], second["closes"]) == (2, True)
    assert third["operations"] is None
    assert third["problem"] == SILENT["missing"].missing
