"""What does a tool count for each operator, or for each kind of module, that it knows? It is written in tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from profiler.counters.convention import Charge, Weighing
from profiler.counters.replay.events import LayerCall, Operator, module_calls, operators, registered
from profiler.records.trace import Tensor, Trace, Value, tensors

AnyCall = TypeVar("AnyCall", Operator, LayerCall)
Row: TypeAlias = "tuple[str, Iterable[str], Callable[[AnyCall], int], str | Callable[[AnyCall], str]]"


@dataclass(frozen=True, slots=True)
class Rule(Generic[AnyCall]):
    """What a tool counts for a call of an operator or of a module. `why` is empty where that is our MACs."""

    family: str
    count: Callable[[AnyCall], int]
    why: str | Callable[[AnyCall], str] = ""

    def charge(self, call: AnyCall) -> Charge:
        why = self.why if isinstance(self.why, str) else self.why(call)
        return Charge(self.count(call), call.module, call.calls, self.family, why)


class Tally(NamedTuple):
    """What a rule counts for a part of a call. `why` is empty where that is our MACs, in the tool's unit."""

    amount: int | Fraction
    family: str
    why: str = ""


def charged(tallies: Iterable[Tally], module: int, calls: range) -> Iterator[Charge]:
    """The first stands for the calls, whose MACs are counted once."""
    for tally in tallies:
        yield Charge(tally.amount, module, calls, tally.family, tally.why)
        calls = calls[:0]


def by_operator(
    trace: Trace, rules: Mapping[str, Rule[Operator]], visible: Callable[[Trace], Iterable[Operator]] = operators
) -> Iterator[Charge]:
    """The charges of a tool that sees operators, by their names without overload."""
    return (rules[operator.name].charge(operator) for operator in visible(trace) if operator.name in rules)


def by_module(trace: Trace, rules: Mapping[str, Rule[LayerCall]]) -> Iterator[Charge]:
    """The charges of a tool with hooks on modules of exactly these classes, named as in `layer_kind`."""
    for layer in module_calls(trace):
        rule = rules.get(layer_kind(layer.kind))
        if rule is not None:
            charge = rule.charge(layer)
            yield charge._replace(why=charge.why or why_reparametrised(layer))


def families(*rows: Row[Operator]) -> dict[str, Rule[Operator]]:
    """A table of rules for operators: family, names without "aten.", count, why."""
    return {f"aten.{op}": Rule(family, count, why) for family, ops, count, why in rows for op in ops}


def layers(*rows: Row[LayerCall]) -> dict[str, Rule[LayerCall]]:
    """A table of rules for modules: family, classes as in `layer_kind`, count, why."""
    return {kind: Rule(family, count, why) for family, kinds, count, why in rows for kind in kinds}


def in_ranks(name: str) -> tuple[str, ...]:
    """The classes of a kind of layer for one, two and three dimensions."""
    return tuple(f"{name}{rank}d" for rank in (1, 2, 3))


def layer_kind(qualified: str) -> str:
    """torch's own layers by their name in `torch.nn`, other classes by their whole name."""
    return qualified.rpartition(".")[2] if qualified.startswith("torch.nn.modules.") else qualified


def why_reparametrised(layer: LayerCall) -> str:
    """A reason where a layer's weight is no parameter, as by hooks of weight norm, spectral norm or pruning."""
    is_computed = any(name.startswith("weight") and name.endswith(("_g", "_v", "_orig")) for name in layer.weights)
    return "its weight is made of other parameters at each call" if is_computed else ""


def kernel(layer: LayerCall) -> tuple[int, ...]:
    """A convolution's, by its settings: a weight that is computed of others, as by weight norm, is no parameter."""
    sizes = layer.settings["kernel_size"]
    assert isinstance(sizes, tuple), sizes
    return each(sizes, len(sizes))


# What several tools count alike ---------------------------------------------------------------------------------------


def convolution(op: Operator) -> int:
    """Every weight at every output position, or at every input position where the convolution is transposed."""
    x, weight = tensor(op, 0), tensor(op, 1)
    rank = weight.ndim - 2
    image = x if is_transposed(op) else op.out
    batch = x.shape[0] if x.ndim == weight.ndim else 1
    return batch * weight.numel * prod(image.shape[-rank:])


def real_convolutions(op: Operator) -> int:
    """As `convolution`; one of complex numbers is three of real ones, which is what is left when it is taken apart."""
    return convolution(op) * (3 if tensor(op, 0).is_complex else 1)


def why_real(op: Operator) -> str:
    return "a complex convolution is three real ones, and we count four" if tensor(op, 0).is_complex else ""


