"""GGUF: what gguf-py writes and reads, and what is wrong with a file in a sentence."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path

import numpy
import pytest

from profiler import errors
from profiler.records.trace import Packing, Tensor
from profiler.sources import checkpoints
from profiler.sources.checkpoints.gguf import _BLOCKS, _PLAIN
from tests.checkpoints.writers import ARRAY, STRING, UINT32, gguf, pair, text

F32, F16, Q4_0, Q4_K, Q6_K = 0, 1, 2, 12, 14
ROWS = [("token_embd.weight", (256, 10), Q4_K, 0), ("output_norm.weight", (256,), F32, 1440)]
SIZE = 10 * 144 + 256 * 4
PAIRS = [pair("general.architecture", STRING, text("llama")), pair("general.alignment", UINT32, struct.pack("<I", 32))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def read(path: Path, content: bytes) -> checkpoints.Contents:
    path.write_bytes(content)
    return checkpoints.read(str(path))


def test_what_a_header_says(path: Path) -> None:
    """Blocks of 256 weights take 144 bytes; dimensions are turned round."""
    found = read(path, gguf(ROWS, SIZE, PAIRS))
    embed, norm = found.entries
    assert (embed.tensor, embed.packing) == (Tensor((10 * 144,), "uint8"), Packing("q4_k", (10, 256)))
    assert (norm.tensor, norm.packing) == (Tensor((256,), "float32"), None)
    assert found.metadata == {"general.architecture": "llama", "general.alignment": "32"}


def test_the_library_agrees_on_every_type() -> None:
    witness = pytest.importorskip("gguf.constants")
    sizes = {int(kind): found for kind, found in witness.GGML_QUANT_SIZES.items()}
    ours = {kind: (weights, size) for kind, (_, weights, size) in _BLOCKS.items()}
    plain = {kind: (1, Tensor((1,), dtype).size_bytes) for kind, dtype in _PLAIN.items()}
    assert ours | plain == {kind: sizes[kind] for kind in ours | plain}
    assert {kind: name for kind, (name, *_) in _BLOCKS.items()} == {
        kind: witness.GGMLQuantizationType(kind).name.lower() for kind in _BLOCKS
    }


@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_the_library_wrote_it(path: Path, order: str) -> None:
    library = pytest.importorskip("gguf")
    writer = library.GGUFWriter(path, "llama", endianess=library.GGUFEndian[order])
    writer.add_uint32("llama.block_count", 2)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "ccc"])
    writer.add_array("some.numbers", [1, 2, 3])
    writer.add_bool("some.flag", True)
    shapes = {"a": (3, 64), "b": (5,)}
    for name, shape in shapes.items():
        writer.add_tensor(name, numpy.ones(shape, numpy.float32))
    packed = library.quants.quantize(numpy.ones((4, 64), numpy.float32), library.GGMLQuantizationType.Q8_0)
    if order == "LITTLE":
        writer.add_tensor("c", packed, raw_dtype=library.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = checkpoints.read(str(path))
    for entry, theirs in zip(found.entries, library.GGUFReader(path).tensors, strict=True):
        assert entry.name == theirs.name
        place = found.storages[entry.storage or 0]
        assert (place.offset, place.size_bytes) == (theirs.data_offset, theirs.n_bytes)
        stored = entry.packing.shape if entry.packing is not None else entry.tensor.shape
        assert stored == tuple(reversed(theirs.shape.tolist()))
    assert found.metadata["llama.block_count"] == "2"
    assert found.metadata["tokenizer.ggml.tokens"] == "[3 values]"
    assert found.metadata["some.flag"] == "True"


def test_a_model_in_several_files(tmp_path: Path) -> None:
    for i, row in enumerate(ROWS):
        (tmp_path / f"m-{i + 1:05}-of-00002.gguf").write_bytes(gguf([(*row[:3], 0)], 1440))
    found = checkpoints.read(str(tmp_path / "m-00001-of-00002.gguf"))
    assert [entry.name for entry in found.entries] == [name for name, *_ in ROWS]
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    with pytest.raises(errors.ProfileError, match=r"1 is missing: m-00002-of-00002.gguf"):
        checkpoints.read(str(tmp_path / "m-00001-of-00002.gguf"))


def row(**said: object) -> bytes:
    name, dimensions, kind, offset = ROWS[1]
    values = {"name": name, "dimensions": dimensions, "kind": kind, "offset": offset} | said
    return gguf([ROWS[0], tuple(values.values())], SIZE)  # type: ignore[list-item]


WHOLE = gguf(ROWS, SIZE, PAIRS)
WRONG = {
    "cut in its magic": (WHOLE[:6], "truncated in its header"),
    "cut in its metadata": (WHOLE[:60], "truncated in its header"),
    "cut in its table": (WHOLE[: len(WHOLE) - SIZE - 40], "truncated in its header"),
    "cut in its tensors": (WHOLE[:-1], f"it is truncated: its tensors take {SIZE:,} bytes, and {SIZE - 1:,} are there"),
    "a version to come": (gguf(ROWS, SIZE, version=9), "of version 9"),
    "the first version": (gguf(ROWS, SIZE, version=1), "of version 1"),
    "many tensors": (gguf(ROWS, SIZE, tensors=2**63), "table of tensors claims 9,223,372,036,854,775,808 entries"),
    "much metadata": (gguf(ROWS, SIZE, count=2**63), "its metadata claims"),
    "a long text": (gguf([], 99, [struct.pack("<Q", 2**62)]), "truncated in its header, in a text"),
    "a long array": (gguf([], 0, [pair("a", ARRAY, struct.pack("<IQ", UINT32, 2**61))]), "truncated in its array"),
    "many texts": (gguf([], 0, [pair("a", ARRAY, struct.pack("<IQ", STRING, 2**61))]), "its array of texts claims"),
    "a text cut off": (gguf([], 0, [pair("a", ARRAY, struct.pack("<IQ", STRING, 1) + struct.pack("<Q", 10**6))]),
                       "truncated in its array of texts"),
    "an array of arrays": (gguf([], 0, [pair("a", ARRAY, struct.pack("<IQ", ARRAY, 1))]), "an array of a type that"),
    "a type of value": (gguf([], 0, [pair("a", 77, b"")]), "a value of a type that is not known, 77"),
    "a key twice": (gguf([], 0, [PAIRS[0], PAIRS[0]]), "'general.architecture' is in its metadata twice"),
    "no alignment": (gguf([], 0, [pair("general.alignment", UINT32, struct.pack("<I", 0))]), "no multiple of 8"),
    "five dimensions": (row(dimensions=(1,) * 5), "has 5 dimensions, and 4 are the most"),
    "many dimensions": (gguf(ROWS, SIZE).replace(struct.pack("<IQ", 1, 256), struct.pack("<IQ", 2**31, 256)),
                        "dimensions, and 4 are the most"),
    "a size that overflows": (row(dimensions=(2**40, 2**40)), "larger than any tensor"),
    "an unknown type": (row(kind=99), "a type that is not known, 99"),
    "a part of a block": (row(kind=Q4_0, dimensions=(33,)), "is q4_0, and its rows are no multiple of 32 weights"),
    "a block without rows": (row(kind=Q4_0, dimensions=()), "is q4_0, and its rows are no multiple"),
    "a place between": (row(offset=1441), "begins at byte 1,441, no multiple of 32"),
    "a place of another": (row(offset=1408), "begins before the tensor before it ends"),
    "a place beyond": (row(offset=2**62), "it is truncated"),
    "a name twice": (row(name=ROWS[0][0]), "'token_embd.weight' is in its table twice"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "why"), WRONG.values(), ids=WRONG)
def test_what_is_wrong(path: Path, content: bytes, why: str) -> None:
    with pytest.raises(errors.UnreadableCheckpoint) as caught:
        read(path, content)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_right_one_of_them_is_read(path: Path) -> None:
    assert len(read(path, row()).entries) == 2


@pytest.mark.parametrize("kind", _BLOCKS)
def test_bytes_of_blocks(path: Path, kind: int) -> None:
    name, weights, size = _BLOCKS[kind]
    dimensions = (2 * weights, 3, 5)
    (entry,) = read(path, gguf([("x", dimensions, kind, 0)], 2 * 3 * 5 * size)).entries
    assert entry.tensor.size_bytes == prod(dimensions) // weights * size
    assert entry.packing == Packing(name, (5, 3, 2 * weights))


def test_headers_that_are_longer_than_any(path: Path) -> None:
    """A text of 200 MB in a file of 300 MB, of which nothing is on the disk."""
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 200 << 20))
    with path.open("r+b") as file:
        file.truncate(300 << 20)
    with pytest.raises(errors.UnreadableCheckpoint, match=r"goes on for 209,715,200 bytes behind the 134,217,732"):
        checkpoints.read(str(path))
