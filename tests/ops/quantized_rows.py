"""What quantised operators must cost; a table as those in formula_tables.py, which takes it in.

QUANTISE is 1 multiplication, 1 addition and 2 comparisons an element, DEQUANTISE 1 addition and 1 multiplication, and
the range of a tensor 2 comparisons an element.
"""

from formula_rows import Row, f, i, row

from profiler.records.trace import Tensor, Value


def q(*shape: int, dtype: str = "quint8") -> Tensor:
    return Tensor(shape, dtype)


def packed(*shape: int, bias: int | None = None) -> Value:
    """A weight with a scale and a zero point for each of its channels, and its bias."""
    channels = shape[0]
    scales = Tensor((channels,), "float64"), Tensor((channels,), "int64")
    return (q(*shape, dtype="qint8"), *scales), f(bias) if bias else None


def half(*shape: int, bias: int | None = None) -> Value:
    return (Tensor(shape, "float16"),), f(bias) if bias else None


def convolutions() -> list[Row]:
    """Of one, two and three dimensions: 4 channels become 6, with 3 taps along each of them; 5 and 3 positions."""
    found = []
    for rank in (1, 2, 3):
        x, out, small = (2, 4, *(5,) * rank), (2, 6, *(3,) * rank), (2, 4, *(3,) * rank)
        kernel = (1, 3) if rank == 1 else (3,) * rank
        taps, positions = 3**rank, 3**rank
        forward = 2 * 6 * positions * 4 * taps
        n, given = 2 * 6 * positions, 2 * 4 * 5**rank
        scaled = {"macs": forward, "adds": n + n, "muls": n, "comparisons": 2 * n}
        dynamic = {"macs": forward, "adds": n + given, "muls": n + given, "comparisons": (2 + 2) * given}
        weight = packed(6, 4, *kernel, bias=6)
        found += [
            row(f"quantized.conv{rank}d.default", q(*x), weight, 0.1, 3, out=q(*out), **scaled),
            row(f"quantized.conv{rank}d_dynamic.default", f(*x), weight, out=f(*out), **dynamic),
        ]
        spread, wide = 2 * 4 * 3**rank * 6 * taps, 2 * 6 * 5**rank
        back = packed(4, 6, *kernel)
        found += [
            row(
                f"quantized.conv_transpose{rank}d.default", q(*small), back, 0.1, 3, out=q(2, 6, *(5,) * rank),
                macs=spread, adds=wide, muls=wide, comparisons=2 * wide,
            ),
            row(
                f"quantized.conv_transpose{rank}d_dynamic.default", f(*small), back, out=f(2, 6, *(5,) * rank),
                macs=spread, adds=2 * 4 * 3**rank, muls=wide + 2 * 4 * 3**rank, comparisons=(2 + 2) * 2 * 4 * 3**rank,
            ),
        ]  # fmt: skip
    return found


CELLS = ((packed(20, 3, bias=20), packed(20, 5, bias=20)),)
GRU_CELLS = ((packed(15, 3, bias=15), packed(15, 5, bias=15)),)
HALF_CELLS = ((half(20, 3, bias=20), half(20, 5, bias=20)),)
STEPS = 7 * 2


