"""`cross-check`, `which` and `cross_check`: the command and Python, with counters that are really run."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from profiler import Profile, cross_check, errors, profile
from profiler.answers.cross_check.compute import NotRun
from profiler.answers.which.compute import Number, candidates, number, search
from profiler.cli.main import main
from profiler.counters import conventions
from profiler.counters.replay.rules import Rule
from profiler.counters.tools import fvcore
from tests.shell import run

SIDE = 16
MODEL = """
from torch import nn

def net(width=8):
    stem = nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width)
    return nn.Sequential(*stem, nn.Flatten(), nn.Linear(width * 16 * 16, 5))
"""
CONV, NORM, HEAD = 8 * SIDE * SIDE * 3 * 3 * 3, 8 * SIDE * SIDE, 8 * SIDE * SIDE * 5


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "nets.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return "nets.py:net"


# Cross-check ----------------------------------------------------------------------------------------------------------


def test_the_command(capsys: pytest.CaptureFixture[str], net: str) -> None:
    status, out, err = run(capsys, "cross-check", net, "--input", f"1x3x{SIDE}x{SIDE}", "--format", "json")
    assert (status, err) == (0, "")
    by_fvcore, by_thop = json.loads(out)
    assert (by_fvcore["tool"], by_thop["tool"]) == ("fvcore", "thop")
    assert by_fvcore["operations"]["reported"] == CONV + HEAD + 2 * NORM
    assert by_thop["operations"]["reported"] == CONV + HEAD + 4 * NORM
    assert by_fvcore["parameters"]["reported"] == 3 * 3 * 3 * 8 + 8 + 2 * 8 + 8 * SIDE * SIDE * 5 + 5
    assert by_fvcore["closes"]
    assert by_thop["closes"]


def test_a_wrong_formula_fails_the_command_and_names_the_layer(
    capsys: pytest.CaptureFixture[str], net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counter runs for real, in another process; ours is wrong in this one."""
    monkeypatch.setitem(fvcore._RULES, "aten.batch_norm", Rule("batch norm", lambda op: 3 * NORM, "3 a head"))
    status, out, err = run(capsys, "cross-check", net, "--with", "fvcore", "--input", f"1x3x{SIDE}x{SIDE}")
    assert status == 1
    assert f"{-NORM} of the operations by fvcore are not explained, in 1;" in err
    assert f"{2 * NORM:,} for {3 * NORM:,} by its convention, in 1" in out


def test_several_models_one_of_which_fails(capsys: pytest.CaptureFixture[str], net: str) -> None:
    shape = ("--input", f"2x3x{SIDE}x{SIDE}")
    status, out, err = run(capsys, "cross-check", net, "nets.py:nothing", "--with", "torch", "-o", "out.csv", *shape)
    assert (status, out) == (2, "")
    assert "nothing" in err
    rows = list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    assert {row["model"] for row in rows} == {net}
    (reported,) = (row["amount"] for row in rows if (row["figure"], row["line"]) == ("operations", "reported"))
    assert int(reported) == 2 * 2 * (CONV + HEAD)


def test_python_takes_a_live_model_and_leaves_it_alone() -> None:
    class Here(nn.Module):
        """A class that only this test knows."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(6, 4)

        def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return self.inner(x) * scale

    model = Here()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    check = cross_check(model, ("3x6", torch.ones(4)), tools=["torch"])
    assert check.closes
    assert check["torch"].operations is not None
    assert check["torch"].operations.reported == 2 * 3 * 6 * 4
    assert check.layers("torch") == {"": 0, "inner": 2 * 3 * 6 * 4}
    assert all(torch.equal(model.state_dict()[name], value) for name, value in state.items())
    assert model.training
    assert "not explained" in str(check)


def test_the_tools_may_be_one_text_and_have_to_be_known(net: str) -> None:
    check = cross_check(nn.Linear(3, 2), "1x3", tools="torch")
    assert check["torch"].closes
    with pytest.raises(NotRun, match="thop was not run; this check has torch"):
        check.layers("thop")
    with pytest.raises(errors.ProfileError):
        cross_check(nn.Linear(3, 2), "1x3", tools=[])
    with pytest.raises(errors.ProfileError):
        cross_check(nn.Linear(3, 2), "1x3", tools="fvcore,keras")


def test_a_closed_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `profile-model saved.json >&-` leaves it."""
    path = tmp_path / "saved.json"
    profile(nn.Linear(3, 4), (1, 3)).save(path)
    monkeypatch.setattr(sys, "stdout", None)
    assert main([str(path)]) == 0


