"""One small chart of each kind, of made-up values, which no model has to be run for."""

from __future__ import annotations

from profiler.render.charts.data import (
    OTHERS,
    Axis,
    Band,
    Bar,
    Bars,
    Chart,
    Curve,
    Curves,
    Depth,
    Dot,
    Load,
    Panel,
    Roof,
    Roofline,
    Scatter,
    Span,
    Timeline,
    Tradeoff,
    TradeoffCurve,
)
from profiler.render.tables import Unit

MB = 1024 * 1024
MACS = Axis("macs", "MACs", Unit.AMOUNT, is_log=True)


def scatter(names: tuple[str, ...] = ("tiny", "small_v2", "base", "large", "slow")) -> Scatter:
    dots = tuple(
        Dot(name, 3e8 * 1.3**i, 70 + 4 * (i % 4) - (i // 4), is_on_front=i < 4, interval=(2e8, 4e8) if i == 0 else None)
        for i, name in enumerate(names)
    )
    return Scatter(MACS, Axis("acc", "acc@1", Unit.NUMBER), dots, ("min", "max"), ("unknown",))


def bars(names: tuple[str, ...] = ("resnet", "vit")) -> Bars:
    drawn = tuple(Bar(name, Unit.AMOUNT, (4e9 / (i + 1), 1e9, 2e9, 5e7)) for i, name in enumerate(names))
    return Bars(Axis("macs", "MACs", Unit.AMOUNT), ("Conv2d", "Linear", "Attention", OTHERS), drawn, is_share=False)


def depth(names: tuple[str, ...] = ("stem", "stage1", "stage2", "head")) -> Depth:
    layers = tuple(f"{name}.{i}" for name in names for i in range(4))
    stages = tuple(Span(name, 4 * i, 4 * i + 4) for i, name in enumerate(names))
    values = tuple(float(1000 * (i + 1)) for i in range(len(layers)))
    panels = (
        Panel(Axis("params", "Parameters", Unit.AMOUNT), values),
        Panel(Axis("activations", "Activations", Unit.BYTES), tuple(MB * value for value in values[::-1])),
    )
    return Depth("net", layers, ("Conv2d",) * len(layers), stages, panels)


def timeline(place: str = "layer3") -> Timeline:
    rising = tuple(MB * min(i, 20 - i) for i in range(20))
    bands = (Band("parameters", (10 * MB,) * 20), Band("activations", rising), Band("gradients", (0,) * 12 + (MB,) * 8))
    phases = (Span("forward", 0, 10), Span("backward", 10, 20))
    return Timeline("net", Axis("alive", "Memory", Unit.BYTES), ("layer",) * 20, bands, phases, 10, place)


def curves(names: tuple[str, ...] = ("one", "two")) -> Curves:
    lines = tuple(
        Curve(
            name,
            tuple((float(x), 1e9 * x * x * (i + 1)) for x in (1, 2, 4)),
            tuple((x / 4, 1e9 * (x / 4) ** 2 * (i + 1)) for x in range(4, 17)),
            f"{i + 1},000,000,000·batch²",
        )
        for i, name in enumerate(names)
    )
    return Curves(Axis("batch", "Batch size", Unit.RATIO), ((Axis("macs", "MACs", Unit.AMOUNT), lines),))


def roofline(names: tuple[str, ...] = ("conv1", "conv2", "fc", "relu")) -> Roofline:
    loads = tuple(
        Load(name, 0.2 * 6**i, min(1e12, 0.2 * 6**i * 1e11) * 0.8, 1e-3, 0.2 + 0.1 * i) for i, name in enumerate(names)
    )
    x = Axis("intensity", "Arithmetic intensity (FLOP/byte)", Unit.RATIO, is_log=True)
    y = Axis("flops_per_second", "FLOP/s", Unit.RATE, "lower bound", is_log=True)
    return Roofline(x, y, Roof("lower bound on A Device", (("float16", 1e12), ("float32", 2e11)), 1e11), loads)


def tradeoff(names: tuple[str, ...] = ("one", "two")) -> Tradeoff:
    lines = tuple(
        TradeoffCurve(
            name, tuple((1 - x / 20, 0.3 + x / (30 + i * 20)) for x in range(20)), (0.6, 0.5), 0.6 - i / 9, 0.4
        )
        for i, name in enumerate(names)
    )
    return Tradeoff(Axis("recall", "Recall", Unit.SCORE), Axis("precision", "Precision", Unit.SCORE), lines)


CHARTS: dict[str, Chart] = {
    "scatter": scatter(), "kinds": bars(), "depth": depth(), "memory": timeline(), "scan": curves(),
    "roofline": roofline(), "tradeoff": tradeoff(),
}  # fmt: skip


def named_by(names: tuple[str, ...]) -> dict[str, Chart]:
    """The same charts, where all that has a name is called so."""
    return {
        "scatter": scatter(names), "kinds": bars(names), "depth": depth(names), "memory": timeline(names[0]),
        "scan": curves(names), "roofline": roofline(names), "tradeoff": tradeoff(names[:8]),
    }  # fmt: skip
