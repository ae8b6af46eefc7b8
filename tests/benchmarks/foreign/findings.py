"""What is wrong with a result, in a sentence each: tracebacks, refusals, changed models, figures that differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.foreign.accounts import account
from tests.benchmarks.foreign.outcome import PROFILED, REFUSED, TRACEBACK, Outcome, Result

FIGURES = ("params", "macs", "flops", "activation_bytes", "peak_bytes")
# What is compared with what: ways of profiling that are to say the same.
SAME = (("live", "real"), ("live", "spec"), ("live step", "real step"), ("live step", "spec step"))


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` is a column of the table."""

    model: str
    way: str
    kind: str
    text: str


def are_comparable(one: Outcome, other: Outcome) -> bool:
    """A model that depends on values is another where its weights are others, as those of a spec are."""
    return one.engine == "meta" or other.way.startswith("real")


def plain_of(result: Result, way: str) -> Any:
    """The run without profiler that a way of profiling is measured by."""
    return result.plain_step if way.endswith("step") else result.plain


def findings(result: Result) -> Iterator[Finding]:
    """All that is wrong with one result; nothing, where all is well."""
    if result.lost:
        yield Finding(result.name, "", "lost", result.lost)
        return
    if result.runs_after and not result.plain["error"]:
        yield Finding(result.name, "live", "changed", f"does not run afterwards: {result.runs_after}")
    for outcome in result.outcomes.values():
        yield from _of_outcome(result, outcome)
    for one, other in SAME:
        if not result.varies and are_comparable(result.outcomes[one], result.outcomes[other]):
            yield from _differing(result, result.outcomes[one], result.outcomes[other])


def _of_outcome(result: Result, outcome: Outcome) -> Iterator[Finding]:
    plain = plain_of(result, outcome.way)
    if outcome.status == TRACEBACK:
        yield Finding(result.name, outcome.way, "traceback", outcome.reason)
    if outcome.status == REFUSED and not plain["error"]:
        yield Finding(result.name, outcome.way, "refused", outcome.reason)
    if outcome.changed:
        yield Finding(result.name, outcome.way, "changed", "; ".join(outcome.changed))
    if outcome.status == PROFILED and outcome.params != result.numel:
        yield Finding(result.name, outcome.way, "parameters", f"{outcome.params:,} for {result.numel:,}")
    if outcome.way in ("live", "live step") and is_counted(outcome, plain) and account(outcome, plain) is None:
        theirs = f"{plain['torch_macs']:,.0f}"
        yield Finding(result.name, outcome.way, "MACs", f"{outcome.macs:,} against torch's {theirs}")


def is_counted(outcome: Outcome, plain: Any) -> bool:
    """Whether there are two counts to compare."""
    return outcome.status == PROFILED and not plain["error"] and plain["torch_macs"] is not None


def _differing(result: Result, one: Outcome, other: Outcome) -> Iterator[Finding]:
    if one.status == other.status == PROFILED:
        different = [name for name in FIGURES if getattr(one, name) != getattr(other, name)]
        if different:
            told = ", ".join(f"{name} {getattr(one, name):,} against {getattr(other, name):,}" for name in different)
            yield Finding(result.name, f"{one.way}, {other.way}", "figures", told)
