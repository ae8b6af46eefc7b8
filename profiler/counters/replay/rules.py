"""Tables of rules: what a tool counts for each operator, or for each kind of module, that it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from profiler.counters.convention import Charge, Weighing
from profiler.counters.replay.events import Made, Operator, module_calls, operators, registered
from profiler.records.trace import Tensor, Trace, Value, tensors


@dataclass(frozen=True, slots=True)
class OperatorRule:
    """What a tool counts for a call of an operator. `why` is empty where that is our MACs."""

    family: str
    count: Callable[[Operator], int]
    why: str | Callable[[Operator], str] = ""

    def charge(self, op: Operator) -> Charge:
        why = self.why if isinstance(self.why, str) else self.why(op)
        return Charge(self.count(op), op.module, op.calls, self.family, why)


@dataclass(frozen=True, slots=True)
class ModuleRule:
    """What a tool counts for a call of a module. `why` is empty where that is our MACs."""

    family: str
    count: Callable[[Made], int]
    why: str | Callable[[Made], str] = ""

    def charge(self, made: Made) -> Charge:
        why = self.why if isinstance(self.why, str) else self.why(made)
        return Charge(self.count(made), made.row, made.calls, self.family, why or remade(made))


def by_operator(
    trace: Trace, rules: Mapping[str, OperatorRule], seen: Callable[[Trace], Iterable[Operator]] = operators
) -> Iterator[Charge]:
    """The charges of a tool that sees operators, by their names without overload."""
    for operator in seen(trace):
        rule = rules.get(operator.name)
        if rule is not None:
            yield rule.charge(operator)


def by_module(trace: Trace, rules: Mapping[str, ModuleRule]) -> Iterator[Charge]:
    """The charges of a tool with hooks on modules of exactly these classes, named as in `layer_kind`."""
    for made in module_calls(trace):
        rule = rules.get(layer_kind(made.kind))
        if rule is not None:
            yield rule.charge(made)


def families(
    *rules: tuple[str, Iterable[str], Callable[[Operator], int], str | Callable[[Operator], str]],
) -> dict[str, OperatorRule]:
    """A table of operator rules: family, names without "aten.", count, why."""
    return {f"aten.{op}": OperatorRule(family, count, why) for family, ops, count, why in rules for op in ops}


def layers(
    *rules: tuple[str, Iterable[str], Callable[[Made], int], str | Callable[[Made], str]],
) -> dict[str, ModuleRule]:
    """A table of module rules: family, classes as in `layer_kind`, count, why."""
    return {kind: ModuleRule(family, count, why) for family, kinds, count, why in rules for kind in kinds}


def in_ranks(name: str) -> tuple[str, ...]:
    """The classes of a kind of layer for one, two and three dimensions."""
    return tuple(f"{name}{rank}d" for rank in (1, 2, 3))


def layer_kind(qualified: str) -> str:
    """torch's own layers by their name in `torch.nn`, other classes by their whole name."""
    return qualified.rpartition(".")[2] if qualified.startswith("torch.nn.modules.") else qualified


def remade(made: Made) -> str:
    """A reason where a layer's weight is no parameter, as by hooks of weight norm, spectral norm or pruning."""
    is_made = any(name.startswith("weight") and name.endswith(("_g", "_v", "_orig")) for name in made.weights)
    return "its weight is made of other parameters at each call" if is_made else ""


def kernel(made: Made) -> tuple[int, ...]:
    """A convolution's, by its settings: a weight that is made of others, as by weight norm, is no parameter."""
    sizes = made.settings["kernel_size"]
    assert isinstance(sizes, tuple), sizes
    return each(sizes, len(sizes))


# What a step of a recurrent layer adds to its products in tools with hooks, so many times its hidden size.
GATES = {"RNN": 1, "GRU": 7, "LSTM": 10}


def held(made: Made, *names: str) -> int:
    """The size of a module's own parameters of these names, where it has them."""
    return sum(made.weights[name].tensor.numel for name in names if name in made.weights)


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
    given = values if isinstance(values, tuple) else (values,)
    return tuple(int(value) for value in (given if len(given) == rank else given * rank) if isinstance(value, int))


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
