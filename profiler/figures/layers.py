"""Which layer does each cost belong to? From operator calls and weights to the tree of layers.

A layer's `own` figures are what it caused itself; `total` adds its children's. A parameter belongs to the first path
that holds it, and a module that stands at two paths is counted at the first: totals never count a thing twice.
"""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from profiler.counters.convention import Convention
from profiler.figures import memory, training
from profiler.figures.training import Trained
from profiler.ops import spent
from profiler.ops.cost import NO_TRAFFIC, Cost
from profiler.records.trace import Module, ModuleCall, Trace, Value, Weight


@dataclass(frozen=True, slots=True)
class Figures:
    """What a layer costs. `unknown_calls` operator calls have no formula, and are missing from `cost`.

    `params` are weights as a user counts them; `stored_params` elements of the tensors that hold them, which are fewer
    where several weights are packed into one element. `zeros` are those among the `zeros_of` weights that were looked
    at which are zero.
    """

    params: int = 0
    stored_params: int = 0
    trainable_params: int = 0
    buffers: int = 0
    param_bytes: int = 0
    buffer_bytes: int = 0
    activation_bytes: int = 0
    cost: Cost = NO_TRAFFIC
    unknown_calls: int = 0
    zeros: int = 0
    zeros_of: int = 0

    @property
    def frozen_params(self) -> int:
        return self.params - self.trainable_params

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.params + other.params,
            self.stored_params + other.stored_params,
            self.trainable_params + other.trainable_params,
            self.buffers + other.buffers,
            self.param_bytes + other.param_bytes,
            self.buffer_bytes + other.buffer_bytes,
            self.activation_bytes + other.activation_bytes,
            self.cost + other.cost,
            self.unknown_calls + other.unknown_calls,
            self.zeros + other.zeros,
            self.zeros_of + other.zeros_of,
        )


Summed = TypeVar("Summed")


@dataclass(frozen=True, slots=True, repr=False)
class Layer:
    """One module at one path, with what is in it.

    index: its row in `Trace.modules`.
    module: what was recorded of it: its path, class and settings.
    depth: how deep it is in the tree; 0 is the model.
    weights, buffers: its own tensors, not those of the layers in it.
    own: what it caused itself.
    total: that, and what is in it.
    calls: how often it ran.
    inputs, output: shapes and dtypes of its first call; None where it was never called.
    ran: whether it or anything in it ran.
    shared_with: the path that owns a module which stands here a second time; else None.
    own_flops, total_flops: as `own` and `total`, in the convention of the profile.
    trained: its part of a training step, with that of what is in it; None in inference.
    was_run: whether the model ran, or was read from a file alone.
    """

    index: int
    module: Module
    depth: int
    weights: tuple[Weight, ...]
    buffers: tuple[Weight, ...]
    own: Figures
    total: Figures
    calls: int
    inputs: Value
    output: Value
    ran: bool
    shared_with: str | None
    own_flops: int
    total_flops: int
    trained: Trained | None = None
    was_run: bool = True

    def __repr__(self) -> str:
        macs = "unknown" if self.macs is None else f"{self.macs:,}"
        return f"<Layer {self.path!r} {self.kind}: {self.params:,} parameters, {macs} MACs>"

    @property
    def params(self) -> int:
        """Elements of its parameters."""
        return self.total.params

    @property
    def trainable_params(self) -> int:
        """Those that are trained."""
        return self.total.trainable_params

    @property
    def param_bytes(self) -> int:
        """What the parameters take."""
        return self.total.param_bytes

    @property
    def activation_bytes(self) -> int | None:
        """All that it allocates for tensors; None where the model did not run."""
        return self.total.activation_bytes if self.was_run else None

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates; None where they are not known."""
        return self._known(self.total.cost.macs)

    @property
    def flops(self) -> int | None:
        """In the profile's convention; None where they are not known."""
        return self._known(self.total_flops)

    def _known(self, amount: int) -> int | None:
        """None where nothing but unknown operators ran, or the model did not: that is not zero."""
        return None if not self.was_run or (amount == 0 and self.total.unknown_calls) else int(amount)

    @property
    def path(self) -> str:
        """As `named_modules` has it: "layer1.0.conv1"; "" is the model."""
        return self.module.path

    @property
    def kind(self) -> str:
        """The name of its class."""
        return self.module.kind

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def totals(trace: Trace) -> Figures:
    """The whole model's figures, without the tree: each distinct call is priced once and multiplied."""
    parameters = [w for w in trace.parameters if w.same_as is None]
    buffers = [w for w in trace.buffers if w.same_as is None]
    cost, unknown = spent(trace.signatures, Counter(call.signature for call in trace.calls))
    return Figures(
        activation_bytes=memory.activation_bytes(trace),
        cost=cost,
        unknown_calls=unknown,
        **_weighed(parameters, buffers),
    )


