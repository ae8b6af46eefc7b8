"""How is a model in an ONNX file loaded, `FILE.onnx`? Nothing is run, and no torch is needed.

Weights in files beside it are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiler import errors
from profiler.records.files import reading as files
from profiler.records.files.limits import NODES, Budget
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed, Spec
from profiler.records.trace import Tensor, Trace
from profiler.records.versions import __version__
from profiler.sources.libraries import imported

SOURCE = "onnx"
_LONGEST = (1 << 31) - 1  # bytes of a file: protobuf has no longer ones; weights beyond are in files beside it


def load(spec: Spec, feed: Feed) -> Trace:
    if spec.kwargs:
        raise errors.BadSpec(spec.text, f"{spec.target} is built already and takes no arguments")
    imported("onnx")
    from profiler.sources.onnx.record import Recording

    model, size_bytes = _model(spec.target)
    input_tensors = _input_tensors(model, feed, spec.text)
    try:
        return Recording(model, input_tensors, Budget(spec.target, size_bytes)).trace(spec.text, _versions(model))
    except errors.ProfileError:
        raise
    except errors.Malformed as error:
        raise errors.unreadable_model_file(spec.text, str(error)) from None
    except RecursionError:
        raise errors.unreadable_model_file(spec.text, "it is nested too deeply") from None
    except Exception as error:  # a malformed file can make the library fail in any way
        raise errors.unreadable_model_file(spec.text, f"{type(error).__name__}: {errors.first_line(error)}") from error


def _model(path: str) -> tuple[Any, int]:
    """The model of a file, and the file's size in bytes."""
    import onnx

    try:
        content = files.content(path, _LONGEST)
        model = onnx.load_model_from_string(content)
    except OSError as error:
        raise errors.unreadable(path, error, errors.unreadable_model_file) from None
    except Exception as error:  # protobuf's, whose packages have no types
        raise errors.unreadable_model_file(path, errors.first_line(error)) from None
    if not model.graph.node or not model.opset_import:
        raise errors.unreadable_model_file(path, "it holds no graph")
    return _inlined(model, path, Budget(path, len(content))), len(content)


def _inlined(model: Any, path: str, cost: Budget) -> Any:
    """The model with the functions that it defines replaced by their nodes."""
    if not model.functions:
        return model
    from profiler.sources.onnx.functions import Endless, size

    try:
        cost.charge(NODES, size(model))
    except Endless as error:
        raise errors.unreadable_model_file(path, f"its functions: {error}") from None
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except Exception as error:
        raise errors.unreadable_model_file(path, f"its functions: {errors.first_line(error)}") from None


def _versions(model: Any) -> Mapping[str, str]:
    import onnx

    versions = {"profile-model": __version__, "onnx": str(onnx.__version__), "ir": str(model.ir_version)}
    versions |= {f"opset {entry.domain or 'ai.onnx'}": str(entry.version) for entry in model.opset_import}
    if model.producer_name:
        versions[f"producer {model.producer_name}"] = model.producer_version or "?"
    return versions


# Inputs ---------------------------------------------------------------------------------------------------------------


def _input_tensors(model: Any, feed: Feed, name: str) -> dict[str, Tensor]:
    """The graph's inputs, each dimension as the file fixes it, as the user gives it, or 1 for an open batch."""
    initializers = {i.name for i in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    specs = _specs_by_name([value.name for value in inputs], feed, name)
    symbols: dict[str, int] = {}
    return {value.name: _shape(value, specs.get(value.name), feed.batch, symbols, name) for value in inputs}


def _specs_by_name(names: list[str], feed: Feed, model: str) -> dict[str, TensorSpec]:
    specs = {key: _spec(value) for key, value in feed.kwargs.items()}
    unknown = next((key for key in specs if key not in names), None)
    if unknown is not None:
        raise errors.no_such_input(model, unknown, names)
    free = [name for name in names if name not in specs]
    if len(feed.args) > len(free):
        raise errors.input_count(model, names, len(feed.args) + len(specs))
    return specs | {name: _spec(value) for name, value in zip(free, feed.args, strict=False)}


def _spec(value: Any) -> TensorSpec:
    if isinstance(value, TensorSpec):
        return value
    return TensorSpec(tuple(value.shape), str(value.dtype).removeprefix("torch."))


def _shape(value: Any, spec: TensorSpec | None, batch: int | None, symbols: dict[str, int], model: str) -> Tensor:
    from profiler.sources.onnx.values import DTYPES

    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type not in DTYPES:
        raise errors.unreadable_model_file(model, f"its input {value.name} is no tensor of numbers")
    dtype = DTYPES[kind.elem_type]
    if spec is not None and spec.dtype not in (dtype, "float32"):
        raise errors.NotExportedFor(model, value.name, f"is {dtype}, not {spec.dtype}")
    if not kind.HasField("shape"):
        if spec is None:
            raise _open_dimension(model, value.name, "any number of dimensions")
        return Tensor(spec.shape, dtype)
    dims = list(kind.shape.dim)
    if spec is not None and len(spec.shape) != len(dims):
        raise errors.NotExportedFor(model, value.name, f"has {len(dims)} dimensions, not {len(spec.shape)}")
    sizes = [
        _size(value.name, at, dim, spec, batch if at == 0 else None, symbols, model) for at, dim in enumerate(dims)
    ]
    return Tensor(tuple(sizes), dtype)


def _size(
    name: str, at: int, dim: Any, spec: TensorSpec | None, batch: int | None, symbols: dict[str, int], model: str
) -> int:
    wanted = batch if spec is None else spec.shape[at]
    if dim.HasField("dim_value"):
        if wanted is not None and wanted != dim.dim_value:
            raise errors.NotExportedFor(model, name, f"has dimension {at} fixed at {dim.dim_value}, not {wanted}")
        return int(dim.dim_value)
    symbol = dim.dim_param
    if wanted is None:
        wanted = symbols.get(symbol) if symbol else None
    if wanted is None and at == 0:
        wanted = 1
    if wanted is None:
        raise _open_dimension(model, name, f"dimension {at}" + (f" ({symbol})" if symbol else ""))
    if symbol and symbols.setdefault(symbol, wanted) != wanted:
        raise errors.NotExportedFor(model, name, f"has {symbol} of {wanted}, and of {symbols[symbol]} before")
    return wanted


# Error messages -------------------------------------------------------------------------------------------------------


def _open_dimension(model: str, name: str, dimension: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model}: its input {name} leaves {dimension} open; say how large it is with --input {name}=1x3x224x224"
    )
