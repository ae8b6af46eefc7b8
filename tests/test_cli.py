"""The command: what it prints, where, and its exit status."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.shell import run

MODEL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8, classes=10):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))

def with_inputs(width=8):
    return Net(width), torch.rand(2, 3, 16, 16)

def pair():
    class Pair(nn.Module):
        def forward(self, x, y):
            return x @ y
    return Pair()

def reads_values():
    class Reads(Net):
        def forward(self, x):
            return super().forward(x) if x.sum().item() > 0 else x
    return Reads()

def raises():
    raise RuntimeError("no model\\ntoday")

instance = Net()
number = 3
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "nets.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return "nets.py:Net"


def macs(width: int = 8, classes: int = 10, batch: int = 1, side: int = 16) -> int:
    return batch * (width * side * side * 3 * 3 * 3 + width * classes)


# What goes well -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("nets.py:Net", macs()),
        ("nets.py:Net(width=16, classes=5)", macs(16, 5)),
        ("nets.py:instance", macs()),
        ("nets:Net", macs()),
    ],
)
def test_python_specs(capsys: pytest.CaptureFixture[str], model: str, spec: str, expected: int) -> None:
    status, out, err = run(capsys, spec, "--input", "1x3x16x16", "--format", "json")
    assert (status, err) == (0, "")
    assert json.loads(out)["totals"]["macs"] == expected


def test_a_callable_may_bring_its_inputs(capsys: pytest.CaptureFixture[str], model: str) -> None:
    _, out, _ = run(capsys, "nets.py:with_inputs(width=4)", "--format", "json")
    found = json.loads(out)
    assert found["totals"]["macs"] == macs(4, batch=2)
    assert found["inputs"] == [{"name": None, "shape": [2, 3, 16, 16], "dtype": "float32"}]


def test_batch_scales_the_models_own_input_and_the_given_one(capsys: pytest.CaptureFixture[str], model: str) -> None:
    _, out, _ = run(capsys, model, "--input", "1x3x16x16", "--batch", "4", "--format", "json")
    assert json.loads(out)["totals"]["macs"] == macs(batch=4)
    _, out, _ = run(capsys, "resnet18", "--batch", "2", "--depth", "0", "--columns", "input,macs")
    assert "2×3×224×224" in out


def test_json_keeps_the_contract(capsys: pytest.CaptureFixture[str], model: str) -> None:
    _, out, _ = run(capsys, model, "--input", "1x3x16x16", "--format", "json")
    found = json.loads(out)
    assert {"schema", "model", "source", "engine", "inputs", "convention", "versions", "totals", "layers",
            "unknown_ops", "coverage"} <= set(found)  # fmt: skip
    assert {"params", "trainable_params", "frozen_params", "buffers", "macs", "flops", "param_bytes", "buffer_bytes",
            "activation_bytes", "peak_activation_bytes"} <= set(found["totals"])  # fmt: skip
    assert (found["schema"], found["model"], found["source"], found["engine"]) == (1, model, "python", "meta")
    head = next(layer for layer in found["layers"] if layer["path"] == "head")
    expected = {"kind": "Linear", "depth": 1, "params": 8 * 10 + 10, "macs": 8 * 10, "calls": 1,
                "input_shapes": [[1, 8]], "output_shapes": [[1, 10]]}  # fmt: skip
    assert {key: head[key] for key in expected} == expected
    assert {"flops", "own"} <= set(head)
    assert [layer["path"] for layer in found["layers"]] == [
        "", "features", "features.0", "features.1", "features.2", "head",
    ]  # fmt: skip
    root = found["layers"][0]
    assert root["macs"] == found["totals"]["macs"] == sum(layer["own"]["macs"] for layer in found["layers"])
    assert found["coverage"]["unknown"] == 0


def test_several_models_give_a_list(capsys: pytest.CaptureFixture[str], model: str) -> None:
    status, out, _ = run(capsys, model, f"{model}(width=4)", "--input", "1x3x16x16", "--format", "json")
    assert status == 0
    assert [found["totals"]["macs"] for found in json.loads(out)] == [macs(), macs(4)]
    _, out, _ = run(capsys, model, f"{model}(width=4)", "--input", "1x3x16x16", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["model"], int(row["macs"])) for row in rows] == [(model, macs()), (f"{model}(width=4)", macs(4))]


def test_csv_is_raw(capsys: pytest.CaptureFixture[str], model: str) -> None:
    _, out, _ = run(capsys, model, "--input", "1x3x16x16", "--format", "csv")
    rows = {row["path"]: row for row in csv.DictReader(io.StringIO(out))}
    assert int(rows["features.0"]["params"]) == 3 * 3 * 3 * 8 + 8
    assert int(rows["features.0"]["size_bytes"]) == 4 * (3 * 3 * 3 * 8 + 8)
    assert rows["features.0"]["output"] == "1x8x16x16"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("t.md", "| Layer"),
        ("t.csv", "path,"),
        ("t.json", "{"),
        ("t.tex", "% "),
        ("t.html", "<!DOCTYPE html>"),
        ("t.txt", "Layer"),
    ],
)
def test_the_output_file_chooses_the_format(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path, name: str, start: str
) -> None:
    status, out, _ = run(capsys, model, "--input", "1x3x16x16", "-o", name)
    assert (status, out) == (0, "")
    assert (tmp_path / name).read_text().startswith(start)


def test_depth_filter_sort_top_and_columns(capsys: pytest.CaptureFixture[str], model: str) -> None:
    def names(*argv: str) -> list[str]:
        _, out, _ = run(capsys, model, "--input", "1x3x16x16", "--format", "csv", "--columns", "path", *argv)
        return [row["path"] for row in csv.DictReader(io.StringIO(out))]

    assert names("--depth", "1") == ["", "features", "head"]
    assert names("--filter", "features.*") == ["features.0", "features.1", "features.2"]
    assert names("--filter", "Linear") == ["head"]
    assert names("--sort", "params") == ["features.0", "head", "features.1", "features.2"]
    assert names("--top", "1") == ["features.0"]


def test_conventions_change_flops_alone(capsys: pytest.CaptureFixture[str], model: str) -> None:
    _, out, _ = run(capsys, model, "--input", "1x3x16x16", "--convention", "macs", "--format", "json")
    found = json.loads(out)
    assert found["convention"] == "macs"
    assert found["totals"]["flops"] == found["totals"]["macs"] == macs()


def test_explain(capsys: pytest.CaptureFixture[str], model: str) -> None:
    for argv in ([], ["features.0"], ["Conv2d"]):
        _, out, _ = run(capsys, "explain", model, *argv, "--input", "1x3x16x16")
        assert f"= {3 * 3 * 3 * 8 + 8:,}" in out
        assert f"= {8 * 16 * 16 * 3 * 3 * 3:,}" in out


def test_a_saved_trace_is_a_model_spec(capsys: pytest.CaptureFixture[str], model: str) -> None:
    _, fresh, _ = run(capsys, model, "--input", "1x3x16x16", "--save", "net.json")
    _, again, _ = run(capsys, "net.json")
    assert again == fresh


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "resnet3*")
    assert {"resnet34", "resnet34d", "timm:resnet34"} <= set(out.split())


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from profiler import __version__

    assert run(capsys, "--version") == (0, f"profile-model {__version__}\n", "")


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys)
    assert status == 0
    assert "Usage: profile-model" in out
    assert run(capsys, "--help")[1] == out


# What goes wrong ------------------------------------------------------------------------------------------------------

INPUT = ("--input", "1x3x16x16")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("resnet344",), "no model is called 'resnet344'; did you mean resnet34,"),
        (("torchvision:resnet3",), "no model is called 'resnet3' in torchvision; did you mean"),
        (("timm:dpn9",), "no model is called 'dpn9' in timm; did you mean"),
        (("resnet34(",), "is not a model spec"),
        (("resnet34(10)",), "arguments need names"),
        (("resnet34(n=open('x'))",), "arguments are literals"),
        (("resnet34(classes=10)",), "cannot be built (TypeError"),
        (("resnet34", "--input", "3,224,224"), "input '3,224,224' is not a shape; write it like 1x3x224x224"),
        (("resnet34", "--input", "1x3x8x8:float8"), "no dtype is called 'float8'"),
        (("resnet34", "--input", "1x4x224x224"), "fails on input 1x4x224x224 (in conv1 on 1x4x224x224, RuntimeError"),
        (("resnet34", "--input", "1x3x224x224:float16"), "Input type (torch.HalfTensor) and weight type (torch.Float"),
        (("resnet34", "--columns", "flop"), "no column is called 'flop'; choose from layer,"),
        (("resnet34", "--sort", "size,"), "no column is called 'size,'"),
        (("resnet34", "--format", "xlsx"), "no format is called 'xlsx'; choose one of text,"),
        (("resnet34", "-o", "table.xlsx"), "table.xlsx: its suffix stands for no format"),
        (("resnet34", "-o", "no/such/folder.csv"), "cannot be written"),
        (("resnet34", "--convention", "mine"), "no convention is called 'mine'; choose one of flops"),
        (("resnet34", "--batch", "0"), "--batch 0: not a whole number from 1 to 2,147,483,647"),
        (("resnet34", "--nonsense"), "Unknown option: --nonsense"),
        (("resnet34", "resnet18", "--save", "x.json"), "--save keeps one model and 2 are given"),
        (("resnet34", "resnet18", "--depth", "1"), "--depth shapes the table of one model's layers, and 2 models"),
        (("resnet34", "--save", "x.txt"), "call it FILE.json or FILE.json.gz"),
        (("resnet34", "--save", "no/such/folder.json"), "cannot be written"),
        (("explain", "resnet34", "--format", "csv"), "explain is written as text, not as csv"),
        (("explain", "resnet18", "resnet34"), "no layer of resnet18 has a path or class that matches 'resnet34'"),
        (("resnet18", "--filter", "Linr"), "no layer of resnet18 has a path or class that matches 'Linr'"),
        (("resnet18", "--input", "1x3x9999999999x9999999999"), "is larger than any tensor can be"),
        (("RESNET18",), "did you mean resnet18,"),
        (("nets.py",), "say which callable in it: nets.py:Net, "),
        (("nowhere.json",), "nowhere.json is not a file; give the path of one that exists"),
        (("nets.json", "--batch", "2"), "was recorded already"),
        (("nowhere.py:Net", *INPUT), "nowhere.py is not a file"),
        (("nowhere:Net", *INPUT), "no package is called 'nowhere'"),
        (("nets.py:Nett", *INPUT), "nothing is called 'Nett' in nets.py; did you mean Net"),
        (("nets.py:number", *INPUT), "nets.py:number is of type int"),
        (("nets.py:raises", *INPUT), "cannot be built (RuntimeError: no model, at nets.py:30); check its arguments"),
        (("nets.py:instance(width=3)", *INPUT), "is a model already and takes no arguments"),
        (("nets.py:with_inputs", "--batch", "3"), "brings its own inputs"),
        (("nets.py:pair", "--input", "2x3"), "missing 1 required positional argument: 'y'"),
        (("list", "nothing*like*this"), "no model name matches"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], model: str, argv: tuple[str, ...], says: str
) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert err.startswith("profile-model: ")


def test_what_needs_an_input_shows_its_parameters(capsys: pytest.CaptureFixture[str], model: str) -> None:
    status, out, err = run(capsys, "nets.py:Net")
    assert status == 2
    assert "Parameters" in out
    assert "does not say what it takes; give it shapes" in err
    assert err.count("\n") == 1


def test_a_missing_package_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    status, _, err = run(capsys, "timm:dpn92")
    assert status == 2
    assert "timm is not installed" in err
    assert "pip install timm" in err


def test_without_timm_torchvisions_models_still_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    assert run(capsys, "resnet18", "--depth", "0")[0] == 0
    assert "resnet18" in run(capsys, "list", "resnet1*")[1].split()
    assert "did you mean resnet34, " in run(capsys, "resnet344")[2]
    assert "pip install timm" in run(capsys, "dpn92")[2]


def test_one_model_that_fails_does_not_hide_the_others(capsys: pytest.CaptureFixture[str], model: str) -> None:
    status, out, err = run(capsys, model, "nets.py:Nett", f"{model}(width=4)", *INPUT)
    assert status == 2
    assert [line.split()[0] for line in out.splitlines()[2:5]] == [model, "nets.py:Nett", f"{model}(width=4)"]
    why = "nothing is called 'Nett' in nets.py; did you mean Net?"
    assert out.splitlines()[3].split("  failed: ")[1] == why
    assert err == f"profile-model: {why}\n"


def test_nothing_is_left_behind_when_it_fails(capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_text("before")
    assert run(capsys, "nets.py:Nett", *INPUT, "-o", "kept.csv")[0] == 2
    assert (tmp_path / "kept.csv").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"nets.py", "kept.csv"}


UNKNOWN = """
import torch
from torch import nn

