"""Operators that call functions: counted by what their bodies do, on meta tensors where no value is asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.associative_scan import associative_scan
from torch._higher_order_ops.map import map as hop_map
from torch._higher_order_ops.scan import scan
from torch._higher_order_ops.while_loop import while_loop
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils.checkpoint import checkpoint

from profiler import profile

pytestmark = pytest.mark.filterwarnings("ignore")
N, WIDTH = 5, 6
ONE = N * WIDTH * WIDTH  # MACs of the layer


class Body(nn.Module):
    """A layer, and a function that calls it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.layer = nn.Linear(WIDTH, WIDTH)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def _counted(self: Any, x: Tensor) -> Any:
    return while_loop(lambda i, x: i < 4, lambda i, x: (i + 1, self.layer(x)), (torch.tensor(0), x))[1]


def _until_small(self: Any, x: Tensor) -> Any:
    """Halved until its norm is small: 8, 4, 2, 1 of an input of eights and a layer that halves."""
    return while_loop(lambda x: x.max() > 1, lambda x: (self.layer(x),), (x,))[0]


def _never(self: Any, x: Tensor) -> Any:
    return while_loop(lambda x: x.sum() > 1e9, lambda x: (self.layer(x),), (x,))[0]


def _branch(self: Any, x: Tensor) -> Any:
    return torch.cond(x.sum() > 0, lambda x: self.layer(self.layer(x)), lambda x: x.sin(), (x,))


def _other_branch(self: Any, x: Tensor) -> Any:
    return torch.cond(x.sum() < 0, lambda x: self.layer(self.layer(x)), lambda x: x.sin(), (x,))


def _branch_by_shape(self: Any, x: Tensor) -> Any:
    return torch.cond(x.shape[0] > 2, self.layer, lambda x: x.clone(), (x,))


def _nested_branch(self: Any, x: Tensor) -> Any:
    def inner(x: Tensor) -> Tensor:
        return torch.cond(x.max() > 100, lambda x: x.sin(), self.layer, (x,))

    return torch.cond(x.sum() > 0, inner, lambda x: x.cos(), (x,))


def _scanned(self: Any, x: Tensor) -> Any:
    """A recurrence over rows."""
    return scan(lambda h, row: (torch.tanh(self.layer(h) + row), h.clone()), x[0], x)[1]


def _mapped(self: Any, x: Tensor) -> Any:
    return hop_map(lambda row: self.layer(row).relu(), x)


def _associative(self: Any, x: Tensor) -> Any:
    return associative_scan(lambda a, b: a * b, self.layer(x), dim=0, combine_mode="generic")


BODIES: dict[str, tuple[Callable[..., Any], int, str]] = {
    "a loop of a constant number of turns": (_counted, 4 * ONE, "meta"),
    "a loop until a value": (_until_small, 3 * ONE, "cpu"),
    "a loop that never turns": (_never, 0, "cpu"),
    "a branch": (_branch, 2 * ONE, "cpu"),
    "the other branch": (_other_branch, 0, "cpu"),
    "a branch by a shape": (_branch_by_shape, ONE, "meta"),
    "a branch in a branch": (_nested_branch, ONE, "cpu"),
    "a scan": (_scanned, N * WIDTH * WIDTH, "meta"),
    "a map": (_mapped, N * WIDTH * WIDTH, "meta"),
    "an associative scan": (_associative, ONE, "meta"),
}


def _body(function: Callable[..., Any]) -> Body:
    model = Body(function)
    with torch.no_grad():
        model.layer.weight.copy_(torch.eye(WIDTH) / 2)
        model.layer.bias.zero_()
    return model


@pytest.mark.parametrize("name", BODIES)
def test_bodies_are_counted(name: str) -> None:
    function, macs, engine = BODIES[name]
    found = profile(_body(function), torch.full((N, WIDTH), 8.0))
    assert (found.totals.macs, found.trace.engine) == (macs, engine)
    assert found.unknown_ops == {}
    assert found["layer"].macs == macs  # and belong to the layer that they call


def test_what_values_decided_is_said() -> None:
    x = torch.full((N, WIDTH), 8.0)
    assert profile(_body(_until_small), x).trace.notes == ("while_loop turned 3 times, for the values that it was fed",)
    assert profile(_body(_branch), x).trace.notes == (
        "torch.cond took its first branch, for the values that it was fed",
    )


