"""An exported program as a module: its graph is run operator by operator, inside the modules that it was recorded in.

The modules are made from the names of weights and from what the graph says about each operator: its module's path and
class. They hold meta tensors, so the archive's weights are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _pop_mode_temporarily

from profiler.sources.exported.archive import Graph, Held, Node, Program
from profiler.sources.exported.plan import ModuleCall, Plan, Step, planned
from profiler.sources.exported.settings import told
from profiler.sources.exported.sizes import Unsolved, evaluated
from profiler.sources.exported.values import is_check, names, resolve, size_function, value
from profiler.trace.layouts import META
from profiler.trace.modules import is_called
from profiler.trace.recorder import Recorder

_NOT_TOLD = "torch.nn.modules.module.Module"
_INLINE = {
    "torch.ops.higher_order.wrap_with_set_grad_enabled": 1,  # the position of the graph among its arguments
    "torch.ops.higher_order.wrap_with_autocast": 4,
}
Loader: TypeAlias = Callable[[Held], Tensor]


class Part(nn.Module):
    """A module of an exported program. What a call of it does is said before it is called."""

    _next: Callable[[], Any] | None = None

    def forward(self, *given: Any) -> Any:
        assert self._next is not None
        return self._next()


class Exported(Part):
    """The whole program. It takes what the exported model took: tensors by position, or by keyword."""

    exported_by: str  # a setting, and recorded as such

    def __init__(self, program: Program, symbols: Mapping[str, int]) -> None:
        super().__init__()
        self._program = program
        self._symbols = symbols
        self._plan = planned(program.graph, {held.value for held in program.held})
        self._constants: dict[str, Tensor] = {}

    def forward(self, *given: Any, **named: Any) -> Any:
        program = self._program
        run = _Run(self, self._symbols)
        fed = iter((*given, *named.values()))
        for one in program.fed:
            run.known[one.value] = one.constant if one.meta is None else next(fed)
        for held in program.held:
            run.known[held.value] = self._constants[held.path] if held.kind == "constant" else _get(self, held.path)
        del given, named, fed
        return run.outputs(self._plan, program.is_output)


def model(program: Program, symbols: Mapping[str, int], load: Loader) -> Exported:
    """The program as a module, with weights as `load` gives them."""
    frames = {frame.path: frame.cls for node in _nodes(program.graph) for frame in node.frames or ()}
    root = Exported(program, symbols)
    root.__class__ = _class(frames.get("", _NOT_TOLD), Exported)
    for path in program.modules:
        _module(root, path, frames)
    tied: dict[Any, Tensor] = {}
    for held in program.held:
        key = held.value if held.record is None else (held.record, held.meta, held.kind)
        _register(root, held, tied.setdefault(key, load(held)), frames)
    root.exported_by = f"torch {program.torch_version}"
    for path, found in told(program).items():
        module = _module(root, path, frames)
        for name, setting in found.items():
            setattr(module, name, setting)
    return root


def without_values(held: Held) -> Tensor:
    """A weight on the meta device."""
    tensor = held.meta.tensor
    made = torch.empty_strided(tensor.shape, tensor.strides or (), dtype=getattr(torch, tensor.dtype), device=META)
    return nn.Parameter(made, held.meta.trainable and made.is_floating_point()) if held.kind == "parameter" else made


def _nodes(graph: Graph) -> Iterator[Node]:
    """Of a graph and of those that operators in it take as arguments."""
    for node in graph.nodes:
        yield node
        for _, tagged, _ in node.inputs:
            if "as_graph" in tagged:
                yield from _nodes(tagged["as_graph"])


def _module(root: nn.Module, path: str, frames: Mapping[str, str]) -> nn.Module:
    """The module at a path, made where there is none."""
    module: nn.Module = root
    walked = ""
    for name in path.split(".") if path else ():
        walked = f"{walked}.{name}" if walked else name
        child = module._modules.get(name)
        if child is None:
            child = _class(frames.get(walked, _NOT_TOLD), Part)()
            module.add_module(name, child)
        module = child
    return module


_classes: dict[tuple[str, type[Part]], type[Any]] = {}


def _class(name: str, base: type[Part]) -> type[Any]:
    """A class that is recorded by this name: the module's own, whose code is not in the file."""
    found = _classes.get((name, base))
    if found is None:
        found = _classes[name, base] = type(name.rpartition(".")[2], (base,), {})
        is_called(found, name)
    return found


