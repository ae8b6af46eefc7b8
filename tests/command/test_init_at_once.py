"""A budget file that is written twice at once, or edited while models are measured, loses nothing."""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.answers.check import init as budget_init
from profiler.answers.check import run as budget_run
from profiler.records.files import writing
from tests.shell import run

NET = "from torch import nn\ndef net(width=4): return nn.Linear(8, width)\n"
FED = ("--input", "1x8")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Something happens while the models are measured."""

    def measured(*arguments: object):
        found = list(budget_run.measured(*arguments))
        act()
        return found

    monkeypatch.setattr(budget_init, "measured", measured)


def labels(folder: Path) -> list[str]:
    with (folder / "profile-model.toml").open("rb") as file:
        return [model["model"] for model in tomllib.load(file)["models"]]


OTHER = '# keep me\n[[models]]\nmodel = "nets.py:net(width=9)"\ninput = "1x8"\nmax-params = 100\n'


def test_another_command_adds_a_model(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: (folder / "profile-model.toml").write_text(OTHER))
    assert run(capsys, "check", "--init", "nets.py:net", *FED)[0] == 0
    assert labels(folder) == ["nets.py:net(width=9)", "nets.py:net"]
    assert (folder / "profile-model.toml").read_text().startswith(OTHER)


def test_an_editor_adds_a_comment_above_a_model_without_limits(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "profile-model.toml"
    bare = '[[models]]\nmodel = "nets.py:net"\ninput = "1x8"\n'
    path.write_text(bare)
    meanwhile(monkeypatch, lambda: path.write_text(f"# two lines\n# of ours\n{bare}"))
    assert run(capsys, "check", "--init")[0] == 0
    assert path.read_text().startswith('# two lines\n# of ours\n[[models]]\nmodel = "nets.py:net"\nmax-params = "40"')


def test_another_command_adds_the_same_model(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its limits stay, the user hears of it, and the other models get theirs."""
    taken = OTHER.replace("(width=9)", "")
    meanwhile(monkeypatch, lambda: (folder / "profile-model.toml").write_text(taken))
    status, _, err = run(capsys, "check", "--init", "nets.py:net", "nets.py:net(width=5)", *FED)
    assert (status, err.count("\n")) == (2, 1)
    assert "profile-model.toml:5: there are limits for 'nets.py:net' already" in err
    assert labels(folder) == ["nets.py:net", "nets.py:net(width=5)"]
    assert (folder / "profile-model.toml").read_text().startswith(taken)


def test_one_at_a_time_reads_and_writes(folder: Path) -> None:
    """Twenty threads that add a line each: with a lock no line is lost, and without one most are."""
    path = folder / "lines"
    path.write_text("")

    def add(number: int) -> None:
        with writing.alone_in(folder):
            before = path.read_text()
            time.sleep(0.005)
            writing.replace(path, f"{before}{number}\n".encode())

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, path.read_text().split())) == list(range(20))
    assert {entry.name for entry in folder.iterdir()} == {"nets.py", "lines"}
