"""torch's own format: what torch.load gives with weights_only, and nothing else; and nothing is ever run."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import struct
import time
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import torchvision
from torch import nn

from profiler import errors
from profiler.sources import checkpoints
from profiler.sources.checkpoints.contents import Contents

FORMS = {"zip": True, "stream": False}


def saved(path: Path, what: Any, is_zip: bool = True, protocol: int = 2) -> Path:
    torch.save(what, path, _use_new_zipfile_serialization=is_zip, pickle_protocol=protocol)
    return path


def read(path: Path) -> Contents:
    return checkpoints.read(str(path))


def tensors(what: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], torch.Tensor]]:
    """Every tensor in what torch.load gives, in order."""
    if isinstance(what, torch.Tensor):
        yield keys or ("tensor",), what
    items = what.items() if isinstance(what, dict) else enumerate(what) if isinstance(what, (list, tuple)) else ()
    for key, value in items:
        yield from tensors(value, (*keys, key))


def check_against_torch(path: Path, **how: Any) -> None:
    """Names, shapes, strides, dtypes, and which tensors share a storage, and where in it they begin."""
    ours = read(path)
    theirs = list(tensors(torch.load(path, weights_only=True, **how)))
    assert [entry.keys for entry in ours.entries] == [keys for keys, _ in theirs]
    storages: dict[int, int] = {}
    for entry, (_, tensor) in zip(ours.entries, theirs, strict=True):
        assert entry.tensor.shape == tuple(tensor.shape)
        assert entry.tensor.dtype == str(tensor.dtype).removeprefix("torch.")
        assert entry.tensor.is_contiguous == tensor.is_contiguous()
        if entry.tensor.strides is not None:
            assert entry.tensor.strides == tensor.stride()
        index = storages.setdefault(tensor.untyped_storage()._cdata, len(storages))
        assert entry.storage == index
        assert ours.storages[index].size_bytes == tensor.untyped_storage().nbytes()
        assert entry.start_bytes == tensor.storage_offset() * tensor.element_size()


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.out = nn.Linear(4, 7, bias=False)
        self.out.weight = self.embed.weight
        self.register_buffer("mask", torch.ones(3, dtype=torch.bool))


def training() -> dict[str, Any]:
    """What a training script keeps."""
    model = Tied()
    optimizer = torch.optim.AdamW(model.parameters())
    model.out(model.embed(torch.tensor([1, 2]))).sum().backward()
    optimizer.step()
    return {"epoch": 3, "arch": "tied", "state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}


def held_twice(state: dict[str, Any]) -> dict[str, Any]:
    return {"model": state, "teacher": state}


BASE = torch.arange(24.0)
KEPT: dict[str, Callable[[], Any]] = {
    "a state_dict": lambda: Tied().state_dict(),
    "resnet18": lambda: torchvision.models.resnet18().state_dict(),
    "a checkpoint of training": training,
    "views of one storage": lambda: {"a": BASE[4:], "b": BASE.view(4, 6).T, "c": BASE[:2], "d": BASE[::2]},
    "one tensor": lambda: torch.zeros(3, 4, dtype=torch.float64),
    "a parameter": lambda: nn.Parameter(torch.zeros(2)),
    "a list of tensors and others": lambda: [torch.zeros(1), (torch.ones(2), {"x": torch.ones(3), "y": "z"}), 4],
    "an empty tensor": lambda: {"x": torch.zeros(0, 3)},
    "a scalar": lambda: {"x": torch.tensor(1.5)},
    "nothing": dict,
    "other values": lambda: {
        "a": None, "b": True, "c": 2**70, "d": -1, "e": 1.5, "f": "ü", "g": b"bytes", "h": torch.Size([1]), "i": {1, 2},
        "j": torch.float16, "k": torch.device("cpu"), "l": 1 + 2j, "m": Counter("aab"), "n": OrderedDict(a=1),
        "o": bytearray(b"x"), "t": torch.zeros(1),
    },
    "whole numbers as keys": lambda: {0: torch.zeros(1), 1: {2: torch.ones(1)}},
    "a dict held twice": lambda: held_twice({"x": torch.zeros(3)}),
}  # fmt: skip
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
          "complex128", "float8_e4m3fn", "float8_e5m2", "uint16", "uint32", "uint64")  # fmt: skip


@pytest.mark.parametrize("make", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("is_zip", FORMS.values(), ids=FORMS)
def test_torch_says_the_same(tmp_path: Path, make: Callable[[], Any], is_zip: bool) -> None:
    torch.manual_seed(0)
    check_against_torch(saved(tmp_path / "it.pt", make(), is_zip))


@pytest.mark.parametrize("is_zip", FORMS.values(), ids=FORMS)
def test_every_dtype(tmp_path: Path, is_zip: bool) -> None:
    """Of the newer ones torch does not read a stream back that it wrote."""
    made = {name: torch.zeros(2, 3).to(getattr(torch, name)) for name in DTYPES[: None if is_zip else -5]}
    check_against_torch(saved(tmp_path / "it.pt", made, is_zip))


def test_what_is_mapped(tmp_path: Path) -> None:
    check_against_torch(saved(tmp_path / "it.bin", training()), mmap=True)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_protocols(tmp_path: Path, protocol: int) -> None:
    """torch's own reader takes the second alone; files of later ones are there all the same."""
    content = {"state_dict": Tied().state_dict(), "epoch": 70_000, "name": "x" * 300}
    by_protocol = read(saved(tmp_path / "it.pt", content, protocol=protocol))
    assert [entry.keys for entry in by_protocol.entries] == [keys for keys, _ in tensors(content)]


