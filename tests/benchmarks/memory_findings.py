"""What is predicted of one model's memory, what is measured, and by which allocations the two differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from profiler import Profile, profile, sources
from profiler.engine.containers.walk import map_leaves
from profiler.engine.run.feed import random_values
from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.figures import memory
from profiler.records.trace import Storage, Trace
from tests.benchmarks.allocations import Recording, alive_at_peak, peak_bytes, plain_kernels, record, uncollected

MOST_BYTES = 4 * 1024**3  # of weights and activations together, since models are run for real


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces of memory of one size from one operator; `label` says more of where they come from."""

    label: str
    size_bytes: int
    count: int = 1

    def __str__(self) -> str:
        return f"{self.count} x {self.size_bytes:,} B of {self.label}"


@dataclass(frozen=True, slots=True)
class Finding:
    """The peaks of one model, in bytes. None: there is no such number.

    workspace: what kernels hold for themselves where most is allocated, by kernel.
    only_real, only_predicted: what is alive at the one peak and not at the other.
    macs, torch_macs: predicted, and by torch's own counter.
    """

    model: str
    predicted: int | None = None
    tensors: int | None = None
    real: int | None = None
    tracked: int | None = None
    workspace: tuple[tuple[str, int], ...] = ()
    only_real: tuple[Group, ...] = ()
    only_predicted: tuple[Group, ...] = ()
    failure: str | None = None
    notes: tuple[str, ...] = ()
    macs: int | None = None
    torch_macs: int | None = None

    @property
    def is_equal(self) -> bool:
        """Whether the prediction is right to the byte."""
        return self.failure is None and self.predicted == self.tensors

    @property
    def has_workspace(self) -> bool:
        return self.real != self.tensors

    def with_macs(self, count: Callable[[], int]) -> Finding:
        """With those of torch's counter, which fails on some models."""
        try:
            return replace(self, torch_macs=count())
        except Exception as error:
            return replace(self, notes=(*self.notes, f"torch's counter fails: {_said(error)}"))

    @property
    def suspect(self) -> str:
        """The operator that most of a difference comes from."""
        both = sorted((*self.only_real, *self.only_predicted), key=lambda group: -group.size_bytes * group.count)
        return both[0].label if both else "no operator"


# Inference ------------------------------------------------------------------------------------------------------------


def find(spec: str) -> Finding:
    """Predict from the spec alone, then run the model."""
    predicted = profile(spec)
    totals = predicted.totals
    needed = totals.param_bytes + totals.buffer_bytes + 2 * totals.peak_activation_bytes
    if needed > MOST_BYTES:
        return Finding(spec, totals.peak_activation_bytes, failure=f"not run: takes {needed / 1024**3:.1f} GB")
    subject = sources.load(spec)
    assert isinstance(subject, Subject)
    assert subject.rebuild is not None
    torch.manual_seed(0)
    model = subject.rebuild().eval()
    generator = torch.Generator().manual_seed(0)
    inputs = map_leaves(lambda leaf: random_values(leaf, generator), subject.args)
    tracked = Tracked(lambda: tracked_on_cpu(model, inputs))
    measured = record(lambda: _infer(model, inputs), tracked.run)
    return compared(spec, lambda: predicted, measured, tracked)


class Tracked:
    """The tracker's run, which warms up for the measured one: it leaves a model as it was, also what a model caches."""

    def __init__(self, track: Callable[[], int]) -> None:
        self._track = track
        self.peak_bytes: int | None = None
        self.notes: tuple[str, ...] = ()

    def run(self) -> None:
        """What goes wrong is a note."""
        try:
            self.peak_bytes = self._track()
        except Exception as error:
            self.notes = (f"the tracker fails: {_said(error)}",)


def _infer(model: nn.Module, inputs: tuple[Any, ...]) -> Any:
    with torch.inference_mode():
        return model(*inputs)


