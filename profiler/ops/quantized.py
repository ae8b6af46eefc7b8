"""What do quantised layers cost, as torch.ao's kernels compute them?

A contraction has the MACs of its float twin: it multiplies 8-bit integers and accumulates them in 32 bits. Beside it
stands what is done in floating point, as ATen's kernels do it (ATen/native/quantized/AffineQuantizerBase.cpp):

    quantise    q = clamp(round(x · 1/s) + z)      1 multiplication, 1 addition, 2 comparisons
    dequantise  x = (q - z) · s                    1 addition, 1 multiplication

Requantising an accumulator is quantising it, with one multiplier for all scales. A fused ReLU only raises the lower
bound of the clamp, so it costs nothing more. Corrections for zero points are integer sums over rows and columns, small
beside the products, and are not counted, nor is other integer arithmetic.

Elementwise kernels dequantise, compute as their float twin does, and quantise. A packed weight stands in a signature as
((weight, its scales and zero points ...), bias or None).
"""

from __future__ import annotations

from dataclasses import replace

from profiler.ops.convolution import convolution_macs
from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import mac, rows_of
from profiler.ops.norm import layer_norm_cost
from profiler.ops.recurrent import CELL, recurrent_cell, recurrent_layers
from profiler.ops.registry import Uncovered, formula, formula_of, free
from profiler.records.trace import Tensor, Value, tensors

QUANTISE = Cost(muls=1, adds=1, comparisons=2)
DEQUANTISE = Cost(adds=1, muls=1)
RANGE = Cost(comparisons=2)  # the smallest and the largest element, for a scale that is chosen at run time
RELU = Cost(comparisons=1)
BIAS = Cost(adds=1)
_SCALED = Cost(muls=1)  # an accumulator as a float: its zero point is 0


def unpacked(packed: Value) -> tuple[Tensor, Tensor | None]:
    """A packed weight and its bias."""
    match packed:
        case ((Tensor() as weight, *_), (Tensor() | None) as bias):
            return weight, bias
    raise Uncovered("a packed weight that cannot be looked into")


# Between float and integer --------------------------------------------------------------------------------------------


def _per_element(unit: Cost, *names: str) -> None:
    """Operators that do the same to each element of their first argument."""

    @formula(*names)
    def cost(x: Tensor, *_: Value, out: Value, **__: Value) -> Cost:
        return unit * x.numel


_per_element(
    QUANTISE,
    "aten.quantize_per_tensor", "aten.quantize_per_channel",
    "quantized_decomposed.quantize_per_tensor", "quantized_decomposed.quantize_per_channel",
)  # fmt: skip
_per_element(RANGE + QUANTISE, "aten.quantize_per_tensor_dynamic")
_per_element(
    QUANTISE + DEQUANTISE,
    "aten.fake_quantize_per_tensor_affine_cachemask", "aten.fake_quantize_per_channel_affine_cachemask",
    "aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    "aten._fake_quantize_learnable_per_tensor_affine", "aten._fake_quantize_learnable_per_channel_affine",
)  # fmt: skip


@formula(
    "aten._fake_quantize_learnable_per_tensor_affine_backward",
    "aten._fake_quantize_learnable_per_channel_affine_backward",
)
def learnable_backward(grad: Tensor, x: Tensor, scale: Tensor, *_: Value, out: Value) -> Cost:
    """https://arxiv.org/abs/1902.08153, section 2.1. The number is quantised again, to see whether it was clamped.

    Of x it is g or 0; of the scale g·(x̂ - x)/s or g·(bound - z); of the zero point 0 or -g·s. The last two are summed,
    and times the factor of the gradient.
    """
    n, sums = x.numel, max(x.numel - scale.numel, 0)
    unit = QUANTISE + DEQUANTISE + Cost(adds=1, divs=1, muls=1) + Cost(muls=1)
    return unit * n + Cost(adds=2 * sums, muls=2 * scale.numel)


