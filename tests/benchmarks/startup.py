"""`python -m tests.benchmarks.startup`: the command as a whole process, from the shell's point of view.

* `profile-model resnet34` against a process that does only what cannot be avoided: `import torch, torchvision` and
  building resnet34 on meta. The two take turns (A B A B ...); given are the medians and the median of the ratios of
  neighbours, which a drift of the machine's speed does not touch.
* `profile-model FILE.py:CLASS` for three models as people write them (`tests/own_models.py`) against `import torch`.
* `profile-model --help`, `profile-model FILE.json`, which shows a saved trace, and `profile-model resnet34` where its
  trace is in the cache: none may import torch. That is looked up in `sys.modules` afterwards; profiling resnet34 in the
  same way without the cache, which must import torch, shows that the look-up can fail.

Exit status: 1 when torch is imported where it should not be, otherwise 0; nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tabulate import tabulate

from tests.benchmarks.progress import track

_COMMAND = str(Path(sys.executable).with_name("profile-model"))
_FLOOR = "import torch, torchvision\nwith torch.device('meta'): torchvision.models.resnet34()"
_KEPT = "profile-model resnet34, kept"
_OWN = {"Images": "1x3x32x32", "Words": "1x16:int64", "Steps": "1x16:int64"}
_OWN_FILE = Path(__file__).parent.parent / "own_models.py"
_AIM_OF_FLOOR, _AIM_OF_TORCH, _AIM_KEPT_S = 1.05, 1.15, 0.3
_LOOK_UP = """
import sys
from profiler.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Time, look up, print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.startup", description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="turns of each process, after one that is not timed")
    pairs = parser.parse_args(argv).pairs
    with tempfile.TemporaryDirectory() as folder:
        saved, kept = str(Path(folder, "resnet34.json")), {"PROFILE_MODEL_CACHE": str(Path(folder, "traces"))}
        _run(_Process([_COMMAND, "resnet34", "--save", saved]))
        print("\n".join(_times(pairs, saved, kept)))
        _imports_torch("resnet34", kept)  # which keeps it for the same command
        lazy = {"--help": _imports_torch("--help"), "FILE.json": _imports_torch(saved)}
        lazy["resnet34, kept"] = _imports_torch("resnet34", kept)
    for arguments, imported in lazy.items():
        print(f"profile-model {arguments:14}  {'IMPORTS TORCH' if imported else 'imports no torch'}")
    can_fail = _imports_torch("resnet34")
    says = "imports torch, so the look-up works" if can_fail else "THE LOOK-UP DOES NOT WORK"
    print(f"profile-model resnet34        {says}")
    return 0 if can_fail and not any(lazy.values()) else 1


class _Process(NamedTuple):
    """A command line, and variables of its environment that are others than ours."""

    command: Sequence[str]
    variables: Mapping[str, str] = {}


def _times(pairs: int, saved: str, kept: Mapping[str, str]) -> Iterator[str]:
    commands = {
        "profile-model resnet34": _Process([_COMMAND, "resnet34", "--no-cache"]),
        "import torch, torchvision; build": _Process([sys.executable, "-c", _FLOOR]),
        "import torch": _Process([sys.executable, "-c", "import torch"]),
        **{name: _own(name) for name in _OWN},
        "profile-model --help": _Process([_COMMAND, "--help"]),
        "profile-model FILE.json": _Process([_COMMAND, saved]),
        _KEPT: _Process([_COMMAND, "resnet34"], kept),
        "python -c pass": _Process([sys.executable, "-c", "pass"]),
    }
    seconds = _in_turns(commands, pairs)
    rows = [(name, f"{median(s):.3f}", f"{min(s):.3f}", f"{max(s):.3f}") for name, s in seconds.items()]
    yield tabulate(rows, ("process", "median, s", "least", "most"), disable_numparse=True)
    ours, floor, torch_alone, *_ = seconds.values()
    yield f"\nprofile-model resnet34 takes {_ratio(ours, floor, _AIM_OF_FLOOR)} times what importing and building take"
    for name in _OWN:
        times = _ratio(seconds[name], torch_alone, _AIM_OF_TORCH)
        yield f"profile-model {_OWN_FILE.name}:{name} takes {times} times what `import torch` takes"
    yield f"a kept trace of it is shown in {median(seconds[_KEPT]):.3f} s (aim {_AIM_KEPT_S})"


def _own(name: str) -> _Process:
    return _Process([_COMMAND, f"{_OWN_FILE}:{name}", "--input", _OWN[name], "--no-cache"])


def _ratio(ours: Sequence[float], floor: Sequence[float], aim: float) -> str:
    ratios = [mine / bare for mine, bare in zip(ours, floor, strict=True)]
    return f"{median(ratios):.3f} (least {min(ratios):.3f}, most {max(ratios):.3f}; aim {aim})"


def _in_turns(commands: dict[str, _Process], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        _run(command)  # fills the file system's cache, and that of traces
    for name in track(list(commands) * rounds):
        start = time.perf_counter()
        _run(commands[name])
        seconds[name].append(time.perf_counter() - start)
    return seconds


def _run(process: _Process) -> None:
    done = subprocess.run(
        process.command, env={**os.environ, **process.variables}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(process.command)} leaves with {done.returncode}: {done.stderr.strip()}")


def _imports_torch(argument: str, variables: Mapping[str, str] | None = None) -> bool:
    """Whether torch is loaded when the command is done."""
    command = [sys.executable, "-c", _LOOK_UP, argument]
    done = subprocess.run(command, env={**os.environ, **(variables or {})}, capture_output=True, text=True, check=True)
    return done.stderr.split()[-1] == "True"


if __name__ == "__main__":
    sys.exit(main())
