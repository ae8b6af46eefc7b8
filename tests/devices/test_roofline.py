"""Lower bounds against rooflines that are worked out by hand: FLOPs / peak, and bytes / bandwidth."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiler import profile
from profiler.devices.device import Device
from profiler.devices.fusion import fused, separate
from profiler.devices.roofline import Roofline, works_of
from profiler.devices.work import work
from profiler.errors import ProfileError
from profiler.records.times import ARITHMETIC, LAUNCHES, LOWER_BOUND, MEMORY, Times
from tests.devices.example import T, device

PEAK, HALF_PEAK, VECTOR, BANDWIDTH = 100 * T, 200 * T, 10 * T, 1 * T
FLOAT = 4  # bytes


def times(model: nn.Module | str, inputs: object = None, on: Device | None = None, **options: object) -> Times:
    result = profile(model, inputs, **options).on(Roofline(on or device())).times  # type: ignore[arg-type]
    assert result is not None
    return result


# A layer, its input, and by hand: FLOPs of products, other FLOPs, and the elements that are read and written.
LAYERS = [
    (nn.Linear(512, 1000), "64x512", 2 * 64 * 512 * 1000, 64 * 1000, 64 * 512 + 512 * 1000 + 1000 + 64 * 1000),
    (nn.Linear(512, 1000, bias=False), "1x512", 2 * 512 * 1000, 0, 512 + 512 * 1000 + 1000),
    (nn.Linear(4096, 4096, bias=False), "2048x4096", 2 * 2048 * 4096 * 4096, 0, 2 * 2048 * 4096 + 4096 * 4096),
    (nn.Linear(3, 5), "7x3", 2 * 7 * 3 * 5, 7 * 5, 7 * 3 + 3 * 5 + 5 + 7 * 5),
    (
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), "1x3x224x224",
        2 * 64 * 112 * 112 * 3 * 7 * 7, 0, 3 * 224 * 224 + 64 * 3 * 7 * 7 + 64 * 112 * 112,
    ),
    (
        nn.Conv2d(64, 128, 3, padding=1), "8x64x56x56",
        2 * 8 * 128 * 56 * 56 * 64 * 3 * 3, 8 * 128 * 56 * 56,
        8 * 64 * 56 * 56 + 128 * 64 * 3 * 3 + 128 + 8 * 128 * 56 * 56,
    ),
    (
        nn.Conv2d(256, 256, 1, bias=False), "1x256x14x14",
        2 * 256 * 14 * 14 * 256, 0, 2 * 256 * 14 * 14 + 256 * 256,
    ),
    (
        nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), "4x32x112x112",
        2 * 4 * 32 * 112 * 112 * 3 * 3, 0, 2 * 4 * 32 * 112 * 112 + 32 * 3 * 3,
    ),
    (
        nn.Conv2d(32, 64, 3, padding=1, groups=4, bias=False), "1x32x28x28",
        2 * 64 * 28 * 28 * 8 * 3 * 3, 0, 32 * 28 * 28 + 64 * 8 * 3 * 3 + 64 * 28 * 28,
    ),
    (
        nn.Conv1d(16, 32, 5, bias=False), "2x16x100",
        2 * 2 * 32 * 96 * 16 * 5, 0, 2 * 16 * 100 + 32 * 16 * 5 + 2 * 32 * 96,
    ),
    (
        nn.ConvTranspose2d(16, 8, 2, 2, bias=False), "1x16x10x10",
        2 * 16 * 10 * 10 * 8 * 2 * 2, 0, 16 * 10 * 10 + 16 * 8 * 2 * 2 + 8 * 20 * 20,
    ),
    (nn.ReLU(), "8x64x56x56", 0, 8 * 64 * 56 * 56, 2 * 8 * 64 * 56 * 56),
    (nn.Sigmoid(), "3x5", 0, 3 * 5, 2 * 3 * 5),
    (nn.Tanh(), "3x500", 0, 3 * 500, 2 * 3 * 500),
    (nn.MaxPool2d(2), "2x8x32x32", 0, 2 * 8 * 16 * 16 * 3, 2 * 8 * 32 * 32 + 2 * 8 * 16 * 16),
    (nn.AvgPool2d(2), "2x8x32x32", 0, 2 * 8 * 16 * 16 * 4, 2 * 8 * 32 * 32 + 2 * 8 * 16 * 16),
    (nn.Identity(), "2x8", 0, 0, 0),
    (nn.Flatten(), "2x8x4", 0, 0, 0),
    (nn.ZeroPad2d(1), "1x2x3x3", 0, 0, 2 * 3 * 3 + 2 * 5 * 5),
    (nn.Upsample(scale_factor=2), "1x2x3x3", 0, 0, 2 * 3 * 3 + 2 * 6 * 6),
]  # fmt: skip


@pytest.mark.parametrize("bandwidth", [BANDWIDTH, 1000 * BANDWIDTH])
@pytest.mark.parametrize(("layer", "shape", "products", "others", "elements"), LAYERS, ids=lambda item: str(item)[:40])
def test_a_layer_waits_for_what_takes_longest(
    layer: nn.Module, shape: str, products: int, others: int, elements: int, bandwidth: int
) -> None:
    result = times(layer, shape, device(memory_bandwidth=bandwidth))
    computing, moving = max(products / PEAK, others / VECTOR), elements * FLOAT / bandwidth
    assert result.word == LOWER_BOUND
    assert result.whole.seconds == pytest.approx(max(computing, moving), rel=1e-12)
    assert result.whole.low == result.whole.high == result.whole.seconds  # one call, with which nothing is fused
    assert result.bounds[0] == (None if not elements else ARITHMETIC if computing > moving else MEMORY)


def test_layers_add_up() -> None:
    net = nn.Sequential(nn.Linear(64, 256), nn.Sequential(nn.Linear(256, 256), nn.Dropout()), nn.Linear(256, 8))
    result = times(net, "32x64")
    products = [2 * 32 * 64 * 256, 2 * 32 * 256 * 256, 2 * 32 * 256 * 8]
    elements = [32 * (64 + 256) + 65 * 256, 32 * (256 + 256) + 257 * 256, 32 * (256 + 8) + 257 * 8]
    seconds = [max(p / PEAK, e * FLOAT / BANDWIDTH) for p, e in zip(products, elements, strict=True)]
    own = [duration.seconds for duration in result.own]
    assert own == pytest.approx([0, seconds[0], 0, seconds[1], 0, seconds[2]])
    assert [duration.seconds for duration in result.total] == pytest.approx(
        [sum(seconds), seconds[0], seconds[1], seconds[1], 0, seconds[2]]
    )
    assert result.samples == 32
    assert result.throughput == pytest.approx(32 / sum(seconds))


def test_a_chain_of_elementwise_operators_moves_its_ends() -> None:
    """conv -> batch norm -> relu: unfused 3 reads and 3 writes of the activation; fused 1 of each."""
    net = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()).eval()
    trace = profile(net, "4x8x32x32").trace
    works = works_of(trace)
    activation, weight, norm = 4 * 8 * 32 * 32, 8 * 8, 4 * 8
    assert [kernel.moved_bytes for kernel in separate(works)] == [
        [FLOAT * (2 * activation + weight)], [FLOAT * (2 * activation + norm)], [FLOAT * 2 * activation],
    ]  # fmt: skip
    (kernel,) = fused(trace, works)
    assert kernel.moved_bytes == [FLOAT * (activation + weight), FLOAT * norm, FLOAT * activation]


def test_a_kernel_is_shared_by_what_it_waits_for() -> None:
    """A wide product hides what the ReLU reads and computes; a narrow one waits for the ReLU's result to be written."""
    wide = times(nn.Sequential(nn.Linear(4096, 4096, bias=False), nn.ReLU()), "4096x4096")
    assert [each.seconds for each in wide.own] == pytest.approx([0, 2 * 4096**3 / PEAK, 0])
    assert wide.whole.high == pytest.approx(2 * 4096**3 / PEAK + 2 * 4096**2 * FLOAT / BANDWIDTH)
    narrow = times(nn.Sequential(nn.Linear(8, 4096, bias=False), nn.ReLU()), "4096x8")
    read, written = (4096 * 8 + 8 * 4096) * FLOAT / BANDWIDTH, 4096**2 * FLOAT / BANDWIDTH
    assert [each.seconds for each in narrow.own] == pytest.approx([0, read, written])