def test_tensors_on_meta_have_no_bytes(tmp_path: Path) -> None:
    (entry,) = read(saved(tmp_path / "it.pt", {"x": torch.zeros(2, 3, device="meta")})).entries
    assert (entry.tensor.shape, entry.storage) == ((2, 3), None)


def test_a_sparse_tensor_is_what_it_keeps(tmp_path: Path) -> None:
    sparse = torch.sparse_coo_tensor(torch.tensor([[0, 2]]), torch.tensor([1.0, 2.0]), (4,))
    found = read(saved(tmp_path / "it.pt", {"x": sparse}))
    assert [(entry.name, entry.tensor.shape) for entry in found.entries] == [("x.indices", (1, 2)), ("x.values", (2,))]


def test_a_quantised_tensor(tmp_path: Path) -> None:
    quantised = torch.quantize_per_tensor(torch.zeros(3, 4), 0.1, 0, torch.qint8)
    (entry,) = read(saved(tmp_path / "it.pt", {"x": quantised})).entries
    assert (entry.tensor.shape, entry.tensor.dtype, entry.tensor.size_bytes) == ((3, 4), "qint8", 3 * 4)


# Nothing is run -------------------------------------------------------------------------------------------------------


class Command:
    """What unpickling this runs: a command that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("is_zip", FORMS.values(), ids=FORMS)
def test_a_command_is_not_run(tmp_path: Path, is_zip: bool) -> None:
    trace = tmp_path / "it_ran"
    path = saved(tmp_path / "evil.pt", {"x": torch.zeros(2), "y": Command(trace)}, is_zip)
    with pytest.raises(errors.UnreadableCheckpoint, match=r"asks for 'posix.system', which is code and was not run"):
        read(path)
    assert not trace.exists()


def test_the_command_would_have_run(tmp_path: Path) -> None:
    """So that the test above can fail."""
    trace = tmp_path / "it_ran"
    torch.load(saved(tmp_path / "evil.pt", {"y": Command(trace)}), weights_only=False)
    assert trace.exists()


class Attacks:
    """Pickles as bytes: ways to a function that the reader might call by mistake."""

    eval_ = b"cbuiltins\neval\n(V__import__('os').mkdir('ran')\ntR."
    inst = b"(Vmkdir ran\nios\nsystem\n."
    obj = b"(cos\nsystem\nVmkdir ran\no."
    stack_global = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09mkdir ran\x85R."
    dotted = b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93)R."
    extension = b"\x82\x01)R."
    attribute = b"ctorch\nSize\n(cbuiltins\ngetattr\nVx\ntR."
    call_of_a_text = b"Vos.system\nVmkdir ran\n\x85R."
    call_of_a_dtype = b"ctorch\nfloat32\nVmkdir ran\n\x85R."
    state_of_a_size = b"ctorch\nSize\n)R}b."
    builder = b"ccollections\nOrderedDict\nVab\n\x85\x81."


ATTACKS = {name: value for name, value in vars(Attacks).items() if isinstance(value, bytes)}


def zipped(pickled: bytes, records: dict[str, bytes] | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive as torch lays it out."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("it/data.pkl", pickled)
        for name, content in (records or {}).items():
            archive.writestr(f"it/{name}", content)
    return file.getvalue()


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(errors.UnreadableCheckpoint) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


@pytest.mark.parametrize("pickled", ATTACKS.values(), ids=ATTACKS)
def test_attacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pickled: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    refused(tmp_path / "evil.pt", zipped(pickled))
    assert os.listdir(tmp_path) == ["evil.pt"]


WANTS_MORE = {
    "arguments of a script": (lambda: {"args": argparse.Namespace(lr=1)}, "'argparse.Namespace'"),
    "a number of numpy": (lambda: {"best": numpy.float64(1.0)}, "'numpy._core.multiarray.scalar'"),
}


@pytest.mark.parametrize(("make", "name"), WANTS_MORE.values(), ids=WANTS_MORE)
def test_what_wants_more_is_refused_by_name_as_torch_does(tmp_path: Path, make: Callable[[], Any], name: str) -> None:
    path = saved(tmp_path / "it.pt", make())
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    said = refused(path, path.read_bytes())
    assert name in said
    assert "torch.save(model.state_dict(), ...)" in said


# Bombs and damage -----------------------------------------------------------------------------------------------------


def pickled_text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def laughs(depth: int) -> bytes:
    """Ten times the list before, in a list, so often: 10**depth values in a few hundred bytes."""
    content = b"]q\x00"
    for level in range(depth):
        content += b"]" + b"(" + b"h" + bytes([level]) + (b"h" + bytes([level])) * 9 + b"eq" + bytes([level + 1])
    return content + b"."


def tuples(depth: int) -> bytes:
    """A tuple that holds the one before twice: its hash alone would take 2**depth steps."""
    return b"}" + b")" + b"2\x86" * depth + b"Ns."


def test_a_billion_laughs(tmp_path: Path) -> None:
    """Of tensors; where there is none in it, there is nothing to be found."""
    tensor = described(b"K\x00", b"K\x08\x85", b"K\x01\x85")[:-1]
    bomb = zipped(tensor + b"q\x00" + laughs(9).removeprefix(b"]q\x00"), {"data/0": bytes(4 * 8)})
    assert "over and over" in refused(tmp_path / "it.pt", bomb)
    (tmp_path / "it.pt").write_bytes(zipped(laughs(9)))
    assert read(tmp_path / "it.pt").entries == ()


def test_the_same_list_at_many_places(tmp_path: Path) -> None:
    """Nothing is looked at twice that leads to no tensor."""
    many = 100_000
    content = b"]q\x00(" + b"]" * many + b"e0](" + b"h\x00" * many + b"e."
    (tmp_path / "it.pt").write_bytes(zipped(content))
    started = time.process_time()
    assert read(tmp_path / "it.pt").entries == ()
    assert time.process_time() - started < 5


def test_keys_whose_hash_never_ends(tmp_path: Path) -> None:
    assert "neither texts nor numbers" in refused(tmp_path / "it.pt", zipped(tuples(60)))


def test_a_list_in_itself(tmp_path: Path) -> None:
    tensor = described(b"K\x00", b"K\x08\x85", b"K\x01\x85")[:-1]
    bomb = zipped(b"]q\x00h\x00a" + tensor + b"a.", {"data/0": bytes(4 * 8)})
    assert "deep" in refused(tmp_path / "it.pt", bomb)


def test_deep_nesting(tmp_path: Path) -> None:
    tensor = described(b"K\x00", b"K\x08\x85", b"K\x01\x85")[:-1]
    bomb = zipped(b"]" * 100_000 + tensor + b"a" * 100_000 + b".", {"data/0": bytes(4 * 8)})
    assert "deep" in refused(tmp_path / "it.pt", bomb)


def test_a_zip_bomb(tmp_path: Path) -> None:
    """A pickle that would be 200 MB, in 200 KB."""
    bomb = zipped(b"N0" * 100_000_000 + b"N.", method=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 300_000
    assert "data.pkl' in it is compressed, from 200,000,002 to" in refused(tmp_path / "it.pt", bomb)


def test_tensors_that_are_compressed(tmp_path: Path) -> None:
    path = saved(tmp_path / "it.pt", {"x": torch.zeros(100_000)})
    with zipfile.ZipFile(path) as archive:
        records = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    bomb = zipped(records.pop("data.pkl"), records, zipfile.ZIP_DEFLATED)
    assert "in it is compressed, from " in refused(path, bomb)


def test_a_directory_that_claims_more_than_there_is(tmp_path: Path) -> None:
    """One record's bytes, named by many."""
    content = bytearray(zipped(b"N.", {"data/0": bytes(500)}))
    entry = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    content[entry + 20 : entry + 28] = struct.pack("<II", 10**9, 10**9)
    assert "its zip directory claims" in refused(tmp_path / "it.pt", bytes(content))


