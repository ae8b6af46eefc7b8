"""How long does a run take somewhere? Seconds, and whether they were measured, predicted or are a lower bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from profiler.records.trace import Trace

# The three words, which are never mixed.
MEASURED, PREDICTED, LOWER_BOUND = "measured", "predicted", "lower bound"
# What a device can be kept from being faster by; of what was measured, the last is all that is neither of the others.
ARITHMETIC, MEMORY, LAUNCHES, OVERHEAD = "arithmetic", "memory", "launches", "overhead"


class Duration(NamedTuple):
    """Seconds, and the interval that they are in.

    seconds: the median of what was measured, the prediction, or the lower bound.
    low, high: measured: the confidence interval of the median. Predicted: the interval that most of such predictions
        are right within. Lower bound: `low` (which is `seconds`) with chains of elementwise operators fused, `high`
        where every operator reads its inputs from memory and writes its outputs there.
    """

    seconds: float
    low: float
    high: float


NO_TIME = Duration(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Times:
    """The time of one run of a trace's model.

    word: "measured", "predicted" or "lower bound".
    device: its name.
    title: the device in words.
    own, total: for each of `Trace.modules`, the time that it takes itself, and with the modules in it; `total[0]` is
        the whole.
    bounds: for each module, what most of its total time is bound by; None where that is not known.
    calls: seconds of each of `Trace.calls`; none where only modules were measured.
    phases: seconds by the phases of a training step, "forward", "backward", ...; none in inference.
    unknown_calls: calls without a formula, which no time could be computed for.
    samples: how many there are in the batch; None where no input says.
    notes: what must be said of the whole, as sentences.
    layer_notes: what must be said of the layers' times.
    """

    word: str
    device: str
    title: str
    own: tuple[Duration, ...]
    total: tuple[Duration, ...]
    bounds: tuple[str | None, ...]
    calls: tuple[float, ...] = ()
    phases: Mapping[str, Duration] = field(default_factory=dict)
    unknown_calls: int = 0
    samples: int | None = None
    notes: tuple[str, ...] = ()
    layer_notes: tuple[str, ...] = ()

    @property
    def whole(self) -> Duration:
        """Of the whole model."""
        return self.total[0]

    def held(self, duration: Duration) -> float:
        """Seconds that a limit is held against. What was measured is over one where its whole interval is.

        duration: of these times.
        """
        return duration.low if self.word == MEASURED else duration.seconds

    @property
    def throughput(self) -> float | None:
        """Samples a second."""
        return self.samples / self.whole.seconds if self.samples and self.whole.seconds else None


class Timer(Protocol):
    """What says how long a trace takes: a device of the catalogue, or a calibrated one. Raises `ProfileError`."""

    @property
    def name(self) -> str: ...

    def times(self, trace: Trace) -> Times: ...
