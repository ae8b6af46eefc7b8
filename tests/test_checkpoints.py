"""Checkpoints as models: the same command, tables, budgets and comparisons; and what was not run is not known."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from profiler import Profile, compare, diff, errors, profile
from profiler.answers.check.compute import BudgetFailed
from profiler.records.trace import NOT_RUN, Module, Tensor
from profiler.render import FORMATS
from tests.checkpoints import writers
from tests.checkpoints.writers import gguf
from tests.shell import run
from tests.test_imports import COMMAND, loaded

CONV, NORM, LINEAR = 3 * 8 * 3 * 3, 2 * 8, 8 * 5 + 5
PARAMS, BUFFERS = CONV + NORM + LINEAR, 2 * 8 + 1


class Net(nn.Module):
    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a model's weights in three formats."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    torch.manual_seed(0)
    state = Net().state_dict()
    torch.save(state, "net.pt")
    torch.save(state, "net_old.pth", _use_new_zipfile_serialization=False)
    save_file(state, "net.safetensors")
    return tmp_path


FILES = ("net.pt", "net_old.pth", "net.safetensors")


@pytest.mark.parametrize("file", FILES)
def test_what_a_file_holds(file: str) -> None:
    found = profile(file)
    totals = found.totals
    assert (totals.params, totals.trainable_params, totals.buffers) == (PARAMS, PARAMS, BUFFERS)
    assert (totals.param_bytes, totals.buffer_bytes) == (4 * PARAMS, 4 * 2 * 8 + 8)
    assert {layer.path: layer.params for layer in found.layers} == {
        "": PARAMS, "body": CONV + NORM, "body.0": CONV, "body.1": NORM, "head": LINEAR,
    }  # fmt: skip
    assert found["head"].weights[0].tensor.shape in {(5, 8), (5,)}


def test_what_was_not_run_is_not_known() -> None:
    found = profile("net.pt")
    assert (found.trace.engine, found.trace.was_run) == (NOT_RUN, False)
    totals = found.totals
    unknown = (totals.macs, totals.flops, totals.activation_bytes, totals.peak_activation_bytes)
    assert unknown == (None,) * 4
    assert (totals.peak_memory_bytes, totals.input_bytes, found.training) == (None, None, None)
    assert all(layer.macs is None and layer.flops is None and layer.activation_bytes is None for layer in found.layers)
    assert repr(found) == f"<Profile net.pt: {PARAMS} parameters, unknown MACs>"


def test_the_same_model_when_it_is_run() -> None:
    """Parameters and buffers agree with those of the class, layer by layer."""
    live, read = profile(Net(), (1, 3, 8, 8)), profile("net.pt")
    for layer in read.layers:
        mine, same = layer.total, live[layer.path].total
        assert (mine.params, mine.buffers, mine.param_bytes) == (same.params, same.buffers, same.param_bytes)


def test_a_file_of_a_trace_keeps_all(folder: Path) -> None:
    torch.save({"epoch": 3, "state_dict": Net().state_dict(), "ema": Net().state_dict()}, "it.pt")
    found = profile("it.pt")
    found.save("saved.json")
    assert Profile.load("saved.json").trace == found.trace


def test_shared_tensors_count_once() -> None:
    embed = nn.Embedding(7, 4)
    torch.save({"embed.weight": embed.weight, "out.weight": embed.weight, "part": embed.weight[2:3]}, "tied.pt")
    found = profile("tied.pt")
    assert found.totals.params == 7 * 4 + 4
    assert [weight.same_as for weight in found.trace.parameters] == [None, 0, None]
    assert len(found.trace.storages) == 1
    assert "Shared tensors" in str(found)


def test_packed_weights_count_as_what_they_stand_for(folder: Path) -> None:
    """256 × 10 weights in ten blocks of 144 bytes."""
    rows = [("blk.0.attn_q.weight", (256, 10), 12, 0), ("norm.weight", (256,), 0, 1440)]
    (folder / "it.gguf").write_bytes(gguf(rows, 10 * 144 + 4 * 256))
    found = profile("it.gguf")
    assert found.totals.params == 256 * 10 + 256
    assert found.totals.param_bytes == 10 * 144 + 4 * 256
    assert found["blk.0.attn_q"].weights[0].tensor == Tensor((1440,), "uint8")
    assert "q4_k" in str(found)


def test_gptq_in_safetensors(folder: Path) -> None:
    tensors = {"a.qweight": ("I32", (256 // 8, 96)), "a.qzeros": ("I32", (2, 96 // 8)), "a.scales": ("F16", (2, 96)),
               "a.g_idx": ("I32", (256,)), "a.bias": ("F16", (96,))}  # fmt: skip
    (folder / "it.safetensors").write_bytes(writers.whole(tensors))
    found = profile("it.safetensors")
    assert (found.totals.params, found.totals.buffers) == (256 * 96 + 96, 0)
    assert found.totals.param_bytes == 256 * 96 // 2 + 4 * 2 * 12 + 2 * 2 * 96 + 4 * 256 + 2 * 96


def test_names_of_all_kinds(folder: Path) -> None:
    """Names with empty parts, names below tensors, and names without end."""
    names = ["weight", ".weight", "a..b", "w", "w.absmax", "x" + ".x" * 500, ""]
    (folder / "it.safetensors").write_bytes(writers.whole(dict.fromkeys(names, ("F32", (2,)))))
    found = profile("it.safetensors")
    assert found.totals.params == 2 * len(names)
    assert found.layers[0].total.params == sum(layer.own.params for layer in found.layers)
    assert max(layer.depth for layer in found.layers) <= 64
    assert {"w", "w.absmax"} <= {weight.name for weight in found[""].weights}
    assert found.trace.modules[0] == Module("", ("",), ())


# The command ----------------------------------------------------------------------------------------------------------


def test_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in Net().state_dict().items()},
                "ema": Net().state_dict(), "optimizer": {"state": {0: {"x": torch.zeros(9)}}}}, "it.pt")  # fmt: skip
    status, out, err = run(capsys, "it.pt", "--depth", "1")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["Layer", "Tensors", "Dtype", "Parameters", "Buffers", "KB", "Size", "%"]
    assert lines[3].split()[:3] == ["body", "float32,", "int64"]
    assert "weight 5×8, bias 5" in lines[4]
    facts = " ".join(out.split())
    assert f"Parameters {PARAMS} " in facts
    average = sum(tensor.nbytes for tensor in Net().state_dict().values()) / 1024
    assert f"Besides: EMA copy, KB {average:.2f} 8 tensors, not counted above" in facts
    assert f"Besides: optimizer state, KB {9 * 4 / 1024:.2f} 1 tensor, not counted above" in facts
    assert "Taken off the names: 'state_dict', 'module.'." in facts
    assert "nothing ran, so MACs, FLOPs and activations are not known" in facts
    assert "Operator calls" not in out


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_without_torch(folder: Path, format: str) -> None:
    for file in FILES:
        assert loaded(COMMAND, file, "--format", format) == set()


@pytest.mark.parametrize(
    "argv",
    [("net.pt", "net.safetensors"), ("diff", "net.pt", "net_old.pth"), ("weights", "net.pt", "--as", "fp16"),
     ("explain", "net.pt"), ("net.pt", "--max-params", "1M"), ("net.pt", "--save", "x.json")],
)  # fmt: skip
def test_all_that_is_done_with_them_without_torch(argv: tuple[str, ...]) -> None:
    assert loaded(COMMAND, *argv) == set()


def test_json_says_null(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "net.pt", "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert (found["engine"], found["inputs"]) == (NOT_RUN, [])
    assert (found["coverage"], found["unknown_ops"], found["training"]) == (None, None, None)
    assert {name for name, value in found["totals"].items() if value is None} == {
        "macs", "flops", "activation_bytes", "peak_activation_bytes", "peak_memory_bytes", "input_bytes", "cost",
        "active_params", "zeros",
    }  # fmt: skip
    assert all(layer["macs"] is None and layer["own"]["macs"] is None for layer in found["layers"])
    assert (found["file"]["format"], found["file"]["files"], found["file"]["besides"]) == ("torch", 1, [])


def test_csv_has_empty_cells(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "net.pt", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["path"]: row["params"] for row in rows}["head"] == str(LINEAR)
    assert {row["macs"] for row in rows} == {""}


OF_RUNS: dict[str, tuple[str, ...]] = {
    "memory": ("memory", "net.pt"),
    "a training step": ("train", "net.pt"),
    "an optimizer": ("train", "net.pt", "--optimizer", "sgd"),
    "another dtype": ("net.pt", "--dtype", "float16"),
    "a scan": ("scan", "net.pt", "batch=1,2"),
    "a cross-check": ("cross-check", "net.pt"),
    "a number": ("which", "4G", "net.pt"),
    "phases": ("generate", "net.pt"),
    "an input": ("net.pt", "--input", "1x3"),
    "a batch": ("net.pt", "--batch", "2"),
    "a convention": ("net.pt", "--convention", "thop"),
    "the largest": ("largest", "net.pt", "batch", "--in", "8GB"),
}


@pytest.mark.parametrize("what", OF_RUNS)
def test_what_is_about_a_run(capsys: pytest.CaptureFixture[str], what: str) -> None:
    status, out, err = run(capsys, *OF_RUNS[what])
    assert (status, out) == (2, "")
    assert "net.pt" in err
    assert err.count("\n") == 1
    assert "about a run" in err


ASKED: dict[str, Any] = {
    "inputs": lambda: profile("net.pt", "1x3x8x8"),
    "train": lambda: profile("net.pt", train=True),
    "memory": lambda: profile("net.pt").memory,
    "convention": lambda: profile("net.pt").under("thop"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_what_is_about_a_run_in_python(ask: Any) -> None:
    with pytest.raises(errors.ProfileError, match="nothing ran"):
        ask()


def test_explain_has_parameters_alone(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "explain", "net.pt", "head")
    assert status == 0
    assert "weight 5·8 + bias 5 = 45" in out
    assert " MACs," not in out.splitlines()[-2]
    assert "nothing ran" in out


MISTAKES = {
    "no file": (("absent.safetensors",), "absent.safetensors is not a file"),
    "arguments": (("net.pt(a=1)",), "a file takes no arguments"),
    "a folder without any": (("./empty",), "./empty is a folder, of which one checkpoint is meant, and it has none"),
    "damage": (("damaged.pt",), "damaged.pt cannot be read as a checkpoint: its zip directory cannot be read"),
    "a column": (("net.pt", "--columns", "forward_macs"), "means something with a training step"),
}


@pytest.mark.parametrize(("argv", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(folder: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], said: str) -> None:
    (folder / "empty").mkdir()
    (folder / "damaged.pt").write_bytes((folder / "net.pt").read_bytes()[:-30])
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_columns_of_runs_are_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    columns = "path,macs,flops,calls,read,share,intensity,activations,output"
    status, out, _ = run(capsys, "net.pt", "--columns", columns, "--format", "csv")
    assert status == 0
    assert all(set(line.split(",")[1:]) == {""} for line in out.splitlines()[1:])


def test_sorted_by_size(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "net.pt", "--top", "2", "--columns", "path", "--format", "csv")
    assert out.split() == ["path", "body.0", "head"]


def test_a_folder_is_a_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out").mkdir()
    writers.sharded(folder / "out", {f"a.{i}.weight": ("F32", (8, 8)) for i in range(6)}, 3)
    status, out, _ = run(capsys, "./out", "--depth", "0")
    assert status == 0
    assert "safetensors, 3 files" in out
    assert run(capsys, "out/model.safetensors.index.json", "--depth", "0")[1].split("\n")[4:] == out.split("\n")[4:]


def test_a_folder_called_like_a_model_is_not_in_its_way(folder: Path) -> None:
    (folder / "resnet18").mkdir()
    (folder / "resnet18" / "model.safetensors").write_bytes((folder / "net.safetensors").read_bytes())
    assert profile("resnet18").trace.source == "torchvision"
    assert profile("./resnet18").totals.params == PARAMS


# Budgets --------------------------------------------------------------------------------------------------------------


def test_limits_on_weights(capsys: pytest.CaptureFixture[str]) -> None:
    limits = ("--max-params", str(PARAMS), "--max-size", f"{4 * PARAMS}B", "--max-trainable", str(PARAMS))
    assert run(capsys, "net.pt", *limits)[0] == 0
    status, _, err = run(capsys, "net.pt", "--max-params", str(PARAMS - 1))
    assert status == 1
    assert f"parameters: {PARAMS} against {PARAMS - 1} (--max-params), 1 over; most is in body.0" in err


@pytest.mark.parametrize("figure", ["macs", "flops", "activations", "peak-memory", "unknown"])
def test_a_limit_on_what_is_not_known_does_not_pass(capsys: pytest.CaptureFixture[str], figure: str) -> None:
    limit = "1TB" if figure in ("activations", "peak-memory") else "1T"
    status, _, err = run(capsys, "net.pt", f"--max-{figure}", limit)
    assert status == 2
    assert "nothing ran, so its" in err


def test_checks_in_python() -> None:
    assert profile("net.pt").check(max_params=PARAMS).passed
    with pytest.raises(BudgetFailed) as caught:
        profile("net.pt").check(max_macs="1T", max_params=1)
    assert caught.value.status == 2


def test_a_budget_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", "--init", "net.safetensors", "--head-room", "0%")[0] == 0
    text = (folder / "profile-model.toml").read_text()
    assert "max-params" in text
    assert "max-macs" not in text
    assert run(capsys, "check")[0] == 0
    save_file(Net(classes=6).state_dict(), "net.safetensors")
    status, _, err = run(capsys, "check")
    assert status == 1
    assert f"net.safetensors, parameters: {PARAMS + 8 + 1} against {PARAMS}" in err


def test_a_budget_file_with_macs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "profile-model.toml").write_text('[[models]]\nmodel = "net.pt"\nmax-macs = "1G"\nmax-params = "1M"\n')
    status, out, err = run(capsys, "check", "--format", "json")
    assert status == 2
    assert "are not known" in err
    macs, params = json.loads(out)[0]["limits"]
    assert (macs["measured"], macs["over"], macs["passed"]) == (None, None, False)
    assert params["passed"]
    assert run(capsys, "check")[0] == 2  # as a table
    assert run(capsys, "check", "--format", "csv")[0] == 2


# Side by side ---------------------------------------------------------------------------------------------------------


def test_beside_a_model_that_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "net.pt", "resnet18", "--relative-to", "resnet18", "--bold", "all")
    assert status == 0
    assert "net.pt: read from a file's header; nothing ran." in out
    found = compare(["net.pt", "resnet18"], ["model", "params", "macs", "rel_macs", "memory", "unknown"])
    assert found.to_csv().splitlines()[1] == f"net.pt,{PARAMS},,,,"


def test_two_files() -> None:
    torch.save(Net(classes=7).state_dict(), "wide.pt")
    changed = diff("net.pt", "wide.pt")
    (one,) = changed.layers
    assert (one.path, one.amounts.params, one.amounts.macs) == ("head", 2 * 8 + 2, None)
    assert {total.name: total.difference for total in changed.totals if total.difference} == {
        "params": 18, "trainable": 18, "size": 4 * 18,
    }  # fmt: skip
    assert "nothing ran" in str(changed)
    assert changed.to_csv().splitlines()[-1].startswith("changed,head,head,,,weight bias,18,")
    assert json.loads(changed.to_json())["totals"]["macs"]["difference"] is None


def test_a_file_and_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of what only one of them knows is a change: classes, layers without weights, calls."""
    live = profile(Net(), (1, 3, 8, 8))
    assert diff(profile("net.pt"), live).is_empty
    assert diff(live, profile("net.pt")).is_empty
    grown = diff(profile("net.pt"), profile(Net(classes=6), (1, 3, 8, 8)))
    assert [(change.path, change.amounts.params) for change in grown.layers] == [("head", 9)]


