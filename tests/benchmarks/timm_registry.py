"""Every architecture that timm registers, profiled by name in one process.

For each: does it profile, has every operator a formula, and does the layer tree agree with the operator calls? The
tree's total (each call charged to a module, summed from the leaves up) must equal the sum over all calls in every
figure: parameters, bytes and each component of the cost vector. Engines other than meta are named.

Seconds are those of `profile(name)` with its totals and its layer tree, building the model included.
`--against-torch` also runs torch's own FlopCounterMode on each model and compares it with twice our MACs.
"""

from __future__ import annotations

import gc
import json
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import timm
import torch
from tabulate import tabulate
from torch.utils.flop_counter import FlopCounterMode

from profiler import Profile, profile
from profiler.figures.layers import Figures
from tests.benchmarks.progress import track

_SLOWEST = 20
_COLLECT_EVERY = 25  # models; modules refer to each other in circles


@dataclass(slots=True)
class Row:
    """What came of one architecture. `differences` names the figures in which tree and calls disagree."""

    name: str
    seconds: float = 0.0
    params: int | None = None
    macs: int | None = None
    calls: int = 0
    engine: str = ""
    unknown: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    failure: str | None = None
    rss_mb: int = 0
    torch_failure: str | None = None
    torch_macs: int | None = None

    @property
    def is_wrong(self) -> bool:
        return self.failure is not None or bool(self.unknown) or bool(self.differences)


def run(pattern: str, every: int, path: Path | None, against_torch: bool) -> int:
    """Profile, print the tables, perhaps write them; 1 when anything is wrong."""
    start = time.perf_counter()
    names = [name for name in timm.list_models() if fnmatchcase(name, pattern)][::every]
    rows = list(_rows(names, against_torch))
    print("\n".join(_report(rows)))
    if against_torch:
        print("\n".join(_torch_report(rows)))
    print(f"{time.perf_counter() - start:.0f} seconds on the wall")
    if path is not None:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 1 if any(row.is_wrong for row in rows) else 0


def _rows(names: Sequence[str], against_torch: bool) -> Iterator[Row]:
    process = psutil.Process()
    for number, name in enumerate(track(names)):
        row = row_of(name)
        if against_torch:
            _ask_torch(row)
        if number % _COLLECT_EVERY == 0:
            gc.collect()
        row.rss_mb = process.memory_info().rss >> 20
        yield row


def row_of(name: str) -> Row:
    """Profile one architecture. Whatever it raises is a finding, so that the others are still looked at."""
    row, start = Row(name), time.perf_counter()
    try:
        found = profile(f"timm:{name}")
        row.params, row.macs = found.totals.params, found.totals.macs
        row.differences = _differences(found)
    except Exception as error:
        row.failure = "".join(traceback.format_exception(error)).strip()
    else:
        row.calls, row.engine, row.unknown = len(found.trace.calls), found.trace.engine, found.unknown_ops
    row.seconds = time.perf_counter() - start
    return row


def _differences(found: Profile) -> list[str]:
    """The figures in which the root of the tree differs from the sum over calls and weights."""
    tree, calls = found.layers[0].total, found.figures
    return [
        f"{figure.name}: tree {getattr(tree, figure.name)}, calls {getattr(calls, figure.name)}"
        for figure in fields(Figures)
        if getattr(tree, figure.name) != getattr(calls, figure.name)
    ]


# What it says ---------------------------------------------------------------------------------------------------------


def _report(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.is_wrong:
            yield from _complaints(row)
    slowest = sorted(rows, key=lambda row: row.seconds, reverse=True)[:_SLOWEST]
    shown = [(r.name, f"{r.seconds:.2f}", r.calls, r.engine or "failed", r.rss_mb) for r in slowest]
    yield tabulate(shown, headers=("slowest", "seconds", "calls", "engine", "RSS, MB"), disable_numparse=True)
    yield ""
    yield from _summary(rows)


def _complaints(row: Row) -> Iterator[str]:
    if row.failure is not None:
        yield f"FAILS    {row.name}: {row.failure.splitlines()[-1]}"
        yield "\n".join(f"    {line}" for line in row.failure.splitlines()[-9:-1])
    if row.unknown:
        yield f"UNKNOWN  {row.name}: {row.unknown}"
    for difference in row.differences:
        yield f"DIFFERS  {row.name}: {difference}"


def _summary(rows: Sequence[Row]) -> Iterator[str]:
    unknown: Counter[str] = Counter()
    for row in rows:
        unknown.update(row.unknown)
    engines = Counter(row.engine or "failed" for row in rows)
    seconds = [row.seconds for row in rows]
    yield f"architectures      {len(rows)}"
    yield f"failures           {sum(row.failure is not None for row in rows)}"
    yield f"unknown operators  {dict(unknown.most_common()) or 0}"
    yield f"differences        {sum(bool(row.differences) for row in rows)}"
    yield f"engines            {', '.join(f'{name} {times}' for name, times in engines.most_common())}"
    for row in rows:
        if row.engine not in ("", "meta"):
            yield f"                   {row.engine}: {row.name}"
    yield f"seconds            total {sum(seconds):.1f}, median {median(seconds):.3f}, most {max(seconds):.2f}"
    yield f"operator calls     {sum(row.calls for row in rows):,}"
    yield f"memory, MB         first {rows[0].rss_mb}, last {rows[-1].rss_mb}, most {max(row.rss_mb for row in rows)}"


# Torch's own counter --------------------------------------------------------------------------------------------------


def _ask_torch(row: Row) -> None:
    """Count with FlopCounterMode on meta; a model that cannot be built on meta is built for real."""
    try:
        model, image = _on_meta(row.name)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(image)
        row.torch_macs = counter.get_total_flops() // 2
    except Exception as error:
        row.torch_failure = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def _on_meta(name: str) -> tuple[Any, torch.Tensor]:
    try:
        with torch.device("meta"):
            model: Any = timm.create_model(name)
    except Exception:  # it looks at values while it is built
        model = timm.create_model(name).to("meta")
    size = getattr(model, "pretrained_cfg", {}).get("input_size", (3, 224, 224))
    return model.eval(), torch.empty((1, *size), device="meta")


def _torch_report(rows: Sequence[Row]) -> Iterator[str]:
    yield ""
    for row in rows:
        if row.torch_failure is not None:
            yield f"FlopCounterMode fails on {row.name}: {row.torch_failure}"
        elif row.torch_macs != row.macs:
            yield f"FlopCounterMode differs on {row.name}: {row.torch_macs:,} MACs, we count {row.macs or 0:,}"
    failed = sum(row.torch_failure is not None for row in rows)
    same = sum(row.torch_macs == row.macs for row in rows)
    yield f"FlopCounterMode fails on {failed} of {len(rows)}, and counts our MACs on {same}"
