"""`python -m tests.benchmarks.zoo [PATTERN]`: how fast is a whole zoo swept, with one worker and with two?

CPU seconds a model are those of one worker, whose processes are all waited for: other work on the machine changes them
little. The aim is all of timm, 1,371 models, in 100 s with two workers on two cores, so 146 ms of CPU a model.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from profiler.sources import matching

PATTERN = "timm:*"
AIM_S = 2 * 100 / 1371  # of CPU, a model


def main(argv: Sequence[str]) -> int:
    """Sweep the models that a pattern names; every Nth, where a second argument says N."""
    every = int(argv[1]) if argv[1:] else 1
    models = matching(argv[0] if argv else PATTERN)[::every]
    one = swept(models, "--jobs", "1")
    two = swept(models, "--jobs", "2")
    each = one[1] / len(models)
    print(f"{len(models)} models, one worker: {one[0]:.1f} s, {one[1]:.1f} s of CPU, {1000 * each:.0f} ms a model")
    print(f"two workers: {two[0]:.1f} s, {one[0] / two[0]:.2f} times as fast")
    print(f"CPU a model against the aim: {each / AIM_S:.2f}")
    return 0


def swept(models: Sequence[str], *options: str) -> tuple[float, float]:
    """By the command: seconds, and seconds of CPU of the processes that it waits for."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "models.toml"
        listed.write_text("".join(f'[[models]]\nmodel = "{model}"\n' for model in models), encoding="utf-8")
        output = Path(folder) / "zoo.csv"
        command = [sys.executable, "-m", "profiler", "sweep", str(listed), "--no-cache", *options]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([*command, "-o", str(output)], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
