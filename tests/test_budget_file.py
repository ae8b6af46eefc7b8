"""Budgets on the command line: limits on any run, `check` with a file, and `check --init`."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path

import pytest

from profiler import errors
from profiler.answers.check import file as budget_file
from profiler.answers.check import init as budget_init
from profiler.answers.check.file import Budgeted
from profiler.cli.main import main
from profiler.cli.progress import with_progress
from profiler.records import inputs
from profiler.records.files import writing
from profiler.records.spec import Feed
from tests.test_imports import COMMAND, loaded

MODEL = """
import torch
from torch import nn

def net(width=8):
    print("somebody prints")
    return nn.Sequential(nn.Linear(16, width), nn.ReLU(), nn.Linear(width, 4, bias=False))

def raises():
    raise RuntimeError("no model today")

@torch.library.custom_op("budget_file_test::odd_op", mutates_args=())
def odd_op(x: torch.Tensor) -> torch.Tensor:
    return x.clone()

@odd_op.register_fake
def _(x):
    return torch.empty_like(x)

class Odd(nn.Linear):
    def forward(self, x):
        return odd_op(super().forward(x))
"""
SHAPE = "2x16"


def params(width: int = 8) -> int:
    return 16 * width + width + width * 4


def macs(width: int = 8, batch: int = 2) -> int:
    return batch * (16 * width + width * 4)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    status = main(argv)
    out, err = capsys.readouterr()
    return status, out, err.replace("somebody prints\n", "")


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.split("\n\n", maxsplit=1)[0].splitlines()[2:]]


NET = ("nets.py:net", "--input", SHAPE)


# On any run -----------------------------------------------------------------------------------------------------------


def test_the_promise_of_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    """resnet34 has 21,797,672 parameters of 4 bytes; its largest layers are 3x3 convolutions of 512 channels."""
    status, out, err = run(capsys, "resnet34", "--depth", "0", "--max-size", "80MB")
    assert status == 1
    assert out.startswith("Layer ")
    layers = ", ".join(f"layer4.{path} (9.00 MB, 10.8 %)" for path in ("0.conv2", "1.conv1", "1.conv2"))
    assert 3 * 3 * 512 * 512 * 4 == 9 * 1024 * 1024
    assert err == (
        f"profile-model: resnet34, size: 83.15 MB against 80 MB (--max-size), 3.15 MB over; most is in {layers}\n"
    )
    assert run(capsys, "resnet34", "--depth", "0", "--max-size", "84MB")[::2] == (0, "")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-params", params()),
        ("--max-trainable", params()),
        ("--max-size", 4 * params()),
        ("--max-macs", macs()),
        ("--max-flops", 2 * macs() + 2 * 8),
        ("--max-activations", 4 * 2 * (8 + 8 + 4)),
        ("--max-peak-memory", 4 * (params() + 2 * 16) + 4 * 2 * (8 + 8)),
    ],
)
def test_each_option_at_its_edge(capsys: pytest.CaptureFixture[str], option: str, value: int) -> None:
    unit = "B" if option in ("--max-size", "--max-activations", "--max-peak-memory") else ""
    assert run(capsys, *NET, option, f"{value}{unit}")[::2] == (0, "")
    status, _, err = run(capsys, *NET, option, f"{value - 1}{unit}")
    assert status == 1
    assert f"({option}), 1 " in err
    assert err.count("\n") == 1


def test_every_option_at_once_and_several_models(capsys: pytest.CaptureFixture[str]) -> None:
    limits = ("--max-params", str(params()), "--max-macs", str(macs()))
    status, out, err = run(capsys, *NET, "nets.py:net(width=9)", *limits, "--label", "small", "--label", "wide")
    assert status == 1
    assert [row[0] for row in rows(out)] == ["small", "wide"]
    assert [line.split(":")[1] for line in err.splitlines()] == [" wide, parameters", " wide, MACs"]


def test_a_broken_model_counts_for_more(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, *NET, "nets.py:raises", "--max-params", "1")
    assert status == 2
    assert "no model today" in err
    assert "nets.py:net, parameters" in err


def test_unknown_operators(capsys: pytest.CaptureFixture[str]) -> None:
    odd = ("nets.py:Odd(in_features=16, out_features=4)", "--input", SHAPE)
    assert run(capsys, *odd, "--max-macs", "1G")[0] == 1
    assert "budget_file_test.odd_op.default ×1" in run(capsys, *odd, "--max-macs", "1G")[2]
    assert run(capsys, *odd, "--max-macs", "1G", "--max-unknown", "1")[0] == 0
    assert run(capsys, *odd, "--max-unknown", "0")[0] == 1
    assert run(capsys, *odd, "--max-params", "1G")[0] == 0


def test_a_saved_run_is_held_to_limits_without_torch(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    run(capsys, *NET, "--save", "net.json")
    assert loaded(COMMAND, str(folder / "net.json"), "--max-params", str(params())) == set()
    (folder / budget_file.NAME).write_text(f'[[models]]\nmodel = "net.json"\nmax-params = {params()}\n')
    assert loaded(COMMAND, "check", str(folder / budget_file.NAME)) == set()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("resnet34", "--max-params", "25MB"), "--max-params 25MB: not a whole count; write it like 25M, 1.5G or"),
        (("resnet34", "--max-macs", "4,5G"), "--max-macs 4,5G: not a whole count;"),
        (("resnet34", "--max-unknown", "none"), "--max-unknown none: not a whole count;"),
        (("resnet34", "--max-size", "80"), "--max-size 80: not a size; write it with its unit, like 80MB or 1.5GB"),
        (("resnet34", "--max-peak-memory", "2G"), "--max-peak-memory 2G: not a size;"),
        (("resnet34", "--max-activations", "-1MB"), "--max-activations -1MB: not a size;"),
        (("cross-check", "resnet34", "--max-params", "1"), "Unknown option: --max-params"),
        (("resnet34", "--head-room", "10%"), "Unknown option: --head-room"),
        (("check", "--head-room", "10%"), "--head-room means something with --init alone"),
        (("check", "--init", "resnet34", "--head-room", "0.1"), "--head-room 0.1: not a percentage; write it like 10%"),
        (("check", "--init", "resnet34", "resnet34"), "two models are called 'resnet34'; give each a --label"),
        (("check", "--init"), "no budget file in"),
        (("check",), "no budget file in"),
        (("check", "resnet34"), "resnet34 cannot be read (No such file or directory); name a file that exists"),
        (("check", "a.toml", "b.toml"), "check takes its models from a budget file, FILE.toml, and 'b.toml' is named"),
        (("check", "--max-params", "1"), "Unknown option: --max-params"),
        (("check", "--input", "1x3"), "--input means something with --init alone"),
        (("check", "--trust-remote-code"), "--trust-remote-code means something with --init alone"),
        (("check", "--convention", "thop"), "--convention means something with --init alone"),
        (("check", "nowhere.toml"), "nowhere.toml cannot be read (No such file or directory); name a file that exists"),
    ],
)  # fmt: skip
def test_what_is_refused(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_malformed_limit_costs_no_model() -> None:
    assert loaded("from profiler.cli.main import main\nassert main() == 2", "resnet34", "--max-size", "80") == set()


# A file ---------------------------------------------------------------------------------------------------------------

ENTRY = f'[[models]]\nmodel = "nets.py:net"\ninput = "{SHAPE}"\n'


def test_check(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    wide = ENTRY.replace("nets.py:net", "nets.py:net(width=9)")
    (folder / budget_file.NAME).write_text(
        f'{ENTRY}max-params = {params()}\n\n# wider\n{wide}label = "wide"\nmax-macs = "1k"\nmax-params = {params(9)}\n'
    )
    status, out, err = run(capsys, "check")
    assert (status, err) == (0, "")
    assert [(row[0], row[-1]) for row in rows(out)] == [
        ("nets.py:net", "profile-model.toml:4"), ("wide", "profile-model.toml:11"), ("wide", "profile-model.toml:12"),
    ]  # fmt: skip


def test_over_names_the_line(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / budget_file.NAME).write_text(f'# a\n{ENTRY}\nmax-params = 5\nmax-size = """1kB"""\n')
    status, out, err = run(capsys, "check")
    assert status == 1
    assert err == (
        f"profile-model: nets.py:net, parameters: {params()} against 5 (profile-model.toml:6), {params() - 5} over; "
        f"most is in 0 ({16 * 8 + 8}, 81.0 %), 2 ({8 * 4}, 19.0 %)\n"
    )
    assert [row[-1] for row in rows(out)] == ["profile-model.toml:6", "profile-model.toml:7"]


def test_a_model_is_what_its_keys_say(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / budget_file.NAME).write_text(
        f'{ENTRY}batch = 7\nconvention = "fvcore"\nmax-macs = 1e6\nmax-flops = "1M"\n'
        f'[[models]]\nmodel = "nets.py:net"\nlabel = "five"\ninput = ["5x16"]\n'
        f'max-macs = 1_000_000\nmax-peak-memory = "1MB"\n'
    )
    _, out, _ = run(capsys, "check", "--format", "json")
    first, second = json.loads(out)
    assert [limit["measured"] for limit in first["limits"]] == [macs(batch=7), macs(batch=7)]
    assert second["limits"][0]["measured"] == macs(batch=5)
    assert second["limits"][1]["measured"] == 4 * params() + 4 * 5 * (16 + 8 + 8)


def test_ten_models_of_which_one_is_broken(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    entries = [
        ENTRY.replace("nets.py:net", f"nets.py:net(width={n})") + f"max-params = {params(8)}\n" for n in range(1, 11)
    ]
    entries[3] = f'[[models]]\nmodel = "nets.py:raises"\ninput = "{SHAPE}"\nmax-params = 1\n'
    (folder / budget_file.NAME).write_text("\n".join(entries))
    status, out, err = run(capsys, "check")
    assert status == 2
    assert len(rows(out)) == 10
    assert rows(out)[3][:2] == ["nets.py:raises", "failed:"]
    assert [line for line in err.splitlines() if "over;" in line] == err.splitlines()[1:]
    assert len(err.splitlines()) == 1 + 2  # the broken one, and widths 9 and 10
    assert "no model today" in err.splitlines()[0]


def test_a_bar_shows_how_far_it_is(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    (folder / budget_file.NAME).write_text(f'{ENTRY}max-params = "1G"\n{ENTRY}max-params = 1\nlabel = "tight"\n')
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert main(["check"]) == 1
    assert "nets.py:net" in terminal.getvalue()
    assert "0/2" in terminal.getvalue()
    assert list(with_progress([1], ["one"])) == [1]


@pytest.mark.parametrize("name", ["net.csv", "net.json", "net.md", "net.tex", "net.html", "net.txt"])
def test_the_result_goes_to_a_file(capsys: pytest.CaptureFixture[str], folder: Path, name: str) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "b.toml").write_text(f'[[models]]\nmodel = "../{ENTRY[20:]}max-params = {params()}\n')
    status, out, _ = run(capsys, "check", "deep/b.toml", "-o", name)
    assert (status, out) == (0, "")
    assert str(params()) in (folder / name).read_text()


# Where it is found ----------------------------------------------------------------------------------------------------

PROJECT = ENTRY.replace("[[models]]", "[[tool.profile-model.models]]")


def test_it_is_found_from_below_and_names_files_from_its_own_folder(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "pyproject.toml").write_text(f'[project]\nname = "x"\n\n{PROJECT}max-params = 5\n')
    deep = folder / "src" / "deep"
    deep.mkdir(parents=True)
    (folder / "src" / "pyproject.toml").write_text("[tool.ruff]\n")
    monkeypatch.chdir(deep)
    status, _, err = run(capsys, "check", "-o", "here.txt")
    assert status == 1
    assert f"(../../pyproject.toml:7), {params() - 5} over" in err
    assert (deep / "here.txt").exists()
    assert Path.cwd() == deep
    (folder / "src" / budget_file.NAME).write_text(
        ENTRY.replace("nets.py", "../nets.py") + f"max-params = {params()}\n"
    )
    assert run(capsys, "check")[0] == 0


def test_a_file_of_its_own_goes_before_the_projects(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "pyproject.toml").write_text(f"{PROJECT}max-params = 5\n")
    (folder / budget_file.NAME).write_text(f"{ENTRY}max-params = {params()}\n")
    assert run(capsys, "check")[0] == 0
    assert run(capsys, "check", "pyproject.toml")[0] == 1


# What is wrong with it ------------------------------------------------------------------------------------------------

WRONG = {
    "no models": ("", ": it names no model; add [[models]] and under it"),
    "no limits": (ENTRY, ":2: no limit for 'nets.py:net'; add one, like max-params"),
    "an unknown key": (f'{ENTRY}max-parms = "1M"\n', ":4: no key is called 'max-parms'; did you mean max-params?"),
    "an odd key": (f"{ENTRY}\n\nzzzz = 1\n", ":6: no key is called 'zzzz'; there are model, label,"),
    "a key at the top": (f"models_ = 1\n{ENTRY}", ":1: no key is called 'models_'; did you mean models?"),
    "models as one table": ("\n[models]\nmodel = 1\n", ":2: the key 'models' has to be tables, each under [[models]]"),
    "no name": ('\n[[models]]\nmax-params = "1M"\n', ":2: the key 'model' is missing"),
    "a name that is no text": ("[[models]]\nmodel = 3\n", ":2: the key 'model' has to be a text"),
    "a batch": (f"{ENTRY}batch = 0\n", ":4: the key 'batch' has to be a whole number from 1"),
    "an input": (ENTRY.replace(SHAPE, "3,4"), ":3: input '3,4' is not a shape;"),
    "inputs": (ENTRY.replace(f'"{SHAPE}"', "[1]"), ":3: the key 'input' has to be a text or a list"),
    "a convention": (f'{ENTRY}convention = "mine"\n', ":4: no convention is called 'mine'; choose"),
    "a limit": (f'{ENTRY}# 1\nmax-params = "1MB"\n', ':5: max-params = "1MB": not a whole count; write'),
    "a bare size": (f"{ENTRY}max-size = 80\n", ":4: max-size = 80: not a size; write it with its unit"),
    "a broken number": (f"{ENTRY}max-params = 1.5\n", ":4: max-params = 1.5: not a whole count"),
    "a boolean": (f"{ENTRY}max-params = true\n", ":4: max-params = true: not a whole count"),
    "a list": (f"{ENTRY}max-params = [1]\n", ":4: max-params = [1]: not a whole count"),
    "a negative": (f"{ENTRY}max-unknown = -1\n", ":4: max-unknown = -1: not a whole count"),
    "a label twice": (
        f"{ENTRY}max-params = 1\n\n{ENTRY}max-params = 1\n",
        ":6: a model on line 2 is called 'nets.py:net' as well; give this one a label",
    ),
    "a phase": (f'{ENTRY}phase = "both"\n', ":4: the key 'phase' has to be prefill or decode, and is \"both\""),
    "a trained phase": (f'{ENTRY}phase = "decode"\ntraining = true\n', ":4: a phase is a forward pass, and this model"),
    "a flag": (f'{ENTRY}training = "yes"\n', ":4: the key 'training' has to be true or false, and is \"yes\""),
    "an optimizer": (f'{ENTRY}optimizer = "adamv"\n', ":4: --optimizer adamv: not one of"),
    "a dtype": (f'{ENTRY}dtype = "float3"\n', ":4: 'float3' is not a dtype"),
    "a format": (f'{ENTRY}as = "int3"\nmax-size = "1MB"\n', ":4: no "),
    "a format and no size": (f'{ENTRY}as = "int8"\nmax-params = 1\n', ":4: the key 'as' is about max-size; add that"),
    "not TOML": (f"{ENTRY}max-params =\n", ":4: Invalid value (at line 4, column 13); mend the file, or write it anew"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_wrong(capsys: pytest.CaptureFixture[str], folder: Path, text: str, says: str) -> None:
    (folder / budget_file.NAME).write_text(text)
    status, out, err = run(capsys, "check")
    assert (status, out) == (2, "")
    assert err.startswith(f"profile-model: profile-model.toml{says}"), err
    assert err.count("\n") == 1


def test_other_files_that_are_wrong(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[project]\n")
    assert (
        "pyproject.toml: it has no [tool.profile-model]; add [[tool.profile-model.models]]"
        in run(capsys, "check", "pyproject.toml")[2]
    )
    (folder / "latin.toml").write_bytes("# é".encode("latin-1"))
    refused = run(capsys, "check", "latin.toml")[2]
    assert "latin.toml: it is not UTF-8" in refused
    assert "mend the file, or write it anew" in refused
    (folder / "pyproject.toml").write_text("[project\n")
    status, _, err = run(capsys, "check")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("profile-model: pyproject.toml:1: ")


# Limits are written ---------------------------------------------------------------------------------------------------


def written(folder: Path, name: str = budget_file.NAME) -> dict[str, object]:
    return tomllib.loads((folder / name).read_text())


def test_init_and_then_check_passes(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    status, out, err = run(
        capsys, "check", "--init", "nets.py:net(width=100)", "--input", SHAPE, "--label", 'the "best"'
    )
    assert (status, err) == (0, "")
    peak = 4 * params(100) + 4 * 2 * 16 + 4 * 2 * (100 + 100)
    assert (params(100), macs(100), peak) == (2100, 4000, 10_128)
    assert written(folder) == {
        "models": [
            {
                "model": "nets.py:net(width=100)",
                "label": 'the "best"',
                "input": SHAPE,
                "max-params": "2.31k",
                "max-size": "9.03KB",  # 4 * 2100 * 1.1 / 1024 is 9.023
                "max-macs": "4.4k",
                "max-peak-memory": "10.9KB",  # 10128 * 1.1 / 1024 is 10.879
            }
        ]
    }
    assert run(capsys, "check") == (0, out, "")
    assert len(rows(out)) == 4


def test_head_room(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    run(capsys, "check", "--init", *NET, "--head-room", "0%")
    (model,) = written(folder)["models"]
    assert model["max-params"] == str(params())
    assert run(capsys, "check")[0] == 0
    run(capsys, "check", "--init", "nets.py:net(width=9)", "--input", SHAPE, "--head-room", "100%")
    assert written(folder)["models"][1]["max-params"] == str(2 * params(9))


def test_it_adds_and_never_overwrites(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = folder / budget_file.NAME
    path.write_text(f"# ours\n{ENTRY}max-params = 5 # tight\n")
    status, _, err = run(capsys, "check", "--init", *NET)
    assert (status, path.read_text()) == (2, f"# ours\n{ENTRY}max-params = 5 # tight\n")
    assert "profile-model.toml:5: there are limits for 'nets.py:net' already; change them there" in err
    assert "every model has limits already" in run(capsys, "check", "--init")[2]
    assert run(capsys, "check", "--init", *NET, "--label", "another", "--batch", "3", "--convention", "thop")[0] == 0
    assert path.read_text().startswith(f"# ours\n{ENTRY}max-params = 5 # tight\n\n[[models]]\nmodel = ")
    second = written(folder)["models"][1]
    assert {key: second[key] for key in ("label", "input", "convention")} == {
        "label": "another", "input": "3x16", "convention": "thop",
    }  # fmt: skip
    assert run(capsys, "check")[2].count("\n") == 1


def test_models_that_are_listed_get_limits(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    text = (
        f"# ours\n{ENTRY.replace('input', '# how it is fed' + chr(10) + 'input')}\n"
        f'{ENTRY}label = "limited"\nmax-params = {params()}\n\n'
        f'[[models]]\nlabel = "wide"\nmodel = "nets.py:net(width=9)" # nine\ninput = [\n  "{SHAPE}",\n]\n'
    )
    for ends in ("\n", "\r\n"):
        path = folder / budget_file.NAME
        path.write_bytes(text.replace("\n", ends).encode())
        assert "is listed already; run check --init without a model" in run(capsys, "check", "--init", *NET)[2]
        status, out, _ = run(capsys, "check", "--init")
        assert status == 0
        assert {row[0] for row in rows(out)} == {"nets.py:net", "wide"}
        first, second, third = written(folder)["models"]
        assert "max-macs" in first
        assert "max-macs" in third
        assert second["max-params"] == params()
        assert set(second) == {"model", "label", "input", "max-params"}
        after = path.read_bytes().decode()
        assert [line for line in after.split(ends) if "measured" not in line] == text.split("\n")
        assert run(capsys, "check")[0] == 0


def test_a_project_file_gets_them_too(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\n\n[tool.profile-model]\n\n[tool.ruff]\n\n')
    assert "names no model; add [[tool.profile-model.models]]" in run(capsys, "check")[2]
    assert run(capsys, "check", "--init", *NET)[0] == 0
    assert not (folder / budget_file.NAME).exists()
    (model,) = written(folder, "pyproject.toml")["tool"]["profile-model"]["models"]
    assert model["model"] == "nets.py:net"
    assert run(capsys, "check")[0] == 0


@pytest.mark.parametrize("text", [f'models = [{{model = "nets.py:net", input = "{SHAPE}"}}]\n', "models = []\n"])
def test_models_in_a_list_cannot_be_added_to(capsys: pytest.CaptureFixture[str], folder: Path, text: str) -> None:
    (folder / budget_file.NAME).write_text(text)
    spec = ("nets.py:net(width=9)", "--input", SHAPE) if "width" not in text else ()
    for argv in (spec, () if "net" in text else spec):
        status, _, err = run(capsys, "check", "--init", *argv)
        assert (status, (folder / budget_file.NAME).read_text()) == (2, text)
        assert "limits can be added to models that are written as [[models]] tables; write them so" in err


def test_a_model_that_fails_gets_none_and_hides_no_other(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    status, out, err = run(capsys, "check", "--init", *NET, "nets.py:raises")
    assert status == 2
    assert [row[0] for row in rows(out)] == ["nets.py:net"] * 4 + ["nets.py:raises"]
    assert "no model today" in err
    assert [model["model"] for model in written(folder)["models"]] == ["nets.py:net"]
    (folder / budget_file.NAME).unlink()
    assert run(capsys, "check", "--init", "nets.py:raises", "--input", SHAPE)[0] == 2
    assert not (folder / budget_file.NAME).exists()


def test_calls_without_a_formula_are_allowed_as_they_are(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    spec = "nets.py:Odd(in_features=16, out_features=4)"
    assert run(capsys, "check", "--init", spec, "--input", SHAPE)[0] == 0
    assert written(folder)["models"][0]["max-unknown"] == 1
    assert run(capsys, "check")[0] == 0


@pytest.mark.parametrize(
    ("argv", "keys"),
    [
        (("--input", "a=2x16", "--input", "b=scalar:int64"), {"input": ["a=2x16", "b=scalar:int64"]}),
        (("--input", SHAPE, "--batch", "9"), {"input": "9x16"}),
        (("--batch", "9"), {"batch": 9}),
        (("--batch", "9", "--convention", "thop"), {"batch": 9, "convention": "thop"}),
    ],
)
def test_a_models_keys(argv: tuple[str, ...], keys: dict[str, object]) -> None:
    """What is written says the same as what was given."""
    given = dict.fromkeys(("--input", "--batch", "--convention"))
    shapes = [inputs.parse(value) for name, value in zip(argv[::2], argv[1::2], strict=True) if name == "--input"]
    given |= dict(zip(argv[::2], argv[1::2], strict=True))
    batch = None if given["--batch"] is None else int(given["--batch"])
    feed = Feed(*inputs.arguments(shapes, batch), batch)
    model = Budgeted("m", "m", feed, given["--convention"] or "flops", (), 0)
    assert tomllib.loads("\n".join(budget_init._keys(model))) == {"model": "m", **keys}


def test_nothing_is_measured_where_nothing_can_be_written(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setattr(budget_init, "measured", None)
    status, _, err = run(capsys, "check", "--init", *NET)
    assert (status, err.count("\n")) == (2, 1)
    assert "profile-model.toml cannot be written" in err
    with pytest.raises(errors.ProfileError):
        writing.replace("no/such/folder.toml", b"")
