"""What does a `.pt2` archive hold? The graph, and names and shapes of its weights, in JSON: read without torch.

The format is that of `torch.export.save`: a zip archive with `archive_format`, `models/model.json`, and configurations
of weights and constants that say in which record each is (the schema is torch/_export/serde/schema.py). Records of
weights and constants are not read here, and pickled ones nowhere.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from profiler import errors
from profiler.records.files import reading as files
from profiler.records.files import zips
from profiler.records.files.limits import LARGEST_INTEGER, TENSOR_BYTES, Budget
from profiler.records.trace import Tensor

_SCHEMA_MAJOR = 8
_DEEPEST = 100  # modules in modules
# By torch's numbers of dtypes in this schema.
DTYPES: Mapping[int, str] = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16",
    29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz", 33: "float8_e8m0fnu",
    34: "uint32", 35: "uint64",
}  # fmt: skip
_STRIDED = 7


class Size(NamedTuple):
    """A dimension: its number, or that of the example input (None: not recorded) and an expression of symbols."""

    number: int | None
    expression: str | None = None


class Meta(NamedTuple):
    """The shape, strides and dtype of a tensor of the graph, and whether it is trained."""

    sizes: tuple[Size, ...]
    strides: tuple[Size, ...]
    dtype: str
    trainable: bool

    @property
    def tensor(self) -> Tensor:
        """Its record for the example input; raises `ValueError` where a size is not recorded."""
        return Tensor(tuple(map(_number, self.sizes)), self.dtype, tuple(map(_number, self.strides)))


def _number(size: Size) -> int:
    if size.number is None:
        raise ValueError(f"the size {size.expression} has no number")
    return size.number


class Frame(NamedTuple):
    """A module call around an operator: which call of the module (`relu@1`), its path and its class."""

    key: str
    path: str
    cls: str


class OperatorCall(NamedTuple):
    """A call of an operator in the graph. Arguments are (name, tagged value, whether it is passed by keyword)."""

    target: str
    inputs: tuple[tuple[str, Mapping[str, Any], bool], ...]
    outputs: tuple[Mapping[str, Any], ...]
    frames: tuple[Frame, ...] | None


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators in order; `inputs` and `outputs` are tagged values."""

    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]
    nodes: tuple[OperatorCall, ...]
    tensors: Mapping[str, Meta]


class StateEntry(NamedTuple):
    """A parameter, buffer or constant: its name in the graph, its path in the model, and where its values are.

    `kind` is "parameter", "buffer" or "constant"; `record` is None where the archive does not contain its values.
    """

    name: str
    path: str
    kind: str
    persistent: bool
    meta: Meta
    record: str | None
    is_pickled: bool


class ProgramInput(NamedTuple):
    """An input of the model: its name in the graph, its keyword, and its shape or its fixed value."""

    name: str
    keyword: str | None
    meta: Meta | None
    constant: Any


@dataclass(frozen=True, slots=True)
class ExportedProgram:
    """A whole exported program. `ranges` are the least and the greatest of each symbol."""

    path: str
    size_bytes: int  # of the file
    graph: Graph
    state: tuple[StateEntry, ...]
    inputs: tuple[ProgramInput, ...]
    is_output: tuple[bool, ...]
    modules: tuple[str, ...]
    ranges: Mapping[str, tuple[int | None, int | None]]
    torch_version: str


def read(path: str) -> ExportedProgram:
    """Raises `errors.ProfileError`, or `FileTooCostly`."""
    try:
        with files.opened(path) as file, zipfile.ZipFile(file) as archive:
            size = os.fstat(file.fileno()).st_size
            return _program(path, _Records(archive, zips.records(archive, size), Budget(path, size)))
    except errors.ProfileError:
        raise
    except OSError as error:
        raise errors.unreadable(path, error, errors.unreadable_model_file) from None
    except (ValueError, zipfile.BadZipFile) as error:
        raise errors.unreadable_model_file(path, errors.first_line(error)) from None
    except KeyError as error:
        raise errors.unreadable_model_file(path, f"its JSON has no {errors.first_line(error)}") from None
    except Exception as error:  # a malformed file can raise anything
        raise errors.unreadable_model_file(path, f"{type(error).__name__}: {errors.first_line(error)}") from None


