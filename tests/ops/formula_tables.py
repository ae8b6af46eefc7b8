"""The tables that test_formulas.py walks: for each family, calls and what they must cost, as products of factors.

A count that a row leaves out must be 0; bytes that it leaves out must be each input and each output once.
"""

from typing import Any

from formula_rows import b, c, f, i, row
from linalg_rows import LINALG
from more_rows import COMPLEX, DRAWS, KERNELS, PIECES, REDUCTIONS, SEGMENTS, quantised
from quantized_rows import QUANTIZED, REFUSED_QUANTIZED
from scaled_rows import PRIMITIVES, RAGGED, REFUSED_PRODUCTS, SCALED

from profiler.records.trace import Tensor, Value

MATMUL = [
    row("aten.mm.default", f(5, 7), f(7, 3), out=f(5, 3), macs=5 * 7 * 3),
    row("aten.mm.default", i(5, 7), i(7, 3), out=i(5, 3), macs=5 * 7 * 3),
    row("aten.mm.default", c(5, 7), c(7, 3), out=c(5, 3), macs=5 * 7 * 3 * 4),
    row("aten.addmm.default", f(3), f(5, 7), f(7, 3), out=f(5, 3), macs=5 * 7 * 3, adds=5 * 3),
    row("aten.addmm.default", c(3), c(5, 7), c(7, 3), out=c(5, 3), macs=5 * 7 * 3 * 4, adds=2 * 5 * 3),
    row(
        "aten.addmm.default", f(3), f(5, 7), f(7, 3), kwargs={"beta": 0, "alpha": 2}, out=f(5, 3),
        macs=5 * 7 * 3, muls=5 * 3,
    ),
    row(
        "aten.addmm.default", f(3), f(5, 7), f(7, 3), kwargs={"beta": 0.5, "alpha": 2}, out=f(5, 3),
        macs=5 * 7 * 3, adds=5 * 3, muls=2 * 5 * 3,
    ),
    row("aten.bmm.default", f(2, 5, 7), f(2, 7, 3), out=f(2, 5, 3), macs=2 * 5 * 7 * 3),
    row(
        "aten.baddbmm.default", f(2, 5, 3), f(2, 5, 7), f(2, 7, 3), out=f(2, 5, 3),
        macs=2 * 5 * 7 * 3, adds=2 * 5 * 3,
    ),
    row("aten.addbmm.default", f(5, 3), f(2, 5, 7), f(2, 7, 3), out=f(5, 3), macs=2 * 5 * 7 * 3, adds=5 * 3),
    row("aten.mv.default", f(5, 7), f(7), out=f(5), macs=5 * 7),
    row("aten.addmv.default", f(5), f(5, 7), f(7), out=f(5), macs=5 * 7, adds=5),
    row("aten.dot.default", f(7), f(7), out=f(), macs=7),
    row("aten.vdot.default", c(7), c(7), out=c(), macs=4 * 7),
    row("aten.inner.default", f(2, 7), f(3, 7), out=f(2, 3), macs=2 * 7 * 3),
    row("aten.outer.default", f(5), f(7), out=f(5, 7), muls=5 * 7),
    row("aten.addr.default", f(5, 7), f(5), f(7), out=f(5, 7), muls=5 * 7, adds=5 * 7),
    row("aten.kron.default", f(2, 3), f(4, 5), out=f(8, 15), muls=2 * 4 * 3 * 5),
    # FC 78400 -> 4096 with bias
    row(
        "aten.linear.default", f(1, 78400), f(4096, 78400), f(4096), out=f(1, 4096), macs=78400 * 4096, adds=4096
    ),
    row("aten.linear.default", f(2, 9, 7), f(5, 7), out=f(2, 9, 5), macs=2 * 9 * 7 * 5),
    row("aten.linear.default", f(7), f(5, 7), f(5), out=f(5), macs=7 * 5, adds=5),
    row(
        "aten.bilinear.default", f(3, 5), f(3, 7), f(2, 5, 7), f(2), out=f(3, 2),
        macs=3 * 2 * 5 * 7 + 3 * 2 * 7, adds=3 * 2,
    ),
    row(
        "aten._trilinear.default", f(3, 5), f(2, 5, 7), f(3, 7), (1, 3), (0,), (1, 2), (2, 3), out=f(3, 2),
        macs=3 * 2 * (5 + 1) * 7,
    ),
    row("aten._grouped_mm.default", f(11, 7), f(4, 7, 3), i(4), out=f(11, 3), macs=11 * 7 * 3),
    row("aten._grouped_mm.default", f(4, 5, 7), f(7, 12), i(4), out=f(5, 12), macs=5 * 7 * 12),
    row("aten._grouped_mm.default", f(5, 11), f(11, 3), i(4), out=f(4, 5, 3), macs=5 * 11 * 3),
    row("aten._grouped_mm.default", f(4, 5, 7), f(4, 7, 3), out=f(4, 5, 3), macs=4 * 5 * 7 * 3),
    row("transformers.grouped_mm_fallback.default", f(11, 7), f(4, 7, 3), i(4), out=f(11, 3), macs=11 * 7 * 3),
    row(
        "transformers.grouped_mm_fallback_backward.default", f(11, 7), f(4, 7, 3), i(4), f(11, 3),
        out=(f(11, 7), f(4, 7, 3)), macs=2 * 11 * 7 * 3,
    ),
    row(
        "aten._addmm_activation.default", f(3), f(5, 7), f(7, 3), out=f(5, 3),
        macs=5 * 7 * 3, adds=5 * 3, comparisons=5 * 3,
    ),
]  # fmt: skip

