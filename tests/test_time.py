"""The verb `time` and `Profile.time`: lower bounds as they are, and measurements on a clock whose time is scripted."""

from __future__ import annotations

import gc
import json
import re
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from profiler import ProfileError, profile
from profiler.devices.measuring import measure
from profiler.devices.measuring.limits import Limits
from profiler.records.times import LOWER_BOUND, MEASURED, MEMORY, OVERHEAD
from tests.devices.measuring.fake import Around, FakeClock, Takes
from tests.shell import rows, run

MS = 1e-3
NET = """
from torch import nn
def net(width=4): return nn.Sequential(nn.Linear(8, width), nn.ReLU())
"""

POOL = """
from torch import nn
def net(): return nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(3, 1), nn.Conv2d(4, 1, 1))
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """What is measured meanwhile takes the time that its layers say."""
    clock = FakeClock()
    monkeypatch.setattr(measure, "clock", lambda kind: clock)
    return clock


# Another device -------------------------------------------------------------------------------------------------------


def test_layers_on_a_device_of_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "time", "resnet18", "--device", "h100-sxm", "--depth", "1")
    assert (status, err) == (0, "")
    assert out.startswith("Lower bound of the time of resnet18 on NVIDIA H100")
    assert "Bound by launches" in out
    assert "the device's ridge is at" in out
    assert max(map(len, out.splitlines())) <= 110
    data = json.loads(run(capsys, "time", "resnet18", "--device", "h100-sxm", "--format", "json")[1])
    assert data["word"] == LOWER_BOUND
    assert data["measurement"] is None
    assert data["layers"][0]["seconds"] == data["time"]["seconds"]
    assert sum(layer["own"]["seconds"] for layer in data["layers"]) == pytest.approx(data["time"]["seconds"])
    assert data["fused_bytes_per_second"] <= 3.352e12 * 1.001  # the bandwidth of the device
    assert data["bytes_per_second"] is None  # the time is that of fused operators
    assert data["fused_moved_bytes"] < data["moved_bytes"]


def test_batches_are_a_row_each(capsys: pytest.CaptureFixture[str]) -> None:
    table = rows(capsys, "time", "resnet18", "--device", "h100-sxm", "--batch", "1,8,8,64")
    assert [row["batch"] for row in table] == ["1", "8", "64"]
    seconds = [float(row["lower_bound_time_seconds"]) for row in table]
    assert seconds == sorted(seconds)
    assert float(table[1]["throughput"]) == pytest.approx(8 / seconds[1])


def test_layers_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("time", "resnet18", "--device", "h100-sxm")
    top = rows(capsys, *line, "--top", "3", "--columns", "path,time")
    seconds = [float(row["lower_bound_time_seconds"]) for row in top]
    assert len(top) == 3
    assert seconds == sorted(seconds, reverse=True)
    assert len(rows(capsys, *line, "--filter", "BatchNorm2d", "--columns", "path,time")) == 20


def test_the_drawing_is_as_wide_as_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "time", "resnet18", "--device", "h100-sxm", "--top", "1")[1]
    drawing = out[out.index("Roof in FLOP/s:") : out.index("Not drawn")].splitlines()
    assert max(map(len, drawing)) <= 80
    assert any("A" in line and "·" in line for line in drawing)


FLOPS_OF = [
    ("resnet18", {}),
    ("mobilenet_v3_small", {}),
    ("hf:LlamaConfig(num_hidden_layers=1, hidden_size=64, intermediate_size=96, num_attention_heads=4)", {"seq": 8}),
    ("alexnet", {"train": True, "optimizer": "adamw"}),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Softmax(-1)), {}),
]


@pytest.mark.parametrize(("model", "options"), FLOPS_OF)
def test_flops_are_those_of_every_table(model: nn.Module | str, options: dict[str, Any]) -> None:
    shape = None if isinstance(model, str) else "1x3x8x8"
    report = profile(model, shape, **options).time("h100-sxm")
    layers = report.profile.under("flops").layers
    assert [report.flops(layer) for layer in layers] == [layer.flops for layer in layers]
    assert report.data()["layers"][0]["flops"] == report.data()["flops"] == report.profile.totals.flops


def test_the_flops_are_in_one_convention_whatever_the_profile_is_in() -> None:
    data = profile("resnet18").under("fvcore").time("h100-sxm").data()
    assert (data["convention"], data["flops"]) == ("flops", profile("resnet18").totals.flops)


def test_what_has_no_flops_is_not_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(POOL)
    line = ("time", f"{tmp_path}/nets.py:net", "--input", "64x3x256x256", "--device", "h100-sxm")
    out = run(capsys, *line)[1]
    assert "Not drawn, without FLOPs or bytes: 1 (" in out
    assert [row["flops"] for row in rows(capsys, *line, "--columns", "path,flops")][2] == "0"


def test_moved_and_fused_are_the_same_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("time", "resnet18", "--device", "h100-sxm", "--depth", "0")
    data = json.loads(run(capsys, *line, "--format", "json")[1])
    (row,) = rows(capsys, *line, "--columns", "moved,fused_moved,intensity,fused_intensity")
    assert [int(row["moved_bytes"]), int(row["fused_moved_bytes"])] == [data["moved_bytes"], data["fused_moved_bytes"]]
    assert float(row["intensity"]) == pytest.approx(data["flops"] / data["moved_bytes"])
    assert float(row["fused_intensity"]) == pytest.approx(data["flops"] / data["fused_moved_bytes"])
    moved, fused = (f"{data[key] / 1024**2:,.2f}" for key in ("moved_bytes", "fused_moved_bytes"))
    out = run(capsys, *line)[1]
    assert re.search(rf"Moved, MB +{moved}  {fused} MB with elementwise operators fused", out)
    assert re.search(rf"FLOP/byte +{float(row['intensity']):.2f}  {float(row['fused_intensity']):.2f} with", out)


def test_batches_with_columns(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("time", "resnet18", "--device", "h100-sxm", "--batch", "1,8")
    table = rows(capsys, *line, "--columns", "throughput,batch")
    assert [list(row) for row in table] == [["throughput", "batch"]] * 2
    assert [row["batch"] for row in table] == ["1", "8"]
    status, _, err = run(capsys, *line, "--columns", "kind")
    assert (status, err.count("\n")) == (2, 1)
    assert "no column is called 'kind'" in err
    assert "fused_bytes_per_second" in err


SORTED = ("time", "low", "high", "own")


@pytest.mark.parametrize("column", SORTED)
def test_times_are_sorted_from_the_largest_down(column: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("time", "resnet18", "--device", "h100-sxm", "--sort", column, "--columns", f"path,{column}")
    seconds = [float(row[f"lower_bound_{column}_seconds"]) for row in rows(capsys, *line)]
    assert seconds == sorted(seconds, reverse=True)


CAPTIONS = [("Table 1", "Table 1 (lower bound on NVIDIA H100"), ("A lower bound", "A lower bound\n")]


@pytest.mark.parametrize("batch", ["1", "1,8"])
@pytest.mark.parametrize(("caption", "expected"), CAPTIONS)
def test_no_caption_takes_the_word_away(
    caption: str, expected: str, batch: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("time", "resnet18", "--device", "h100-sxm", "--batch", batch, "--notes", "none", "--caption", caption)
    assert run(capsys, *line)[1].startswith(expected)


# Measured -------------------------------------------------------------------------------------------------------------


def test_a_live_model_is_measured_and_comes_back(clock: FakeClock) -> None:
    model = Around(clock, 1 * MS, [Takes(clock, 3 * MS), nn.BatchNorm1d(2), nn.ReLU()]).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.ones(2, 2)
    report = profile(model, x).under("fvcore").time(seconds=1)
    assert report.times.word == MEASURED
    assert report.times.whole.seconds == pytest.approx(4 * MS)
    assert report.times.throughput == pytest.approx(2 / (4 * MS))
    assert str(report).startswith("Measured time of Around on ")
    assert report.profile.convention.name == "fvcore"
    assert model.training
    assert torch.equal(x, torch.ones(2, 2))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_is_not_kept_alive_by_its_profile(clock: FakeClock) -> None:
    model, x = Takes(clock, MS), torch.ones(2, 2)
    its_profile, alive = profile(model, x), (weakref.ref(model), weakref.ref(x))
    del x
    gc.collect()
    assert its_profile.time(seconds=0.1).times.whole.seconds == pytest.approx(MS)  # on another input like it
    del model
    gc.collect()
    assert [reference() for reference in alive] == [None, None]
    with pytest.raises(ProfileError, match="the Takes that was profiled is there no more"):
        its_profile.time()
    assert its_profile.time("h100-sxm").times.word == LOWER_BOUND


REACHED = Limits("float32", 1e9, 1e9)  # a FLOP or a byte takes a nanosecond


def test_what_reaches_neither_limit_is_overhead(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer reads and writes 48 bytes in 48 ns, and computes 16 FLOPs."""
    monkeypatch.setattr(measure, "limits", lambda *_: REACHED)
    model = Around(clock, 0.0, [Takes(clock, 48e-9 * 150), Takes(clock, 48e-9 * 10), nn.Identity()])
    times = profile(model, torch.ones(2, 2)).time(seconds=0.01).times
    assert times.bounds == (MEMORY, MEMORY, OVERHEAD, MEMORY, None)


