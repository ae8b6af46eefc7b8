"""Ablations: each variant costs what the model built that way by hand does, and what cannot be left out says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import resnet34

import profiler
from profiler import ProfileError, ablate, profile
from profiler.records.patterns import layers_to_change, outermost
from profiler.records.trace import Module
from tests.shell import rows, run
from tests.untouched.fingerprint import Fingerprint

NETS = """
import torch
from torch import nn


class SE(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.squeeze, self.excite = nn.Linear(width, 2), nn.Linear(2, width)

    def forward(self, x):
        return x * self.excite(self.squeeze(x.mean((2, 3)))).sigmoid()[:, :, None, None]


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv, self.se = nn.Conv2d(width, width, 3, padding=1, bias=False), SE(width)

    def forward(self, x):
        return x + self.se(self.conv(x))


class Branching(nn.Module):
    '''Runs on real tensors alone: it looks at a value.'''

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(self.a(x)) if self.a.weight.sum().item() > -1e9 else x


def net(width=8):
    return nn.Sequential(nn.Conv2d(3, width, 3, 2, padding=1), Block(width), Block(width), nn.Conv2d(width, 5, 1))


def separable(old, bias=False):
    k, n = old.kernel_size, old.in_channels
    depthwise = nn.Conv2d(n, n, k, old.stride, old.padding, groups=n, bias=bias)
    return nn.Sequential(depthwise, nn.Conv2d(n, old.out_channels, 1, bias=bias))


def nothing(old):
    return None


INSTANCE = nn.ReLU()
"""
NET = ("nets.py:net", "--input", "1x3x8x8")
PIXELS = 4 * 4


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


# Against models that are built by hand --------------------------------------------------------------------------------

IMAGE = (1, 3, 224, 224)
BLOCKS = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}
SHAPES = {
    "layer2.0": "in 1x64x56x56, out 1x128x28x28",
    "layer3.0": "in 1x128x28x28, out 1x256x14x14",
    "layer4.0": "in 1x256x14x14, out 1x512x7x7",
}


def without_block(path: str) -> nn.Module:
    with torch.device("meta"):
        model = resnet34()
    layer, _, position = path.partition(".")
    getattr(model, layer)[int(position)] = nn.Identity()
    return model


def test_each_block_of_resnet34() -> None:
    found = ablate("resnet34", each="layer*.*")
    paths = [f"{layer}.{i}" for layer, blocks in BLOCKS.items() for i in range(blocks)]
    assert [entry.label for entry in found] == ["resnet34", *(f"without {path}" for path in paths)]
    for path, entry in zip(paths, found.entries[1:], strict=True):
        if path in SHAPES:
            assert (entry.profile, entry.failure) == (None, f"cannot be left out: {SHAPES[path]}")
        else:
            assert entry.totals == profile(without_block(path), IMAGE).totals
    assert found.entries[0].totals == profile("resnet34").totals


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A block of two 3x3 convolutions with their batch norms."""
    status, out, err = run(capsys, "ablate", "resnet34", "--each", "layer*.*")
    assert (status, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("without layer")]
    assert len(lines) == sum(BLOCKS.values())
    assert lines[1].split()[2:4] == [f"{21_797_672 - 2 * (64 * 64 * 9 + 2 * 64):,}", f"{-2 * (64 * 64 * 9 + 2 * 64):,}"]
    assert f"without layer2.0  failed: cannot be left out: {SHAPES['layer2.0']}" in lines


# Products -------------------------------------------------------------------------------------------------------------


def se(width: int = 8) -> int:
    return 2 * width + 2 + 2 * width + width


def params(width: int = 8, with_se: bool = True) -> int:
    blocks = 2 * (3 * 3 * width * width + (se(width) if with_se else 0))
    return (3 * 3 * 3 + 1) * width + blocks + (width + 1) * 5


def test_squeeze_and_excitation(capsys: pytest.CaptureFixture[str]) -> None:
    table = rows(capsys, "ablate", *NET, "--without", "*.se", "--without", "SE", "--each", "*.se")
    assert [row["model"] for row in table] == [
        "nets.py:net", "without *.se", "without SE", "without 1.se", "without 2.se",
    ]  # fmt: skip
    assert [int(row["params"]) for row in table] == [
        params(), params(with_se=False), params(with_se=False), params() - se(), params() - se(),
    ]  # fmt: skip
    assert [int(row["diff_params"]) for row in table] == [0, -2 * se(), -2 * se(), -se(), -se()]
    assert [int(row["diff_macs"]) for row in table] == [0, *(-n * 2 * 2 * 8 for n in (2, 2, 1, 1))]


def test_depthwise_separable(capsys: pytest.CaptureFixture[str]) -> None:
    """Against an ordinary convolution it takes 1/Cout + 1/k² of the MACs (Howard et al. 2017, arXiv:1704.04861)."""
    for text, bias in (("nets.py:separable", 0), ("nets.py:separable(bias=True)", 8 + 8)):
        argv = ("ablate", *NET, "--replace", f"*.conv={text}")
        before, after = rows(capsys, *argv)
        assert after["model"] == f"*.conv = {text}"
        saved = 2 * (3 * 3 * 8 * 8 - (3 * 3 * 8 + 8 * 8))
        assert int(after["diff_macs"]) == -saved * PIXELS
        assert int(after["params"]) == int(before["params"]) - saved + 2 * bias


@pytest.mark.parametrize(
    ("replacement", "added"),
    [
        ("*.conv=Conv2d(8, 8, 1)", -2 * 3 * 3 * 8 * 8 + 2 * (8 * 8 + 8)),
        ("*.conv=Conv2d(8,8,kernel_size=1,bias=False)", 2 * (1 - 3 * 3) * 8 * 8),
        ("*.conv=Identity", -2 * 3 * 3 * 8 * 8),
        ("*.se = torch.nn:Conv2d(in_channels=8, out_channels=8, kernel_size=1)", 2 * (8 * 8 + 8 - (4 * 8 + 2 + 8))),
        ("0=nets.py:net(width=8)", None),
    ],
)
def test_other_layers(replacement: str, added: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "ablate", *NET, "--replace", replacement, "--format", "json")
    _, changed = json.loads(out)
    if added is None:
        assert status == 2
        assert changed["totals"] is None
        assert "RuntimeError: Given groups=1" in changed["error"]
    else:
        assert (status, changed["totals"]["params"]) == (0, params() + added)


def test_patterns_of_one_variant_and_of_several(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("--without", "1, 2", "--without", "1", "--without", "2", "--without", "1,1.*,*.se", "--each", "Block")
    table = rows(capsys, "ablate", *NET, *argv)
    block = 3 * 3 * 8 * 8 + se()
    expected = {
        "without 1, 2": -2 * block,
        "without 1": -block,
        "without 2": -block,  # also one of `--each`, and a row all the same once
        "without 1, 1.*, *.se": -block - se(),
    }
    assert {row["model"]: int(row["diff_params"]) for row in table[1:]} == expected


# What can be left out -------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self, need_weights: bool) -> None:
        super().__init__()
        self.mha, self.need_weights = nn.MultiheadAttention(8, 2, batch_first=True), need_weights

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.mha(query=x, key=x, value=x, need_weights=self.need_weights)
        return x + y


class Calls(nn.Module):
    """What `function` makes of the layers `a` and `b`."""

    def __init__(self, function: Callable[[Any, torch.Tensor], Any], a: nn.Module, b: nn.Module | None = None) -> None:
        super().__init__()
        self.function, self.a = function, a
        if b is not None:
            self.b = b

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


SHARED = nn.Linear(8, 8)
REMOVED: dict[str, tuple[nn.Module, str, str | None]] = {
    "attention that returns no weights": (Attention(False), "mha", None),
    "attention that returns its weights": (Attention(True), "mha", "in 1x5x8, out 1x5x8, 1x5x5"),
    "a recurrent layer": (nn.Sequential(nn.LSTM(8, 8)), "0", "in 1x5x8, out 1x5x8, 1x5x8, 1x5x8"),
    "a cast": (Calls(lambda m, x: m.a(x.long()), nn.Embedding(9, 8)), "a", "in 1x5x8, out 1x5x8x8"),
    "another dtype": (
        Calls(lambda m, x: m.a(x), Calls(lambda m, x: x.half(), nn.ReLU())), "a",
        "in 1x5x8:float32, out 1x5x8:float16",
    ),
    "two calls, one of which changes the shape": (
        Calls(lambda m, x: (m.a(x[0]), m.a(x)), Calls(lambda m, x: x.reshape(-1)[:8].expand(5, 8), nn.ReLU())), "a",
        "in 1x5x8, out 5x8",
    ),
    "no tensor": (
        Calls(lambda m, x: (x, m.a(3)), Calls(lambda m, x: None, nn.ReLU())), "a", "in no tensor, out no tensor",
    ),
    "a scalar": (Calls(lambda m, x: m.a(x), Calls(lambda m, x: x.sum(), nn.ReLU())), "a", "in 1x5x8, out a scalar"),
    "never called": (Calls(lambda m, x: m.a(x), nn.ReLU(), nn.Linear(8, 8)), "b", None),
    "a tuple of two": (Calls(lambda m, x: m.a((x, x))[0], Calls(lambda m, x: (x[1], x[0]), nn.ReLU())), "a", None),
    "a tuple of one": (Calls(lambda m, x: m.a(x)[0], Calls(lambda m, x: (x * 2,), nn.ReLU())), "a", None),
    "a tuple, and none": (
        Calls(
            lambda m, x: m.a(m.a(x, 1)[0], 0),
            Calls(None, nn.ReLU()),  # type: ignore[arg-type]
        ), "a", "it returns a tuple in one call, and none or a longer one in another",
    ),
    "used, not called": (
        Calls(lambda m, x: nn.functional.linear(x, m.a.weight), nn.Linear(8, 8)), "a",
        "AttributeError: 'Identity' object has no attribute 'weight'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REMOVED)
def test_a_layer_is_left_out_where_it_returns_what_it_takes(name: str) -> None:
    model, path, reason = REMOVED[name]
    if name == "a tuple, and none":
        model.a.forward = lambda x, flag: (x, None) if flag else x  # type: ignore[union-attr]
    found = ablate(model, (1, 5, 8), without=path)
    _, entry = found.entries
    if reason is None:
        assert entry.failure is None
        assert not any(layer.path.startswith(f"{path}.") for layer in entry.profile.layers)  # type: ignore[union-attr]
    else:
        assert reason in str(entry.failure)
        assert [str(error).startswith(f"without {path}: ") for error in found.failures] == [True]


def test_shared_layers_go_together() -> None:
    model = nn.Sequential(SHARED, nn.ReLU(), SHARED, nn.Linear(8, 8))
    found = ablate(model, (1, 8), each="*", replace={"2": nn.Tanh})
    assert [entry.label for entry in found] == [
        "Sequential", "2 = Tanh", "without 0", "without 1", "without 3",
    ]  # fmt: skip
    one = 8 * 8
    assert [entry.totals.macs for entry in found] == [3 * one, one, one, 3 * one, 2 * one]
    assert [entry.totals.params for entry in found] == [2 * (one + 8), one + 8, one + 8, 2 * (one + 8), one + 8]


def test_a_list_of_modules_stands_for_what_is_in_it() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([nn.ModuleList([nn.Linear(8, 8), nn.ReLU()]), nn.Linear(8, 8)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in [*self.blocks[0], self.blocks[1]]:  # type: ignore[misc]
                x = layer(x)
            return x

    found = ablate(Net(), (1, 8), without="blocks", each=["blocks", "blocks.0"])
    expected = {"Net": 2, "without blocks": 0, "without blocks.0.0": 1, "without blocks.0.1": 2, "without blocks.1": 1}
    assert {entry.label: entry.totals.macs // 64 for entry in found} == expected


def test_outermost() -> None:
    assert outermost(["a.b", "a", "ab", "a.b.c", "c.d"]) == ["a", "ab", "c.d"]
    modules = [Module("", ("x.Net",), ()), Module("a", ("x.A",), ()), Module("a.b", ("x.B",), ())]
    assert layers_to_change(modules, "*", "net") == ["a"]
    assert layers_to_change(modules, "[AB]", "net") == ["a"]
    assert layers_to_change(modules, "B", "net") == ["a.b"]


# How they are run -----------------------------------------------------------------------------------------------------


def test_in_training(capsys: pytest.CaptureFixture[str]) -> None:
    """What is frozen has no gradient to be kept, and what is left out has none either."""
    argv = ("--training", "--freeze", "0", "--optimizer", "sgd", "--batch", "2", "--columns", "model,trainable,memory")
    base, changed = rows(capsys, "ablate", *NET, "--without", "*.se", *argv)
    head = (3 * 3 * 3 + 1) * 8
    assert [int(row["trainable"]) for row in (base, changed)] == [params() - head, params(with_se=False) - head]
    assert int(changed["memory_bytes"]) < int(base["memory_bytes"])


def test_a_new_layer_has_the_dtype_of_the_old(capsys: pytest.CaptureFixture[str]) -> None:
    half = ("--dtype", "bfloat16", "--columns", "model,params,size")
    _, changed = rows(capsys, "ablate", *NET, "--replace", "*.conv=Conv2d(8, 8, 1)", *half)
    assert int(changed["size_bytes"]) == 2 * int(changed["params"])
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).to(torch.float64)
    found = ablate(model, "1x8:float64", replace={"0": "Linear(8, 8, bias=False)", "1": "PReLU"})
    assert [entry.totals.param_bytes for entry in found] == [8 * (64 + 8), 8 * 64, 8 * (64 + 8 + 1)]


def test_where_a_model_runs_on_real_tensors_alone(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("--without", "b", "--replace", "b=Linear(4, 7)", "--input", "2x4", "--format", "json")
    status, out, err = run(capsys, "ablate", "nets.py:Branching", *argv)
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert [entry["engine"] for entry in found] == ["cpu"] * 3
    assert [entry["totals"]["macs"] for entry in found] == [2 * 4 * (4 + 4), 2 * 4 * 4, 2 * 4 * (4 + 7)]


def test_on_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    base, changed = rows(capsys, "ablate", *NET, "--without", "1", "--device", "h100-sxm", "--columns", "model,time")
    assert (
        0
        < float(next(v for k, v in changed.items() if "time" in k))
        < float(next(v for k, v in base.items() if "time" in k))
    )


UNKNOWN = """
import torch
from torch import nn

@torch.library.custom_op("ablated::double", mutates_args=())
def double(x: torch.Tensor) -> torch.Tensor:
    return x * 2

@double.register_fake
def _(x):
    return torch.empty_like(x)

class Double(nn.Module):
    def forward(self, x): return double(x)

def net(): return nn.Sequential(nn.Linear(4, 4), Double(), nn.Linear(4, 4))
"""


def test_what_is_not_counted_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.py").write_text(UNKNOWN)
    status, out, err = run(capsys, "ablate", "odd.py:net", "--input", "1x4", "--each", "*", "--strict")
    assert (status, err.count("\n")) == (1, 1)
    assert "without 1" in out
    assert "ablated.double.default ×1" in err


def test_limits(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("ablate", *NET, "--without", "*.se", "--max-params")
    assert run(capsys, *argv, str(params()))[0] == 0
    status, _, err = run(capsys, *argv, str(params() - 1))
    assert (status, err.count("\n")) == (1, 1)
    assert run(capsys, *argv, str(params(with_se=False) - 1))[2].count("\n") == 2


# How they are shown ---------------------------------------------------------------------------------------------------


def test_metrics_labels_and_a_table_for_a_paper(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "results.csv").write_text("variant,accuracy\nnets.py:net,91.4\nwithout *.se,90.10\nblock,7\n")
    argv = ("ablate", *NET, "--without", "*.se", "--each", "2", "--metrics", "results.csv", "--bold", "params,accuracy")
    labels = ("--label", "nets.py:net", "--label", "no SE & co", "--label", "block")
    status, out, err = run(
        capsys, *argv, *labels, "--caption", "Cost", "--tex-label", "tab:a", "--columns", "model,params,accuracy",
        "--format", "latex",
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert r"no SE \& co" in out
    assert r"\caption{Cost}" in out
    assert r"\label{tab:a}" in out
    assert r"\textbf{91.40}" in out or r"\textbf{91.4}" in out
    status, out, _ = run(capsys, *argv, "--format", "markdown")
    assert "| without \\*.se" in out
    assert "90.10" in out


def test_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("--without", "0", "--without", "*.se", "--replace", "*.conv=Identity", "--format", "json")
    status, out, err = run(capsys, "ablate", *NET, *argv)
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert [entry["variant"] for entry in found] == [
        None,
        {"name": "without 0", "layers": ["0"], "replaced_by": None},
        {"name": "without *.se", "layers": ["1.se", "2.se"], "replaced_by": None},
        {"name": "*.conv = Identity", "layers": ["1.conv", "2.conv"], "replaced_by": "Identity"},
    ]
    assert {entry["model"] for entry in found if entry["totals"]} == {"nets.py:net"}
    assert found[1]["error"] == "cannot be left out: in 1x3x8x8, out 1x8x4x4"
    assert all("convention" in entry for entry in found)


@pytest.mark.parametrize("format", ["text", "csv", "html", "github", "latex"])
def test_in_every_format(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "ablate", *NET, "--without", "0", "--without", "1", "--format", format)
    assert status == 0
    assert "without 1" in out


HOSTILE = ("a|b", "50%_#&$", "<b>'", "\x1b[31m", "=1+1", "a,b", "[*]", "--x", "two\nlines", "网络")


@pytest.mark.parametrize("format", ["text", "csv", "json", "markdown", "html", "latex", "github"])
def test_names_of_layers_are_escaped(format: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.py").write_text(
        "from collections import OrderedDict\nfrom torch import nn\n"
        f"def net(): return nn.Sequential(OrderedDict((name, nn.Linear(4, 4)) for name in {HOSTILE!r}))\n"
    )
    status, out, err = run(capsys, "ablate", "odd.py:net", "--input", "1x4", "--each", "*", "--format", format)
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    if format == "json":
        assert [entry["variant"]["layers"] for entry in json.loads(out)[1:]] == [[name] for name in HOSTILE]
    if format in ("html", "github"):
        assert "<b>'" not in out


def test_sorted_and_relative_to_another(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("--each", "*", "--sort", "params", "--relative-to", "without 1", "--columns", "model,params,rel_params")
    table = rows(capsys, "ablate", *NET, *argv)
    assert [row["model"] for row in table][:1] == ["nets.py:net"]
    assert {row["rel_params"] for row in table if row["model"] in ("without 1", "without 2")} == {"1.0"}


# What is refused ------------------------------------------------------------------------------------------------------

REFUSED = {
    (): "nothing is to be left out or replaced",
    (
        "--without",
        "3.se",
    ): "no layer of nets.py:net has a path or class that matches '3.se'; did you mean 2.se, 1.se, SE?",
    ("--without", "zzzzzz"): "see them with profile-model MODEL --columns path",
    ("--without", "["): "matches '['",
    ("--without", ""): "matches ''",
    ("--each", "a\nb\x1b[0m"): r"matches 'a\nb\x1b[0m'",
    ("--each", "(" * 300): "no layer of",
    ("--replace", "bn1"): "write PATTERN=LAYER",
    ("--replace", "=Identity"): "write PATTERN=LAYER",
    ("--replace", "1="): "write PATTERN=LAYER",
    ("--replace", "1=Conv2D(1)"): "torch.nn has no layer 'Conv2D'; did you mean Conv2d",
    ("--replace", "1=Module(open('x'))"): "arguments are literals",
    ("--replace", "1=Conv2d(8)"): "Conv2d(8) cannot be built (TypeError: missing a required argument: 'out_channels')",
    ("--replace", "1=functional"): "torch.nn has no layer 'functional'",
    ("--replace", "1=nets.py:SEE"): "nothing is called 'SEE' in nets.py; did you mean SE, separable?",
    ("--replace", "1=nets.py:nothing"): "nets.py:nothing is of type NoneType",
    ("--replace", "1=nets.py:INSTANCE"): "nets.py:INSTANCE is of type ReLU, and makes no layer",
    ("--replace", "1=gone.py:f"): "gone.py is not a file",
    ("--without", "1", "--label", "a"): "--label is given 1 time for 2 models",
    (
        "--without",
        "1",
        "--relative-to",
        "1",
    ): "--relative-to 1: no row is called so; choose from nets.py:net, without 1",
    ("--without", "1", "--columns", "diff"): "no column is called 'diff'",
    ("--without", "0"): "without 0: cannot be left out: in 1x3x8x8, out 1x8x4x4",
    ("--without", "*"): "without *: cannot be left out: 0: in 1x3x8x8, out 1x8x4x4; 3: in 1x8x4x4, out 1x5x4x4",
}


@pytest.mark.parametrize("argv", REFUSED, ids=str)
def test_it_is_one_line(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "ablate", *NET, *argv)
    assert (status, err.count("\n")) == (2, 1)
    assert REFUSED[argv] in err


def test_records_have_no_layers_to_leave_out(capsys: pytest.CaptureFixture[str]) -> None:
    profile("nets.py:net", (1, 3, 8, 8)).save("saved.json")
    status, _, err = run(capsys, "ablate", "saved.json", "--without", "1")
    assert (status, err.count("\n")) == (2, 1)
    assert "saved.json holds no code that could be run with other layers" in err
    exported = torch.export.export(nn.Sequential(nn.Linear(2, 2)), (torch.ones(1, 2),))
    torch.export.save(exported, "net.pt2")
    assert "net.pt2 holds no code" in run(capsys, "ablate", "net.pt2", "--without", "0")[2]


# The model comes back -------------------------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.alias, self.head = self.blocks[0], nn.Linear(8, 3)
        self.blocks[1].register_forward_hook(lambda *_: None)
        self.blocks[0].weight.grad = torch.ones(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(x))


@pytest.mark.parametrize("train", [False, True])
def test_a_live_model_is_untouched(train: bool) -> None:
    model = Net()
    made = [nn.GELU(), nn.Linear(8, 3, bias=False)]
    before = Fingerprint(model, {})
    found = ablate(
        model, (2, 8), each=["blocks.*", "head"], train=train,
        replace={"head": "Linear(9, 3)", "blocks.2": made[0], "alias": lambda old: old, "*": lambda: made[1]},
    )  # fmt: skip
    assert before.differences(Fingerprint(model, {})) == []
    assert [entry.failure is None for entry in found] == [True, False, True, True, False, True, True, True, False]


def test_contexts() -> None:
    model, by_hand = Net(), Net()
    by_hand.blocks[1], by_hand.blocks[2] = nn.Identity(), nn.Identity()
    before = Fingerprint(model, {})
    with profiler.without(model, "blocks.1", "ReLU") as changed:
        assert changed is model
        assert profile(model, (2, 8)).totals == profile(by_hand, (2, 8)).totals
    with suppress(ZeroDivisionError), profiler.replaced(model, "head", "Linear(8, 1)"):
        assert model.head.out_features == 1
        _ = 1 / 0
    assert before.differences(Fingerprint(model, {})) == []
    says = r"no layer of Net has a path or class that matches 'blocks\.9'"
    with pytest.raises(ProfileError, match=says), profiler.without(model, "blocks.9"):
        pass


@pytest.mark.parametrize("by", [3, None, "Linear(", "nets.py", lambda: 1, nn.Linear])
def test_what_makes_no_layer(by: Any) -> None:
    with pytest.raises(ProfileError), profiler.replaced(Net(), "head", by):
        pass
