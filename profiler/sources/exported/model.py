"""How is an exported program run as a module? Operator by operator, inside the modules it was recorded in.

The modules are built from the names of weights, and from the path and class of its module that the graph records for
each operator. Their weights are meta tensors, so those of the archive are not read.
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
from profiler.records.remembered import Shared
from profiler.sources.exported import constants, real
from profiler.sources.exported.archive import ExportedProgram, Graph, OperatorCall, StateEntry
from profiler.sources.exported.arithmetic import size_function
from profiler.sources.exported.operators import check_call, is_check, is_factory, resolve
from profiler.sources.exported.plan import ModuleStep, OperatorStep, RunPlan, run_plan
from profiler.sources.exported.settings import settings_by_path
from profiler.sources.exported.sizes import Unsolved, evaluated
from profiler.sources.exported.values import names, value

_PLAIN_MODULE = "torch.nn.modules.module.Module"
_INLINE = {
    "torch.ops.higher_order.wrap_with_set_grad_enabled": 1,  # the position of the graph among its arguments
    "torch.ops.higher_order.wrap_with_autocast": 4,
}
_SCALAR_READS = {"_local_scalar_dense", "item"}
_MOST_DIMENSIONS = 64
_NOT_A_TENSOR = object()
Loader: TypeAlias = Callable[[StateEntry], Tensor]
Arrays: TypeAlias = Mapping[str, Any]  # of numpy


class ExportedModule(nn.Module):
    """A module of an exported program. `_next` is what its next call does, and is set before each."""

    _next: Callable[[], Any] | None = None

    def forward(self, *inputs: Any) -> Any:
        assert self._next is not None
        return self._next()


class ExportedModel(ExportedModule):
    """The whole program, with the inputs of the model that was exported, by position or by keyword."""

    exported_by: str  # a setting, and recorded as such

    def __init__(self, program: ExportedProgram, symbols: Mapping[str, int], arrays: Arrays, read: Loader) -> None:
        super().__init__()
        self._program = program
        self._symbols = symbols
        self._arrays = arrays
        self._read = read
        self._plan = run_plan(program.graph, {entry.name for entry in program.state})
        self._constants: dict[str, Tensor] = {}

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Run on meta tensors, unless the recorder runs everything on real ones."""
        program, recorder = self._program, _recorder()
        recorder.computes_constants = False
        run = _Run(self, self._symbols, recorder.run_real)
        tensors = iter((*inputs, *named.values()))
        for taken in program.inputs:
            run.values[taken.name] = taken.constant if taken.meta is None else run.feed(taken.name, next(tensors))
        for entry in program.state:
            run.values[entry.name] = self._constant(entry, run) if entry.kind == "constant" else _get(self, entry.path)
            if entry.name in self._arrays:
                run.arrays[entry.name] = self._arrays[entry.name]
        del inputs, named, tensors
        return run.outputs(self._plan, program.is_output)

    def _constant(self, entry: StateEntry, run: _Run) -> Tensor:
        tensor = self._constants[entry.path]
        if run.is_real and tensor.is_meta:
            with _pop_mode_temporarily():
                tensor = self._constants[entry.path] = self._read(entry)
        return tensor


def _recorder() -> Recorder:
    """The recorder that is active."""
    with _pop_mode_temporarily() as recorder:
        assert isinstance(recorder, Recorder)
        return recorder


def model(
    program: ExportedProgram, symbols: Mapping[str, int], arrays: Arrays, read: Loader, is_real: bool
) -> ExportedModel:
    """The program as a module.

    arrays: values of small constants, by name. read: reads the values of a weight, which is done only for `is_real`.
    """
    cost = Budget(program.path, program.size_bytes)
    frames = {frame.path: frame.cls for node in _nodes(program.graph) for frame in node.frames or ()}
    root = ExportedModel(program, symbols, arrays, read)
    root.__class__ = _class(frames.get("", _PLAIN_MODULE), ExportedModel)
    for path in dict.fromkeys((*program.modules, *frames)):
        cost.charge(MODULES, path.count(".") + 1)
    for path in program.modules:
        _module(root, path, frames)
    tied: dict[Any, Tensor] = {}
    load = read if is_real else without_values
    for entry in program.state:
        cost.charge(MODULES, entry.path.count(".") + 1)
        key = entry.name if entry.record is None else (entry.record, entry.meta, entry.kind)
        _register(root, entry, tied.setdefault(key, load(entry)), frames)
    root.exported_by = f"torch {program.torch_version}"
    for path, settings in settings_by_path(program).items():
        module = _module(root, path, frames)
        for name, setting in settings.items():
            setattr(module, name, setting)
    return root


