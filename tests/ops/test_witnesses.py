"""What torch itself says: its FLOP counter about products, its kernels about windows, its gradients about taps."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torch_recorder import meta, recording, signatures, total

from profiler.ops import cost
from profiler.records.trace import Signature, Tensor
from tests.laws import share

size = st.integers(1, 9)
few = share(25)


def counted_by_torch(run, *args) -> int:
    with FlopCounterMode(display=False) as counter:
        run(*args)
    flops = counter.get_total_flops()
    assert flops > 0, "torch saw no matrix product"
    return flops // 2


def assert_same_macs(run, *args) -> None:
    assert total(run, *args).macs == counted_by_torch(run, *args)


@few
@given(size, size, size, size)
def test_matrix_products(batch, m, k, n) -> None:
    assert_same_macs(torch.mm, meta(m, k), meta(k, n))
    assert_same_macs(torch.addmm, meta(n), meta(m, k), meta(k, n))
    assert_same_macs(torch.bmm, meta(batch, m, k), meta(batch, k, n))
    assert_same_macs(torch.baddbmm, meta(batch, m, n), meta(batch, m, k), meta(batch, k, n))
    assert_same_macs(functional.linear, meta(batch, m, k), meta(n, k), meta(n))
    assert_same_macs(torch.matmul, meta(batch, 1, m, k), meta(3, k, n))


@st.composite
def convolutions(draw):
    """(module, input): such as ConvTranspose2d(4, 6, kernel_size=(2, 3), stride=2, groups=2) and a 3x4x7x5 tensor."""
    rank = draw(st.integers(1, 3))
    groups = draw(st.sampled_from((1, 2, 3)))
    c_in, c_out = (groups * draw(st.integers(1, 3)) for _ in range(2))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    name = draw(st.sampled_from(("Conv", "ConvTranspose")))
    options = {
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, 1)),
        "dilation": draw(st.integers(1, 2)),
    }
    layer = getattr(nn, f"{name}{rank}d")
    module = layer(c_in, c_out, kernel, groups=groups, bias=draw(st.booleans()), device="meta", **options)
    return module, meta(draw(st.integers(1, 3)), c_in, *(draw(st.integers(5, 8)) for _ in range(rank)))


@few
@given(convolutions())
def test_convolutions(example) -> None:
    module, x = example
    assert_same_macs(module, x)


@few
@given(size, st.sampled_from(((1, 1), (4, 4), (4, 2), (6, 1))), size, size, size, size, st.booleans())
def test_attention(batch, heads, q_length, k_length, width, v_width, causal) -> None:
    h_q, h_kv = heads
    q, k, v = (
        meta(batch, h_q, q_length, width),
        meta(batch, h_kv, k_length, width),
        meta(batch, h_kv, k_length, v_width),
    )
    assert_same_macs(lambda: functional.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=h_q != h_kv))


EINSUMS = ["ij,jk->ik", "bhid,bhjd->bhij", "bhij,bhjd->bhid", "bij,kj->bik", "ijk,ikl->ijl", "abc,acd,ade->abe"]


@few
@given(st.sampled_from(EINSUMS), st.data())
def test_einsum(equation, data) -> None:
    # an axis of size 1 alone is multiplied, not contracted, and torch's counter sees no product at all
    sizes = {letter: data.draw(st.integers(2, 9)) for letter in equation if letter.isalpha()}
    operands = [meta(*(sizes[i] for i in term)) for term in equation.split("->")[0].split(",")]
    assert_same_macs(torch.einsum, equation, *operands)


def test_einsum_sums_first_what_one_operand_has_alone() -> None:
    assert_same_macs(torch.einsum, "bij,bjk->ik", meta(1, 30, 40), meta(8, 40, 50))
    assert_same_macs(torch.einsum, "bhnd,bhmd->nm", meta(2, 1, 5, 6), meta(2, 4, 7, 6))


@few
@given(st.sampled_from(("RNN", "LSTM", "GRU")), st.booleans(), st.booleans(), st.integers(1, 3), size, size, size)
def test_recurrent_layers(kind, bias, bidirectional, layers, length, n_in, hidden) -> None:
    module = getattr(nn, kind)(n_in, hidden, layers, bias=bias, bidirectional=bidirectional, device="meta")
    assert_same_macs(module, meta(length, 2, n_in))


@few
@given(size, size, st.integers(2, 9), st.data())
def test_projected_lstm(length, n_in, hidden, data) -> None:
    module = nn.LSTM(n_in, hidden, proj_size=data.draw(st.integers(1, hidden - 1)), device="meta")
    assert_same_macs(module, meta(length, 2, n_in))


def test_the_worked_lstm() -> None:
    """The figure of torch's own issue about the LSTM kernel that FlopCounterMode misses on CPU."""
    for device in ("meta", "cpu"):
        module = nn.LSTM(10, 20, device=device)
        with recording() as found:
            module(torch.zeros(5, 1, 10, device=device))
        macs = sum(cost(s).macs for s in found)
        assert macs == 5 * 4 * 20 * (10 + 20)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_packed_batch_costs_its_real_steps(kind) -> None:
    module = getattr(nn, kind)(4, 6)
    packed = nn.utils.rnn.pack_padded_sequence(torch.randn(7, 2, 4), [7, 3])
    one, other = (total(module, torch.zeros(length, 1, 4)) for length in (7, 3))
    assert total(module, packed).macs == one.macs + other.macs > 0


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_recurrent_layer_costs_its_cells(kind) -> None:
    layer, cell = getattr(nn, kind)(4, 6, device="meta"), getattr(nn, f"{kind}Cell")(4, 6, device="meta")
    whole, step = total(layer, meta(7, 2, 4)), total(cell, meta(2, 4))
    counts = ("macs", "adds", "muls", "divs", "specials", "comparisons")
    assert [getattr(whole, n) for n in counts] == [7 * getattr(step, n) for n in counts]


