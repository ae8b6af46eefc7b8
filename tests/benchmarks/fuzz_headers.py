"""`python -m tests.benchmarks.fuzz_headers --seconds 60`: a fuzzer looks for a file that a reader fails on.

Every kind of file gets its share of the time, in a process of its own. With atheris (`pip install atheris`) the fuzzer
is guided by the code that a file reaches; without it, Hypothesis changes files at random. A file that is neither read
nor refused in a line, or that takes long or much memory, is kept where the output says, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

WHOLE = ("pt2", "ONNX", "trace.json", "TOML", "CSV")  # read by the command as a whole
SLOW_S, MOST_MB = 5, 2048


def main(argv: list[str] | None = None) -> int:
    """Run all kinds, or, as one of the processes, a kind."""
    from tests.checkpoints.mutations import KINDS as CHECKPOINTS

    kinds = (*CHECKPOINTS, *WHOLE)
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fuzz_headers")
    parser.add_argument("--seconds", type=int, default=60, help="for all kinds together")
    parser.add_argument("--kind", choices=kinds, help="one alone, in this process")
    chosen = parser.parse_args(argv)
    if chosen.kind is not None:
        return (_guided if find_spec("atheris") else _random)(chosen.kind, chosen.seconds)
    share = max(1, chosen.seconds // len(kinds))
    return max(_apart(kind, share) for kind in kinds)


def _apart(kind: str, seconds: int) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.fuzz_headers", "--kind", kind, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    failed = done.returncode != 0
    told = lines[-40:] if failed else [line for line in lines if line.startswith(("Done", "stat::number_of"))]
    print(f"{kind}: {'FAILED' if failed else 'no crash'}", *told, sep="\n  ")
    return int(failed)


def _kind(kind: str) -> tuple[bytes, Callable[[Path, bytes], object]]:
    """A file that is right, and what a damaged one is held to."""
    from tests.checkpoints import mutations

    if kind in mutations.KINDS:
        return mutations.seeds()[kind], lambda folder, content: mutations.outcome(folder, kind, content)
    from tests.hostile.seeds import seed

    return seed(kind).content, lambda folder, content: _whole(kind, folder, content)


def _whole(kind: str, folder: Path, content: bytes) -> None:
    """By the command itself."""
    from tests.hostile.seeds import seed, written
    from tests.hostile.worker import outcome

    os.chdir(folder)
    with tempfile.TemporaryFile() as below:
        result = outcome(seed(kind), written(seed(kind), folder, content or b"\0"), below)
    if result not in ("read", "refused"):
        raise AssertionError(result)


def _guided(kind: str, seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(
        include=["profiler.sources", "profiler.records", "profiler.answers.models.metrics"]
    ):
        content, check = _kind(kind)

    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{kind}-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "seed").write_bytes(content)

    def once(damaged: bytes) -> None:
        check(folder, damaged)

    options = (f"-max_total_time={seconds}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MOST_MB}", "-max_len=65536")
    kept = f"-artifact_prefix={folder}/"
    atheris.Setup([sys.argv[0], *options, kept, "-print_final_stats=1", str(corpus)], once)
    atheris.Fuzz()  # which ends the process
    return 0


def _random(kind: str, seconds: int) -> int:
    from hypothesis import HealthCheck, given, settings

    from tests.checkpoints.mutations import damaged

    seed, check = _kind(kind)
    ends, folder, done = time.monotonic() + seconds, Path(tempfile.mkdtemp(prefix=f"fuzz-{kind}-")), 0

    @settings(max_examples=1000, deadline=1000 * SLOW_S, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(seed))
    def some(content: bytes) -> None:
        check(folder, content)

    while time.monotonic() < ends:
        some()
        done += 1000
    print(f"Done {done} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