def tree(trace: Trace, convention: Convention) -> list[Layer]:
    """Every module at every path, in preorder; the first is the model itself."""
    parameters, buffers = _by_module(trace.parameters), _by_module(trace.buffers)
    own = _own(trace, parameters, buffers)
    total = summed(trace.modules, own)
    own_flops = convention.amounts(trace, [figures.cost for figures in own])
    total_flops = summed(trace.modules, own_flops)
    trained = summed(trace.modules, training.trained(trace)) if trace.phases else None
    ran = _ran(trace)
    calls: dict[int, list[ModuleCall]] = defaultdict(list)
    for call in trace.module_calls:
        calls[call.module].append(call)
    layers = []
    for index, module in enumerate(trace.modules):
        first = index if module.same_as is None else module.same_as
        own_calls = calls.get(first, ())
        # Calls end before they are written down, so the first to start need not be the first on the list.
        start = min(own_calls, key=lambda call: (call.first, -call.last), default=None)
        layers.append(
            Layer(
                index=index,
                module=module,
                depth=module.path.count(".") + 1 if module.path else 0,
                weights=tuple(parameters[index]),
                buffers=tuple(buffers[index]),
                own=own[index],
                total=total[index],
                calls=len(own_calls),
                inputs=start.inputs if start else None,
                output=start.output if start else None,
                ran=first in ran,
                shared_with=None if module.same_as is None else trace.modules[first].path,
                own_flops=own_flops[index],
                total_flops=total_flops[index],
                trained=None if trained is None else trained[index],
                was_run=trace.was_run,
            )
        )
    return layers


def _ran(trace: Trace) -> set[int]:
    """The modules that were called, that made a call, or that hold one which did."""
    rows = {module.path: index for index, module in enumerate(trace.modules)}
    ran = {call.module for call in trace.module_calls} | {call.module for call in trace.calls}
    for index in sorted(ran):
        path = trace.modules[index].path
        while path:
            path = path.rpartition(".")[0]
            ran.add(rows[path])
    return ran


def _own(
    trace: Trace, parameters: Mapping[int, Sequence[Weight]], buffers: Mapping[int, Sequence[Weight]]
) -> list[Figures]:
    by_module: dict[int, Counter[int]] = defaultdict(Counter)
    for call in trace.calls:
        by_module[call.module][call.signature] += 1
    produced: Counter[int] = Counter()
    for storage in trace.storages:
        if storage.born >= 0 and storage.role == memory.ACTIVATION:
            produced[trace.calls[storage.born].module] += storage.size_bytes
    figures = []
    for index in range(len(trace.modules)):
        cost, unknown = spent(trace.signatures, by_module[index])
        sizes = _weighed(_firsts(parameters[index]), _firsts(buffers[index]))
        figures.append(Figures(activation_bytes=produced[index], cost=cost, unknown_calls=unknown, **sizes))
    return figures


def summed(
    modules: Sequence[Module], own: Sequence[Summed], add: Callable[[Summed, Summed], Summed] = operator.add
) -> list[Summed]:
    """Each module's own amount and its descendants'. Modules are in preorder, so children come after their parent."""
    parents, total = parent_rows(modules), list(own)
    for row in range(len(total) - 1, 0, -1):
        total[parents[row]] = add(total[parents[row]], total[row])
    return total


def parent_rows(modules: Sequence[Module]) -> list[int]:
    """For each module the row of the one that it stands in; the model's own row stands for itself."""
    rows = {module.path: row for row, module in enumerate(modules)}
    return [0, *(rows[module.path.rpartition(".")[0]] for module in modules[1:])]


def _weighed(parameters: Iterable[Weight], buffers: Iterable[Weight]) -> dict[str, int]:
    parameters, buffers = list(parameters), list(buffers)
    return {
        "params": sum(w.numel for w in parameters),
        "stored_params": sum(w.tensor.numel for w in parameters),
        "trainable_params": sum(w.numel for w in parameters if w.trainable),
        "buffers": sum(w.tensor.numel for w in buffers),
        "param_bytes": sum(w.tensor.size_bytes for w in parameters),
        "buffer_bytes": sum(w.tensor.size_bytes for w in buffers),
        "zeros": sum(w.zeros for w in parameters if w.zeros is not None),
        "zeros_of": sum(w.numel for w in parameters if w.zeros is not None),
    }


def _firsts(weights: Sequence[Weight]) -> list[Weight]:
    return [w for w in weights if w.same_as is None]


def _by_module(weights: Sequence[Weight]) -> dict[int, list[Weight]]:
    by_module: dict[int, list[Weight]] = defaultdict(list)
    for weight in weights:
        by_module[weight.module].append(weight)
    return by_module
