"""A small file of each format that is right, and the command that reads it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.checkpoints import mutations

MODEL = '[[models]]\nmodel = "trace.json"\nmax-params = "1M"\n'


@dataclass(frozen=True)
class Seed:
    """A file's name and content, the arguments of the command, and what stands beside it.

    statuses: those that are right, beside 2 with a line, or as many as there are models to speak of.
    """

    name: str
    content: bytes
    argv: tuple[str, ...]
    beside: Mapping[str, bytes]
    statuses: frozenset[int] = frozenset({0})
    lines: int = 1


def _trace() -> bytes:
    import torch
    from torch import nn

    from profiler import profile
    from profiler.records import archive

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2))
    return json.dumps(archive.to_json(profile(model, torch.rand(1, 3, 8, 8)).trace)).encode()


def _exported() -> bytes:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4 * 36, 2)
            self.register_buffer("mask", torch.tensor([True, False]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.norm(self.conv(x))).flatten(1)
            return self.head(x) * self.mask + torch.arange(2)

    file = io.BytesIO()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(Net().eval(), (torch.rand(2, 3, 8, 8),), dynamic_shapes=({0: batch},))
    torch.export.save(program, file)
    return _without_samples(file.getvalue())


def _without_samples(content: bytes) -> bytes:
    """An archive without the example inputs, which nobody reads, so that damage meets what is read."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            if "sample_inputs" not in name:
                new.writestr(name, old.read(name))
    return file.getvalue()


def _onnx() -> bytes:
    import numpy
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(numpy.ones((4, 3, 3, 3), "float32"), "conv.weight")
    shape = numpy_helper.from_array(numpy.array([0, -1]), "shape")
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["y"], name="/conv/Conv", kernel_shape=[3, 3], strides=[1, 1]),
        helper.make_node("MaxPool", ["y"], ["p"], name="/pool/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["p", "shape"], ["r"]),
        helper.make_node("Softmax", ["r"], ["z"], axis=-1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [x], [z], [weight, shape])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]).SerializeToString())


def _configuration() -> bytes:
    said = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 1, "n_embd": 16, "n_head": 2,
            "vocab_size": 50, "n_positions": 16, "initializer_range": 0.02, "use_cache": False}  # fmt: skip
    return json.dumps(said).encode()


_TOML = (MODEL + 'label = "a \\u0041"\nmax-macs = 3_000\n[[models]]\nmodel = "trace.json"\nlabel = """\nb"""\n'
         'max-size = "10MB"\n').encode()  # fmt: skip
_CSV = b'model,"acc, top",loss\ntrace.json,76.50,0.12\nother,1e3,x\n'


def _checkpoint(kind: str, name: str) -> Callable[[], Seed]:
    return lambda: Seed(name, mutations.seeds()[kind], (name,), {})


def _index() -> Seed:
    shard = mutations.seeds()["safetensors"]
    names = {"a.qweight": "a.safetensors", "a.scales": "a.safetensors", "a.g_idx": "a.safetensors",
             "b.0.weight": "a.safetensors"}  # fmt: skip
    content = json.dumps({"metadata": {"total_size": 4}, "weight_map": names}).encode()
    return Seed("m.safetensors.index.json", content, ("m.safetensors.index.json",), {"a.safetensors": shard})


_LABELS, _PREDICTIONS = ("a", "b", "a", "c"), ("a", "b", "c", "c")


def _arrays() -> bytes:
    import numpy

    file = io.BytesIO()
    numpy.savez(file, labels=[0, 1, 1, 0], scores=[[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    return file.getvalue()


def _parquet() -> bytes:
    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"label": _LABELS, "prediction": _PREDICTIONS, "weight": [1.0, 2, 1, 1]}), file)
    return file.getvalue()


def _predictions() -> bytes:
    pairs = zip(_LABELS, _PREDICTIONS, strict=True)
    return b"label,prediction\n" + "".join(f"{label},{prediction}\n" for label, prediction in pairs).encode()


_MAKERS: Mapping[str, Callable[[], Seed]] = {
    "safetensors": _checkpoint("safetensors", "m.safetensors"),
    "torch, zip": _checkpoint("zip", "m.pt"),
    "torch, stream": _checkpoint("stream", "m.pth"),
    "GGUF": _checkpoint("gguf", "m.gguf"),
    "index.json": _index,
    "trace.json": lambda: Seed("m.json", _trace(), ("m.json",), {}),
    "trace.json.gz": lambda: Seed("m.json.gz", gzip.compress(_trace(), mtime=0), ("m.json.gz",), {}),
    "TOML": lambda: Seed("m.toml", _TOML, ("check", "m.toml"), {"trace.json": _trace()}, frozenset({0, 1}), 3),
    "CSV": lambda: Seed("m.csv", _CSV, ("trace.json", "--metrics", "m.csv"), {"trace.json": _trace()}),
    "predictions, CSV": lambda: Seed("m.csv", _predictions(), ("score", "m.csv"), {}),
    "predictions, NPZ": lambda: Seed("m.npz", _arrays(), ("score", "m.npz"), {}),
    "predictions, Parquet": lambda: Seed("m.parquet", _parquet(), ("score", "m.parquet"), {}),
    "ONNX": lambda: Seed("m.onnx", _onnx(), ("m.onnx",), {}),
    "pt2": lambda: Seed("m.pt2", _exported(), ("m.pt2",), {}),
    "config.json": lambda: Seed("config.json", _configuration(), ("hf:./", "--input", "1x4:int64"), {}),
}
KINDS = tuple(_MAKERS)


@cache
def seed(kind: str) -> Seed:
    return _MAKERS[kind]()


def written(of: Seed, folder: Path, content: bytes | None = None) -> Path:
    """The file, and what stands beside it, in a folder."""
    for name, other in of.beside.items():
        (folder / name).write_bytes(other)
    path = folder / of.name
    path.write_bytes(of.content if content is None else content)
    return path