def is_transposed(op: Operator) -> bool:
    is_general = op.name in ("aten.convolution", "aten._convolution")
    return bool(op.arg(6, "transposed")) if is_general else "transpose" in op.name


def linear(op: Operator) -> int:
    return tensor(op, 0).numel * prod(tensor(op, 1).shape[:-1])


def is_by_vector(op: Operator) -> bool:
    """Whether a linear layer's weight is a vector: torch then takes the product of a matrix and a vector."""
    return tensor(op, 1).ndim == 1


def mm(op: Operator) -> int:
    return product_of(tensor(op, 0), tensor(op, 1))


def exact_matmul(op: Operator) -> int:
    """The size of the product times the width that is contracted."""
    return op.out.numel * tensor(op, 0).shape[-1]


def inner(op: Operator) -> int:
    """Every row of the one with every row of the other; torch takes a product of matrices for it."""
    a, b = tensor(op, 0), tensor(op, 1)
    return 0 if are_vectors(op) else a.numel * (b.numel // b.shape[-1])


def are_vectors(op: Operator) -> bool:
    return tensor(op, 0).ndim == tensor(op, 1).ndim == 1


def addmm(op: Operator) -> int:
    return product_of(tensor(op, 1), tensor(op, 2))


def product_of(a: Tensor, b: Tensor) -> int:
    """Every element of the left matrices meets every column of the right: exact where nothing is broadcast."""
    return a.numel * b.shape[-1]


def is_broadcast(op: Operator) -> bool:
    """Whether `product_of` is too small or too large for a matrix product: the left operand is broadcast, or the right
    one is a vector.
    """
    return mm(op) != op.out.numel * tensor(op, 0).shape[-1]


def each(values: Value, rank: int) -> tuple[int, ...]:
    """One number for every dimension; torch lets a single one stand for all."""
    sizes = values if isinstance(values, tuple) else (values,)
    return tuple(int(value) for value in (sizes if len(sizes) == rank else sizes * rank) if isinstance(value, int))


def tensor(op: Operator, position: int) -> Tensor:
    """The tensor at a place in the arguments."""
    return next(tensors(op.args[position]))


def per_element(count: Callable[[Operator], int]) -> Callable[[Operator], str]:
    """Why a count is what it is, where it is so many for each element of the input."""
    return lambda op: f"{count(op) // max(tensor(op, 0).numel, 1)} per element"


def unless(is_fused: Callable[[Operator], bool], count: Callable[[Operator], int]) -> Callable[[Operator], int]:
    """A count that is nothing for what runs as one kernel."""
    return lambda op: 0 if is_fused(op) else count(op)


def where(holds: Callable[[Operator], bool], why: str) -> Callable[[Operator], str]:
    """A reason where something holds; elsewhere the tool counts our MACs."""
    return lambda op: why if holds(op) else ""


CONVOLUTIONS = (
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution",
    "_convolution", "_convolution_mode",
)  # fmt: skip
CELLS = ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")


def cell(op: Operator) -> int:
    """A recurrent cell's two linear layers: W_ih x and W_hh h, each for every sample."""
    return (tensor(op, 2).numel + tensor(op, 3).numel) * steps(op)


def recurrent(op: Operator) -> int:
    """The products of all steps, layers and directions: every weight matrix for every step of every sample."""
    params = tensors(op.args[3 if op.signature.op.endswith(".data") else 2])
    return sum(weight.numel for weight in params if weight.ndim == 2) * steps(op)


def steps(op: Operator) -> int:
    """How many vectors a recurrent operator takes: steps times samples."""
    return prod(tensor(op, 0).shape[:-1])


def attention(op: Operator) -> int:
    """Both products of every query head, whatever a mask leaves out."""
    query, key, value = tensor(op, 0), tensor(op, 1), tensor(op, 2)
    return op.out.numel // op.out.shape[-1] * key.shape[-2] * (query.shape[-1] + value.shape[-1])


# Parameters -----------------------------------------------------------------------------------------------------------


def own_parameters(trace: Trace) -> Iterator[Weighing]:
    """Every parameter once, where it is first registered."""
    for weight in registered(trace):
        if weight.same_as is None:
            yield Weighing(weight.tensor.numel, weight.module)


def trainable_parameters(trace: Trace) -> Iterator[Weighing]:
    """Every trainable parameter once."""
    for weight in registered(trace):
        if weight.same_as is None:
            amount, why = (weight.tensor.numel, "") if weight.trainable else (0, "only what is trainable is counted")
            yield Weighing(amount, weight.module, why)
