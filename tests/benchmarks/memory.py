"""`python -m tests.benchmarks.memory`: is the peak that is predicted on meta tensors the one that a real run has?

Every model is run for real on the CPU, one thread and without oneDNN, in a process of its own, while torch's profiler
tells of every allocation. "real" is the most that was allocated at once, "tensors" the most without what kernels hold
for themselves; weights and inputs are in neither. With `--training` a run is forward and backward, gradients included.
Exit status 1 when a prediction is not equal to the tensors' peak.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from tests.benchmarks import memory_findings, memory_training
from tests.benchmarks.isolated import Lost, each
from tests.benchmarks.memory_findings import Finding
from tests.benchmarks.memory_models import MODELS
from tests.benchmarks.memory_report import report
from tests.benchmarks.memory_training_models import TRAINING

_PRELOAD = ("torchvision", "timm", "torch.profiler", "tests.benchmarks.memory_training")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, compare, print."""
    chosen = _parser().parse_args(argv)
    find = memory_training.find if chosen.training else memory_findings.find
    known = TRAINING if chosen.training else MODELS
    cases = [case for case in known if any(fnmatchcase(case, pattern) for pattern in chosen.only or "*")]
    findings = measured(find, cases, chosen.time_limit, chosen.jobs)
    text = "\n".join(report(findings))
    if chosen.output:
        chosen.output.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
    return 0 if findings and all(finding.is_equal and finding.tracked is not None for finding in findings) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.memory", description=__doc__)
    parser.add_argument("--training", action="store_true", help="a training step instead of an inference")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="models, like 'resnet*'; may be repeated")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the tables there, as Markdown")
    parser.add_argument("--time-limit", type=float, default=300.0, help="seconds a model")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    return parser


def measured(find: Callable[[str], Finding], cases: Sequence[str], time_limit_s: float, jobs: int) -> list[Finding]:
    """In the order of the cases, whichever was first."""
    found: dict[str, Finding] = {}
    started = time.monotonic()
    for case, outcome in each(find, cases, _PRELOAD, time_limit_s, jobs):
        found[case] = Finding(case, failure=outcome.reason) if isinstance(outcome, Lost) else outcome
        print(f"\r{len(found)}/{len(cases)} {time.monotonic() - started:.0f} s {case:40}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return [found[case] for case in cases]


if __name__ == "__main__":
    sys.exit(main())
