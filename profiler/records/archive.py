"""How is a trace kept? As versioned JSON, compressed when it is large. Needs no torch.

A tensor in an argument list is `{"t": i}`, an index into the file's table of (shape, dtype, strides); calls, module
calls and storages are rows of numbers.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from profiler import errors
from profiler.records.archive_checks import checked, tensor
from profiler.records.files import reading as files
from profiler.records.files import writing
from profiler.records.files.limits import Budget
from profiler.records.trace import (
    SCHEMA,
    Besides,
    Cached,
    Call,
    Caller,
    Composite,
    Doubt,
    Header,
    Input,
    Module,
    ModuleCall,
    Packing,
    Phase,
    Signature,
    Storage,
    Tensor,
    Trace,
    Value,
    Weight,
)

FORMAT = "profile-model trace"
SUFFIXES = (".json", ".json.gz")
_GZIP_MAGIC = b"\x1f\x8b"
_LARGE = 1 << 20  # bytes of JSON from which a file is compressed
_LONGEST = 1 << 30  # bytes of a file: of a model with 15,000 layers it has half a million


def save(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write a trace to a file, whole or not at all."""
    target = Path(path)
    content = json.dumps(to_json(trace), separators=(",", ":"), allow_nan=False).encode()
    if target.suffix == ".gz" or len(content) > _LARGE:
        content = gzip.compress(content, mtime=0)
    writing.replace(target, content)


def load(path: str | os.PathLike[str]) -> Trace:
    """Read a saved trace. Raises `errors.ProfileError`."""
    try:
        data = _json(path)
    except OSError as error:
        raise errors.unreadable(str(path), error, errors.unreadable_trace) from None
    except ValueError as error:
        raise errors.unreadable_trace(str(path), errors.first_line(error)) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise errors.unreadable_trace(str(path), "it is JSON of another kind")
    if type(data.get("schema")) is not int or not 1 <= data["schema"] <= SCHEMA:
        raise _newer_trace(str(path), data.get("schema"), SCHEMA)
    try:
        return checked(from_json(data))
    except KeyError as error:
        raise errors.unreadable_trace(str(path), f"it has no {errors.first_line(error)}") from None
    except ValueError as error:
        raise errors.unreadable_trace(str(path), errors.first_line(error)) from None
    except Exception as error:  # there is no end to what a file can say
        raise errors.unreadable_trace(str(path), f"{type(error).__name__}: {errors.first_line(error)}") from None


def _json(path: str | os.PathLike[str]) -> Any:
    content = files.content(path, _LONGEST)
    cost = Budget(str(path), len(content))
    if content.startswith(_GZIP_MAGIC):
        content = files.gunzipped(content, cost)
    return files.parsed(content, cost)


# Writing --------------------------------------------------------------------------------------------------------------


def to_json(trace: Trace) -> dict[str, Any]:
    table = _TensorTable()
    body = {
        "modules": [
            [m.path, list(m.classes), [[k, table.put(v)] for k, v in m.attributes], m.same_as] for m in trace.modules
        ],
        "parameters": [_weight(w, table) for w in trace.parameters],
        "buffers": [_weight(w, table) for w in trace.buffers],
        "signatures": [
            [s.op, table.put(s.args), [[k, table.put(v)] for k, v in s.kwargs], table.put(s.output), s.inside_bytes]
            for s in trace.signatures
        ],
        "calls": trace.calls,
        "callers": trace.callers,
        "composites": trace.composites,
        "module_calls": [
            [c.module, c.first, c.last, table.put(c.inputs), table.put(c.output), c.keywords]
            for c in trace.module_calls
        ],
        "storages": [[s.size_bytes, s.role, s.born, s.died] for s in trace.storages],
        "outputs": trace.outputs,
        "phases": trace.phases,
        "asked": dict(trace.asked),
        "notes": trace.notes,
        "cache": [[c.path, c.owner, table.put(c.tensor), c.storage] for c in trace.cache],
    }
    return {
        "format": FORMAT,
        "schema": trace.schema,
        "model": trace.model,
        "source": trace.source,
        "engine": trace.engine,
        "versions": dict(trace.versions),
        "inputs": [[i.name, list(i.shape), i.dtype] for i in trace.inputs],
        "tensors": table.rows,
        **body,
        **({} if trace.header is None else {"header": asdict(trace.header)}),
    }


