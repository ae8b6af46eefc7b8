"""The command: columns, formats, pictures, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
import torch

from tests.shell import rows, run

BUILDER = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.flat, self.head = nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 3)

    def forward(self, image):
        return self.head(self.flat(self.conv(image).relu()))

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(10, 4), nn.Linear(4, 10)

    def forward(self, ids):
        return self.head(self.table(ids))
"""
NET = ("sensitivity", "net.py:Net", "--input", "1x3x8x8")
PARAMS = {"conv": 4 * 3 * 3 * 3 + 4, "head": 144 * 3 + 3}
MACS = {"conv": 4 * 3 * 3 * 3 * 6 * 6, "head": 144 * 3}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(BUILDER)
    generator = numpy.random.default_rng(0)
    images = generator.random((6, 3, 8, 8), dtype=numpy.float32)
    numpy.savez(tmp_path / "data.npz", images=images, labels=numpy.array([0, 1, 2, 0, 1, 2]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_row_a_layer_with_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    found = {row["layer"]: row for row in rows(capsys, *NET, "--data", "data.npz", "--hessian", "2")}
    assert {path: int(row["params"]) for path, row in found.items()} == PARAMS
    assert {path: int(row["macs"]) for path, row in found.items()} == MACS
    for path, row in found.items():
        assert float(row["per_mac"]) == pytest.approx(float(row["importance"]) / MACS[path])
        assert float(row["per_param"]) == pytest.approx(float(row["importance"]) / PARAMS[path])
        assert float(row["trace_error"]) > 0
    assert sum(float(row["importance_share"]) for row in found.values()) == pytest.approx(1)


def test_it_is_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *NET) == run(capsys, *NET)
    _, out, _ = run(capsys, *NET)
    assert "Seed 0." in out
    assert "The samples are random: how layers rank here says little about a trained model and real data." in out


def test_columns_and_order(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, *NET, "--columns", "layer,norm", "--sort", "params")
    assert [list(row) for row in found] == [["layer", "norm"]] * 2
    assert [row["layer"] for row in found] == ["head", "conv"]
    assert [row["layer"] for row in rows(capsys, *NET, "--sort", "macs", "--top", "1")] == ["conv"]
    assert [row["layer"] for row in rows(capsys, *NET, "--depth", "0")] == ["net.py:Net"]


def test_time_on_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, *NET, "--device", "a100-sxm-80gb")
    assert all(float(row["lower_bound_time_seconds"]) > 0 for row in found)


def test_samples_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, *NET, "--data", "data.npz", "--per-sample")
    assert [row["sample"] for row in found] == ["mean", "1", "2", "3", "4", "5", "6"]
    norms = [float(row["norm"]) for row in found]
    assert norms[0] == pytest.approx(sum(norms[1:]) / 6)
    assert {row["input"] for row in found} == {"image"}


def test_whole_numbers_have_no_gradient(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "sensitivity", "net.py:Words", "--input", "1x5:int64")
    assert (status, err) == (0, "")
    assert "ids is of int64, and has no gradient." in out


def test_json_has_every_layer_weight_and_sample(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *NET, "--data", "data.npz", "--format", "json")
    data = json.loads(out)
    assert status == 0
    assert data["schema"] == 1
    assert [layer["path"] for layer in data["layers"]] == ["", "conv", "head"]
    assert [weight["name"] for weight in data["weights"]] == ["conv.weight", "conv.bias", "head.weight", "head.bias"]
    assert len(data["targets"]) == len(data["sample_gradients"][0]["norms"]) == 6
    assert data["asked_of"]["is_random"] == []


@pytest.mark.parametrize("by", ["quantise=int8", "prune=50%", "remove"])
def test_trials(capsys: pytest.CaptureFixture[str], by: str) -> None:
    each = ("--each", "flat") if by == "remove" else ()
    status, out, err = run(capsys, *NET, "--data", "data.npz", "--by", by, *each, "--format", "json")
    data = json.loads(out)
    assert (status, err) == (0, "")
    assert data["by"] == by
    assert data["before"]["loss"] > 0
    paths = [layer["path"] for layer in data["layers"]]
    assert sorted(paths) == (["flat"] if by == "remove" else ["conv", "head"])
    if by == "prune=50%":
        saved = {layer["path"]: (layer["saved_bytes"], layer["saved_macs"]) for layer in data["layers"]}
        assert saved == {
            path: (4 * (PARAMS[path] - bias) // 2, MACS[path] // 2) for path, bias in (("conv", 4), ("head", 3))
        }


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "html", "github", "csv", "json"])
@pytest.mark.parametrize("options", [(), ("--by", "prune=0.5"), ("--per-sample",)])
def test_formats(capsys: pytest.CaptureFixture[str], format: str, options: tuple[str, ...]) -> None:
    status, out, err = run(capsys, *NET, *options, "--format", format)
    assert (status, err) == (0, "")
    assert ("image" if options == ("--per-sample",) else "conv") in out


@pytest.mark.parametrize("options", [(), ("--by", "quantise=int8")])
@pytest.mark.parametrize("name", ["saliency.png", "saliency.pdf", "saliency.svg"])
def test_pictures(capsys: pytest.CaptureFixture[str], folder: Path, options: tuple[str, ...], name: str) -> None:
    assert run(capsys, *NET, "--data", "data.npz", *options, "-o", name) == (0, "", "")
    first = (folder / name).read_bytes()
    assert first.startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[name[-3:]])
    run(capsys, *NET, "--data", "data.npz", *options, "-o", name)
    assert (folder / name).read_bytes() == first


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((*NET, "--columns", "size"), "no column is called 'size'"),
        ((*NET, "--by", "remove", "--columns", "fisher"), "no column is called 'fisher'"),
        ((*NET, "--columns", "time"), "--columns time means something with --device alone"),
        (
            (*NET, "--by", "remove", "--each", "layer*"),
            "no layer of net.py:Net has a path or class that matches 'layer*'",
        ),
        ((*NET, "--by", "remove"), "no layer of net.py:Net can be changed by --by remove (conv: cannot"),
        ((*NET, "--method", "occlusion"), "--method means something with a picture, --output FILE.png, alone"),
        ((*NET, "--samples", "0"), "--samples 0"),
        ((*NET, "--target", "x"), "--target x: it is loss, largest, or the index of an output, like 3"),
        ((*NET, "--weights", "none.pt"), "none.pt"),
        ((*NET, "--run-on", "cuda"), "--run-on cuda"),
        (("sensitivity", "net.py:Words", "--input", "1x5:int64", "-o", "x.png"), "is no image of 1 or 3 channels"),
        (("sensitivity", "weights.safetensors"), "weights.safetensors"),
        (("sensitivity", "saved.json"), "saved.json is a record of a run"),
        (("sensitivity", "net.py:Net", "resnet18"), "resnet18"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], words: str
) -> None:
    if "cuda" in argv and torch.cuda.is_available():
        pytest.skip("there is such a device here")
    run(capsys, "net.py:Net", "--input", "1x3x8x8", "--save", "saved.json")
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
