"""Laws that hold for every operator, or for every one of a family."""

from dataclasses import astuple

import pytest
import torch
from formula_tables import TABLES
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch_recorder import meta, total

from profiler.ops import Cost, cost
from tests.laws import share

ROWS = [row for rows in TABLES.values() for row in rows]
COUNTS = ("macs", "adds", "muls", "divs", "specials", "comparisons")
few = share(15)


def arithmetic(price: Cost) -> tuple[int, ...]:
    return tuple(getattr(price, name) for name in COUNTS)


def test_no_count_is_negative_or_fractional() -> None:
    for row in ROWS:
        assert all(isinstance(count, int) and count >= 0 for count in astuple(cost(row.signature))), row


# Layers that treat every sample alike: their cost is linear in the batch. (Batch norm folds once, whatever the batch.)
PER_SAMPLE = {
    "linear": (nn.Linear(8, 5), (8,)),
    "transformer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (6, 8)),
    "attention": (nn.MultiheadAttention(8, 2, batch_first=True), (6, 8)),
    "conv": (nn.Conv2d(4, 6, 3, padding=1, groups=2), (4, 7, 8)),
    "transposed conv": (nn.ConvTranspose1d(4, 6, 3, stride=2), (4, 7)),
    "layer norm": (nn.LayerNorm(8), (6, 8)),
    "group norm": (nn.GroupNorm(2, 4), (4, 7, 8)),
    "instance norm": (nn.InstanceNorm2d(4), (4, 7, 8)),
    "rms norm": (nn.RMSNorm(8), (6, 8)),
    "local response norm": (nn.LocalResponseNorm(3), (4, 7, 8)),
    "gelu": (nn.GELU(), (6, 8)),
    "softmax": (nn.Softmax(-1), (6, 8)),
    "max pool": (nn.MaxPool2d(3, 2, 1), (4, 7, 8)),
    "lp pool": (nn.LPPool2d(2, 2), (4, 8, 8)),
    "adaptive pool": (nn.AdaptiveAvgPool2d(3), (4, 7, 8)),
    "bicubic": (nn.Upsample(scale_factor=2, mode="bicubic"), (4, 7, 8)),
    "lstm": (nn.LSTM(8, 5, 2, batch_first=True, bidirectional=True), (6, 8)),
    "gru": (nn.GRU(8, 5, batch_first=True), (6, 8)),
    "unfold": (nn.Unfold(3), (4, 7, 8)),
    "fold": (nn.Fold((4, 5), (2, 2)), (12, 12)),
}


@pytest.mark.parametrize("name", PER_SAMPLE)
@share(4)
@given(batch=st.integers(2, 9))
def test_linear_in_the_batch(name, batch) -> None:
    layer, shape = PER_SAMPLE[name]
    layer = layer.to("meta").eval()
    arguments = 3 if isinstance(layer, nn.MultiheadAttention) else 1
    one, many = (total(layer, *[meta(n, *shape)] * arguments) for n in (1, batch))
    assert arithmetic(many) == tuple(batch * count for count in arithmetic(one))
    assert sum(arithmetic(one)) > 0 or name == "unfold"


@few
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_one_by_one_convolution_is_a_linear_layer(batch, c_in, c_out, width) -> None:
    conv = total(nn.Conv2d(c_in, c_out, 1, device="meta"), meta(batch, c_in, width, width))
    linear = total(nn.Linear(c_in, c_out, device="meta"), meta(batch, width, width, c_in))
    assert arithmetic(conv) == arithmetic(linear)


@few
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_a_kernel_as_large_as_its_image_is_a_linear_layer(c_in, c_out, height, width) -> None:
    conv = total(nn.Conv2d(c_in, c_out, (height, width), device="meta"), meta(2, c_in, height, width))
    linear = total(nn.Linear(c_in * height * width, c_out, device="meta"), meta(2, c_in * height * width))
    assert arithmetic(conv) == arithmetic(linear)


@few
@given(st.sampled_from((1, 2, 3, 4, 6, 12)), st.booleans())
def test_groups_divide(groups, transposed) -> None:
    layer = nn.ConvTranspose2d if transposed else nn.Conv2d
    dense, grouped = (total(layer(12, 24, 3, groups=g, device="meta"), meta(2, 12, 7, 7)) for g in (1, groups))
    assert dense.macs == groups * grouped.macs > 0
    assert dense.adds == grouped.adds


@few
@given(st.integers(1, 3), st.integers(1, 3), st.integers(5, 9))
def test_a_transposed_convolution_costs_what_it_transposes(kernel, stride, length) -> None:
    down = nn.Conv2d(3, 4, kernel, stride, bias=False, device="meta")
    up = nn.ConvTranspose2d(4, 3, kernel, stride, bias=False, device="meta")
    x = meta(1, 3, length, length)
    assert total(up, down(x)).macs == total(down, x).macs > 0


@few
@given(st.integers(1, 5), st.integers(1, 7))
def test_in_place_costs_the_same(rows, width) -> None:
    x = meta(rows, width)
    for name in ("relu", "silu", "elu", "hardtanh", "leaky_relu", "selu"):
        function = getattr(functional, name)
        assert arithmetic(total(lambda f=function: f(x, inplace=True))) == arithmetic(total(function, x))
    assert (
        arithmetic(total(lambda: x.clone().add_(x)))
        == arithmetic(total(lambda: x + x))
        == (0, rows * width, 0, 0, 0, 0)
    )


def test_attention_by_hand_costs_the_fused_operator() -> None:
    q, k, v = meta(2, 4, 5, 16), meta(2, 4, 7, 16), meta(2, 4, 7, 16)
    by_hand = total(lambda: ((q @ k.transpose(-1, -2)) * 16**-0.5).softmax(-1) @ v)
    assert arithmetic(by_hand) == arithmetic(total(functional.scaled_dot_product_attention, q, k, v))


def test_composites_cost_their_parts() -> None:
    """Where the composite operator and its decomposition both have formulas, they agree."""
    x = meta(2, 6, 8)
    pairs = [
        (functional.layer_norm, (x, (8,)), "aten.layer_norm.default"),
        (lambda y: functional.group_norm(y, 3), (x,), "aten.group_norm.default"),
        (lambda y: functional.conv1d(y, meta(4, 6, 3), meta(4)), (x,), "aten.conv1d.default"),
        (lambda y: functional.linear(y, meta(5, 8), meta(5)), (x,), "aten.linear.default"),
        (lambda y: torch.softmax(y, -1), (x,), "aten.softmax.int"),
        (lambda y: functional.max_pool1d(y, 3), (x,), "aten.max_pool1d.default"),
        (lambda y: functional.adaptive_avg_pool1d(y, 3), (x,), "aten.adaptive_avg_pool1d.default"),
        (torch.fft.rfft2, (x,), "aten.fft_rfft2.default"),
        (lambda y: functional.rms_norm(y, (8,), meta(8), 1e-5), (x,), "aten.rms_norm.default"),
    ]
    for run, args, op in pairs:
        whole, parts = total(run, *args), _decomposed(op, run, *args)
        assert arithmetic(whole) == arithmetic(parts), op
        assert sum(arithmetic(whole)) > 0


def _decomposed(op: str, run, *args) -> Cost:
    from torch_recorder import in_registry, recording

    with recording(lambda name: in_registry(name) and name != op) as found:
        run(*args)
    assert op not in {s.op for s in found}
    result = Cost(bytes_read=0, bytes_written=0)
    for signature in found:
        result += cost(signature)
    return result