def test_the_transformer_fast_path_costs_the_slow_one() -> None:
    """On CPU in inference one operator does the whole layer; on meta it is its parts, which torch can count."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    fast = signatures(layer, torch.zeros(3, 5, 8))
    assert [s.op for s in fast] == ["aten._transformer_encoder_layer_fwd.default"]
    assert cost(fast[0]).macs == counted_by_torch(layer.to("meta"), meta(3, 5, 8))


def test_bilinear_is_the_two_products_of_its_definition() -> None:
    module = nn.Bilinear(5, 6, 7, device="meta")
    x, y = meta(4, 5), meta(4, 6)
    by_definition = counted_by_torch(torch.einsum, "ni,oij->noj", x, module.weight) + 4 * 7 * 6
    assert total(module, x, y).macs == by_definition


@st.composite
def pools(draw):
    """Keyword arguments of avg_pool2d that are allowed together."""
    kernel = draw(st.integers(1, 4))
    return {
        "kernel_size": kernel,
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, kernel // 2)),
        "ceil_mode": draw(st.booleans()),
    }


@few
@given(pools(), st.integers(4, 9), st.integers(4, 9))
def test_pooling_visits_what_the_kernel_visits(options, height, width) -> None:
    x = torch.ones(2, height, width)
    windows = functional.avg_pool2d(x, divisor_override=1, **options)  # the elements in each window
    average = total(lambda: functional.avg_pool2d(x, **options))
    assert average.adds == int(windows.sum()) - windows.numel()
    assert average.divs == windows.numel()
    assert total(lambda: functional.max_pool2d(x, **options)).comparisons == average.adds


@few
@given(st.integers(1, 12), st.integers(1, 12))
def test_adaptive_pooling_visits_what_the_kernel_visits(length, outputs) -> None:
    jacobian = torch.autograd.functional.jacobian(
        lambda x: functional.adaptive_avg_pool1d(x, outputs), torch.ones(1, length)
    )
    visited = int((jacobian != 0).sum())
    assert total(lambda: functional.adaptive_avg_pool1d(meta(1, length), outputs)).adds == visited - outputs


@few
@given(st.integers(2, 16), st.integers(2, 16), st.sampled_from(("bilinear", "bicubic")))
def test_antialiased_resizing_blends_what_the_kernel_blends(length, outputs, mode) -> None:
    """Taps at the very edge of the filter have weight 0, and then no gradient: the kernel visits them all the same."""
    assume(length != outputs)

    def resize(x):
        return functional.interpolate(x, size=(1, outputs), mode=mode, antialias=True)

    jacobian = torch.autograd.functional.jacobian(resize, torch.ones(1, 1, 1, length, dtype=torch.float64))
    felt = int((jacobian != 0).sum())
    taps = total(resize, torch.ones(1, 1, 1, length)).muls
    assert felt <= taps <= felt + 4 * outputs


def test_antialiased_taps_by_hand() -> None:
    """From 6 to 3 the filter is 4 wide around 1, 3, 5: 0-2, 1-4, 3-5."""
    x, out = Tensor((1, 1, 1, 6), "float32"), Tensor((1, 1, 1, 3), "float32")
    assert cost(Signature("aten._upsample_bilinear2d_aa.default", (x, (1, 3), False), (), out)).muls == 3 + 4 + 3
