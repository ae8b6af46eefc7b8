"""What does torchprofile 0.1.0 count, by `profile_macs(model, inputs)`? MACs, and for some operators one per element.

It traces the model with torch.jit, which drops what the output does not depend on (torchprofile/handlers.py has the
formulas). Read there, and compared with what it prints:

- A transposed convolution is counted by its output's size instead of its input's, and all of its input channels, also
  where it has groups: too large by the stride's product and by the groups.
- `einsum` is the product of the sizes of all indices, as one loop would take: 840 for three operands that take 288 in
  the best order. With "..." it is 0.
- Where the model's code multiplies sizes, such as height·width, tracing records a multiplication, which counts 1. Our
  trace does not hold what Python computes of sizes, so this is missing here: some dozens of a transformer's billions.
  The cross-check finds them in torchprofile's own graph.
- Attention and encoder layers in which nothing wants a gradient take their fast path, one kernel, and count nothing.
- A `torch.autograd.Function` is one operator in the traced graph, and what is inside is not counted.
- `mm`, RNN and GRU are not counted. Biases of an LSTM are not either.

Tensors in a dataclass are no outputs to it, so that tracing drops everything. Our trace does not tell a dataclass from
a tuple, and so what gives them is counted here. So is what a model does not do while it is traced.

It is given all arguments by their positions, and has no count of parameters. Each node of its graph (`reduction=None`)
has the scope of its module, when there are scopes: the trace is told of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

from profiler.counters.convention import Charge, Replica
from profiler.counters.replay.cpu import fast_path_calls, unless_fast
from profiler.counters.replay.einsum import index_product
from profiler.counters.replay.events import Operator, traced_operators, why_untraced
from profiler.counters.replay.rules import (
    CELLS,
    CONVOLUTIONS,
    addmm,
    attention,
    by_operator,
    cell,
    exact_matmul,
    families,
    linear,
    mm,
    tensor,
    where,
)
from profiler.counters.running.modules import by_position, paths
from profiler.counters.running.reading import Reading, plain, plainly
from profiler.records.trace import Tensor, Trace, tensors

if TYPE_CHECKING:
    from torch import nn


def _convolution(op: Operator) -> int:
    weight, out = tensor(op, 1), op.out
    channels = out.shape[-(weight.ndim - 1)]
    per_output = weight.shape[1] if channels == weight.shape[0] else weight.shape[0]
    return out.numel * per_output * prod(weight.shape[2:])


def _einsum(op: Operator) -> int:
    equation, shapes = str(op.args[0]), [operand.shape for operand in tensors(op.args[1])]
    return 0 if "..." in equation else index_product(equation, shapes)


def _norm(weight_at: int) -> Callable[[Operator], int]:
    return lambda op: op.out.numel if isinstance(op.arg(weight_at, "weight"), Tensor) else 0


def _cell(op: Operator) -> int:
    """Tracing sees what a cell is made of: f·c, i·g and o·tanh(c) in an LSTM; r·h and z·(h - n) in a GRU."""
    gates = {"aten.lstm_cell": 3, "aten.gru_cell": 2}.get(op.name, 0)
    return cell(op) + gates * op.out.numel


def _lstm(op: Operator) -> int:
    out, state = list(tensors(op.signature.output))[:2]
    layers_and_directions, _, hidden = state.shape
    directions = out.shape[-1] // hidden
    widths = [tensor(op, 0).shape[-1], *[directions * hidden] * (layers_and_directions // directions - 1)]
    return out.shape[0] * out.shape[1] * directions * sum(4 * hidden * (width + hidden) for width in widths)


def _why_einsum(op: Operator) -> str:
    if "..." in str(op.args[0]):
        return "an ellipsis is not counted"
    operands, summed = list(tensors(op.args[1])), _summed(str(op.args[0]))
    is_product = len(operands) == 2 and any(_size(op, index) > 1 for index in summed)
    return "" if is_product else "the product of all indices' sizes"


def _size(op: Operator, index: str) -> int:
    """Of an index of the equation. Where only one of size 1 is summed, nothing is: it is a multiplication."""
    terms = str(op.args[0]).replace(" ", "").partition("->")[0].split(",")
    sizes = [shape.shape[term.index(index)] for term, shape in zip(terms, tensors(op.args[1]), strict=True)]
    return max(sizes)


def _summed(equation: str) -> set[str]:
    """The indices that are in both operands and not in the result: those of a matrix product."""
    operands, _, result = equation.replace(" ", "").partition("->")
    return set.intersection(*map(set, operands.split(","))) - set(result)


def _is_unusual(op: Operator) -> bool:
    """A packed batch, or projections, which make the hidden state narrower than the cell's."""
    return op.signature.op.endswith(".data") or len({state.shape for state in tensors(op.args[1])}) > 1


