"""What came of one architecture, as plain data: a line of JSON for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

PROFILED, REFUSED, TRACEBACK = "profiled", "refused", "traceback"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One profile. `changed` is what was not as before afterwards; figures are None where there is no profile.

    by_operator: our MACs by operator.
    """

    way: str
    status: str
    reason: str = ""
    engine: str = ""
    seconds: float = 0.0
    params: int | None = None
    macs: int | None = None
    flops: int | None = None
    activation_bytes: int | None = None
    peak_bytes: int | None = None
    unknown: Mapping[str, int] = field(default_factory=dict)
    by_operator: Mapping[str, float] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """All that was tried with one architecture.

    numel: elements of its distinct parameters. plain, plain_step: a forward pass and a training step without profiler.
    outcomes: by how it was profiled. runs_after: what a plain forward pass raised after the profile; "" if nothing.
    varies: whether its figures are others when other random numbers are drawn. lost: why nothing came back at all.
    """

    name: str
    numel: int | None = None
    plain: Mapping[str, Any] = field(default_factory=dict)
    plain_step: Mapping[str, Any] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    runs_after: str = ""
    varies: bool = False
    lost: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Result:
        outcomes = {way: Outcome(**{**one, "changed": tuple(one["changed"])}) for way, one in kept["outcomes"].items()}
        return cls(**{**kept, "outcomes": outcomes})
