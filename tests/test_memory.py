"""What is alive when, on models small enough to be followed by hand; and the report of it, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from profiler import Profile, ProfileError, largest, profile, scan
from profiler.figures import memory
from profiler.figures.memory import INSIDE
from tests.shell import run

F32 = 4  # bytes


class Chain(nn.Module):
    """Two layers, and the input of the second is let go of when it is not needed any more."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(8, 64)
        self.down = nn.Linear(64, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(torch.relu(self.up(x)))


class Keeping(Chain):
    """The same, but a variable keeps the widest tensor to the end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.up(x)
        return self.down(torch.relu(wide)) + wide[:, :8]


class InPlace(Chain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(torch.relu_(self.up(x)))


class Views(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        return y.view(-1)[3:].reshape(1, -1).transpose(0, 1)


@pytest.mark.parametrize(
    ("model", "peak"),
    [
        (Chain(), 5 * 64 * F32 + 5 * 64 * F32),  # up's result and relu's
        (Keeping(), 5 * 64 * F32 + 5 * 64 * F32 + 5 * 8 * F32),  # both, and down's
        (InPlace(), 5 * 64 * F32 + 5 * 8 * F32),  # one of both, and down's
        (Views(), 5 * 8 * F32),  # views take nothing
        (nn.Identity(), 0),  # the caller's input is not the model's
        (nn.MaxPool1d(2), 5 * 4 * F32),  # the result: a CPU finds no indices in inference
        (nn.LayerNorm(8), 5 * 8 * F32 + 2 * 5 * F32),  # the result, and mean and deviation of each row
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_peak(model: nn.Module, peak: int) -> None:
    found = profile(model, (5, 8))
    assert memory.peak_bytes(found.trace) == peak
    assert sum(piece.size_bytes for piece in found.memory.pieces) == peak
    assert found.totals.peak_memory_bytes == found.totals.param_bytes + 5 * 8 * F32 + peak


def test_what_is_alive_says_who_made_it() -> None:
    report = profile(Chain(), (5, 8)).memory
    made = [(report.layer(piece.call), report.operator(piece.call)) for piece in report.pieces]
    assert made == [("up", "aten.linear.default"), ("", "aten.relu.default")]
    assert [piece.tensor and piece.tensor.shape for piece in report.pieces] == [(5, 64), (5, 64)]
    assert report.call == 1
    assert report.phase(1) is None


def test_what_is_inside_an_operator_is_a_piece_of_its_own() -> None:
    pieces = profile(nn.MaxPool2d(2), (1, 1, 4, 4)).memory.pieces
    assert [(piece.role, piece.size_bytes) for piece in pieces] == [(INSIDE, 4 * 8), ("activation", 4 * F32)]


def test_an_lstm_has_its_steps_inside() -> None:
    few, many = (profile(nn.LSTM(8, 8), (steps, 1, 8)).memory.pieces for steps in (2, 20))
    assert [piece.size_bytes for piece in many if piece.role == INSIDE] > [
        piece.size_bytes for piece in few if piece.role == INSIDE
    ]


def test_timeline_covers_every_call_once_and_holds_the_peak() -> None:
    found = profile("resnet18")
    stretches = found.memory.timeline
    assert [stretch.first for stretch in stretches[1:]] == [stretch.last for stretch in stretches[:-1]]
    assert (stretches[0].first, stretches[-1].last) == (0, len(found.trace.calls))
    assert max(stretch.live_bytes for stretch in stretches) == found.totals.peak_activation_bytes
    assert len(profile(Chain(), (5, 8)).memory.timeline) == 3  # no more stretches than calls


def test_tables_count_calls_from_1_and_programs_from_0() -> None:
    report = profile(Chain(), (5, 8)).memory
    calls = len(report.trace.calls)
    assert (report.call, json.loads(report.to_json())["memory"]["peak_call"]) == (1, 1)
    assert f"call 2 of {calls}, " in str(report)
    rows = [line.split()[0] for line in str(report).splitlines() if re.match(r"\d+-\d+ ", line)]
    assert rows == [f"{call}-{call}" for call in range(1, calls + 1)]


def test_nothing_is_alive_where_nothing_is_called() -> None:
    report = profile(nn.Identity(), (2, 2)).memory
    assert report.call is None
    assert "Peak memory, KB" in str(report)
    assert json.loads(report.to_json())["memory"]["alive"] == []


# Training -------------------------------------------------------------------------------------------------------------


def test_the_state_of_an_optimizer_is_there_from_the_start() -> None:
    plain, adam = (profile(Chain(), (5, 8), train=True, optimizer=name) for name in (None, "adam"))
    params = 8 * 64 + 64 + 64 * 8 + 8
    assert adam.training is not None
    assert adam.training.optimizer_bytes == 2 * params * F32 + 4 * F32  # two moments, and a step count for each of four
    assert adam.totals.peak_memory_bytes >= plain.totals.peak_memory_bytes + adam.training.optimizer_bytes
    assert plain.training is not None
    assert plain.training.gradient_bytes == params * F32


def test_figures_of_a_step_add_up() -> None:
    found = profile("resnet18", train=True, optimizer="sgd", recompute=["layer1"])
    step = found.training
    assert step is not None
    assert found.totals.macs == step.forward_macs + step.backward_macs + step.recompute_macs
    assert found.totals.flops == step.forward_flops + step.backward_flops + step.recompute_flops + step.update_flops
    assert step.recompute_macs == found["layer1"].trained.recompute.macs == found["layer1"].trained.forward.macs
    assert step.gradient_bytes == found.totals.param_bytes == found.layers[0].trained.gradient_bytes


def test_inference_has_no_figures_of_training() -> None:
    found = profile(Chain(), (5, 8))
    assert found.training is None
    assert found["up"].trained is None
    assert json.loads(found.to_json())["training"] is None


def test_a_step_survives_being_saved(tmp_path: Path) -> None:
    found = profile(Chain(), (5, 8), train=True, optimizer="momentum", freeze=["up"])
    found.save(tmp_path / "step.json")
    loaded = Profile.load(tmp_path / "step.json")
    assert loaded.training == found.training
    assert loaded.totals == found.totals
    assert loaded.memory.to_json() == found.memory.to_json()


# The report -----------------------------------------------------------------------------------------------------------


def test_json_holds_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "memory", "resnet18", "--format", "json")
    data: dict[str, Any] = json.loads(out)
    assert status == 0
    assert max(data["memory"]["live_bytes"]) == data["totals"]["peak_activation_bytes"]
    assert sum(piece["bytes"] for piece in data["memory"]["alive"]) == data["totals"]["peak_activation_bytes"]
    assert len(data["memory"]["live_bytes"]) == sum(data["coverage"].values())
    assert data["memory"]["peak_layer"] == "bn1"


def test_csv_has_every_piece(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "memory", "resnet18", "--training", "--format", "csv", "--top", "1")
    rows = list(csv.DictReader(io.StringIO(out)))
    found = profile("resnet18", train=True)
    assert sum(int(row["size_bytes"]) for row in rows) == found.totals.peak_activation_bytes
    assert {row["role"] for row in rows} == {"activation", "gradient"}


def test_top_sums_up_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "memory", "vit_b_16", "--top", "2")
    assert "5 more" in out


@pytest.mark.parametrize("name", ["text", "markdown", "latex", "github"])
def test_every_format_shows_the_peak_and_the_timeline(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "memory", "resnet18", "--format", name)
    assert status == 0
    assert "6.12" in out
    assert (r"\rule" if name == "latex" else "█") in out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["memory", "resnet18", "resnet34"], "memory takes no 'resnet34' as well"),
        (["memory", "resnet18", "--depth", "1"], "Unknown option: --depth"),
        (["resnet18", "--optimizer", "sgd"], "see profile-model train MODEL --optimizer NAME"),
        (["train", "resnet18", "--optimizer", "sdg"], "--optimizer sdg: not one of sgd, momentum"),
        (["train", "resnet18", "--optimizer", "sgd(lr=-1)"], "--optimizer sgd(lr=-1) fails (Invalid learning rate"),
        (["train", "resnet18", "--freeze", "layr1"], "--freeze layr1: no layer of resnet18"),
        (["train", "resnet18", "--recompute", "layr1"], "--recompute layr1: no layer of resnet18"),
        (["train", "resnet18", "--freeze", "[!z]*"], "no output of resnet18 depends on a parameter that is trained"),
        (["train", "resnet18", "--convention", "thop"], "convention thop is about inference"),
        (["resnet18", "--dtype", "int8"], "'int8' is not a dtype"),
        (["train", "resnet18", "--amp", "int8"], "'int8' is not a dtype of mixed precision"),
    ],
)
def test_mistakes(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_what_was_asked_for_stands_under_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "train", "resnet18", "--optimizer", "adamw", "--dtype", "bfloat16", "--depth", "0")
    assert "Run as training step, dtype bfloat16, optimizer adamw." in out
    _, out, _ = run(capsys, "train", "resnet18", "resnet34", "--freeze", "layer1", "--columns", "model,macs")
    assert "Input 1×3×224×224 float32, training step, freeze layer1." in out


def test_a_step_has_a_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was saved is as it was; how the model is run now is about the model now."""
    saved = str(tmp_path / "step.json")
    assert run(capsys, "train", "resnet18", "--save", saved)[0] == 0
    status, out, _ = run(capsys, "diff", saved, "resnet18", "--training", "--freeze", "conv1", "--format", "json")
    macs = json.loads(out)["totals"]["macs"]
    assert status == 0
    assert macs["difference"] == -(112 * 112 * 64 * 3 * 7 * 7)  # the gradient of its weight


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"train": True, "optimzer": "adam"},
            "'optimzer' is nothing that a run can be asked for; there are",
        ),
        ({"train": True, "optimizer": torch.optim.Adam}, "not one of sgd, momentum"),
        ({"train": True, "freeze": True}, "freeze is a pattern of layers' paths, or a list of some"),
        ({"train": True, "recompute": [1]}, "recompute is a pattern"),
    ],
)
def test_mistakes_in_python(asked: Any, words: str) -> None:
    for call in (
        lambda: profile(Chain(), (5, 8), **asked),
        lambda: scan(Chain(), "batch", [1, 2], (5, 8), **asked),
        lambda: largest(Chain(), "batch", "1MB", (5, 8), **asked),
    ):
        with pytest.raises(ProfileError, match=re.escape(words)):
            call()


