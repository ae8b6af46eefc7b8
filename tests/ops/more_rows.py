"""Operators that layers of torch.nn do not call: complex functions, draws, segments, histograms, batch norm in parts"""

from formula_rows import Row, b, c, f, i, row
from quantized_rows import packed, q

# exp(z) is e^x times cos y and sin y; a complex product is 4 multiplications and 2 additions.
COMPLEX = [
    row("aten.abs.default", c(7), out=f(7), muls=2 * 7, adds=7, specials=7),
    row("aten.sin.default", c(7), out=c(7), specials=4 * 7, muls=2 * 7),
    row("aten.tanh.default", c(7), out=c(7), specials=4 * 7, muls=2 * 7, adds=7, divs=2 * 7),
    row("aten.sigmoid.default", c(7), out=c(7), specials=3 * 7, muls=(2 + 2) * 7, adds=(1 + 2 + 1) * 7, divs=2 * 7),
    row(
        "aten.silu.default", c(7), out=c(7), specials=3 * 7, muls=(2 + 2 + 4) * 7, adds=(1 + 2 + 1 + 2) * 7, divs=2 * 7
    ),
    row("aten.log.default", c(7), out=c(7), specials=2 * 7, muls=3 * 7, adds=7),
    row("aten.sqrt.default", c(7), out=c(7), specials=2 * 7, muls=4 * 7, adds=2 * 7, divs=7),
    row(
        "aten.asin.default", c(7), out=c(7), specials=(2 + 2) * 7, muls=(4 + 4 + 3) * 7, adds=(2 + 1 + 2 + 2 + 1) * 7,
        divs=7,
    ),
    row(
        "aten.pow.Tensor_Tensor", c(7), c(7), out=c(7), specials=(2 + 3) * 7, muls=(3 + 4 + 2) * 7, adds=(1 + 2) * 7
    ),
    row("aten.logaddexp.default", c(7), c(7), out=c(7), specials=(3 + 3 + 2) * 7, muls=(2 + 2 + 3) * 7, adds=3 * 7),
    row("aten.pow.Tensor_Scalar", c(7), 2, out=c(7), muls=4 * 7, adds=2 * 7),
    row("aten.pow.Tensor_Scalar", c(7), 0.5, out=c(7), specials=2 * 7, muls=4 * 7, adds=2 * 7, divs=7),
    row("aten.var.correction", c(3, 4), (1,), out=f(3), muls=2 * 12, adds=3 * 2 * (3 + 4 + 3) + 3, divs=2 * 2 * 3),
    row("aten.linalg_vector_norm.default", c(3, 4), 1, (1,), out=f(3), muls=2 * 12, adds=12 + 9, specials=12,
        comparisons=12),
]  # fmt: skip

DRAWS = [
    row("aten._sample_dirichlet.default", f(3, 4), out=f(3, 4), adds=3 * 3, divs=12),
    row("aten._standard_gamma_grad.default", f(3, 4), f(3, 4), out=f(3, 4), specials=12),
    row("aten._dirichlet_grad.default", f(3, 4), f(3, 4), f(3, 4), out=f(3, 4), specials=12),
    row("aten._standard_gamma.default", f(3, 4), out=f(3, 4)),
]

