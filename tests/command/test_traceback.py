"""`--traceback`: all of what a model's code raised, safe for a terminal, before the one line that is always told."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from profiler import Profile, profile
from profiler.cli.main import main
from profiler.errors import ModelFailed
from profiler.records.trace import Input

CODE = r"""
import torch
from torch import nn

def innermost(x):
    raise ValueError("first\x1b[31m line\n::error::second line")

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 4)

    def forward(self, x):
        return innermost(self.inner(x))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.block = nn.Linear(6, 6), Block()

    def forward(self, x):
        return self.block(self.first(x))

class Chained(Net):
    def forward(self, x):
        try:
            return super().forward(x)
        except ValueError as error:
            raise LookupError("because") from error

class Ends(nn.Module):
    def forward(self, x):
        raise SystemExit(3)

class Odd(nn.Module):
    def forward(self, x):
        raise type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})()

class Deep(nn.Module):
    def forward(self, x):
        return self.forward(x)

def builds():
    return innermost(0)
"""
BROKEN = "import torch\n\ndef fails():\n    raise OSError('on import')\n\nNet = fails()\n"
INPUT = ("--input", "5x6")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "nets.py"
    path.write_text(CODE)
    (tmp_path / "broken.py").write_text(BROKEN)
    return str(path)


CASES = {
    "forward": ("nets.py:Net", ["in forward", "in innermost", "ValueError"]),
    "chained": ("nets.py:Chained", ["in innermost", "direct cause", "LookupError: because"]),
    "system exit": ("nets.py:Ends", ["in forward", "SystemExit: 3"]),
    "no text": ("nets.py:Odd", ["in forward", "Mute"]),
    "endless": ("nets.py:Deep", ["in forward", "RecursionError"]),
    "builder": ("nets.py:builds", ["in builds", "in innermost", "ValueError"]),
    "import": ("broken.py:Net", ["in <module>", "in fails", "OSError: on import"]),
}


@pytest.mark.parametrize(("spec", "said"), CASES.values(), ids=CASES)
def test_the_whole_traceback_comes_before_the_line(
    spec: str, said: list[str], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = str(Path(file).parent / spec)
    assert main([spec, *INPUT]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert main([spec, *INPUT, "--traceback"]) == 2
    out, err = capsys.readouterr()
    *lines, last = err.splitlines()
    assert (out, last) == ("", line)
    assert lines[0].startswith("Traceback")
    places = [next(index for index, text in enumerate(lines) if word in text) for word in said]
    assert places == sorted(places)
    assert not any("/profiler/" in text for text in lines if text.startswith('  File "'))


def test_what_is_raised_is_made_safe(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{file}:Net", *INPUT, "--traceback"]) == 2
    err = capsys.readouterr().err
    assert r"first\u001b[31m line" in err
    assert "\x1b" not in err
    assert not any(line.startswith("::") for line in err.splitlines())


def test_a_row_of_several_models_and_one_of_a_scan(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{file}:Net", f"{file}:Block", *INPUT, "--traceback"]) == 2
    assert capsys.readouterr().err.count("in innermost") == 2
    assert main(["scan", f"{file}:Net", "n=1,2", "--input", "{n}x6", "--traceback"]) == 2
    assert "in innermost" in capsys.readouterr().err


def test_what_nothing_led_to_has_none(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{file}:Absent", "--traceback"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


LAYERS = """
import torch
from torch import nn

class Caught(nn.Module):
    def __init__(self):
        super().__init__()
        self.bad = nn.Linear(1, 1)

    def forward(self, x):
        try:
            return self.bad(x)
        except RuntimeError:
            return x

class Net(nn.Module):
    def __init__(self, layers=2, width=3):
        super().__init__()
        self.caught = Caught()
        self.body = nn.Sequential(*(nn.Linear(6, 6) for _ in range(layers)))
        self.head = nn.ModuleDict({"a\\n::b": nn.Linear(width, 2)})

    def forward(self, x):
        x = self.body(self.caught(x))
        return self.head["a\\n::b"](x)

def many():
    return Net(12)
"""


@pytest.fixture
def layers(tmp_path: Path) -> str:
    path = tmp_path / "layers.py"
    path.write_text(LAYERS)
    return str(path)


def test_the_layers_that_ran_and_the_one_that_failed(layers: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A layer whose failure was caught was called, and cost nothing; a name's line break is none."""
    assert main([f"{layers}:Net", *INPUT, "--traceback"]) == 2
    lines = capsys.readouterr().err.splitlines()
    first = lines.index("what ran until it failed:")
    assert [line.split()[:3] for line in lines[first + 3 : first + 11]] == [
        [f"{layers}:Net", "Net", str(2 * (6 * 6 + 6) + (1 + 1) + (3 * 2 + 2))],
        ["caught", "Caught", "5×6"],
        ["bad", "Linear", "1→1"],
        ["body", "Sequential", "2×Linear"],
        ["0", "Linear", "6→6"],
        ["1", "Linear", "6→6"],
        ["head", "ModuleDict", str(3 * 2 + 2)],
        [r"a\n::b", "Linear", "3→2"],
    ]
    macs = next(line for line in lines if line.startswith("MACs"))
    assert macs.split() == ["MACs", str(2 * 5 * 6 * 6)]
    assert lines[-3:-1] == ["the layer that failed, and what it was given:", r"  head.a\n::b  5x6"]


@pytest.mark.parametrize("train", [False, True])
def test_in_python(train: bool) -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(ModelFailed) as raised:
        profile(model, (3, 6), train=train)
    assert [layer.path for layer in raised.value.layers_run] == ["0", "1"]
    assert raised.value.failed == ("2", (Input(None, (3, 4), "float32"),))
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert raised.value.until is not None
    assert Profile(raised.value.until).totals.macs == 3 * 6 * 4