def content(path: str, record: str, size_bytes: int, cost: Budget) -> bytes:
    """The bytes of one record, which is stored as it is; raises `ValueError` where it is not there, or of another size.

    size_bytes: the size of the tensor that is read from it.
    """
    with files.opened(path) as file, zipfile.ZipFile(file) as archive:
        info = zips.records(archive, cost.size_bytes).get(record)
        if info is None:
            raise ValueError(f"it has no record {files.quoted(record)}")
        if not zips.is_stored(info):
            raise ValueError(f"{files.quoted(record)} in it is compressed, which torch.export.save does not do")
        if info.file_size < size_bytes:
            raise ValueError(f"{files.quoted(record)} has {info.file_size:,} bytes, and {size_bytes:,} are needed")
        cost.charge(TENSOR_BYTES, info.file_size)
        return zips.unpacked(archive, info, cost)


@dataclass(frozen=True, slots=True)
class _Records:
    """The records of an archive, and what reading them may cost."""

    archive: zipfile.ZipFile
    by_name: Mapping[str, zipfile.ZipInfo]
    cost: Budget

    def json(self, name: str) -> Any:
        return files.parsed(zips.unpacked(self.archive, self.by_name[name], self.cost), self.cost)


def _program(path: str, archive: _Records) -> ExportedProgram:
    names = archive.by_name
    models = [name for name in names if re.fullmatch(r"[^/]+/models/[^/]+\.json", name)]
    if len(models) != 1:
        why = "an archive of an older or another kind" if not models else f"it holds {len(models)} models"
        raise errors.unreadable_model_file(path, f"{why}; torch.export.save makes one with one model")
    document = archive.json(models[0])
    if document["schema_version"]["major"] != _SCHEMA_MAJOR:
        major = document["schema_version"]["major"]
        raise errors.unreadable_model_file(
            path, f"its schema is {major}, and {_SCHEMA_MAJOR} is known; export it again"
        )
    root, name = models[0].split("/models/")
    records = _records(archive, root, name.removesuffix(".json"))
    module = document["graph_module"]
    graph = _graph(module["graph"])
    specs = module["signature"]["input_specs"]
    return ExportedProgram(
        path,
        archive.cost.size_bytes,
        graph,
        tuple(_state(graph, specs, records)),
        tuple(_inputs(graph, specs, module["module_call_graph"])),
        tuple("user_output" in spec for spec in module["signature"]["output_specs"]),
        tuple(_path(entry["fqn"]) for entry in module["module_call_graph"]),
        {name: (_bound(r["min_val"]), _bound(r["max_val"])) for name, r in document["range_constraints"].items()},
        str(document.get("torch_version", "")),
    )