def _multiplication(op: Operator) -> int:
    is_size = op.out.ndim == 0 and not op.out.is_float
    return 0 if is_size else op.out.numel


def _outputs(op: Operator) -> int:
    return op.out.numel


def _grid(op: Operator) -> int:
    nearest, bicubic = op.args[2] == 1, op.args[2] == 2
    return 0 if nearest else op.out.numel * (16 if bicubic else 4)


_PER_OUTPUT = "1 per element of the output"
_RULES = families(
    ("convolution", [op for op in CONVOLUTIONS if "transpose" not in op][:-1], _convolution, ""),
    (
        "transposed convolution",
        [op for op in CONVOLUTIONS if "transpose" in op],
        _convolution,
        "by its output's size, not its input's",
    ),
    ("linear", ("linear",), linear, ""),
    ("linear", ("addmm",), addmm, ""),
    ("matrix product", ("bmm",), mm, ""),
    ("matrix product", ("baddbmm",), addmm, ""),
    ("matrix product", ("matmul",), exact_matmul, ""),
    ("matrix product", ("addmv",), lambda op: tensor(op, 1).numel, ""),
    ("einsum", ("einsum",), _einsum, _why_einsum),
    ("attention", ("scaled_dot_product_attention",), attention, ""),
    ("recurrent cell", CELLS, _cell, "1 more per multiplication of gates"),
    ("recurrent", ("lstm",), _lstm, where(_is_unusual, "by its output's shape, which is not meant for this")),
    ("multiplication", ("mul", "mul_", "multiply", "multiply_"), _multiplication, _PER_OUTPUT),
    ("norm", ("batch_norm", "instance_norm"), _norm(1), "1 per element"),
    ("norm", ("layer_norm", "group_norm"), _norm(2), "1 per element"),
    ("pooling", [f"{kind}avg_pool{rank}d" for kind in ("", "adaptive_") for rank in (1, 2, 3)], _outputs, _PER_OUTPUT),
    ("mean", ("mean",), _outputs, _PER_OUTPUT),
    ("leaky ReLU", ("leaky_relu",), _outputs, _PER_OUTPUT),
    ("interpolation", ("upsample_bilinear2d",), lambda op: 4 * op.out.numel, "4 per element of the output"),
    ("grid sampling", ("grid_sampler",), _grid, "4 per element of the output, 16 where bicubic"),
)


def _charges(trace: Trace) -> Iterator[Charge]:
    return unless_fast(by_operator(trace, _RULES, traced_operators), fast_path_calls(trace, True))


CONVENTION = Replica(
    "torchprofile",
    "MACs, and 1 per element of norms, multiplications, average pooling and means",
    _charges,
    None,
    lambda op: why_untraced(op) if op.name in _RULES else f"it has no rule for {op.short}",
    version="0.1.0",
)


# The tool itself ------------------------------------------------------------------------------------------------------

