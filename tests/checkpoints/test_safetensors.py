"""safetensors: what is right agrees with the library that wrote it, and what is wrong is refused in a sentence."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from profiler import errors
from profiler.records.trace import Packing, Tensor
from profiler.sources import checkpoints
from tests.checkpoints import writers
from tests.checkpoints.writers import header, safetensors, whole

TENSORS = {"a.weight": ("F32", (4, 3)), "a.bias": ("F32", (4,)), "b.weight": ("BF16", (2, 4))}
SIZE = 4 * 4 * 3 + 4 * 4 + 2 * 2 * 4


def read(path: Path, content: bytes) -> checkpoints.Contents:
    path.write_bytes(content)
    return checkpoints.read(str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_what_a_header_says(path: Path) -> None:
    found = read(path, whole(TENSORS, {"format": "pt"}))
    assert {entry.name: entry.tensor for entry in found.entries} == {
        "a.weight": Tensor((4, 3), "float32"),
        "a.bias": Tensor((4,), "float32"),
        "b.weight": Tensor((2, 4), "bfloat16"),
    }
    assert sum(place.size_bytes for place in found.storages) == SIZE
    assert found.metadata == {"format": "pt"}


def test_the_library_agrees(path: Path) -> None:
    """Every dtype that it writes."""
    dtypes = [
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.float8_e4m3fn, torch.float8_e5m2,
        torch.complex64, torch.float8_e8m0fnu,
    ]  # fmt: skip
    made = {str(dtype): torch.zeros(2, 3).to(dtype) for dtype in dtypes} | {"none": torch.zeros(0, 3)}
    save_file(made, path, {"epoch": "3"})
    found = checkpoints.read(str(path))
    with safe_open(path, "pt") as witness:
        assert {entry.name for entry in found.entries} == set(witness.keys())
        assert found.metadata == witness.metadata()
    for entry in found.entries:
        assert entry.tensor.shape == tuple(made[entry.name].shape)
        assert entry.tensor.dtype == str(made[entry.name].dtype).removeprefix("torch.")
        assert entry.tensor.size_bytes == made[entry.name].nbytes


def test_elements_smaller_than_a_byte(path: Path) -> None:
    said = {"x": {"dtype": "F4", "shape": [3, 6], "data_offsets": [0, 9]},
            "y": {"dtype": "F6_E2M3", "shape": [4], "data_offsets": [9, 12]}}  # fmt: skip
    found = read(path, safetensors(said, 3 * 6 * 4 // 8 + 4 * 6 // 8))
    assert [entry.packing for entry in found.entries] == [
        Packing("float4_e2m1", (3, 6)), Packing("float6_e2m3", (4,))
    ]  # fmt: skip
    assert [entry.tensor.size_bytes for entry in found.entries] == [9, 3]


@pytest.mark.parametrize("low", range(256))
def test_any_length_of_a_header(path: Path, low: int) -> None:
    """Whatever its first byte is: that of a pickle, of a zip, or of GGUF."""
    found, size = header(TENSORS)
    text = json.dumps(found).encode()
    length = next(length for length in range(len(text), len(text) + 256) if length % 256 == low)
    assert len(read(path, safetensors(text.ljust(length), size)).entries) == 3


def changed(name: str, **said: Any) -> bytes:
    found, size = header(TENSORS)
    found[name] |= said
    return safetensors(found, size)


def lacking(name: str) -> bytes:
    found, size = header(TENSORS)
    del found["a.bias"][name]
    return safetensors(found, size)


RIGHT, TEXT = whole(TENSORS), json.dumps(header(TENSORS)[0]).encode()
WRONG = {
    "nothing": (b"", "it is empty"),
    "seven bytes": (b"\0" * 7, "does not begin as safetensors do"),
    "a length and no header": (struct.pack("<Q", 10) + b"{", "claims 10 bytes, and the file has 1 more"),
    "an overlong header": (safetensors(TEXT, SIZE, 2**62), f"claims {2**62:,} bytes, and a header has 100,000,000"),
    "a header longer than the file": (safetensors(TEXT, SIZE, 9_999), "claims 9,999 bytes, and the file has"),
    "a header that is cut off": (safetensors(TEXT, SIZE, len(TEXT) - 5), "is not JSON"),
    "truncated": (RIGHT[:-1], f"it is truncated: its tensors take {SIZE} bytes, and {SIZE - 1} are there"),
    "bytes behind": (RIGHT + b"xx", "its last 2 bytes belong to no tensor"),
    "overlapping": (changed("a.bias", data_offsets=[40, 56]), "begins at byte 40, and the tensor before it ends at 48"),
    "a gap": (changed("b.weight", data_offsets=[80, 96]), "begins at byte 80, and the tensor before it ends at 64"),
    "backwards": (changed("a.bias", data_offsets=[64, 48]), "takes 16 bytes by its shape, and -16 by its offsets"),
    "a negative size": (changed("a.bias", shape=[-4]), "are not whole numbers"),
    "a size that overflows": (changed("a.bias", shape=[2**40, 2**40]), "larger than any tensor"),
    "a size that is no number": (changed("a.bias", shape=["4"]), "are not whole numbers"),
    "a size that is true": (changed("a.bias", shape=[True]), "are not whole numbers"),
    "a fraction": (changed("a.bias", shape=[4.0]), "are not whole numbers"),
    "offsets of three": (changed("a.bias", data_offsets=[48, 64, 64]), "are not whole numbers"),
    "another shape": (changed("a.bias", shape=[5]), "takes 20 bytes by its shape, and 16 by its offsets"),
    "an unknown dtype": (changed("a.bias", dtype="F12"), "a dtype that is not known, 'F12'"),
    "a dtype that is no text": (changed("a.bias", dtype=[]), "a dtype that is not known, a list"),
    "no dtype": (lacking("dtype"), "is not described by dtype, shape and data_offsets"),
    "something more": (changed("a.bias", strides=[1]), "is not described by dtype, shape and data_offsets"),
    "twice the same name": (safetensors(TEXT.replace(b"a.bias", b"b.weight"), SIZE), "is in its header twice"),
    "not UTF-8": (safetensors(TEXT.replace(b"a.bias", b"a.\xff\xfes"), SIZE), "is not UTF-8"),
    "a list": (safetensors(b"[1, 2]", 0), "does not begin as safetensors do"),
    "nested deeply": (safetensors(b'{"a":' + b"[" * 100_000, 0), "nested too deeply"),
    "a number of many digits": (safetensors(b'{"a":' + b"9" * 10_000 + b"}", 0), "is not JSON"),
    "metadata that is no text": (safetensors({"__metadata__": {"a": 1}}, 0), "its __metadata__ is not made of texts"),
    "metadata that is a list": (safetensors({"__metadata__": []}, 0), "its __metadata__ is not made of texts"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "why"), WRONG.values(), ids=WRONG)
def test_what_is_wrong(path: Path, content: bytes, why: str) -> None:
    with pytest.raises(errors.UnreadableCheckpoint) as caught:
        read(path, content)
    assert why in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_right_one_of_them_is_read(path: Path) -> None:
    """The file that the wrong ones are made of."""
    assert len(read(path, RIGHT).entries) == 3


def test_a_pointer_of_git_lfs(path: Path) -> None:
    with pytest.raises(errors.UnreadableCheckpoint, match="git lfs pull"):
        read(path, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")


# Several files --------------------------------------------------------------------------------------------------------

MANY = {f"layers.{i}.weight": ("BF16", (1024, 1024)) for i in range(1000)}


def test_a_thousand_tensors_in_four_shards(tmp_path: Path) -> None:
    found = checkpoints.read(str(writers.sharded(tmp_path, MANY, 4)))
    assert len(found.entries) == len(found.storages) == 1000
    assert len(found.paths) == 4
    assert sum(entry.tensor.size_bytes for entry in found.entries) == 1000 * 2 * 1024 * 1024
    assert {entry.storage for entry in found.entries} == set(range(1000))


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    index = writers.sharded(tmp_path, MANY, 4)
    (tmp_path / "model-00003-of-00004.safetensors").unlink()
    with pytest.raises(errors.ProfileError, match=r"is in 4 files, of which 1 is missing: model-00003-of-00004.safete"):
        checkpoints.read(str(index))


def indexed(folder: Path, **changes: Any) -> str:
    index = writers.sharded(folder, TENSORS, 2)
    index.write_text(json.dumps(json.loads(index.read_text()) | changes))
    return str(index)


SHARD = "model-00001-of-00002.safetensors"
WRONG_INDEX = {
    "no map": ({"weight_map": None}, "it has no weight_map"),
    "an empty map": ({"weight_map": {}}, "it has no weight_map"),
    "a number": ({"weight_map": {"a.bias": 3}}, "names a shard by something that is no file name"),
    "a place elsewhere": ({"weight_map": {"a.bias": "../x.safetensors"}}, "outside of its own folder"),
    "the root": ({"weight_map": {"a.bias": "/etc/passwd"}}, "outside of its own folder"),
    "a tensor that is not there": ({"weight_map": {"c": SHARD}}, f"'c' is not in '{SHARD}', where it says"),
}


@pytest.mark.parametrize(("changes", "why"), WRONG_INDEX.values(), ids=WRONG_INDEX)
def test_an_index_that_is_wrong(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(errors.UnreadableCheckpoint) as caught:
        checkpoints.read(indexed(tmp_path, **changes))
    assert why in str(caught.value)


def test_a_name_in_two_shards(tmp_path: Path) -> None:
    index = writers.sharded(tmp_path, TENSORS, 2)
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(whole(TENSORS))
    with pytest.raises(errors.UnreadableCheckpoint, match=r"'a.weight' is in two of its files"):
        checkpoints.read(str(index))


def test_a_folder(tmp_path: Path) -> None:
    index = writers.sharded(tmp_path, TENSORS, 2)
    assert checkpoints.in_folder(str(tmp_path)) == str(index)
    index.unlink()
    with pytest.raises(errors.ProfileError, match="it has several"):
        checkpoints.read(str(tmp_path))
    (tmp_path / SHARD).unlink()
    assert len(checkpoints.read(str(tmp_path)).paths) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.ProfileError, match="it has none"):
        checkpoints.read(str(tmp_path / "empty"))
