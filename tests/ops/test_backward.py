"""What torch itself says about backward passes: its FLOP counter, and its own decompositions of backward operators."""

import pytest
import torch
from formula_rows import Row
from formula_tables import TABLES
from hypothesis import given
from hypothesis import strategies as st
from test_witnesses import convolutions
from torch import nn
from torch._decomp import decomposition_table
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torch_recorder import (
    Recorder,
    backward,
    in_registry,
    meta,
    sum_of,
    total,
    training_signatures,
    training_total,
)

from profiler.ops import cost
from profiler.records.trace import Tensor, Value
from tests.laws import share

few = share(25)
size = st.integers(1, 9)


def counted_by_torch(run, *args) -> int:
    with FlopCounterMode(display=False) as counter:
        backward(run(*args))
    flops = counter.get_total_flops()
    assert flops > 0, "torch saw no product"
    return flops // 2


def assert_same_macs(run, *args) -> None:
    assert training_total(run, *args).macs == counted_by_torch(run, *args)


def trained(*shape: int) -> torch.Tensor:
    return meta(*shape).requires_grad_()


# What of a layer is trained: its weights, its input, or both.
PARTS = ("weights and input", "weights", "input")


def of_which_is_trained(module: nn.Module, part: str, *shape: int) -> tuple[nn.Module, torch.Tensor]:
    module.requires_grad_("weights" in part)
    return module, meta(*shape).requires_grad_("input" in part)


@few
@given(convolutions().filter(lambda example: example[0].groups == 1), st.sampled_from(PARTS))
def test_convolutions(example, part) -> None:
    module, x = example
    assert_same_macs(*of_which_is_trained(module, part, *x.shape))


@few
@given(convolutions(), st.sampled_from(PARTS))
def test_a_grouped_convolution_costs_its_groups(example, part) -> None:
    """As separate convolutions: torch's counter takes a grouped one's weight gradient for that of a dense one."""
    module, x = example
    module, x = of_which_is_trained(module, part, *x.shape)
    function = getattr(functional, ("conv_transpose" if module.transposed else "conv") + str(x.ndim - 2) + "d")
    settings = {"stride": module.stride, "padding": module.padding, "dilation": module.dilation}

    def in_groups(x):
        pairs = zip(x.chunk(module.groups, 1), module.weight.chunk(module.groups), strict=True)
        return [function(part, weight, **settings) for part, weight in pairs]

    assert training_total(module, x).macs == counted_by_torch(in_groups, x)


def test_a_convolution_computes_the_gradients_that_are_wanted() -> None:
    def spent(part):
        return training_total(*of_which_is_trained(nn.Conv2d(4, 6, 3, device="meta"), part, 2, 4, 8, 8))

    once = 2 * 6 * 6 * 6 * 4 * 3 * 3
    assert [spent(part).macs for part in PARTS] == [3 * once, 2 * once, 2 * once]
    bias, bias_gradient = 2 * 6 * 6 * 6, 6 * (2 * 6 * 6 - 1)
    assert [spent(part).adds for part in PARTS] == [bias + bias_gradient, bias + bias_gradient, bias]


@few
@given(size, size, size, size, st.sampled_from(PARTS))
def test_linear_layers(batch, length, n_in, n_out, part) -> None:
    assert_same_macs(*of_which_is_trained(nn.Linear(n_in, n_out, device="meta"), part, batch, length, n_in))


@few
@given(size, size, size, size, st.booleans(), st.booleans())
def test_matrix_products(batch, m, k, n, first, second) -> None:
    a, b = meta(batch, m, k).requires_grad_(first), meta(batch, k, n).requires_grad_(second or not first)
    assert_same_macs(torch.bmm, a, b)
    assert_same_macs(torch.matmul, a, b[0].detach().requires_grad_())
    assert_same_macs(torch.baddbmm, trained(n), a, b)


@few
@given(st.sampled_from(("RNN", "LSTM", "GRU")), st.booleans(), st.integers(1, 3), size, size, st.sampled_from(PARTS))
def test_recurrent_layers(kind, bidirectional, layers, n_in, hidden, part) -> None:
    module = getattr(nn, kind)(n_in, hidden, layers, bidirectional=bidirectional, device="meta")
    assert_same_macs(*of_which_is_trained(module, part, 5, 2, n_in))


