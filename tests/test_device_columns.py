"""Time in every table: on a device so slow to read that a layer's time is its bytes, in microseconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from profiler import CheckFailed, ProfileError, compare, diff, generate, largest, profile, scan
from profiler.api.profiling import Profile
from profiler.devices.roofline import Roofline
from profiler.devices.timing import timer
from profiler.records.times import LOWER_BOUND, MEASURED, PREDICTED, Duration, Times
from profiler.records.trace import Trace
from tests.devices.example import device
from tests.shell import rows, run
from tests.test_imports import COMMAND, loaded

FILE = """
[slow]
title = "A slow memory"
kind = "cpu"
memory = "1 MB"
memory_bandwidth = 1e6
peak = { float32 = 1e19 }
"""
NETS = """
from torch import nn

def net(width=4):
    return nn.Sequential(nn.Linear(8, width, bias=False), nn.Linear(width, 3, bias=False))
"""
INPUT = ("--input", "2x8")
SLOW = ("--device", "slow.toml")
TINY = "hf:LlamaConfig(num_hidden_layers=1, hidden_size=64, intermediate_size=64, num_attention_heads=2)"


def linear(batch: int, inputs: int, outputs: int) -> int:
    """The bytes that a layer reads and writes; and so its microseconds."""
    return 4 * (batch * inputs + inputs * outputs + batch * outputs)


def whole(batch: int = 2, width: int = 4) -> int:
    return linear(batch, 8, width) + linear(batch, width, 3)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "slow.toml").write_text(FILE)
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def slow(model: str = "nets.py:net", shape: str = "2x8", **options: Any) -> Profile:
    return profile(model, shape, device="slow.toml", **options)


# Columns --------------------------------------------------------------------------------------------------------------


def test_layers_have_their_times_which_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    names = "path,time,time_low,time_high,time_share,bound"
    table = rows(capsys, "nets.py:net", *INPUT, *SLOW, "--columns", names)
    expected = [whole(), linear(2, 8, 4), linear(2, 4, 3)]
    for name in ("lower_bound_time_seconds", "lower_bound_time_low_seconds", "lower_bound_time_high_seconds"):
        assert [float(row[name]) for row in table] == pytest.approx([1e-6 * each for each in expected])
    assert [float(row["time_share"]) for row in table] == pytest.approx([each / whole() for each in expected])
    assert {row["bound"] for row in table} == {"memory"}


def test_the_word_is_in_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "nets.py:net", *INPUT, *SLOW)
    assert (status, err) == (0, "")
    assert "Lower bound us  Bound by" in out
    assert f"{whole()}.000  lower bound on A slow memory, most of it bound by memory\n" in out
    assert "samples a second, of 2 at once" in out
    assert out.count("lower bound on A slow memory") == 1
    for format in ("markdown", "latex", "html"):
        _, out, _ = run(capsys, "nets.py:net", *INPUT, *SLOW, "--format", format)
        assert "Lower bound us" in out


def test_what_is_not_fused_stands_beside() -> None:
    timed = profile(nn.Sequential(nn.Linear(8, 4, bias=False), nn.ReLU()), "2x8", device=Roofline(device()))
    once, twice = timed.times.whole.low * 1e12, timed.times.whole.high * 1e12  # type: ignore[union-attr]
    assert (once, twice) == (pytest.approx(linear(2, 8, 4)), pytest.approx(linear(2, 8, 4) + 4 * 2 * 2 * 4))
    assert "with no operators fused" in str(timed)


def test_models_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    models = ("nets.py:net", "nets.py:net(width=9)", *INPUT, *SLOW)
    table = rows(capsys, *models, "--columns", "model,time,rel_time,throughput,bound", "--sort", "time")
    assert [row["model"] for row in table] == ["nets.py:net(width=9)", "nets.py:net"]
    seconds = [float(row["lower_bound_time_seconds"]) for row in table]
    assert seconds == pytest.approx([1e-6 * whole(2, 9), 1e-6 * whole(2, 4)])
    assert float(table[0]["rel_time"]) == pytest.approx(whole(2, 9) / whole(2, 4))
    assert float(table[1]["throughput"]) == pytest.approx(2 / (1e-6 * whole(2, 4)))
    _, out, _ = run(capsys, *models, "--columns", "model,time,throughput", "--bold", "all")
    assert f"{whole(2, 4)}.000*" in out
    assert "the least Lower bound; the most Samples/s" in out


def test_a_metric_may_be_called_time_where_there_is_no_device(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "m.csv").write_text("model,time\nnets.py:net,12.5\n")
    (row,) = rows(capsys, "nets.py:net", *INPUT, "--metrics", "m.csv", "--columns", "model,time")
    assert row["time"] == "12.5"
    status, _, err = run(capsys, "nets.py:net", *INPUT, "--metrics", "m.csv", *SLOW)
    assert (status, err.count("\n")) == (2, 1)
    assert "a metric is called 'time', as is a column of this table" in err


def test_a_scan_has_a_time_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    table = rows(capsys, "scan", "nets.py:net", "batch=1,4,16", *INPUT, *SLOW)
    seconds = [float(row["lower_bound_time_seconds"]) for row in table]
    assert seconds == pytest.approx([1e-6 * whole(n) for n in (1, 4, 16)])
    assert [float(row["throughput"]) for row in table] == pytest.approx([n * 1e6 / whole(n) for n in (1, 4, 16)])
    _, out, _ = run(capsys, "scan", "nets.py:net", "batch=1,4,16", *INPUT, *SLOW)
    assert "Lower bound ms" in out
    assert "Samples/s" in out


def test_a_training_step_by_its_phases() -> None:
    step = slow(train=True, optimizer="sgd")
    times = step.times
    assert times is not None
    assert {"forward", "backward", "update"} <= set(times.phases)
    assert sum(phase.seconds for phase in times.phases.values()) == pytest.approx(times.whole.seconds)
    assert times.phases["forward"].seconds == pytest.approx(1e-6 * whole())
    assert "of it backward, ms" in str(step)


def test_a_profile_without_a_device_says_nothing_of_time() -> None:
    plain = profile("nets.py:net", "2x8")
    assert plain.times is None
    assert "time" not in plain.data()
    assert not any("time" in layer for layer in plain.data()["layers"])
    assert "Lower bound" not in str(plain)


def test_json_has_the_times_of_the_whole_and_of_each_layer(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "nets.py:net", *INPUT, *SLOW, "--format", "json")
    data = json.loads(out)
    assert (data["time"]["word"], data["time"]["device"], data["time"]["samples"]) == (LOWER_BOUND, "slow", 2)
    assert data["time"]["seconds"] == pytest.approx(1e-6 * whole())
    assert data["time"]["samples_per_second"] == pytest.approx(2e6 / whole())
    assert [layer["time"]["own_seconds"] for layer in data["layers"]] == pytest.approx(
        [0, 1e-6 * linear(2, 8, 4), 1e-6 * linear(2, 4, 3)]
    )


def test_calls_without_a_formula_are_a_caution(odd_operator: str) -> None:
    timed = slow(odd_operator, "2x8")
    assert "the time lacks 1 calls, which have no formula" in str(timed)
    with pytest.raises(CheckFailed, match="cannot be held to 1 s"):
        timed.check(max_time="1s")


@pytest.fixture
def odd_operator(folder: Path) -> str:
    (folder / "odd.py").write_text(
        """
