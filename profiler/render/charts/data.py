"""What is a chart? Axes, and the raw values that are drawn on them; a file beside this one draws each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from profiler.render import numbers
from profiler.render.tables import Better, Unit


@dataclass(frozen=True, slots=True)
class Axis:
    """What is drawn along one axis: `heading` for people, `name` and `kind` for programs, as a `Column` has them.

    remark: what the values are not what they are without: the convention, or the device with the word of its times.
    """

    name: str
    heading: str
    unit: Unit
    kind: str = ""
    remark: str = ""
    is_log: bool = False

    def scale(self, values: Sequence[float]) -> tuple[float, str]:
        """What values are divided by to be drawn, and the label that says so: 1e9, "MACs (G)"."""
        step, suffix = numbers.scale(max(values, default=0), self.unit)
        label = f"{self.heading} ({suffix})" if suffix else self.heading
        return step, f"{label}, {self.remark}" if self.remark else label


@dataclass(frozen=True, slots=True)
class Dot:
    """A labelled point; what somebody else measured keeps its digits.

    interval: of x, where that is a time that was measured or predicted.
    """

    name: str
    x: float | Decimal
    y: float | Decimal
    is_on_front: bool = False
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Scatter:
    """A point a model. best: which value of x and of y is the best; None where one has none, and there is no front.

    left_out: models that lack a value.
    """

    x: Axis
    y: Axis
    dots: tuple[Dot, ...]
    best: tuple[Better, Better] | None
    left_out: tuple[str, ...] = ()

    @property
    def front(self) -> list[Dot]:
        """The models that none is better than, along x."""
        return sorted((dot for dot in self.dots if dot.is_on_front), key=lambda dot: (dot.x, dot.y))


OTHERS = "other"  # kinds that are too small to be drawn by themselves, together


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what its parts come to, in the order of the chart's kinds."""

    name: str
    unit: Unit
    parts: tuple[float, ...]

    @property
    def whole(self) -> float:
        return sum(self.parts)


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of stacked parts, one part a kind of layer. `is_share`: each bar is drawn as long as the others."""

    axis: Axis
    kinds: tuple[str, ...]
    bars: tuple[Bar, ...]
    is_share: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Positions `first` up to, without, `last` that belong together: a stage of a model, a phase of a training step."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One of several drawings above each other: an axis, and a value at each position."""

    axis: Axis
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Depth:
    """What each layer costs itself, along the model's depth; `stages` are the parts of the model that they stand in."""

    model: str
    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    stages: tuple[Span, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """What one role takes at each call, in bytes."""

    role: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is alive at each operator call, by its role; at `peak` most is, in the layer `place`."""

    model: str
    axis: Axis
    layers: tuple[str, ...]
    bands: tuple[Band, ...]
    phases: tuple[Span, ...]
    peak: int
    place: str

    @property
    def peak_bytes(self) -> int:
        return sum(band.values[self.peak] for band in self.bands)


@dataclass(frozen=True, slots=True)
class Curve:
    """One model's values at what was run, and the curve through them where an exact polynomial goes there."""

    name: str
    points: tuple[tuple[float, float], ...]
    curve: tuple[tuple[float, float], ...]
    equation: str | None


@dataclass(frozen=True, slots=True)
class Curves:
    """Figures over what varies. `x` is what varies; a panel is one figure, and has a curve a model."""

    x: Axis
    panels: tuple[tuple[Axis, tuple[Curve, ...]], ...]


@dataclass(frozen=True, slots=True)
class Roof:
    """FLOP a second that a device reaches at most in each dtype, the most used first; and bytes a second."""

    name: str
    peaks: tuple[tuple[str, float], ...]
    bytes_per_second: float

    @property
    def highest(self) -> float:
        return max(peak for _, peak in self.peaks)


@dataclass(frozen=True, slots=True)
class Load:
    """Something that runs below a roof: its FLOP a byte and FLOP a second, its seconds, and its share of the time."""

    name: str
    intensity: float
    flops_per_second: float
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Roofline:
    """Layers, or models, below a device's roof."""

    x: Axis
    y: Axis
    roof: Roof
    loads: tuple[Load, ...]


@dataclass(frozen=True, slots=True)
class TradeoffCurve:
    """What one model reaches over all thresholds, as (recall, precision); its best F1, where, and at which of them."""

    name: str
    points: tuple[tuple[float, float], ...]
    best: tuple[float, float]
    f1: float
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """Precision against recall, a curve a model. x and y are of both, from 0 to 1."""

    x: Axis
    y: Axis
    curves: tuple[TradeoffCurve, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """One image, from 0 to 1 in rows of pixels of one or three channels, and how much each pixel matters."""

    name: str
    pixels: Sequence[Sequence[Sequence[float]]]
    weights: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Images beside what in them matters. heading: what that is."""

    heading: str
    pictures: tuple[Picture, ...]


Chart: TypeAlias = Scatter | Bars | Depth | Timeline | Curves | Roofline | Tradeoff | Pictures
