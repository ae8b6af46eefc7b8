"""Verbs: their help, their examples, what is said where one is mistyped, and one that another package adds."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch

from profiler.answers.common.outcome import JOBS
from profiler.cli import help, verbs
from tests.shell import run

NET = """
from torch import nn
def net(width=4): return nn.Sequential(nn.Linear(8, width))
"""
TOY = '''
"""A verb of another package."""

from profiler.answers.common.models import entries, named_models, profiles
from profiler.answers.common.options import InputOptions, Model, Result
from profiler.answers.common.outcome import LOOK, Context, Outcome

JOB = LOOK


def run(
    model: Model,
    /,
    *,
    context: Context,
    inputs: InputOptions = InputOptions(),
    result: Result = Result(),
) -> Outcome:
    """How many layers a model has."""
    rows, failures = entries(named_models([model], inputs), context, "flops")
    return Outcome("".join(f"{len(profile.layers)} layers" for profile in profiles(rows)) or None, failures)
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(NET)
    (tmp_path / "predictions.csv").write_text("label,prediction\n1,1\n0,1\n")
    (tmp_path / "model.py").write_text("from torch import nn\n\ndef build():\n    return nn.Conv2d(3, 4, 3)\n")
    numpy.savez(tmp_path / "images.npz", images=numpy.zeros((2, 3, 8, 8), dtype=numpy.float32))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_main_help_fits_a_screen_and_begins_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "--help")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...")]
    assert [name for name, _ in help.about(None).groups["What it is fed"]] == [
        "--input SHAPE", "--batch N", "--seq N", "--trust-remote-code",
    ]  # fmt: skip
    assert "  What it is fed      --input --batch --seq --trust-remote-code" in lines
    examples = [line for line in lines[: lines.index("Verbs (profile-model VERB --help):")] if line.startswith("  p")]
    assert len(examples) == 4
    assert all(any(line.split()[:1] == [name] or f" {name} " in line for line in lines) for name in verbs.names())
    assert run(capsys) == run(capsys, "-h") == (0, out, "")


@pytest.mark.parametrize("name", verbs.names())
def test_the_help_of_a_verb(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, name, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: profile-model {name} ")
    assert max(map(len, out.splitlines())) <= 80
    assert verbs.module(name).JOB in JOBS
    assert run(capsys, name, "resnet34", "-h")[1] == out


SHORTER = {"calibrate": ("--seconds", "5")}  # it takes two minutes as it is


@pytest.mark.parametrize("name", verbs.names())
def test_the_example_of_a_verb_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": torch.ones(3)}, "weights.pt")
    example = re.search(r"Example: profile-model (.*)", verbs.module(name).run.__doc__)
    assert example is not None
    argv = [*shlex.split(example[1]), *SHORTER.get(name, ())]
    status, out, err = run(capsys, *argv)
    assert status in {0, 1}, err
    assert out or Path(argv[argv.index("-o") + 1]).read_bytes()


@pytest.mark.parametrize(("word", "verb"), [("memroy", "memory"), ("scna", "scan"), ("cross-chek", "cross-check")])
def test_a_mistyped_verb(word: str, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, word, "nets.py:net")
    assert (status, out) == (2, "")
    assert err == f"profile-model: no model and no verb is called {word!r}; did you mean profile-model {verb}?\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--batch", "2", "memory", "nets.py:net"), "memory is a verb, which comes first: profile-model memory ..."),
        (("nets.py:net", "explain"), "explain is a verb, which comes first: profile-model explain ..."),
        (("cross_check", "nets.py:net"), "no model and no verb is called 'cross_check'; did you mean profile-model c"),
        (("nets.py:net", "--version"), "--version stands alone: profile-model --version"),
        (("nets.py:net", "--completion", "bash"), "--completion stands alone: profile-model --completion SHELL"),
        (("--completion",), "--completion wants the name of a shell: bash, zsh, fish"),
        (("which", "--labl", "x", "1.8G", "nets.py:net"), "Unknown option: --labl"),
        (("nets.py:net", "--no-zeros"), "Unknown option: --no-zeros"),
        (("explain", "nets.py:net", ""), "'': it is empty; name a model"),
        (("values", ""), "'': it is empty; name a model"),
        (("scan", "nets.py:net"), "NAME=VALUES is missing"),
    ],
)
def test_what_is_wrong_with_words(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"profile-model: {says}")


def test_a_number_may_be_negative(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "which", "-3", "nets.py:net")[2].startswith("profile-model: which -3: ")


def test_a_completion_names_its_shell_either_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--completion=bash") == run(capsys, "--completion", "bash")
    assert "--no-no-" not in run(capsys, "--completion", "bash")[1]


def test_a_mistyped_option(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "nets.py:net", "--bach", "2")
    assert (status, out) == (2, "")
    assert err.startswith("profile-model: Unknown option: --bach. Did you mean --batch?")


@pytest.mark.parametrize("name", sorted(verbs.built_in()))
def test_a_verb_that_is_written_as_an_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = {"cache": "generate MODEL --cache"}  # an option of that name is what `generate` has
    says = f"profile-model: no option is called --{name} here; see profile-model {other.get(name, name)}"
    for argv in ("nets.py:net", f"--{name}"), (f"--{name}", "nets.py:net"):
        status, out, err = run(capsys, *argv)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(says)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("nets.py:net", "--diff", "x.json"), "see profile-model diff BEFORE AFTER"),
        (("nets.py:net", "--scan", "batch=1,2"), "see profile-model scan MODEL NAME=VALUES"),
        (("nets.py:net", "--amp", "bf16"), "see profile-model train MODEL --amp DTYPE"),
        (("nets.py:net", "--recompute", "0"), "see profile-model train MODEL --recompute PATTERN"),
        (("nets.py:net", "--phase", "decode"), "see profile-model generate MODEL --phase PHASE"),
        (("nets.py:net", "--new-tokens", "2"), "see profile-model generate MODEL --new-tokens N"),
        (("nets.py:net", "--fits", "8GB"), "see profile-model largest MODEL batch --in SIZE"),
        (("explain", "nets.py:net", "--zeros"), "see profile-model MODEL --zeros"),
    ],
)
def test_an_option_of_another_verb(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.rstrip("\n").endswith(says)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "--completion", shell)
    assert (status, err) == (0, "")
    assert all(name in out for name in verbs.names())
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=out, text=True, check=True)


def test_a_shell_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--completion", "tcsh")[0] == 2
    assert run(capsys, "--completion")[0] == 2


def test_a_verb_of_another_package(tmp_path: Path) -> None:
    """It is found by its entry point, listed in the help, and run by the same driver as ours."""
    site = tmp_path / "site"
    info = site / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "toy_verb.py").write_text(TOY)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[profile_model.answers]\ndepths = toy_verb\n")

    def command(*argv: str, status: int = 0) -> str:
        code = f"import sys; sys.path.insert(0, {str(site)!r}); from profiler.cli.main import main; sys.exit(main())"
        done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout or done.stderr

    with (info / "entry_points.txt").open("a") as file:
        file.write("broken = nowhere_at_all\nends = ending_verb\n")
    (site / "ending_verb.py").write_text("raise SystemExit(0)\n")
    assert command("depths", "nets.py:net", "--input", "1x8") == "2 layers\n"
    assert "depths       How many layers a model has." in command("--help")
    says = "profile-model: the verb 'broken' of another package cannot be loaded from nowhere_at_all"
    assert command("broken", status=2).startswith(says)
    says = "profile-model: the verb 'ends' of another package cannot be loaded from ending_verb (SystemExit: 0)"
    assert command("ends", "nets.py:net", status=2).startswith(says)


def test_who_ends_the_command_has_not_passed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library may do so while it is imported."""

    def ends(pattern: str) -> list[str]:
        raise SystemExit(0)

    monkeypatch.setattr("profiler.answers.list.verb.matching", ends)
    status, out, err = run(capsys, "list")
    assert (status, out) == (2, "")
    assert err == "profile-model: the command was ended amid its work (0); nothing was checked\n"
