"""Whatever changes a trace, or may change it, lets the model run again; and where nothing changes, it does not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.trace_cache import project
from tests.trace_cache.project import INPUT, MTIME, SPEC


def _nothing(_: Path) -> None:
    """The command itself is another one."""


@dataclass(frozen=True)
class Change:
    """What is done between two commands, or what is different of the second one."""

    edit: Callable[[Path], object] = _nothing
    arguments: Sequence[str] = (SPEC, *INPUT)
    variables: Mapping[str, str] = field(default_factory=dict)
    python: Sequence[str] = ()


def written(name: str, text: str) -> Change:
    return Change(lambda folder: (folder / name).write_text(text))


def unseen(name: str, text: str) -> Change:
    """Neither its size nor its times are others."""

    def edit(folder: Path) -> None:
        before = (folder / name).stat()
        assert len(text) == before.st_size
        (folder / name).write_text(text)
        os.utime(folder / name, ns=(before.st_atime_ns, before.st_mtime_ns))

    return Change(edit)


def retargeted(folder: Path) -> None:
    (folder / "settings").unlink()
    (folder / "settings").symlink_to("two")


def made(name: str) -> Change:
    return Change(lambda folder: (folder / name).mkdir(parents=True))


METADATA = "lib/thing-1.0.dist-info"
CHANGES: Mapping[str, Change] = {
    "the model's file": written("nets.py", project.FILES["nets.py"] + "\n"),
    "the model's file, unseen": unseen("nets.py", project.FILES["nets.py"].replace("width=8", "width=9")),
    "a module beside it": written("beside.py", "WIDTH = 22\n"),
    "a module beside it, unseen": unseen("beside.py", "WIDTH = 2\n"),
    "a module that forward imports": unseen("late.py", "SCALE = 3\n"),
    "a package's own file": unseen("package/__init__.py", "WIDTH = 2\n"),
    "a module in a package": unseen("package/deep.py", "WIDTH = 2\n"),
    "a module in a namespace": unseen("space/part.py", "WIDTH = 2\n"),
    "a module in an archive": Change(lambda folder: project.zip_of(folder, 2)),
    "an extension in C": Change(
        lambda folder: next((folder / "ext").glob("_bisect*")).open("ab").write(b"\0")
    ),
    "a file that is read": written("config.json", '{"width": 10}'),
    "a file that is read, unseen": unseen("config.json", '{"width": 2}'),
    "a file that was missing": written("fallback.txt", "it is there now"),
    "where a link leads": Change(retargeted),
    "a folder that is listed": written("blocks/second", ""),
    "a module that goes before another": written("installed.py", ""),
    "a package that goes before another": made("installed"),
    "a package that may be imported": made("lib/xformers"),
    "a variable that is read": Change(variables={"SCALE": "3"}),
    "a variable that is asked for": Change(variables={"WIDER": ""}),
    "a variable of torch": Change(variables={"TORCH_LOGS_OUT": "out"}),
    "a variable of OpenMP": Change(variables={"OMP_NUM_THREADS": "3"}),
    "the locale": Change(variables={"LC_ALL": "C"}),
    "the import path": Change(variables={"PYTHONPATH": f"lib{os.pathsep}lib/lib.zip{os.pathsep}{project.ROOT}"}),
    "a package is installed": made("lib/other-1.0.dist-info"),
    "a package is removed": Change(lambda folder: shutil.rmtree(folder / METADATA)),
    "a package is upgraded": Change(lambda folder: (folder / METADATA).rename(folder / "lib/thing-1.1.dist-info")),
    "a package is installed anew": Change(lambda folder: os.utime(folder / METADATA, (MTIME, MTIME + 1))),
    "a .pth file": written("lib/more.pth", "/nowhere\n"),
    "sitecustomize": unseen("lib/sitecustomize.py", "WORD = 2\n"),
    "Python's options": Change(python=["-O"]),
    "an argument of the builder": Change(arguments=(f"{SPEC}(width=3)", *INPUT)),
    "the input": Change(arguments=(SPEC, "--input", "3x4", "--format", "csv")),
    "the batch": Change(arguments=(SPEC, *INPUT, "--batch", "3")),
    "the dtype": Change(arguments=(SPEC, *INPUT, "--dtype", "bfloat16")),
    "a training step": Change(arguments=("train", SPEC, *INPUT)),
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The project, and the cache after one run."""
    folder = tmp_path_factory.mktemp("changes")
    project.build(folder / "project")
    assert not project.run(folder / "project", folder / "cache").is_hit
    return folder / "project", folder / "cache"


@pytest.fixture
def unchanged(kept: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The same, built and copied anew for each test."""
    folder, cache = kept
    project.build(folder)
    shutil.copytree(cache, tmp_path / "cache")
    return folder, tmp_path / "cache"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_runs_again(unchanged: tuple[Path, Path], change: Change) -> None:
    folder, cache = unchanged
    assert project.is_there(folder, cache)
    change.edit(folder)
    assert not project.is_there(folder, cache, change.arguments, change.variables, change.python)