def test_torchs_own_dtypes_and_a_single_pattern() -> None:
    by_name = profile(Chain(), (5, 8), train=True, dtype="bfloat16", freeze=["up"])
    assert profile(Chain(), (5, 8), train=True, dtype=torch.bfloat16, freeze="up").totals == by_name.totals
    assert profile(Chain(), (5, 8), train=True, amp=torch.bfloat16).trace.asked["amp"] == "bfloat16"


def test_one_tensor_given_twice_is_one() -> None:
    """`nn.MultiheadAttention` looks whether its query is its key."""
    attention, x = nn.MultiheadAttention(16, 2, batch_first=True), torch.rand(2, 5, 16)

    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = attention

        def forward(self, x: torch.Tensor) -> Any:
            return self.attention(x, x, x)

    same, inside = profile(attention, (x, x, x)), profile(Inside(), (x,))
    assert same.totals == inside.totals
    assert same.totals.input_bytes == 2 * 5 * 16 * F32
    assert profile(attention, (x, x.clone(), x.clone())).totals.input_bytes == 3 * 2 * 5 * 16 * F32
    assert profile(attention, (x, x, x), dtype="float64").totals.input_bytes == 2 * 5 * 16 * 8


def test_a_step_inside_of_inference_mode() -> None:
    model = Chain()
    with torch.inference_mode():
        found = profile(model, (5, 8), train=True)
    assert found.training == profile(model, (5, 8), train=True).training


