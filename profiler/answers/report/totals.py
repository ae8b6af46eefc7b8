"""Which figures head a page, and how does each come about? A card each, with its formula in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from profiler.answers.common.time_columns import in_words
from profiler.answers.layers.table import allocated
from profiler.counters.conventions import DEFAULT
from profiler.errors import shown
from profiler.figures import memory
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.render import numbers
from profiler.render.report.data import fact_data
from profiler.render.tables import Unit

_KINDS = 4  # that a sum names
_OTHERS = (("adds", "additions"), ("muls", "multiplications"), ("divs", "divisions"), ("specials", "special functions"))


@dataclass(frozen=True, slots=True)
class Total:
    """A card: `name` is the total's in JSON. formula: in numbers; "" where there is none."""

    name: str
    label: str
    value: int | float | None
    unit: Unit
    remark: str = ""
    formula: str = ""

    @property
    def data(self) -> dict[str, Any]:
        unit = self.unit
        if unit is Unit.BYTES:
            unit = numbers.size_unit(None if self.value is None else int(self.value))
        elif unit is Unit.SECONDS:
            unit = numbers.time_unit(self.value)
        fact = fact_data(self.label, self.value, unit, shown(self.remark))
        return {"name": self.name, **fact, "formula": shown(self.formula)}


def totals(profile: Profile) -> Iterator[Total]:
    figures = profile.totals
    is_file = profile.trace.header is not None
    trained = "" if is_file else f"trainable {figures.trainable_params:,}, frozen {figures.frozen_params:,}"
    params = _by_kind(profile, lambda layer: layer.own.params)
    yield Total("params", "Parameters", figures.params, Unit.EXACT, trained, params)
    if profile.trace.was_run:
        macs = _by_kind(profile, lambda layer: int(layer.own.cost.macs))
        yield Total("macs", "MACs", figures.macs, Unit.EXACT, "multiply-accumulates", macs)
        yield Total(
            "flops", "FLOPs", figures.flops, Unit.EXACT, f"convention {profile.convention.name}", _flops(profile)
        )
    yield Total("param_bytes", "Size of parameters", figures.param_bytes, Unit.BYTES, "", _size(profile))
    yield Total("buffers", "Buffers", figures.buffers, Unit.EXACT, f"{numbers.with_unit(figures.buffer_bytes)}")
    if profile.trace.was_run:
        yield Total("activation_bytes", "Activations", figures.activation_bytes, Unit.BYTES, allocated(profile))
        yield Total("peak_memory_bytes", "Peak memory", figures.peak_memory_bytes, Unit.BYTES, "", _peak(profile))
    yield from _of_step(profile)
    if (times := profile.times) is not None:
        yield Total("time", f"Time, {times.word}", times.whole.seconds, Unit.SECONDS, in_words(times))


def _of_step(profile: Profile) -> Iterator[Total]:
    step = profile.training
    if step is None:
        return
    others = f"besides: forward {step.forward_macs:,}"
    others += f", run again {step.recompute_macs:,}" if step.recompute_macs else ""
    yield Total("backward_macs", "Backward MACs", step.backward_macs, Unit.EXACT, others)
    yield Total("gradient_bytes", "Gradients", step.gradient_bytes, Unit.BYTES)
    yield Total("saved_bytes", "Saved activations", step.saved_bytes, Unit.BYTES, "kept for the backward pass")
    if step.optimizer_bytes:
        name = str(profile.trace.asked["optimizer"])
        yield Total("optimizer_bytes", "Optimizer state", step.optimizer_bytes, Unit.BYTES, name)


# Formulas -------------------------------------------------------------------------------------------------------------


def _by_kind(profile: Profile, own: Callable[[Layer], int]) -> str:
    """A sum by classes of layers: "Conv2d 21,267,648 + Linear 513,000"; "" where there is no more than one."""
    amounts: Counter[str] = Counter()
    for layer in profile.layers:
        amounts[layer.kind] += own(layer)
    kinds = [(kind, amount) for kind, amount in amounts.most_common() if amount]
    terms = [f"{kind} {amount:,}" for kind, amount in kinds[:_KINDS]]
    rest = kinds[_KINDS:]
    if rest:
        terms.append(f"{len(rest)} other classes {sum(amount for _, amount in rest):,}")
    return " + ".join(terms) if len(kinds) > 1 else ""


def _flops(profile: Profile) -> str:
    """Of our own convention the sum; of others what they say."""
    if profile.convention.name != DEFAULT:
        return profile.convention.says
    cost = profile.figures.cost
    others = [f"{getattr(cost, field):,} {words}" for field, words in _OTHERS if getattr(cost, field)]
    return " + ".join([*([f"2·{int(cost.macs):,}"] if cost.macs else []), *others])


def _size(profile: Profile) -> str:
    sizes = profile.totals.bytes_by_dtype
    if profile.totals.params == profile.totals.stored_params and len(sizes) == 1:
        ((dtype, size),) = sizes.items()
        if profile.totals.params and size % profile.totals.params == 0:
            return f"{profile.totals.params:,} {dtype}·{size // profile.totals.params} bytes = {size:,} bytes"
    return " + ".join(f"{dtype} {size:,}" for dtype, size in sizes.items()) + " bytes" * bool(sizes)


def _peak(profile: Profile) -> str:
    """What is there at once; each part is known to the byte."""
    figures, trace = profile.totals, profile.trace
    parts = (
        ("parameters", figures.param_bytes),
        ("buffers", figures.buffer_bytes),
        ("inputs", figures.input_bytes),
        ("optimizer state", memory.state_bytes(trace)),
        ("cache", memory.cache_bytes(trace)),
        ("activations" if profile.training is None else "activations and gradients", figures.peak_activation_bytes),
    )
    return " + ".join(f"{name} {size:,}" for name, size in parts if size) + " bytes"
