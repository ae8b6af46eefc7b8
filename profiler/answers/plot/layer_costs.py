"""What does each layer cost itself? By the names that columns have; the layers' sum is the model's total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from profiler import errors
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.render.tables import Column, Unit

_Get: TypeAlias = Callable[[Layer, Profile], float]


def _seconds(layer: Layer, profile: Profile) -> float:
    times = profile.times
    assert times is not None
    return times.own[layer.index].seconds


COSTS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("params", "Parameters", Unit.AMOUNT, lambda layer, _: layer.own.params),
        Column("macs", "MACs", Unit.AMOUNT, lambda layer, _: int(layer.own.cost.macs)),
        Column("flops", "FLOPs", Unit.AMOUNT, lambda layer, _: int(layer.own_flops)),
        Column("size", "Size of parameters", Unit.BYTES, lambda layer, _: layer.own.param_bytes),
        Column("activations", "Activations", Unit.BYTES, lambda layer, _: layer.own.activation_bytes),
        Column("time", "Time", Unit.SECONDS, _seconds),
    )
}
_OF_A_RUN = ("macs", "flops", "activations", "time")


def costs(names: Sequence[str], profiles: Sequence[Profile]) -> list[Column]:
    """The ones of these names; raises `errors.ProfileError` for one that is unknown, or not known of a model."""
    for name in names:
        if name not in COSTS:
            raise errors.no_such_choice("--y", name, list(COSTS))
        for profile in profiles:
            if name in _OF_A_RUN and not profile.trace.was_run:
                raise errors.nothing_ran(profile.model, f"its {name} are not known")
            if name == "time" and profile.times is None:
                raise errors.only_with("--y time", "--device")
    return [COSTS[name] for name in names]


def by_kind(profile: Profile, column: Column) -> Counter[str]:
    """What all layers of a kind come to."""
    amounts: Counter[str] = Counter()
    for layer in profile.layers:
        amounts[layer.kind] += column.get(layer, profile)
    return amounts