def test_csv_of_a_step_has_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "train", "resnet18", "--format", "csv")
    whole = next(csv.DictReader(io.StringIO(out)))
    step = profile("resnet18", train=True).training
    assert step is not None
    assert int(whole["forward_macs"]) == step.forward_macs
    assert int(whole["backward_macs"]) == step.backward_macs
    assert int(whole["gradients_bytes"]) == step.gradient_bytes
    assert int(whole["saved_bytes"]) == step.saved_bytes
    assert "backward_macs" not in run(capsys, "resnet18", "--format", "csv")[1]


def test_models_side_by_side_have_their_peak_memory(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("train", "resnet18", "alexnet", "--optimizer", "adam", "--columns", "model,memory", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(run(capsys, *argv)[1])))
    expected = [
        profile(name, train=True, optimizer="adam").totals.peak_memory_bytes for name in ("resnet18", "alexnet")
    ]
    assert [int(row["memory_bytes"]) for row in rows] == expected


def test_a_budget_names_the_optimizer(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("train", "resnet18", "--optimizer", "adamw", "--max-peak-memory", "100MB", "--format", "csv")
    status, _, err = run(capsys, *argv)
    assert status == 1
    assert "most is in the optimizer's state (89.18 MB, " in err


@pytest.mark.parametrize(
    ("layer", "shape", "is_said"),
    [(nn.GRU(8, 16), (5, 2, 8), True), (nn.MaxPool2d(2), (1, 4, 8, 8), True), (nn.Linear(8, 8), (2, 8), False)],
    ids=["GRU", "MaxPool2d", "Linear"],
)
def test_a_peak_above_all_that_is_allocated_is_explained(
    layer: nn.Module, shape: tuple[int, ...], is_said: bool
) -> None:
    """An operator that is kept whole holds more than it returns, and the sum is of what is returned."""
    found = profile(layer, shape)
    assert (found.totals.peak_activation_bytes > found.totals.activation_bytes) is is_said
    said = "the peak has what is inside operators as well"
    assert (said in found.to_markdown()) is is_said