CONVOLUTION = [
    # resnet34's first layer, and a grouped 3x3
    row(
        "aten.conv2d.default", f(1, 3, 224, 224), f(64, 3, 7, 7), None, (2, 2), (3, 3), out=f(1, 64, 112, 112),
        macs=64 * 112 * 112 * 3 * 7 * 7,
    ),
    row(
        "aten.conv2d.default", f(2, 64, 56, 56), f(64, 16, 3, 3), f(64), (1, 1), (1, 1), (1, 1), 4,
        out=f(2, 64, 56, 56), macs=2 * 64 * 56 * 56 * (64 // 4) * 3 * 3, adds=2 * 64 * 56 * 56,
    ),
    row(
        "aten.conv2d.padding", f(1, 3, 8, 8), f(4, 3, 3, 3), f(4), (1, 1), "same", out=f(1, 4, 8, 8),
        macs=4 * 8 * 8 * 3 * 3 * 3, adds=4 * 8 * 8,
    ),
    row("aten.conv2d.default", f(3, 8, 8), f(4, 3, 3, 3), out=f(4, 6, 6), macs=4 * 6 * 6 * 3 * 3 * 3),
    row("aten.conv1d.default", f(2, 3, 9), f(4, 3, 5), f(4), out=f(2, 4, 5), macs=2 * 4 * 5 * 3 * 5, adds=2 * 4 * 5),
    row(
        "aten.conv3d.default", f(2, 3, 4, 5, 6), f(8, 3, 1, 3, 3), out=f(2, 8, 4, 3, 4),
        macs=2 * 8 * 4 * 3 * 4 * 3 * 1 * 3 * 3,
    ),
    # dilation moves the taps and changes only the output's size
    row(
        "aten.convolution.default", f(1, 4, 9, 9), f(6, 4, 3, 3), f(6), (1, 1), (0, 0), (3, 3), False, (0, 0), 1,
        out=f(1, 6, 3, 3), macs=6 * 3 * 3 * 4 * 3 * 3, adds=6 * 3 * 3,
    ),
    row("aten.conv1d.default", c(1, 2, 9), c(4, 2, 3), c(4), out=c(1, 4, 7), macs=4 * 7 * 2 * 3 * 4, adds=4 * 7 * 2),
    # transposed: the input's 8x8, not the output's 16x16
    row(
        "aten.conv_transpose2d.input", f(1, 4, 8, 8), f(4, 6, 2, 2), f(6), (2, 2), out=f(1, 6, 16, 16),
        macs=4 * 8 * 8 * 6 * 2 * 2, adds=6 * 16 * 16,
    ),
    row(
        "aten.convolution.default", f(2, 8, 5), f(8, 3, 4), None, (2,), (1,), (1,), True, (0,), 2, out=f(2, 6, 10),
        macs=2 * 8 * 5 * (6 // 2) * 4,
    ),
    row(
        "aten.conv_transpose3d.input", f(4, 2, 3, 4), f(4, 5, 2, 2, 2), None, (2, 2, 2), out=f(5, 4, 6, 8),
        macs=4 * 2 * 3 * 4 * 5 * 2 * 2 * 2,
    ),
    row("aten.conv_tbc.default", f(9, 2, 3), f(5, 3, 4), f(4), out=f(5, 2, 4), macs=2 * 4 * 5 * 3 * 5, adds=5 * 2 * 4),
    row(
        "aten.thnn_conv2d.default", f(1, 3, 8, 8), f(4, 3, 3, 3), (3, 3), f(4), out=f(1, 4, 6, 6),
        macs=4 * 6 * 6 * 3 * 3 * 3, adds=4 * 6 * 6,
    ),
    row(
        "aten.cudnn_convolution.default", f(1, 3, 8, 8), f(4, 3, 3, 3), (0, 0), (1, 1), (1, 1), 1, False, False, False,
        out=f(1, 4, 6, 6), macs=4 * 6 * 6 * 3 * 3 * 3,
    ),
    row(
        "aten.cudnn_convolution_transpose.default", f(1, 4, 8, 8), f(4, 6, 2, 2), (0, 0), (0, 0), (2, 2), (1, 1), 1,
        False, False, False, out=f(1, 6, 16, 16), macs=4 * 8 * 8 * 6 * 2 * 2,
    ),
    row(
        "aten.slow_conv_transpose2d.default", f(1, 4, 8, 8), f(4, 6, 2, 2), (2, 2), f(6), (2, 2), out=f(1, 6, 16, 16),
        macs=4 * 8 * 8 * 6 * 2 * 2, adds=6 * 16 * 16,
    ),
]  # fmt: skip

S = 2 * 4 * 5 * 7  # scores: batch 2, 4 heads, 5 queries, 7 keys
R = 2 * 4 * 5
Q, K, V = f(2, 4, 5, 16), f(2, 4, 7, 16), f(2, 4, 7, 8)
SOFTMAX = {"comparisons": S - R, "adds": S + S - R, "specials": S, "divs": S}
ATTENTION = [
    row(
        "aten.scaled_dot_product_attention.default", Q, K, V, out=f(2, 4, 5, 8),
        macs=2 * 4 * 5 * 7 * 16 + 2 * 4 * 5 * 7 * 8, muls=S, **SOFTMAX,
    ),
    row(
        "aten.scaled_dot_product_attention.default", Q, K, V, b(5, 7), out=f(2, 4, 5, 8),
        macs=2 * 4 * 5 * 7 * (16 + 8), muls=S, **SOFTMAX,
    ),
    row(
        "aten.scaled_dot_product_attention.default", Q, K, V, f(5, 7), out=f(2, 4, 5, 8),
        macs=2 * 4 * 5 * 7 * (16 + 8), muls=S, **(SOFTMAX | {"adds": S + S - R + S}),
    ),
    # causal: recorded, not discounted; two query heads share each key head
    row(
        "aten.scaled_dot_product_attention.default", Q, f(2, 2, 7, 16), f(2, 2, 7, 8), None, 0.0, True,
        kwargs={"enable_gqa": True}, out=f(2, 4, 5, 8), macs=2 * 4 * 5 * 7 * (16 + 8), muls=S, **SOFTMAX,
    ),
    row(
        "aten.scaled_dot_product_attention.default", Q, K, V, None, 0.1, out=f(2, 4, 5, 8),
        macs=2 * 4 * 5 * 7 * (16 + 8), muls=S + 2 * S, **SOFTMAX,
    ),
    row(
        "aten._scaled_dot_product_flash_attention_for_cpu.default", Q, K, V, kwargs={"attn_mask": f(5, 7)},
        out=(f(2, 4, 5, 8), f(2, 4, 5)), macs=2 * 4 * 5 * 7 * (16 + 8), muls=S,
        **(SOFTMAX | {"adds": S + S - R + S}),
    ),
    row(
        "aten._scaled_dot_product_efficient_attention.default", Q, K, V, None, False,
        out=(f(2, 4, 5, 8), f(2, 4, 5), i(), i()), macs=2 * 4 * 5 * 7 * (16 + 8), muls=S, **SOFTMAX,
    ),
    row(
        "aten._native_multi_head_attention.default", f(2, 5, 8), f(2, 5, 8), f(2, 5, 8), 8, 4, f(24, 8), f(24),
        f(8, 8), f(8), None, False, out=(f(2, 5, 8), None),
        macs=2 * 5 * 8 * (3 * 8) + 2 * (2 * 4 * 5 * 5 * 2) + 2 * 5 * 8 * 8, muls=2 * 4 * 5 * 5,
        adds=2 * 5 * 24 + 2 * 4 * 5 * (5 + 4) + 2 * 5 * 8, specials=2 * 4 * 5 * 5, divs=2 * 4 * 5 * 5,
        comparisons=2 * 4 * 5 * 4,
    ),
    # the weights are wanted, and averaged over 4 heads
    row(
        "aten._native_multi_head_attention.default", f(2, 5, 8), f(2, 5, 8), f(2, 5, 8), 8, 4, f(24, 8), f(24),
        f(8, 8), f(8), out=(f(2, 5, 8), f(2, 5, 5)),
        macs=2 * 5 * 8 * (3 * 8) + 2 * (2 * 4 * 5 * 5 * 2) + 2 * 5 * 8 * 8, muls=2 * 4 * 5 * 5,
        adds=2 * 5 * 24 + 2 * 4 * 5 * (5 + 4) + 2 * 5 * 8 + 3 * 2 * 5 * 5, specials=2 * 4 * 5 * 5,
        divs=2 * 4 * 5 * 5 + 2 * 5 * 5, comparisons=2 * 4 * 5 * 4,
    ),
    row(
        "aten._scaled_dot_product_fused_attention_overrideable.default", Q, K, V, f(5, 7),
        out=(f(2, 4, 5, 8), f(2, 4, 5)), macs=2 * 4 * 5 * 7 * (16 + 8), muls=S, **(SOFTMAX | {"adds": S + S - R + S}),
    ),
    # the attention above, 16 hidden features, ReLU, 2 * 5 rows of 8 normalised twice, two residual sums
    row(
        "aten._transformer_encoder_layer_fwd.default", f(2, 5, 8), 8, 4, f(24, 8), f(24), f(8, 8), f(8), False, False,
        1e-5, f(8), f(8), f(8), f(8), f(16, 8), f(16), f(8, 16), f(8), out=f(2, 5, 8),
        macs=2 * 5 * 8 * (3 * 8) + 2 * (2 * 4 * 5 * 5 * 2) + 2 * 5 * 8 * 8 + 2 * (2 * 5 * 8 * 16),
        muls=2 * 4 * 5 * 5 + 2 * (3 * 80),
        adds=2 * 5 * 24 + 2 * 4 * 5 * (5 + 4) + 2 * 5 * 8 + 2 * 5 * (16 + 8) + 2 * (10 * (7 + 8 + 7 + 1) + 80) + 2 * 80,
        specials=2 * 4 * 5 * 5 + 2 * 10, divs=2 * 4 * 5 * 5 + 2 * 20, comparisons=2 * 4 * 5 * 4 + 2 * 5 * 16,
    ),
]  # fmt: skip

X = 2 * 6 * 4 * 5  # elements of the examples below: batch 2, 6 channels, 4 x 5
IMAGE = f(2, 6, 4, 5)
NORM = [
    # per channel: var + eps, beta - mean*scale; mean*scale, gamma*rsqrt; rsqrt. Per element: one of each.
    row(
        "aten.batch_norm.default", IMAGE, f(6), f(6), f(6), f(6), False, 0.1, 1e-5, True, out=IMAGE,
        adds=X + 2 * 6, muls=X + 2 * 6, specials=6,
    ),
    row(
        "aten.batch_norm.default", IMAGE, None, None, f(6), f(6), False, 0.1, 1e-5, True, out=IMAGE,
        adds=X + 6, muls=X + 6, specials=6,
    ),
    row(
        "aten._native_batch_norm_legit_no_training.default", IMAGE, f(6), f(6), f(6), f(6), 0.1, 1e-5,
        out=(IMAGE, f(0), f(0)), adds=X + 2 * 6, muls=X + 2 * 6, specials=6,
    ),
    # training: mean and variance of 2*4*5 elements a channel, and the running averages
    row(
        "aten.batch_norm.default", IMAGE, f(6), f(6), f(6), f(6), True, 0.1, 1e-5, True, out=IMAGE,
        adds=X + 2 * 6 + (6 * 39 + X + 6 * 39) + 2 * 6, muls=X + 2 * 6 + X + 5 * 6, divs=2 * 6, specials=6,
    ),
    row(
        "aten._native_batch_norm_legit.no_stats", IMAGE, None, None, True, 0.1, 1e-5, out=(IMAGE, f(6), f(6)),
        adds=X + 6 + (6 * 39 + X + 6 * 39), muls=X + 6 + X, divs=2 * 6, specials=6,
    ),
    row(
        "aten.instance_norm.default", IMAGE, None, None, None, None, True, 0.1, 1e-5, True, out=IMAGE,
        adds=X + 12 + (12 * 19 + X + 12 * 19), muls=X + 12 + X, divs=2 * 12, specials=12,
    ),
    row(
        "aten.layer_norm.default", f(2, 6, 20), (20,), f(20), f(20), out=f(2, 6, 20),
        adds=(12 * 19 + X + 12 * 19) + 12 + X, muls=X + X + X, divs=2 * 12, specials=12,
    ),
    row(
        "aten.native_layer_norm.default", f(2, 6, 20), (6, 20), None, None, 1e-5, out=(f(2, 6, 20), f(2), f(2)),
        adds=(2 * 119 + X + 2 * 119) + 2, muls=X + X, divs=2 * 2, specials=2,
    ),
    row(
        "aten.group_norm.default", IMAGE, 3, f(6), f(6), out=IMAGE,
        adds=(6 * 39 + X + 6 * 39) + 6 + X, muls=X + X + X, divs=2 * 6, specials=6,
    ),
    row(
        "aten.native_group_norm.default", IMAGE, f(6), f(6), 2, 6, 20, 3, 1e-5, out=(IMAGE, f(2, 3), f(2, 3)),
        adds=(6 * 39 + X + 6 * 39) + 6 + X, muls=X + X + X, divs=2 * 6, specials=6,
    ),
    row(
        "aten.rms_norm.default", f(2, 6, 20), (20,), f(20), 1e-6, out=f(2, 6, 20),
        adds=12 * 19 + 12, muls=X + X + X, divs=12, specials=12,
    ),
    row("aten.rms_norm.default", f(12, 20), (20,), out=f(12, 20), adds=12 * 19 + 12, muls=X + X, divs=12, specials=12),
    row("aten.linalg_vector_norm.default", f(12, 20), 2, (1,), out=f(12), muls=12 * 20, adds=12 * 19, specials=12),
    row("aten.linalg_vector_norm.default", f(12, 20), 1, (1,), out=f(12), comparisons=12 * 20, adds=12 * 19),
    row(
        "aten.linalg_vector_norm.default", f(12, 20), float("inf"), (1,), out=f(12), comparisons=12 * 20 + 12 * 19
    ),
    row("aten.linalg_vector_norm.default", c(12, 20), 2, (1,), out=f(12), muls=480, adds=12 * 39, specials=12),
    row("aten.norm.ScalarOpt_dim", f(12, 20), 3, (1,), out=f(12), comparisons=240, specials=240 + 12, adds=12 * 19),
    row(
        "aten._weight_norm_interface.default", f(4, 7), f(4, 1), out=(f(4, 7), f(4)),
        muls=4 * 7 + 4 * 7, adds=4 * 6, specials=4, divs=4,
    ),
    row(
        "aten.embedding_renorm_.default", f(1000, 8), i(3), 1.0, 2.0, out=f(1000, 8),
        muls=3 * 8 + 3 * 8, adds=3 * 7 + 3, specials=3, comparisons=3, divs=3,
        bytes_read=3 * 8 * 4 + 3 * 8, bytes_written=3 * 8 * 4,
    ),
    row(
        "aten._batch_norm_with_update.default", IMAGE, f(6), f(6), f(6), f(6), 0.1, 1e-5,
        out=(IMAGE, f(6), f(6), f(0)), adds=X + 2 * 6 + (6 * 39 + X + 6 * 39) + 2 * 6, muls=X + 2 * 6 + X + 5 * 6,
        divs=2 * 6, specials=6,
    ),
    row("aten.frobenius_norm.dim", f(12, 20), (1,), out=f(12), muls=12 * 20, adds=12 * 19, specials=12),
    row(
        "aten.renorm.default", f(4, 7), 2, 0, 1.0, out=f(4, 7),
        muls=28 + 28, adds=4 * 6 + 4, specials=4, comparisons=4, divs=4,
    ),
]  # fmt: skip

ACTIVATION = [
    row("aten.relu.default", f(2, 9), out=f(2, 9), comparisons=2 * 9),
    row("aten.relu_.default", f(2, 9), out=f(2, 9), comparisons=2 * 9),
    row("aten.hardtanh.default", f(2, 9), 0.0, 6.0, out=f(2, 9), comparisons=2 * 2 * 9),
    row("aten.leaky_relu.default", f(2, 9), 0.2, out=f(2, 9), comparisons=18, muls=18),
    row("aten.prelu.default", f(2, 9), f(9), out=f(2, 9), comparisons=18, muls=18),
    row("aten.elu.default", f(2, 9), out=f(2, 9), comparisons=18, specials=18, adds=18, muls=18),
    row("aten.elu.default", f(2, 9), 1.67, 1.05, out=f(2, 9), comparisons=18, specials=18, adds=18, muls=2 * 18),
    row("aten.selu.default", f(2, 9), out=f(2, 9), comparisons=18, specials=18, adds=18, muls=2 * 18),
    row("aten.gelu.default", f(2, 9), out=f(2, 9), muls=3 * 18, adds=18, specials=18),
    row(
        "aten.gelu.default", f(2, 9), kwargs={"approximate": "tanh"}, out=f(2, 9), muls=6 * 18, adds=2 * 18, specials=18
    ),
    row("aten.silu.default", f(2, 9), out=f(2, 9), muls=18, specials=18),
    row("aten.mish.default", f(2, 9), out=f(2, 9), muls=18, specials=3 * 18),
    row("aten.sigmoid.default", f(2, 9), out=f(2, 9), specials=18),
    row("aten.tanh_.default", f(2, 9), out=f(2, 9), specials=18),
    row("aten.hardswish.default", f(2, 9), out=f(2, 9), adds=18, comparisons=2 * 18, muls=18, divs=18),
    row("aten.hardsigmoid.default", f(2, 9), out=f(2, 9), adds=18, comparisons=2 * 18, divs=18),
    row("aten.softplus.default", f(2, 9), out=f(2, 9), comparisons=18, muls=18, specials=2 * 18, divs=18),
    row("aten.log_sigmoid_forward.default", f(2, 9), out=(f(2, 9), f(0)), comparisons=36, adds=36, specials=36),
    row("aten.glu.default", f(2, 10), out=f(2, 5), muls=2 * 5, specials=2 * 5),
    row("aten.logit.default", f(2, 9), 1e-6, out=f(2, 9), adds=18, divs=18, specials=18, comparisons=36),
    row("aten.softmax.int", f(4, 7), -1, out=f(4, 7), comparisons=4 * 6, adds=4 * 7 + 4 * 6, specials=28, divs=28),
    row("aten._softmax.default", f(4, 7), 0, False, out=f(4, 7), comparisons=3 * 7, adds=28 + 21, specials=28, divs=28),
    row(
        "aten._safe_softmax.default", f(4, 7), 1, out=f(4, 7),
        comparisons=4 * 6 + 28, adds=28 + 24, specials=28, divs=28,
    ),
    row("aten.log_softmax.int", f(4, 7), 1, out=f(4, 7), comparisons=4 * 6, adds=2 * 28 + 4 * 6, specials=28 + 4),
    row("aten.dropout.default", f(4, 7), 0.5, False, out=f(4, 7), bytes_read=0, bytes_written=0),
    row("aten.dropout.default", f(4, 7), 0.5, True, out=f(4, 7), muls=2 * 28),
    row("aten.alpha_dropout.default", f(4, 7), 0.5, True, out=f(4, 7), muls=3 * 28, adds=3 * 28),
    row("aten.relu6.default", f(2, 9), out=f(2, 9), comparisons=2 * 18),
    row("aten.threshold.default", f(2, 9), 0.1, 0.0, out=f(2, 9), comparisons=18),
    row("aten._prelu_kernel.default", f(2, 9), f(1, 9), out=f(2, 9), comparisons=18, muls=18),
    row("aten.celu.default", f(2, 9), 0.5, out=f(2, 9), comparisons=18, divs=18, specials=18, adds=18, muls=18),
    row("aten.log_sigmoid.default", f(2, 9), out=f(2, 9), comparisons=36, adds=36, specials=36),
    row("aten.hardshrink.default", f(2, 9), out=f(2, 9), comparisons=2 * 18),
    row("aten.softshrink.default", f(2, 9), out=f(2, 9), comparisons=2 * 18, adds=18),
    row("aten.rrelu.default", f(2, 9), out=f(2, 9), comparisons=18, muls=18),
    row("aten.rrelu_with_noise.default", f(2, 9), f(2, 9), out=f(2, 9), comparisons=18, muls=18),
    row(
        "aten._masked_softmax.default", f(4, 7), b(4, 7), 1, out=f(4, 7),
        comparisons=4 * 6, adds=28 + 4 * 6, specials=28, divs=28,
    ),
    row("aten.softmax.int", f(), 0, out=f(), adds=1, specials=1, divs=1),
]  # fmt: skip

POOLING = [
    # resnet34's: along an axis 56 windows of 3, the first of them cut by the padding
    row(
        "aten.max_pool2d.default", f(1, 64, 112, 112), (3, 3), (2, 2), (1, 1), out=f(1, 64, 56, 56),
        comparisons=64 * ((56 * 3 - 1) ** 2 - 56 * 56),
    ),
    row(
        "aten.max_pool2d_with_indices.default", f(2, 3, 8, 8), (2, 2), out=(f(2, 3, 4, 4), i(2, 3, 4, 4)),
        comparisons=2 * 3 * 4 * 4 * (2 * 2 - 1),
    ),
    # dilation 2: taps at 0, 2, 4
    row("aten.max_pool1d.default", f(3, 9), (3,), (2,), (0,), (2,), out=f(3, 3), comparisons=3 * 3 * (3 - 1)),
    row("aten.max_pool3d.default", f(1, 2, 4, 4, 4), 2, out=f(1, 2, 2, 2, 2), comparisons=2 * 8 * (8 - 1)),
    row("aten.avg_pool2d.default", f(2, 3, 8, 8), (2, 2), (2, 2), out=f(2, 3, 4, 4), adds=96 * 3, divs=96),
    # ceil_mode: the last of the two windows over 5 elements holds 2
    row("aten.avg_pool1d.default", f(1, 1, 5), (3,), (3,), (0,), True, out=f(1, 1, 2), adds=(3 - 1) + (2 - 1), divs=2),
    row("aten.adaptive_avg_pool2d.default", f(2, 3, 7, 7), (1, 1), out=f(2, 3, 1, 1), adds=6 * (49 - 1), divs=6),
    row("aten._adaptive_avg_pool2d.default", f(1, 2, 4, 4), (4, 4), out=f(1, 2, 4, 4), divs=2 * 16),
    # 7 elements to 3 windows: 0-2, 2-4, 4-6
    row("aten.adaptive_max_pool1d.default", f(2, 7), (3,), out=(f(2, 3), i(2, 3)), comparisons=2 * 3 * (3 - 1)),
    row(
        "aten.fractional_max_pool2d.default", f(1, 2, 9, 9), (2, 2), (5, 5), f(1, 2, 2),
        out=(f(1, 2, 5, 5), i(1, 2, 5, 5)), comparisons=2 * 5 * 5 * 3,
    ),
    row("aten.max_unpool2d.default", f(2, 3, 4, 4), i(2, 3, 4, 4), (8, 8), out=f(2, 3, 8, 8)),
    row("aten.avg_pool3d.default", f(1, 2, 4, 4, 4), (2, 2, 2), out=f(1, 2, 2, 2, 2), adds=2 * 8 * 7, divs=2 * 8),
    row("aten.adaptive_avg_pool1d.default", f(2, 7), (3,), out=f(2, 3), adds=2 * 3 * (3 - 1), divs=2 * 3),
    row("aten.adaptive_avg_pool3d.default", f(1, 2, 4, 4, 4), (1, 2, 4), out=f(1, 2, 1, 2, 4), adds=2 * 8 * 7, divs=16),
    row(
        "aten.adaptive_max_pool2d.default", f(1, 2, 7, 4), (3, 2), out=(f(1, 2, 3, 2), i(1, 2, 3, 2)),
        comparisons=2 * 3 * 2 * (3 * 2 - 1),
    ),
    row(
        "aten.adaptive_max_pool3d.default", f(2, 4, 4, 4), (2, 2, 2), out=(f(2, 2, 2, 2), i(2, 2, 2, 2)),
        comparisons=2 * 8 * 7,
    ),
]  # fmt: skip

RESAMPLE = [
    row("aten.upsample_nearest2d.vec", f(1, 3, 4, 4), None, (2.0, 2.0), out=f(1, 3, 8, 8)),
    row("aten.upsample_linear1d.default", f(1, 3, 4), (8,), False, out=f(1, 3, 8), muls=24 * 2, adds=24),
    row(
        "aten.upsample_bilinear2d.vec", f(1, 3, 4, 4), (8, 8), False, None, out=f(1, 3, 8, 8),
        muls=3 * 8 * 8 * 6, adds=3 * 8 * 8 * 3,
    ),
    row(
        "aten.upsample_trilinear3d.vec", f(1, 3, 2, 2, 2), (4, 4, 4), False, None, out=f(1, 3, 4, 4, 4),
        muls=3 * 64 * 14, adds=3 * 64 * 7,
    ),
    row(
        "aten.upsample_bicubic2d.vec", f(1, 3, 4, 4), (8, 8), False, None, out=f(1, 3, 8, 8),
        muls=3 * 8 * 8 * 5 * 4, adds=3 * 8 * 8 * 5 * 3,
    ),
    # 8 to 4: a filter of width 4 around 1, 3, 5, 7 holds 3, 4, 4, 3 inputs; the height stays
    row(
        "aten._upsample_bilinear2d_aa.default", f(1, 2, 5, 8), (5, 4), False, out=f(1, 2, 5, 4),
        muls=2 * 5 * (3 + 4 + 4 + 3), adds=2 * 5 * (14 - 4),
    ),
    row(
        "aten._upsample_bilinear2d_aa.vec", f(1, 2, 8, 8), (4, 4), False, None, out=f(1, 2, 4, 4),
        muls=2 * (8 + 4) * 14, adds=2 * (8 + 4) * (14 - 4),
    ),
    row(
        "aten.grid_sampler_2d.default", f(1, 3, 8, 8), f(1, 4, 5, 2), 0, 0, False, out=f(1, 3, 4, 5),
        muls=20 * (2 + 4) + 3 * 20 * 4, adds=20 * (2 * 2 + 2 * 2) + 3 * 20 * 3, divs=20 * 2, comparisons=20 * 4,
        specials=20 * 2,
    ),
    row(
        "aten.grid_sampler.default", f(1, 3, 8, 8), f(1, 4, 5, 2), 1, 0, False, out=f(1, 3, 4, 5),
        muls=40, adds=80, divs=40, comparisons=80, specials=40,
    ),
    row("aten.affine_grid_generator.default", f(2, 2, 3), (2, 9, 4, 5), False, out=f(2, 4, 5, 2), macs=2 * 20 * 3 * 2),
    row(
        "aten.affine_grid_generator.default", f(1, 3, 4), (1, 9, 4, 5, 6), False,
        out=f(1, 4, 5, 6, 3), macs=120 * 4 * 3,
    ),
    row("aten.col2im.default", f(2, 12, 12), (4, 5), (2, 2), (1, 1), (0, 0), (1, 1), out=f(2, 3, 4, 5), adds=2 * 144),
    row("aten.im2col.default", f(2, 3, 4, 5), (2, 2), (1, 1), (0, 0), (1, 1), out=f(2, 12, 12)),
    # with corners aligned 9 to 5 is in steps of (9 - 1) / (5 - 1): a filter of 4 around 1, 3, 5, 7, 9
    row(
        "aten._upsample_bilinear2d_aa.default", f(1, 2, 5, 9), (5, 5), True, out=f(1, 2, 5, 5),
        muls=2 * 5 * (3 + 4 + 4 + 4 + 2), adds=2 * 5 * (17 - 5),
    ),
    # growing, a cubic filter of 4 around 0.25, 0.75, 1.25, 1.75, cut off at both ends
    row(
        "aten._upsample_bicubic2d_aa.default", f(1, 2, 2, 9), (4, 9), False, out=f(1, 2, 4, 9),
        muls=2 * 9 * (2 + 2 + 2 + 2), adds=2 * 9 * (8 - 4),
    ),
    row(
        "aten.grid_sampler_2d.default", f(1, 3, 8, 8), f(1, 4, 5, 2), 2, 0, False, out=f(1, 3, 4, 5),
        muls=20 * (2 + 2 * (2 * 3 + 2 * 3)) + 60 * 5 * 4, adds=20 * (2 * 2 + 2 * (3 + 2 * 2 + 2 * 3)) + 60 * 5 * 3,
        divs=20 * 2, comparisons=20 * 4, specials=20 * 2,
    ),
    row(
        "aten.grid_sampler_3d.default", f(1, 2, 8, 8, 8), f(1, 1, 4, 5, 3), 0, 0, False, out=f(1, 2, 1, 4, 5),
        muls=20 * (3 + 8 * 2) + 40 * 8, adds=20 * (3 * 2 + 3 * 2) + 40 * 7, divs=60, comparisons=120, specials=60,
    ),
    row("aten.unfold_backward.default", f(2, 3, 4), (2, 8), 1, 4, 2, out=f(2, 8), adds=24),
]  # fmt: skip

# input 3, hidden 5, batch 2, 7 steps
LSTM = (f(20, 3), f(20, 5), f(20), f(20))
RECURRENT = [
    row(
        "aten.lstm.input", f(7, 2, 3), (f(1, 2, 5), f(1, 2, 5)), LSTM, True, 1, 0.0, False, False, False,
        out=(f(7, 2, 5), f(1, 2, 5), f(1, 2, 5)),
        macs=7 * 2 * 4 * 5 * (3 + 5), adds=7 * 2 * 5 * (4 + 2 * 4 + 1), muls=7 * 2 * 5 * 3, specials=7 * 2 * 5 * 5,
    ),
    # two layers, both directions, no biases; the second layer reads 2 * 5 features
    row(
        "aten.lstm.input", f(2, 7, 3), (f(4, 2, 5), f(4, 2, 5)), (f(20, 3), f(20, 5)) * 2 + (f(20, 10), f(20, 5)) * 2,
        False, 2, 0.0, False, True, True, out=(f(2, 7, 10), f(4, 2, 5), f(4, 2, 5)),
        macs=2 * 7 * 4 * 5 * 2 * ((3 + 5) + (10 + 5)), adds=4 * 7 * 2 * 5 * (4 + 1), muls=4 * 7 * 2 * 5 * 3,
        specials=4 * 7 * 2 * 5 * 5,
    ),
    # projected to 2
    row(
        "aten.lstm.input", f(7, 2, 3), (f(1, 2, 2), f(1, 2, 5)), (f(20, 3), f(20, 2), f(20), f(20), f(2, 5)), True, 1,
        0.0, False, False, False, out=(f(7, 2, 2), f(1, 2, 2), f(1, 2, 5)),
        macs=7 * 2 * (4 * 5 * (3 + 2) + 2 * 5), adds=7 * 2 * 5 * 13, muls=7 * 2 * 5 * 3, specials=7 * 2 * 5 * 5,
    ),
    # packed: lengths 7 and 4
    row(
        "aten.lstm.data", f(11, 3), i(7), (f(1, 2, 5), f(1, 2, 5)), LSTM, True, 1, 0.0, False, False,
        out=(f(11, 5), f(1, 2, 5), f(1, 2, 5)),
        macs=(7 + 4) * 4 * 5 * (3 + 5), adds=11 * 5 * 13, muls=11 * 5 * 3, specials=11 * 5 * 5,
    ),
    row(
        "aten.mkldnn_rnn_layer.default", f(7, 2, 3), *LSTM, f(2, 5), f(2, 5), False, (), 2, 5, 1, True, False, False,
        False, out=(f(7, 2, 5), f(2, 5), f(2, 5), f(0)),
        macs=7 * 2 * 4 * 5 * (3 + 5), adds=7 * 2 * 5 * 13, muls=7 * 2 * 5 * 3, specials=7 * 2 * 5 * 5,
    ),
    row(
        "aten.gru.input", f(7, 2, 3), f(1, 2, 5), (f(15, 3), f(15, 5), f(15), f(15)), True, 1, 0.0, False, False,
        False, out=(f(7, 2, 5), f(1, 2, 5)),
        macs=7 * 2 * 3 * 5 * (3 + 5), adds=7 * 2 * 5 * (3 + 2 * 3 + 2), muls=7 * 2 * 5 * 2, specials=7 * 2 * 5 * 3,
    ),
    row(
        "aten.rnn_tanh.input", f(7, 2, 3), f(1, 2, 5), (f(5, 3), f(5, 5)), False, 1, 0.0, False, False, False,
        out=(f(7, 2, 5), f(1, 2, 5)), macs=7 * 2 * 5 * (3 + 5), adds=7 * 2 * 5, specials=7 * 2 * 5,
    ),
    row(
        "aten.lstm_cell.default", f(2, 3), (f(2, 5), f(2, 5)), *LSTM, out=(f(2, 5), f(2, 5)),
        macs=2 * 4 * 5 * (3 + 5), adds=2 * 5 * 13, muls=2 * 5 * 3, specials=2 * 5 * 5,
    ),
    row(
        "aten.rnn_relu_cell.default", f(2, 3), f(2, 5), f(5, 3), f(5, 5), out=f(2, 5),
        macs=2 * 5 * (3 + 5), adds=2 * 5, comparisons=2 * 5,
    ),
    row(
        "aten._thnn_fused_lstm_cell.default", f(2, 20), f(2, 20), f(2, 5), f(20), f(20),
        out=(f(2, 5), f(2, 5), f(2, 20)), adds=2 * 5 * 13, muls=2 * 5 * 3, specials=2 * 5 * 5,
    ),
    row(
        "aten.gru.data", f(11, 3), i(7), f(1, 2, 5), (f(15, 3), f(15, 5), f(15), f(15)), True, 1, 0.0, False, False,
        out=(f(11, 5), f(1, 2, 5)),
        macs=11 * 3 * 5 * (3 + 5), adds=11 * 5 * (3 + 2 * 3 + 2), muls=11 * 5 * 2, specials=11 * 5 * 3,
    ),
    row(
        "aten.rnn_tanh.data", f(11, 3), i(7), f(1, 2, 5), (f(5, 3), f(5, 5)), False, 1, 0.0, False, False,
        out=(f(11, 5), f(1, 2, 5)), macs=11 * 5 * (3 + 5), adds=11 * 5, specials=11 * 5,
    ),
    row(
        "aten.rnn_relu.data", f(11, 3), i(7), f(1, 2, 5), (f(5, 3), f(5, 5)), False, 1, 0.0, False, False,
        out=(f(11, 5), f(1, 2, 5)), macs=11 * 5 * (3 + 5), adds=11 * 5, comparisons=11 * 5,
    ),
    # dropout between the two layers, in training
    row(
        "aten.rnn_relu.input", f(7, 2, 3), f(2, 2, 5), (f(5, 3), f(5, 5), f(5, 5), f(5, 5)), False, 2, 0.5, True,
        False, False, out=(f(7, 2, 5), f(2, 2, 5)),
        macs=7 * 2 * 5 * (3 + 5 + 5 + 5), adds=2 * 7 * 2 * 5, comparisons=2 * 7 * 2 * 5, muls=2 * 7 * 2 * 5,
    ),
    row(
        "aten.gru_cell.default", f(2, 3), f(2, 5), f(15, 3), f(15, 5), f(15), f(15), out=f(2, 5),
        macs=2 * 3 * 5 * (3 + 5), adds=2 * 5 * 11, muls=2 * 5 * 2, specials=2 * 5 * 3,
    ),
    row(
        "aten.rnn_tanh_cell.default", f(2, 3), f(2, 5), f(5, 3), f(5, 5), f(5), f(5), out=f(2, 5),
        macs=2 * 5 * (3 + 5), adds=2 * 5 * 3, specials=2 * 5,
    ),
    row(
        "aten._thnn_fused_gru_cell.default", f(2, 15), f(2, 15), f(2, 5), f(15), f(15), out=(f(2, 5), f(2, 25)),
        adds=2 * 5 * 11, muls=2 * 5 * 2, specials=2 * 5 * 3,
    ),
]  # fmt: skip

MOVEMENT = [
    # 6 rows of 8 numbers of 4 bytes are read, not the table of 1000
    row("aten.embedding.default", f(1000, 8), i(2, 3), out=f(2, 3, 8), bytes_read=6 * 8 * 4 + 6 * 8),
    row(
        "aten._embedding_bag.default", f(1000, 8), i(6), i(2), False, 1, out=(f(2, 8), i(6), i(2), i(2)),
        adds=(6 - 2) * 8, divs=2 * 8, bytes_read=6 * 8 * 4 + 6 * 8 + 2 * 8,
    ),
    row(
        "aten.embedding_bag.padding_idx", f(1000, 8), i(6), i(2), False, 0, False, f(6), False, None,
        out=(f(2, 8), i(6), i(2), i(2)), adds=(6 - 2) * 8, muls=6 * 8, bytes_read=6 * 8 * 4 + 6 * 8 + 2 * 8 + 6 * 4,
    ),
    row(
        "aten._embedding_bag.default", f(1000, 8), i(6), i(2), False, 2, out=(f(2, 8), i(6), i(2), i(2, 8)),
        comparisons=(6 - 2) * 8, bytes_read=6 * 8 * 4 + 6 * 8 + 2 * 8,
    ),
    row("aten.index_select.default", f(1000, 8), 0, i(3), out=f(3, 8), bytes_read=3 * 8 * 4 + 3 * 8),
    row("aten.index.Tensor", f(1000, 8), (None, i(3)), out=f(1000, 3), bytes_read=3000 * 4 + 3 * 8),
    row("aten.gather.default", f(9, 8), 1, i(9, 2), out=f(9, 2), bytes_read=18 * 4 + 18 * 8),
    row(
        "aten.index_put_.default", f(1000, 8), (i(3),), f(3, 8), out=f(1000, 8),
        bytes_read=3 * 8 + 24 * 4, bytes_written=24 * 4,
    ),
    row(
        "aten.index_put_.default", f(1000, 8), (i(3),), f(3, 8), True, out=f(1000, 8),
        adds=24, bytes_read=3 * 8 + 24 * 4 + 24 * 4, bytes_written=24 * 4,
    ),
    row("aten.index_put.default", f(1000, 8), (i(3),), f(3, 8), out=f(1000, 8)),
    row("aten.scatter_.value", f(9, 8), 1, i(9, 1), 1.0, out=f(9, 8), bytes_read=9 * 8, bytes_written=9 * 4),
    row("aten.scatter_add.default", f(9, 8), 0, i(20, 8), f(20, 8), out=f(9, 8), adds=20 * 8),
    row("aten.index_add.default", f(9, 8), 0, i(20), f(20, 8), kwargs={"alpha": 2}, out=f(9, 8), adds=160, muls=160),
    row("aten.to.dtype", f(9), "float32", out=f(9), bytes_read=0, bytes_written=0),
    row("aten.to.dtype", f(9), "float16", out=Tensor((9,), "float16"), bytes_read=9 * 4, bytes_written=9 * 2),
    row("aten.copy_.default", f(9, 8), f(8), out=f(9, 8), bytes_read=8 * 4, bytes_written=72 * 4),
    row("aten.cat.default", (f(2, 3), f(4, 3)), out=f(6, 3), bytes_read=6 * 3 * 4, bytes_written=6 * 3 * 4),
    row("aten.constant_pad_nd.default", f(1, 4), (1, 1), out=f(1, 6), bytes_read=4 * 4, bytes_written=6 * 4),
    row("aten.view.default", f(2, 3), (6,), out=f(6), bytes_read=0, bytes_written=0),
    row("aten.zeros_like.default", f(2, 3), out=f(2, 3), bytes_read=0, bytes_written=6 * 4),
    row("aten.fill_.Scalar", f(2, 3), 1, out=f(2, 3), bytes_read=0, bytes_written=6 * 4),
    row("aten.empty.memory_format", (2, 3), out=f(2, 3), bytes_read=0, bytes_written=0),
    row("aten.scatter.src", f(9, 8), 1, i(9, 1), f(9, 1), out=f(9, 8)),
    row("aten.scatter.reduce", f(9, 8), 1, i(9, 1), f(9, 1), kwargs={"reduce": "multiply"}, out=f(9, 8), muls=9),
    row("aten.scatter.reduce", f(9, 8), 1, i(9, 1), f(9, 1), kwargs={"reduce": "add"}, out=f(9, 8), adds=9),
    row(
        "aten.scatter_add_.default", f(9, 8), 0, i(20, 8), f(20, 8), out=f(9, 8), adds=160,
        bytes_read=160 * 8 + 160 * 4 + 160 * 4, bytes_written=160 * 4,
    ),
    row("aten.scatter_reduce.two", f(9, 8), 0, i(20, 8), f(20, 8), "sum", out=f(9, 8), adds=160),
    row("aten.scatter_reduce.two", f(9, 8), 0, i(20, 8), f(20, 8), "mean", out=f(9, 8), adds=160, divs=72),
    row("aten.scatter_reduce.two", f(9, 8), 0, i(20, 8), f(20, 8), "prod", out=f(9, 8), muls=160),
    row("aten.scatter_reduce.two", f(9, 8), 0, i(20, 8), f(20, 8), "amax", out=f(9, 8), comparisons=160),
    row(
        "aten.scatter_reduce_.two", f(9, 8), 0, i(20, 8), f(20, 8), "amin", out=f(9, 8), comparisons=160,
        bytes_read=160 * 8 + 160 * 4 + 160 * 4, bytes_written=160 * 4,
    ),
    row("aten.index_copy.default", f(9, 8), 0, i(2), f(2, 8), out=f(9, 8)),
    row(
        "aten.index_copy_.default", f(9, 8), 0, i(2), f(2, 8), out=f(9, 8),
        bytes_read=2 * 8 + 16 * 4, bytes_written=16 * 4,
    ),
    row(
        "aten.index_add_.default", f(9, 8), 0, i(20), f(20, 8), out=f(9, 8), adds=160,
        bytes_read=20 * 8 + 160 * 4 + 160 * 4, bytes_written=160 * 4,
    ),
    row("aten.index_fill.int_Scalar", f(9, 8), 0, i(2), 1.0, out=f(9, 8)),
    row("aten.index_fill_.int_Scalar", f(9, 8), -1, i(2), 1.0, out=f(9, 8), bytes_read=2 * 8, bytes_written=2 * 9 * 4),
    # a mask of booleans selects everything, at most
    row("aten.index_put_.default", f(9, 8), (b(9, 8),), f(), out=f(9, 8), bytes_read=72 + 4, bytes_written=72 * 4),
]  # fmt: skip

ELEMENTWISE = [
    row("aten.add.Tensor", f(2, 1, 5), f(3, 1), out=f(2, 3, 5), adds=2 * 3 * 5),
    row("aten.add_.Tensor", f(4), f(4), kwargs={"alpha": 2}, out=f(4), adds=4, muls=4),
    row("aten.rsub.Scalar", f(4), 1, out=f(4), adds=4),
    row("aten.add.Tensor", i(4), i(4), out=i(4)),
    row("aten.mul.Tensor", i(4), 0.5, out=f(4), muls=4),
    row("aten.add.Tensor", c(4), c(4), out=c(4), adds=2 * 4),
    row("aten.mul.Tensor", c(4), c(4), out=c(4), muls=4 * 4, adds=2 * 4),
    row("aten.div.Tensor", c(4), c(4), out=c(4), muls=6 * 4, adds=3 * 4, divs=2 * 4),
    row("aten.abs.default", c(4), out=f(4), muls=2 * 4, adds=4, specials=4),
    row("aten.abs.default", f(4), out=f(4), comparisons=4),
    row("aten.div.Tensor", i(4), i(4), out=f(4), divs=4),
    row("aten.div.Tensor_mode", i(4), 2, kwargs={"rounding_mode": "floor"}, out=i(4)),
    row("aten.div.Tensor_mode", f(4), 2, kwargs={"rounding_mode": "floor"}, out=f(4), divs=4, specials=4),
    row("aten.pow.Tensor_Scalar", f(4), 2, out=f(4), muls=4),
    row("aten.pow.Tensor_Scalar", f(4), 3, out=f(4), muls=2 * 4),
    row("aten.pow.Tensor_Scalar", f(4), 0.5, out=f(4), specials=4),
    row("aten.pow.Tensor_Scalar", f(4), -1, out=f(4), divs=4),
    row("aten.pow.Tensor_Tensor", f(4), f(4), out=f(4), specials=4),
    row("aten.pow.Scalar", 10000, f(4), out=f(4), specials=4),
    row("aten.rsqrt.default", f(4), out=f(4), specials=4),
    row("aten.exp.default", f(4), out=f(4), specials=4),
    row("aten.neg.default", f(4), out=f(4), adds=4),
    row("aten.clamp.default", f(4), 0.0, out=f(4), comparisons=4),
    row("aten.clamp.default", f(4), 0.0, 1.0, out=f(4), comparisons=2 * 4),
    row("aten.clamp.default", f(4), None, 1.0, out=f(4), comparisons=4),
    row("aten.maximum.default", f(4), f(4), out=f(4), comparisons=4),
    row("aten.eq.Tensor", i(4), i(4), out=b(4), comparisons=4),
    row("aten.max.other", i(4), i(4), out=i(4), comparisons=4),
    row("aten.bitwise_and.Tensor", b(4), b(4), out=b(4)),
    row("aten.lerp.Scalar", f(4), f(4), 0.1, out=f(4), adds=8, muls=4),
    row("aten.addcmul.default", f(4), f(4), f(4), out=f(4), adds=4, muls=4),
    row("aten.addcdiv.default", f(4), f(4), f(4), kwargs={"value": 2}, out=f(4), adds=4, muls=4, divs=4),
    row("aten.remainder.Scalar", f(4), 2, out=f(4), divs=4, specials=4, muls=4, adds=4),
    row("aten.where.self", b(4), f(4), f(4), out=f(4)),
    row("aten.masked_fill.Scalar", f(4), b(4), 0, out=f(4)),
    row("aten.round.default", f(4), out=f(4), specials=4),
    row("aten.round.decimals", f(4), kwargs={"decimals": 2}, out=f(4), specials=4, muls=4, divs=4),
    row("aten.angle.default", f(4), out=f(4), comparisons=4),
    row("aten.angle.default", c(4), out=f(4), specials=4),
    row("aten.exp.default", c(4), out=c(4), specials=3 * 4, muls=2 * 4),
    row("aten.sgn.default", c(4), out=c(4), muls=2 * 4, adds=4, specials=4, divs=2 * 4),
    row("aten.polar.default", f(4), f(4), out=c(4), specials=2 * 4, muls=2 * 4),
    row("aten._conj_physical.default", c(4), out=c(4), adds=4),
    row("aten.conj_physical.default", f(4), out=f(4)),
    row("aten.pow.Tensor_Scalar", f(4), 1, out=f(4)),
    row("aten.pow.Tensor_Scalar", f(4), -2, out=f(4), muls=4, divs=4),
    row("aten.pow.Tensor_Scalar", f(4), 2.5, out=f(4), specials=4),
    row("aten.sigmoid.default", i(4), out=f(4), specials=4),
    *(row(f"aten.{op}.default", f(4), out=f(4), **{name: 4 * times for name, times in unit.items()}) for op, unit in {
        "reciprocal": {"divs": 1},
        "isnan": {"comparisons": 1},
        "sign": {"comparisons": 2},
        "nan_to_num": {"comparisons": 3},
        "cos": {"specials": 1},
        "erf": {"specials": 1},
        "lgamma": {"specials": 1},
        "special_i0e": {"specials": 1},
        "floor": {"specials": 1},
        "special_expit": {"specials": 1},
        "special_entr": {"specials": 1, "muls": 1},
        "sinc": {"specials": 1, "muls": 1, "divs": 1},
        "frac": {"specials": 1, "adds": 1},
    }.items()),
    row("aten.floor_divide.default", f(4), f(4), out=f(4), divs=4, specials=4),
    row("aten.logaddexp.default", f(4), f(4), out=f(4), comparisons=8, adds=12, specials=8),
    row("aten.linalg_cross.default", f(2, 3), f(2, 3), out=f(2, 3), adds=6, muls=12),
    row("aten.__and__.Tensor", b(4), b(4), out=b(4)),
    row("aten.__lshift__.Scalar", i(4), 1, out=i(4)),
]  # fmt: skip

REDUCTION = [
    row("aten.sum.default", f(4, 7), out=f(), adds=28 - 1),
    row("aten.sum.dim_IntList", f(4, 7), (1,), out=f(4), adds=4 * 6),
    row("aten.sum.dim_IntList", i(4, 7), (1,), out=i(4)),
    row("aten.mean.dim", f(4, 7), (1,), True, out=f(4, 1), adds=4 * 6, divs=4),
    row(
        "aten.var.correction", f(4, 7), (1,), kwargs={"correction": 0},
        out=f(4), adds=4 * (6 + 7 + 6), muls=28, divs=8,
    ),
    row("aten.var_mean.correction", f(4, 7), (1,), out=(f(4), f(4)), adds=4 * (6 + 7 + 6), muls=28, divs=8),
    row("aten.std.correction", f(4, 7), (1,), out=f(4), adds=4 * (6 + 7 + 6), muls=28, divs=8, specials=4),
    row("aten.max.dim", f(4, 7), 1, out=(f(4), i(4)), comparisons=4 * 6),
    row("aten.amax.default", f(4, 7), (0, 1), out=f(), comparisons=27),
    row("aten.argmax.default", i(4, 7), 1, out=i(4), comparisons=4 * 6),
    row("aten.any.default", b(4, 7), out=b()),
    row("aten.cumsum.default", f(4, 7), 1, out=f(4, 7), adds=4 * 6),
    row("aten.cumsum.default", i(4, 7), 1, out=i(4, 7)),
    row("aten.prod.dim_int", f(4, 7), 1, out=f(4), muls=4 * 6),
    row("aten.logsumexp.default", f(4, 7), (1,), out=f(4), comparisons=24, adds=28 + 24 + 4, specials=28 + 4),
    row("aten.sort.default", f(4, 8), out=(f(4, 8), i(4, 8)), comparisons=4 * 8 * 3),
    row("aten.topk.default", f(4, 7), 2, out=(f(4, 2), i(4, 2)), comparisons=28 + 4 * 2 * 1),
    row("aten.nonzero.default", b(4, 7), out=i(3, 2), comparisons=28),
    row(
        "aten._cdist_forward.default", f(3, 5), f(4, 5), 2.0, None,
        out=f(3, 4), adds=60 + 12 * 4, muls=60, specials=12,
    ),
    row("aten._cdist_forward.default", f(3, 5), f(4, 5), 1.0, None, out=f(3, 4), adds=60 + 12 * 4, comparisons=60),
    row("aten._pdist_forward.default", f(4, 5), 2.0, out=f(6), adds=30 + 6 * 4, muls=30, specials=6),
    row("aten.pairwise_distance.default", f(3, 5), f(3, 5), out=f(3), adds=15 + 15 + 3 * 4, muls=15, specials=3),
    row(
        "aten.cosine_similarity.default", f(3, 5), f(3, 5), out=f(3),
        muls=3 * (3 * 5 + 1), adds=3 * 3 * 4, divs=3, specials=3 * 2, comparisons=3 * 2,
    ),
    row("aten.searchsorted.Tensor", f(7), f(2, 5), out=i(2, 5), comparisons=2 * 5 * 3),
    row("aten.bucketize.Tensor", f(2, 5), f(7), out=i(2, 5), comparisons=2 * 5 * 3),
    row("aten.nansum.default", f(4, 7), (1,), out=f(4), adds=4 * 6),
    row("aten.cumprod.default", f(4, 7), 0, out=f(4, 7), muls=3 * 7),
    row("aten.cummax.default", f(4, 7), 1, out=(f(4, 7), i(4, 7)), comparisons=4 * 6),
    row("aten.cummin.default", f(4, 7), 1, out=(f(4, 7), i(4, 7)), comparisons=4 * 6),
    row("aten.logcumsumexp.default", f(4, 7), 1, out=f(4, 7), comparisons=2 * 24, adds=3 * 24, specials=2 * 24),
    row("aten.min.default", f(4, 7), out=f(), comparisons=27),
    row("aten.amin.default", f(4, 7), (1,), out=f(4), comparisons=4 * 6),
    row("aten.argmin.default", f(4, 7), 1, out=i(4), comparisons=4 * 6),
    row("aten.aminmax.default", f(4, 7), kwargs={"dim": 1}, out=(f(4), f(4)), comparisons=2 * 4 * 6),
    row("aten.all.dim", b(4, 7), 1, out=b(4)),
    row("aten.sum.default", c(7), out=c(), adds=2 * 6),
    row("aten.mean.default", c(7), out=c(), adds=2 * 6, divs=2),
    row("aten.trace.default", f(4, 7), out=f(), adds=4 - 1),
    row("aten.median.default", f(7), out=f(), comparisons=7),
    row("aten._unique2.default", i(8), out=(i(5), i(8), i(5)), comparisons=8 * 3 + 7),
    row("aten.isin.Tensor_Tensor", i(4), i(3), out=b(4), comparisons=4 * 3),
    row("aten.diff.default", f(4, 7), out=f(4, 6), adds=4 * 6),
    row("aten.topk.default", f(4, 7), 2, 1, True, False, out=(f(4, 2), i(4, 2)), comparisons=28),
]  # fmt: skip

FFT = [
    # 8 points: 4 butterflies on each of 3 levels, of 4 multiplications and 6 additions
    row("aten._fft_c2c.default", c(2, 8), (1,), 0, True, out=c(2, 8), muls=2 * 4 * 3 * 4, adds=2 * 4 * 3 * 6),
    row("aten.fft_fft.default", c(2, 8), out=c(2, 8), muls=2 * 4 * 3 * 4, adds=2 * 4 * 3 * 6),
    row("aten.fft_ifft.default", c(2, 8), out=c(2, 8), muls=2 * 4 * 3 * 4 + 2 * 2 * 8, adds=2 * 4 * 3 * 6),
    row("aten._fft_r2c.default", f(2, 8), (1,), 0, True, out=c(2, 5), muls=2 * 4 * 3 * 2, adds=2 * 4 * 3 * 3),
    row("aten._fft_c2r.default", c(2, 5), (1,), 2, 8, out=f(2, 8), muls=2 * 4 * 3 * 2 + 16, adds=2 * 4 * 3 * 3),
    # a plane of 4 x 8 = 32 points: 16 butterflies on 5 levels
    row("aten.fft_rfft2.default", f(3, 4, 8), out=c(3, 4, 5), muls=3 * 16 * 5 * 2, adds=3 * 16 * 5 * 3),
    row(
        "aten.fft_rfft2.default", f(3, 4, 8), None, (-2, -1), "ortho", out=c(3, 4, 5),
        muls=3 * 16 * 5 * 2 + 2 * 60, adds=3 * 16 * 5 * 3,
    ),
    row("aten.fft_irfft2.default", c(3, 4, 5), (4, 8), out=f(3, 4, 8), muls=3 * 16 * 5 * 2 + 96, adds=3 * 16 * 5 * 3),
    row("aten.fft_fftn.default", c(4, 8), out=c(4, 8), muls=16 * 5 * 4, adds=16 * 5 * 6),
    row("aten.fft_fft2.default", c(4, 8), out=c(4, 8), muls=16 * 5 * 4, adds=16 * 5 * 6),
    row("aten.fft_ifft2.default", c(4, 8), out=c(4, 8), muls=16 * 5 * 4 + 2 * 32, adds=16 * 5 * 6),
    row("aten.fft_ifftn.default", c(4, 8), None, None, "forward", out=c(4, 8), muls=16 * 5 * 4, adds=16 * 5 * 6),
    row("aten.fft_rfft.default", f(2, 8), out=c(2, 5), muls=2 * 4 * 3 * 2, adds=2 * 4 * 3 * 3),
    # padded from 6 to 8
    row("aten.fft_rfft.default", f(2, 6), 8, out=c(2, 5), muls=2 * 4 * 3 * 2, adds=2 * 4 * 3 * 3),
    row("aten.fft_irfft.default", c(2, 5), out=f(2, 8), muls=2 * 4 * 3 * 2 + 16, adds=2 * 4 * 3 * 3),
    row("aten.fft_rfftn.default", f(3, 4, 8), (4, 8), out=c(3, 4, 5), muls=3 * 16 * 5 * 2, adds=3 * 16 * 5 * 3),
    row(
        "aten.fft_irfftn.default", c(3, 4, 5), None, (1, 2), out=f(3, 4, 8),
        muls=3 * 16 * 5 * 2 + 96, adds=3 * 16 * 5 * 3,
    ),
    row("aten._fft_c2c.default", c(2, 1), (1,), 0, True, out=c(2, 1)),
]  # fmt: skip

VISION = [
    row(
        "torchvision.roi_align.default", f(1, 4, 8, 8), f(5, 5), 1.0, 3, 3, 2, True, out=f(5, 4, 3, 3),
        muls=180 * 4 * 4, adds=180 * (4 * 3 + 3), divs=180,
    ),
    row(
        "torchvision.ps_roi_align.default", f(1, 8, 8, 8), f(5, 5), 1.0, 2, 2, 2, out=(f(5, 2, 2, 2), i(5, 2, 2, 2)),
        muls=40 * 4 * 4, adds=40 * (4 * 3 + 3), divs=40,
    ),
    row(
        "torchvision.roi_pool.default", f(1, 4, 8, 8), f(5, 5), 1.0, 2, 2, out=(f(5, 4, 2, 2), i(5, 4, 2, 2)),
        comparisons=5 * 4 * (64 - 4),
    ),
    row(
        "torchvision.nms.default", f(4, 4), f(4), 0.5, out=i(2),
        comparisons=4 * 2 + 6 * 7, adds=4 * 2 + 6 * 4, muls=4 + 6, divs=6,
    ),
    row(
        "torchvision.deform_conv2d.default", f(1, 4, 8, 8), f(6, 4, 3, 3), f(1, 18, 6, 6), f(1, 9, 6, 6), f(6),
        1, 1, 0, 0, 1, 1, 1, 1, True, out=f(1, 6, 6, 6),
        macs=6 * 36 * 4 * 9, muls=4 * 9 * 36 * 5 + 9 * 36 * 4, adds=4 * 9 * 36 * 3 + 9 * 36 * 6 + 6 * 36,
        specials=9 * 36 * 2,
    ),
    row(
        "torchvision.ps_roi_pool.default", f(1, 8, 8, 8), f(5, 5), 1.0, 2, 2, out=(f(5, 2, 2, 2), i(5, 2, 2, 2)),
        adds=5 * 2 * (64 - 4), divs=40,
    ),
    row("torchvision.nms.default", f(1, 4), f(1), 0.5, out=i(1), adds=2, muls=1),
]  # fmt: skip

LOSS = [
    row("aten.mse_loss.default", f(3, 5), f(3, 5), out=f(), adds=15 + 14, muls=15, divs=1),
    row("aten.mse_loss.default", f(3, 5), f(3, 5), 0, out=f(3, 5), adds=15, muls=15),
    row("aten.mse_loss.default", f(3, 5), f(3, 5), 2, out=f(), adds=15 + 14, muls=15),
    row("aten.huber_loss.default", f(3, 5), f(3, 5), out=f(), adds=15 + 14, comparisons=30, muls=30, divs=1),
    row(
        "aten.nll_loss_forward.default", f(3, 5), i(3), None, 1, -100, out=(f(), f()),
        adds=3 + 2, divs=1, bytes_read=3 * 4 + 3 * 8,
    ),
    row(
        "aten.binary_cross_entropy.default", f(3, 5), f(3, 5), out=f(),
        adds=15 * 3 + 14, muls=15 * 2, specials=15 * 2, comparisons=15 * 2, divs=1,
    ),
    row(
        "aten.multi_margin_loss.default", f(3, 5), i(3), out=f(),
        adds=3 * 4 * 2 + 3 * 3 + 2, comparisons=3 * 4, divs=3 + 1,
    ),
    row(
        "aten._ctc_loss.Tensor", f(8, 2, 5), i(2, 3), i(2), i(2), out=(f(2), f(2, 8, 7)),
        adds=8 * 2 * 7 * 7, specials=8 * 2 * 7 * 4, comparisons=8 * 2 * 7 * 2,
    ),
    row("aten.l1_loss.default", f(3, 5), f(3, 5), out=f(), adds=15 + 14, comparisons=15, divs=1),
    row(
        "aten.smooth_l1_loss.default", f(3, 5), f(3, 5), out=f(),
        adds=15 + 14, comparisons=2 * 15, muls=2 * 15, divs=15 + 1,
    ),
    row("aten.soft_margin_loss.default", f(3, 5), f(3, 5), out=f(), adds=2 * 15 + 14, muls=15, specials=30, divs=1),
    row(
        "aten.binary_cross_entropy_with_logits.default", f(3, 5), f(3, 5), out=f(),
        adds=4 * 15 + 14, muls=15, comparisons=30, specials=30, divs=1,
    ),
    row(
        "aten.binary_cross_entropy_with_logits.default", f(3, 5), f(3, 5), f(5), f(5), 2, out=f(),
        adds=6 * 15 + 14, muls=4 * 15, comparisons=30, specials=30, bytes_read=2 * 15 * 4 + 2 * 5 * 4,
    ),
    row(
        "aten.binary_cross_entropy.default", f(3, 5), f(3, 5), f(5), 0, out=f(3, 5),
        adds=15 * 3, muls=15 * 3, specials=15 * 2, comparisons=15 * 2,
    ),
    row(
        "aten.multi_margin_loss.default", f(3, 5), i(3), 2, 1, f(5), out=f(),
        adds=3 * 4 * 2 + 3 * 3 + 2, muls=3 * 4 * 2, comparisons=3 * 4, divs=3 + 1,
    ),
    # at most 2 labels against 3 other classes
    row(
        "aten.multilabel_margin_loss_forward.default", f(4, 5), i(4, 5), out=(f(), f(4, 5)),
        adds=4 * 6 * 3 + 3, comparisons=4 * 6, divs=4 + 1,
    ),
]  # fmt: skip

CONVOLUTION_BACKWARD = [
    # all three gradients: twice the forward's products, and a sum over 2 x 56 x 56 positions for each of 64 biases
    row(
        "aten.convolution_backward.default", f(2, 64, 56, 56), f(2, 64, 56, 56), f(64, 16, 3, 3), (64,), (1, 1), (1, 1),
        (1, 1), False, (0, 0), 4, (True, True, True), out=(f(2, 64, 56, 56), f(64, 16, 3, 3), f(64)),
        macs=2 * (2 * 64 * 56 * 56 * (64 // 4) * 3 * 3), adds=64 * (2 * 56 * 56 - 1),
    ),
    # the first layer: the image needs no gradient; the output is half as large
    row(
        "aten.convolution_backward.default", f(1, 64, 112, 112), f(1, 3, 224, 224), f(64, 3, 7, 7), None, (2, 2),
        (3, 3), (1, 1), False, (0, 0), 1, (False, True, False), out=(None, f(64, 3, 7, 7), None),
        macs=64 * 112 * 112 * 3 * 7 * 7,
    ),
    # a frozen weight
    row(
        "aten.convolution_backward.default", f(1, 6, 3, 3), f(1, 4, 9, 9), f(6, 4, 3, 3), (6,), (1, 1), (0, 0), (3, 3),
        False, (0, 0), 1, (True, False, False), out=(f(1, 4, 9, 9), None, None), macs=6 * 3 * 3 * 4 * 3 * 3,
    ),
    # a frozen layer but for its bias
    row(
        "aten.convolution_backward.default", f(1, 6, 3, 3), f(1, 4, 9, 9), f(6, 4, 3, 3), (6,), (1, 1), (0, 0), (3, 3),
        False, (0, 0), 1, (False, False, True), out=(None, None, f(6)), adds=6 * (3 * 3 - 1),
    ),
    # transposed: the input's 5 positions; 2 groups of 3 channels have 6 biases
    row(
        "aten.convolution_backward.default", f(2, 6, 10), f(2, 8, 5), f(8, 3, 4), (6,), (2,), (1,), (1,), True, (0,), 2,
        (True, True, True), out=(f(2, 8, 5), f(8, 3, 4), f(6)),
        macs=2 * (2 * 8 * 5 * (6 // 2) * 4), adds=6 * (2 * 10 - 1),
    ),
    row(
        "aten.convolution_backward.default", c(1, 4, 7), c(1, 2, 9), c(4, 2, 3), (4,), (1,), (0,), (1,), False, (0,), 1,
        (False, True, True), out=(None, c(4, 2, 3), c(4)), macs=4 * 7 * 2 * 3 * 4, adds=2 * 4 * (7 - 1),
    ),
    row(
        "aten.conv_tbc_backward.default", f(5, 2, 4), f(9, 2, 3), f(5, 3, 4), f(4), 0,
        out=(f(9, 2, 3), f(5, 3, 4), f(4)),
        macs=2 * (2 * 4 * 5 * 3 * 5), adds=4 * (5 * 2 - 1),
    ),
]  # fmt: skip

OUT, LSE = f(2, 4, 5, 8), f(2, 4, 5)
# QK' again, of Q, of K; of V, and of the weights. Scaling twice, P·(dP - D); rows of dO·O; minus the logsumexp, minus D
FIVE = {
    "macs": 3 * (2 * 4 * 5 * 7 * 16) + 2 * (2 * 4 * 5 * 7 * 8), "muls": 3 * S + R * 8, "adds": 2 * S + R * 7,
    "specials": S,
}  # fmt: skip
ATTENTION_BACKWARD = [
    row(
        "aten._scaled_dot_product_flash_attention_for_cpu_backward.default", OUT, Q, K, V, OUT, LSE, 0.0, True,
        out=(Q, K, V), **FIVE,
    ),
    row(
        "aten._scaled_dot_product_flash_attention_for_cpu_backward.default", OUT, Q, K, V, OUT, LSE, 0.0, False,
        kwargs={"attn_mask": f(5, 7)}, out=(Q, K, V), **(FIVE | {"adds": 3 * S + R * 7}),
    ),
    row(
        "aten._scaled_dot_product_flash_attention_for_cpu_backward.default", OUT, Q, K, V, OUT, LSE, 0.0, False,
        kwargs={"attn_mask": b(5, 7)}, out=(Q, K, V), **FIVE,
    ),
    # two query heads share each key head; dropout multiplies P and dP by mask and 1/(1-p)
    row(
        "aten._scaled_dot_product_flash_attention_backward.default", OUT, Q, f(2, 2, 7, 16), f(2, 2, 7, 8), OUT, LSE,
        None, None, 5, 7, 0.1, False, i(2), i(), out=(Q, f(2, 2, 7, 16), f(2, 2, 7, 8)),
        **(FIVE | {"muls": 3 * S + R * 8 + 4 * S}),
    ),
    row(
        "aten._scaled_dot_product_efficient_attention_backward.default", OUT, Q, K, V, f(2, 4, 5, 7), OUT, LSE, i(),
        i(), 0.1, (True, True, True, False), out=(Q, K, V, None),
        **(FIVE | {"adds": 3 * S + R * 7, "muls": 3 * S + R * 8 + 4 * S}),
    ),
    row(
        "aten._scaled_dot_product_cudnn_attention_backward.default", OUT, Q, K, V, OUT, LSE, i(), i(), f(2, 4, 5, 7),
        None, None, 5, 7, 0.1, False, out=(Q, K, V), **(FIVE | {"adds": 3 * S + R * 7, "muls": 3 * S + R * 8 + 4 * S}),
    ),
    row(
        "aten._scaled_dot_product_fused_attention_overrideable_backward.default", OUT, Q, K, V, f(2, 4, 5, 7),
        (True, True, True, False), OUT, LSE, None, None, 5, 7, 0.1, False, i(), i(), out=(Q, K, V, None),
        **(FIVE | {"adds": 3 * S + R * 7, "muls": 3 * S + R * 8 + 4 * S}),
    ),
]  # fmt: skip

# of a row of 20: x - mean, two means, h - mean(h) - x̂·mean(h·x̂)
ROW_ADDS = 20 + 19 + 19 + 2 * 20
ALL_THREE = (True, True, True)
ROWS = f(2, 6, 20)
NORM_BACKWARD = [
    # muls: x̂, g·γ, h·x̂, x̂·mean, times r; g·x̂. 12 rows are summed for each of 20 features, twice
    row(
        "aten.native_layer_norm_backward.default", ROWS, ROWS, (20,), f(2, 6, 1), f(2, 6, 1), f(20), f(20),
        ALL_THREE, out=(ROWS, f(20), f(20)), adds=12 * ROW_ADDS + 2 * (20 * 11), muls=(5 + 1) * X, divs=12 * 2,
    ),
    # without scale and shift
    row(
        "aten.native_layer_norm_backward.default", ROWS, ROWS, (20,), f(2, 6, 1), f(2, 6, 1), None, None,
        (True, False, False), out=(ROWS, None, None), adds=12 * ROW_ADDS, muls=4 * X, divs=12 * 2,
    ),
    # frozen scale and shift
    row(
        "aten.native_layer_norm_backward.default", ROWS, ROWS, (20,), f(2, 6, 1), f(2, 6, 1), f(20), f(20),
        (True, False, False), out=(ROWS, None, None), adds=12 * ROW_ADDS, muls=5 * X, divs=12 * 2,
    ),
    # the input needs none
    row(
        "aten.native_layer_norm_backward.default", ROWS, ROWS, (20,), f(2, 6, 1), f(2, 6, 1), f(20), f(20),
        (False, True, True), out=(None, f(20), f(20)), adds=X + 2 * (20 * 11), muls=2 * X,
    ),
    row(
        "aten.native_layer_norm_backward.default", ROWS, ROWS, (20,), f(2, 6, 1), f(2, 6, 1), f(20), f(20),
        (False, False, True), out=(None, None, f(20)), adds=20 * 11,
    ),
    # 2 samples of 3 groups of 2 channels of 20; for each of 6 channels 2 x 20 are summed
    row(
        "aten.native_group_norm_backward.default", IMAGE, IMAGE, f(2, 3), f(2, 3), f(6), 2, 6, 20, 3, ALL_THREE,
        out=(IMAGE, f(6), f(6)), adds=6 * (40 + 39 + 39 + 2 * 40) + 2 * (6 * 39), muls=(5 + 1) * X, divs=6 * 2,
    ),
    # no mean: x̂ = x·r, one mean a row, one subtraction
    row(
        "aten._fused_rms_norm_backward.default", ROWS, ROWS, (20,), f(2, 6, 1), f(20), (True, True),
        out=(ROWS, f(20)), adds=12 * (19 + 20) + 20 * 11, muls=(5 + 1) * X, divs=12,
    ),
    # Σ g, Σ g·(x - mean) of 2*4*5 elements a channel; per element (g - s/m - (x - mean)·k)·(γ·r)
    row(
        "aten.native_batch_norm_backward.default", IMAGE, IMAGE, f(6), f(6), f(6), f(6), f(6), True, 1e-5, ALL_THREE,
        out=(IMAGE, f(6), f(6)), adds=X + 2 * (6 * 39) + 2 * X, muls=X + 6 + 6 + X + X + 2 * 6, divs=2 * 6,
    ),
    # no scale, no shift
    row(
        "aten.native_batch_norm_backward.default", IMAGE, IMAGE, None, None, None, f(6), f(6), True, 1e-5,
        (True, False, False), out=(IMAGE, None, None),
        adds=X + 2 * (6 * 39) + 2 * X, muls=X + X + X + 2 * 6, divs=2 * 6,
    ),
    row(
        "aten.native_batch_norm_backward.default", IMAGE, IMAGE, f(6), f(6), f(6), f(6), f(6), True, 1e-5,
        (False, False, True), out=(None, None, f(6)), adds=6 * 39,
    ),
    # with the running statistics, which are constants: r = rsqrt(var + eps), g·(γ·r); Σ g·(x - mean)·r; Σ g
    row(
        "aten.native_batch_norm_backward.default", IMAGE, IMAGE, f(6), f(6), f(6), f(0), f(0), False, 1e-5, ALL_THREE,
        out=(IMAGE, f(6), f(6)), adds=6 + X + 2 * (6 * 39), muls=X + 6 + X + 6, specials=6,
    ),
    row(
        "aten.native_batch_norm_backward.default", IMAGE, IMAGE, f(6), f(6), f(6), f(0), f(0), False, 1e-5,
        (True, False, False), out=(IMAGE, None, None), adds=6, muls=X + 6, specials=6,
    ),
    row(
        "aten.cudnn_batch_norm_backward.default", IMAGE, IMAGE, f(6), None, None, f(6), f(6), 1e-5, f(0),
        out=(IMAGE, f(6), f(6)), adds=X + 2 * (6 * 39) + 2 * X, muls=X + 6 + 6 + X + X + 2 * 6, divs=2 * 6,
    ),
    # grad·v and its sum over 7; grad·b, v·k, their difference. A row: a, b, k = a·b/norm
    row(
        "aten._weight_norm_interface_backward.default", f(4, 7), f(4, 7), f(4, 1), f(4), 0, out=(f(4, 7), f(4, 1)),
        muls=28 + 28 + 28 + 4, adds=4 * 6 + 28, divs=3 * 4,
    ),
]  # fmt: skip

G = f(2, 9)
ACTIVATION_BACKWARD = [
    row("aten.threshold_backward.default", G, G, 0, out=G, comparisons=18),
    row("aten.hardtanh_backward.default", G, G, 0.0, 6.0, out=G, comparisons=2 * 18),
    row("aten.leaky_relu_backward.default", G, G, 0.2, False, out=G, comparisons=18, muls=18),
    row("aten._prelu_kernel_backward.default", G, G, f(1, 9), out=(G, G), comparisons=18, muls=2 * 18),
    row("aten.sigmoid_backward.default", G, G, out=G, adds=18, muls=2 * 18),
    row("aten.tanh_backward.default", G, G, out=G, adds=18, muls=2 * 18),
    row("aten.silu_backward.default", G, G, out=G, specials=18, adds=2 * 18, muls=3 * 18),
    row("aten.mish_backward.default", G, G, out=G, specials=4 * 18, adds=2 * 18, muls=4 * 18),
    row(
        "aten.softplus_backward.default", G, G, 1.0, 20.0, out=G,
        comparisons=18, muls=2 * 18, specials=18, adds=18, divs=18,
    ),
    row("aten.hardsigmoid_backward.default", G, G, out=G, comparisons=2 * 18, divs=18),
    row("aten.hardswish_backward.default", G, G, out=G, comparisons=2 * 18, divs=18, adds=18, muls=18),
    row("aten.hardshrink_backward.default", G, G, 0.5, out=G, comparisons=2 * 18),
    row("aten.softshrink_backward.default", G, G, 0.5, out=G, comparisons=2 * 18),
    row("aten.elu_backward.default", G, 1.0, 1, 1, False, G, out=G, comparisons=18, specials=18, muls=2 * 18),
    row("aten.elu_backward.default", G, 1.0, 1, 2, False, G, out=G, comparisons=18, specials=18, muls=4 * 18),
    row("aten.elu_backward.default", G, 1.0, 1, 1, True, G, out=G, comparisons=18, adds=18, muls=18),
    # x·√½, ½·(...); x·x, times -½, times 1/√2π; x·φ, times g
    row("aten.gelu_backward.default", G, G, out=G, muls=7 * 18, adds=2 * 18, specials=2 * 18),
    # x³, twice times; times √(2/π); ½·(1 + t); ½x; t·t; 3·0.044715·x², times √(2/π); two products; times g
    row(
        "aten.gelu_backward.default", G, G, kwargs={"approximate": "tanh"}, out=G,
        muls=12 * 18, adds=5 * 18, specials=18,
    ),
    row("aten.glu_backward.default", f(2, 5), f(2, 10), -1, out=f(2, 10), specials=10, adds=10, muls=3 * 10),
    row("aten.log_sigmoid_backward.default", G, G, G, out=G, comparisons=18, adds=2 * 18, divs=18, muls=2 * 18),
    row(
        "aten.log_sigmoid_backward.default", G, G, f(0), out=G,
        comparisons=2 * 18, adds=3 * 18, specials=18, divs=18, muls=2 * 18,
    ),
    row("aten.rrelu_with_noise_backward.default", G, G, G, 0.1, 0.3, True, False, out=G, muls=18),
    row("aten.rrelu_with_noise_backward.default", G, G, G, 0.1, 0.3, False, False, out=G, comparisons=18, muls=18),
    row("aten.logit_backward.default", G, G, out=G, adds=18, muls=18, divs=18),
    row("aten.logit_backward.default", G, G, 1e-6, out=G, adds=18, muls=18, divs=18, comparisons=2 * 18),
    row(
        "aten._softmax_backward_data.default", f(4, 7), f(4, 7), -1, "float32", out=f(4, 7),
        muls=28 + 28, adds=4 * 6 + 28,
    ),
    row(
        "aten._masked_softmax_backward.default", f(4, 7), f(4, 7), b(4, 7), 0, out=f(4, 7),
        muls=28 + 28, adds=3 * 7 + 28,
    ),
    row(
        "aten._log_softmax_backward_data.default", f(4, 7), f(4, 7), 1, "float32", out=f(4, 7),
        specials=28, muls=28, adds=4 * 6 + 28,
    ),
    row("aten.native_dropout_backward.default", G, b(2, 9), 2.0, out=G, muls=2 * 18),
]  # fmt: skip

POOLING_BACKWARD = [
    # the input's shape matters and its values do not: only the gradient is read, and where the maxima were
    row(
        "aten.max_pool2d_with_indices_backward.default", f(2, 3, 4, 4), f(2, 3, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1),
        False, i(2, 3, 4, 4), out=f(2, 3, 8, 8), adds=96, bytes_read=96 * 4 + 96 * 8,
    ),
    row(
        "aten.max_pool3d_with_indices_backward.default", f(1, 2, 2, 2, 2), f(1, 2, 4, 4, 4), 2, 2, 0, 1, False,
        i(1, 2, 2, 2, 2), out=f(1, 2, 4, 4, 4), adds=16, bytes_read=16 * 4 + 16 * 8,
    ),
    row(
        "aten.adaptive_max_pool2d_backward.default", f(1, 2, 3, 2), f(1, 2, 7, 4), i(1, 2, 3, 2), out=f(1, 2, 7, 4),
        adds=12, bytes_read=12 * 4 + 12 * 8,
    ),
    row(
        "aten.adaptive_max_pool3d_backward.default", f(2, 2, 2, 2), f(2, 4, 4, 4), i(2, 2, 2, 2), out=f(2, 4, 4, 4),
        adds=16, bytes_read=16 * 4 + 16 * 8,
    ),
    row(
        "aten.fractional_max_pool2d_backward.default", f(1, 2, 5, 5), f(1, 2, 9, 9), (2, 2), (5, 5), i(1, 2, 5, 5),
        out=f(1, 2, 9, 9), adds=50, bytes_read=50 * 4 + 50 * 8,
    ),
    row(
        "aten.fractional_max_pool3d_backward.default", f(1, 2, 5, 5, 5), f(1, 2, 9, 9, 9), 2, 5, i(1, 2, 5, 5, 5),
        out=f(1, 2, 9, 9, 9), adds=250, bytes_read=250 * 4 + 250 * 8,
    ),
    # along an axis 3 windows of 3 over 5 elements, the outer two cut by the padding
    row(
        "aten.avg_pool2d_backward.default", f(2, 3, 3, 3), f(2, 3, 5, 5), (3, 3), (2, 2), (1, 1), False, True, None,
        out=f(2, 3, 5, 5), adds=2 * 3 * (2 + 3 + 2) ** 2, divs=2 * 3 * 3 * 3, bytes_read=54 * 4,
    ),
    row(
        "aten.avg_pool3d_backward.default", f(1, 2, 2, 2, 2), f(1, 2, 4, 4, 4), (2, 2, 2), (2, 2, 2), (0, 0, 0), False,
        True, None, out=f(1, 2, 4, 4, 4), adds=2 * 4 * 4 * 4, divs=2 * 8, bytes_read=16 * 4,
    ),
    # 7 elements to 3 windows: 0-2, 2-4, 4-6
    row(
        "aten._adaptive_avg_pool2d_backward.default", f(2, 1, 3), f(2, 1, 7), out=f(2, 1, 7),
        adds=2 * 3 * 3, divs=2 * 3, bytes_read=6 * 4,
    ),
    row(
        "aten._adaptive_avg_pool3d_backward.default", f(1, 2, 1, 2, 4), f(1, 2, 4, 4, 4), out=f(1, 2, 4, 4, 4),
        adds=2 * 8 * 8, divs=2 * 8, bytes_read=16 * 4,
    ),
]  # fmt: skip

RESAMPLE_BACKWARD = [
    row("aten.upsample_nearest2d_backward.default", f(1, 3, 8, 8), (8, 8), (1, 3, 4, 4), out=f(1, 3, 4, 4), adds=192),
    row("aten._upsample_nearest_exact1d_backward.default", f(1, 3, 8), (8,), (1, 3, 4), out=f(1, 3, 4), adds=24),
    # the forward's weights: 2, and 2 + 4, and 2 + 4 + 8; a sum at each of 2, 4, 8 neighbours
    row(
        "aten.upsample_linear1d_backward.default", f(1, 3, 8), (8,), (1, 3, 4), False, out=f(1, 3, 4),
        muls=24 * 2, adds=24 * 2,
    ),
    row(
        "aten.upsample_bilinear2d_backward.default", f(1, 3, 8, 8), (8, 8), (1, 3, 4, 4), False, out=f(1, 3, 4, 4),
        muls=192 * 6, adds=192 * 4,
    ),
    row(
        "aten.upsample_trilinear3d_backward.default", f(1, 3, 4, 4, 4), (4, 4, 4), (1, 3, 2, 2, 2), False,
        out=f(1, 3, 2, 2, 2), muls=192 * 14, adds=192 * 8,
    ),
    row(
        "aten.upsample_bicubic2d_backward.default", f(1, 3, 8, 8), (8, 8), (1, 3, 4, 4), False, out=f(1, 3, 4, 4),
        muls=192 * 5 * 4, adds=192 * 16,
    ),
    # the taps of the forward pass above
    row(
        "aten._upsample_bilinear2d_aa_backward.default", f(1, 2, 5, 4), (5, 4), (1, 2, 5, 8), False, out=f(1, 2, 5, 8),
        muls=2 * 5 * 14, adds=2 * 5 * 14,
    ),
    row(
        "aten._upsample_bicubic2d_aa_backward.default", f(1, 2, 4, 9), (4, 9), (1, 2, 2, 9), False, out=f(1, 2, 2, 9),
        muls=2 * 9 * 8, adds=2 * 9 * 8,
    ),
    # 20 samples of 3 channels: position and weights as forward; 4 neighbours get a sum; each of 4 along each of 2 axes
    # is value · distance · gradient, summed; in the end times size/2
    row(
        "aten.grid_sampler_2d_backward.default", f(1, 3, 4, 5), f(1, 3, 8, 8), f(1, 4, 5, 2), 0, 0, False, (True, True),
        out=(f(1, 3, 8, 8), f(1, 4, 5, 2)), muls=20 * (2 + 4 + 2) + 60 * (4 + 4 * 2 * 2),
        adds=20 * (2 * 2 + 2 * 2) + 60 * (4 + 4 * 2), divs=20 * 2, comparisons=20 * 4, specials=20 * 2,
    ),
    row(
        "aten.grid_sampler_2d_backward.default", f(1, 3, 4, 5), f(1, 3, 8, 8), f(1, 4, 5, 2), 0, 0, False,
        (False, True), out=(None, f(1, 4, 5, 2)), muls=20 * (2 + 4 + 2) + 60 * 16, adds=20 * 8 + 60 * 8, divs=40,
        comparisons=80, specials=40,
    ),
    row(
        "aten.grid_sampler_3d_backward.default", f(1, 2, 1, 4, 5), f(1, 2, 8, 8, 8), f(1, 1, 4, 5, 3), 0, 0, False,
        (True, True), out=(f(1, 2, 8, 8, 8), f(1, 1, 4, 5, 3)), muls=20 * (3 + 8 * 2 + 3) + 40 * (8 + 8 * 3 * 3),
        adds=20 * (3 * 2 + 3 * 2) + 40 * (8 + 8 * 3), divs=60, comparisons=120, specials=60,
    ),
    row(
        "aten.grid_sampler_2d_backward.default", f(1, 3, 4, 5), f(1, 3, 8, 8), f(1, 4, 5, 2), 1, 0, False, (True, True),
        out=(f(1, 3, 8, 8), f(1, 4, 5, 2)), muls=40, adds=80 + 60, divs=40, comparisons=80, specials=40,
    ),
    # cubic: 2 x 4 weights and 2 x 4 slopes a sample; 16 neighbours get a sum; a blend and its product along each axis
    row(
        "aten.grid_sampler_2d_backward.default", f(1, 3, 4, 5), f(1, 3, 8, 8), f(1, 4, 5, 2), 2, 0, False, (True, True),
        out=(f(1, 3, 8, 8), f(1, 4, 5, 2)), muls=20 * (2 + 2 * (2 * 3 + 2 * 3) + 2 * (4 * 2) + 2) + 60 * (20 + 2 * 21),
        adds=20 * (2 * 2 + 2 * (3 + 2 * 2 + 2 * 3) + 2 * (4 + 2 * 2 + 2)) + 60 * (16 + 2 * (15 + 1)),
        divs=40, comparisons=80, specials=40,
    ),
    row(
        "aten.reflection_pad2d_backward.default", f(1, 4, 11, 11), f(1, 4, 9, 9), (1, 1, 1, 1), out=f(1, 4, 9, 9),
        adds=4 * 11 * 11, bytes_read=4 * 11 * 11 * 4,
    ),
    row(
        "aten.replication_pad1d_backward.default", f(4, 11), f(4, 9), (1, 1), out=f(4, 9),
        adds=4 * 11, bytes_read=4 * 11 * 4,
    ),
]  # fmt: skip

RECURRENT_BACKWARD = [
    # one bias gradient of 4 x 5 gates over a batch of 2
    row(
        "aten._thnn_fused_lstm_cell_backward_impl.default", f(2, 5), f(2, 5), f(2, 5), f(2, 5), f(2, 20), True,
        out=(f(2, 20), f(2, 5), f(20)), muls=10 * 16, adds=10 * 6 + 20 * (2 - 1), specials=10,
    ),
    row(
        "aten._thnn_fused_lstm_cell_backward_impl.default", f(2, 5), None, f(2, 5), f(2, 5), f(2, 20), False,
        out=(f(2, 20), f(2, 5), None), muls=10 * 16, adds=10 * 6, specials=10,
    ),
    row(
        "aten._thnn_fused_gru_cell_backward.default", f(2, 5), f(2, 25), True,
        out=(f(2, 15), f(2, 15), f(2, 5), f(15), f(15)), muls=10 * 11, adds=10 * 4 + 2 * 15 * (2 - 1),
    ),
    row(
        "aten._thnn_fused_gru_cell_backward.default", f(2, 5), f(2, 25), False,
        out=(f(2, 15), f(2, 15), f(2, 5), None, None), muls=10 * 11, adds=10 * 4,
    ),
    row(
        "aten.mkldnn_rnn_layer_backward.default", f(7, 2, 3), *LSTM, f(2, 5), f(2, 5), f(7, 2, 5), f(2, 5), f(2, 5),
        f(7, 2, 5), f(2, 5), f(2, 5), False, 2, 5, 1, True, True, False, (), False, Tensor((99,), "uint8"),
        out=(f(7, 2, 3), f(20, 3), f(20, 5), f(20), f(20), f(2, 5), f(2, 5)),
        macs=2 * (7 * 2 * 4 * 5 * (3 + 5)), muls=70 * 16, adds=70 * 6 + 20 * (14 - 1), specials=70,
    ),
]  # fmt: skip

MOVEMENT_BACKWARD = [
    # 6 rows of 8 are added to the table's gradient, which is written whole
    row("aten.embedding_dense_backward.default", f(2, 3, 8), i(2, 3), 1000, -1, False, out=f(1000, 8), adds=6 * 8),
    row(
        "aten.embedding_dense_backward.default", f(2, 3, 8), i(2, 3), 1000, -1, True, out=f(1000, 8),
        adds=6 * 8, divs=6, muls=6 * 8,
    ),
    # 6 rows in 2 bags
    row(
        "aten._embedding_bag_backward.default", f(2, 8), i(6), i(2), i(6), i(2), i(0), 1000, False, 0, False, f(6),
        out=f(1000, 8), adds=6 * 8, muls=6 * 8,
    ),
    row(
        "aten._embedding_bag_dense_backward.default", f(2, 8), i(6), i(6), i(2), i(0), 1000, False, 1, None,
        out=f(1000, 8), adds=6 * 8, divs=2 * 8,
    ),
    row(
        "aten._embedding_bag_dense_backward.default", f(2, 8), i(6), i(6), i(2), i(2, 8), 1000, False, 2, None,
        out=f(1000, 8), adds=2 * 8,
    ),
    row(
        "aten._embedding_bag_per_sample_weights_backward.default", f(2, 8), f(1000, 8), i(6), i(2), i(6), 0, out=f(6),
        muls=6 * 8, adds=6 * 7, bytes_read=2 * 8 * 4 + 6 * 8 * 4 + 6 * 8 + 2 * 8 + 6 * 8,
    ),
    row("aten.put.default", f(9, 8), i(3), f(3), True, out=f(9, 8), adds=3),
    row("aten.put.default", f(9, 8), i(3), f(3), out=f(9, 8)),
    row(
        "aten.put_.default", f(9, 8), i(3), f(3), True, out=f(9, 8), adds=3,
        bytes_read=3 * 8 + 3 * 4 + 3 * 4, bytes_written=3 * 4,
    ),
    row("aten.select_backward.default", f(2, 8), (2, 9, 8), 1, 0, out=f(2, 9, 8)),
    row("aten.masked_scatter_backward.default", f(9, 8), b(9, 8), (5, 8), out=f(5, 8)),
    row("aten.slice_backward.default", f(2, 3, 8), (2, 9, 8), 1, 0, 3, 1, out=f(2, 9, 8)),
]  # fmt: skip

REDUCTION_BACKWARD = [
    # 3 x 5 pairs of points in 4 dimensions: differences, products, sums; one division a pair
    row(
        "aten._cdist_backward.default", f(3, 5), f(3, 4), f(5, 4), 2.0, f(3, 5), out=f(3, 4),
        adds=2 * 60, muls=60, divs=15,
    ),
    row(
        "aten._cdist_backward.default", f(3, 5), f(3, 4), f(5, 4), 1.0, f(3, 5), out=f(3, 4),
        adds=2 * 60, comparisons=2 * 60, muls=60,
    ),
    row(
        "aten._cdist_backward.default", f(3, 5), f(3, 4), f(5, 4), float("inf"), f(3, 5), out=f(3, 4),
        adds=2 * 60, comparisons=4 * 60, muls=60,
    ),
    row(
        "aten._cdist_backward.default", f(3, 5), f(3, 4), f(5, 4), 3.0, f(3, 5), out=f(3, 4),
        adds=2 * 60, comparisons=60, specials=60 + 15, muls=2 * 60, divs=15,
    ),
    row("aten._cdist_backward.default", f(3, 5), f(3, 4), f(5, 4), 0.0, f(3, 5), out=f(3, 4)),
    # 3 pairs of 3 points, and both points of a pair
    row(
        "aten._pdist_backward.default", f(3), f(3, 4), 2.0, f(3), out=f(3, 4), adds=3 * 12, muls=12, divs=3,
    ),
    row("aten._euclidean_dist.default", f(3, 4), f(5, 4), out=f(3, 5), adds=60 + 15 * 3, muls=60, specials=15),
]  # fmt: skip

MATMUL_BACKWARD = [
    # nn.Bilinear(5, 7, 2) over 3 rows: of the first input, Σ over o of grad·W, then Σ over the second input
    row(
        "aten._trilinear.default", f(3, 2), f(2, 5, 7), f(3, 7), (2, 3), (0,), (1, 2), (1, 3), out=f(3, 5),
        macs=3 * 2 * 5 * 7 + 3 * 5 * 7,
    ),
    # of the weight, nothing is summed of grad·x, and then 3 rows of that times y
    row(
        "aten._trilinear.default", f(3, 5), f(3, 2), f(3, 7), (1, 3), (2, 3), (1, 2), (0,), out=f(2, 5, 7),
        macs=3 * 2 * 5 * 7, muls=3 * 2 * 5,
    ),
]  # fmt: skip

VISION_BACKWARD = [
    # 5 boxes, 4 channels, 3 x 3 bins of 2 x 2 samples with 4 neighbours each
    row(
        "torchvision._roi_align_backward.default", f(5, 4, 3, 3), f(5, 5), 1.0, 3, 3, 1, 4, 8, 8, 2, False,
        out=f(1, 4, 8, 8), muls=180 * 4 * 4, adds=180 * 4 * 4, divs=180,
    ),
    row(
        "torchvision._ps_roi_align_backward.default", f(5, 2, 2, 2), f(5, 5), i(5, 2, 2, 2), 1.0, 2, 2, 2, 1, 8, 8, 8,
        out=f(1, 8, 8, 8), muls=40 * 4 * 4, adds=40 * 4 * 4, divs=40,
    ),
    row(
        "torchvision._roi_pool_backward.default", f(5, 4, 2, 2), f(5, 5), i(5, 4, 2, 2), 1.0, 2, 2, 1, 4, 8, 8,
        out=f(1, 4, 8, 8), adds=80,
    ),
    row(
        "torchvision._ps_roi_pool_backward.default", f(5, 2, 2, 2), f(5, 5), i(5, 2, 2, 2), 1.0, 2, 2, 1, 8, 8, 8,
        out=f(1, 8, 8, 8), adds=5 * 2 * 8 * 8, divs=40,
    ),
    # 4 channels, 9 taps, 36 positions; masked: one multiplication more wherever a sample is used, and a third gradient
    row(
        "torchvision._deform_conv2d_backward.default", f(1, 6, 6, 6), f(1, 4, 8, 8), f(6, 4, 3, 3), f(1, 18, 6, 6),
        f(1, 9, 6, 6), f(6), 1, 1, 0, 0, 1, 1, 1, 1, True,
        out=(f(1, 4, 8, 8), f(6, 4, 3, 3), f(1, 18, 6, 6), f(1, 9, 6, 6), f(6)), macs=2 * (6 * 36 * 4 * 9),
        muls=4 * 9 * 36 * (5 + 5 + 2 * 6 + 5) + 9 * 36 * 4,
        adds=4 * 9 * 36 * (3 + 4 + 2 * 4 + 4) + 9 * 36 * 6 + 6 * 35, specials=9 * 36 * 2,
    ),
    row(
        "torchvision._deform_conv2d_backward.default", f(1, 6, 6, 6), f(1, 4, 8, 8), f(6, 4, 3, 3), f(1, 18, 6, 6),
        f(1, 1), f(6), 1, 1, 0, 0, 1, 1, 1, 1, False,
        out=(f(1, 4, 8, 8), f(6, 4, 3, 3), f(1, 18, 6, 6), f(1, 1), f(6)), macs=2 * (6 * 36 * 4 * 9),
        muls=4 * 9 * 36 * (4 + 4 + 2 * 5) + 9 * 36 * 4,
        adds=4 * 9 * 36 * (3 + 4 + 2 * 4) + 9 * 36 * 6 + 6 * 35, specials=9 * 36 * 2,
    ),
]  # fmt: skip

LOSS_BACKWARD = [
    row("aten.mse_loss_backward.default", f(), f(3, 5), f(3, 5), 1, out=f(3, 5), adds=15, muls=2 * 15),
    row("aten.mse_loss_backward.default", f(3, 5), f(3, 5), f(3, 5), 0, out=f(3, 5), adds=15, muls=2 * 15),
    # behind a mean, 1/N is a multiplication more
    row(
        "aten.smooth_l1_loss_backward.default", f(), f(3, 5), f(3, 5), 1, 1.0, out=f(3, 5),
        adds=15, comparisons=2 * 15, muls=2 * 15, divs=15,
    ),
    row(
        "aten.huber_loss_backward.default", f(), f(3, 5), f(3, 5), 2, 1.0, out=f(3, 5),
        adds=15, comparisons=2 * 15, muls=15,
    ),
    row(
        "aten.soft_margin_loss_backward.default", f(), f(3, 5), f(3, 5), 1, out=f(3, 5),
        adds=2 * 15, muls=4 * 15, divs=15, specials=15,
    ),
    row(
        "aten.binary_cross_entropy_backward.default", f(), f(3, 5), f(3, 5), None, out=f(3, 5),
        adds=2 * 15, muls=3 * 15, divs=15, comparisons=15,
    ),
    row(
        "aten.binary_cross_entropy_backward.default", f(), f(3, 5), f(3, 5), f(5), 2, out=f(3, 5),
        adds=2 * 15, muls=3 * 15, divs=15, comparisons=15,
    ),
    row(
        "aten.nll_loss_backward.default", f(), f(3, 5), i(3), None, 1, -100, f(), out=f(3, 5),
        adds=3, divs=3, bytes_read=4 + 3 * 8 + 4,
    ),
    row(
        "aten.nll_loss2d_backward.default", f(), f(2, 3, 4, 4), i(2, 4, 4), f(3), 2, -100, f(), out=f(2, 3, 4, 4),
        adds=32, muls=32, bytes_read=4 + 32 * 8 + 4 + 3 * 4,
    ),
    # 3 rows of 4 other classes; every element by g/NC
    row(
        "aten.multi_margin_loss_backward.default", f(), f(3, 5), i(3), 1, 1.0, None, out=f(3, 5),
        adds=12 * 3, comparisons=12, muls=15,
    ),
    row(
        "aten.multi_margin_loss_backward.default", f(), f(3, 5), i(3), 2, 1.0, f(5), out=f(3, 5),
        adds=12 * 3, comparisons=12, muls=12 * 3 + 15,
    ),
    row(
        "aten.multilabel_margin_loss_backward.default", f(), f(4, 5), i(4, 5), 1, f(4, 5), out=f(4, 5),
        adds=4 * 6 * 4, comparisons=4 * 6, muls=20,
    ),
    # the recursion of the forward pass from the end; the gathering; 8 x 2 x 5 log probabilities
    row(
        "aten._ctc_loss_backward.Tensor", f(2), f(8, 2, 5), i(2, 3), i(2), i(2), f(2), f(2, 8, 7), 0, out=f(8, 2, 5),
        adds=8 * 2 * 7 * (7 + 5) + 80 * 3, specials=8 * 2 * 7 * (4 + 3) + 80 * 2, comparisons=8 * 2 * 7 * (2 + 1),
        muls=80,
    ),
]  # fmt: skip

PAIR = (f(8, 4), f(7))  # 39 numbers in two tensors
STATES = (f(8, 4), f(7))
ONES = (f(), f())
ADAM = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}
OPTIMIZER = [
    # in place nothing is returned, and the first list is written
    row("aten._foreach_add_.List", PAIR, PAIR, out=None, kwargs={"alpha": 2}, adds=39, muls=39, bytes_written=39 * 4),
    row("aten._foreach_add.Scalar", PAIR, 1e-6, out=PAIR, adds=39),
    row("aten._foreach_mul_.ScalarList", PAIR, (0.5, 0.25), out=None, muls=39, bytes_written=39 * 4),
    row("aten._foreach_sqrt.default", PAIR, out=PAIR, specials=39),
    # x² and the general power
    row("aten._foreach_pow.ScalarList", PAIR, (2, 2.5), out=PAIR, muls=32, specials=7),
    row("aten._foreach_pow.ScalarAndTensor", 0.9, PAIR, out=PAIR, specials=39),
    row("aten._foreach_lerp_.Scalar", PAIR, PAIR, 0.1, out=None, adds=2 * 39, muls=39, bytes_written=39 * 4),
    row("aten._foreach_addcmul_.Scalar", PAIR, PAIR, PAIR, out=None, adds=39, muls=39, bytes_written=39 * 4),
    row("aten._foreach_addcmul_.Scalar", PAIR, PAIR, PAIR, 0.1, out=None, adds=39, muls=78, bytes_written=39 * 4),
    row(
        "aten._foreach_addcdiv_.ScalarList", PAIR, PAIR, PAIR, (-0.1, 1), out=None,
        adds=39, muls=32, divs=39, bytes_written=39 * 4,
    ),
    row("aten._foreach_norm.Scalar", PAIR, 2, out=ONES, muls=39, adds=31 + 6, specials=2),
    row("aten._foreach_max.default", PAIR, out=ONES, comparisons=31 + 6),
    row("aten._foreach_copy_.default", PAIR, PAIR, out=None, bytes_read=39 * 4, bytes_written=39 * 4),
    row("aten._foreach_zero_.default", PAIR, out=None, bytes_read=0, bytes_written=39 * 4),
    # the first moment, the second, the step
    row(
        "aten._fused_adam_.default", PAIR, PAIR, STATES, STATES, (), ONES, out=None,
        kwargs={**ADAM, "weight_decay": 0.0, "amsgrad": False, "maximize": False},
        adds=39 * (2 + 1 + 2), muls=39 * (1 + 3 + 1), divs=39 * 2, specials=39, bytes_written=3 * 39 * 4,
    ),
    row(
        "aten._fused_adam_.default", PAIR, PAIR, STATES, STATES, STATES, ONES, out=None,
        kwargs={**ADAM, "weight_decay": 0.1, "amsgrad": True, "maximize": True, "grad_scale": f()},
        adds=39 * (2 + 1 + 2 + 1 + 1), muls=39 * (1 + 3 + 1 + 1), divs=39 * (2 + 1), specials=39, comparisons=39,
        bytes_written=4 * 39 * 4,
    ),
    row(
        "aten._fused_adamw_.default", PAIR, PAIR, STATES, STATES, STATES, ONES, out=None,
        kwargs={**ADAM, "weight_decay": 0.1, "amsgrad": True, "maximize": False},
        adds=39 * 5, muls=39 * (5 + 1), divs=39 * 2, specials=39, comparisons=39, bytes_written=4 * 39 * 4,
    ),
    row(
        "aten._fused_sgd_.default", PAIR, PAIR, (), out=None,
        kwargs={
            "weight_decay": 0.0, "momentum": 0.0, "lr": 0.1, "dampening": 0.0, "nesterov": False, "maximize": False,
            "is_first_step": True,
        },
        adds=39, muls=39, bytes_written=39 * 4,
    ),
    # the penalty; μ·b + (1 - τ)·g; the step
    row(
        "aten._fused_sgd_.default", PAIR, PAIR, STATES, out=None,
        kwargs={
            "weight_decay": 0.1, "momentum": 0.9, "lr": 0.1, "dampening": 0.5, "nesterov": False, "maximize": False,
            "is_first_step": False,
        },
        adds=39 * 3, muls=39 * 4, bytes_written=2 * 39 * 4,
    ),
    row(
        "aten._fused_sgd_.default", PAIR, PAIR, STATES, out=None,
        kwargs={
            "weight_decay": 0.0, "momentum": 0.9, "lr": 0.1, "dampening": 0.0, "nesterov": True, "maximize": False,
            "is_first_step": False,
        },
        adds=39 * 3, muls=39 * 3, bytes_written=2 * 39 * 4,
    ),
    row(
        "aten._fused_adagrad_.default", PAIR, PAIR, STATES, ONES, out=None,
        kwargs={"lr": 0.1, "lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10, "maximize": False},
        adds=39 * 3, muls=39 * 2, divs=39, specials=39, bytes_written=2 * 39 * 4,
    ),
]  # fmt: skip

# 100 of 280 scores are in blocks that are computed, 40 of them masked one by one. A score is capped by tanh.
MODS = {
    "scores": 100, "masked_scores": 40,
    "score_mod": (("aten.div.Tensor", (f(), 20.0), f()), ("aten.tanh.default", (f(),), f()),
                  ("aten.mul.Tensor", (f(), 20.0), f())),
    "mask_mod": (("aten.ge.Tensor", (i(), i()), b()),),
}  # fmt: skip
FLEX = [
    row(
        "higher_order.flex_attention", Q, K, V, kwargs=MODS, out=(f(2, 4, 5, 8), f(2, 4, 5), f(2, 4, 5)),
        macs=100 * (16 + 8), muls=100 + 100, adds=100 + 100 - R, specials=100 + 100, divs=100 + 100,
        comparisons=100 - R + 40,
    ),
    row(
        "higher_order.flex_attention_backward", f(2, 4, 5, 8), Q, K, V, f(2, 4, 5, 8), f(2, 4, 5), kwargs=MODS,
        out=(Q, K, V), macs=100 * (3 * 16 + 2 * 8), muls=300 + R * 8 + 200, adds=200 + R * 7, specials=100 + 200,
        divs=200, comparisons=40,
    ),
]  # fmt: skip


def _sparse(form: str, *shape: int, nnz: int) -> Tensor:
    return Tensor(shape, "float32", None, form, (f(nnz), i(2, nnz)))


COO = _sparse("sparse_coo", 8, 9, nnz=20)
SPARSE = [
    row("aten.mm.default", COO, f(9, 5), out=f(8, 5), macs=20 * 5),
    row("aten.mm.default", f(5, 8), COO, out=f(5, 9), macs=20 * 5),
    row("aten.mv.default", COO, f(9), out=f(8), macs=20),
    row("aten._sparse_addmm.default", f(8, 5), COO, f(9, 5), 0, 1, out=f(8, 5), macs=20 * 5),
    row("aten.addmm.default", f(8, 5), COO, f(9, 5), out=f(8, 5), macs=20 * 5, adds=8 * 5),
    row("aten.addmv.default", f(8), COO, f(9), out=f(8), kwargs={"alpha": 2}, macs=20, adds=8, muls=8),
    row("aten.linear.default", f(3, 9), COO, f(8), out=f(3, 8), macs=20 * 3, adds=3 * 8),
    row("aten.sparse_sampled_addmm.default", COO, f(8, 4), f(4, 9), out=COO, macs=20 * 4, adds=20),
    row("aten._sparse_mm_reduce_impl.default", COO, f(9, 5), "sum", out=(f(8, 5), i(8, 5)), macs=20 * 5),
    row("aten._sparse_mm_reduce_impl.default", COO, f(9, 5), "amax", out=(f(8, 5), i(8, 5)), muls=100, comparisons=100),
    row("aten.relu.default", COO, out=COO, comparisons=20),
    row("aten.mul.Tensor", COO, 2.0, out=COO, muls=20),
]
ROWS_OF_8 = Tensor((2, 4, 8), "float32", None, "nested", (f(3, 8), f(4, 8)))
ROWS_OF_5 = Tensor((2, 4, 5), "float32", None, "nested", (f(3, 5), f(4, 5)))
NESTED = [
    row("aten.linear.default", ROWS_OF_8, f(5, 8), f(5), out=ROWS_OF_5, macs=(3 + 4) * 8 * 5, adds=(3 + 4) * 5),
    row("aten.matmul.default", ROWS_OF_8, f(8, 5), out=ROWS_OF_5, macs=(3 + 4) * 8 * 5),
    row("aten.relu.default", ROWS_OF_8, out=ROWS_OF_8, comparisons=(3 + 4) * 8),
]

TABLES = {
    "flex attention": FLEX,
    "sparse": SPARSE,
    "nested": NESTED,
    "matmul": MATMUL,
    "convolution": CONVOLUTION,
    "attention": ATTENTION,
    "norm": NORM,
    "activation": ACTIVATION,
    "pooling": POOLING,
    "resample": RESAMPLE,
    "recurrent": RECURRENT,
    "movement": MOVEMENT,
    "elementwise": ELEMENTWISE,
    "reduction": REDUCTION,
    "fft": FFT,
    "vision": VISION,
    "loss": LOSS,
    "convolution backward": CONVOLUTION_BACKWARD,
    "attention backward": ATTENTION_BACKWARD,
    "norm backward": NORM_BACKWARD,
    "activation backward": ACTIVATION_BACKWARD,
    "pooling backward": POOLING_BACKWARD,
    "resample backward": RESAMPLE_BACKWARD,
    "recurrent backward": RECURRENT_BACKWARD,
    "movement backward": MOVEMENT_BACKWARD,
    "reduction backward": REDUCTION_BACKWARD,
    "matmul backward": MATMUL_BACKWARD,
    "vision backward": VISION_BACKWARD,
    "loss backward": LOSS_BACKWARD,
    "optimizer": OPTIMIZER,
    "quantized": QUANTIZED,
    "linear algebra": LINALG,
    "scaled": SCALED,
    "ragged": RAGGED,
    "primitives": PRIMITIVES,
    "complex": COMPLEX,
    "draws": DRAWS,
    "segments": SEGMENTS,
    "more reductions": REDUCTIONS,
    "pieces of batch norm": PIECES,
    "kernels": KERNELS,
    "more quantized": quantised(),
}

# Cases that a formula does not cover, and must refuse instead of guessing.
REFUSED: dict[str, tuple[str, tuple[Any, ...], Value]] = REFUSED_QUANTIZED | REFUSED_PRODUCTS | {
    "box-sized sampling": (
        "torchvision.roi_align.default", (f(1, 4, 8, 8), f(5, 5), 1.0, 3, 3, -1, True), f(5, 4, 3, 3)
    ),
    "complex error function": ("aten.erf.default", (c(4),), c(4)),
    "nuclear norm": ("aten.norm.ScalarOpt_dim", (f(4, 4), "nuc", (0, 1)), f()),
    "a fourth interpolation": ("aten.grid_sampler.default", (f(1, 3, 8, 8), f(1, 4, 5, 2), 3, 0, False), f(1, 3, 4, 5)),
    "the gradient of box-sized sampling": (
        "torchvision._roi_align_backward.default", (f(5, 4, 3, 3), f(5, 5), 1.0, 3, 3, 1, 4, 8, 8, -1, True),
        f(1, 4, 8, 8),
    ),
    "the gradient of box-sized sampling by position": (
        "torchvision._ps_roi_align_backward.default",
        (f(5, 2, 2, 2), f(5, 5), i(5, 2, 2, 2), 1.0, 2, 2, -1, 1, 8, 8, 8), f(1, 8, 8, 8),
    ),
    "the gradient of a fourth interpolation": (
        "aten.grid_sampler_2d_backward.default",
        (f(1, 3, 4, 5), f(1, 3, 8, 8), f(1, 4, 5, 2), 3, 0, False, (True, True)), (f(1, 3, 8, 8), f(1, 4, 5, 2)),
    ),
    "the gradient of a GRU in oneDNN": (
        "aten.mkldnn_rnn_layer_backward.default",
        (f(7, 2, 3), *LSTM, f(2, 5), f(2, 5), f(7, 2, 5), f(2, 5), f(2, 5), None, None, None, False, 3, 5, 1, True), (),
    ),
    "bags scaled by frequency": (
        "aten._embedding_bag_backward.default",
        (f(2, 8), i(6), i(2), i(6), i(2), i(0), 1000, True, 0, False, None), f(1000, 8),
    ),
    "dense bags scaled by frequency": (
        "aten._embedding_bag_dense_backward.default", (f(2, 8), i(6), i(6), i(2), i(0), 1000, True, 0, None), f(1000, 8)
    ),
    "weights that do not divide": (
        "aten.lstm.input", (f(7, 2, 3), (), (f(20, 3),) * 5, True, 2, 0.0, False, False, False), f(7, 2, 5)
    ),
}  # fmt: skip
