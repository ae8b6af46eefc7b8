"""The JSON of every answer, key by key and number by number, as it was kept in `tests/snapshots/answers`.

`pytest --refresh` accepts what is printed now. What depends on installed versions is left out.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from profiler import profile
from tests.checkpoints import writers
from tests.onnx.graphs import FLOAT, model, value, weight
from tests.shell import run

FOLDER = Path(__file__).parent.parent / "snapshots" / "answers"
LLAMA = (
    "hf:LlamaConfig(hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4, "
    "num_key_value_heads=2, vocab_size=320)"
)
TENSORS = {
    "conv1.weight": ("F32", [8, 3, 3, 3]),
    "bn1.weight": ("F32", [8]),
    "bn1.bias": ("F32", [8]),
    "bn1.running_mean": ("F32", [8]),
    "bn1.running_var": ("F32", [8]),
    "fc.weight": ("BF16", [10, 8]),
    "fc.bias": ("BF16", [10]),
}
BUDGET = """
[[models]]
model = "resnet34"
max-params = "25M"
max-macs = "4G"
[[models]]
model = "vit_b_16"
max-params = "80M"
"""
MODELS = {
    "resnet34": "resnet34",
    "vit_b_16": "vit_b_16",
    "llama": LLAMA,
    "onnx": "small.onnx",
    "checkpoint": "small.safetensors",
}
RUN = ("resnet34", "vit_b_16", "llama")  # models that can be run in other ways

# What is asked, of which models, by which verb ("": the main job) and which options behind the model.
QUESTIONS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "layers": ("", tuple(MODELS), ()),
    "fvcore": ("", RUN, ("--convention", "fvcore")),
    "memory": ("memory", RUN, ()),
    "train": ("train", RUN, ("--optimizer", "adamw", "--batch", "2")),
    "train-memory": ("memory", ("resnet34", "llama"), ("--training", "--optimizer", "adamw", "--batch", "2")),
    "weights": ("weights", tuple(MODELS), ("--as", "int8,nf4,q4_0")),
    "scan": ("scan", RUN, ("batch=1,2,4",)),
    "ablate": ("ablate", ("resnet34",), ("--each", "layer4.*", "--replace", "bn1=Identity")),
    "largest": ("largest", ("resnet34",), ("batch", "--in", "1GB")),
    "limits": ("", RUN, ("--max-params", "25M", "--max-size", "100MB")),
    "cross-check": ("cross-check", ("resnet34",), ("--with", "fvcore,thop")),
    "phases": ("generate", ("llama",), ("--seq", "64", "--new-tokens", "8")),
    "scan-of-phases": ("scan", ("llama",), ("seq=16,32,64", "--phase", "both")),
    "values": ("values", ("checkpoint",), ()),
}  # fmt: skip
SENSITIVITY = ("sensitivity", "net.py:net", "--input", "1x1x4x4:float64", "--data", "data.npz")
LINES: dict[str, tuple[str, ...]] = {
    **{
        f"{question}-{name}": (*verb.split(), MODELS[name], *options)
        for question, (verb, names, options) in QUESTIONS.items()
        for name in names
    },
    "models": ("resnet18", "resnet34", "vit_b_16", "--relative-to", "resnet34"),
    "diff": ("diff", "resnet18", "resnet34"),
    "diff-to-saved": ("diff", "saved.json", "resnet34", "--max-increase", "2%"),
    "check": ("check", "budget.toml"),
    "which": ("which", "4.09G", "resnet50"),
    "saved": ("saved.json",),
    "score": ("score", "predictions.csv"),
    "sensitivity": (*SENSITIVITY, "--hessian", "2", "--device", "a100-sxm-80gb"),
    **{
        f"sensitivity-{by}": (*SENSITIVITY, "--by", change)
        for by, change in {"quantised": "quantise=int8", "pruned": "prune=0.5", "removed": "remove"}.items()
    },
    "sweep": ("sweep", "torchvision:resnet1*", "small.onnx", "none", "--device", "a100-sxm-80gb", "--no-cache"),
    "pareto": ("sweep", "torchvision:vgg1*", "--pareto", "params,macs", "--no-cache"),
}
NET = """
import torch
from torch import nn


def net():
    convolutions = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)
    made = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 3)).double()
    for number, weight in enumerate(made.parameters()):
        weight.data = torch.sin(torch.arange(weight.numel()) + number).reshape(weight.shape).double() / 4
    return made
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the lines name, and nothing else."""
    monkeypatch.chdir(tmp_path)
    nodes = [
        onnx.helper.make_node("Conv", ["x", "conv.weight"], ["a"], name="/conv/Conv", pads=[1, 1, 1, 1]),
        onnx.helper.make_node("Relu", ["a"], ["b"], name="/relu/Relu"),
        onnx.helper.make_node("GlobalAveragePool", ["b"], ["c"], name="/pool/GlobalAveragePool"),
        onnx.helper.make_node("Flatten", ["c"], ["d"], name="/Flatten"),
        onnx.helper.make_node("Gemm", ["d", "fc.weight"], ["y"], name="/fc/Gemm", transB=1),
    ]
    held = [weight("conv.weight", 8, 3, 3, 3), weight("fc.weight", 10, 8)]
    onnx.save(model(nodes, [value("x", (1, 3, 16, 16))], [value("y", (1, 10), FLOAT)], held), "small.onnx")
    Path("small.safetensors").write_bytes(writers.whole(TENSORS))
    Path("budget.toml").write_text(BUDGET)
    Path("net.py").write_text(NET)
    images = np.cos(np.arange(4 * 16, dtype=np.float64)).reshape(4, 1, 4, 4)
    np.savez("data.npz", inputs=images, labels=np.array([0, 1, 2, 1]))
    Path("predictions.csv").write_text("label,prediction,score\n1,1,0.75\n0,1,0.5\n0,0,0.25\n1,0,0.25\n")
    return tmp_path


@pytest.mark.parametrize("name", LINES)
def test_is_what_it_was(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if "saved" in name:
        profile("resnet34").save("saved.json")
    status, out, err = run(capsys, *LINES[name], "--format", "json")
    assert status in {0, 1}, err
    prints = json.loads(out, parse_float=_rounded if "sensitivity" in name else float)
    shown = json.dumps(_without_versions({"status": status, "prints": prints}), indent=1, sort_keys=True)
    path = FOLDER / f"{name}.json.gz"
    if request.config.getoption("--refresh"):
        FOLDER.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(shown.encode(), mtime=0))
    assert shown.splitlines() == gzip.decompress(path.read_bytes()).decode().splitlines()


def _rounded(number: str) -> float:
    """What was computed with a model's values: their sums end otherwise on another machine."""
    return float(f"{float(number):.9e}")


def _without_versions(shown: Any) -> Any:
    if isinstance(shown, dict):
        return {name: _without_versions(held) for name, held in shown.items() if name != "versions"}
    return [_without_versions(held) for held in shown] if isinstance(shown, list) else shown
