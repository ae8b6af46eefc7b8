"""What `examples/ci` says about budgets is run: the workflows' commands, and the test that one is to copy."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from profiler.cli.main import main

CI = Path(__file__).parent.parent / "examples" / "ci"
MODEL = "from torch import nn\n\ndef net(width=4):\n    return nn.Linear(4, width)\n"
NOT_OURS = ("pip install ",)


def commands(workflow: str) -> list[str]:
    """The lines that it runs."""
    found = re.findall(r"^ +- run: (.*?)(?: #.*)?$", workflow, re.MULTILINE)
    return [line for line in found if not line.startswith(NOT_OURS)]


def test_the_workflow_passes_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (command,) = commands((CI / "budgets.yml").read_text())
    program, *argv = shlex.split(command)
    assert program == "profile-model"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(MODEL)
    assert main(["check", "--init", "nets.py:net", "--input", "1x4"]) == 0
    assert main(argv) == 0
    (tmp_path / "nets.py").write_text(MODEL.replace("width=4", "width=5"))
    assert main(argv) == 1
    assert f"nets.py:net, parameters: {4 * 5 + 5} against 22 (profile-model.toml:4), 3 over" in capsys.readouterr().err


def test_the_gate_for_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of its commands passes weights that are right, and stops others."""
    lines = [shlex.split(line) for line in commands((CI / "checkpoint.yml").read_text())]
    assert [program for program, *_ in lines] == ["profile-model"] * 3
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(MODEL)

    def statuses(weights: dict[str, torch.Tensor]) -> list[int]:
        save_file(weights, "model.safetensors")
        found = [main(argv) for _, *argv in lines]
        capsys.readouterr()
        return found

    right = {"weight": torch.zeros(4, 4), "bias": torch.zeros(4)}
    assert statuses(right) == [0, 0, 0]
    assert statuses(right | {"more": torch.zeros(25_000_001, dtype=torch.float16)}) == [1, 1, 0]
    assert statuses(right | {"bias": torch.tensor([0.0, 1.0, float("nan"), 2.0])}) == [0, 0, 1]


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def hooked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pre-commit in a project, where the command is that of this environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PRE_COMMIT_HOME": str(folder / ".hooks")}
    command = [sys.executable, "-m", "pre_commit", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a model and its budget."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(MODEL)
    (tmp_path / ".gitignore").write_text(".hooks/\n")
    assert main(["check", "--init", "nets.py:net", "--input", "1x4"]) == 0
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    return tmp_path


def test_the_hook_lets_through_and_stops(project: Path) -> None:
    (project / ".pre-commit-config.yaml").write_text((CI / "pre-commit-config.yaml").read_text())
    git(project, "add", ".")
    assert hooked(project, "run", "--all-files").returncode == 0
    (project / "nets.py").write_text(MODEL.replace("width=4", "width=5"))
    git(project, "add", ".")
    done = hooked(project, "run", "--all-files")
    assert done.returncode == 1
    assert "25 against 22 (profile-model.toml:4), 3 over" in done.stdout


def test_the_hook_of_this_repository_is_one(tmp_path: Path) -> None:
    """What a project gets that names this repository is the same hook."""
    manifest = CI.parent.parent / ".pre-commit-hooks.yaml"
    assert hooked(tmp_path, "validate-manifest", str(manifest)).returncode == 0
    (given,) = yaml.safe_load(manifest.read_text())
    ((copied,),) = (repo["hooks"] for repo in yaml.safe_load((CI / "pre-commit-config.yaml").read_text())["repos"])
    assert {key: given[key] for key in copied} == copied


def test_the_test_passes_and_can_fail(tmp_path: Path) -> None:
    text = (CI / "test_budget.py").read_text()
    tight = text.replace('"4M"', '"3M"')
    assert tight != text
    (tmp_path / "test_as_it_is.py").write_text(text)
    (tmp_path / "test_too_tight.py").write_text(tight)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    outcomes = set(re.findall(r"^(PASSED|FAILED) \S*\b(test_\w+)\.py::", done.stdout, re.MULTILINE))
    assert outcomes >= {("PASSED", "test_as_it_is"), ("FAILED", "test_too_tight")}
    assert ("FAILED", "test_as_it_is") not in outcomes
    assert f"parameters: {3_504_872:,} against 3 M (max_params), {504_872:,} over" in done.stdout