class _TensorTable:
    """The tensors that occur in a file, each once."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self._index: dict[Tensor, int] = {}

    def put(self, value: Value) -> Any:
        if isinstance(value, Tensor):
            index = self._index.setdefault(value, len(self.rows))
            if index == len(self.rows):
                parts = [] if value.form is None else [value.form, [[part.shape, part.dtype] for part in value.parts]]
                self.rows.append([value.shape, value.dtype, value.strides, *parts])
            return {"t": index}
        if isinstance(value, tuple):
            return [self.put(item) for item in value]
        if isinstance(value, complex):
            return {"complex": [repr(value.real), repr(value.imag)]}
        if isinstance(value, float) and not math.isfinite(value):
            return {"float": repr(value)}
        return value


def _weight(weight: Weight, table: _TensorTable) -> list[Any]:
    tensor = table.put(weight.tensor)
    rest = weight.same_as, weight.gradient, weight.packing, weight.registered, weight.zeros
    return [weight.module, weight.name, tensor, weight.storage, weight.trainable, weight.persistent, *rest]


# Reading --------------------------------------------------------------------------------------------------------------


_RENAMED = {"checkpoint": "recompute"}  # conditions, by their names in archives of before


def from_json(data: Mapping[str, Any]) -> Trace:
    tensors = [tensor(*row) for row in data["tensors"]]

    def value(raw: Any) -> Any:
        return _value(raw, tensors)

    def pairs(raw: Iterable[Sequence[Any]]) -> tuple[tuple[str, Value], ...]:
        return tuple((str(name), value(item)) for name, item in raw)

    def weights(raw: Iterable[Sequence[Any]]) -> tuple[Weight, ...]:
        return tuple(_read_weight(module, name, value(stored), *rest) for module, name, stored, *rest in raw)

    return Trace(
        model=data["model"],
        source=data["source"],
        engine=data["engine"],
        inputs=tuple(Input(name, tuple(shape), dtype) for name, shape, dtype in data["inputs"]),
        modules=tuple(Module(path, tuple(c), pairs(a), same) for path, c, a, same in data["modules"]),
        parameters=weights(data["parameters"]),
        buffers=weights(data["buffers"]),
        signatures=tuple(
            Signature(op, value(args), pairs(kw), value(out), *rest) for op, args, kw, out, *rest in data["signatures"]
        ),
        calls=tuple(Call(s, m, tuple(reads), tuple(writes), by) for s, m, reads, writes, by in data["calls"]),
        callers=tuple(_caller(*found) for found in data["callers"]),
        composites=tuple(Composite(*row) for row in data["composites"]),
        module_calls=tuple(
            ModuleCall(m, i, j, value(inputs), value(out), tuple(map(str, keywords)))
            for m, i, j, inputs, out, keywords in data["module_calls"]
        ),
        storages=tuple(Storage(*row) for row in data["storages"]),
        outputs=tuple(data["outputs"]),
        versions=dict(data["versions"]),
        schema=data["schema"],
        phases=tuple(Phase(str(kind), first, last) for kind, first, last in data.get("phases", ())),
        asked={_RENAMED.get(name, str(name)): value(condition) for name, condition in data.get("asked", {}).items()},
        cache=tuple(Cached(str(p), str(o), value(stored), s) for p, o, stored, s in data.get("cache", ())),
        header=_header(data["header"]) if "header" in data else None,
        notes=tuple(map(str, data.get("notes", ()))),
    )


def _header(raw: Mapping[str, Any]) -> Header:
    besides = tuple(Besides(*row) for row in raw["besides"])
    metadata = {str(key): str(value) for key, value in raw["metadata"].items()}
    wrapper = tuple(map(str, raw["wrapper"]))
    doubts = raw.get("doubts", ())  # not in archives of before they were known
    return Header(
        str(raw["format"]),
        raw["files"],
        raw["size_bytes"],
        wrapper,
        besides,
        metadata,
        bool(raw["is_ema"]),
        tuple(Doubt(str(name), str(says), more) for name, says, more in doubts),
    )


def _read_weight(module: int, name: str, tensor: Tensor, *rest: Any) -> Weight:
    """The last three, from how it is packed on, are not in archives of before they were known."""
    weight = Weight(module, name, tensor, *rest)
    if weight.packing is None:
        return weight
    form, shape = weight.packing
    return weight._replace(packing=Packing(str(form), None if shape is None else tuple(map(int, shape))))


def _caller(functions: Sequence[Any], is_sign: Any, is_enclosed: Any = False, source: Any = None) -> Caller:
    """The last two are not in archives of before they were known."""
    return Caller(tuple(map(str, functions)), bool(is_sign), bool(is_enclosed), None if source is None else str(source))


def _value(raw: Any, tensors: Sequence[Tensor]) -> Value:
    if isinstance(raw, list):
        return tuple(_value(item, tensors) for item in raw)
    if isinstance(raw, dict):
        if "t" in raw:
            return tensors[raw["t"]]
        if "float" in raw:
            return float(raw["float"])
        real, imaginary = raw["complex"]
        return complex(float(real), float(imaginary))
    scalar: Value = raw
    return scalar


# Error messages -------------------------------------------------------------------------------------------------------


def _newer_trace(path: str, schema: object, newest: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"{path} has schema {schema}, and this version reads up to {newest}; upgrade profile-model"
    )