# 12 elements along an axis in 3 segments
SEGMENTS = [
    row("aten.segment_reduce.default", f(12, 5), "sum", kwargs={"lengths": i(3)}, out=f(3, 5), adds=(12 - 3) * 5),
    row(
        "aten.segment_reduce.default", f(12, 5), "mean", kwargs={"lengths": i(3)}, out=f(3, 5), adds=(12 - 3) * 5,
        divs=15,
    ),
    row("aten.segment_reduce.default", f(12, 5), "max", kwargs={"lengths": i(3)}, out=f(3, 5), comparisons=9 * 5),
    row(
        "aten._segment_reduce_backward.default", f(3, 5), f(3, 5), f(12, 5), "prod", kwargs={"lengths": i(3)},
        out=f(12, 5), muls=60, divs=60,
    ),
    row("aten._segment_reduce_backward.default", f(3), f(3), f(12), "sum", kwargs={"lengths": i(3)}, out=f(12)),
    row("aten.index_reduce.default", f(6, 5), 0, i(4), f(4, 5), "amax", out=f(6, 5), comparisons=4 * 5),
    row("aten.index_reduce.default", f(6, 5), 0, i(4), f(4, 5), "mean", out=f(6, 5), adds=4 * 5, divs=6 * 5),
    row(
        "aten.index_reduce_.default", f(6, 5), 0, i(4), f(4, 5), "prod", out=f(6, 5), muls=4 * 5,
        bytes_read=4 * 8 + 2 * 4 * 5 * 4, bytes_written=4 * 5 * 4,
    ),
    row(
        "aten._unsafe_masked_index_put_accumulate.default", f(6, 5), b(4, 5), (i(4, 1), i(5)), f(4, 5), out=f(6, 5),
        adds=4 * 5,
    ),
]  # fmt: skip

REDUCTIONS = [
    row("aten.histogram.bin_ct", f(100), 10, out=(f(10), f(11)), adds=2 * 100, muls=100, specials=100),
    row(
        "aten.histogram.bin_ct", f(100), 10, kwargs={"density": True}, out=(f(10), f(11)), adds=2 * 100 + 9, muls=100,
        specials=100, divs=2 * 10,
    ),
    # 10 edges: 4 halvings
    row("aten.histogram.bins_tensor", f(100), f(10), out=(f(9), f(10)), comparisons=4 * 100, adds=100),
    row(
        "aten._histogramdd_from_bin_tensors.default", f(100, 2), (f(5), f(9)), out=f(4, 8),
        comparisons=100 * (3 + 4), adds=100,
    ),
    row(
        "aten._histogramdd_bin_edges.default", f(100, 2), (4, 8), out=(f(5), f(9)), comparisons=2 * 200, adds=5 + 9,
        muls=5 + 9,
    ),
    row("aten.allclose.default", f(3, 4), f(3, 4), out=True, adds=2 * 12, muls=12, comparisons=3 * 12),
    # a number alone is one class, which has no other to be told from
    row("aten.multi_margin_loss.default", f(), i(), out=f(), divs=2),
    row("aten.multilabel_margin_loss_forward.default", f(), i(), 1, out=(f(), f()), divs=2),
    row(
        "torch_nn._linear_cross_entropy_batch_chunked_no_reduction.default", f(9, 7), f(5, 7), i(9), f(5), None, -100,
        3, "auto", "float32", out=f(9), macs=9 * 7 * 5, comparisons=9 * 4, adds=9 * 5 + 2 * 45 + 9 * 4 + 9,
        specials=45 + 9,
    ),
    # with the gradients of input and weight: two more products of the same size
    row(
        "torch_nn._linear_cross_entropy_batch_chunked.default", f(9, 7), f(5, 7), i(9), None, None, "sum", -100, 0.0, 3,
        "auto", "float32", False, True, True, False, out=(f(), f(9, 7), f(5, 7), f(0)), macs=3 * 9 * 7 * 5,
        comparisons=9 * 4, adds=2 * 45 + 9 * 4 + 9 + 8 + 9, specials=45 + 9 + 45, muls=45,
    ),
    row("aten.hash_tensor.default", f(3, 4), out=i()),
    row("aten.unique_dim_consecutive.default", f(3, 4), 0, out=(f(3, 4), i(3), i(3)), comparisons=12),
    row("aten._aminmax.default", f(12), out=(f(), f()), comparisons=2 * 11),
    row("aten.dist.default", f(3, 4), f(3, 4), out=f(), adds=12 + 11, muls=12, specials=1),
    row("aten.diff.default", f(3, 9), 2, 1, out=f(3, 7), adds=3 * (8 + 7)),
    row("aten.diff.default", f(9, 4), 3, 0, out=f(6, 4), adds=4 * (8 + 7 + 6)),
    row("aten.linalg__powsum.default", f(3, 4), 2, (1,), out=f(3), muls=12, adds=9),
    row("aten.linalg__powsum.default", f(3, 4), 3, (1,), out=f(3), comparisons=12, specials=12, adds=9),
    row("aten.linalg__powsum.default", f(3, 4), 1, (1,), out=f(3), comparisons=12, adds=9),
    row("aten._foreach_powsum.Scalar", (f(4), f(6)), 2, out=(f(), f()), muls=4 + 6, adds=3 + 5),
    row(
        "aten._foreach_mm.default", (f(2, 3), f(4, 5)), (f(3, 6), f(5, 7)), out=(f(2, 6), f(4, 7)),
        macs=2 * 3 * 6 + 4 * 5 * 7,
    ),
    row("aten.special_airy_ai.default", f(7), out=f(7), specials=7),
    row("aten._add_relu.Tensor", f(3, 4), f(3, 4), kwargs={"alpha": 2}, out=f(3, 4), adds=12, muls=12, comparisons=12),
    row("aten._fused_dropout.default", f(3, 4), 0.1, out=(f(3, 4), b(3, 4)), muls=2 * 12),
    row("aten._masked_scale.default", f(3, 4), b(3, 4), 1.1, out=f(3, 4), muls=2 * 12),
    row(
        "aten._amp_foreach_non_finite_check_and_unscale_.default", (f(4), f(6)), f(), f(), out=None, muls=10,
        comparisons=10, bytes_written=10 * 4,
    ),
    row("aten._amp_update_scale_.default", f(), i(), f(), 2.0, 0.5, 2000, out=f(), muls=1, comparisons=2),
]  # fmt: skip