def test_in_a_training_step_the_whole_alone_has_a_share_of_the_limit(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "limits", lambda *_: REACHED)
    model = Around(clock, 0.0, [Takes(clock, 48e-9 * 150), Takes(clock, 48e-9 * 10)])
    report = profile(model, torch.ones(2, 2), train=True).time(seconds=0.01)
    whole, *layers = report.profile.layers
    assert report.achieved(whole) is not None
    assert {report.achieved(layer) for layer in layers} == {None}
    assert OVERHEAD not in report.times.bounds


def test_where_the_time_of_layers_comes_from_is_said_of_layers_alone(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "nets.py").write_text(NET)
    changes = "Looking at every module changes the time"
    monkeypatch.setattr(measure, "_layers", partial(_strained, measure._layers, changes))
    line = ("time", f"{tmp_path}/nets.py:net", "--input", "1x8", "--seconds", "0.01")
    assert changes in run(capsys, *line)[1]
    assert changes not in run(capsys, *line, "--batch", "1,4")[1]


def _strained(layers: Any, note: str, *arguments: Any) -> Any:
    own, total, _ = layers(*arguments)
    return own, total, [note]


def test_what_is_not_known_is_no_digits(clock: FakeClock) -> None:
    generator = torch.Generator().manual_seed(0)
    noisy = (MS * torch.exp(4 * torch.randn(997, generator=generator))).tolist()
    model = Around(clock, 0.0, [Takes(clock, 100 * MS), Takes(clock, *noisy)])
    report = profile(model, torch.ones(2, 2)).time(seconds=5)
    assert report.seconds(report.profile["layers.0"]) == pytest.approx(100 * MS, rel=0.1)
    assert report.seconds(report.profile["layers.1"]) is None
    assert "?" in str(report)
    layer = next(each for each in json.loads(report.to_json())["layers"] if each["path"] == "layers.1")
    assert layer["is_known"] is False
    assert layer["share"] is None


