"""An exported program as a module: its graph is run operator by operator, inside the modules that it was recorded in.

The modules are made from the names of weights and from what the graph says about each operator: its module's path and
class. They hold meta tensors, so the archive's weights are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _pop_mode_temporarily

from profiler.engine.containers.layouts import META
from profiler.engine.meta.operators import each_tensor
from profiler.engine.record.recorder import Recorder
from profiler.engine.record.structure import is_called
from profiler.ops.registry import free_reason, is_known
from profiler.records.files.limits import MODULES, Budget
from profiler.sources.exported import constants, real
from profiler.sources.exported.archive import Graph, Held, Node, Program
from profiler.sources.exported.arithmetic import size_function
from profiler.sources.exported.operators import check_call, is_check, is_maker, resolve
from profiler.sources.exported.plan import ModuleCall, Plan, Step, planned
from profiler.sources.exported.settings import told
from profiler.sources.exported.sizes import Unsolved, evaluated
from profiler.sources.exported.values import names, value

_NOT_TOLD = "torch.nn.modules.module.Module"
_INLINE = {
    "torch.ops.higher_order.wrap_with_set_grad_enabled": 1,  # the position of the graph among its arguments
    "torch.ops.higher_order.wrap_with_autocast": 4,
}
_READING = {"_local_scalar_dense", "item"}
_MOST_DIMENSIONS = 64
_AS_IT_IS = object()
Loader: TypeAlias = Callable[[Held], Tensor]
Arrays: TypeAlias = Mapping[str, Any]  # of numpy


class Part(nn.Module):
    """A module of an exported program. What a call of it does is said before it is called."""

    _next: Callable[[], Any] | None = None

    def forward(self, *given: Any) -> Any:
        assert self._next is not None
        return self._next()


class Exported(Part):
    """The whole program. It takes what the exported model took: tensors by position, or by keyword."""

    exported_by: str  # a setting, and recorded as such

    def __init__(self, program: Program, symbols: Mapping[str, int], arrays: Arrays, read: Loader) -> None:
        super().__init__()
        self._program = program
        self._symbols = symbols
        self._arrays = arrays
        self._read = read
        self._plan = planned(program.graph, {held.value for held in program.held})
        self._constants: dict[str, Tensor] = {}

    def forward(self, *given: Any, **named: Any) -> Any:
        """On tensors without values, unless the recorder runs everything on real ones."""
        program, recorder = self._program, _recorder()
        recorder.computes_constants = False
        run = _Run(self, self._symbols, recorder.run_real)
        fed = iter((*given, *named.values()))
        for one in program.fed:
            run.known[one.value] = one.constant if one.meta is None else run.feed(one.value, next(fed))
        for held in program.held:
            run.known[held.value] = self._constant(held, run) if held.kind == "constant" else _get(self, held.path)
            if held.value in self._arrays:
                run.arrays[held.value] = self._arrays[held.value]
        del given, named, fed
        return run.outputs(self._plan, program.is_output)

    def _constant(self, held: Held, run: _Run) -> Tensor:
        found = self._constants[held.path]
        if run.is_real and found.is_meta:
            with _pop_mode_temporarily():
                found = self._constants[held.path] = self._read(held)
        return found


def _recorder() -> Recorder:
    """The one that is active."""
    with _pop_mode_temporarily() as recorder:
        assert isinstance(recorder, Recorder)
        return recorder


def model(program: Program, symbols: Mapping[str, int], arrays: Arrays, read: Loader, is_real: bool) -> Exported:
    """The program as a module.

    arrays: values of small constants, by name. read: a weight with its values; without `is_real`, none has any.
    """
    cost = Budget(program.path, program.size_bytes)
    frames = {frame.path: frame.cls for node in _nodes(program.graph) for frame in node.frames or ()}
    root = Exported(program, symbols, arrays, read)
    root.__class__ = _class(frames.get("", _NOT_TOLD), Exported)
    for path in dict.fromkeys((*program.modules, *frames)):
        cost.charge(MODULES, path.count(".") + 1)
    for path in program.modules:
        _module(root, path, frames)
    tied: dict[Any, Tensor] = {}
    load = read if is_real else without_values
    for held in program.held:
        cost.charge(MODULES, held.path.count(".") + 1)
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


def _foreign_name(target: str) -> str:
    """Of an operator that is not called: no formula is for it, whatever the file says of its name and shapes."""
    name = target.removeprefix("torch.ops.")
    return f"unrun.{name}" if is_known(name) or free_reason(name) is not None else name


class _Run:
    """One run of the program: the values that are alive, by name, and arrays of those that are known besides."""

    def __init__(self, root: Exported, symbols: Mapping[str, int], is_real: bool) -> None:
        self.known: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}
        self.is_real = is_real
        self._root = root
        self._symbols = symbols
        self._cost = Budget(root._program.path, root._program.size_bytes)

    def feed(self, name: str, tensor: Any) -> Any:
        """An input: integers have values, which the graph may ask for, and none of its operators sees."""
        if self.is_real or tensor.is_meta:
            return tensor
        with _pop_mode_temporarily() as recorder:
            assert isinstance(recorder, Recorder)
            self.arrays[name] = tensor.numpy()
            return recorder.on_meta(tensor)

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
            self.arrays.pop(name, None)

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
        args = [
            value(tagged, self.known) for _, tagged, by_name in node.inputs if not by_name and "as_graph" not in tagged
        ]
        kwargs = {name: value(tagged, self.known) for name, tagged, by_name in node.inputs if by_name}
        function = size_function(node.target)
        if function is not None:
            return function(*args, **kwargs)
        operator = resolve(node.target)
        if operator is None:
            return self._unknown(node, graph, args)
        check_call(operator, args, kwargs, sum(1 for _ in names(list(node.outputs))))
        if self.is_real:
            return self._really(operator, args, kwargs)
        return self._checked(self._on_meta(node, operator, args, kwargs))

    def _really(self, operator: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        with _pop_mode_temporarily():
            real.check(operator, args, kwargs, self._cost)
        return operator(*args, **kwargs)

    def _on_meta(self, node: Node, operator: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The result without values; where the operator is one of a few, and those of its arguments are known, with."""
        if is_maker(operator):
            kwargs = {**kwargs, "device": META}
        known = [self._array(tagged) for _, tagged, by_name in node.inputs if not by_name]
        name = operator._schema.name.partition("::")[2]
        if name in _READING and known and isinstance(known[0], numpy.ndarray) and known[0].size == 1:
            _recorder().foreign(str(operator), args, ())
            return known[0].item()
        out = operator(*self._selecting(node, args), **kwargs) if name == "index" else operator(*args, **kwargs)
        if isinstance(out, Tensor) and all(array is not None for array in known):
            plain = [arg if array is _AS_IT_IS else array for array, arg in zip(known, args, strict=True)]
            self._keep(node, constants.computed(name, plain, out, self._cost))
        return out

    def _array(self, tagged: Mapping[str, Any]) -> Any:
        """A tensor's known values; None where they are not known, and `_AS_IT_IS` for what is no tensor."""
        if "as_tensor" in tagged:
            return self.arrays.get(tagged["as_tensor"]["name"])
        return None if "as_tensors" in tagged or "as_optional_tensors" in tagged else _AS_IT_IS

    def _keep(self, node: Node, array: Any) -> None:
        made = list(names(list(node.outputs)))
        if array is not None and len(made) == 1:
            self.arrays[made[0]] = array

    def _selecting(self, node: Node, args: list[Any]) -> list[Any]:
        """Of `x[mask]`, where the mask is known, how many it selects is as well."""
        tagged = [one for name, one, _ in node.inputs if name == "indices"]
        listed = [*names(tagged)]
        arrays = [self.arrays.get(name) for name in listed]
        if len(args) != 2 or not isinstance(args[1], list) or len(args[1]) != len(listed):
            return args
        with _pop_mode_temporarily():
            masks = [
                torch.from_numpy(array.copy()) if array is not None and array.dtype == bool else index
                for array, index in zip(arrays, args[1], strict=True)
            ]
        return [args[0], masks]

    def _checked(self, out: Any) -> Any:
        for tensor in each_tensor(out):
            if tensor.dim() > _MOST_DIMENSIONS:
                raise ValueError(f"a tensor of {tensor.dim():,} dimensions, and {_MOST_DIMENSIONS} are the most")
        return out

    def _inline(self, node: Node, position: int) -> Any:
        """A graph that is run in place, with gradients on or off, or in mixed precision."""
        before = [value(tagged, self.known) for _, tagged, _ in node.inputs[:position]]
        graph: Graph = node.inputs[position][1]["as_graph"]
        given = [value(tagged, self.known) for _, tagged, _ in node.inputs[position + 1 :]]
        inner = self._inner(dict(zip(names(list(graph.inputs)), given, strict=True)))
        del given
        if position == 1:
            return inner.outputs(planned(graph))
        kind, dtype, enabled, cached = before
        if enabled and any(isinstance(one, Tensor) and one.is_meta for one in inner.known.values()):
            raise RuntimeError("autocast casts no meta tensors")  # so it is run on real ones
        with torch.autocast("cpu" if kind == "cuda" else kind, dtype, bool(enabled), cached):
            return inner.outputs(planned(graph))

    def _inner(self, known: dict[str, Any]) -> _Run:
        inner = _Run(self._root, self._symbols, self.is_real)
        inner.known, inner._cost = known, self._cost
        return inner

    def _unknown(self, node: Node, graph: Graph, args: list[Any]) -> Any:
        """An operator that is not torch's own: what it returned is in the file, and what it costs is not known."""
        with _pop_mode_temporarily() as recorder:
            assert isinstance(recorder, Recorder)
            made = [self._as_recorded(name, graph) for name in names(list(node.outputs))]
            recorder.foreign(_foreign_name(node.target), args, made)
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