# 2 images of 6 channels, 4 x 5
X, N = f(2, 6, 4, 5), 2 * 6 * 4 * 5
PIECES = [
    row(
        "aten.batch_norm_stats.default", X, 1e-5, out=(f(6), f(6)), adds=6 * 39 + N + 6 * 39 + 6, muls=N, divs=12,
        specials=6,
    ),
    row(
        "aten.batch_norm_update_stats.default", X, f(6), f(6), 0.1, out=(f(6), f(6)), adds=6 * 39 + N + 6 * 39 + 12,
        muls=N + 30, divs=12,
    ),
    row("aten.batch_norm_elemt.default", X, f(6), f(6), f(6), f(6), 1e-5, out=X, muls=N + 12, adds=N + 6),
    # the statistics of 3 processes
    row(
        "aten.batch_norm_gather_stats_with_counts.default", X, f(3, 6), f(3, 6), f(6), f(6), 0.1, 1e-5, f(3),
        out=(f(6), f(6)), muls=7 * 18 + 30, adds=5 * 18 + 6 + 12, divs=3 * 18 + 6, specials=6,
    ),
    row(
        "aten.batch_norm_backward_reduce.default", X, X, f(6), f(6), f(6), True, True, True, out=(f(6),) * 4,
        adds=2 * 6 * 39 + N, muls=N + 6,
    ),
    row(
        "aten.batch_norm_backward_elemt.default", X, X, f(6), f(6), f(6), f(6), f(6), i(1), out=X,
        muls=2 * N + 18, divs=12, adds=3 * N,
    ),
]  # fmt: skip

