"""A model at several values: rows, what they share, polynomials that hold, and values that fail."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import nn

from profiler import ProfileError, profile, scan
from profiler.answers.scan.compute import FIGURES, read
from profiler.render import FORMATS, renderer
from tests import snapshots
from tests.shell import rows, run

MODEL = """
import torch
from torch import nn

def net(width=8, norm="none", layers=(4,)):
    if width > 100:
        raise ValueError("too | wide")
    return nn.Sequential(nn.Conv2d(3, width, 3, bias=False), *[nn.BatchNorm2d(width)] * (norm == "batch"), nn.ReLU())

class Attends(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.into, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)

    def forward(self, x):
        q, k, v = self.into(x).chunk(3, -1)
        return self.out(nn.functional.scaled_dot_product_attention(q, k, v))

class Pooled(Attends):
    def forward(self, x):
        return super().forward(x.unflatten(1, (-1, 4)).mean(2))
"""
NET = ("nets.py:net", "--input", "1x3x10x10")
ATTENDS = ("nets.py:Attends", "--input", "2x{n}x32")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


# Values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("batch=1,8,32", ("batch", (1, 8, 32))),
        ("batch=1..4", ("batch", (1, 2, 3, 4))),
        ("size = 160..320:64, 384", ("size", (160, 224, 288, 384))),
        ("n=5", ("n", (5,))),
        ("n=2,1,2", ("n", (2, 1))),
        ("width_mult=0.5,1,1.0", ("width_mult", (0.5, 1, 1.0))),
        ("norm='a','b'", ("norm", ("a", "b"))),
        ("layers=(1, 2),(3,)", ("layers", ((1, 2), (3,)))),
        ("bias=True,None", ("bias", (True, None))),
    ],
)
def test_values_are_literals_and_ranges(text: str, expected: object) -> None:
    assert read(text) == expected


# Rows -----------------------------------------------------------------------------------------------------------------


def test_a_row_a_value_and_what_they_share_once(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "scan", *NET, "batch=1,8,32")
    lines = out.splitlines()
    assert lines[0].split() == ["batch", "MACs", "FLOPs", "Activations", "MB", "Peak", "memory", "MB"]
    assert [line.split()[0] for line in lines[2:5]] == ["1", "8", "32"]
    params = 3 * 3 * 3 * 8
    assert re.search(rf"^Parameters +{params}  in every row$", out, re.MULTILINE)
    assert f"MACs = {params * 8 * 8:,}·batch (confirmed by 5 of 7 points)" in out
    assert "Exact at 7 points that were run, batch 1, 2, 3, 4, 5, 8, 32; not proven beyond." in out
    assert "Input batch×3×10×10 float32." in out


def test_a_builders_keyword(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "scan", *NET, "width=4,8", "--batch", "2")
    assert [(row["value"], int(row["params"]), int(row["macs"])) for row in found] == [
        (str(width), 27 * width, 2 * 27 * width * 64) for width in (4, 8)
    ]
    found = rows(capsys, "scan", *NET, "norm='none','batch'")
    assert [(row["value"], int(row["params"])) for row in found] == [("none", 216), ("batch", 216 + 16)]


def test_columns_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "scan", *NET, "batch=1,2", "--columns", "memory,value,input")
    assert list(found[0]) == ["memory_bytes", "value", "input"]
    assert [row["input"] for row in found] == ["1x3x10x10", "2x3x10x10"]
    _, out, _ = run(capsys, "scan", *NET, "batch=1,2", "--columns", "value,params", "--caption", "As it grows")
    assert out.startswith("As it grows")
    assert "in every row" not in out


def test_rows_are_what_a_run_of_its_own_says() -> None:
    found = scan("resnet18", "size", (64, 96), train=True, optimizer="sgd")
    for point in found.points:
        alone = profile("resnet18", (1, 3, point.value, point.value), train=True, optimizer="sgd")
        assert point.result is not None
        assert point.result.totals == alone.totals


def test_a_value_that_fails_keeps_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "scan", *NET, "width=8,200,16")
    why = "nets.py:net(width=200) cannot be built (ValueError: too | wide, at nets.py:7); check its arguments"
    assert status == 2
    assert out.splitlines()[3].split(maxsplit=1) == ["200", f"failed: {why}"]
    assert err == f"profile-model: {why}\n"
    assert "MACs = 1,728·width (confirmed by 5 of 7 points)" in out
    _, out, _ = run(capsys, "scan", *NET, "width=8,200", "--format", "json")
    found = json.loads(out)
    assert [row["totals"] is None for row in found["rows"]] == [False, True]
    assert found["rows"][1]["error"] == why
    assert found["polynomials"] == {}  # one value is not enough


# Polynomials ----------------------------------------------------------------------------------------------------------


def test_attention_is_quadratic_in_its_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "scan", *ATTENDS, "n=16,64")
    assert f"MACs = {2 * 2 * 32}·n² + {2 * 4 * 32 * 32:,}·n (confirmed by 4 of 7 points)" in out
    assert "number of tokens" not in out  # n is just that
    assert "Input 2×n×32 float32." in out


def test_tokens_are_a_variable_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("scan", "nets.py:Pooled", "length=16,64", "--input", "1x{length}x32")
    _, out, _ = run(capsys, *argv)
    assert "With n = 1/4·length, the number of tokens" in out
    assert f"MACs = {2 * 32}·n² + {4 * 32 * 32:,}·n (" in out
    _, out, _ = run(capsys, *argv, "--format", "json")
    found = json.loads(out)
    assert found["tokens"]["number"]["coefficients"] == [0, "1/4"]
    assert found["tokens"]["polynomials"]["macs"]["coefficients"] == [0, 4 * 32 * 32, 2 * 32]


def test_vit_by_its_size_and_by_its_tokens() -> None:
    """Dosovitskiy et al. 2020: 12 layers of width 768 MLPs of 3072, patches of 16, a class token, 1000 classes."""
    found = scan("vit_b_16", "size", (160, 224, 320))
    macs = found.in_tokens["macs"]
    assert macs is not None
    square, linear = 12 * 2 * 768, 12 * (4 * 768**2 + 2 * 768 * 3072) + 3 * 16 * 16 * 768
    assert macs.coefficients == (768 * 1000 - 3 * 16 * 16 * 768, linear, square)  # the class token is no patch
    assert found.tokens is not None
    assert found.tokens.coefficients == (1, 0, Fraction(1, 256))


def test_a_polynomial_holds_where_it_was_not_asked() -> None:
    found = scan("resnet18", "size", (96, 160))
    for name, polynomial in found.polynomials.items():
        if polynomial is not None:
            assert polynomial(512) == FIGURES[name][1](profile("resnet18", (1, 3, 512, 512)))


def test_what_is_bent_is_no_polynomial() -> None:
    class Bent(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(5000).sum() + torch.cat([x] * 7).sum()

    found = scan(Bent(), "batch", (1, 100, 1000), (1, 11))
    assert found.polynomials["peak_memory_bytes"] is None
    assert found.polynomials["flops"] is not None
    assert "No polynomial in batch of degree 4 or less: peak memory in bytes." in str(found)


def test_odd_sizes_are_told_apart_from_even_ones() -> None:
    """A stride rounds, so that what holds at even sizes does not at odd ones; the step of the values is kept."""
    strided = nn.Conv2d(1, 1, 1, stride=2)
    even = scan(strided, "size", (8, 12), (1, 1, 8, 8)).polynomials["macs"]
    assert even is not None
    assert even.points == tuple(range(8, 33, 4))
    assert even.written("size") == "1/4·size²"
    assert scan(strided, "size", (8, 11, 12), (1, 1, 8, 8)).polynomials["macs"] is None


def test_one_value_and_other_values_have_none(capsys: pytest.CaptureFixture[str]) -> None:
    for values in ("batch=4", "width=4,4.0"):
        _, out, _ = run(capsys, "scan", *NET, values)
        assert "confirmed" not in out


# The command ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "github"])
def test_snapshots(name: str, request: pytest.FixtureRequest) -> None:
    found = scan("nets.py:Pooled", "length", (16, 32, 33), "1x{length}x32")
    dress = renderer(name)
    snapshots.check(dress.answer(found), f"scan{dress.SUFFIXES[0]}", request)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("1,2",), "scan 1,2: has no name; write it like batch=1,8,32"),
        (("batch=",), "scan batch=: has no value"),
        (("batch=a",), "scan batch=a: values are numbers, ranges, or other Python literals"),
        (("batch=0",), "scan batch=0: batch is a whole number from 1 up"),
        (("size=1.5",), "scan size=1.5: size is a whole number from 1 up"),
        (("batch=5..2",), "scan batch=5..2: 5..2 is empty"),
        (("batch=1..9:0",), "1..9:0 is empty"),
        (("batch=1..5000",), "1..5000 has more than 1,000 values"),
        (("batch=1", "size=64"), "scan takes no 'size=64' as well"),
        (("batch=1", "--batch", "2"), "--batch 2: the batch is what varies here"),
        (("widht=1,2",), "scan widht: no value works for resnet18; the first: resnet18(widht=1) cannot be"),
        (("foo=1,2",), "; batch, size and seq vary as well, and a dimension that --input names, like 1x{foo}"),
        (("bacth=1,2",), "; did you mean batch?"),
        (("num_classes=-1,-2",), "Trying to create tensor with negative dimension"),
        (("batch=1", "--depth", "1"), "Unknown option: --depth"),
        (("batch=1", "--columns", "flop"), "no column is called 'flop'; choose from value,"),
        ((), "VALUES is missing"),
        (("batch=1,2", "--input", "1x{n}"), "the input's dimension {n} has no value"),
        (("batch=1", "-o", "x.xlsx"), "its suffix stands for no format"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str
) -> None:
    status, out, err = run(capsys, "scan", "resnet18", *argv)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_from_python() -> None:
    found = scan(nn.Linear(3, 5), "batch", range(1, 4), (1, 3))
    assert [p.totals.macs for p in found.profiles] == [15, 30, 45]
    assert "MACs = 15·batch" in found.to_markdown()
    with pytest.raises(ProfileError, match="is built already, so 'width' cannot vary"):
        scan(nn.Linear(3, 5), "width", (1, 2), (1, 3))
    with pytest.raises(ProfileError, match="batch is a whole number"):
        scan(nn.Linear(3, 5), "batch", (1.5,), (1, 3))