import torch

@torch.library.custom_op("device_columns_test::odd", mutates_args=())
def odd(x: torch.Tensor) -> torch.Tensor:
    return x.clone()

@odd.register_fake
def _(x):
    return torch.empty_like(x)

class Odd(torch.nn.Module):
    def forward(self, x):
        return odd(x)
"""
    )
    return "odd.py:Odd"


# Differences ----------------------------------------------------------------------------------------------------------


def test_a_difference_of_times(capsys: pytest.CaptureFixture[str]) -> None:
    both = ("diff", "nets.py:net", "nets.py:net(width=9)", *INPUT, *SLOW)
    status, out, err = run(capsys, *both, "--max-increase", "time=5%")
    before, after = 1000 * whole(2, 4), 1000 * whole(2, 9)
    row = next(line.split("  ") for line in out.splitlines() if line.startswith("Time, lower bound"))
    told = [f"{before / 1000:.1f} us", f"{after / 1000:.1f} us", f"+{(after - before) / 1000:.1f} us"]
    assert [cell.strip() for cell in row if cell][1:4] == told
    assert status == 1
    assert f"grew by {(after - before) / 1000:.1f} us" in err
    assert f"from {before / 1000:.1f} us to {after / 1000:.1f} us" in err
    assert "; the most in 0, 1" in err
    assert run(capsys, *both, "--max-increase", "time=92%")[0] == 0
    found = diff("nets.py:net", "nets.py:net", device="slow.toml")
    assert found.totals[-1].name == "time"
    assert found.is_empty
    assert [total.name for total in profile("nets.py:net", "2x8").diff(slow()).totals][-1] == "time"
    assert [total.name for total in slow().diff(profile("nets.py:net", "2x8")).totals][-1] == "time"


def test_each_change_has_its_difference_of_times(capsys: pytest.CaptureFixture[str]) -> None:
    both = ("diff", "nets.py:net", "nets.py:net(width=9)", *INPUT, *SLOW)
    longer = [linear(2, 8, 9) - linear(2, 8, 4), linear(2, 9, 3) - linear(2, 4, 3)]
    out = run(capsys, *both)[1]
    assert "Lower bound\n" in out
    assert all(f"+{each}.0 us\n" in out for each in longer)
    data = json.loads(run(capsys, *both, "--format", "json")[1])
    assert [change["seconds"] for change in data["changes"]] == pytest.approx([1e-6 * each for each in longer])
    assert data["unchanged_seconds"] == pytest.approx(0)
    assert data["totals"]["time"]["unit"] == "nanoseconds"
    table = rows(capsys, *both)
    seconds = [1e-6 * each for each in (whole(2, 4), whole(2, 9), whole(2, 9) - whole(2, 4), *longer)]
    assert [float(row["lower_bound_time_seconds"]) for row in table] == pytest.approx(seconds)
    status, _, err = run(capsys, *both[:3], *INPUT, "--columns", "layer,time")
    assert (status, err.count("\n")) == (2, 1)
    assert "--columns time means something with --device alone" in err


def test_layers_that_are_as_they_were_may_take_another_time() -> None:
    """Kernels that are shorter than a start share the time that the device idles."""
    launching = replace(device(), launch_overhead=1e-6)
    before, after = (profile(nn.Sequential(*layers), "2x8", device=Roofline(launching)) for layers in LAUNCHED)
    changed = before.diff(after)
    assert [change.path for change in changed.layers] == ["1"]
    (change,) = changed.layers
    assert changed.unchanged_seconds == pytest.approx(4e-12 * (2 * 8 + 8 * 4 + 4 + 2 * 4) - 1e-6)
    assert after.times.whole.seconds - before.times.whole.seconds == pytest.approx(  # type: ignore[union-attr]
        changed.unchanged_seconds + (change.seconds or 0)
    )
    assert "Layers that are as they were take" in str(changed)


LAUNCHED = ([nn.Linear(8, 4), nn.Linear(4, 3)], [nn.Linear(8, 4), nn.Linear(4, 300000)])

# Limits ---------------------------------------------------------------------------------------------------------------


def test_a_limit_on_time_and_one_nanosecond_less(capsys: pytest.CaptureFixture[str]) -> None:
    model = ("nets.py:net", *INPUT, *SLOW)
    assert run(capsys, *model, "--max-time", f"{whole()}us")[0] == 0
    status, _, err = run(capsys, *model, "--max-time", f"{1000 * whole() - 1}ns")
    assert (status, err.count("\n")) == (1, 1)
    assert f"nets.py:net, time, lower bound on slow: {1000 * whole():,} ns against" in err
    assert "most is in 0 (" in err
    status, _, err = run(capsys, *model, "--max-time", "1us")
    assert f"{linear(2, 8, 4)}.0 us, {100 * linear(2, 8, 4) / whole():.1f} %" in err
    assert slow().check(max_time=1e-6 * whole()).passed
    with pytest.raises(CheckFailed, match="against 100 µs"):
        slow().check(max_time="100µs")
    with pytest.raises(ProfileError, match="max_time means something with a device"):
        profile("nets.py:net", "2x8").check(max_time="1ms")


def test_a_step_and_the_second_model_of_a_difference_can_be_limited(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "train", "nets.py:net", *INPUT, *SLOW, "--max-time", "1us")[0] == 1
    assert run(capsys, "train", "nets.py:net", *INPUT, *SLOW, "--max-time", "1s")[0] == 0
    assert run(capsys, "memory", "nets.py:net", *INPUT, *SLOW, "--max-time", "1us")[0] == 1
    assert run(capsys, "diff", "nets.py:net", "nets.py:net", *INPUT, *SLOW, "--max-time", "1us")[0] == 1


@pytest.mark.parametrize(
    ("word", "low", "passes"), [(MEASURED, 0.9, True), (MEASURED, 1.1, False), (PREDICTED, 0.9, False)]
)
def test_what_was_measured_has_its_interval_in_its_favour(word: str, low: float, passes: bool) -> None:
    class Stopwatch:
        name = "here"

        def times(self, trace: Trace) -> Times:
            each = Duration(1.2, low, 1.5)
            rows = len(trace.modules)
            return Times(word, "here", "This machine", (each,) * rows, (each,) * rows, (None,) * rows)

    timed = profile(nn.Linear(2, 3), "1x2", device=Stopwatch())
    if passes:
        assert timed.check(max_time=1).passed
    else:
        with pytest.raises(CheckFailed, match=f"time, {word} on here: "):
            timed.check(max_time=1)


def test_a_budget_file_names_the_device(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "inner").mkdir()
    budget = folder / "inner" / "profile-model.toml"
    text = '[[models]]\nmodel = "../nets.py:net"\ninput = "2x8"\ndevice = "{}"\nmax-time = "{}us"\n'
    budget.write_text(text.format("../slow.toml", whole()))
    assert run(capsys, "check", str(budget))[0] == 0
    budget.write_text(text.format("../slow.toml", whole() - 1))
    status, out, err = run(capsys, "check", str(budget))
    assert status == 1
    assert "time, lower bound on slow" in out
    assert "profile-model.toml:5" in err
    _, out, _ = run(capsys, "check", str(budget), "--format", "json")
    (limit,) = json.loads(out)[0]["limits"]
    assert (limit["unit"], limit["measured"]) == ("nanoseconds", 1000 * whole())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('max-time = "20ms"', 'a time is one on a device; add that, like device = "'),
        ('max-params = "1M"\ndevice = "h100-sxm"', "the key 'device' is about max-time; add that"),
        ('max-time = "20ms"\ndevice = "h101-sxm"', "no device is called 'h101-sxm'"),
        ('max-time = 20\ndevice = "h100-sxm"', "not a time above 0; write it with its unit"),
        ('max-time = "20ms"\ndevice = "cpu"', "cpu is this machine"),
    ],
)
def test_a_budget_that_says_half(capsys: pytest.CaptureFixture[str], folder: Path, lines: str, says: str) -> None:
    (folder / "profile-model.toml").write_text(f'[[models]]\nmodel = "nets.py:net"\ninput = "2x8"\n{lines}\n')
    status, _, err = run(capsys, "check")
    assert (status, err.count("\n")) == (2, 1)
    assert says in err


# Mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["nets.py:net", "--device", "h101-sxm"], "no device is called 'h101-sxm'; did you mean h100-sxm"),
        (["nets.py:net", "--device", "cuda"], "cuda is this machine"),
        (["nets.py:net", "--device", "none.toml"], "none.toml cannot be read"),
        (["nets.py:net", "--columns", "layer,time"], "--columns time means something with --device alone"),
        (["nets.py:net", "--sort", "time"], "--sort time means something with --device alone"),
        (["nets.py:net", "nets.py:net", "--columns", "throughput"], "--columns throughput means something with"),
        (["nets.py:net", "nets.py:net", "--sort", "rel_time"], "--sort rel_time means something with --device"),
        (["scan", "nets.py:net", "batch=1,2", "--columns", "bound"], "--columns bound means something with --device"),
        (["nets.py:net", "--max-time", "1ms"], "--max-time means something with --device alone"),
        (["diff", "nets.py:net", "nets.py:net", "--max-increase", "time=5%"], "--max-increase time=5% means"),
        (["nets.py:net", *SLOW, "--max-time", "20"], "--max-time 20: not a time above 0"),
        (["largest", "nets.py:net", "batch"], "largest needs a limit"),
        (["largest", "nets.py:net", "batch", "--max-time", "1ms"], "--max-time means something with --device"),
        (["largest", "nets.py:net", "batch", *SLOW, "--max-time", "1ms", "--as", "int8"], "--max-time means something"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], argv: list[str], says: str) -> None:
    status, out, err = run(capsys, *argv, *INPUT)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.parametrize(
    "argv", [["resnet18", "--device", "h101-sxm"], ["resnet18", "--max-time", "1ms"], ["resnet18", "--columns", "time"]]
)
def test_a_mistake_needs_no_torch(argv: list[str]) -> None:
    assert "torch" not in loaded(COMMAND.replace("== 0", "== 2"), *argv)


# The largest ----------------------------------------------------------------------------------------------------------


def test_the_largest_batch_in_a_devices_memory() -> None:
    """A megabyte less 5 %."""
    memory = 1024**2 * 95 // 100
    weights, each = 4 * (8 * 4 + 4 * 3), 4 * (8 + 4 + 3)
    answer = largest("nets.py:net", "batch", inputs="1x8", device="slow.toml")
    assert answer.limit_bytes == memory
    assert answer.value == (memory - weights) // each
    assert "fits 1.00 MB of slow less 5 % is" in str(answer)
    assert largest("nets.py:net", "batch", "1kB", "1x8", device="slow.toml").value == (1024 - weights) // each


def test_the_largest_batch_under_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    each = whole(2) - whole(1)
    batch = (1000 - (whole(1) - each)) // each
    answer = largest("nets.py:net", "batch", inputs="1x8", device="slow.toml", max_time="1ms")
    assert (answer.value, whole(batch) <= 1000 < whole(batch + 1)) == (batch, True)
    assert answer.fitting is not None
    assert answer.fitting.seconds == pytest.approx(1e-6 * whole(batch))
    assert "and takes at most 1 ms is" in str(answer)
    assert "Lower bound ms" in str(answer)
    status, out, err = run(capsys, "largest", "nets.py:net", "batch", *INPUT, *SLOW, "--max-time", "10us")
    assert (status, err.count("\n")) == (1, 1)
    assert f"not even batch 1 takes at most 10 us: it takes {whole(1)}.0 us, lower bound on slow" in err
    assert "not even batch 1 fits 1.00 MB of slow less 5 % and takes at most 10 us" in out


# Python ---------------------------------------------------------------------------------------------------------------


def test_functions_take_a_device_as_verbs_do() -> None:
    assert profile("nets.py:net", "2x8").on("slow.toml").times == slow().times
    assert profile("nets.py:net", "2x8").on("slow.toml").on(None).times is None
    side_by_side = compare([profile("nets.py:net", "2x8"), slow()], ["model", "time"], device="slow.toml")
    assert [entry.times for entry in side_by_side] == [slow().times] * 2
    assert [p.times is None for p in scan("nets.py:net", "batch", [1, 2], "1x8", device="slow.toml").results] == [
        False
    ] * 2
    with pytest.raises(ProfileError, match="no device is called 'h101-sxm'"):
        profile("nets.py:net", "2x8", device="h101-sxm")


def test_phases_that_are_scanned_have_their_times(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    line = ("scan", TINY, "seq=8,16", "--phase", "both")
    table = rows(capsys, *line, *SLOW)
    for row in table:
        answer = generate(TINY, seq=int(row["context"]))
        for phase in answer.phases:
            times = phase.profile.on(timer("slow.toml")).times
            name = phase.name
            assert times is not None
            assert float(row[f"lower_bound_{name}_time_seconds"]) == pytest.approx(times.whole.seconds)
            assert float(row[f"lower_bound_{name}_time_high_seconds"]) == pytest.approx(times.whole.high)
            assert float(row[f"{name}_throughput"]) == pytest.approx(phase.tokens / times.whole.seconds)
            assert row[f"{name}_bound"] == times.bounds[0]
    out = run(capsys, *line, *SLOW, "--columns", "context,decode_time")[1]
    assert "Decode lower bound" in out
    assert "Time: lower bound on A slow memory." in out
    data = json.loads(run(capsys, *line, *SLOW, "--format", "json")[1])
    assert [phase["time"]["word"] for row in data["rows"] for phase in row["phases"]] == [LOWER_BOUND] * 4
    assert data["rows"][0]["phases"][1]["time"]["seconds"] == float(table[0]["lower_bound_decode_time_seconds"])
    assert "time" not in run(capsys, *line, "--format", "csv")[1]
    status, _, err = run(capsys, *line, "--columns", "decode_time")
    assert (status, err.count("\n")) == (2, 1)
    assert "--columns decode_time means something with --device alone" in err
    with pytest.raises(ProfileError, match="slow does not multiply float16"):
        scan(TINY, "seq", [8, 16], phase="decode", device="slow.toml", dtype="float16")