def without_values(entry: StateEntry) -> Tensor:
    """A weight on the meta device."""
    tensor = entry.meta.tensor
    weight = torch.empty_strided(tensor.shape, tensor.strides or (), dtype=getattr(torch, tensor.dtype), device=META)
    return (
        nn.Parameter(weight, entry.meta.trainable and weight.is_floating_point())
        if entry.kind == "parameter"
        else weight
    )


def _nodes(graph: Graph) -> Iterator[OperatorCall]:
    """The operators of a graph, and of the graphs that they take as arguments."""
    for node in graph.nodes:
        yield node
        for _, tagged, _ in node.inputs:
            if "as_graph" in tagged:
                yield from _nodes(tagged["as_graph"])


def _module(root: nn.Module, path: str, frames: Mapping[str, str]) -> nn.Module:
    """The module at a path, added where there is none."""
    module: nn.Module = root
    walked = ""
    for name in path.split(".") if path else ():
        walked = f"{walked}.{name}" if walked else name
        child = module._modules.get(name)
        if child is None:
            child = _class(frames.get(walked, _PLAIN_MODULE), ExportedModule)()
            module.add_module(name, child)
        module = child
    return module


_classes: Shared[tuple[str, type[ExportedModule]], type[Any]] = Shared()


def _class(name: str, base: type[ExportedModule]) -> type[Any]:
    """A class that is recorded by this name: the module's own, whose code is not in the file."""
    cls = _classes.find((name, base))
    if cls is None:
        cls = _classes.add((name, base), type(name.rpartition(".")[2], (base,), {}))
        is_called(cls, name)
    return cls


def _register(root: ExportedModel, entry: StateEntry, tensor: Tensor, frames: Mapping[str, str]) -> None:
    if entry.kind == "constant":
        root._constants[entry.path] = tensor
        return
    path, _, name = entry.path.rpartition(".")
    module = _module(root, path, frames)
    if entry.kind == "parameter":
        module.register_parameter(name, tensor)  # type: ignore[arg-type]
    else:
        module.register_buffer(name, tensor, entry.persistent)


def _get(root: nn.Module, path: str) -> Any:
    owner, _, name = path.rpartition(".")
    module = root.get_submodule(owner)
    return module._parameters.get(name, module._buffers.get(name))


# Running --------------------------------------------------------------------------------------------------------------


def _foreign_name(target: str) -> str:
    """The recorded name of an operator that is not called: one that has no formula, whatever its name in the file."""
    name = target.removeprefix("torch.ops.")
    return f"unrun.{name}" if is_known(name) or free_reason(name) is not None else name


