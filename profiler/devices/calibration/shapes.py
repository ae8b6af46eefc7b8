"""Which operators of which sizes are measured? A grid drawn over the ranges that models are in, and taken from none.

Sizes are drawn log-uniformly from a fixed seed: the same grid for everyone. Where channels are concerned, half of the
draws are multiples of 8, as most models have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import exp, log, prod
from random import Random

from profiler.records.trace import Signature, Tensor, Value

SEED = 13
_MOST_BYTES = 48 << 20  # of a tensor
_MOST_MACS = 1.2e9  # of a call: some ten milliseconds of a processor's core


@dataclass(frozen=True, slots=True)
class Case:
    """An operator to measure. Its output is what a run of it shows.

    weights: which of its tensors, by their number, are a model's weights: they were last read in the run before.
    is_positive: whether what it reads is the output of a ReLU, which a comparison's speed depends on.
    """

    signature: Signature
    weights: tuple[int, ...] = ()
    is_positive: bool = False


def grid(dtype: str, peak_scale: float = 1.0) -> Iterator[Case]:
    """Cases without end, a round of all families after the other; the first rounds are the coarse ones.

    peak_scale: how many times more arithmetic than a processor's core the device does in the same time.
    """
    random, most = Random(SEED), _MOST_MACS * peak_scale
    while True:
        for draw, times in _DRAWS.items():
            for _ in range(times):
                case = draw(random, dtype)
                while not _is_measurable(case, most):
                    case = draw(random, dtype)
                yield case


def views(dtype: str) -> list[Case]:
    """Operators that do nothing but cost their call."""
    x = Tensor((8, 16, 32), dtype)
    return [
        _case("aten.transpose.int", x, 1, 2),
        _case("aten.view.default", x, (8, 512)),
        _case("aten.permute.default", x, (2, 0, 1)),
        _case("aten.slice.Tensor", x, 1, 0, 8),
        _case("aten.unsqueeze.default", x, 0),
    ]


def _is_measurable(case: Case, most_macs: float) -> bool:
    sizes = [value for value in case.signature.args if isinstance(value, Tensor)]
    point = _macs(case.signature)
    return all(tensor.size_bytes <= _MOST_BYTES for tensor in sizes) and point <= most_macs


def _macs(signature: Signature) -> float:
    """Multiply-accumulates, roughly: enough to leave out what would take seconds."""
    op, tensors = signature.op, [value for value in signature.args if isinstance(value, Tensor)]
    if "conv" in op:
        x, weight, stride = tensors[0], tensors[1], signature.args[3]
        assert isinstance(stride, tuple)
        assert isinstance(stride[0], int)
        return x.shape[0] * prod(x.shape[2:]) * prod(weight.shape) / stride[0] ** 2
    if "linear" in op:
        return tensors[0].numel * tensors[1].shape[0]
    if "bmm" in op:
        return tensors[0].numel * tensors[1].shape[-1]
    if "attention" in op:
        return 2 * tensors[0].numel * tensors[1].shape[-2]
    return 0.0


# Draws ----------------------------------------------------------------------------------------------------------------


def _between(random: Random, low: float, high: float) -> int:
    """Log-uniform, both ends included."""
    return round(exp(random.uniform(log(low), log(high))))


def _channels(random: Random, low: float, high: float) -> int:
    size = _between(random, low, high)
    return size if random.random() < 0.4 or size < 8 else 8 * round(size / 8)


def _batch(random: Random) -> int:
    return random.choice((1, 1, 1, 2, 4, 8, 8, 16))


def _image(random: Random) -> int:
    return random.choice((_between(random, 4, 256), *(7, 14, 28, 56, 112)))


def _convolve(
    random: Random, dtype: str, channels: tuple[int, int], groups: int, kernel: int, stride: int, image: int
) -> Case:
    (c_in, c_out), batch = channels, _batch(random)
    x = Tensor((batch, c_in, image, image), dtype)
    weight = Tensor((c_out, c_in // groups, kernel, kernel), dtype)
    bias = Tensor((c_out,), dtype) if random.random() < 0.4 else None
    sides, padding = (stride, stride), (kernel // 2, kernel // 2)
    return _case("aten.conv2d.default", x, weight, bias, sides, padding, (1, 1), groups, weights=(1, 2))


def _dense(random: Random, dtype: str) -> Case:
    image = _image(random)
    kernel = random.choice((3, 3, 3, 3, 5, 7, 2, 4, 8, 16))
    stride = random.choice((1, 1, 1, 2)) if kernel < 4 else random.choice((1, 2, kernel))
    c_in = 3 if image > 96 and random.random() < 0.4 else _channels(random, 8, min(1024, 4e5 / image**2 + 16))
    return _convolve(random, dtype, (c_in, _channels(random, 8, 1024)), 1, kernel, stride, image)


def _pointwise(random: Random, dtype: str) -> Case:
    image, most = _image(random), 2048
    channels = (_channels(random, 6, most), _channels(random, 6, most))
    return _convolve(random, dtype, channels, 1, 1, random.choice((1, 1, 1, 1, 2)), image)


def _depthwise(random: Random, dtype: str) -> Case:
    channels = _channels(random, 8, 1536)
    kernel, stride = random.choice((3, 3, 3, 5, 5, 7, 9)), random.choice((1, 1, 2))
    return _convolve(random, dtype, (channels, channels), channels, kernel, stride, _image(random))


def _grouped(random: Random, dtype: str) -> Case:
    groups = random.choice((2, 3, 4, 8, 16, 32, 64))
    inner, outer = _between(random, 2, 64), _between(random, 2, 64)
    kernel = random.choice((1, 3, 3, 3, 5))
    return _convolve(
        random, dtype, (groups * inner, groups * outer), groups, kernel, random.choice((1, 1, 2)), _image(random)
    )


def _linear(random: Random, dtype: str) -> Case:
    rows = _between(random, 1, 8192) if random.random() < 0.75 else random.choice((1, 8))
    c_in, c_out = _channels(random, 16, 4096), _channels(random, 16, 4096)
    x, weight = Tensor((rows, c_in), dtype), Tensor((c_out, c_in), dtype)
    bias = Tensor((c_out,), dtype) if random.random() < 0.7 else None
    return _case("aten.linear.default", x, weight, bias, weights=(1, 2))


def _batched(random: Random, dtype: str) -> Case:
    batch, rows, inner, columns = (_between(random, 2, 1024), *(_between(random, 8, 784) for _ in range(3)))
    a, b = Tensor((batch, rows, inner), dtype), Tensor((batch, inner, columns), dtype)
    return _case("aten.bmm.default", a, b)


def _attend(random: Random, dtype: str) -> Case:
    batch, heads = _batch(random), _between(random, 1, 16)
    queries, width = _between(random, 16, 1024), random.choice((16, 24, 32, 48, 64, 64, 80, 128))
    keys = queries if random.random() < 0.7 else _between(random, 16, 1024)
    q, k = Tensor((batch, heads, queries, width), dtype), Tensor((batch, heads, keys, width), dtype)
    return _case("aten.scaled_dot_product_attention.default", q, k, k)


def _picture(random: Random, dtype: str) -> Tensor:
    """A batch of feature maps."""
    image = _image(random)
    return Tensor((_batch(random), _channels(random, 8, min(2048.0, 4e6 / image**2 + 16)), image, image), dtype)


def _tokens(random: Random, dtype: str) -> Tensor:
    return Tensor((_batch(random), _between(random, 16, 4096), _channels(random, 16, 3072)), dtype)


def _folded(random: Random, dtype: str) -> Case:
    x = _picture(random, dtype)
    channel = Tensor((x.shape[1],), dtype)
    settings = (False, 0.1, 1e-5, True)
    return _case("aten.batch_norm.default", x, channel, channel, channel, channel, *settings, weights=(1, 2, 3, 4))


def _layer_norm(random: Random, dtype: str) -> Case:
    x = _tokens(random, dtype)
    channel = Tensor((x.shape[-1],), dtype)
    if random.random() < 0.25:
        x = _picture(random, dtype)
        channel = Tensor((x.shape[1],), dtype)
        return _case("aten.group_norm.default", x, 1, channel, channel, weights=(1, 2))
    return _case("aten.layer_norm.default", x, (x.shape[-1],), channel, channel, 1e-5, weights=(1, 2))


def _softmax(random: Random, dtype: str) -> Case:
    queries = _between(random, 8, 1024)
    x = Tensor((_batch(random), _between(random, 1, 64), queries, _between(random, 8, 1024)), dtype)
    return _case("aten.softmax.int", x, -1)


def _reduce(random: Random, dtype: str) -> Case:
    x = _picture(random, dtype) if random.random() < 0.5 else _tokens(random, dtype)
    axes = random.choice(((-1,), (-2,), (-2, -1), (1,)))
    if random.random() < 0.2:
        return _case("aten.linalg_vector_norm.default", x, 2, axes, True)
    return _case(random.choice(("aten.mean.dim", "aten.sum.dim_IntList")), x, axes, random.random() < 0.5)


_UNARY = (
    "relu_", "relu", "gelu", "silu_", "silu", "sigmoid", "hardswish_", "hardswish", "hardsigmoid", "hardtanh_", "tanh",
    "exp", "sqrt", "neg", "leaky_relu_", "clamp_min", "sin",
)  # fmt: skip


def _unary(random: Random, dtype: str) -> Case:
    x = _picture(random, dtype) if random.random() < 0.6 else _tokens(random, dtype)
    name = random.choice(_UNARY)
    settings: tuple[Value, ...] = {"hardtanh_": (0.0, 6.0), "leaky_relu_": (0.1,), "clamp_min": (1e-6,)}.get(name, ())
    return _case(f"aten.{name}.default", x, *settings)


def _binary(random: Random, dtype: str) -> Case:
    """Of two tensors, of a tensor and one value a channel, or of a tensor and a number."""
    x, kind = _picture(random, dtype), random.random()
    op = random.choice(("aten.add.Tensor", "aten.mul.Tensor", "aten.add_.Tensor", "aten.sub.Tensor", "aten.div.Tensor"))
    if kind < 0.55:
        return _case(op, x, x)
    if kind < 0.75:
        return _case(op, x, Tensor((x.shape[0], x.shape[1], 1, 1), dtype))
    tokens = _tokens(random, dtype)
    if kind < 0.85:
        return _case(op, tokens, Tensor((tokens.shape[-1],), dtype), weights=(1,))
    if kind < 0.93:
        turned = _turned(random, tokens)
        return _case(op, turned, Tensor(turned.shape, dtype))
    return _case(op, tokens, 0.5)


def _turned(random: Random, x: Tensor) -> Tensor:
    """The same elements with two dimensions exchanged, as `transpose` leaves them."""
    if x.ndim == 3:
        batch, rows, columns = x.shape
        return Tensor((batch, columns, rows), x.dtype, (rows * columns, 1, columns))
    batch, channels, height, width = x.shape
    if random.random() < 0.5:
        size = channels * height * width
        return Tensor((batch, height, width, channels), x.dtype, (size, width, 1, height * width))
    return Tensor((batch, height, channels, width), x.dtype, (channels * height * width, width, height * width, 1))


def _max_pool(random: Random, dtype: str) -> Case:
    kernel = random.choice((2, 3, 3, 5))
    stride = random.choice((1, 2, 2)) if kernel == 3 else 2 if kernel == 2 else 1
    padding = (kernel // 2, kernel // 2) if kernel > 2 else (0, 0)
    settings = ((kernel, kernel), (stride, stride), padding)
    return _case("aten.max_pool2d.default", _picture(random, dtype), *settings, is_positive=True)


def _average_pool(random: Random, dtype: str) -> Case:
    x = _picture(random, dtype)
    if random.random() < 0.6:
        return _case("aten.adaptive_avg_pool2d.default", x, (1, 1))
    kernel = random.choice((2, 2, 3))
    return _case("aten.avg_pool2d.default", x, (kernel, kernel), (2, 2) if kernel == 2 else (1, 1))


def _move(random: Random, dtype: str) -> Case:
    x, kind = _picture(random, dtype) if random.random() < 0.5 else _tokens(random, dtype), random.random()
    if kind < 0.35:
        return _case("aten.cat.default", (x, x), 1)
    if kind < 0.8:
        return _case("aten.contiguous.default", _turned(random, x))
    if kind < 0.9:
        return _case("aten.clone.default", x)
    return _case("aten.roll.default", x, (3, 3), (x.ndim - 2, x.ndim - 1))


# How many of each family a round has.
_DRAWS: Mapping[Callable[[Random, str], Case], int] = {
    _dense: 3, _pointwise: 3, _depthwise: 2, _grouped: 1, _linear: 3, _batched: 1, _attend: 1, _folded: 1,
    _layer_norm: 1, _softmax: 1, _reduce: 1, _unary: 2, _binary: 2, _max_pool: 1, _average_pool: 1, _move: 2,
}  # fmt: skip


def _case(op: str, *args: Value, weights: tuple[int, ...] = (), is_positive: bool = False) -> Case:
    return Case(Signature(op, args, (), None), weights, is_positive)