@pytest.mark.parametrize("is_zip", FORMS.values(), ids=FORMS)
def test_truncated_anywhere(tmp_path: Path, is_zip: bool) -> None:
    whole = saved(tmp_path / "it.pt", {"x": torch.zeros(30), "y": torch.ones(2)}, is_zip).read_bytes()
    for length in range(0, len(whole), 7):
        refused(tmp_path / "it.pt", whole[:length])


REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = (
    b"(" + pickled_text("storage") + b"ctorch\nFloatStorage\n" + pickled_text("0") + pickled_text("cpu") + b"K\x08tQ"
)


OTHER_STORAGE = STORAGE.replace(pickled_text("0"), pickled_text("1"))


def described(offset: bytes, shape: bytes, strides: bytes, storage: bytes = STORAGE) -> bytes:
    """A pickle of one tensor, whose storage has eight elements."""
    return REBUILD + b"(" + storage + offset + shape + strides + b"\x89Nt" + b"R."


HUGE = b"\x8a\x09" + (2**70).to_bytes(9, "little")
DAMAGED = {
    "a negative offset": (described(b"J\xff\xff\xff\xff", b"K\x02\x85", b"K\x01\x85"), "no place in it"),
    "a negative size": (described(b"K\x00", b"J\xff\xff\xff\xff\x85", b"K\x01\x85"), "not whole numbers from 0"),
    "a huge size": (described(b"K\x00", HUGE + b"\x85", b"K\x01\x85"), "larger than any tensor"),
    "a size of text": (described(b"K\x00", pickled_text("2") + b"\x85", b"K\x01\x85"), "not whole numbers"),
    "more than the storage": (described(b"K\x01", b"K\x08\x85", b"K\x01\x85"), "takes 36 bytes of its storage"),
    "strides beyond it": (described(b"K\x00", b"K\x03\x85", b"K\x04\x85"), "takes 36 bytes of its storage"),
    "sizes without strides": (described(b"K\x00", b"K\x02\x85", b")"), "more sizes than strides"),
    "no storage": (described(b"K\x00", b"K\x02\x85", b"K\x01\x85", b"N"), "has no storage"),
    "too few arguments": (REBUILD + b")R.", "gives torch._utils._rebuild_tensor_v2 what it does not take"),
    "another storage": (described(b"K\x00", b"K\x02\x85", b"K\x01\x85", OTHER_STORAGE),
                        "the storage '1' of 'tensor' is missing"),
    "another kind of storage": (STORAGE.replace(b"FloatStorage", b"float32") + b".", "describes a storage in a way"),
    "something else outside": (STORAGE.replace(b"storage", b"strange") + b".", "something outside of it that is no"),
    "an empty stack": (b"0.", "takes from an empty stack"),
    "no end": (b"N", "truncated in its pickle"),
    "an unknown opcode": (b"\xff.", "has the opcode 0xff"),
    "what was never made": (b"h\x09.", "names a value that it never made"),
    "a list that never began": (b"]e.", "takes a list that never began"),
    "a key that is a dict": (b"}}Ns.", "neither texts nor numbers"),
    "half an item": (b"}(Nu.", "sets items of what is no dict"),
    "an append to a text": (pickled_text("a") + b"Na.", "appends to what is no list"),
    "a text longer than the file": (b"X\xff\xff\xff\x7f.", "truncated in its pickle"),
    "a memo of many": (b"Nr\xff\xff\xff\xff.", None),
}  # fmt: skip