def _register(root: Exported, held: Held, tensor: Tensor, frames: Mapping[str, str]) -> None:
    if held.kind == "constant":
        root._constants[held.path] = tensor
        return
    path, _, name = held.path.rpartition(".")
    module = _module(root, path, frames)
    if held.kind == "parameter":
        module.register_parameter(name, tensor)  # type: ignore[arg-type]
    else:
        module.register_buffer(name, tensor, held.persistent)


def _get(root: nn.Module, path: str) -> Any:
    owner, _, name = path.rpartition(".")
    module = root.get_submodule(owner)
    return module._parameters.get(name, module._buffers.get(name))


# Running --------------------------------------------------------------------------------------------------------------


class _Run:
    """One run of the program: the values that are alive, by name."""

    def __init__(self, root: nn.Module, symbols: Mapping[str, int], known: dict[str, Any] | None = None) -> None:
        self.known: dict[str, Any] = {} if known is None else known
        self._root = root
        self._symbols = symbols

    def outputs(self, plan: Plan, wanted: Sequence[bool] = ()) -> Any:
        """Runs everything; returns what the graph returns, without the buffers that it updates."""
        for part in plan.parts:
            self._do(part, plan.graph)
        chosen = [o for i, o in enumerate(plan.graph.outputs) if not wanted or wanted[i]]
        found = tuple(value(output, self.known) for output in chosen)
        return found[0] if len(found) == 1 and wanted else found

    def _do(self, part: Step | ModuleCall, graph: Graph) -> None:
        if isinstance(part, ModuleCall):
            self._call_module(part, graph)
            return
        out = self._call(part.node, graph)
        self._name(part.node.outputs, out)
        del out
        for name in part.dying:
            self.known.pop(name, None)

    def _call_module(self, call: ModuleCall, graph: Graph) -> None:
        module = self._root.get_submodule(call.path)

        def run() -> Any:
            for part in call.parts:
                self._do(part, graph)
            made = tuple(self.known[name] for name in call.made)
            return made[0] if len(made) == 1 else made

        module.__dict__["_next"] = run
        module(*[self.known[name] for name in call.given])

    def _call(self, node: Node, graph: Graph) -> Any:
        if is_check(node.target):
            return None
        if node.target in _INLINE:
            return self._inline(node, _INLINE[node.target])
        function = size_function(node.target) or resolve(node.target)
        args = [
            value(tagged, self.known) for _, tagged, by_name in node.inputs if not by_name and "as_graph" not in tagged
        ]
        kwargs = {name: value(tagged, self.known) for name, tagged, by_name in node.inputs if by_name}
        if function is None:
            return self._unknown(node, graph, args)
        return function(*args, **kwargs)

    def _inline(self, node: Node, position: int) -> Any:
        """A graph that is run in place, with gradients on or off, or in mixed precision."""
        before = [value(tagged, self.known) for _, tagged, _ in node.inputs[:position]]
        graph: Graph = node.inputs[position][1]["as_graph"]
        given = [value(tagged, self.known) for _, tagged, _ in node.inputs[position + 1 :]]
        inner = _Run(self._root, self._symbols, dict(zip(names(list(graph.inputs)), given, strict=True)))
        del given
        if position == 1:
            return inner.outputs(planned(graph))
        kind, dtype, enabled, cached = before
        if enabled and any(isinstance(one, Tensor) and one.is_meta for one in inner.known.values()):
            raise RuntimeError("autocast casts no meta tensors")  # so it is run on real ones
        with torch.autocast("cpu" if kind == "cuda" else kind, dtype, bool(enabled), cached):
            return inner.outputs(planned(graph))

    def _unknown(self, node: Node, graph: Graph, args: list[Any]) -> Any:
        """An operator that is not torch's own: what it returned is in the file, and what it costs is not known."""
        with _pop_mode_temporarily() as recorder:
            assert isinstance(recorder, Recorder)
            made = [self._as_recorded(name, graph) for name in names(list(node.outputs))]
            recorder.foreign(node.target.removeprefix("torch.ops."), args, made)
        return made

    def _as_recorded(self, name: str, graph: Graph) -> Tensor:
        meta = graph.tensors[name]
        try:
            shape = [evaluated(size, self._symbols) for size in meta.sizes]
        except Unsolved:
            shape = list(meta.tensor.shape)
        return torch.empty(shape, dtype=getattr(torch, meta.dtype), device=META)

    def _name(self, outputs: Sequence[Mapping[str, Any]], out: Any) -> None:
        """A list is one output with several names, several outputs are a tuple."""
        values = out if isinstance(out, (list, tuple)) else [out]
        self.known.update(zip(names(list(outputs)), values, strict=False))
