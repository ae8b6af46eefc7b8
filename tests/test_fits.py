"""Does a checkpoint match a model? As torch's own load_state_dict has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from profiler import profile
from profiler.answers.match.compute import (
    DTYPE,
    MISSING,
    SHAPE,
    TIED,
    UNEXPECTED,
    Expected,
    FileTensor,
    _differences,
    match,
    match_trace,
)
from profiler.records.trace import Packing, Tensor
from profiler.render import FORMATS
from tests.shell import run

SOURCE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes=5, depth=1):
        super().__init__()
        self.embed = nn.Embedding(9, 8)
        self.body = nn.ModuleList(nn.Linear(8, 8) for _ in range(depth))
        self.head = nn.Linear(8, 9, bias=False)
        self.head.weight = self.embed.weight
        self.classes = nn.Linear(8, classes)
        self.register_buffer("mask", torch.ones(8))
        self.register_buffer("scratch", torch.ones(8), persistent=False)

    def forward(self, x):
        raise RuntimeError("nobody asked for a run")


def lazy():
    return nn.Sequential(nn.LazyLinear(5), nn.ReLU())
"""


@pytest.fixture(autouse=True)
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class; a model by it has no forward pass, so that whatever runs it fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "nets.py").write_text(SOURCE)
    namespace: dict[str, Any] = {}
    exec(SOURCE, namespace)
    torch.save(namespace["Net"]().state_dict(), "net.pt")
    return namespace["Net"]


def state() -> dict[str, torch.Tensor]:
    return torch.load("net.pt", weights_only=True)


def found(what: dict[str, Any] | None = None, model: str = "nets.py:Net") -> dict[str, list[str]]:
    """The names that differ, by kind, and that torch agrees where it has an opinion."""
    if what is not None:
        torch.save(what, "it.pt")
    answer = match(model, "net.pt" if what is None else "it.pt")
    kinds = dict.fromkeys(one.what for one in answer.differences)
    return {kind: [one.name for one in answer.of(kind)] for kind in kinds}


def torch_says(model: nn.Module, what: dict[str, Any]) -> tuple[set[str], set[str]]:
    missing, unexpected = model.load_state_dict(what, strict=False)
    return set(missing), set(unexpected)


def test_it_matches() -> None:
    """Without a run, without an input, and without what is not persistent."""
    answer = match("nets.py:Net", "net.pt")
    assert answer.passed
    assert answer.differences == ()
    assert answer.expected == answer.given == len(state()) == 7


def test_missing_and_unexpected_as_torch_has_them(net: Any) -> None:
    what = {name: value for name, value in state().items() if name not in ("mask", "body.0.bias")}
    what |= {"body.1.weight": torch.zeros(2), "extra": torch.zeros(1)}
    said = found(what)
    assert (set(said[MISSING]), set(said[UNEXPECTED])) == torch_says(net(), what)
    assert set(said) == {MISSING, UNEXPECTED}


def test_another_shape() -> None:
    assert found(model="nets.py:Net(classes=6)") == {SHAPE: ["classes.weight", "classes.bias"]}


def test_another_dtype_is_no_obstacle() -> None:
    torch.save({name: value.half() for name, value in state().items()}, "half.pt")
    answer = match("nets.py:Net", "half.pt")
    assert answer.passed
    assert len(answer.of(DTYPE)) == 7


def test_a_tied_tensor_may_be_missing(net: Any) -> None:
    """safetensors keeps one name of each."""
    model = net()
    save_model(model, "net.safetensors")
    answer = match("nets.py:Net", "net.safetensors")
    assert answer.passed
    assert [one.name for one in answer.of(TIED)] in (["head.weight"], ["embed.weight"])
    without = {name: value for name, value in state().items() if name not in ("head.weight", "embed.weight")}
    assert found(without) == {MISSING: ["embed.weight", "head.weight"]}


REMEDIES = {
    "module.": ("with 'module.' taken off its names, it matches", lambda s: {f"module.{k}": v for k, v in s.items()}),
    "compile": ("with '_orig_mod.' taken off its names, it matches", lambda s: {f"_orig_mod.{k}": s[k] for k in s}),
    "of its own": ("with 'a.b.' taken off its names, it matches", lambda s: {f"a.b.{k}": v for k, v in s.items()}),
    "and more": (
        "with 'module.' taken off its names, 1 name does still not match",
        lambda s: {f"module.{k}": v for k, v in s.items() if k != "mask"},
    ),
    "what cannot be helped": ("", lambda s: {"x": torch.zeros(1)}),
}  # fmt: skip