@pytest.mark.parametrize(("pickled", "why"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_pickles(tmp_path: Path, pickled: bytes, why: str | None) -> None:
    content = zipped(pickled, {"data/0": bytes(4 * 8)})
    if why is None:  # no harm in it
        (tmp_path / "it.pt").write_bytes(content)
        assert read(tmp_path / "it.pt").entries == ()
    else:
        assert why in refused(tmp_path / "it.pt", content)


def test_the_tensor_that_they_are_made_of(tmp_path: Path) -> None:
    (tmp_path / "it.pt").write_bytes(zipped(described(b"K\x01", b"K\x07\x85", b"K\x01\x85"), {"data/0": bytes(4 * 8)}))
    (entry,) = read(tmp_path / "it.pt").entries
    assert (entry.tensor.shape, entry.start_bytes) == ((7,), 4)


# Other files ----------------------------------------------------------------------------------------------------------


def test_a_script_of_torch(tmp_path: Path) -> None:
    path = tmp_path / "it.pt"
    torch.jit.script(nn.Linear(2, 3)).save(str(path))
    assert "it is a TorchScript archive, which holds code" in refused(path, path.read_bytes())


OTHERS = {
    "another pickle": (pickle.dumps([1, 2]), "it is a pickle, and not by torch.save"),
    "another zip": (b"PK\x05\x06" + bytes(18), "no format does that is known"),
    "a zip without data.pkl": (zipped(b"").replace(b"data.pkl", b"data.txt"), "a zip without data.pkl"),
    "a page": (b"<!DOCTYPE html>", "no format does that is known"),
    "nothing": (b"", "it is empty"),
    "one byte": (b"\x80", "truncated in its pickle"),
}


@pytest.mark.parametrize(("content", "why"), OTHERS.values(), ids=OTHERS)
def test_other_files(tmp_path: Path, content: bytes, why: str) -> None:
    assert why in refused(tmp_path / "it.bin", content)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(errors.ProfileError):
        read(tmp_path / "absent.pt")