def tracked_on_cpu(model: nn.Module, inputs: tuple[Any, ...]) -> int:
    """The peak by the lifetimes of storages, as predicted, but of real ones."""
    subject = Subject(model, type(model).__name__, "live", inputs)
    with plain_kernels(), uncollected():
        return memory.peak_bytes(trace(subject, real=True))


# Comparing ------------------------------------------------------------------------------------------------------------


def compared(model: str, predict: Callable[[], Profile], measured: Recording, tracked: Tracked) -> Finding:
    """The finding. Where nothing can be predicted, what was measured still stands."""
    found = Finding(
        model,
        tensors=peak_bytes(measured.tensors),
        real=peak_bytes(measured.allocations),
        tracked=tracked.peak_bytes,
        workspace=tuple(measured.workspace_at_peak.most_common()),
        notes=tracked.notes,
    )
    try:
        predicted = predict()
        totals = predicted.totals
    except Exception as error:
        return replace(found, notes=(*found.notes, f"no prediction: {_said(error)}"))
    only_real, only_predicted = differences(measured, predicted.trace)
    peak = totals.peak_activation_bytes
    return replace(found, predicted=peak, only_real=only_real, only_predicted=only_predicted, macs=totals.macs)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Memory that is alive at a peak. `operators` are the names it may be known by to the other side."""

    size_bytes: int
    label: str
    operators: frozenset[str]


def differences(measured: Recording, predicted: Trace) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """What is alive at the measured peak and not at the predicted one, and the other way round.

    Pieces of the same size are the same if they are from the same operator; of what is left, if they are of one size.
    """
    real = [
        _Piece(one.size_bytes, one.label, frozenset(map(_plain, one.operators)))
        for one in alive_at_peak(measured.tensors)
    ]
    ours = _predicted(predicted)
    real, ours = _unmatched(real, ours, lambda a, b: bool(a.operators & b.operators))
    real, ours = _unmatched(real, ours, lambda a, b: True)
    return _groups(real), _groups(ours)


def _predicted(trace: Trace) -> list[_Piece]:
    """Storages that are alive, and in one piece what is alive inside the operator under way."""
    live = memory.live_bytes(trace)
    call = live.index(max(live)) if live else 0
    alive = [storage for storage in trace.storages if _is_alive(storage, call)]
    pieces = [_piece(trace, storage.born, storage.size_bytes) for storage in alive]
    inside = max(live, default=0) - sum(storage.size_bytes for storage in alive)
    return [*pieces, _piece(trace, call, inside, "inside ")] if inside else pieces


def _is_alive(storage: Storage, call: int) -> bool:
    if storage.role == "state" or not 0 <= storage.born <= call:
        return False
    return storage.died is None or call < max(storage.died, storage.born + 1)


def _piece(trace: Trace, number: int, size_bytes: int, where: str = "") -> _Piece:
    call = trace.calls[number]
    op, path = trace.signatures[call.signature].op, trace.modules[call.module].path
    return _Piece(size_bytes, f"{where}{op} in {path or 'the model'}", frozenset({_plain(op)}))


def _plain(operator: str) -> str:
    """`aten::relu_` and `aten.relu_.default` are both `relu`."""
    name = operator.partition("::")[2] or operator.split(".")[1]
    return name.rstrip("_")


def _unmatched(
    real: Sequence[_Piece], ours: Sequence[_Piece], match: Callable[[_Piece, _Piece], bool]
) -> tuple[list[_Piece], list[_Piece]]:
    left, alone = list(ours), []
    for one in real:
        same = next((o for o in left if o.size_bytes == one.size_bytes and match(one, o)), None)
        if same is None:
            alone.append(one)
        else:
            left.remove(same)
    return alone, left


def _groups(pieces: Iterable[_Piece]) -> tuple[Group, ...]:
    counted = Counter((piece.label, piece.size_bytes) for piece in pieces)
    groups = [Group(label, size, count) for (label, size), count in counted.items()]
    return tuple(sorted(groups, key=lambda group: -group.size_bytes * group.count))
