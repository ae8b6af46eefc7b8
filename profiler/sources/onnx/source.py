"""A model in an ONNX file: `FILE.onnx`. Nothing is run, and weights in files beside it are not read. Needs no torch."""

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
    fed = _fed(model, feed, spec.text)
    try:
        return Recording(model, fed, Budget(spec.target, size_bytes)).trace(spec.text, _versions(model))
    except errors.ProfileError:
        raise
    except errors.Malformed as error:
        raise errors.unreadable_model_file(spec.text, str(error)) from None
    except RecursionError:
        raise errors.unreadable_model_file(spec.text, "it is nested too deeply") from None
    except Exception as error:  # there is no end to what a file can say
        raise errors.unreadable_model_file(spec.text, f"{type(error).__name__}: {errors.first_line(error)}") from error


def _model(path: str) -> tuple[Any, int]:
    """What a file holds, and how many bytes it has."""
    import onnx

    try:
        content = files.content(path, _LONGEST)
        model = onnx.load_model_from_string(content)
    except OSError as error:
        raise errors.unreadable_model_file(path, error.strerror or errors.first_line(error)) from None
    except Exception as error:  # protobuf's, whose packages have no types
        raise errors.unreadable_model_file(path, errors.first_line(error)) from None
    if not model.graph.node or not model.opset_import:
        raise errors.unreadable_model_file(path, "it holds no graph")
    return _inlined(model, path, Budget(path, len(content))), len(content)


def _inlined(model: Any, path: str, cost: Budget) -> Any:
    """Functions that the file defines become the nodes they consist of."""
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

    found = {"profile-model": __version__, "onnx": str(onnx.__version__), "ir": str(model.ir_version)}
    found |= {f"opset {entry.domain or 'ai.onnx'}": str(entry.version) for entry in model.opset_import}
    if model.producer_name:
        found[f"producer {model.producer_name}"] = model.producer_version or "?"
    return found


# What is fed ----------------------------------------------------------------------------------------------------------


def _fed(model: Any, feed: Feed, name: str) -> dict[str, Tensor]:
    """The graph's inputs with all dimensions known: as they are fixed, as they are given, or a batch of one."""
    initializers = {i.name for i in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    given = _given([value.name for value in inputs], feed, name)
    symbols: dict[str, int] = {}
    return {value.name: _shape(value, given.get(value.name), feed.batch, symbols, name) for value in inputs}


def _given(names: list[str], feed: Feed, model: str) -> dict[str, TensorSpec]:
    found = {key: _spec(value) for key, value in feed.kwargs.items()}
    unknown = next((key for key in found if key not in names), None)
    if unknown is not None:
        raise errors.no_such_input(model, unknown, names)
    free = [name for name in names if name not in found]
    if len(feed.args) > len(free):
        raise errors.input_count(model, names, len(feed.args) + len(found))
    return found | {name: _spec(value) for name, value in zip(free, feed.args, strict=False)}


def _spec(value: Any) -> TensorSpec:
    if isinstance(value, TensorSpec):
        return value
    return TensorSpec(tuple(value.shape), str(value.dtype).removeprefix("torch."))


def _shape(value: Any, given: TensorSpec | None, batch: int | None, symbols: dict[str, int], model: str) -> Tensor:
    from profiler.sources.onnx.values import DTYPES

    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type not in DTYPES:
        raise errors.unreadable_model_file(model, f"its input {value.name} is no tensor of numbers")
    dtype = DTYPES[kind.elem_type]
    if given is not None and given.dtype not in (dtype, "float32"):
        raise errors.NotExportedFor(model, value.name, f"is {dtype}, not {given.dtype}")
    if not kind.HasField("shape"):
        if given is None:
            raise _open_dimension(model, value.name, "any number of dimensions")
        return Tensor(given.shape, dtype)
    dims = list(kind.shape.dim)
    if given is not None and len(given.shape) != len(dims):
        raise errors.NotExportedFor(model, value.name, f"has {len(dims)} dimensions, not {len(given.shape)}")
    sizes = [
        _size(value.name, at, dim, given, batch if at == 0 else None, symbols, model) for at, dim in enumerate(dims)
    ]
    return Tensor(tuple(sizes), dtype)


def _size(
    name: str, at: int, dim: Any, given: TensorSpec | None, batch: int | None, symbols: dict[str, int], model: str
) -> int:
    wanted = batch if given is None else given.shape[at]
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


# What is said ---------------------------------------------------------------------------------------------------------


def _open_dimension(model: str, name: str, dimension: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model}: its input {name} leaves {dimension} open; say how large it is with --input {name}=1x3x224x224"
    )
