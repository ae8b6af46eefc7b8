"""What is kept gives the same bytes without torch, also where eight commands write it at once; and what is not kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.trace_cache import project
from tests.trace_cache.project import INPUT, SPEC

TEXT = ("--input", "2x4")
LOOK_UP = """
import sys
from profiler.cli.main import main
status = main(sys.argv[1:])
print("torch" in sys.modules, file=sys.stderr)
sys.exit(status)
"""
VERBS = {
    "layers": (SPEC, *TEXT),
    "json": (SPEC, *TEXT, "--format", "json"),
    "several": (SPEC, f"{SPEC}(width=3)", *TEXT),
    "save": (SPEC, *TEXT, "--save", "saved.json"),
    "explain": ("explain", SPEC, *TEXT),
    "memory": ("memory", SPEC, *TEXT),
    "train": ("train", SPEC, *TEXT, "--optimizer", "adamw"),
    "weights": ("weights", SPEC, *TEXT),
    "diff": ("diff", SPEC, f"{SPEC}(width=3)", *TEXT),
    "report": ("report", SPEC, *TEXT),
    "plot": ("plot", SPEC, *TEXT, "--kind", "kinds", "--format", "csv"),
    "time": ("time", SPEC, *TEXT, "--device", "h100-sxm"),
    "scan": ("scan", SPEC, "batch=1,2", *TEXT),
    "largest": ("largest", SPEC, "batch", *TEXT, "--in", "1MB"),
    "limit": (SPEC, *TEXT, "--max-params", "1k"),
    "zeros": (SPEC, *TEXT, "--zeros"),
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("hits")
    project.build(folder / "project")
    return folder / "project", folder / "cache"


def looked_up(kept: tuple[Path, Path], *arguments: str) -> tuple[str, bool]:
    """What a command prints, and whether it imports torch."""
    folder, cache = kept
    done = subprocess.run(
        [sys.executable, "-c", LOOK_UP, *arguments],
        cwd=folder, env=project.environment(folder, cache), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr.split()[-1] == "True"


@pytest.mark.parametrize("arguments", VERBS.values(), ids=VERBS)
def test_the_second_one_needs_no_torch(kept: tuple[Path, Path], arguments: tuple[str, ...]) -> None:
    first, _ = looked_up(kept, *arguments)
    assert looked_up(kept, *arguments) == (first, False)
    if arguments == VERBS["layers"]:
        assert looked_up(kept, *arguments, "--no-cache") == (first, True)  # so the look-up can fail


@pytest.mark.parametrize("is_cold", [True, False], ids=["cold", "warm"])
def test_eight_at_once(tmp_path: Path, is_cold: bool) -> None:
    folder, cache = tmp_path / "project", tmp_path / "cache"
    project.build(folder)
    alone = project.run(folder, tmp_path / "another" if is_cold else cache).out
    command = [sys.executable, "-m", "profiler", SPEC, *INPUT]
    several = [
        subprocess.Popen(
            command, cwd=folder, env=project.environment(folder, cache), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]  # fmt: skip
    ended = [process.communicate() for process in several]
    assert [process.returncode for process in several] == [0] * 8
    assert {out for out, _ in ended} == {alone}
    assert all(project.HIT in err for _, err in ended) or is_cold
    assert len(list(cache.iterdir())) == 1


def test_each_of_several_is_looked_up(tmp_path: Path) -> None:
    folder, cache = tmp_path / "project", tmp_path / "cache"
    project.build(folder)
    project.run(folder, cache, [SPEC, *INPUT])
    both = project.run(folder, cache, [SPEC, f"{SPEC}(width=3)", *INPUT])
    assert "1 of 2 traces from the cache, traced on " in both.err
    assert both.err.count("\n") == 1
    assert "2 of 2 traces " in project.run(folder, cache, [SPEC, f"{SPEC}(width=3)", *INPUT]).err


# What is not kept -----------------------------------------------------------------------------------------------------

PLAIN = """
import os, random, socket, subprocess, sys
from contextlib import suppress
import numpy
import torch
from torch import nn

class Plain(nn.Linear):
    def __init__(self):
        super().__init__(4, 4)

class Drawn(nn.Linear):
    def __init__(self):
        super().__init__(4, random.choice([4, 4]))

class DrawnInForward(Plain):
    def forward(self, x):
        return super().forward(x) * numpy.random.randint(1, 3)

class Connected(Plain):
    def forward(self, x):
        with suppress(OSError), socket.socket() as there:
            there.settimeout(0.1)
            there.connect(("127.0.0.1", 9))
        return super().forward(x)

class Started(Plain):
    def forward(self, x):
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
        return super().forward(x)

class Written(Plain):
    def forward(self, x):
        number = int(open("count").read())
        with open("count", "w") as file:
            file.write(str(number + 1))
        return super().forward(x)

class Failed(Plain):
    def forward(self, x):
        raise RuntimeError("never")

class Registered(Plain):
    def __init__(self):
        super().__init__()
        from profiler import formula, Cost
        formula("of.mine")(lambda x, *, out: Cost(adds=1))
"""
NOT_KEPT = ["Drawn", "DrawnInForward", "Connected", "Started", "Written", "Failed", "Registered"]


@pytest.mark.parametrize("model", ["Plain", *NOT_KEPT])
def test_what_may_be_another_each_time_is_not_kept(tmp_path: Path, model: str) -> None:
    (tmp_path / "plain.py").write_text(PLAIN)
    (tmp_path / "count").write_text("1")
    cache = tmp_path / "cache"
    for _ in range(2):
        ran = project.run(tmp_path, cache, [f"plain.py:{model}", *INPUT], status=2 if model == "Failed" else 0)
    assert ran.is_hit is (model == "Plain")
    assert bool(list(cache.glob("*"))) is ran.is_hit


OWN = """
from torch import nn
nn.ReLU.forward = lambda self, x: x
def build():
    return nn.Linear(4, 4)
"""


def test_own_code_says_nothing_of_models_behind_it(tmp_path: Path) -> None:
    """It may have changed anything in its process."""
    (tmp_path / "own.py").write_text(OWN)
    cache = tmp_path / "cache"
    mine, theirs = "own.py:build", "torch.nn:Identity"
    project.run(tmp_path, cache, [mine, theirs, *INPUT])
    assert not project.run(tmp_path, cache, [theirs, *INPUT]).is_hit
    assert "2 of 2 " in project.run(tmp_path, cache, [theirs, mine, *INPUT]).err


@pytest.mark.parametrize("place", ["off", "OFF", "file/within"])
def test_without_a_place(tmp_path: Path, place: str) -> None:
    """Switched off, or in a folder that cannot be there."""
    (tmp_path / "plain.py").write_text(PLAIN)
    (tmp_path / "file").write_text("")
    for _ in range(2):
        ran = project.run(tmp_path, tmp_path, ["plain.py:Plain", *INPUT], {"PROFILE_MODEL_CACHE": place})
        assert ran.err == ""


def test_a_large_file_goes_by_its_times(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes((4 << 20) + 1))
    (tmp_path / "plain.py").write_text(PLAIN + "\nopen('large.bin', 'rb').close()\n")
    cache = tmp_path / "cache"
    arguments = ["plain.py:Plain", *INPUT]
    assert [project.run(tmp_path, cache, arguments).is_hit for _ in range(2)] == [False, True]
    with open(tmp_path / "large.bin", "r+b") as file:
        file.write(b"1")
    assert not project.run(tmp_path, cache, arguments).is_hit
