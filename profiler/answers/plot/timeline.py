"""How does a run's memory grow and shrink? What is alive at each operator call, by its role."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate

from profiler import errors
from profiler.answers.memory.compute import MemoryReport
from profiler.figures import memory
from profiler.figures.profile import Profile
from profiler.render.charts.data import Axis, Band, Span, Timeline
from profiler.render.tables import Unit

# From the bottom of the figure: what is there all the time, then what comes and goes.
_WORDS = {
    memory.ACTIVATION: "activations", memory.GRADIENT: "gradients", memory.CACHE: "cache",
    memory.INSIDE: "inside operators",
}  # fmt: skip


def timeline(profile: Profile) -> Timeline:
    """Raises `errors.ProfileError` where nothing ran."""
    report = MemoryReport(profile)
    call, trace = report.call, profile.trace
    if call is None:
        raise errors.nothing_ran(profile.model, "its memory is not known")
    layers = tuple(report.layer(position) for position in range(len(trace.calls)))
    phases = tuple(Span(phase.kind, phase.first, phase.last) for phase in trace.phases)
    axis = Axis("alive", "Memory", Unit.BYTES)
    bands = (*_constant(profile), *_moving(profile))
    return Timeline(profile.model, axis, layers, bands, phases, call, layers[call] or profile.model)


def _constant(profile: Profile) -> list[Band]:
    totals, calls = profile.totals, len(profile.trace.calls)
    state = memory.state_bytes(profile.trace)
    amounts = {
        "parameters": totals.param_bytes + totals.buffer_bytes,
        "inputs": totals.input_bytes or 0,
        "optimizer state": state,
    }
    return [Band(role, (size,) * calls) for role, size in amounts.items() if size]


def _moving(profile: Profile) -> list[Band]:
    calls = len(profile.trace.calls)
    changes: dict[str, list[int]] = defaultdict(lambda: [0] * (calls + 1))
    for life in memory.lives(profile.trace):
        change = changes[life.piece.role]
        change[max(life.piece.call, 0)] += life.piece.size_bytes
        if life.died is not None:
            change[min(life.died, calls)] -= life.piece.size_bytes
    roles = [role for role in _WORDS if role in changes]
    return [Band(_WORDS[role], tuple(accumulate(changes[role]))[:calls]) for role in roles]