DISTRIBUTION = "torchprofile"
MODULE = "torchprofile"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """MACs and operations on elements. What tracing adds to them is told apart."""
    from torchprofile import profile_macs

    inputs = by_position(model, args, kwargs, "torchprofile")
    places = [path for path, _ in model.named_modules()]
    with _scopes(model, places):
        macs: Any = profile_macs(model, inputs, reduction=None)
    charges = dict.fromkeys(places, 0)
    for node, count in macs.items():
        charges[_path(node, places)] += count
    sizes = Counter[str]()
    for node in _of_sizes(model, inputs, macs):
        sizes[_path(node, places)] += macs[node]
    return Reading(
        "torchprofile",
        total=plain(sum(macs.values())),
        layers=plainly(charges),
        asides={_SIZES: dict(sizes)} if sizes else {},
    )


_SIZES = "1 per multiplication of sizes, such as height·width, that tracing records"


def _path(node: Any, places: list[str]) -> str:
    scope = node.scope.rpartition("/")[2]
    return places[int(scope)] if scope else ""


def _of_sizes(model: nn.Module, inputs: tuple[Any, ...], macs: Iterable[Any]) -> list[Any]:
    """The multiplications whose factors come from the sizes of tensors alone, which Python would do without a tensor.

    The counted nodes do not say what they depend on, so the graph is made again where one of them may be such.
    """
    from torchprofile.trace import trace

    counted = [node for node in macs if node.operator in _MULTIPLICATIONS]
    if not any(node.outputs[0].shape == [] for node in counted):
        return []
    are_sizes, sizes = [], _Sizes()
    for node in trace(model, inputs).nodes:
        is_size = sizes.is_size(node)
        if node.operator in _MULTIPLICATIONS:
            are_sizes.append(is_size)
    return [node for node, is_size in zip(counted, are_sizes, strict=True) if is_size]


class _Sizes:
    """Which numbers of a graph are sizes, or computed of sizes, in Python where nothing is traced.

    Those of a tensor that the code makes, `torch.tensor(size)`, which is detached in the graph, are not: our trace has
    the operators on it. Unless it meets a size that was converted, `size.float()`: torch does this only in a trace.
    """

    def __init__(self) -> None:
        self.sizes, self.converted = set[int](), set[int]()
        self.constants, self.detached = set[int](), set[int]()

    def is_size(self, node: Any) -> bool:
        """Of the nodes in their order: whether what this one gives is a size."""
        inputs = {id(value) for value in node.inputs}
        outputs = {id(value) for value in node.outputs if node.operator in _OF_LISTS or not value.shape}
        is_converted = node.operator == "aten::to" or bool(inputs & self.converted)
        others = self.constants | self.detached if is_converted else self.constants
        if node.operator == "aten::detach":
            self.detached |= outputs if inputs <= self.sizes | self.constants | self.detached else set()
        elif node.operator in _STARTS or (inputs & self.sizes and inputs <= self.sizes | others):
            self.sizes |= outputs
            self.converted |= outputs if is_converted else set()
            return bool(outputs)
        elif inputs <= self.constants:
            self.constants |= outputs
        elif inputs <= self.constants | self.detached:
            self.detached |= outputs
        return False


_STARTS = ("aten::size", "prim::numtotensor", "aten::_shape_as_tensor")
# What is done with several sizes at once, in a trace alone: elsewhere they are no tensors. torchvision's detectors do.
_OF_LISTS = ("aten::_shape_as_tensor", "aten::slice", "aten::stack", "aten::to")
_MULTIPLICATIONS = ("aten::mul", "aten::mul_")


@contextmanager
def _scopes(model: nn.Module, places: list[str]) -> Iterator[None]:
    """Each module is a scope of the trace; its name is the place of the module's path in the list."""
    import torch
    from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

    place = {module: str(places.index(path)) for module, path in paths(model).items()}

    def enter(module: nn.Module, args: Any) -> None:
        tracing = torch._C._get_tracing_state()
        if tracing and id(module) in place:
            tracing.push_scope(place[id(module)])

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        tracing = torch._C._get_tracing_state()
        if tracing and id(module) in place:
            tracing.pop_scope()

    before = register_module_forward_pre_hook(enter)
    after = register_module_forward_hook(leave, always_call=True)
    try:
        yield
    finally:
        before.remove()
        after.remove()
