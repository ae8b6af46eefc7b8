"""Every architecture of transformers, with its default configuration, profiled by name in a process each.

For each: does it profile without its weights, has every operator a formula, and is the number of parameters the one
that `model.num_parameters()` gives? torch's own FlopCounterMode runs on the same class, built and fed on the meta
device; twice our MACs have to be what it counts, wherever it runs. Default configurations that nobody can build, or
whose inputs nothing here knows, are listed with the reason.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import transformers
from tabulate import tabulate
from torch.utils.flop_counter import FlopCounterMode

from profiler import Profile, errors, sources
from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.records.inputs import TensorSpec, written
from tests.benchmarks.progress import track

_TIME_LIMIT_S, _MEMORY_BYTES = 180.0, 14 << 30


@dataclass(slots=True)
class Row:
    """What came of one architecture. `torch_macs` is half of what FlopCounterMode counts, or why it counts nothing."""

    config: str
    cls: str = ""
    modalities: str = ""
    inputs: list[str] = field(default_factory=list)
    params: int | None = None
    num_parameters: int | None = None
    macs: int | None = None
    torch_macs: int | str | None = None
    engine: str = ""
    experts: bool = False
    unknown: dict[str, int] = field(default_factory=dict)
    failure: str | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether it profiles and something is not as it should be."""
        agrees = not isinstance(self.torch_macs, int) or self.torch_macs == self.macs
        return self.failure is None and not (self.params == self.num_parameters and agrees and not self.unknown)


def names() -> list[str]:
    """The configuration classes of the architectures that have a model."""
    return sorted({config.__name__ for config in list(transformers.MODEL_MAPPING.keys())})


def run(pattern: str, every: int, path: Path | None) -> int:
    """Profile, print the table as Markdown, perhaps write it as JSON; 1 when anything is wrong."""
    chosen = [name for name in names() if fnmatchcase(name, pattern)][::every]
    rows = [_apart(name) for name in track(chosen)]
    print("\n".join(_report(rows)))
    if path is not None:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 1 if any(row.is_wrong for row in rows) else 0


def _apart(name: str) -> Row:
    """In a process of its own: some need more memory than there is, and some never end."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(name, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        row = ours.recv() if ours.poll(_TIME_LIMIT_S) else Row(name, failure=f"took over {_TIME_LIMIT_S:g} seconds")
    except EOFError:
        row = Row(name, failure="its process died")
    process.kill()
    process.join()
    return row


def _child(name: str, out: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    row = Row(name)
    try:
        subject = sources.load(f"hf:{name}()")
        assert isinstance(subject, Subject)
        _fill(row, subject)
        row.torch_macs = _by_torch(subject)
    except errors.ProfileError as error:
        row.failure = str(error)
    except Exception as error:
        row.failure = f"{type(error).__name__}: {errors.first_line(error)}"
    out.send(row)


def _fill(row: Row, subject: Subject) -> None:
    model: Any = subject.model
    row.cls = type(model).__name__
    given = model.input_modalities
    row.modalities = given if isinstance(given, str) else ", ".join(given)
    row.inputs = [f"{name}={_shape(value)}" for name, value in subject.kwargs.items()]
    found = Profile(trace(subject))
    row.engine = found.trace.engine
    row.params, row.num_parameters = found.totals.params, model.num_parameters()
    row.macs, row.unknown = found.totals.macs, found.unknown_ops
    row.experts = any("grouped_mm" in signature.op for signature in found.trace.signatures)


def _shape(value: Any) -> str:
    return written(TensorSpec(tuple(value.shape)))


def _by_torch(subject: Subject) -> int | str:
    """MACs by FlopCounterMode, of the class built on meta."""
    cls: Any = type(subject.model)
    config: Any = subject.model.config
    try:
        with torch.device("meta"):
            model = cls._from_config(type(config)()).eval()
        kwargs = {name: _on_meta(value) for name, value in subject.kwargs.items()}
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(**kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {errors.first_line(error)}"
    return counter.get_total_flops() // 2


def _on_meta(value: Any) -> torch.Tensor:
    if isinstance(value, TensorSpec):
        return torch.empty(value.shape, dtype=getattr(torch, value.dtype), device="meta")
    made: torch.Tensor = value.to("meta")
    return made


def _report(rows: Sequence[Row]) -> Iterator[str]:
    good = [row for row in rows if row.failure is None]
    counted = [row for row in good if isinstance(row.torch_macs, int)]
    on_meta = sum(row.engine == "meta" for row in good)
    yield f"- {len(good)} of {len(rows)} default configurations profile, {on_meta} on meta."
    yield f"- Parameters equal `num_parameters()` in {sum(r.params == r.num_parameters for r in good)} of {len(good)}."
    yield f"- No unknown operator in {sum(not r.unknown for r in good)} of {len(good)}."
    yield (
        f"- FlopCounterMode runs on {len(counted)} and counts twice our MACs on "
        f"{sum(r.torch_macs == r.macs for r in counted)}."
    )
    yield ""
    yield tabulate([_cells(row) for row in good], _HEADERS, tablefmt="github", disable_numparse=True)
    yield ""
    yield from _not_profiled([row for row in rows if row.failure])


# What a sentence about a failure has in it, and what that means.
_WHY = {
    "whose shape is not known": "Inputs that nothing here knows the shapes of",
    "cannot be built": "The default configuration cannot be built",
    "fails on input": "Fails on what it is fed: parts of the default configuration that do not fit each other, or "
    "inputs that a processor has to prepare",
    "": "Memory, time, other reasons",
}


def _not_profiled(rows: Sequence[Row]) -> Iterator[str]:
    by_why: dict[str, list[str]] = {words: [] for words in _WHY.values()}
    for row in rows:
        by_why[next(words for part, words in _WHY.items() if part in str(row.failure))].append(row.config)
    for words, names in by_why.items():
        if names:
            yield f"{words} ({len(names)}): {', '.join(names)}."
            yield ""


_HEADERS = ["architecture", "modalities", "fed", "parameters", "MACs", "FlopCounterMode / 2", "engine"]


def _cells(row: Row) -> list[str]:
    counted = "the same" if row.torch_macs == row.macs else row.torch_macs
    if isinstance(counted, str) and counted != "the same":
        counted = f"fails: {counted.partition(': ')[2][:60]}"
    if isinstance(counted, int):
        counted = f"{counted:,}"
    name = f"{row.cls}{' (mixture of experts)' if row.experts else ''}"
    unknown = f"; unknown: {', '.join(row.unknown)}" if row.unknown else ""
    params = f"{row.params:,}" + (
        "" if row.params == row.num_parameters else f" (num_parameters {row.num_parameters:,})"
    )
    return [name, row.modalities, ", ".join(row.inputs), params, f"{row.macs:,}", f"{counted}", row.engine + unknown]
