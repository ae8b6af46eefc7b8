"""The largest batch that fits: found by formula, by the command, and with real tensors on a CPU."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiler import CheckFailed, ProfileError, largest, profile
from profiler.answers.common.varying import Varying, dimensions
from profiler.api.profiling import run as profiled
from profiler.records.inputs import parse
from profiler.records.spec import Feed
from profiler.render import FORMATS, renderer
from tests import snapshots
from tests.benchmarks.allocations import peak_bytes, record
from tests.shell import run

IN, OUT = 64, 256
WEIGHTS = 4 * (IN * OUT + OUT)
EACH = 4 * (IN + OUT)  # an input and its output


def peak(batch: int) -> int:
    """What a linear layer needs at once."""
    return WEIGHTS + batch * EACH


# The answer -----------------------------------------------------------------------------------------------------------


@given(limit=st.integers(peak(1), peak(3000)))
def test_it_fits_and_one_more_does_not(limit: int) -> None:
    found = largest(nn.Linear(IN, OUT), "batch", limit, (1, IN))
    assert found.fitting is not None
    assert found.next is not None
    assert found.value == (limit - WEIGHTS) // EACH
    assert (found.fitting.peak_bytes, found.next.peak_bytes) == (peak(found.value), peak(found.value + 1))
    assert found.left_bytes == limit - peak(found.value)
    assert (found.fitting.param_bytes, found.fitting.input_bytes) == (WEIGHTS, 4 * IN * found.value)
    assert found.fitting.run_bytes == 4 * OUT * found.value
    assert {found.value, found.value + 1} <= set(found.tried)
    assert found.failure() is None


def test_a_peak_that_is_bent_is_no_trouble() -> None:
    """A constant that is large for few, and small for many."""

    class Bent(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (
                torch.zeros(5000).sum() + torch.cat([x] * 7).sum() * torch.zeros(5000 if len(x) < 300 else 9000).sum()
            )

    for limit in range(20_000, 200_000, 7_321):
        found = largest(Bent(), "batch", limit, (1, 11))
        if found.value is not None:
            assert profile(Bent(), (found.value, 11)).totals.peak_memory_bytes <= limit
            assert profile(Bent(), (found.value + 1, 11)).totals.peak_memory_bytes > limit


def test_few_runs_are_needed() -> None:
    found = largest(nn.Linear(IN, OUT), "batch", peak(12_345), (1, IN))
    assert found.value == 12_345
    assert len(found.tried) <= 15 + 4  # 1, 2, 4, ..., 16384; then where the line crosses


def test_a_training_step_takes_more() -> None:
    model = nn.Sequential(nn.Linear(IN, OUT), nn.Tanh(), nn.Linear(OUT, IN))
    serving, training = (largest(model, "batch", "2MB", (1, IN), train=train) for train in (False, True))
    adam = largest(model, "batch", "2MB", (1, IN), train=True, optimizer="adam")
    assert serving.value is not None
    assert training.value is not None
    assert adam.value is not None
    assert serving.value > training.value > adam.value
    assert adam.fitting is not None
    assert adam.fitting.state_bytes >= 2 * adam.fitting.param_bytes  # two moments
    assert "Optimizer MB" in str(adam)
    assert "Run as training step, optimizer adam." in str(adam)


def test_another_dimension_than_the_first() -> None:
    model = nn.LSTM(8, 16)
    found = largest(model, "n", "100kB", "10x{n}x8")
    assert found.value is not None
    sizes = [profile(model, (10, n, 8)).totals.peak_memory_bytes for n in (found.value, found.value + 1)]
    assert sizes[0] <= 100 * 1024 < sizes[1]
    by_name = largest(model, "batch", "100kB", "10x{batch}x8")
    assert by_name.value == found.value


def test_what_does_not_grow() -> None:
    class Ignores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(100))

        def forward(self, *, n: int = 3) -> torch.Tensor:
            return self.weight + 1

    found = largest(Ignores(), "batch", "1MB", kwargs={"n": "scalar"})
    assert (found.value, found.next) == (None, None)
    assert "the peak does not grow with batch; every batch up to 65,536 fits" in str(found)
    assert found.data()["grows"] is False


# What grows, and in which format -------------------------------------------------------------------------------------


def test_the_side_of_an_image_in_steps() -> None:
    """A stride rounds, so that the multiples of two are looked through alone."""
    weights = 4 * 3 * 5
    strided = nn.Conv2d(3, 5, 1, stride=2, bias=False)
    answer = largest(strided, "size:2", "1MB", (1, 3, 8, 8))
    assert answer.value is not None
    assert answer.next is not None

    def peak(side: int) -> int:
        return weights + 4 * (3 * side**2 + 5 * (side // 2) ** 2)

    assert answer.value % 2 == 0
    assert answer.next.value == answer.value + 2
    assert peak(answer.value) <= 1024**2 < peak(answer.value + 2)


def test_how_wide_a_layer_may_be() -> None:
    answer = largest("torch.nn:Linear(in_features=64, out_features=8)", "out_features", peak(1), (1, IN))
    assert answer.value == OUT


@pytest.mark.parametrize("scheme", ["int8", "nf4"])
def test_weights_in_a_format_leave_more_memory(scheme: str) -> None:
    stored = profile(nn.Linear(IN, OUT), (1, IN)).weights(scheme).stored_bytes
    answer = largest(nn.Linear(IN, OUT), "batch", peak(100), (1, IN), weights=scheme)
    assert answer.value == 100 + (WEIGHTS - stored) // EACH
    assert answer.fitting is not None
    assert answer.fitting.param_bytes == stored
    assert answer.fitting.peak_bytes == stored + EACH * answer.value
    assert f"{scheme} MB" in str(answer)
    assert answer.data()["weights"] == scheme


# With real tensors ----------------------------------------------------------------------------------------------------


def small_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 8, 3),
        nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip


class SmallLstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 32)
        self.head = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.lstm(x)[0][-1])
        return out


def really(model: nn.Module, shape: str) -> int:
    """What tensors take at once when it is run on the CPU, by torch's own profiler."""
    given = torch.rand(parse(shape).shape)
    with torch.inference_mode():
        allocated = peak_bytes(record(lambda: model(given)).tensors)
    weights = sum(tensor.nbytes for tensor in [*model.parameters(), *model.buffers()])
    return weights + given.nbytes + allocated