@pytest.mark.parametrize(("remedy", "make"), REMEDIES.values(), ids=REMEDIES)
def test_remedies(remedy: str, make: Any) -> None:
    torch.save(make(state()), "it.pt")
    answer = match("nets.py:Net", "it.pt")
    assert not answer.passed
    assert answer.remedy == remedy


def test_a_prefix_that_lacks() -> None:
    torch.save({"weight": torch.zeros(5, 8), "bias": torch.zeros(5)}, "part.pt")
    live = profile(nn.Sequential(nn.Linear(8, 5)), (1, 8))
    assert live.match("part.pt").remedy == "with '0.' put before its names, it matches"


def test_a_wrapper_is_named() -> None:
    torch.save({"epoch": 1, "state_dict": state()}, "it.pt")
    answer = match("nets.py:Net", "it.pt")
    assert answer.passed
    assert answer.wrapper == ("state_dict",)
    assert "['state_dict']" in str(answer)


def test_a_model_that_was_run(net: Any) -> None:
    layer = nn.Linear(8, 5)
    torch.save(layer.state_dict(), "layer.pt")
    live = profile(layer, (1, 8))
    assert live.match("layer.pt").passed
    assert match_trace(live.trace, "layer.pt").differences == ()
    assert not live.match("net.pt").passed


def test_a_lazy_model_is_run_for_its_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"0.weight": torch.zeros(5, 3), "0.bias": torch.zeros(5)}, "lazy.pt")
    assert run(capsys, "match", "nets.py:lazy", "lazy.pt", "--input", "1x3")[0] == 0
    status, _, err = run(capsys, "match", "nets.py:lazy", "lazy.pt", "--input", "1x4")
    assert status == 1
    assert "1 of another shape (0.weight)" in err


def test_two_files() -> None:
    save_file({name: value.clone() for name, value in state().items()}, "net.safetensors")
    assert match("net.safetensors", "net.pt").passed


def test_packed_weights_are_those_of_a_packed_layer() -> None:
    """bitsandbytes keeps 4-bit weights flat, as bytes, in a layer as in a file."""
    stored = Tensor((96 * 128 // 2, 1), "uint8")
    given = {"x.weight": FileTensor(stored, Packing("nf4", (96 * 128,)))}
    assert list(_differences({"x.weight": Expected(stored, 0)}, given)) == []
    assert list(_differences({"x.weight": Expected(Tensor((96, 128), "nf4"), 0)}, given)) == []
    (one,) = _differences({"x.weight": Expected(Tensor((95, 128), "float16"), 0)}, given)
    assert one.what == SHAPE


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "match", "nets.py:Net", "net.pt")
    assert (status, err) == (0, "")
    assert "net.pt in nets.py:Net" in out
    status, out, err = run(capsys, "match", "nets.py:Net(classes=6, depth=2)", "net.pt")
    assert status == 1
    assert "missing        body.1.weight   8×8 float32" in out
    assert "another shape  classes.weight  6×8 float32   5×8 float32" in out
    assert "net.pt does not match nets.py:Net(classes=6, depth=2): 2 missing (body.1.weight, body.1.bias)" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(capsys: pytest.CaptureFixture[str], format: str) -> None:
    assert run(capsys, "match", "nets.py:Net", "net.pt", "--format", format)[0] == 0
    status, out, _ = run(capsys, "match", "nets.py:Net(depth=30)", "net.pt", "--format", format)
    assert status == 1
    if format == "json":
        said = json.loads(out)
        assert (said["matches"], len(said["differences"])) == (False, 2 * 29)
    if format == "csv":
        assert out.count("missing,") == 2 * 29
    if format == "text":
        assert "… and 38 more" in out


def test_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, said in {
        ("match", "resnet18", "resnet34", "net.pt"): "match takes no 'net.pt' as well",
        ("match", "nets.py:Net", "absent.pt"): "absent.pt is not a file",
        ("match", "nets.py:Net", "net.pt", "--train"): "no option is called --train here",
        ("match", "nets.py:Absent", "net.pt"): "nothing is called 'Absent'",
    }.items():
        status, out, err = run(capsys, *argv)
        assert (status, out) == (2, ""), argv
        assert said in err