def test_what_others_read_is_written() -> None:
    """y = relu(linear(x)); y + linear(y): the first y leaves its kernel once, and comes into two."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(16, 16, bias=False), nn.Linear(16, 16, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.first(x))
            return y + self.second(y)

    trace = profile(Net(), "64x16").trace
    first, second = fused(trace, works_of(trace))
    activation, weight = 64 * 16 * FLOAT, 16 * 16 * FLOAT
    assert first.moved_bytes == [activation + weight, activation]
    assert second.moved_bytes == [activation + weight, activation]  # `y` is read for the product, and not again


def test_starts_can_take_longer_than_all_kernels() -> None:
    """Three kernels of no length to speak of take three starts; fused, the chain of two takes one."""
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    result = times(net, "1x4", device(launch_overhead=1e-3))
    assert result.whole.low == pytest.approx(2 * 1e-3)
    assert result.whole.high == pytest.approx(3 * 1e-3)
    assert result.bounds[0] == LAUNCHES


def test_starts_run_ahead_of_long_kernels() -> None:
    result = times(nn.Linear(4096, 4096, bias=False), "4096x4096", device(launch_overhead=1e-6))
    assert result.whole.seconds == pytest.approx(2 * 4096**3 / PEAK)


def test_tensor_cores_round_convolutions_and_not_products() -> None:
    """As torch does by default (`torch.backends.cudnn.allow_tf32`, `torch.backends.cuda.matmul.allow_tf32`)."""
    on = device(peak={"float32": 1 * T, "tf32": 8 * T})
    products = 2 * 64 * 30 * 30 * 64 * 3 * 3
    assert times(nn.Conv2d(64, 64, 3, bias=False), "1x64x32x32", on).whole.seconds == pytest.approx(products / (8 * T))
    assert times(nn.Linear(512, 512, bias=False), "512x512", on).whole.seconds == pytest.approx(2 * 512**3 / T)


def test_the_dtype_decides_the_peak() -> None:
    halves = times(nn.Linear(4096, 4096, bias=False), "4096x4096", dtype="float16")
    assert halves.whole.seconds == pytest.approx(2 * 4096**3 / HALF_PEAK)


def test_a_dtype_that_the_device_does_not_multiply() -> None:
    with pytest.raises(ProfileError, match=r"^round does not multiply bfloat16 \(float32, float16 it does\); choose "):
        times(nn.Linear(8, 8), "2x8", dtype="bfloat16")


def test_a_training_step_has_phases() -> None:
    result = times(nn.Linear(512, 512, bias=False), "512x512", train=True, optimizer="sgd")
    product = max(2 * 512**3 / PEAK, 3 * 512 * 512 * FLOAT / BANDWIDTH)
    assert result.phases["forward"].seconds == pytest.approx(product)
    assert result.phases["backward"].seconds >= product  # that of the weights; the input wants no gradient
    assert result.phases["update"].seconds > 0
    assert sum(duration.seconds for duration in result.phases.values()) == pytest.approx(result.whole.seconds)


def test_a_fused_step_of_adam_reads_four_and_writes_three() -> None:
    """Parameters, gradients and averages are read, all but the gradients written; zeros are the first step's."""
    step = times(nn.Linear(512, 512, bias=False), "8x512", train=True, optimizer="adamw(fused=True)")
    assert step.phases["update"].seconds == pytest.approx(7 * 512 * 512 * FLOAT / BANDWIDTH, rel=1e-3)


