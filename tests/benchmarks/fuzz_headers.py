"""`python -m tests.benchmarks.fuzz_headers --seconds 60`: a fuzzer looks for a file that the header readers fail on.

Every kind of file gets its share of the time, in a process of its own. With atheris (`pip install atheris`) the fuzzer
is guided by the code that a file reaches; without it, Hypothesis changes files at random. A file that is neither read
nor refused in a line, or that takes long or much memory, is kept where the output says, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

SLOW_S, MOST_MB = 5, 2048


def main(argv: list[str] | None = None) -> int:
    """Run all kinds, or, as one of the processes, a kind."""
    from tests.checkpoints.mutations import KINDS

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fuzz_headers")
    parser.add_argument("--seconds", type=int, default=60, help="for all kinds together")
    parser.add_argument("--kind", choices=KINDS, help="one alone, in this process")
    chosen = parser.parse_args(argv)
    if chosen.kind is not None:
        return (_guided if find_spec("atheris") else _random)(chosen.kind, chosen.seconds)
    share = max(1, chosen.seconds // len(KINDS))
    return max(_apart(kind, share) for kind in KINDS)


def _apart(kind: str, seconds: int) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.fuzz_headers", "--kind", kind, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    failed = done.returncode != 0
    told = lines[-40:] if failed else [line for line in lines if line.startswith(("Done", "stat::number_of"))]
    print(f"{kind}: {'FAILED' if failed else 'no crash'}", *told, sep="\n  ")
    return int(failed)


def _guided(kind: str, seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(
        include=["profiler.checkpoints", "profiler.packing", "profiler.sources.checkpoint"]
    ):
        from tests.checkpoints.mutations import outcome, seeds

    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{kind}-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "seed").write_bytes(seeds()[kind])

    def once(content: bytes) -> None:
        outcome(folder, kind, content)

    options = (f"-max_total_time={seconds}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MOST_MB}", "-max_len=8192")
    kept = f"-artifact_prefix={folder}/"
    atheris.Setup([sys.argv[0], *options, kept, "-print_final_stats=1", str(corpus)], once)
    atheris.Fuzz()  # which ends the process
    return 0


def _random(kind: str, seconds: int) -> int:
    from hypothesis import HealthCheck, given, settings

    from tests.checkpoints.mutations import damaged, outcome, seeds

    ends, folder, done = time.monotonic() + seconds, Path(tempfile.mkdtemp(prefix=f"fuzz-{kind}-")), 0

    @settings(max_examples=1000, deadline=1000 * SLOW_S, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(seeds()[kind]))
    def some(content: bytes) -> None:
        outcome(folder, kind, content)

    while time.monotonic() < ends:
        some()
        done += 1000
    print(f"Done {done} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