@pytest.mark.parametrize("layers", [1, 2000], ids=["a short table", "more than a pipe holds"])
def test_a_reader_that_goes_away(tmp_path: Path, layers: int) -> None:
    """As in `profile-model saved.json | true`: no traceback, and not the status of a check that passed."""
    path = tmp_path / "saved.json"
    profile(nn.Sequential(*(nn.Linear(3, 3) for _ in range(layers))), (1, 3)).save(path)
    with subprocess.Popen(
        [sys.executable, "-m", "profiler", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


REFUSED = {
    "tools, one unknown": (("cross-check", "resnet18", "--with", "fvcore,torhc"), "no counter is called 'torhc'"),
    "a tool nearly": (("cross-check", "resnet18", "--with", "fvcor"), "no counter is called 'fvcor'"),
    "no such tool": (("cross-check", "resnet18", "--with", "keras"), "no counter is called 'keras'"),
    "a limit alone": (("resnet18", "--time-limit", "3"), "Unknown option: --time-limit"),
    "verbose alone": (("resnet18", "--verbose"), "Unknown option: --verbose"),
    "columns": (("cross-check", "resnet18", "--columns", "macs"), "Unknown option: --columns"),
    "convention": (("cross-check", "resnet18", "--convention", "thop"), "Unknown option: --convention"),
    "which": (("cross-check", "resnet18", "--which", "4G"), "see profile-model which NUMBER [MODELS...]"),
    "depth": (("which", "4G", "resnet18", "--depth", "2"), "Unknown option: --depth"),
    "no number": (("which", "many", "resnet18"), "which many: not a number"),
    "a negative number": (("which", "-4G", "resnet18"), "which -4G: not a number"),
    "no such convention": (("resnet18", "--convention", "keras"), "no convention is called 'keras'"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_refusals(capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str) -> None:
    status, out, err = run(capsys, *options)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_saved_trace_cannot_be_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    profile(nn.Linear(3, 4), (1, 3)).save(path)
    status, out, err = run(capsys, "cross-check", str(path))
    assert (status, out) == (2, "")
    assert "name the model itself" in err


# Conventions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", conventions.names())
def test_a_convention_holds_for_layers_and_totals(name: str) -> None:
    """Layers are whole numbers, so a convention that divides by the batch may lose a part of one in each."""
    found = profile("resnet18").under(name)
    assert found.totals.flops == found.layers[0].flops == sum(layer.own_flops for layer in found.layers)
    assert found.convention.name == name
    assert found.totals.macs == 1_814_073_344
    assert json.loads(found.to_json())["convention"] == name
    assert f"\nConvention {name}." in str(found)
    assert f"{name}: {found.convention.says}" in found.to_markdown(notes="full").replace("\\", "")


@pytest.mark.parametrize("name", conventions.names())
def test_a_saved_trace_says_the_same(name: str, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))
    found = profile(model, (2, 3, 8, 8), convention=name)
    found.save(tmp_path / "saved.json")
    again = Profile.load(tmp_path / "saved.json").under(name)
    assert [layer.own_flops for layer in again.layers] == [layer.own_flops for layer in found.layers]


# Which one did they use? ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("4.09G", 4_085_000_000, 4_095_000_000),
        ("4.1 GFLOPs", 4_050_000_000, 4_150_000_000),
        ("4G", 3_500_000_000, 4_500_000_000),
        ("3664M", 3_663_500_000, 3_664_500_000),
        ("300.8MMACs", 300_750_000, 300_850_000),
        ("1234", 1233.5, 1234.5),
        ("4,089,184,256", 4_089_184_255.5, 4_089_184_256.5),
        ("4.1e9", 4_050_000_000, 4_150_000_000),
        ("0.3 gmac", 250_000_000, 350_000_000),
        ("11.69MParams", 11_685_000, 11_695_000),
        ("0.56k", 555, 565),
    ],
)
def test_a_number_is_as_exact_as_it_is_written(text: str, least: float, most: float) -> None:
    assert (float(number(text).least), float(number(text).most)) == (least, most)


@pytest.mark.parametrize(
    "text", ["", "G", "4,09G", "1e999", "4.09X", "0", "0.0G", "1,2,3", "4..1G", "inf", "nan", "-1", "4 G G"]
)
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(errors.ProfileError):
        number(text)


def test_which(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "which", "4.09G", "resnet50", "--format", "json")
    assert (status, err) == (0, "")
    found = {row["counts"]: row for row in json.loads(out)["rows"]}
    assert found["macs"]["value"] == 4_089_184_256
    assert found["ptflops-aten"]["value"] == 4_089_184_256 + 1000
    assert found["macs"]["input"] == [[1, 3, 224, 224]]
    assert not {"fvcore", "thop", "flops"} & set(found)


def test_which_tries_sizes_and_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert "1×3×288×288" in run(capsys, "which", "6.8G", "resnet50")[1]
    assert "parameters" in run(capsys, "which", "25.6M", "resnet50")[1]


def test_which_leaves_out_sizes_that_the_model_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    name = "timm:vit_tiny_patch16_224"
    status, out, _ = run(capsys, "which", "1.25G", name)
    assert status == 0
    assert out.count("1×3×224×224") == out.count(name) > 0


def test_which_says_that_nothing_fits(capsys: pytest.CaptureFixture[str], net: str) -> None:
    status, out, err = run(capsys, "which", "999T", net, "--input", f"1x3x{SIDE}x{SIDE}")
    assert status == 1
    assert "nothing is 999T; these are the nearest" in out
    assert "no convention gives 999T" in err


def test_the_nearest_come_first(net: str) -> None:
    from profiler.records.inputs import TensorSpec
    from profiler.records.spec import Feed

    figures = candidates(net, Feed((TensorSpec((1, 3, SIDE, SIDE)),)))
    found = search("net", Number("1", number("1").least, number("1").most), figures).candidates
    assert [abs(one.value - 1) for one in found] == sorted(abs(one.value - 1) for one in found)