@pytest.mark.parametrize("name", ["a scan", "a map", "a loop of a constant number of turns"])
def test_a_program_that_never_compiled_anything(name: str) -> None:
    """torch imports its compiler when such an operator is first called: then the run is under way."""
    function, macs, _ = BODIES[name]
    code = f"""
import warnings; warnings.filterwarnings("ignore")
import sys, torch
from profiler import profile
import tests.test_higher_order as t
for name in [n for n in sys.modules if n.startswith("torch._dynamo.")][:0]: pass
print(profile(t._body(t.{function.__name__}), torch.full((t.N, t.WIDTH), 8.0)).totals.macs)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) == macs


# Flex attention -------------------------------------------------------------------------------------------------------

BATCH, HEADS, LENGTH, CHANNELS = 2, 3, 64, 8
SCORES = BATCH * HEADS * LENGTH * LENGTH


class Attends(nn.Module):
    def __init__(
        self, mask: Any = None, mod: Any = None, block: int = 16, length: int = LENGTH, **options: Any
    ) -> None:
        super().__init__()
        self.mod, self.options = mod, options
        self.mask = None if mask is None else create_block_mask(mask, None, None, length, length, "cpu", block)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Any:
        return flex_attention(query, key, value, self.mod, self.mask, **self.options)


def _qkv(length: int = LENGTH, heads: int = HEADS, channels: int = CHANNELS) -> tuple[Tensor, ...]:
    return (
        torch.rand(BATCH, HEADS, length, 8),
        torch.rand(BATCH, heads, length, 8),
        torch.rand(BATCH, heads, length, channels),
    )


def _causal(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    return query >= key


def _window(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    return (query - key).abs() <= 8


def test_flex_attention_without_a_mask_is_attention_on_meta() -> None:
    found = profile(Attends(), _qkv())
    assert (found.totals.macs, found.trace.engine, found.unknown_ops) == (2 * SCORES * CHANNELS, "meta", {})
    assert found.trace.notes == ()
    plain = profile(Sdpa(), _qkv()).figures.cost
    ours = found.figures.cost
    assert (ours.macs, ours.muls, ours.adds, ours.specials) == (plain.macs, plain.muls, plain.adds, plain.specials)


class Sdpa(nn.Module):
    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(query, key, value)


def test_values_may_be_wider_and_keys_shared() -> None:
    found = profile(Attends(enable_gqa=True), _qkv(heads=1, channels=12))
    assert found.totals.macs == SCORES * (8 + 12)


BLOCKS = LENGTH // 16


@pytest.mark.parametrize(
    ("mask", "blocks"),
    [
        (_causal, BLOCKS * (BLOCKS + 1) // 2),
        (_window, BLOCKS + 2 * (BLOCKS - 1)),
        (lambda b, h, q, k: q >= 0, BLOCKS**2),
    ],
    ids=["causal", "window", "everything"],
)
def test_blocks_that_a_mask_leaves_empty_are_not_computed(mask: Any, blocks: int) -> None:
    found = profile(Attends(mask), _qkv())
    scores = BATCH * HEADS * blocks * 16 * 16
    assert found.totals.macs == 2 * scores * CHANNELS
    said = f"flex_attention computes {scores:,} of {SCORES:,} scores"
    assert (said in "".join(found.trace.notes)) is (scores != SCORES)


def test_the_last_block_may_reach_over_the_end() -> None:
    found = profile(Attends(_causal, length=24), _qkv(24))
    scores = 16 * 16 + 8 * (16 + 8)
    assert found.totals.macs == 2 * BATCH * HEADS * scores * CHANNELS


def test_what_the_model_does_to_each_score_is_counted() -> None:
    def bias(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return torch.tanh(score / 20.0) * 20.0

    plain, capped = profile(Attends(), _qkv()).figures.cost, profile(Attends(mod=bias), _qkv()).figures.cost
    assert capped.macs == plain.macs
    assert (capped.specials - plain.specials, capped.divs - plain.divs, capped.muls - plain.muls) == (SCORES,) * 3


def test_a_training_step_computes_five_products_more_of_the_same_scores() -> None:
    """And two of the layer before: its weight's gradient, as nothing is wanted of the input."""

    def forward(self: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return flex_attention(self.layer(query), key, value, block_mask=mask)

    mask = create_block_mask(_causal, None, None, 32, 32, "cpu", 16)
    inputs = tuple(torch.rand(1, 2, 32, WIDTH) for _ in range(3))
    found = profile(Body(forward), inputs, train=True)
    scores = 2 * 3 * 16 * 16
    assert found.totals.macs == 2 * (2 * 32 * WIDTH * WIDTH) + (2 + 5) * scores * WIDTH
    assert found.unknown_ops == {}


# Checkpoints and compiled regions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_inside_a_model(reentrant: bool) -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return checkpoint(lambda x: self.layer(x).tanh(), self.layer(x), use_reentrant=reentrant)

    x = torch.rand(N, WIDTH)
    assert profile(Body(forward), x).totals.macs == 2 * ONE
    # forward twice, one of them again; gradients of the weight twice, and of one input
    assert profile(Body(forward), x, train=True).totals.macs == (2 + 1 + 3) * ONE


def test_compiled_regions_are_counted_by_their_code() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return torch.compile(lambda x: self.layer(x) @ x.t(), backend="eager")(x)

    assert profile(Body(forward), torch.rand(N, WIDTH)).totals.macs == ONE + N * WIDTH * N


@pytest.mark.parametrize("name", ["a branch", "a scan", "a map"])
def test_training_steps(name: str) -> None:
    """Forward once, and in the backward pass once for the weight and, but for the first layer, once for the input."""
    found = profile(_body(BODIES[name][0]), torch.full((N, WIDTH), 8.0), train=True)
    assert found.totals.macs >= 2 * BODIES[name][1]