def _bound(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise ValueError("the range of a symbol has a bound that is no whole number")
    return value


# The graph ------------------------------------------------------------------------------------------------------------


def _graph(raw: Mapping[str, Any]) -> Graph:
    return Graph(
        tuple(raw["inputs"]),
        tuple(raw["outputs"]),
        tuple(map(_node, raw["nodes"])),
        {name: _meta(meta) for name, meta in raw["tensor_values"].items()},
    )


def _node(raw: Mapping[str, Any]) -> OperatorCall:
    inputs = tuple((str(i["name"]), _argument(i["arg"]), i.get("kind") == 2) for i in raw["inputs"])
    return OperatorCall(
        str(raw["target"]), inputs, tuple(raw["outputs"]), _frames(raw["metadata"].get("nn_module_stack"))
    )


def _argument(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tagged value; graphs inside are read as well."""
    if "as_graph" in raw:
        return {"as_graph": _graph(raw["as_graph"]["graph"])}
    return raw


def _frames(stack: str | None) -> tuple[Frame, ...] | None:
    """From `key,path,class;...`, outermost first; None where no module is recorded."""
    if not stack:
        return None
    rows = [entry.split(",") for entry in stack.split(";")]
    if any(len(row) != 3 or row[0].startswith("_empty_nn_module_stack") for row in rows):
        return None
    return tuple(Frame(key, _path(path.partition("@")[0]), cls) for key, path, cls in rows)


def _path(path: Any) -> str:
    """The path of a module, parameter or buffer, checked."""
    if not isinstance(path, str) or path.count(".") >= _DEEPEST:
        raise ValueError(f"it has modules nested more than {_DEEPEST} deep, or one whose path is no text")
    return path


def _meta(raw: Mapping[str, Any]) -> Meta:
    if raw["layout"] != _STRIDED:
        raise ValueError("it has sparse tensors")
    sizes, strides = (tuple(map(_size, raw[name])) for name in ("sizes", "strides"))
    return Meta(sizes, strides, DTYPES[raw["dtype"]], bool(raw["requires_grad"]))


def _size(raw: Mapping[str, Any]) -> Size:
    if "as_int" in raw:
        return Size(_whole(raw["as_int"]))
    expression = raw["as_expr"]
    hint = (expression.get("hint") or {}).get("as_int")
    return Size(None if hint is None else _whole(hint), str(expression["expr_str"]))


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_INTEGER:
        raise ValueError(f"a tensor has a size or a stride of {files.quoted(value)}")
    return value


# Weights and inputs ---------------------------------------------------------------------------------------------------


def _records(archive: _Records, root: str, model: str) -> dict[str, tuple[str, bool]]:
    """By path in the model: the record with its values, and whether that is pickled."""
    records: dict[str, tuple[str, bool]] = {}
    for folder in ("weights", "constants"):
        config = f"{root}/data/{folder}/{model}_{folder}_config.json"
        if config in archive.by_name:
            for path, payload in archive.json(config)["config"].items():
                records[str(path)] = f"{root}/data/{folder}/{payload['path_name']}", bool(payload["use_pickle"])
    return records


_KINDS = {
    "parameter": ("parameter", "parameter_name"),
    "buffer": ("buffer", "buffer_name"),
    "tensor_constant": ("constant", "tensor_constant_name"),
}


def _state(graph: Graph, specs: Sequence[Any], records: Mapping[str, tuple[str, bool]]) -> Iterator[StateEntry]:
    for spec in specs:
        ((tag, entry),) = spec.items()
        if tag in _KINDS:
            kind, path = _KINDS[tag]
            name = entry["arg"]["name"]
            record, is_pickled = records.get(entry[path], (None, False))
            persistent = bool(entry.get("persistent", True))
            yield StateEntry(name, _path(entry[path]), kind, persistent, graph.tensors[name], record, is_pickled)
        elif tag not in ("user_input", "constant_input"):
            raise ValueError(f"it takes an input of the kind {tag}, which is not a tensor")


def _inputs(graph: Graph, specs: Sequence[Any], calls: Sequence[Any]) -> Iterator[ProgramInput]:
    input_specs = [spec for spec in specs if "user_input" in spec or "constant_input" in spec]
    keywords = _keywords(calls, len(input_specs))
    for spec, keyword in zip(input_specs, keywords, strict=True):
        if "constant_input" in spec:
            entry = spec["constant_input"]
            yield ProgramInput(entry["name"], keyword, None, _constant(entry["value"]))
            continue
        argument = spec["user_input"]["arg"]
        if "as_tensor" in argument:
            name = argument["as_tensor"]["name"]
            yield ProgramInput(name, keyword, graph.tensors[name], None)
        else:
            raise ValueError("it takes a number that may vary as an input, which is not supported")


def _constant(value: Mapping[str, Any]) -> Any:
    ((tag, content),) = value.items()
    return None if tag == "as_none" else content


def _keywords(calls: Sequence[Any], count: int) -> list[str | None]:
    """By which keyword each input is passed; None: by position.

    The signature of the root's call has the structure of its arguments: a tuple by position and a dict by keyword.
    """
    signature = next((call["signature"] for call in calls if call["fqn"] == "" and call["signature"]), None)
    if signature is None:
        return [None] * count
    positional, named = json.loads(signature["in_spec"])[1]["children_spec"]
    names: list[str | None] = [None] * _leaves(positional)
    for name, spec in zip(json.loads(named["context"]), named["children_spec"], strict=True):
        names += [str(name)] * _leaves(spec)
    return names if len(names) == count else [None] * count


def _leaves(spec: Mapping[str, Any]) -> int:
    children = spec["children_spec"]
    return 1 if spec["type"] is None else sum(map(_leaves, children))
