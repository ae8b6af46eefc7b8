"""Which figures of a model can be limited? The one list for options, budget files and Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from profiler.figures import memory
from profiler.figures.cache import cache_bytes, contents
from profiler.records.conditions import DECODE, PREFILL
from profiler.render.tables import Unit

if TYPE_CHECKING:
    from profiler.figures.layers import Layer
    from profiler.figures.profile import Profile

CACHE, PEAK_MEMORY, SIZE, TIME, UNKNOWN = "cache", "peak-memory", "size", "time", "unknown"
FIRST_TOKEN, PER_TOKEN = "time-to-first-token", "time-per-token"
OF_PHASES: Mapping[str, str] = {FIRST_TOKEN: PREFILL, PER_TOKEN: DECODE}  # of a language model on devices


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a layer adds to a figure; the model's own path is "". What is in no layer has no path, but words."""

    path: str | None
    amount: int
    words: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """What can be limited: its name in options and files, its words, its unit, and how it is got from a profile.

    help: what `--help` says of its limit.
    of: None where nothing ran that tells.
    by_layer: what each layer itself adds to it, without the layers inside; together they are the figure.
    needs_formulas: whether an operator without a formula leaves it incomplete.
    more: what is to be said of it in a profile, behind its words.
    """

    name: str
    words: str
    unit: Unit
    help: str
    of: Callable[[Profile], int | None]
    by_layer: Callable[[Profile], Sequence[Contribution]]
    needs_formulas: bool = False
    more: Callable[[Profile], str] = lambda profile: ""

    @property
    def key(self) -> str:
        return f"max-{self.name}"

    @property
    def keyword(self) -> str:
        return self.key.replace("-", "_")


def _total(name: str) -> Callable[[Profile], int | None]:
    total: Callable[[Profile], int | None] = attrgetter(f"totals.{name}")
    return total


def _each(own: Callable[[Layer], int]) -> Callable[[Profile], list[Contribution]]:
    return lambda profile: [Contribution(layer.path, own(layer)) for layer in profile.layers]


def _by_module(profile: Profile, amounts: Iterable[tuple[int, int]]) -> list[Contribution]:
    """Sum amounts up, each with the index of its module."""
    sums = [0] * len(profile.layers)
    for module, amount in amounts:
        sums[module] += amount
    return [Contribution(layer.path, amount) for layer, amount in zip(profile.layers, sums, strict=True)]


def _cached(profile: Profile) -> list[Contribution]:
    trace = profile.trace
    parts = ((memory.module_of(trace, part.storage), part.tensor.size_bytes) for part in contents(trace))
    return _by_module(profile, parts)


def _at_peak(profile: Profile) -> list[Contribution]:
    """Weights and buffers where they are, and what is alive at the peak where it was made or is read first."""
    trace, owns = profile.trace, [layer.own for layer in profile.layers]
    weights = [(module, own.param_bytes + own.buffer_bytes) for module, own in enumerate(owns)]
    alive = [(piece.module, piece.size_bytes) for piece in memory.alive_at_peak(trace)]
    inputs = Contribution(None, memory.input_bytes(trace), "the inputs")
    state = Contribution(None, memory.state_bytes(trace), "the optimizer's state")
    return [*_by_module(profile, weights + alive), inputs, state]


def _time(profile: Profile) -> int | None:
    """In nanoseconds."""
    times = profile.times
    return None if times is None else round(times.held(times.whole) * 1e9)


def _taken(profile: Profile) -> list[Contribution]:
    times = profile.times
    owns = () if times is None else [round(times.held(own) * 1e9) for own in times.own]
    return [Contribution(layer.path, own) for layer, own in zip(profile.layers, owns, strict=False)]


def _where(profile: Profile) -> str:
    """Which kind of time it is, and of which device."""
    times = profile.times
    return "" if times is None else f", {times.word} on {times.device}"


_FIGURES = (
    Figure("params", "parameters", Unit.EXACT, "Parameters: 25M.", _total("params"), _each(attrgetter("own.params"))),
    Figure(
        "trainable", "trainable parameters", Unit.EXACT, "Trainable parameters.",
        _total("trainable_params"), _each(attrgetter("own.trainable_params")),
    ),
    Figure(
        SIZE, "size", Unit.BYTES, "What the parameters take: 100MB.",
        _total("param_bytes"), _each(attrgetter("own.param_bytes")),
    ),
    Figure(
        "macs", "MACs", Unit.AMOUNT, "MACs: 4G.",
        _total("macs"), _each(lambda layer: int(layer.own.cost.macs)), needs_formulas=True,
    ),
    Figure(
        "flops", "FLOPs", Unit.AMOUNT, "FLOPs, in the convention chosen.",
        _total("flops"), _each(attrgetter("own_flops")), needs_formulas=True,
    ),
    Figure(
        "activations", "activations", Unit.BYTES, "What the forward pass allocates: 50MB.",
        _total("activation_bytes"), _each(attrgetter("own.activation_bytes")), needs_formulas=True,
    ),
    Figure(
        CACHE, "cache", Unit.BYTES, "The cache of tokens as it is after a run: 1GB.",
        lambda p: cache_bytes(p.trace) if p.trace.was_run else None, _cached,
    ),
    Figure(
        PEAK_MEMORY, "peak memory", Unit.BYTES, "The most at once: parameters, buffers, inputs, live activations.",
        _total("peak_memory_bytes"), _at_peak, needs_formulas=True,
    ),
    Figure(
        UNKNOWN, "calls without a formula", Unit.EXACT, "Calls without a formula; else any fails a limit on MACs.",
        lambda p: p.coverage.unknown if p.trace.was_run else None, _each(attrgetter("own.unknown_calls")),
    ),
    Figure(
        TIME, "time", Unit.NANOSECONDS, "How long a run takes on --device: 20ms.", _time, _taken,
        needs_formulas=True, more=_where,
    ),
)  # fmt: skip
FIGURES: Mapping[str, Figure] = {figure.name: figure for figure in _FIGURES}
_PHASE_FIGURES = (
    Figure(
        FIRST_TOKEN, "time to first token", Unit.NANOSECONDS, "The prefill on --device, at best: 500ms.", _time, _taken,
        needs_formulas=True, more=_where,
    ),
    Figure(
        PER_TOKEN, "time per token", Unit.NANOSECONDS, "A decode step on --device, at best: 20ms.", _time, _taken,
        needs_formulas=True, more=_where,
    ),
)  # fmt: skip
ALL_FIGURES: Mapping[str, Figure] = {**FIGURES, **{figure.name: figure for figure in _PHASE_FIGURES}}