def test_a_spec_is_measured_on_this_machine(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_FLUSHED_BYTES", 2**20)
    (tmp_path / "nets.py").write_text(NET)
    line = ("time", f"{tmp_path}/nets.py:net", "--input", "1x8", "--seconds", "0.1")
    data = json.loads(run(capsys, *line, "--threads", "1", "--format", "json")[1])
    assert data["word"] == MEASURED
    assert data["measurement"]["runs"] >= 2
    assert data["time"]["low_seconds"] <= data["time"]["seconds"] <= data["time"]["high_seconds"]
    assert sum(layer["own"]["seconds"] for layer in data["layers"]) == pytest.approx(data["time"]["seconds"])
    step = json.loads(run(capsys, *line, "--optimizer", "sgd", "--format", "json")[1])
    assert list(step["phases"]) == ["forward", "backward", "update"]
    several = run(capsys, *line, "--batch", "1,4", "--flush-cache")
    assert (several[0], several[2]) == (0, "")
    assert several[1].startswith("Measured time of ")


WRONG = {
    ("--device", "cuda"): "--device cuda: torch finds no such device on this machine",
    ("--device", "h100-sx"): "no device is called 'h100-sx'",
    ("--device", "missing.toml"): "missing.toml",
    ("--device", "h100-sxm", "--compile"): "--compile means something with a measurement",
    ("--device", "h100-sxm", "--threads", "2"): "--threads means something with a measurement",
    ("--batch", "0,1"): "--batch 0: not a whole number from 1",
    ("--batch", "1,2", "--depth", "1"): "--depth means something with one batch size",
    ("--sort", "colour"): "no column is called 'colour'",
    ("--seconds", "soon"): "--seconds soon: not a number of seconds",
    ("--device", "h100-sxm", "--filter", "nothing*"): "nothing*",
}


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_what_cannot_be_is_one_line(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, out, err = run(capsys, "time", "resnet18", *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert WRONG[options] in err


def test_a_record_is_not_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    profile("resnet18").save("saved.json")
    status, _, err = run(capsys, "time", "saved.json")
    assert status == 2
    assert "saved.json is a record of a run, and only a model can be run to be measured" in err
    assert run(capsys, "time", "saved.json", "--device", "h100-sxm")[0] == 0


def test_a_limit_on_time(capsys: pytest.CaptureFixture[str]) -> None:
    bound = ("time", "resnet18", "--device", "h100-sxm", "--notes", "none")
    assert run(capsys, *bound, "--max-time", "10ms")[0] == 0
    status, out, err = run(capsys, *bound, "--max-time", "1us")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("profile-model: resnet18, time, lower bound on h100-sxm: ")
    assert out.startswith("Lower bound")
    status, out, err = run(capsys, *bound, "--batch", "1,64", "--max-time", "200us")
    assert (status, err.count("\n")) == (1, 1)
    assert run(capsys, *bound, "--max-time", "20")[0] == 2


def test_an_input_of_several_shapes_has_no_other_in_its_place() -> None:
    net = nn.Linear(4, 2)
    jagged = profile(net, torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)], layout=torch.jagged))
    gc.collect()
    with pytest.raises(ProfileError, match=r"^the input that was profiled is there no more, "):
        jagged.time()
