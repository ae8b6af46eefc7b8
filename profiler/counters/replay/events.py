"""What can other tools see of a trace? The operators that the model's code called, and the modules that it called.

A tool that traces or dispatches sees operators. A tool with hooks sees module calls, with positional arguments only. A
tool that patches functions sees the functions of torch on the way to an operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from profiler.records.trace import Caller, ModuleCall, Signature, Tensor, Trace, Value, Weight, tensors


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator that the model's code called: one recorded call, or one that was taken apart into several.

    module: the one that was running. name: without the overload, "aten.conv2d".
    """

    name: str
    signature: Signature
    module: int
    calls: range
    caller: Caller

    @property
    def short(self) -> str:
        """The name alone: conv2d."""
        return self.name.removeprefix("aten.")

    @property
    def args(self) -> tuple[Value, ...]:
        return self.signature.args

    def arg(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by its place in the schema, or by its name where it was passed by name."""
        if position < len(self.args):
            return self.args[position]
        return dict(self.signature.kwargs).get(name, default)

    @property
    def out(self) -> Tensor:
        """The first tensor that it returned."""
        return next(tensors(self.signature.output))


@dataclass(frozen=True, slots=True)
class LayerCall:
    """A call of a module. `inputs` are the positional arguments, which a forward hook gets; `named` are the others."""

    module: int
    kind: str
    classes: tuple[str, ...]
    settings: Mapping[str, Value]
    weights: Mapping[str, Weight]
    inputs: tuple[Value, ...]
    named: Mapping[str, Value]
    output: Value
    calls: range

    @property
    def x(self) -> Tensor:
        """The first tensor among the inputs, or among the named ones where no other is positional."""
        return next(tensors((*self.inputs, *self.named.values())))

    def number(self, setting: str) -> int:
        """A setting that is an integer."""
        value = self.settings[setting]
        assert isinstance(value, int), (setting, value)
        return value

    @property
    def y(self) -> Tensor:
        """The first tensor of the output."""
        return next(tensors(self.output))


def operators(trace: Trace) -> Iterator[Operator]:
    """In the order of their calls."""
    single = list(recorded_calls(trace))
    composites = iter(trace.composites)
    composite = next(composites, None)
    position = 0
    while position < len(trace.calls) or composite is not None:
        if composite is not None and composite.first <= position:
            calls = range(composite.first, composite.last)
            yield _operator(trace, composite.signature, composite.module, calls, composite.caller)
            position, composite = composite.last, next(composites, None)
            continue
        yield single[position]
        position += 1


def recorded_calls(trace: Trace) -> Iterator[Operator]:
    """Every recorded call, as a dispatch mode sees it: what was taken apart in parts."""
    running = running_modules(trace)
    for position, call in enumerate(trace.calls):
        yield _operator(trace, call.signature, running[position], range(position, position + 1), call.caller)


def _operator(trace: Trace, signature: int, module: int, calls: range, caller: int) -> Operator:
    entry = trace.signatures[signature]
    return Operator(packet(entry.op), entry, module, calls, trace.callers[caller])


def packet(op: str) -> str:
    """An operator's name without its overload: "aten.add" of "aten.add.Tensor"."""
    return op.rpartition(".")[0] if op.count(".") > 1 else op


def running_modules(trace: Trace) -> list[int]:
    """The module that was running at each call: the innermost one. A trace may charge the call to another."""
    running = [0] * len(trace.calls)
    for call in reversed(trace.module_calls):  # an outer call ends, and is written down, after the inner ones
        running[call.first : call.last] = [call.module] * (call.last - call.first)
    return running


def registered(trace: Trace) -> list[Weight]:
    """The parameters that a counter sees, which asks torch: not those in packed objects, or among buffers."""
    return [weight for weight in trace.parameters if weight.registered]


def module_calls(trace: Trace) -> Iterator[LayerCall]:
    """In the order in which they ended, as forward hooks run."""
    weights: dict[int, dict[str, Weight]] = {}
    for weight in registered(trace):
        weights.setdefault(weight.module, {})[weight.name] = weight
    for call in trace.module_calls:
        module = trace.modules[call.module]
        positional, named = _arguments(call)
        yield LayerCall(
            call.module,
            module.classes[0],
            module.classes,
            dict(module.attributes),
            weights.get(call.module, {}),
            positional,
            named,
            call.output,
            range(call.first, call.last),
        )


def _arguments(call: ModuleCall) -> tuple[tuple[Value, ...], dict[str, Value]]:
    inputs = call.inputs if isinstance(call.inputs, tuple) else (call.inputs,)
    split = len(inputs) - len(call.keywords)
    return inputs[:split], dict(zip(call.keywords, inputs[split:], strict=True))


def needed_calls(trace: Trace) -> list[bool]:
    """Which calls what the model returned depends on. torch.jit's tracing drops the others.

    It keeps whatever overwrites a tensor, and so what that depends on.
    """
    parts = {position for composite in trace.composites for position in range(composite.first, composite.last)}
    wanted, needed = set(trace.outputs), [False] * len(trace.calls)
    for position in range(len(trace.calls) - 1, -1, -1):
        call = trace.calls[position]
        overwrites = position not in parts and is_overwriting(trace.signatures[call.signature])
        if overwrites or not wanted.isdisjoint(call.writes):
            needed[position] = True
            wanted.update(call.reads)
    return needed


def is_overwriting(signature: Signature) -> bool:
    """Whether an operator is the in-place or the `out=` twin of another."""
    name = packet(signature.op)
    return (name.endswith("_") and not name.endswith("__")) or any(key == "out" for key, _ in signature.kwargs)


def traced_operators(trace: Trace) -> Iterator[Operator]:
    """The operators that torch.jit's tracing keeps. A `torch.autograd.Function` is one to it, with nothing inside."""
    needed = needed_calls(trace)
    for operator in operators(trace):
        if operator.caller.is_enclosed:
            continue
        if operator.name in _OVERWRITING_INSIDE or any(needed[position] for position in operator.calls):
            named = operator.signature.op.endswith(".padding")  # a convolution with padding="same" is traced as another
            name = "aten._convolution_mode" if named else _TRACED_AS.get(operator.name, operator.name)
            yield replace(operator, name=name)


def why_untraced(op: Operator) -> str:
    """Why an operator that a tool has a rule for is not in the graph it makes by tracing."""
    if op.caller.is_enclosed:
        return "inside of a torch.autograd.Function, which tracing takes for one operator"
    return "the output does not depend on it, and tracing drops it"


_TRACED_AS = {"aten.linalg_matmul": "aten.matmul"}


# Tracing sees what these are made of, and there an in-place operator, which it keeps.
_OVERWRITING_INSIDE = {"aten.lstm_cell", "aten.gru_cell", "aten.rnn_tanh_cell", "aten.rnn_relu_cell"}