def test_a_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(Net(classes=6).state_dict(), "wide.pt")
    assert run(capsys, "diff", "net.pt", "net.safetensors", "--max-increase", "0")[0] == 0
    status, _, err = run(capsys, "diff", "net.pt", "wide.pt", "--max-increase", "2%")
    assert status == 1
    assert "wide.pt: Parameters grew by 9" in err
    status, _, err = run(capsys, "diff", "net.pt", "wide.pt", "--max-increase", "macs=2%")
    assert status == 2
    assert "are not known" in err


# What if --------------------------------------------------------------------------------------------------------------


def test_schemes_that_need_no_class() -> None:
    found = profile("net.pt").weights("fp16")
    assert (found.now_bytes, found.stored_bytes) == (4 * PARAMS, 2 * PARAMS)
    matrix = {"x.weight": torch.zeros(4, 64), "x.bias": torch.zeros(4)}
    torch.save(matrix, "matrix.pt")
    assert profile("matrix.pt").weights("q8_0").stored_bytes == 34 * 4 * 2 + 4 * 4


def test_schemes_that_need_one_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = profile("net.pt").weights("int8")
    assert {one.why for one in found.left_alone} == {"a file does not say of which kind its layer is", "not a weight"}
    _, out, _ = run(capsys, "weights", "net.pt")
    assert "Nothing of net.pt is stored as " in out