@pytest.mark.parametrize(
    ("build", "shape", "limit"),
    [(small_cnn, "{n}x3x32x32", "3MB"), (SmallLstm, "12x{n}x16", "400kB")],
    ids=["cnn", "lstm"],
)
def test_a_real_run_agrees(build: Callable[[], nn.Module], shape: str, limit: str) -> None:
    model = build().eval()
    found = largest(model, "n", limit, shape)
    assert found.value is not None
    assert found.fitting is not None
    assert found.next is not None
    assert found.value > 10
    fits, over = (really(model, shape.replace("{n}", str(n))) for n in (found.value, found.value + 1))
    assert fits <= found.limit_bytes < over
    assert (found.fitting.peak_bytes, found.next.peak_bytes) == (fits, over)


# The command ----------------------------------------------------------------------------------------------------------

LINEAR = ("largest", f"torch.nn:Linear(in_features={IN}, out_features={OUT})", "batch", "--input", f"1x{IN}")


def test_it_is_said_in_words_and_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, *LINEAR, "--in", "1MB")
    batch = (1024**2 - WEIGHTS) // EACH
    assert (status, err) == (0, "")
    assert f"the largest batch that fits 1 MB is {batch:,}" in out
    assert f"With batch {batch + 1} it is {EACH:,} bytes more. Both were run" in out
    _, out, _ = run(capsys, *LINEAR, "--in", "1MB", "--format", "json")
    found = json.loads(out)
    assert {"schema", "model", "variable", "limit_bytes", "value", "left_bytes", "fitting", "next", "tried", "inputs",
            "asked", "unknown_ops", "versions"} <= set(found)  # fmt: skip
    assert (found["value"], found["limit_bytes"]) == (batch, 1024**2)
    assert found["fitting"]["peak_bytes"] == peak(batch)
    assert found["next"] == {"value": batch + 1, "peak_bytes": peak(batch + 1), "param_bytes": WEIGHTS,
                             "buffer_bytes": 0, "input_bytes": 4 * IN * (batch + 1), "state_bytes": 0,
                             "run_bytes": 4 * OUT * (batch + 1)}  # fmt: skip
    _, out, _ = run(capsys, *LINEAR, "--in", "1MB", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["batch"], int(row["peak_bytes"])) for row in rows] == [
        (str(batch), peak(batch)), (str(batch + 1), peak(batch + 1)),
    ]  # fmt: skip
    assert int(rows[1]["left_bytes"]) == 1024**2 - peak(batch + 1) < 0


def test_not_even_one(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, *LINEAR, "--in", "10kB")
    assert status == 1
    assert "not even batch 1 fits 10 kB" in out
    over = f"({peak(1) - 10 * 1024:,} bytes over)"
    assert f"its peak is {peak(1) / 1024:.2f} KB {over}, of which {WEIGHTS / 1024:.2f} KB are parameters" in err
    assert err.count("\n") == 1
    _, out, _ = run(capsys, *LINEAR, "--in", "10kB", "--format", "json")
    found = json.loads(out)
    assert (found["value"], found["fitting"], found["next"]["value"]) == (None, None, 1)
    assert "not even batch 1" in found["error"]
    failure = largest(nn.Linear(IN, OUT), "batch", "10kB", (1, IN)).failure()
    assert isinstance(failure, CheckFailed)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "github"])