def test_calls_without_a_formula_are_counted() -> None:
    @torch.library.custom_op("devices_tests::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    twice.register_fake(torch.empty_like)

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return twice(twice(x)).relu()

    assert times(Net(), "2x8").unknown_calls == 2


def test_nothing_that_ran_has_no_time() -> None:
    assert profile(nn.Linear(8, 8)).on(Roofline(device())).times is None


# Laws -----------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 64), st.integers(1, 8), st.floats(0, 1e-5))
def test_a_better_device_is_not_slower(batch: int, factor: int, overhead: float) -> None:
    trace = profile(_NET, f"{batch}x3x16x16").trace
    worse = device(launch_overhead=overhead)
    better = replace(
        worse,
        memory_bandwidth=worse.memory_bandwidth * factor,
        peak={name: peak * factor for name, peak in worse.peak.items()},
        vector={name: peak * factor for name, peak in worse.vector.items()},
    )
    slow, fast = Roofline(worse).times(trace), Roofline(better).times(trace)
    assert fast.whole.seconds <= slow.whole.seconds * (1 + 1e-9)
    assert all(duration.low <= duration.high for duration in slow.total)
    assert sum(duration.seconds for duration in slow.own) == pytest.approx(slow.whole.seconds)
    assert sum(slow.calls) == pytest.approx(slow.whole.seconds)


_NET = nn.Sequential(
    nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.GELU(), nn.Flatten(),
    nn.Linear(8 * 12 * 12, 10), nn.Softmax(-1),
).eval()  # fmt: skip


@pytest.mark.parametrize("model", ["resnet18", "vit_b_16", "swin_t", "densenet121", "googlenet"])
def test_fusing_only_ever_saves(model: str) -> None:
    trace = profile(model).trace
    works = works_of(trace)
    together, apart = fused(trace, works), separate(works)
    assert sorted(call for kernel in together for call in kernel.calls) == [kernel.calls[0] for kernel in apart]
    alone = {kernel.calls[0]: kernel.moved_bytes[0] for kernel in apart}
    for kernel in together:
        for call, moved in zip(kernel.calls, kernel.moved_bytes, strict=True):
            assert 0 <= moved <= alone[call]


@pytest.mark.parametrize(
    ("dtype", "expected"), [(torch.float8_e4m3fn, "float8"), (torch.bfloat16, "bfloat16"), (torch.float64, "float64")]
)
def test_a_dtype_is_called_as_peaks_are(dtype: torch.dtype, expected: str) -> None:
    trace = profile(nn.Linear(16, 16).to(torch.float64), "4x16:float64").trace
    (signature,) = trace.signatures
    tensors = tuple(replace(each, dtype=str(dtype).removeprefix("torch.")) for each in signature.args)  # type: ignore[type-var]
    counted = work(replace(signature, args=tensors))
    assert counted is not None
    assert counted.matrix_dtype == expected