def test_what_is_packed_stays(folder: Path) -> None:
    (folder / "it.gguf").write_bytes(gguf([("x.weight", (256, 10), 12, 0)], 1440))
    (one,) = profile("it.gguf").weights("fp16").parameters
    assert (one.why, one.params, one.stored_bytes) == ("is stored as q4_k already", 2560, 1440)


def test_values(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "values", "net.pt", "net.safetensors")[0] == 0
    state = Net().state_dict()
    state["head.bias"][2] = float("nan")
    torch.save(state, "bad.pt")
    status, out, err = run(capsys, "values", "bad.pt")
    assert status == 1
    assert "head.bias" in out
    assert "bad.pt: 1 tensor has values not finite: head.bias (1 NaN)" in err
    assert json.loads(run(capsys, "values", "bad.pt", "--format", "json")[1])["passed"] is False
    assert run(capsys, "values", "resnet18")[0] == 2


# Speed ----------------------------------------------------------------------------------------------------------------


def test_no_data_is_read(folder: Path) -> None:
    """300 GB on a disk that has no such room: nothing but headers is there to be read."""
    tensors = {f"layers.{i // 4}.{'qkvo'[i % 4]}.weight": ("BF16", (16_384, 9_216)) for i in range(1000)}
    writers.sharded(folder, tensors, 4)
    found = profile("model.safetensors.index.json")
    assert found.totals.params == 1000 * 16_384 * 9_216
    assert found.totals.param_bytes > 300 * 10**9 * 0.98


def test_the_zoo_has_what_its_weights_have() -> None:
    """Every parameter of a model with all kinds of layers, by name."""
    model = torchvision.models.get_model("vit_b_16")
    torch.save(model.state_dict(), "vit.pt")
    assert profile("vit.pt").totals.params == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("verb", [(), ("values",)])
def test_a_file_without_tensors_is_no_checkpoint(
    verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gate must not pass on nothing."""
    torch.save({}, tmp_path / "empty.pt")
    status, out, err = run(capsys, *verb, str(tmp_path / "empty.pt"))
    assert (status, out) == (2, "")
    assert "it holds no tensor" in err


def test_a_file_of_any_name_is_told_by_its_beginning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": torch.zeros(3, 5)}, tmp_path / "weights")
    status, out, _ = run(capsys, str(tmp_path / "weights"))
    assert status == 0
    assert "a 3×5" in out
    (tmp_path / "notes").write_text("no weights")
    status, _, err = run(capsys, str(tmp_path / "notes"))
    assert status == 2
    assert "begins with b'no weigh'" in err
