"""Verbs of other packages that are not as they have to be are told in a line, and spoil nothing for the others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

HEAD = """
from __future__ import annotations
from typing import TYPE_CHECKING, Annotated
from profiler.answers.common.options import Argument, InputOptions, Result
from profiler.answers.common.outcome import LOOK, Context, Outcome
JOB = LOOK
"""
RUN = """
def run(word: Annotated[str, Argument("A word.")] = "x", /, *, context: Context, result: Result = Result()) -> Outcome:
    "Says a word."
    return Outcome(f"{word}!")
"""
DECORATING = """
from functools import wraps
def decorated(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper
"""
# What runs, however it is written: each says "q!".
WELL = {
    "wrapped": f"{HEAD}from decorating import decorated\n@decorated{RUN}",
    "partly": f"{HEAD}{RUN}\nfrom functools import partial\nrun = partial(run)\nrun.__doc__ = 'Says a word.'",
    "unread": f"{HEAD}del Context\nif TYPE_CHECKING:\n    from profiler.answers.common.outcome import Context\n{RUN}",
}
# What cannot run, and what is said of it.
ILL = {
    "nojob": (f"{HEAD}del JOB\n{RUN}", "for nojob has no heading `JOB`"),
    "norun": (HEAD, "for norun has no function `run`"),
    "nocontext": (f"{HEAD}{RUN}".replace("context: Context, ", ""), "for nocontext takes no context by its name alone"),
    "first": (f"{HEAD}def run(context: Context) -> Outcome: ...", "for first takes no context by its name alone"),
    "unsaid": (f"{HEAD}{RUN}".replace(": Annotated[str, Argument('A word.')]", "").replace(
        ': Annotated[str, Argument("A word.")]', ""), "does not say by an annotation what word is"),
    "any": (f"{HEAD}def run(*, context: Context, **rest: str) -> Outcome: ...", "for any takes any keyword"),
    "broken": ("import nowhere_at_all", "cannot be loaded from broken (ModuleNotFoundError"),
    "nothing": (f"{HEAD}{RUN}".replace('return Outcome(f"{word}!")', "pass"), "has to return an Outcome"),
    "unknown": (f"{HEAD}{RUN}".replace("Annotated[str", "Annotated[Text"), "name 'Text' is not defined"),
}  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Where all of them are installed, in one package."""
    site = tmp_path_factory.mktemp("site")
    info = site / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (site / "decorating.py").write_text(DECORATING)
    sources = {**WELL, **{name: source for name, (source, _) in ILL.items()}}
    for name, source in sources.items():
        (site / f"{name}.py").write_text(source)
    points = "".join(f"{name} = {name}\n" for name in sources)
    (info / "entry_points.txt").write_text(f"[profile_model.answers]\n{points}of_run = wrapped:run\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])}


def _command(environment: Mapping[str, str], *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "profiler", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("options", [(), ("--format", "text")], ids=len)
@pytest.mark.parametrize("name", WELL)
def test_it_runs_however_it_is_written(environment: Mapping[str, str], name: str, options: tuple[str, ...]) -> None:
    assert _command(environment, name, "q", *options) == (0, "q!\n", "")
    assert "Says a word." in _command(environment, name, "--help")[1]


@pytest.mark.parametrize("name", [*ILL, "of_run"])
def test_what_it_lacks_is_told(environment: Mapping[str, str], name: str) -> None:
    says = ILL[name][1] if name in ILL else "has no function `run`"
    status, out, err = _command(environment, name, "--format", "text")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_the_others_are_listed_and_completed(environment: Mapping[str, str]) -> None:
    status, listed, err = _command(environment, "--help")
    assert (status, err) == (0, "")
    assert all(f" {name} " in listed for name in WELL)
    assert not [name for name in ("nojob", "norun", "first", "broken") if f" {name} " in listed]
    status, script, err = _command(environment, "--completion", "bash")
    assert (status, err) == (0, "")
    assert "wrapped" in script


def test_damaged_entry_points_are_told(tmp_path: Path) -> None:
    info = tmp_path / "damaged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[profile_model.answers]\n vb \n")
    status, out, err = _command({**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}, "resnet18")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "entry_points.txt is damaged" in err
