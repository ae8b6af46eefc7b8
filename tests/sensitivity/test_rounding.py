"""Weights are rounded as the schemes' own tools round them, and to as many values as their bits allow."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from profiler import sensitivity
from profiler.engine.gradients.changes import pruned
from profiler.engine.gradients.rounding import rounded
from profiler.records.schemes import SCHEMES

SEARCHED = ("nf4-double", "q4_K")
ROUNDED = [name for name in SCHEMES if name not in SEARCHED]


def weights(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_int8_is_that_of_the_observer_of_torch() -> None:
    weight = weights(6, 3, 3, 3)
    observer = torch.ao.quantization.default_per_channel_weight_observer()
    observer(weight)
    scales, zeros = observer.calculate_qparams()
    theirs = torch.fake_quantize_per_channel_affine(weight, scales, zeros.int(), 0, -128, 127)
    torch.testing.assert_close(rounded(weight, SCHEMES["int8"]), theirs, rtol=1e-6, atol=0)


def test_casts_are_those_of_torch() -> None:
    weight = weights(4, 5)
    assert torch.equal(rounded(weight, SCHEMES["fp16"]), weight.half().float())
    assert torch.equal(rounded(weight, SCHEMES["bf16"]), weight.bfloat16().float())


def test_q8_0_is_that_of_gguf() -> None:
    quants = pytest.importorskip("gguf").quants
    weight = weights(4, 64)
    kind = pytest.importorskip("gguf").GGMLQuantizationType.Q8_0
    theirs = quants.dequantize(quants.quantize(weight.numpy(), kind), kind)
    torch.testing.assert_close(rounded(weight, SCHEMES["q8_0"]), torch.from_numpy(theirs), rtol=1e-6, atol=1e-7)


def test_q4_0_is_that_of_gguf() -> None:
    quants = pytest.importorskip("gguf").quants
    weight = weights(4, 64)
    kind = pytest.importorskip("gguf").GGMLQuantizationType.Q4_0
    theirs = quants.dequantize(quants.quantize(weight.numpy(), kind), kind)
    torch.testing.assert_close(rounded(weight, SCHEMES["q4_0"]), torch.from_numpy(theirs), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ROUNDED)
def test_a_block_has_as_many_values_as_its_bits_allow(name: str) -> None:
    scheme = SCHEMES[name]
    weight = weights(8, 256)
    back = rounded(weight, scheme)
    rows = back.reshape({"tensor": (1, -1), "flat": (-1, scheme.block or 1)}.get(scheme.groups, (8, -1)))
    if scheme.groups == "row":
        rows = back.reshape(-1, scheme.block)
    assert all(len(row.unique()) <= 2**scheme.bits for row in rows)
    assert float((back - weight).norm() / weight.norm()) < {8: 0.04, 4: 0.15, 16: 0.01}[scheme.bits]


@pytest.mark.parametrize("name", ROUNDED)
def test_what_is_zero_stays_zero(name: str) -> None:
    weight = torch.zeros(8, 128)
    assert torch.equal(rounded(weight, SCHEMES[name]), weight)


@pytest.mark.parametrize("name", [name for name in ROUNDED if name not in ("int4", "int8")])
@given(seed=st.integers(0, 1000))
def test_rounding_twice_is_rounding_once(name: str, seed: int) -> None:
    """Where the largest weight of a block is a code itself; int8 of torch.ao and int4 have it between two."""
    once = rounded(weights(8, 128, seed=seed), SCHEMES[name])
    torch.testing.assert_close(rounded(once, SCHEMES[name]), once, rtol=1e-3, atol=1e-6)


def test_a_short_last_block_is_a_block() -> None:
    weight = weights(3, 50)  # 2 blocks of 64 and 22 weights
    alone = rounded(weight.flatten()[128:].reshape(1, -1), SCHEMES["nf4"])
    assert torch.equal(rounded(weight, SCHEMES["nf4"]).flatten()[128:], alone.flatten())


def test_output_channels_may_be_the_second_dimension() -> None:
    weight = weights(5, 7)
    assert torch.equal(rounded(weight, SCHEMES["int8"], outputs_second=True), rounded(weight.T, SCHEMES["int8"]).T)


@given(share=st.floats(0, 1), rows=st.integers(1, 6), columns=st.integers(1, 6))
def test_pruning_is_that_of_torch(share: float, rows: int, columns: int) -> None:
    layer = nn.Linear(columns, rows)
    weight = layer.weight.detach().clone()
    if share not in (0, 1):
        prune.l1_unstructured(layer, "weight", share)
        assert torch.equal(pruned(share)("weight", weight), layer.weight)
    assert int((pruned(share)("weight", weight) == 0).sum()) == round(share * weight.numel())


def test_what_is_saved_is_what_the_scheme_stores() -> None:
    model = nn.Sequential(nn.Linear(128, 16), nn.Linear(16, 8))
    trials = sensitivity(model, (2, 128), by="quantise=int4")
    assert [(row.path, row.saved_bytes) for row in trials.rows] == [  # type: ignore[union-attr]
        ("0", 4 * 128 * 16 - (128 * 16 // 2 + 16 * (16 + 4) // 8))
    ]
