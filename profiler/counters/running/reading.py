"""What did a counter say about a model? A `Reading`, in the counter's own units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

Number = int | float


@dataclass(frozen=True, slots=True)
class Reading:
    """What one counter said about one model, or why it said nothing.

    total: its count, in its own unit: a FLOP that is two to a MAC for `torch`, a MAC (more or less) for the others.
    params: its count of parameters; None where it counts none.
    layers: what it charges to each module itself and not to the modules inside, by the module's first path; their sum
        is the total. None where it does not say.
    layer_params: the same for parameters; their sum is `params` unless the tool counts these two apart.
    flops, layer_flops: of a tool that gives MACs, which are the total, and FLOPs beside them.
    asides: parts of the count that only the tool's own record of the run shows, and no other could: why, and how much
        in which module. param_asides: the same for parameters.
    note: something about how the tool had to be called, which bears on its count.
    error: one line; the tool, or the model, failed. missing: one line; the tool cannot be imported, and the remedy.
    """

    tool: str
    version: str | None = None
    total: Number | None = None
    params: int | None = None
    layers: Mapping[str, Number] | None = None
    layer_params: Mapping[str, int] | None = None
    flops: Number | None = None
    layer_flops: Mapping[str, Number] | None = None
    asides: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    param_asides: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    note: str | None = None
    error: str | None = None
    missing: str | None = None
    timed_out: bool = False

    @property
    def is_read(self) -> bool:
        """Whether the tool gave a count."""
        return self.total is not None

    def in_flops(self) -> Reading:
        """The FLOPs of a tool that gives both, in the place of its MACs."""
        return replace(self, total=self.flops, layers=self.layer_flops)

    def to_dict(self) -> dict[str, Any]:
        """As plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Reading:
        """The inverse of `to_dict`; keys that this version does not know are left out."""
        names = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in saved.items() if key in names})


def plain(number: Any) -> Number:
    """A Python number of whatever a counter counts with; an int where it is whole."""
    value = float(number) if isinstance(number, float) else number.item() if hasattr(number, "item") else number
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, float) else int(value)


def plainly(counts: Mapping[str, Any]) -> dict[str, Number]:
    return {path: plain(count) for path, count in counts.items()}
