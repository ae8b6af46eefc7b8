"""A model whose run reads all kinds of things, and the command that profiles it, in a process of its own."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent.parent
HIT = "from the cache, traced on "
INPUT = ("--input", "2x4", "--format", "csv")
SPEC = "nets.py:Net"

FILES = {
    "nets.py": """
import json, os
import beside, from_zip, installed
import ext._bisect, package.deep, space.part
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        with open("config.json") as file:
            width += json.load(file)["width"]
        if os.path.exists("optional.txt") or "WIDER" in os.environ:
            width += 1
        try:
            with open("fallback.txt") as file:
                width += len(file.read())
        except FileNotFoundError:
            pass
        width += len(os.listdir("blocks")) + beside.WIDTH + from_zip.WIDTH + package.deep.WIDTH + space.part.WIDTH
        self.first = nn.Linear(4, width)
        self.settings = os.path.realpath("settings"), open("settings").read()

    def forward(self, x):
        import late
        return self.first(x) * int(os.environ.get("SCALE", "1")) * late.SCALE
""",
    "beside.py": "WIDTH = 1\n",
    "late.py": "SCALE = 2\n",
    "package/__init__.py": "WIDTH = 1\n",
    "package/deep.py": "WIDTH = 1\n",
    "space/part.py": "WIDTH = 1\n",
    "ext/__init__.py": "",
    "config.json": '{"width": 1}',
    "blocks/first": "",
    "one": "settings 1",
    "two": "settings 2",
    "lib/installed.py": "",
    "lib/thing-1.0.dist-info/METADATA": "",
    "lib/sitecustomize.py": "WORD = 1\n",
}  # fmt: skip
_EXTENSION = importlib.machinery.EXTENSION_SUFFIXES[0]
_LEFT_OUT = ("COLUMNS", "PYTHONDONTWRITEBYTECODE")  # else each command would compile all of its code
_LITTLE = 384 << 20  # bytes of address space
MTIME = 1_700_000_000


def build(folder: Path) -> None:
    """The project, with the same times each time that it is built."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    origin = importlib.util.find_spec("_bisect").origin  # type: ignore[union-attr]
    shutil.copyfile(str(origin), folder / "ext" / f"_bisect{_EXTENSION}")
    zip_of(folder, 1)
    (folder / "settings").symlink_to("one")
    for path in folder.rglob("*"):
        os.utime(path, (MTIME, MTIME), follow_symlinks=False)


def zip_of(folder: Path, width: int) -> None:
    with zipfile.ZipFile(folder / "lib" / "lib.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("from_zip.py"), f"WIDTH = {width}\n")


class Ran(NamedTuple):
    """What a command printed, and whether it says that the trace was kept from before."""

    out: str
    err: str

    @property
    def is_hit(self) -> bool:
        return HIT in self.err


def environment(folder: Path, cache: Path, changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of a command in the folder."""
    paths = [str(folder / "lib"), str(folder / "lib" / "lib.zip"), str(ROOT)]
    variables = {
        **{name: value for name, value in os.environ.items() if name not in _LEFT_OUT},
        "PYTHONPATH": os.pathsep.join(paths),
        "PROFILE_MODEL_CACHE": str(cache),
    }
    return {**variables, **(changes or {})}


def run(
    folder: Path,
    cache: Path,
    arguments: Sequence[str] = (SPEC, *INPUT),
    changes: Mapping[str, str] | None = None,
    python: Sequence[str] = (),
    status: int = 0,
) -> Ran:
    done = _completed(folder, cache, arguments, changes, python)
    assert done.returncode == status, done.stderr
    return Ran(done.stdout, done.stderr)


def is_there(
    folder: Path,
    cache: Path,
    arguments: Sequence[str] = (SPEC, *INPUT),
    changes: Mapping[str, str] | None = None,
    python: Sequence[str] = (),
) -> bool:
    """Whether the same command finds a trace: it has too little memory to load torch, and fails where it needs that."""
    done = _completed(folder, cache, arguments, changes, python, preexec_fn=_without_memory)
    assert (done.returncode == 0) is (HIT in done.stderr), done.stderr
    return done.returncode == 0


def _completed(
    folder: Path,
    cache: Path,
    arguments: Sequence[str],
    changes: Mapping[str, str] | None,
    python: Sequence[str],
    **rest: Any,
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "profiler", *arguments]
    variables = environment(folder, cache, changes)
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False, **rest)


def _without_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_LITTLE, _LITTLE))