@torch.library.custom_op("strict_test::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x

@twice.register_fake
def _(x):
    return torch.empty_like(x)

class Net(nn.Module):
    def forward(self, x):
        return twice(twice(x))
"""


def test_unknown_operators_are_shown_and_fail_strict(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "custom.py").write_text(UNKNOWN)
    status, out, err = run(capsys, "custom.py:Net", "--input", "2x3")
    assert (status, err) == (0, "")
    assert "NOT COUNTED, for want of a formula: strict_test.twice.default ×2" in out
    status, out, err = run(capsys, "custom.py:Net", "--input", "2x3", "--strict", "--format", "json")
    found = json.loads(out)
    assert status == 1
    assert found["unknown_ops"] == {"strict_test.twice.default": 2}
    assert found["layers"][0]["macs"] is None
    assert "strict_test.twice.default ×2" in err


def test_a_model_that_reads_values_says_which_engine_ran_it(capsys: pytest.CaptureFixture[str], model: str) -> None:
    _, out, _ = run(capsys, "nets.py:reads_values", *INPUT)
    assert "Engine cpu." in out


@pytest.mark.parametrize(
    ("spec", "params", "gmacs", "side"),
    [
        ('googlenet(weights="DEFAULT")', 6_624_904, 1.498, 224),
        ('fcn_resnet50(weights="DEFAULT")', 35_322_218, 152.717, 520),
        ('vit_b_16(weights="IMAGENET1K_SWAG_E2E_V1")', 86_859_496, 55.484, 384),
        ("vit_h_14", 633_470_440, 1016.717, 518),
        ("regnet_y_400mf", 4_344_144, 0.402, 224),
    ],
)
def test_published_architectures_need_no_weights(
    capsys: pytest.CaptureFixture[str], spec: str, params: int, gmacs: float, side: int
) -> None:
    """What torchvision's own weight metadata says: `num_params`, `_ops` and the crop size."""
    _, out, _ = run(capsys, spec, "--format", "json")
    found = json.loads(out)
    assert found["totals"]["params"] == params
    assert round(found["totals"]["macs"] / 1e9, 3) == gmacs
    assert found["inputs"][0]["shape"] == [1, 3, side, side]