def recurrent() -> list[Row]:
    """3 inputs, 5 hidden units, 7 steps of 2 samples. At each step both sides are quantised and scaled back."""
    lstm = {"macs": STEPS * 20 * 3 + STEPS * 20 * 5}
    gru = {"macs": STEPS * 15 * 3 + STEPS * 15 * 5}
    sides = STEPS * (3 + 5)
    inner_lstm = {"adds": 2 * 20 * STEPS + 5 * 5 * STEPS, "muls": 3 * 5 * STEPS, "specials": 5 * 5 * STEPS}
    inner_gru = {"adds": 2 * 15 * STEPS + 5 * 5 * STEPS, "muls": 2 * 5 * STEPS, "specials": 3 * 5 * STEPS}

    def around(inner: dict[str, int], gates: int) -> dict[str, int]:
        adds, muls = inner["adds"] + sides, inner["muls"] + sides + STEPS * 2 * gates
        return inner | {"adds": adds, "muls": muls, "comparisons": (2 + 2) * sides}

    x, flat, state = f(7, 2, 3), f(STEPS, 3), f(1, 2, 5)
    settings = (True, 1, 0.0, False, False)
    found = [
        row(
            "aten.quantized_lstm.input", x, (state, state), CELLS, *settings, False, out=(f(7, 2, 5), state, state),
            kwargs={"dtype": "qint8", "use_dynamic": True}, **lstm, **around(inner_lstm, 20),
        ),
        row(
            "aten.quantized_lstm.input", x, (state, state), HALF_CELLS, *settings, False,
            out=(f(7, 2, 5), state, state), **lstm, **inner_lstm,
        ),
        row(
            "aten.quantized_lstm.data", flat, i(7), (state, state), CELLS, *settings, out=(f(STEPS, 5), state, state),
            **lstm, **around(inner_lstm, 20),
        ),
        row(
            "aten.quantized_gru.input", x, state, GRU_CELLS, *settings, False, out=(f(7, 2, 5), state),
            **gru, **around(inner_gru, 15),
        ),
        row(
            "aten.quantized_gru.data", flat, i(7), state, GRU_CELLS, *settings, out=(f(STEPS, 5), state),
            **gru, **around(inner_gru, 15),
        ),
    ]  # fmt: skip
    behind = {
        "lstm": (20, {"adds": 5 * 5, "muls": 3 * 5, "specials": 5 * 5}),
        "gru": (15, {"adds": 5 * 5, "muls": 2 * 5, "specials": 3 * 5}),
        "rnn_tanh": (5, {"adds": 5, "muls": 0, "specials": 5}),
        "rnn_relu": (5, {"adds": 5, "muls": 0, "comparisons": 5}),
    }
    for kind, (gates, unit) in behind.items():
        once = {name: 2 * count for name, count in unit.items()}
        once["adds"] += 2 * 2 * gates + 2 * (3 + 5)
        once["muls"] += 2 * (3 + 5) + 2 * 2 * gates
        once["comparisons"] = once.get("comparisons", 0) + (2 + 2) * 2 * (3 + 5)
        weights = packed(gates, 3, bias=gates), packed(gates, 5, bias=gates)
        op = f"quantized.quantized_{kind}_cell_dynamic.default"
        macs = 2 * gates * 3 + 2 * gates * 5
        found.append(row(op, f(2, 3), f(2, 5), *weights, f(gates), f(gates), out=f(2, 5), macs=macs, **once))
    return found


N = 2 * 8 * 3 * 3  # elements of `X`
X = q(2, 8, 3, 3)
BOTH = {"adds": N + N, "muls": N + N, "comparisons": 2 * N}  # to float and back


def also(**counts: int) -> dict[str, int]:
    """What is done beside going to float and back."""
    return {name: BOTH.get(name, 0) + counts.get(name, 0) for name in {**BOTH, **counts}}


def elementwise(op: str, *args: Value, **counts: int) -> Row:
    return row(op, X, *args, 0.1, 3, out=X, **also(**counts))


