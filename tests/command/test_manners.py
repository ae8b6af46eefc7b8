"""What a person would write: a dtype or a shape in another spelling, a pattern for models, rows in another order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch import nn

from profiler import ProfileError, profile
from profiler.records import dtypes, inputs
from profiler.records.inputs import TensorSpec
from tests.shell import rows, run
from tests.test_imports import COMMAND, loaded

NET = """
from torch import nn
def net(width=4): return nn.Sequential(nn.Linear(8, width))
"""
FED = ("--input", "1x8")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "text", ["1x3x8x8", "1X3X8X8", "1×3×8×8", "(1, 3, 8, 8)", "[1,3,8,8]", "(1,3,8,8,)", "1*3*8*8"]
)
def test_a_shape_as_people_write_it(text: str) -> None:
    assert inputs.parse(text) == TensorSpec((1, 3, 8, 8))
    assert inputs.parse(f"x={text}:fp16") == TensorSpec((1, 3, 8, 8), "float16", "x")


@pytest.mark.parametrize("text", ["(1, 3", "1,3,8", "(1;3)", "(1, x)", "()", "1xX3"])
def test_what_is_no_shape(capsys: pytest.CaptureFixture[str], text: str) -> None:
    status, _, err = run(capsys, "nets.py:net", "--input", text)
    assert (status, err.count("\n")) == (2, 1)
    assert "is not a shape" in err


def test_an_input_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "nets.py:net", "--input", "0x8")
    assert (status, out) == (2, "")
    assert "has a dimension of 0" in err


@pytest.mark.parametrize(
    ("text", "name"),
    [("fp16", "float16"), ("FP16", "float16"), ("half", "float16"), ("torch.bfloat16", "bfloat16"),
     ("bf16", "bfloat16"),
     ("Float32", "float32"), ("i64", "int64"), ("nothing", "nothing")],
)  # fmt: skip
def test_a_dtype_has_one_name(text: str, name: str) -> None:
    assert dtypes.name(text) == name


def test_dtypes_of_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    (whole,) = rows(capsys, "nets.py:net", *FED, "--columns", "model,size", "--label", "x")
    (half,) = rows(capsys, "nets.py:net", *FED, "--columns", "model,size", "--label", "x", "--dtype", "FP16")
    assert int(half["size_bytes"]) * 2 == int(whole["size_bytes"])
    assert run(capsys, "train", "nets.py:net", "--input", "2x8:fp32", "--amp", "BF16")[0] == 0


def test_a_format_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "nets.py:net", *FED, "--format", "CSV") == run(capsys, "nets.py:net", *FED, "--format", "csv")


def test_notes_as_many_as_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    short, none, full = (run(capsys, "nets.py:net", *FED, "--notes", which)[1] for which in ("short", "none", "full"))
    assert none in short
    assert "Input 1×8 float32." in short
    assert "Versions:" in full
    assert "Versions:" not in short


@pytest.mark.parametrize("format", ["csv", "json"])
def test_a_program_has_no_notes_to_choose(capsys: pytest.CaptureFixture[str], format: str) -> None:
    status, out, err = run(capsys, "nets.py:net", *FED, "--notes", "full", "--format", format)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"{format} is for programs" in err


def test_a_pattern_is_several_models(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "squeezenet1_?", "--columns", "model,params")
    assert [row["model"] for row in found] == ["squeezenet1_0", "squeezenet1_1"]
    (row,) = rows(capsys, "timm:resnet1?t", "--columns", "model", "--bold", "all")[:1]
    assert row["model"] == "timm:resnet10t"


def test_a_pattern_that_nothing_matches(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "nosuchnet*")
    assert (status, out) == (2, "")
    assert "no model name matches 'nosuchnet*'" in err


def test_rows_are_sorted_by_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    models = ("nets.py:net(width=2)", "nets.py:net(width=9)", "nets.py:absent", "nets.py:net(width=5)")
    argv = (*models, *FED, "--columns", "model,params", "--format", "csv")
    by_size = run(capsys, *argv, "--sort", "params")[1]
    assert [line.split(",")[1] for line in by_size.splitlines()[1:]] == ["81", "45", "18", ""]
    by_name = run(capsys, *argv, "--sort", "model")[1]
    assert [line.split(",")[1] for line in by_name.splitlines()[1:]] == ["18", "45", "81", ""]


@pytest.mark.parametrize(
    "argv",
    [("--columns", "nope"), ("--sort", "nope"), ("--bold", "nope"), ("--depth", "x"), ("--notes", "nope"),
     ("--convention", "nope")],
)  # fmt: skip
def test_what_can_be_known_without_torch_is_told_without_it(argv: tuple[str, ...]) -> None:
    assert loaded(COMMAND.replace("== 0", "== 2"), "resnet34", *argv) == set()


def test_a_library_that_is_broken_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A torchvision that was built for another torch raises a RuntimeError when it is imported."""
    Path("torchvision").mkdir()
    Path("torchvision/__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    status, out, err = run(capsys, "torchvision:resnet18")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "torchvision cannot be imported (operator torchvision::nms does not exist)" in err
    assert "pip install --upgrade torchvision torch" in err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("values",), "no file of weights is given; name one, like profile-model values weights.pt"),
        (("nets.py:net", *FED, "--save", "a.json", "-o", "./a.json"), "--save a.json: --output is the same file"),
        (("none.onnx",), "none.onnx is not a file; give the path of one that exists"),
        (("none.json",), "none.json is not a file; give the path of one that exists"),
        (("nets.pt2",), "nets.pt2 is not a file; did you mean nets.py?"),
        (("largest", "nets.py:net"), "largest needs a limit: the memory there is, like --in 8GB"),
        (("match", "nets.py:net"), "WEIGHTS is missing (see profile-model match --help)"),
        (("which",), "NUMBER is missing (see profile-model which --help)"),
        (("explain", "nets.py:net", "zzz", *FED), "see them with profile-model MODEL --columns path"),
        (("nets.py:net", "--no-input", "--max-macs", "1M"), "nothing ran, so its MACs are not known; give a model"),
    ],
)
def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str) -> None:
    status, _, err = run(capsys, *argv)
    assert (status, err.count("\n"), says in err) == (2, 1, True), err


def test_a_class_is_not_a_model() -> None:
    with pytest.raises(ProfileError, match=r"^Linear is a class; give a model that is built, like Linear\(\.\.\.\)$"):
        profile(nn.Linear, (1, 8))