@formula("aten._fused_moving_avg_obs_fq_helper", "aten._fused_moving_avg_obs_fq_helper_functional")
def observed(x: Tensor, observer_on: Tensor, fake_quant_on: Tensor, running_min: Tensor, *_: Value, out: Value) -> Cost:
    """Both are on: the range of the batch moves the running one, that gives scale and zero point; there and back.

    running + c·(batch - running), twice; s = (max - min)/levels, z = levels' least - round(min/s).
    """
    channels = max(running_min.numel, 1)
    moving = Cost(adds=2, muls=1) * 2
    chosen = Cost(adds=1, divs=1, comparisons=2) + Cost(adds=1, divs=1, specials=1, comparisons=2)
    return (RANGE + QUANTISE + DEQUANTISE) * x.numel + (moving + chosen) * channels


@formula(
    "aten.dequantize.self", "quantized_decomposed.dequantize_per_tensor", "quantized_decomposed.dequantize_per_channel"
)
def dequantise(x: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
    return NOTHING if x.is_float else DEQUANTISE * x.numel


PACKED = """
    conv_prepack conv1d_prepack conv2d_prepack conv3d_prepack conv_transpose1d_prepack conv_transpose2d_prepack
    conv_transpose3d_prepack linear_prepack linear_prepack_fp16 linear_unpack linear_unpack_fp16 embedding_bag_prepack
    embedding_bag_unpack embedding_bag_byte_unpack embedding_bag_4bit_unpack embedding_bag_2bit_unpack
    make_quantized_cell_params make_quantized_cell_params_dynamic
"""
free(
    "weights as a kernel wants them, or as they were: data moves", *(f"quantized.{name}" for name in PACKED.split()),
    reads=True, writes=True,
)  # fmt: skip
free("reads the stored integers, or the scales that belong to them", "aten.int_repr", reads=True, writes=True)
free("a number that a tensor knows", "aten.q_scale", "aten.q_zero_point", "aten.q_per_channel_axis", "aten.qscheme")
free("a tensor that a tensor knows", "aten.q_per_channel_scales", "aten.q_per_channel_zero_points", writes=True)


# Convolutions and matrix products -------------------------------------------------------------------------------------


def _convolution(name: str, rank: int, transposed: bool = False) -> None:
    def products(x: Tensor, packed: Value, out: Tensor) -> Cost:
        weight, bias = unpacked(packed)
        if rank == 1:
            x, out = _as_image(x), _as_image(out)
        macs = convolution_macs(x, weight, out, transposed)
        return macs + _biased(bias, out)

    @formula(f"quantized.{name}", *(() if transposed else (f"quantized.{name}_relu",)))
    def convolution(x: Tensor, packed: Value, *_: Value, out: Tensor) -> Cost:
        return products(x, packed, out) + QUANTISE * out.numel

    @formula(f"quantized.{name}_dynamic")
    def dynamic(x: Tensor, packed: Value, *_: Value, out: Tensor) -> Cost:
        """The input is quantised by its own range, the accumulators are scaled back to floats."""
        return products(x, packed, out) + (RANGE + QUANTISE) * x.numel + _SCALED * out.numel


def _as_image(x: Tensor) -> Tensor:
    """A one-dimensional convolution is kept as one of an image of height 1."""
    return Tensor((*x.shape[:-1], 1, x.shape[-1]), x.dtype)


def _biased(bias: Tensor | None, out: Tensor) -> Cost:
    return NOTHING if bias is None else BIAS * out.numel


for _rank in (1, 2, 3):
    _convolution(f"conv{_rank}d", _rank)
    _convolution(f"conv_transpose{_rank}d", _rank, transposed=True)


@formula("quantized.conv2d_add", "quantized.conv2d_add_relu")
def convolution_and_sum(x: Tensor, other: Tensor, packed: Value, *_: Value, out: Tensor) -> Cost:
    """The sum with a second tensor, before it is requantised."""
    weight, bias = unpacked(packed)
    return convolution_macs(x, weight, out) + _biased(bias, out) + (DEQUANTISE + BIAS + QUANTISE) * out.numel


def _linear(names: str, per_input: Cost, per_output: Cost, packed_at: int = 1) -> None:
    """A linear layer, and what is done to each element of its input and of its output."""

    @formula(*(f"quantized.{name}" for name in names.split()))
    def linear(x: Tensor, *args: Value, out: Tensor) -> Cost:
        weight, bias = unpacked(args[packed_at - 1])
        macs = mac("M Cin Cout", rows_of(x), weight.shape[1], weight.shape[0], of=x)
        return Cost(macs=macs) + _biased(bias, out) + per_input * x.numel + per_output * out.numel


_linear("linear linear_relu", NOTHING, QUANTISE)
for _name, _relu in (("linear", NOTHING), ("linear_relu", RELU)):
    # The input is quantised by its own range, the accumulators are scaled back to floats.
    _linear(f"{_name}_dynamic", RANGE + QUANTISE, _SCALED + _relu)
    # A float product: only the weight has 16 bits.
    _linear(f"{_name}_dynamic_fp16", NOTHING, _relu)
# The activation stands between the product and requantising it.
_linear("linear_leaky_relu", NOTHING, QUANTISE + Cost(comparisons=1, muls=1))
_linear("linear_tanh", NOTHING, QUANTISE + Cost(specials=1))
# A float layer whose input was quantised and is dequantised.
for _name, _relu in (("", NOTHING), ("relu_", RELU)):
    _linear(f"linear_with_input_q_dq_qweight_dq_{_name}output_fp32", QUANTISE + DEQUANTISE, _relu, packed_at=3)


@formula("quantized.matmul")
def matmul(a: Tensor, b: Tensor, *_: Value, out: Tensor) -> Cost:
    return Cost(macs=mac("out K", out.numel, a.shape[-1], of=a)) + QUANTISE * out.numel


@formula("aten._int_mm", "bitsandbytes.int8_linear_matmul")
def integer_product(a: Tensor, b: Tensor, *_: Value, out: Tensor) -> Cost:
    return Cost(macs=mac("out K", out.numel, a.shape[-1], of=a))


# bitsandbytes, by the schemas in bitsandbytes/_ops.py -----------------------------------------------------------------


@formula("bitsandbytes.gemm_4bit", "bitsandbytes.gemv_4bit")
def four_bits(x: Tensor, packed: Tensor, shape: tuple[int, int], *settings: Value, out: Tensor) -> Cost:
    """Each weight is looked up in the codebook and multiplied with its block's absmax."""
    outs, ins = shape
    bias = settings[3] if len(settings) > 3 and isinstance(settings[2], str) else None
    cost = Cost(macs=mac("M Cin Cout", x.numel // ins, ins, outs, of=x), muls=ins * outs)
    return cost + _biased(bias if isinstance(bias, Tensor) else None, out)


@formula("bitsandbytes.dequantize_4bit", "bitsandbytes.dequantize_blockwise")
def from_codebook(packed: Tensor, *_: Value, out: Tensor) -> Cost:
    return _SCALED * out.numel


@formula("bitsandbytes.int8_vectorwise_quant")
def quantise_rows(x: Tensor, *_: Value, out: Value) -> Cost:
    """Each row by its largest magnitude."""
    rows = rows_of(x)
    return Cost(comparisons=1, muls=1) * x.numel + Cost(divs=1) * rows


@formula("bitsandbytes.int8_scaled_mm")
def scaled_product(
    a: Tensor, b: Tensor, rows: Tensor, columns: Tensor, bias: Tensor | None = None, *_: Value, out: Tensor
) -> Cost:
    """The accumulators are multiplied with the scales of their row and of their column."""
    return integer_product(a, b, out=out) + _SCALED * (2 * out.numel) + _biased(bias, out)


# Elementwise ----------------------------------------------------------------------------------------------------------


def _arithmetic(name: str, unit: Cost) -> None:
    @formula(f"quantized.{name}", f"quantized.{name}_out")
    def two(x: Tensor, y: Value, *_: Value, out: Tensor) -> Cost:
        if not isinstance(y, Tensor):
            raise Uncovered("a quantised tensor and a number")
        return DEQUANTISE * (x.numel + y.numel) + (unit + QUANTISE) * out.numel


for _name, _unit in (("add", Cost(adds=1)), ("mul", Cost(muls=1))):
    _arithmetic(_name, _unit)
    _arithmetic(f"{_name}_relu", _unit + RELU)


@formula("quantized.cat", "quantized.cat_relu")
def cat(values: Value, *_: Value, out: Tensor) -> Cost:
    """Brings the scales of all to one."""
    return (DEQUANTISE + QUANTISE) * out.numel


def _as_float(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(_as_float(item) for item in value)
    return Tensor(value.shape, "float32") if isinstance(value, Tensor) and not value.is_float else value


def _like_float(quantised: str, twin: str, arguments: int) -> None:
    """A kernel that dequantises its first argument; `arguments` are those that its float twin takes as well."""

    @formula(quantised)
    def elementwise(x: Tensor, *rest: Value, out: Tensor, **_: Value) -> Cost:
        floats = [_as_float(value) for value in (x, *rest)[:arguments]]
        return DEQUANTISE * x.numel + formula_of(twin)(*floats, out=_as_float(out)) + QUANTISE * out.numel


for _name in ("hardswish", "sigmoid", "celu", "elu", "leaky_relu"):
    _like_float(f"quantized.{_name}", f"aten.{_name}", 1)
_like_float("quantized.prelu", "aten.prelu", 2)
_like_float("quantized.softmax", "aten.softmax", 2)
_like_float("quantized.layer_norm", "aten.layer_norm", 4)
_like_float("quantized.group_norm", "aten.group_norm", 4)


# The scale is multiplied, and the integers stay; a ReLU compares them. So do a threshold and a clamp.
_per_element(
    NOTHING, "quantized.mul.Scalar", "quantized.mul_scalar", "quantized.mul_relu.Scalar", "quantized.mul_scalar_relu"
)
_per_element(RELU, "quantized.threshold")
_per_element(RANGE, "quantized.relu6", "quantized.clamp")
free("the identity in inference", "quantized.dropout")
# A scale and a shift for each channel, that of requantising with it.
for _suffix in ("", "1d", "2d", "3d"):
    _per_element(DEQUANTISE + QUANTISE, f"quantized.batch_norm{_suffix}")
    _per_element(DEQUANTISE + RELU + QUANTISE, f"quantized.batch_norm{_suffix}_relu")


@formula("quantized.instance_norm")
def instance_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, *_: Value, out: Tensor) -> Cost:
    """Each channel of each sample by itself."""
    rows = x.shape[0] * x.shape[1]
    norm = layer_norm_cost(rows, x.numel // rows if rows else 0, scale=weight is not None, shift=bias is not None)
    return norm + (DEQUANTISE + QUANTISE) * x.numel


# Pooling, embeddings --------------------------------------------------------------------------------------------------


def _pooling(rank: int) -> None:
    @formula(f"aten.quantized_max_pool{rank}d", *((f"quantized.max_pool{rank}d",) if rank < 3 else ()))
    def max_pool(x: Tensor, *settings: Value, out: Tensor) -> Cost:
        return formula_of(f"aten.max_pool{rank}d")(x, *settings, out=out)


for _rank in (1, 2, 3):
    _pooling(_rank)


def _rows(weight: Tensor, indices: Tensor) -> int:
    return indices.numel * weight.shape[1]


@formula("quantized.embedding_byte", "quantized.embedding_4bit")
def embedding(packed: Value, indices: Tensor, *_: Value, out: Tensor) -> Cost:
    weight, _bias = unpacked(packed)
    return replace(DEQUANTISE * _rows(weight, indices), bytes_read=_read_bytes(packed, indices))


@formula("quantized.embedding_bag_byte", "quantized.embedding_bag_4bit")
def embedding_bag(packed: Value, indices: Tensor, *_: Value, out: Tensor, **__: Value) -> Cost:
    """The rows of a bag are added up."""
    weight, _bias = unpacked(packed)
    rows = _rows(weight, indices)
    cost = DEQUANTISE * rows + Cost(adds=max(rows - out.numel, 0))
    return replace(cost, bytes_read=_read_bytes(packed, indices))


def _read_bytes(packed: Value, indices: Tensor) -> int:
    """Each row that is looked up, with its scale and zero point, and the indices."""
    parts = list(tensors(packed))
    words = parts[0].shape[0]
    a_row = sum(part.size_bytes for part in parts) // words if words else 0
    return indices.size_bytes + indices.numel * a_row


# Recurrent layers -----------------------------------------------------------------------------------------------------


def _weights(cells: Value) -> tuple[Tensor, ...]:
    """W_ih, W_hh and the biases of each cell in turn, as float layers have them."""
    if not isinstance(cells, tuple):
        raise Uncovered("packed weights that cannot be looked into")
    weights: list[Tensor] = []
    for cell in cells:
        match cell:
            case (input_side, hidden_side):
                (w_ih, b_ih), (w_hh, b_hh) = unpacked(input_side), unpacked(hidden_side)
                weights += [tensor for tensor in (w_ih, w_hh, b_ih, b_hh) if tensor is not None]
            case _:
                raise Uncovered("packed weights that cannot be looked into")
    return tuple(weights)


def _around(steps: int, weights: tuple[Tensor, ...]) -> Cost:
    """What is quantised and scaled back at each step around products with 8-bit weights: as in a dynamic layer."""
    cost = NOTHING
    for weight in weights:
        if weight.ndim == 2 and not weight.is_float:
            cost += ((RANGE + QUANTISE) * weight.shape[1] + _SCALED * weight.shape[0]) * steps
    return cost


def _recurrent(kind: str) -> None:
    @formula(f"aten.quantized_{kind}.input")
    def layers(
        x: Tensor, hx: Value, cells: Value, has_biases: bool, num_layers: int, dropout: float, train: bool,
        bidirectional: bool, batch_first: bool, *, out: Value, **_: Value,
    ) -> Cost:  # fmt: skip
        rows = tuple(zip(("N", "T") if batch_first else ("T", "N"), x.shape[:2], strict=True))
        weights = _weights(cells)
        has_biases = any(weight.ndim == 1 for weight in weights)
        cost = recurrent_layers(kind, rows, weights, has_biases, num_layers, dropout, train, bidirectional)
        return cost + _around(x.shape[0] * x.shape[1], weights)

    @formula(f"aten.quantized_{kind}.data")
    def packed_batch(
        x: Tensor, batch_sizes: Tensor, hx: Value, cells: Value, has_biases: bool, num_layers: int, dropout: float,
        train: bool, bidirectional: bool, *, out: Value, **_: Value,
    ) -> Cost:  # fmt: skip
        weights = _weights(cells)
        has_biases = any(weight.ndim == 1 for weight in weights)
        rows = (("ΣT", x.shape[0]),)
        cost = recurrent_layers(kind, rows, weights, has_biases, num_layers, dropout, train, bidirectional)
        return cost + _around(x.shape[0], weights)


_recurrent("lstm")
_recurrent("gru")


def _cell(kind: str) -> None:
    @formula(f"quantized.quantized_{kind}_cell_dynamic")
    def cell(x: Tensor, hx: Value, w_ih: Value, w_hh: Value, *_: Value, out: Value) -> Cost:
        (weight, bias), (state_weight, state_bias) = unpacked(w_ih), unpacked(w_hh)
        biases = (bias is not None) + (state_bias is not None)
        cost = recurrent_cell(kind, (("N", x.shape[0]),), weight, state_weight, biases)
        return cost + _around(x.shape[0], (weight, state_weight))


for _kind in CELL:
    _cell(_kind)
