"""Files made for mischief, by small writers: what each is, and the command that reads it."""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.checkpoints import writers
from tests.hostile.seeds import MODEL, seed

Member = tuple[str, Callable[[Path], tuple[str, ...]]]


def _file(name: str, content: Callable[[], bytes], *argv: str) -> Callable[[Path], tuple[str, ...]]:
    def write(folder: Path) -> tuple[str, ...]:
        (folder / "trace.json").write_bytes(seed("trace.json").content)
        (folder / name).write_bytes(content())
        return argv or (name,)

    return write


# Checkpoints ----------------------------------------------------------------------------------------------------------


def _zip(records: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return file.getvalue()


def _overlapping() -> bytes:
    """Two names for the same bytes, as zip bombs have them."""
    content = bytearray(_zip({"it/data.pkl": b"\x80\x02}.", "it/data/0": bytes(4000), "it/data/1": bytes(4000)}))
    entries = [at for at in range(len(content)) if content[at : at + 4] == b"PK\x01\x02"]
    content[entries[2] + 42 : entries[2] + 46] = content[entries[1] + 42 : entries[1] + 46]
    return bytes(content)


def _encrypted() -> bytes:
    content = bytearray(_zip({"it/data.pkl": b"\x80\x02}."}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def _deflated(opcode: bytes) -> Callable[[], bytes]:
    return lambda: _zip({"it/data.pkl": b"\x80\x02](" + opcode * 5_000_000 + b"e."}, zipfile.ZIP_DEFLATED)


def _stored(opcodes: bytes, times: int = 3_000_000) -> Callable[[], bytes]:
    return lambda: _zip({"it/data.pkl": b"\x80\x02](" + opcodes * times + b"e."})


def _linked(folder: Path) -> tuple[str, ...]:
    """A shard that leads out of the folder, to a file of somebody else."""
    inside = folder / "model"
    inside.mkdir()
    (folder / "secret.safetensors").write_bytes(b"root:x:0:0")
    (inside / "a.safetensors").symlink_to(folder / "secret.safetensors")
    (inside / "m.safetensors.index.json").write_text('{"weight_map": {"w": "a.safetensors"}}')
    return (str(inside / "m.safetensors.index.json"),)


def _linked_gguf(folder: Path) -> tuple[str, ...]:
    inside = folder / "model"
    inside.mkdir()
    content = writers.gguf([("norm.weight", (8,), 0, 0)], 32)
    (folder / "other.gguf").write_bytes(content)
    (inside / "m-00001-of-00002.gguf").write_bytes(content)
    (inside / "m-00002-of-00002.gguf").symlink_to(folder / "other.gguf")
    return (str(inside / "m-00001-of-00002.gguf"),)


def _index(name: str) -> Callable[[], bytes]:
    return lambda: json.dumps({"weight_map": {"w": name}}).encode()


def _pipe(name: str) -> Callable[[Path], tuple[str, ...]]:
    def write(folder: Path) -> tuple[str, ...]:
        os.mkfifo(folder / name)
        return (name,)

    return write


def _folder(name: str) -> Callable[[Path], tuple[str, ...]]:
    def write(folder: Path) -> tuple[str, ...]:
        (folder / name).mkdir()
        return (name,)

    return write


def _device(name: str) -> Callable[[Path], tuple[str, ...]]:
    def write(folder: Path) -> tuple[str, ...]:
        (folder / name).symlink_to("/dev/zero")
        return (name,)

    return write


def _checkpoints() -> Iterator[Member]:
    for name, opcode in (("sets", b"\x8f"), ("dicts", b"}"), ("tuples", b")\x85"), ("lists of lists", b"]a")):
        yield f"compressed pickle of {name}", _file("m.pt", _deflated(opcode))
        yield f"pickle of {name}", _file("m.pt", _stored(opcode))
    yield "pickle that remembers all", _file("m.pt", _stored(b"N\x94"))
    yield "pickle of copies", _file("m.bin", _stored(b"N2"))
    yield "pickle of steps", _file("m.ckpt", _stored(b"N0", 6_000_000))
    yield "records that share bytes", _file("m.pt", _overlapping)
    yield "encrypted record", _file("m.pt", _encrypted)
    yield "JSON of lists", _file("m.safetensors", lambda: writers.safetensors(b"{" + b'"a":' + b"[" * 9_000_000, 0))
    yield (
        "number of a million digits",
        _file(
            "m.safetensors", lambda: writers.safetensors(b'{"a":{"dtype":"F32","shape":[' + b"9" * 10**6 + b"]}}", 0)
        ),
    )
    yield "shard of 5,000 characters", _file("m.safetensors.index.json", _index("a" * 5000))
    yield "shard with a NUL", _file("m.safetensors.index.json", _index("a\0.safetensors"))
    yield "shard with an escape", _file("m.safetensors.index.json", _index("a\x1b[31m.safetensors"))
    yield "shard above", _file("m.bin.index.json", _index("../a.bin"))
    yield "shard that is a number", _file("m.bin.index.json", lambda: b'{"weight_map": {"w": 3}}')
    yield "shard that is a link out of the folder", _linked
    yield "GGUF shard that is a link out of the folder", _linked_gguf


# Saved traces ---------------------------------------------------------------------------------------------------------


def _trace(change: Callable[[Any], None]) -> Callable[[Path], tuple[str, ...]]:
    def content() -> bytes:
        found = copy.deepcopy(json.loads(seed("trace.json").content))
        change(found)
        return json.dumps(found).encode()

    return _file("m.json", content)


def _set(*path: Any) -> Callable[[Any], None]:
    *way, last, value = path

    def change(found: Any) -> None:
        for key in way:
            found = found[key]
        found[last] = value

    return change


def _traces() -> Iterator[Member]:
    changes = {
        "shape of texts": _set("tensors", 0, 0, 0, "3"), "shape of floats": _set("tensors", 0, 0, 0, 1e300),
        "negative shape": _set("tensors", 0, 0, 0, -3), "strides too few": _set("tensors", 0, 2, [1]),
        "size of 10^18": _set("tensors", 0, 0, [10**18] * 5), "dtype of nobody": _set("tensors", 0, 1, "float3"),
        "module without class": _set("modules", 1, 1, []), "deep path": _set("modules", 1, 0, "a." * 5000 + "a"),
        "shared with nobody": _set("modules", 1, 3, 99), "number for a notes": _set("notes", 5),
        "flag that is a list": _set("parameters", 0, 4, []), "storage before the first": _set("parameters", 0, 3, -7),
        "call of nothing": _set("calls", 0, 0, 10**6), "call that reads a text": _set("calls", 0, 2, ["0"]),
        "storage of 10^40 bytes": _set("storages", 0, 0, 10**40), "storage born late": _set("storages", 0, 2, 10**9),
        "storage that dies a list": _set("storages", 0, 3, []), "version of 10^400": _set("versions", "x", 10**400),
        "input without shape": _set("inputs", 0, 1, None), "model that is a list": _set("model", []),
        "module call that ends first": _set("module_calls", 0, 2, -1), "outputs of texts": _set("outputs", ["a"]),
    }  # fmt: skip
    for name, change in changes.items():
        yield f"trace: {name}", _trace(change)
    yield "trace of zeros in gzip", _file("m.json.gz", lambda: gzip.compress(b" " * 200_000_000, 9))
    yield "trace of lists in gzip", _file("m.json.gz", lambda: gzip.compress(b"[" + b"[]," * 30_000_000 + b"0]", 9))
    yield "gzip in many members", _file("m.json.gz", lambda: gzip.compress(b" " * 10_000_000, 9) * 20)
    yield "trace nested deep", _file("m.json", lambda: b'{"a":' * 100_000)
    yield "trace that is no number", _file("m.json", lambda: b'{"format": NaN}')


# TOML and CSV ---------------------------------------------------------------------------------------------------------


def _budget(text: str) -> Callable[[Path], tuple[str, ...]]:
    return _file("m.toml", text.encode, "check", "m.toml")


def _figures(text: bytes) -> Callable[[Path], tuple[str, ...]]:
    return _file("m.csv", lambda: text, "trace.json", "--metrics", "m.csv")


def _tables() -> Iterator[Member]:
    yield "inline tables in tables", _budget("x = " + "{a = " * 3000 + "1" + "}" * 3000)
    yield "header of many parts", _budget("[" + ".".join(["a"] * 3000) + "]\n")
    yield "quoted key of many parts", _budget(".".join(['"a"'] * 3000) + " = 1\n")
    yield "date of nobody", _budget(MODEL + "label = 9999-99-99\n")
    yield (
        "exponent of nobody",
        _file("l.toml", lambda: b'[[models]]\nmodel = "a"\nmetrics = {a = 1e99999999999999999999}'),
    )
    yield "number of 70 bits", _budget(f"{MODEL}max-macs = {1 << 70}\n")
    yield "hexadecimal number", _budget(f"{MODEL}max-macs = 0x{'f' * 5000}\n")
    yield "list of 20,000 lines", _budget(MODEL + "input = [\n" + '"1x3x8x8", # a\n' * 20000 + "]\n")
    yield "text of 100,000 lines", _budget(MODEL + "label = '''\n" + "[[\n" * 100_000 + "'''\n")
    yield "100,000 quotes", _budget(MODEL + 'label = "' + '\\"' * 100_000 + '"\n')
    yield "5 MB", _budget(MODEL + "#" * (5 << 20))
    yield "control character", _budget(MODEL + 'label = "\x01"\n')
    yield "TOML in UTF-16", _file("m.toml", lambda: MODEL.encode("utf-16"), "check", "m.toml")
    yield "CSV with a NUL", _figures(b"model,a\ntrace.json,\0\n")
    yield (
        "CSV of 100,000 columns",
        _figures(b"model," + b",".join(b"%d" % i for i in range(100_000)) + b"\ntrace.json,1"),
    )
    yield "CSV of the same column", _figures(b"model" + b",a" * 50_000 + b"\ntrace.json,1\n")
    yield "CSV field of 10 MB", _figures(b"model,a\ntrace.json," + b"9" * (10 << 20))
    yield "CSV in UTF-16", _figures("model,a\ntrace.json,1\n".encode("utf-16"))
    yield "CSV of quotes", _figures(b'model,a\ntrace.json,"' + b"x\n" * 1000)
    yield "CSV name of 100,000 characters twice", _figures(b"model,a\n" + (b"m" * 100_000 + b",1\n") * 2)
    yield "CSV exponent", _figures(b"model,a,b,c\ntrace.json,1e-999999,1E+99999,-0e-888888\n")


# ONNX and exported programs -------------------------------------------------------------------------------------------


def _onnx(
    nodes: list[Any], shape: tuple[int, ...] = (1, 3, 8, 8), functions: Any = (), **more: Any
) -> Callable[[], bytes]:
    def content() -> bytes:
        from onnx import TensorProto, helper

        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(nodes, "g", [x], [y], **more)
        imports = [helper.make_opsetid("", 20), helper.make_opsetid("d", 1)]
        return bytes(helper.make_model(graph, opset_imports=imports, functions=list(functions)).SerializeToString())

    return content


def _functions(times: int, count: int, circle: bool = False) -> list[Any]:
    from onnx import helper

    imports = [helper.make_opsetid("", 20), helper.make_opsetid("d", 1)]
    last = f"F{count - 1}" if circle else "Relu"
    found = [
        helper.make_function("d", "F0", ["a"], ["b"], [_node(last, "a", "b", domain="d" if circle else "")], imports)
    ]
    for i in range(1, count):
        inner = [_node(f"F{i - 1}", "a" if j == 0 else f"t{j}", f"t{j + 1}" if j < times - 1 else "b", domain="d")
                 for j in range(times)]  # fmt: skip
        found.append(helper.make_function("d", f"F{i}", ["a"], ["b"], inner, imports))
    return found


def _node(op: str, given: str, result: str, **settings: Any) -> Any:
    from onnx import helper

    return helper.make_node(op, given.split(), [result], **settings)


def _loop(trips: int, inside: int) -> Callable[[], bytes]:
    import numpy
    from onnx import TensorProto, helper, numpy_helper

    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [_node("Identity", "c", "c2"), *(_node("Relu", f"v{i}", f"v{i + 1}") for i in range(inside))], "b",
        [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("v0", TensorProto.FLOAT, [3])],
        [value("c2", TensorProto.BOOL, []), value(f"v{inside}", TensorProto.FLOAT, [3])],
    )  # fmt: skip
    constants = [numpy_helper.from_array(numpy.array(trips), "n"), numpy_helper.from_array(numpy.array(True), "t")]
    return _onnx([_node("Loop", "n t x", "y", body=body)], (3,), initializer=constants)


def _graphs() -> Iterator[Member]:
    yield "functions that use others ten times", _file("m.onnx", _onnx([_node("F9", "x", "y", domain="d")],
                                                                       functions=_functions(10, 10)))  # fmt: skip
    yield "functions in a circle", _file("m.onnx", _onnx([_node("F3", "x", "y", domain="d")],
                                                         functions=_functions(2, 4, True)))  # fmt: skip
    yield "loop of 2^40 steps", _file("m.onnx", _loop(1 << 40, 1))
    yield "loop of 30,000 steps of 20 nodes", _file("m.onnx", _loop(30_000, 20))
    yield "scope of 100,000 parts", _file("m.onnx", _onnx([_node("Relu", "x", "y", name="a.b/" * 100_000)]))
    yield (
        "scope of a million characters",
        _file("m.onnx", _onnx([_node("Relu", "x", "y", name="/" + "ab." * 300_000 + "/c")])),
    )
    yield "expanded without end", _file("m.onnx", _onnx([_node("Relu", "x", "y")], (1 << 40, 1 << 40, 1 << 40)))
    yield "pool of a large window", _file("m.onnx", _onnx([_node("AveragePool", "x", "y", kernel_shape=[2**31] * 2,
                                                                 pads=[2**31] * 4)]))  # fmt: skip
    yield (
        "convolution of stride 0",
        _file("m.onnx", _onnx([_node("MaxPool", "x", "y", kernel_shape=[2, 2], strides=[0, 0])])),
    )
    yield "blocks of size 0", _file("m.onnx", _onnx([_node("SpaceToDepth", "x", "y", blocksize=0)]))
    yield "split in 2^60", _file("m.onnx", _onnx([_node("Split", "x", "y", num_outputs=1 << 60)]))
    equation = "abcd,efgh,ijkl,mnop->abcdefghijklmnop"
    yield "einsum of many letters", _file("m.onnx", _onnx([_node("Einsum", "x x x x", "y", equation=equation)]))


def _pt2(change: Callable[[Any], None], method: int = zipfile.ZIP_STORED) -> Callable[[Path], tuple[str, ...]]:
    def content() -> bytes:
        with zipfile.ZipFile(io.BytesIO(seed("pt2").content)) as archive:
            records = {name: archive.read(name) for name in archive.namelist()}
        name = next(name for name in records if "/models/" in name)
        found = json.loads(records[name])
        change(found)
        records[name] = json.dumps(found).encode()
        return _zip(records, method)

    return _file("m.pt2", content)


def _graph(found: Any) -> Any:
    return found["graph_module"]["graph"]


def _calls(target: str, *args: Any, results: int = 1) -> Callable[[Any], None]:
    """Before everything else, an operator is called on the input `x`."""

    def change(found: Any) -> None:
        given = [{"name": f"a{i}", "arg": arg, "kind": 1} for i, arg in enumerate(args)]
        outputs = [{"as_tensor": {"name": f"z{i}"}} for i in range(results)]
        node = {
            "target": target,
            "inputs": given,
            "outputs": outputs,
            "metadata": {},
            "is_hop_single_tensor_return": None,
        }
        graph = _graph(found)
        graph["nodes"].insert(0, node)
        for i in range(results):
            graph["tensor_values"][f"z{i}"] = graph["tensor_values"]["x"]

    return change


def _sized(expression: str) -> Callable[[Any], None]:
    size = {"as_expr": {"expr_str": expression, "hint": {"as_int": 2}}}
    return lambda found: _graph(found)["tensor_values"]["x"]["sizes"].__setitem__(0, size)


X = {"as_tensor": {"name": "x"}}


def _int(value: int) -> Any:
    return {"as_int": value}


def _programs() -> Iterator[Member]:
    aten = "torch.ops.aten"
    calls = {
        "prints": (f"{aten}._print.default", {"as_string": "\x1b[31m"}),
        "opens a file": (f"{aten}.from_file.default", {"as_string": "/etc/passwd"}, {"as_bool": False}, _int(9)),
        "loads a library": ("torch.ops.load_library", {"as_string": "/tmp/x.so"}),
        "a view of each element": (f"{aten}.unbind.int", X, _int(3)),
        "pieces without end": (f"{aten}.tensor_split.sections", X, _int(1 << 40)),
        "memory format of nobody": (f"{aten}.clone.default", X, _int(2**63 - 1)),
        "dtype of nobody": (f"{aten}.sum.dim_IntList", X, {"as_ints": [0]}, {"as_bool": False}, _int(10**9)),
        "differences without end": (f"{aten}.diff.default", X, _int(2**62)),
        "resized": (f"{aten}.resize_.default", X, {"as_ints": [1 << 40] * 3}),
        "another storage": (f"{aten}.set_.source_Tensor", X, X),
        "repeated": (f"{aten}.repeat.default", X, {"as_ints": [1 << 50] * 8}),
        "100 dimensions": (f"{aten}.view.default", X, {"as_ints": [-1] + [1] * 100}),
        "sum into a dimension of nobody": (f"{aten}.sum.dim_IntList", X, {"as_ints": [77]}),
        "asks for values": (f"{aten}.nonzero.default", X),
        "counts values": (f"{aten}.bincount.default", X),
        "one of many": (f"{aten}.one_hot.default", X, _int(10**12)),
        "addmm of another dtype": (f"{aten}.addmm.dtype", X, X, X, {"as_scalar_type": 7}),
        "a gradient": (f"{aten}.fractional_max_pool2d_backward.default", X, X, {"as_ints": [3, 1 << 40]},
                       {"as_ints": []}, X),
        "sparse indices": (f"{aten}._convert_indices_from_coo_to_csr.default", X, _int(1 << 40)),
        "segments": (f"{aten}.segment_reduce.default", X, {"as_string": "sum"}),
        "number of texts": ("_operator.add", {"as_string": "a"}, _int(3)),
        "remainder of 0": ("_operator.mod", _int(3), _int(0)),
        "round of 10^9 digits": ("builtins.round", _int(5), _int(-(10**9))),
    }  # fmt: skip
    for name, (target, *args) in calls.items():
        yield f"program: {name}", _pt2(_calls(target, *args))
    for name, expression in {
        "tower of powers": "Pow(Pow(Integer(9), Integer(60)), Integer(60))",
        "products": "Mul(" + "Integer(99999999)," * 100 + ")", "division by 0": "Mod(Integer(3), Integer(0))",
        "infinity": "ToFloat(1e999)", "code": "().__class__", "deep": "-" * 4000 + "1", "no function": "Integer",
        "text": "'a'", "comprehension": "[i for i in range(9)]", "NaN": "Integer(1e999 - 1e999)",
    }.items():  # fmt: skip
        yield f"program: size of {name}", _pt2(_sized(expression))
    yield (
        "program that is deflated",
        _pt2(lambda found: found.__setitem__("x", [[]] * 20_000_000), zipfile.ZIP_DEFLATED),
    )
    yield "program of deep lists", _pt2(lambda found: found.__setitem__("x", json.loads("[" * 900 + "]" * 900)))


# Configurations, and what is no file ----------------------------------------------------------------------------------


def _configured(**settings: Any) -> Callable[[Path], tuple[str, ...]]:
    content = json.dumps({**json.loads(seed("config.json").content), **settings}).encode()
    return _file("config.json", lambda: content, "hf:./", "--input", "1x4:int64")


def _others() -> Iterator[Member]:
    yield "a million layers", _configured(n_layer=10**6)
    yield "layers below 0", _configured(n_layer=-5)
    yield "heads of 0", _configured(n_head=0)
    yield "architectures of numbers", _configured(architectures=[3])
    yield "architectures of objects", _configured(architectures={"a": 1})
    yield "kind that is a list", _configured(model_type=[])
    yield "10^10 tokens", _file("config.json", lambda: seed("config.json").content, "hf:./", "--seq", "10000000000")
    for suffix in (
        ".pt",
        ".safetensors",
        ".gguf",
        ".json",
        ".json.gz",
        ".pt2",
        ".onnx",
        ".safetensors.index.json",
        ".toml",
    ):
        yield f"pipe{suffix}", _pipe(f"m{suffix}")
        yield f"folder{suffix}", _folder(f"m{suffix}")
        yield f"device{suffix}", _device(f"m{suffix}")
    yield "name of 5,000 characters", lambda folder: ("a" * 5000 + ".pt",)
    yield "empty zip", _file("m.pt2", lambda: b"PK\x05\x06" + bytes(18))
    yield "zip64 that lies", _file("m.pt", lambda: _zip({"it/data.pkl": b"\x80\x02}."}) [:-22] + b"PK\x06\x06"
                                   + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2**40, 2**40, 2**50, 2**50)
                                   + b"PK\x06\x07" + bytes(16) + b"PK\x05\x06" + b"\xff" * 18)  # fmt: skip


def members() -> Iterator[Member]:
    for several in (_checkpoints, _traces, _tables, _graphs, _programs, _others):
        yield from several()