@pytest.mark.parametrize("part", PARTS)
def test_transformers(part) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, device="meta")
    assert_same_macs(*of_which_is_trained(layer, part, 3, 5, 8))


FLASH = torch.ops.aten._scaled_dot_product_flash_attention
FLASH_FOR_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def first_of(operator):
    return lambda *args: operator(*args)[0]


@few
@given(size, size, size, size, st.integers(1, 4).map(lambda n: 8 * n))
def test_attention(batch, heads, q_length, k_length, width) -> None:
    """torch's counter has a formula for the GPU's kernel alone, which is the same algorithm as the CPU's."""
    q, k, v = (trained(batch, heads, length, width) for length in (q_length, k_length, k_length))
    assert_same_macs(first_of(FLASH), q, k, v)
    assert training_total(first_of(FLASH_FOR_CPU), q, k, v).macs == counted_by_torch(first_of(FLASH), q, k, v)


def test_fused_attention_computes_its_scores_once_more() -> None:
    q, k, v = trained(2, 4, 5, 16), trained(2, 4, 7, 16), trained(2, 4, 7, 16)
    by_hand = training_total(lambda: ((q @ k.transpose(-1, -2)) * 0.25).softmax(-1) @ v)
    fused = training_total(first_of(FLASH_FOR_CPU), q, k, v)
    assert fused.macs == by_hand.macs + 2 * 4 * 5 * 7 * 16


def test_the_cpu_kernel_of_lstm_costs_its_decomposition() -> None:
    """On CPU one operator does a layer, on meta it is its parts. It finds the first state's gradient in any case."""
    whole = training_signatures(nn.LSTM(4, 6), torch.randn(3, 2, 4).requires_grad_())
    assert "aten.mkldnn_rnn_layer_backward.default" in {s.op for s in whole}
    parts = training_total(nn.LSTM(4, 6, device="meta"), trained(3, 2, 4), (trained(1, 2, 6), trained(1, 2, 6)))
    assert sum_of(whole).macs == parts.macs == 3 * (3 * 2 * 4 * 6 * (4 + 6))


def test_bilinear() -> None:
    """Two products forward; of each input two; of the weight one, of what the output's gradient and an input make."""
    module, x, y = nn.Bilinear(5, 6, 7, device="meta"), trained(4, 5), trained(4, 6)
    both = 4 * 7 * 5 * 6
    forward, of_x, of_y, of_weight = both + 4 * 7 * 6, both + 4 * 5 * 6, both + 4 * 7 * 6, both
    assert total(module, x, y).macs == forward
    assert training_total(module, x, y).macs == forward + of_x + of_y + of_weight


# Those that torch._decomp writes as their definition, step by step.
WRITTEN_OUT = [
    "threshold_backward",
    "hardtanh_backward",
    "leaky_relu_backward",
    "sigmoid_backward",
    "tanh_backward",
    "silu_backward",
    "gelu_backward",
    "hardswish_backward",
    "log_sigmoid_backward",
    "rrelu_with_noise_backward",
    "_softmax_backward_data",
    "_log_softmax_backward_data",
    "native_dropout_backward",
    "max_pool2d_with_indices_backward",
    "cudnn_batch_norm_backward",
]
WITNESSED = [row for rows in TABLES.values() for row in rows if row.signature.op.split(".")[1] in WRITTEN_OUT]


@pytest.mark.parametrize("row", WITNESSED, ids=str)
def test_torch_writes_it_out_in_as_many_operations(row: Row) -> None:
    _, packet, overload = row.signature.op.split(".")
    written_out = decomposition_table[getattr(getattr(torch.ops.aten, packet), overload)]
    recorder = Recorder(in_registry)
    with torch.no_grad(), recorder:
        written_out(*map(real, row.signature.args), **{name: real(value) for name, value in row.signature.kwargs})
    names = ("adds", "muls", "divs", "specials", "comparisons")
    whole, steps = cost(row.signature), sum_of(recorder.signatures)
    assert [getattr(whole, name) for name in names] == [getattr(steps, name) for name in names]


def real(value: Value) -> object:
    if isinstance(value, Tensor):
        return meta(*value.shape, dtype=getattr(torch, value.dtype))
    return torch.float32 if value == "float32" else value


def test_each_of_them_is_a_witness() -> None:
    assert {row.signature.op.split(".")[1] for row in WITNESSED} == {*WRITTEN_OUT}
    assert sum(sum(row.counts.values()) for row in WITNESSED) > 0