class _Run:
    """One run of the program: the live values by name, and numpy arrays of those whose elements are known."""

    def __init__(self, root: ExportedModel, symbols: Mapping[str, int], is_real: bool) -> None:
        self.values: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}
        self.is_real = is_real
        self._root = root
        self._symbols = symbols
        self._cost = Budget(root._program.path, root._program.size_bytes)

    def feed(self, name: str, tensor: Any) -> Any:
        """An input on the meta device. Its values, where it has any, become an array: the graph may read them."""
        if self.is_real or tensor.is_meta:
            return tensor
        with _pop_mode_temporarily() as recorder:
            assert isinstance(recorder, Recorder)
            self.arrays[name] = tensor.numpy()
            return recorder.on_meta(tensor)

    def outputs(self, plan: RunPlan, is_wanted: Sequence[bool] = ()) -> Any:
        """Run everything; return the results of the graph, without the buffers that it updates."""
        for step in plan.steps:
            self._run_step(step, plan.graph)
        chosen = [output for i, output in enumerate(plan.graph.outputs) if not is_wanted or is_wanted[i]]
        results = tuple(value(output, self.values) for output in chosen)
        return results[0] if len(results) == 1 and is_wanted else results

    def _run_step(self, step: OperatorStep | ModuleStep, graph: Graph) -> None:
        if isinstance(step, ModuleStep):
            self._call_module(step, graph)
            return
        out = self._call(step.node, graph)
        self._store_outputs(step.node.outputs, out)
        del out
        for name in step.last_used:
            self.values.pop(name, None)
            self.arrays.pop(name, None)

    def _call_module(self, call: ModuleStep, graph: Graph) -> None:
        module = self._root.get_submodule(call.path)

        def run() -> Any:
            for step in call.steps:
                self._run_step(step, graph)
            outputs = tuple(self.values[name] for name in call.outputs)
            return outputs[0] if len(outputs) == 1 else outputs

        module.__dict__["_next"] = run
        module(*[self.values[name] for name in call.inputs])

    def _call(self, node: OperatorCall, graph: Graph) -> Any:
        if is_check(node.target):
            return None
        if node.target in _INLINE:
            return self._inline(node, _INLINE[node.target])
        args = [
            value(tagged, self.values) for _, tagged, by_name in node.inputs if not by_name and "as_graph" not in tagged
        ]
        kwargs = {name: value(tagged, self.values) for name, tagged, by_name in node.inputs if by_name}
        function = size_function(node.target)
        if function is not None:
            return function(*args, **kwargs)
        operator = resolve(node.target)
        if operator is None:
            return self._unknown(node, graph, args)
        check_call(operator, args, kwargs, sum(1 for _ in names(list(node.outputs))))
        if self.is_real:
            return self._run_real(operator, args, kwargs)
        return self._checked(self._on_meta(node, operator, args, kwargs))

    def _run_real(self, operator: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        with _pop_mode_temporarily():
            real.check(operator, args, kwargs, self._cost)
        return operator(*args, **kwargs)

    def _on_meta(self, node: OperatorCall, operator: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The result on the meta device; its array is stored too, where the arrays of the arguments determine it."""
        if is_factory(operator):
            kwargs = {**kwargs, "device": META}
        arrays = [self._array(tagged) for _, tagged, by_name in node.inputs if not by_name]
        name = operator._schema.name.partition("::")[2]
        if name in _SCALAR_READS and arrays and isinstance(arrays[0], numpy.ndarray) and arrays[0].size == 1:
            _recorder().foreign(str(operator), args, ())
            return arrays[0].item()
        out = operator(*self._selecting(node, args), **kwargs) if name == "index" else operator(*args, **kwargs)
        if isinstance(out, Tensor) and all(array is not None for array in arrays):
            plain = [arg if array is _NOT_A_TENSOR else array for array, arg in zip(arrays, args, strict=True)]
            self._store_array(node, constants.computed(name, plain, out, self._cost))
        return out

    def _array(self, tagged: Mapping[str, Any]) -> Any:
        """The array of a tensor; None where its values are not known, and `_NOT_A_TENSOR` for any other argument."""
        if "as_tensor" in tagged:
            return self.arrays.get(tagged["as_tensor"]["name"])
        return None if "as_tensors" in tagged or "as_optional_tensors" in tagged else _NOT_A_TENSOR

    def _store_array(self, node: OperatorCall, array: Any) -> None:
        output_names = list(names(list(node.outputs)))
        if array is not None and len(output_names) == 1:
            self.arrays[output_names[0]] = array

    def _selecting(self, node: OperatorCall, args: list[Any]) -> list[Any]:
        """The arguments of `index`, with real masks where their values are known: they decide the result's shape."""
        tagged = [tagged_value for name, tagged_value, _ in node.inputs if name == "indices"]
        index_names = [*names(tagged)]
        arrays = [self.arrays.get(name) for name in index_names]
        if len(args) != 2 or not isinstance(args[1], list) or len(args[1]) != len(index_names):
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

    def _inline(self, node: OperatorCall, position: int) -> Any:
        """A graph that is run in place, with gradients on or off, or in mixed precision."""
        before = [value(tagged, self.values) for _, tagged, _ in node.inputs[:position]]
        graph: Graph = node.inputs[position][1]["as_graph"]
        arguments = [value(tagged, self.values) for _, tagged, _ in node.inputs[position + 1 :]]
        inner = self._inner(dict(zip(names(list(graph.inputs)), arguments, strict=True)))
        del arguments
        if position == 1:
            return inner.outputs(run_plan(graph))
        kind, dtype, enabled, cached = before
        if enabled and any(isinstance(each, Tensor) and each.is_meta for each in inner.values.values()):
            raise RuntimeError("autocast casts no meta tensors")  # the caller then runs on real ones
        with torch.autocast("cpu" if kind == "cuda" else kind, dtype, bool(enabled), cached):
            return inner.outputs(run_plan(graph))

    def _inner(self, values: dict[str, Any]) -> _Run:
        inner = _Run(self._root, self._symbols, self.is_real)
        inner.values, inner._cost = values, self._cost
        return inner

    def _unknown(self, node: OperatorCall, graph: Graph, args: list[Any]) -> Any:
        """The results of an operator that is not torch's own: their shapes are in the file, its cost is not known."""
        with _pop_mode_temporarily() as recorder:
            assert isinstance(recorder, Recorder)
            results = [self._as_recorded(name, graph) for name in names(list(node.outputs))]
            recorder.foreign(_foreign_name(node.target), args, results)
        return results

    def _as_recorded(self, name: str, graph: Graph) -> Tensor:
        meta = graph.tensors[name]
        try:
            shape = [evaluated(size, self._symbols) for size in meta.sizes]
        except Unsolved:
            shape = list(meta.tensor.shape)
        return torch.empty(shape, dtype=getattr(torch, meta.dtype), device=META)

    def _store_outputs(self, outputs: Sequence[Mapping[str, Any]], out: Any) -> None:
        """A list is one output with several names, several outputs are a tuple."""
        values = out if isinstance(out, (list, tuple)) else [out]
        self.values.update(zip(names(list(outputs)), values, strict=False))
