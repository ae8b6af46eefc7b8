"""What a `.pt2` archive says, read without torch: the graph and the names and shapes of its weights, which are JSON.

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
    """A dimension: its number, or the one that the example input had (None: not told) and an expression of symbols."""

    number: int | None
    expression: str | None = None


class Meta(NamedTuple):
    """What is known of a tensor of the graph."""

    sizes: tuple[Size, ...]
    strides: tuple[Size, ...]
    dtype: str
    trainable: bool

    @property
    def tensor(self) -> Tensor:
        """As the example input made it; raises `ValueError` where that is not told."""
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


class Node(NamedTuple):
    """An operator of the graph. Arguments are (name, tagged value, whether it is passed by keyword)."""

    target: str
    inputs: tuple[tuple[str, Mapping[str, Any], bool], ...]
    outputs: tuple[Mapping[str, Any], ...]
    frames: tuple[Frame, ...] | None


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators in order; `inputs` and `outputs` are tagged values."""

    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Meta]


class Held(NamedTuple):
    """A parameter, buffer or constant: its name in the graph, its path in the model, and where its values are.

    `kind` is "parameter", "buffer" or "constant"; `record` is None for one that the archive does not hold.
    """

    value: str
    path: str
    kind: str
    persistent: bool
    meta: Meta
    record: str | None
    is_pickled: bool


class Fed(NamedTuple):
    """What the model takes: its name in the graph, its keyword, and its shape or its fixed value."""

    value: str
    keyword: str | None
    meta: Meta | None
    constant: Any


@dataclass(frozen=True, slots=True)
class Program:
    """A whole exported program. `ranges` are the least and the greatest of each symbol."""

    path: str
    size_bytes: int  # of the file
    graph: Graph
    held: tuple[Held, ...]
    fed: tuple[Fed, ...]
    is_output: tuple[bool, ...]
    modules: tuple[str, ...]
    ranges: Mapping[str, tuple[int | None, int | None]]
    torch_version: str


def read(path: str) -> Program:
    """Raises `errors.ProfileError`, or `FileTooCostly`."""
    try:
        with files.opened(path) as file, zipfile.ZipFile(file) as archive:
            size = os.fstat(file.fileno()).st_size
            return _program(path, _Records(archive, zips.records(archive, size), Budget(path, size)))
    except errors.ProfileError:
        raise
    except OSError as error:
        raise errors.unreadable_model_file(path, error.strerror or errors.first_line(error)) from None
    except (ValueError, zipfile.BadZipFile) as error:
        raise errors.unreadable_model_file(path, errors.first_line(error)) from None
    except KeyError as error:
        raise errors.unreadable_model_file(path, f"its JSON has no {errors.first_line(error)}") from None
    except Exception as error:  # there is no end to what a file can say
        raise errors.unreadable_model_file(path, f"{type(error).__name__}: {errors.first_line(error)}") from None


def content(path: str, record: str, size_bytes: int, cost: Budget) -> bytes:
    """The bytes of one record, which is stored as it is; raises `ValueError` where it is not there, or of another size.

    size_bytes: what the tensor takes that is read from it.
    """
    with files.opened(path) as file, zipfile.ZipFile(file) as archive:
        found = zips.records(archive, cost.size_bytes).get(record)
        if found is None:
            raise ValueError(f"it has no record {files.quoted(record)}")
        if not zips.is_stored(found):
            raise ValueError(f"{files.quoted(record)} in it is compressed, which torch.export.save does not do")
        if found.file_size < size_bytes:
            raise ValueError(f"{files.quoted(record)} has {found.file_size:,} bytes, and {size_bytes:,} are needed")
        cost.charge(TENSOR_BYTES, found.file_size)
        return zips.unpacked(archive, found, cost)


@dataclass(frozen=True, slots=True)
class _Records:
    """The records of an archive, and what reading them may cost."""

    archive: zipfile.ZipFile
    by_name: Mapping[str, zipfile.ZipInfo]
    cost: Budget

    def json(self, name: str) -> Any:
        return files.parsed(zips.unpacked(self.archive, self.by_name[name], self.cost), self.cost)