def test_snapshots(name: str, request: pytest.FixtureRequest) -> None:
    found = largest(nn.Linear(IN, OUT), "batch", "1MB", (1, IN), train=True, optimizer="adamw")
    dress = renderer(name)
    snapshots.check(dress.answer(found), f"largest{dress.SUFFIXES[0]}", request)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("batch",), "largest needs a limit: the memory there is, like --in 8GB"),
        (("batch", "--in", "8"), "--in 8: not a size above 0; write it with its unit"),
        (("batch", "--in", "0GB"), "--in 0GB: not a size above 0"),
        (("batches", "--in", "8GB"), "largest batches: that is neither batch, seq, size nor a dimension"),
        (("size:", "--in", "8GB"), "largest size:: name what grows: batch, seq"),
        (("size:0", "--in", "8GB"), "largest size:0: name what grows: batch, seq"),
        (("seq", "--in", "8GB"), "--seq is for models of transformers"),
        (("batch", "--in", "8GB", "--as", "int3"), "no scheme for weights is called 'int3'"),
        (("batch", "--in", "8GB", "--as", "int8", "--training"), "--as means something with a forward pass"),
        (("batch", "--in", "8GB", "--phase", "decode"), "not fed token ids"),
        (("batch", "--in", "8GB", "--cache", "fp8", "--training"), "means something with a forward pass"),
        (("batch", "--in", "8GB", "--batch", "4"), "--batch 4: the batch is what varies here"),
        (("batch", "--in", "8GB", "--depth", "1"), "Unknown option: --depth"),
        (("batch", "resnet18", "--in", "8GB"), "largest takes no 'resnet18' as well"),
        (("n", "--input", "{n}x{m}", "--in", "8GB"), "the input's dimension {m} has no value"),
        (("n", "--input", "{n}x3xx", "--in", "8GB"), "is not a shape"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str
) -> None:
    status, out, err = run(capsys, "largest", "resnet18", *argv)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_saved_run_cannot_be_varied(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    profile(nn.Linear(2, 3), (1, 2)).save(path)
    status, _, err = run(capsys, "largest", str(path), "batch", "--in", "8GB")
    assert status == 2
    assert "was recorded already, so largest cannot change it" in err


def test_a_model_that_fails_at_another_batch_is_told_of() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(2, 8)

    with pytest.raises(ProfileError, match="fails on input 4x8"):
        largest(Two(), "batch", "1MB", (2, 8))
    with pytest.raises(ProfileError, match="12 parsecs: not a size"):
        largest(nn.Linear(IN, OUT), "batch", "12 parsecs", (1, IN))


# What varies ----------------------------------------------------------------------------------------------------------


def test_dimensions_have_names_in_braces() -> None:
    assert dimensions("1x{n}x{ m }:int64") == {"n", "m"}
    assert dimensions(("1x{n}", torch.zeros(2), {"mask": "{m}x2"})) == {"n", "m"}
    assert dimensions((1, 2)) == set()


def test_size_asks_the_builder_where_the_model_refuses() -> None:
    for spec in ("vit_b_16", "timm:vit_tiny_patch16_224"):
        found = Varying(profiled, spec, "size").at(160)
        assert found.trace.inputs[0].shape == (1, 3, 160, 160)
    assert Varying(profiled, "resnet18", "size", feed=Feed(batch=2)).at(64).trace.inputs[0].shape == (2, 3, 64, 64)
    with pytest.raises(ProfileError, match="Input shape indivisible by patch size"):
        Varying(profiled, "vit_b_16", "size").at(170)


def test_a_builders_keyword_keeps_the_others() -> None:
    found = Varying(profiled, "resnet18(num_classes=7)", "width_per_group", feed=Feed(batch=2)).at(64)
    assert found.model == "resnet18(num_classes=7, width_per_group=64)"
    assert found["fc"].output.shape == (2, 7)


def test_what_does_not_run_for_one_is_tried_for_two() -> None:
    """A batch norm that is trained wants more than one value of each channel."""
    model = nn.Sequential(nn.Linear(IN, OUT), nn.BatchNorm1d(OUT))
    found = largest(model, "batch", "1MB", (4, IN), train=True)
    assert found.value is not None
    assert found.value > 2
    assert found.tried[0] == 2
