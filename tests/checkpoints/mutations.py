"""Small files that are right, what may be done to them, and what may come of it: facts, or one sentence."""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from hypothesis import strategies as st
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    Metadata,
    TensorProperties,
    TensorStorageMetadata,
)

from profiler import errors
from profiler.figures import layers
from profiler.records import archive
from profiler.sources import checkpoints
from profiler.sources.checkpoints import naming
from profiler.sources.checkpoints.source import as_trace
from tests.checkpoints import writers

KINDS = ("safetensors", "zip", "stream", "gguf", "index", "model", "npz", "distributed")


def _torch(is_zip: bool) -> bytes:
    base, file = torch.zeros(8), io.BytesIO()
    held = {"state_dict": {"module.a.weight": base.view(2, 4), "module.a.bias": base[2:4]}, "epoch": 3,
            "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]}}  # fmt: skip
    torch.save(held, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def _model() -> bytes:
    """A whole one, whose classes are read as inert records."""
    file = io.BytesIO()
    torch.save({"model": torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)), "epoch": 1}, file)
    return file.getvalue()


def _arrays() -> bytes:
    file = io.BytesIO()
    numpy.savez(file, **{"params/a/kernel": numpy.zeros((2, 3), numpy.float32), "params/b": numpy.zeros(4)})
    return file.getvalue()


def _metadata() -> bytes:
    """What torch.distributed.checkpoint writes of two tensors, without the files that they would be in."""
    made = Metadata({
        "model.a": TensorStorageMetadata(TensorProperties(torch.float32), torch.Size((2, 3)), []),
        "optim.state.0.step": TensorStorageMetadata(TensorProperties(torch.float32), torch.Size(()), []),
        "epoch": BytesStorageMetadata(),
    }, {"model.a": ("model", "a"), "optim.state.0.step": ("optim", "state", 0, "step")}, {})  # fmt: skip
    return pickle.dumps(made)


def seeds() -> Mapping[str, bytes]:
    """A file of each kind."""
    tensors = {"a.qweight": ("I32", (8, 8)), "a.scales": ("F16", (1, 8)), "a.g_idx": ("I32", (64,)),
               "b.0.weight": ("F32", (2, 3))}  # fmt: skip
    rows = [("token_embd.weight", (256, 2), 12, 0), ("norm.weight", (8,), 0, 288)]
    pairs = [
        writers.pair("general.architecture", writers.STRING, writers.text("llama")),
        writers.pair("a", writers.ARRAY, struct.pack("<IQ", writers.STRING, 1) + writers.text("b")),
        writers.pair("general.alignment", writers.UINT32, struct.pack("<I", 32)),
    ]
    return {
        "safetensors": writers.whole(tensors, {"format": "pt"}),
        "zip": _torch(True),
        "stream": _torch(False),
        "gguf": writers.gguf(rows, 2 * 144 + 32, pairs),
        "index": b'{"metadata": {"total_size": 4}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}',
        "model": _model(),
        "npz": _arrays(),
        "distributed": _metadata(),
    }


SUFFIXES = {"safetensors": ".safetensors", "zip": ".pt", "stream": ".pth", "gguf": ".gguf",
            "index": ".safetensors.index.json", "model": ".pt", "npz": ".npz", "distributed": "/.metadata"}  # fmt: skip


def outcome(folder: Path, kind: str, content: bytes) -> str:
    """What reading a file comes to: "read" with all that is derived from it, or "refused" in one line.

    Anything else that it raises is a fault of the reader.
    """
    path = folder / f"it{SUFFIXES[kind]}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    try:
        contents = checkpoints.read(str(path.parent if kind == "distributed" else path))
        trace = as_trace("it", contents, naming.told_apart(contents))
    except errors.ProfileError as error:
        if "\n" in str(error) or len(str(error)) > _LONGEST:
            raise AssertionError("more than a line") from error
        return "refused"
    assert all(place.offset >= 0 and place.size_bytes >= 0 for place in contents.storages)
    assert layers.totals(trace).params >= 0
    assert archive.from_json(archive.to_json(trace)).modules == trace.modules
    return "read"


# Damage ---------------------------------------------------------------------------------------------------------------

_NUMBERS = [
    0, 1, 2, 7, 8, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
]  # fmt: skip
_PIECES = [
    b"(", b"t", b"R", b"\x81", b"Q", b"}", b"]", b"u", b"e", b"0", b".", b"h\x00", b"2", b"\x85", b"[[[[", b"{{", b'"',
    b"-1", b"1e999", b"NaN", b"\xff\xfe", b"PK\x01\x02", b"PK\x05\x06", b"cos\nsystem\n", b".a.", b"..", b"/",
    b"0" * 40,
]  # fmt: skip
_LONGEST = 2000  # characters of a sentence

Edit = Callable[[bytes], bytes]


@st.composite
def edits(draw: Any) -> Edit:
    """One change at some share of the way through a file."""
    at, length = draw(st.floats(0, 1)), draw(st.integers(1, 24))
    kind = draw(st.sampled_from(["cut", "flip", "put", "number", "drop", "copy"]))
    mask, piece = draw(st.integers(1, 255)), draw(st.sampled_from(_PIECES) | st.binary(max_size=9))
    form, number, to = draw(st.sampled_from("BHIQ")), draw(st.sampled_from(_NUMBERS)), draw(st.floats(0, 1))

    def edit(content: bytes) -> bytes:
        i, j = int(at * len(content)), int(to * len(content))
        if kind == "cut":
            return content[:i]
        if kind == "flip":
            return content[:i] + bytes(b ^ mask for b in content[i : i + 1]) + content[i + 1 :]
        if kind == "put":
            return content[:i] + piece + content[i:]
        if kind == "number":
            size = struct.calcsize(form)
            return content[:i] + (number % 256**size).to_bytes(size, "little") + content[i + size :]
        if kind == "drop":
            return content[:i] + content[i + length :]
        return content[:i] + content[j : j + length] + content[i:]

    return edit


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """A file after a few changes."""

    def apply(done: list[Edit]) -> bytes:
        result = content
        for edit in done:
            result = edit(result)
        return result

    return st.lists(edits(), min_size=1, max_size=5).map(apply)
