"""torchprofile's `profile_macs`, which traces with `torch.jit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from profiler.counters.running.modules import by_position, paths
from profiler.counters.running.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "torchprofile"
MODULE = "torchprofile"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is a MAC or an operation on an element. It has no count of parameters.

    Each node of its graph has the scope of its module, when there are scopes: the trace is told of them here.
    """
    from torchprofile import profile_macs

    given = by_position(model, args, kwargs, "torchprofile")
    known = [path for path, _ in model.named_modules()]
    with _scopes(model, known):
        macs: Any = profile_macs(model, given, reduction=None)
    charges = dict.fromkeys(known, 0)
    for node, count in macs.items():
        charges[_path(node, known)] += count
    sizes = Counter[str]()
    for node in _of_sizes(model, given, macs):
        sizes[_path(node, known)] += macs[node]
    return Reading(
        "torchprofile",
        total=plain(sum(macs.values())),
        layers=plainly(charges),
        asides={_SIZES: dict(sizes)} if sizes else {},
    )


_SIZES = "1 per multiplication of sizes, such as height·width, that tracing records"


def _path(node: Any, known: list[str]) -> str:
    scope = node.scope.rpartition("/")[2]
    return known[int(scope)] if scope else ""


def _of_sizes(model: nn.Module, given: tuple[Any, ...], macs: Iterable[Any]) -> list[Any]:
    """The multiplications whose factors come from the sizes of tensors alone, which Python would do without a tensor.

    The counted nodes do not say what they depend on, so the graph is made again where one of them may be such.
    """
    from torchprofile.trace import trace

    counted = [node for node in macs if node.operator in _MULTIPLICATIONS]
    if not any(node.outputs[0].shape == [] for node in counted):
        return []
    found, sizes = [], _Sizes()
    for node in trace(model, given).nodes:
        is_size = sizes.is_size(node)
        if node.operator in _MULTIPLICATIONS:
            found.append(is_size)
    return [node for node, is_size in zip(counted, found, strict=True) if is_size]


class _Sizes:
    """Which numbers of a graph are sizes, or computed of sizes, in Python where nothing is traced.

    Those of a tensor that the code makes, `torch.tensor(size)`, which is detached in the graph, are not: our trace has
    the operators on it. Unless it meets a size that was converted, `size.float()`: torch does this only in a trace.
    """

    def __init__(self) -> None:
        self.sizes, self.converted = set[int](), set[int]()
        self.constants, self.made = set[int](), set[int]()

    def is_size(self, node: Any) -> bool:
        """Of the nodes in their order: whether what this one gives is a size."""
        inputs = {id(value) for value in node.inputs}
        outputs = {id(value) for value in node.outputs if node.operator in _OF_LISTS or not value.shape}
        is_converted = node.operator == "aten::to" or bool(inputs & self.converted)
        others = self.constants | self.made if is_converted else self.constants
        if node.operator == "aten::detach":
            self.made |= outputs if inputs <= self.sizes | self.constants | self.made else set()
        elif node.operator in _STARTS or (inputs & self.sizes and inputs <= self.sizes | others):
            self.sizes |= outputs
            self.converted |= outputs if is_converted else set()
            return bool(outputs)
        elif inputs <= self.constants:
            self.constants |= outputs
        elif inputs <= self.constants | self.made:
            self.made |= outputs
        return False


_STARTS = ("aten::size", "prim::numtotensor", "aten::_shape_as_tensor")
# What is done with several sizes at once, in a trace alone: elsewhere they are no tensors. torchvision's detectors do.
_OF_LISTS = ("aten::_shape_as_tensor", "aten::slice", "aten::stack", "aten::to")
_MULTIPLICATIONS = ("aten::mul", "aten::mul_")


@contextmanager
def _scopes(model: nn.Module, known: list[str]) -> Iterator[None]:
    """Each module is a scope of the trace; its name is the place of the module's path in the list."""
    import torch
    from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

    place = {module: str(known.index(path)) for module, path in paths(model).items()}

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