KERNELS = [
    row(
        "aten.cudnn_convolution_relu.default", f(1, 3, 8, 8), f(4, 3, 3, 3), f(4), (1, 1), (0, 0), (1, 1), 1,
        out=f(1, 4, 6, 6), macs=4 * 6 * 6 * 3 * 3 * 3, adds=4 * 6 * 6, comparisons=4 * 6 * 6,
    ),
    row(
        "aten.cudnn_convolution_add_relu.default", f(1, 3, 8, 8), f(4, 3, 3, 3), f(1, 4, 6, 6), 0.5, None, (1, 1),
        (0, 0), (1, 1), 1, out=f(1, 4, 6, 6), macs=4 * 6 * 6 * 3 * 3 * 3, adds=4 * 6 * 6, muls=4 * 6 * 6,
        comparisons=4 * 6 * 6,
    ),
    # from 6 to 3 a filter of 12 around 1, 3, 5, cut off: all 6, all 6, all 6
    row(
        "aten._upsample_lanczos2d_aa.default", f(1, 1, 1, 6), (1, 3), False, out=f(1, 1, 1, 3), muls=18, adds=18 - 3
    ),
    row(
        "aten._upsample_lanczos2d_aa_backward.default", f(1, 1, 1, 3), (1, 3), (1, 1, 1, 6), False, out=f(1, 1, 1, 6),
        muls=18, adds=18,
    ),
    row(
        "torchvision.box_iou_rotated.default", f(2, 5), f(3, 5), out=f(2, 3),
        muls=6 * (2 * 6 + 16 * (6 + 2) + 8 * 4 + 24 * 2 + 2), adds=6 * (2 * 8 + 16 * (7 + 2) + 8 * 4 + 24 * 5 + 2),
        divs=6 * (16 * 2 + 1), specials=6 * 4, comparisons=6 * (16 * 4 + 8 * 4 + 24 * 5),
    ),
]  # fmt: skip


def quantised() -> list[Row]:
    """Those that training on the way to a quantised model calls, and activations fused into a layer."""
    layer = q(5, 8), packed(4, 8, bias=4), 0.1, 3
    n = 5 * 4
    return [
        row(
            "quantized.linear_leaky_relu.default", *layer, 0.1, out=q(5, 4), macs=5 * 8 * 4, adds=n + n, muls=n + n,
            comparisons=2 * n + n,
        ),
        row(
            "quantized.linear_tanh.default", *layer, out=q(5, 4), macs=5 * 8 * 4, adds=n + n, muls=n, comparisons=2 * n,
            specials=n,
        ),
        row(
            "quantized.linear_with_input_q_dq_qweight_dq_relu_output_fp32.default", f(5, 8), 0.1, 3,
            packed(4, 8, bias=4), out=f(5, 4), macs=5 * 8 * 4, adds=n + 2 * 40, muls=2 * 40, comparisons=2 * 40 + n,
        ),
        row(
            "quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default", f(5, 8), 0.1, 3, packed(4, 8),
            out=f(5, 4), macs=5 * 8 * 4, adds=2 * 40, muls=2 * 40, comparisons=2 * 40,
        ),
        row("quantized.threshold.default", q(5, 8), 1.0, 0.0, out=q(5, 8), comparisons=40),
        row(
            "aten._fake_quantize_learnable_per_tensor_affine.default", f(5, 8), f(1), f(1), 0, 255, out=f(5, 8),
            muls=2 * 40, adds=2 * 40, comparisons=2 * 40,
        ),
        row(
            "aten._fake_quantize_learnable_per_tensor_affine_backward.default", f(5, 8), f(5, 8), f(1), f(1), 0, 255,
            out=(f(5, 8), f(1), f(1)), muls=(2 + 1 + 1) * 40 + 2, adds=(2 + 1) * 40 + 2 * 39, divs=40,
            comparisons=2 * 40,
        ),
        row(
            "aten._fused_moving_avg_obs_fq_helper.default", f(5, 8), i(1), i(1), f(), f(), f(1), i(1), 0.01, 0, 255, -1,
            out=(f(5, 8), b(5, 8)), muls=2 * 40 + 2, adds=2 * 40 + 2 * 2 + 2, divs=2, specials=1,
            comparisons=(2 + 2) * 40 + 2 + 2,
        ),
    ]  # fmt: skip