QUANTIZED = [
    row("aten.quantize_per_tensor.default", f(2, 5), 0.1, 3, "quint8", out=q(2, 5), muls=10, adds=10, comparisons=20),
    row(
        "aten.quantize_per_channel.default", f(2, 5), f(2), i(2), 0, "qint8", out=q(2, 5, dtype="qint8"),
        muls=10, adds=10, comparisons=20,
    ),
    row(
        "aten.quantize_per_tensor_dynamic.default", f(2, 5), "quint8", False, out=q(2, 5),
        muls=10, adds=10, comparisons=(2 + 2) * 10,
    ),
    row("aten.dequantize.self", q(2, 5), out=f(2, 5), muls=10, adds=10),
    row(
        "quantized_decomposed.dequantize_per_channel.default", Tensor((2, 5), "int8"), f(2), i(2), 0, -128, 127, "int8",
        out=f(2, 5), muls=10, adds=10,
    ),
    row("aten.dequantize.self", f(2, 5), out=f(2, 5)),
    row(
        "aten.fake_quantize_per_tensor_affine_cachemask.default", f(2, 5), 0.1, 3, 0, 255,
        out=(f(2, 5), Tensor((2, 5), "bool")), muls=2 * 10, adds=2 * 10, comparisons=2 * 10,
    ),
    *convolutions(),
    # the first layer of resnet18
    row(
        "quantized.conv2d_relu.new", q(1, 3, 224, 224), packed(64, 3, 7, 7, bias=64), 0.1, 0, out=q(1, 64, 112, 112),
        macs=64 * 112 * 112 * 3 * 7 * 7, adds=2 * 64 * 112 * 112, muls=64 * 112 * 112, comparisons=2 * 64 * 112 * 112,
    ),
    # with groups
    row(
        "quantized.conv2d.new", q(1, 4, 5, 5), packed(6, 2, 3, 3), 0.1, 0, out=q(1, 6, 3, 3),
        macs=6 * 3 * 3 * 2 * 3 * 3, adds=6 * 3 * 3, muls=6 * 3 * 3, comparisons=2 * 6 * 3 * 3,
    ),
    row(
        "quantized.conv2d_add.default", q(1, 4, 5, 5), q(1, 6, 3, 3), packed(6, 4, 3, 3), 0.1, 0, out=q(1, 6, 3, 3),
        macs=6 * 3 * 3 * 4 * 3 * 3, adds=3 * 6 * 3 * 3, muls=2 * 6 * 3 * 3, comparisons=2 * 6 * 3 * 3,
    ),
    row(
        "quantized.linear.default", q(2, 9, 7), packed(5, 7, bias=5), 0.1, 3, out=q(2, 9, 5),
        macs=2 * 9 * 7 * 5, adds=2 * 2 * 9 * 5, muls=2 * 9 * 5, comparisons=2 * 2 * 9 * 5,
    ),
    row(
        "quantized.linear_dynamic.default", f(2, 7), packed(5, 7, bias=5), True, out=f(2, 5),
        macs=2 * 7 * 5, adds=2 * 5 + 2 * 7, muls=2 * 7 + 2 * 5, comparisons=(2 + 2) * 2 * 7,
    ),
    row(
        "quantized.linear_relu_dynamic.default", f(2, 7), packed(5, 7), True, out=f(2, 5),
        macs=2 * 7 * 5, adds=2 * 7, muls=2 * 7 + 2 * 5, comparisons=(2 + 2) * 2 * 7 + 2 * 5,
    ),
    row("quantized.linear_dynamic_fp16.default", f(2, 7), half(5, 7, bias=5), out=f(2, 5), macs=2 * 7 * 5, adds=2 * 5),
    row(
        "quantized.linear_relu_dynamic_fp16.default", f(2, 7), half(5, 7), out=f(2, 5),
        macs=2 * 7 * 5, comparisons=2 * 5,
    ),
    row(
        "quantized.matmul.default", q(3, 4, 5), q(3, 5, 6), 0.1, 3, out=q(3, 4, 6),
        macs=3 * 4 * 6 * 5, adds=3 * 4 * 6, muls=3 * 4 * 6, comparisons=2 * 3 * 4 * 6,
    ),
    row(
        "aten._int_mm.default", Tensor((4, 5), "int8"), Tensor((5, 6), "int8"), out=Tensor((4, 6), "int32"),
        macs=4 * 6 * 5,
    ),
    # 64·32 weights of 4 bits: each is looked up, and multiplied with its block's absmax
    row(
        "bitsandbytes.gemm_4bit.default", f(4, 64), Tensor((32 * 64 // 2, 1), "uint8"), (32, 64), f(1), 64, "nf4",
        f(32), out=f(4, 32), macs=4 * 64 * 32, muls=64 * 32, adds=4 * 32,
    ),
    row(
        "bitsandbytes.gemv_4bit.default", f(1, 64), Tensor((32 * 64 // 2, 1), "uint8"), (32, 64), f(32), f(16), 64,
        out=f(1, 32), macs=64 * 32, muls=64 * 32,
    ),
    row(
        "bitsandbytes.dequantize_4bit.default", Tensor((32 * 64 // 2, 1), "uint8"), f(32), 64, "nf4", (32, 64),
        "float32", out=f(32, 64), muls=32 * 64,
    ),
    row(
        "bitsandbytes.int8_vectorwise_quant.default", f(4, 64), out=(Tensor((4, 64), "int8"), f(4), None),
        comparisons=4 * 64, muls=4 * 64, divs=4,
    ),
    row(
        "bitsandbytes.int8_scaled_mm.default", Tensor((4, 64), "int8"), Tensor((32, 64), "int8"), f(4), f(32), f(32),
        "float32", out=f(4, 32), macs=4 * 64 * 32, muls=2 * 4 * 32, adds=4 * 32,
    ),
    row("quantized.add.default", X, X, 0.1, 3, out=X, adds=(2 + 1 + 1) * N, muls=(2 + 1) * N, comparisons=2 * N),
    row("quantized.add_relu.default", X, X, 0.1, 3, out=X, adds=4 * N, muls=3 * N, comparisons=(1 + 2) * N),
    row("quantized.mul.default", X, X, 0.1, 3, out=X, adds=(2 + 1) * N, muls=(2 + 1 + 1) * N, comparisons=2 * N),
    row("quantized.mul_relu.default", X, X, 0.1, 3, out=X, adds=3 * N, muls=4 * N, comparisons=(1 + 2) * N),
    row("quantized.mul.Scalar", X, 2, out=X),
    # a channel's weight for all its positions
    row(
        "quantized.mul.default", X, q(2, 8, 1, 1), 0.1, 3, out=X,
        adds=N + 2 * 8 + N, muls=N + 2 * 8 + N + N, comparisons=2 * N,
    ),
    row("quantized.cat.default", (q(2, 8), q(2, 8)), 1, 0.1, 3, out=q(2, 16), adds=64, muls=64, comparisons=64),
    elementwise("quantized.hardswish.default", adds=N, comparisons=2 * N, muls=N, divs=N),
    elementwise("quantized.sigmoid.default", specials=N),
    row("quantized.celu.default", X, 0.1, 3, 1, out=X, **also(comparisons=N, divs=N, specials=N, adds=N, muls=N)),
    row("quantized.elu.default", X, 0.1, 3, 1, 1, 1, out=X, **also(comparisons=N, specials=N, adds=N, muls=N)),
    row("quantized.leaky_relu.default", X, 0.01, False, 0.1, 3, out=X, **also(comparisons=N, muls=N)),
    elementwise("quantized.prelu.default", q(1), comparisons=N, muls=N),
    row(
        "quantized.softmax.default", q(2, 5), 1, 0.1, 3, out=q(2, 5),
        comparisons=2 * 4 + 2 * 10, adds=10 + 2 * 4 + 2 * 10, specials=10, divs=10, muls=2 * 10,
    ),
    # mean: 4; centre: 5; squares' mean: 4; ε: 1; shift: 5 additions a row
    row(
        "quantized.layer_norm.default", q(2, 5), (5,), f(5), f(5), 1e-5, 0.1, 3, out=q(2, 5),
        adds=2 * (4 + 5 + 4 + 1 + 5) + 2 * 10, muls=2 * (5 + 5 + 5) + 2 * 10, divs=2 * 2, specials=2,
        comparisons=2 * 10,
    ),
    row(
        "quantized.group_norm.default", q(2, 4, 3), 2, None, None, 1e-5, 0.1, 3, out=q(2, 4, 3),
        adds=4 * (5 + 6 + 5 + 1) + 2 * 24, muls=4 * (6 + 6) + 2 * 24, divs=4 * 2, specials=4, comparisons=2 * 24,
    ),
    row(
        "quantized.instance_norm.default", q(2, 4, 3), f(4), f(4), 1e-5, 0.1, 3, out=q(2, 4, 3),
        adds=8 * (2 + 3 + 2 + 1 + 3) + 2 * 24, muls=8 * (3 + 3 + 3) + 2 * 24, divs=8 * 2, specials=8,
        comparisons=2 * 24,
    ),
    row("quantized.relu6.default", X, out=X, comparisons=2 * N),
    *(
        row(f"quantized.batch_norm{rank}.default", X, f(8), f(8), f(8), f(8), 1e-5, 0.1, 3, out=X, **BOTH)
        for rank in ("", "1d", "2d", "3d")
    ),
    *(
        row(
            f"quantized.batch_norm{rank}_relu.default", X, f(8), f(8), f(8), f(8), 1e-5, 0.1, 3, out=X,
            **also(comparisons=N),
        )
        for rank in ("", "1d", "2d", "3d")
    ),
    row("aten.quantized_max_pool1d.default", q(1, 2, 8), (2,), (2,), (0,), (1,), out=q(1, 2, 4), comparisons=2 * 4),
    row(
        "quantized.max_pool2d.default", q(1, 2, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1), False, out=q(1, 2, 4, 4),
        comparisons=2 * 4 * 4 * 3,
    ),
    row(
        "aten.quantized_max_pool3d.default", q(1, 2, 4, 4, 4), (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1),
        out=q(1, 2, 2, 2, 2), comparisons=2 * 2 * 2 * 2 * 7,
    ),
    # rows of 16 bytes, each with two floats
    row(
        "quantized.embedding_byte.default", ((q(10, 16), f(10), f(10)), None), i(2, 3), out=f(2, 3, 16),
        adds=6 * 16, muls=6 * 16, bytes_read=6 * 8 + 6 * (16 + 4 + 4),
    ),
    row(
        "quantized.embedding_4bit.default", ((q(10, 16, dtype="quint4x2"), f(10), f(10)), None), i(2, 3),
        out=f(2, 3, 16), adds=6 * 16, muls=6 * 16, bytes_read=6 * 8 + 6 * (8 + 4 + 4),
    ),
    row(
        "quantized.embedding_bag_byte.default", ((q(10, 16), f(10), f(10)), None), i(6), i(2), out=f(2, 16),
        adds=6 * 16 + (6 - 2) * 16, muls=6 * 16, bytes_read=6 * 8 + 6 * (16 + 4 + 4),
    ),
    *recurrent(),
]  # fmt: skip

REFUSED_QUANTIZED = {
    "a packed weight from elsewhere": ("quantized.linear.default", (q(2, 7), "a.class", 0.1, 3), q(2, 5)),
    "cells from elsewhere": (
        "aten.quantized_gru.input", (f(7, 2, 3), f(1, 2, 5), ("a.class",), True, 1, 0.0, False, False, False),
        f(7, 2, 5),
    ),
    "a quantised tensor and a number": ("quantized.add.Scalar", (X, 1), X),
}  # fmt: skip