def _program(path: str, archive: _Records) -> Program:
    names = archive.by_name
    models = [name for name in names if re.fullmatch(r"[^/]+/models/[^/]+\.json", name)]
    if len(models) != 1:
        why = "an archive of an older or another kind" if not models else f"it holds {len(models)} models"
        raise errors.unreadable_model_file(path, f"{why}; torch.export.save makes one with one model")
    found = archive.json(models[0])
    if found["schema_version"]["major"] != _SCHEMA_MAJOR:
        major = found["schema_version"]["major"]
        raise errors.unreadable_model_file(
            path, f"its schema is {major}, and {_SCHEMA_MAJOR} is known; export it again"
        )
    root, name = models[0].split("/models/")
    records = _records(archive, root, name.removesuffix(".json"))
    module = found["graph_module"]
    graph = _graph(module["graph"])
    specs = module["signature"]["input_specs"]
    return Program(
        path,
        archive.cost.size_bytes,
        graph,
        tuple(_held(graph, specs, records)),
        tuple(_fed(graph, specs, module["module_call_graph"])),
        tuple("user_output" in spec for spec in module["signature"]["output_specs"]),
        tuple(_path(entry["fqn"]) for entry in module["module_call_graph"]),
        {name: (_bound(r["min_val"]), _bound(r["max_val"])) for name, r in found["range_constraints"].items()},
        str(found.get("torch_version", "")),
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


def _node(raw: Mapping[str, Any]) -> Node:
    inputs = tuple((str(i["name"]), _argument(i["arg"]), i.get("kind") == 2) for i in raw["inputs"])
    return Node(str(raw["target"]), inputs, tuple(raw["outputs"]), _frames(raw["metadata"].get("nn_module_stack")))


def _argument(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tagged value; graphs inside are read as well."""
    if "as_graph" in raw:
        return {"as_graph": _graph(raw["as_graph"]["graph"])}
    return raw


def _frames(stack: str | None) -> tuple[Frame, ...] | None:
    """From `key,path,class;...`, outermost first; None where no module is told."""
    if not stack:
        return None
    rows = [entry.split(",") for entry in stack.split(";")]
    if any(len(row) != 3 or row[0].startswith("_empty_nn_module_stack") for row in rows):
        return None
    return tuple(Frame(key, _path(path.partition("@")[0]), cls) for key, path, cls in rows)


def _path(path: Any) -> str:
    """Of a module, or of what one holds."""
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


# What it holds and takes ----------------------------------------------------------------------------------------------


def _records(archive: _Records, root: str, model: str) -> dict[str, tuple[str, bool]]:
    """By path in the model: the record with its values, and whether that is pickled."""
    found: dict[str, tuple[str, bool]] = {}
    for folder in ("weights", "constants"):
        config = f"{root}/data/{folder}/{model}_{folder}_config.json"
        if config in archive.by_name:
            for path, payload in archive.json(config)["config"].items():
                found[str(path)] = f"{root}/data/{folder}/{payload['path_name']}", bool(payload["use_pickle"])
    return found


_KINDS = {
    "parameter": ("parameter", "parameter_name"),
    "buffer": ("buffer", "buffer_name"),
    "tensor_constant": ("constant", "tensor_constant_name"),
}


def _held(graph: Graph, specs: Sequence[Any], records: Mapping[str, tuple[str, bool]]) -> Iterator[Held]:
    for spec in specs:
        ((tag, said),) = spec.items()
        if tag in _KINDS:
            kind, path = _KINDS[tag]
            name = said["arg"]["name"]
            record, is_pickled = records.get(said[path], (None, False))
            persistent = bool(said.get("persistent", True))
            yield Held(name, _path(said[path]), kind, persistent, graph.tensors[name], record, is_pickled)
        elif tag not in ("user_input", "constant_input"):
            raise ValueError(f"it takes an input of the kind {tag}, which is not a tensor")


def _fed(graph: Graph, specs: Sequence[Any], calls: Sequence[Any]) -> Iterator[Fed]:
    taken = [spec for spec in specs if "user_input" in spec or "constant_input" in spec]
    keywords = _keywords(calls, len(taken))
    for spec, keyword in zip(taken, keywords, strict=True):
        if "constant_input" in spec:
            said = spec["constant_input"]
            yield Fed(said["name"], keyword, None, _constant(said["value"]))
            continue
        argument = spec["user_input"]["arg"]
        if "as_tensor" in argument:
            name = argument["as_tensor"]["name"]
            yield Fed(name, keyword, graph.tensors[name], None)
        else:
            raise ValueError("it takes a number that may vary as an input, which is not supported")


def _constant(value: Mapping[str, Any]) -> Any:
    ((tag, said),) = value.items()
    return None if tag == "as_none" else said


def _keywords(calls: Sequence[Any], count: int) -> list[str | None]:
    """By which keyword each input is passed; None: by position.

    The root's call tells it by the structure of its arguments: a tuple of positional ones and a dict of the others.
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
