"""What is a convention? A cost priced, or another tool's charges replayed on a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from profiler.counters.replay.events import Operator, operators
from profiler.ops.cost import Cost
from profiler.records.trace import Trace


class Convention(Protocol):
    """A way of counting: its name, one sentence that says what counts, and the amount of each module."""

    @property
    def name(self) -> str: ...

    @property
    def says(self) -> str: ...

    def amounts(self, trace: Trace, own: Sequence[Cost]) -> Sequence[int]:
        """What each row of `trace.modules` itself counts; `own` are the rows' own costs."""

    def total(self, trace: Trace, cost: Cost) -> int:
        """What the model counts; `cost` is the whole model's."""


@dataclass(frozen=True, slots=True)
class Price:
    """A convention of ours: a number made of a cost vector."""

    name: str
    says: str
    of: Callable[[Cost], int]

    def amounts(self, trace: Trace, own: Sequence[Cost]) -> Sequence[int]:
        return [int(self.of(cost)) for cost in own]

    def total(self, trace: Trace, cost: Cost) -> int:
        return int(self.of(cost))


class Charge(NamedTuple):
    """What a tool counts for something that happened.

    amount: in the tool's unit.
    module: the row of `Trace.modules` that the tool charges.
    calls: the operator calls that the amount stands for.
    family: what they are, in the plural's singular: "batch norm", "convolution".
    why: what the tool counts instead of our MACs, such as "2 per element"; empty where it counts just these.
    """

    amount: int | Fraction
    module: int
    calls: range
    family: str
    why: str = ""


class Weighing(NamedTuple):
    """Parameters that a tool counts for a module itself, and why they are others than the module's own."""

    amount: int
    module: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Replica:
    """Another tool's convention, replayed on a trace.

    name: what it is chosen by.
    says: one sentence, on what counts.
    charges: everything that the tool counts. What it does not count has no charge.
    weighings: the parameters it counts, where it counts parameters.
    unseen: why the tool does not count an operator that has MACs.
    visible: what the tool sees of a trace: what the model's code called, or what is left when that is taken apart.
    version: of the tool that is replayed, or how it begins.
    per_mac: what it counts for one MAC: 1, or 2 where its unit is one addition or multiplication.
    needs_code: whether it looks at modules, or at the functions of torch, which an exported graph does not have.
    """

    name: str
    says: str
    charges: Callable[[Trace], Iterable[Charge]]
    weighings: Callable[[Trace], Iterable[Weighing]] | None = None
    unseen: Callable[[Operator], str] = lambda op: f"it has no rule for {op.short}"
    visible: Callable[[Trace], Iterable[Operator]] = operators
    per_mac: int = 1
    version: str = ""
    needs_code: bool = False

    def amounts(self, trace: Trace, own: Sequence[Cost]) -> Sequence[int]:
        """What the tool counts for each module itself.

        trace: of the run.
        own: the modules' own costs, which a replica does not need.
        """
        amounts = [Fraction(0)] * len(trace.modules)
        for charge in self.charges(trace):
            amounts[charge.module] += charge.amount
        return [int(amount) for amount in amounts]

    def total(self, trace: Trace, cost: Cost) -> int:
        """What the tool counts for the model.

        trace: of the run.
        cost: the whole model's, which a replica does not need.
        """
        return int(sum(charge.amount for charge in self.charges(trace)))
