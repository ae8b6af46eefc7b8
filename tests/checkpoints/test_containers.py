"""Other ways to keep weights: folders of torch.distributed.checkpoint, numpy's archives, whole models."""

from __future__ import annotations

import contextlib
import enum
import functools
import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn

from profiler import errors, profile
from profiler.cli.main import main
from profiler.sources import checkpoints
from tests.checkpoints.test_pickled import pickled_text, refused, zipped

# Whole models ---------------------------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1


class Inside:
    """Something of a user's own in a model."""

    def __init__(self) -> None:
        self.sizes = [1, 2]


class Odd(nn.Module):
    """With tied weights, buffers of both kinds, functions, enums and objects."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Sequential(nn.Conv1d(4, 2, 3), nn.BatchNorm1d(2))])
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("anchors", torch.zeros(7))
        self.register_buffer("table", torch.zeros(5), persistent=False)
        self.act = functools.partial(nn.functional.gelu, approximate="tanh")
        self.colour, self.inside, self.sizes = Colour.RED, Inside(), {1, 2}
        self.dtype, self.number = torch.float16, numpy.float64(3)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "one layer": lambda: nn.Linear(2, 3),
    "odd": Odd,
    "transformer": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2, enable_nested_tensor=False),
    "recurrent": lambda: nn.LSTM(3, 4, 2, bidirectional=True),
    "no parameters": lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(3, affine=False)),
}


def counted(model: nn.Module) -> tuple[int, int]:
    return sum(p.numel() for p in model.parameters()), sum(b.numel() for b in model.buffers())


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_a_whole_model_has_its_parameters_and_buffers(name: str, is_zip: bool, tmp_path: Path) -> None:
    model = MODELS[name]()
    torch.save(model, tmp_path / "whole.pt", _use_new_zipfile_serialization=is_zip)
    totals = profile(str(tmp_path / "whole.pt")).totals
    assert (totals.params, totals.buffers) == counted(model)


@pytest.mark.parametrize("key", ["model", "net", "anything"])
def test_a_model_beside_what_a_script_keeps(key: str, tmp_path: Path) -> None:
    torch.save({key: Odd(), "epoch": 3, "ema": None, "best": 0.5}, tmp_path / "last.pt")
    found = profile(str(tmp_path / "last.pt"))
    assert (found.totals.params, found.totals.buffers) == counted(Odd())
    assert found["blocks.0"].params == 4 * 4 + 4


def test_a_moving_average_of_a_whole_model_is_besides(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(4, 5), "ema": nn.Linear(4, 5)}, tmp_path / "last.pt")
    found = profile(str(tmp_path / "last.pt"))
    assert found.totals.params == 25
    assert [besides.what for besides in found.trace.header.besides] == ["EMA copy"]  # type: ignore[union-attr]


def test_a_whole_model_fits_its_own(tmp_path: Path) -> None:
    torch.save(nn.Linear(4, 5), tmp_path / "whole.pt")
    (tmp_path / "net.py").write_text("import torch\ndef net():\n    return torch.nn.Linear(4, 5)\n")
    assert main(["match", f"{tmp_path}/net.py:net", str(tmp_path / "whole.pt")]) == 0


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("touch it_ran",)


class Process:
    def __reduce__(self) -> Any:
        return subprocess.Popen, (["touch", "it_ran"],)


@pytest.mark.parametrize("make", [Command, Process])
@pytest.mark.parametrize("where", ["attribute", "beside"])
def test_a_model_with_a_command_in_it_is_refused_and_nothing_runs(
    where: str, make: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(2, 3)
    if where == "attribute":
        model.extra = make()
    torch.save({"model": model, "extra": make() if where == "beside" else 0}, "evil.pt")
    assert "which is code and was not run" in refused(Path("evil.pt"), Path("evil.pt").read_bytes())
    assert os.listdir(tmp_path) == ["evil.pt"]


def test_foreign_objects_alone_are_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(3), "it": Inside()}, tmp_path / "it.pt")
    assert "Inside" in refused(tmp_path / "it.pt", (tmp_path / "it.pt").read_bytes())


def instance(name: str, state: bytes) -> bytes:
    """Of a class, with a state."""
    module, _, last = name.rpartition(".")
    return f"c{module}\n{last}\n".encode() + b")\x81" + state + b"b"


MODULES = {
    "its own module": b"}q\x05(" + b"".join(pickled_text(n) + b"}" for n in ("_parameters", "_buffers"))
    + pickled_text("_modules") + b"}q\x06" + pickled_text("self") + b"h\x00su",
    "no dicts": b"}(" + b"".join(pickled_text(n) + b"]" for n in ("_parameters", "_buffers", "_modules")) + b"u",
    "a list for a state": b"](K\x01K\x02e",
    "numbers for tensors": b"}(" + pickled_text("_parameters") + b"}" + pickled_text("w") + b"K\x01s"
    + b"".join(pickled_text(n) + b"}" for n in ("_buffers", "_modules")) + b"u",
}  # fmt: skip


@pytest.mark.parametrize("state", MODULES.values(), ids=MODULES)
def test_modules_that_are_none(state: bytes, tmp_path: Path) -> None:
    """An error in one line, or no tensor; and no endless walk."""
    path = tmp_path / "it.pt"
    path.write_bytes(zipped(b"\x80\x02ctorch.nn\nLinear\n)\x81q\x00" + state + b"b."))
    with contextlib.suppress(errors.UnreadableCheckpoint):
        assert checkpoints.read(str(path)).entries == ()


# torch.distributed.checkpoint -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.rand(3, 6)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optim": optimizer.state_dict(), "epoch": 3}
    dcp.save(state, checkpoint_id=tmp_path / "dcp", no_dist=True)
    return tmp_path / "dcp"


def test_a_folder_of_parts(folder: Path) -> None:
    found = profile(str(folder))
    assert (found.totals.params, found.totals.buffers) == (6 * 4 + 4 + 2 * 4, 2 * 4 + 1)
    header = found.trace.header
    assert header is not None
    assert [besides.what for besides in header.besides] == ["optimizer state"]
    assert header.size_bytes == sum(path.stat().st_size for path in folder.iterdir())


def test_its_data_are_not_read(folder: Path) -> None:
    """Zeros in their place are no difference."""
    before = profile(str(folder)).totals
    for path in folder.glob("*.distcp"):
        path.write_bytes(bytes(path.stat().st_size))
    assert profile(str(folder)).totals == before


def test_a_part_that_is_missing(folder: Path) -> None:
    next(folder.glob("*.distcp")).unlink()
    with pytest.raises(errors.ProfileError):
        profile(str(folder))


@pytest.mark.parametrize("size", [0, 1, 10, 100, 500])
def test_metadata_that_are_cut_off(folder: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / ".metadata"
    path.write_bytes(path.read_bytes()[:size])
    assert main([str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("seed", range(40))
def test_metadata_with_a_damaged_byte(folder: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / ".metadata"
    content = bytearray(path.read_bytes())
    content[seed * len(content) // 40] ^= 1 << seed % 8
    path.write_bytes(content)
    assert main([str(folder)]) in (0, 2)
    assert capsys.readouterr().err.count("\n") <= 1


class Metadata:
    """What unpickling this would run, under the name of the one that is meant."""

    def __reduce__(self) -> Any:
        return os.system, ("touch it_ran",)


def test_metadata_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".metadata").write_bytes(pickle.dumps(Metadata()))
    assert main([str(tmp_path)]) == 2
    assert "code and was not run" in capsys.readouterr().err
    assert os.listdir(tmp_path) == [".metadata"]


# What else is in a folder ---------------------------------------------------------------------------------------------


def test_a_trainers_folder_is_its_weights(tmp_path: Path) -> None:
    torch.save(nn.Linear(4, 5).state_dict(), tmp_path / "pytorch_model.bin")
    for name in ("optimizer.bin", "scheduler.bin", "training_args.bin", "random_states_0.pkl", "rng_state.pth"):
        torch.save({"x": torch.zeros(100)}, tmp_path / name)
    assert profile(str(tmp_path)).totals.params == 25


def test_a_folder_of_deepspeeds(tmp_path: Path) -> None:
    torch.save({"module": nn.Linear(4, 5).state_dict(), "ds_version": "0.16"}, tmp_path / "mp_rank_00_model_states.pt")
    torch.save({"optimizer_state_dict": {}}, tmp_path / "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt")
    assert profile(str(tmp_path)).totals.params == 25


# numpy ----------------------------------------------------------------------------------------------------------------

ARRAYS = {
    "params/Dense_0/kernel": numpy.ones((4, 3), numpy.float32),
    "params/Dense_0/bias": numpy.ones(3, numpy.float16),
    "params/table": numpy.asfortranarray(numpy.ones((5, 2))),
    "params/steps": numpy.array(7),
}


@pytest.mark.parametrize("save", [numpy.savez, numpy.savez_compressed])
def test_arrays(save: Any, tmp_path: Path) -> None:
    save(tmp_path / "weights.npz", **ARRAYS)
    found = profile(str(tmp_path / "weights.npz"))
    assert (found.totals.params, found.totals.buffers) == (4 * 3 + 3 + 5 * 2, 1)
    assert found["Dense_0"].params == 15


def test_values_of_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = {**ARRAYS, "params/bad": numpy.array([[1.0, numpy.nan], [numpy.inf, 0]], order="F")}
    numpy.savez(tmp_path / "weights.npz", **bad)
    assert main(["values", str(tmp_path / "weights.npz")]) == 1
    assert "params.bad (1 NaN, 1 infinite)" in capsys.readouterr().err
    numpy.savez_compressed(tmp_path / "weights.npz", **ARRAYS)
    main(["values", str(tmp_path / "weights.npz")])
    assert "values are not read" in capsys.readouterr().out


def archive(*records: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in records:
            made.writestr(name, content)
    return file.getvalue()


def array(header: str, data: int = 0, version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(header)) + header.encode() + bytes(data)


BAD_ARRAYS = {
    "no magic": (b"hello", "is no array"),
    "no dict": (array("[1, 2]"), "does not say its shape"),
    "code": (array("__import__('os').mkdir('ran')"), "does not say its shape"),
    "deep": (array("(" * 5000), "does not say its shape"),
    "pickled objects": (array("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", 24), "pickled objects"),
    "a structure": (array("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}", 12), "of one kind"),
    "a strange dtype": (array("{'descr': '<f9', 'fortran_order': False, 'shape': (3,)}", 27), "dtype"),
    "a negative size": (array("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}"), "whole numbers"),
    "a sum": (array("{'descr': '<f4', 'fortran_order': False, 'shape': (10**9,)}"), "does not say its shape"),
    "too large": (array("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 9)}"), "larger than"),
    "more than there is": (array("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 4), "by its shape"),
    "a header without end": (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", "has more than"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_are_none(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, words = BAD_ARRAYS[name]
    monkeypatch.chdir(tmp_path)
    assert words in refused(tmp_path / "it.npz", archive(("w.npy", content)))
    assert os.listdir(tmp_path) == ["it.npz"]


def test_an_array_that_is_there_twice(tmp_path: Path) -> None:
    held = array("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4)
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = archive(("w.npy", held), ("w.npy", held))
    assert "twice" in refused(tmp_path / "it.npz", content)


@pytest.mark.parametrize("length", range(0, 900, 90))
def test_archives_that_are_cut_off(length: int, tmp_path: Path) -> None:
    numpy.savez(tmp_path / "whole.npz", **ARRAYS)
    refused(tmp_path / "it.npz", (tmp_path / "whole.npz").read_bytes()[:length])
