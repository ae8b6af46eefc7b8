"""A file that is not whole, or not ours, is no trace; the folder keeps to its bound, and what is not ours stays."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import platformdirs
import pytest
import torch
from hypothesis import given
from torch import nn

from profiler import profile, sources
from profiler.cli import driver
from profiler.records.conditions import AS_IT_IS
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed
from profiler.render.dates import minute
from profiler.sources.trace_cache import folder, key
from profiler.sources.trace_cache.cache import TraceCache
from profiler.sources.trace_cache.entry import packed, unpacked
from profiler.sources.trace_cache.reading import Reads
from tests.shell import run
from tests.strategies import trees

NOTHING = Reads({}, {}, {}, {})
KEY = "0123456789" * 4


@pytest.fixture(scope="module")
def content() -> bytes:
    written = packed(profile(nn.Linear(3, 4), (1, 3)).trace, NOTHING, 1_700_000_000.0)
    assert written is not None
    return written


@given(trees())
def test_a_trace_is_what_it_was(tree: tuple[nn.Module, tuple[int, ...]]) -> None:
    trace = profile(*tree).trace
    written = packed(trace, NOTHING, 0.0)
    assert written is not None
    entry = unpacked(written)
    assert entry is not None
    assert entry.trace() == trace


def flipped(content: bytes) -> bytes:
    place = random.Random(0).randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGED = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "one bit": flipped,
    "JSON": lambda content: b'{"format": "profile-model trace"}',
    "of another version": lambda content: content.replace(b"trace 1\n", b"trace 0\n"),
    "a head that is none": lambda content: _foreign(b"\0\0\0\1x"),
}  # fmt: skip


def _foreign(rest: bytes) -> bytes:
    from profiler.sources.trace_cache import digests, entry

    return entry._KIND + digests.of_bytes(rest) + rest


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_no_traces(tmp_path: Path, content: bytes, damage) -> None:
    path = Path(folder.path_of(str(tmp_path), KEY))
    path.write_bytes(content)
    assert folder.read(str(path)) is not None
    path.write_bytes(damage(content))
    assert folder.read(str(path)) is None


def traced(place: Path, value: str) -> tuple[object, TraceCache]:
    cache = TraceCache(str(place))
    trace = profile(nn.Linear(3, 4), (1, 3)).trace
    return cache.traced(key.Key(KEY, ""), lambda: trace, lambda: value), cache


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nowhere", "trace of another"])
def test_what_stands_in_its_place_is_no_error(tmp_path: Path, content: bytes, kind: str) -> None:
    path = Path(folder.path_of(str(tmp_path), KEY))
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to nowhere":
        path.symlink_to("nowhere")
    else:  # whose body cannot be read, though its digest is right
        path.write_bytes(_foreign(content[len(content) - len(unpacked(content).body) - 200 :]))
    trace, cache = traced(tmp_path, "")
    assert (cache.used, cache.ran) == ([], 1)
    assert trace == profile(nn.Linear(3, 4), (1, 3)).trace


def filled(place: Path, content: bytes, number: int) -> list[Path]:
    """Files, of which each was used a second after the one before."""
    paths = []
    for index in range(number):
        folder.put(str(place), f"{index + 1:040x}", content)
        paths.append(Path(folder.path_of(str(place), f"{index + 1:040x}")))
        os.utime(paths[-1], (1000 + index, 1000 + index))
    return paths


def test_those_not_used_for_longest_go_first(tmp_path: Path, content: bytes) -> None:
    paths = filled(tmp_path, content, 5)
    folder.touch(str(paths[0]))
    folder.shrink(str(tmp_path), 3 * len(content))
    assert [path.exists() for path in paths] == [True, False, False, True, True]


def test_others_files_stay(tmp_path: Path, content: bytes) -> None:
    filled(tmp_path, content, 3)
    others = ["notes.txt", "x.trace", f"{KEY}.trace.bak", ".hidden"]
    for name in others:
        (tmp_path / name).write_text("")
    (tmp_path / ".profile-model-1-ab.tmp").write_text("of a process that was killed")
    assert folder.clear(str(tmp_path)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_the_folder_is_for_its_owner(tmp_path: Path, content: bytes) -> None:
    folder.put(str(tmp_path / "traces"), KEY, content)
    assert (tmp_path / "traces").stat().st_mode & 0o777 == 0o700


# Which runs have a key ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "has_key"),
    [
        ("resnet18", True), ("torchvision:resnet18", True), ("timm:vit_tiny_patch16_224", True), ("nets.py:Net", True),
        ("torch.nn:Identity", True), ("hf:LlamaConfig(num_hidden_layers=1)", True), ("hf:./folder", True),
        ("hf:meta-llama/Llama-3.1-8B", False), ("saved.json", False), ("saved.json.gz", False), ("graph.pt2", False),
        ("graph.onnx", False), ("weights.safetensors", False), ("weights.pt", False), ("nets.py", False), ("(", False),
    ],
)  # fmt: skip
def test_what_is_kept(spec: str, has_key: bool) -> None:
    assert sources.is_built(spec) is has_key


def test_live_tensors_are_in_no_key() -> None:
    def of(*args: object, **kwargs: object) -> key.Key | None:
        return key.key("resnet18", Feed(args, kwargs), AS_IT_IS, False)

    shape = TensorSpec((1, 3))
    assert of(torch.zeros(1, 3)) is None
    assert of([shape, {"x": torch.zeros(1)}]) is None
    assert of(x=object()) is None
    assert len({of(), of(shape), of([shape]), of((shape,)), of(x=shape), of(1), of(1.0), of(True)}) == 8


# What is told ---------------------------------------------------------------------------------------------------------


def test_the_verb(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path))
    filled(tmp_path, content, 2)[1].write_bytes(b"damaged")
    status, out, _ = run(capsys, "cache", "--format", "json")
    data = json.loads(out)
    assert (status, data["folder"], data["traces"], data["removed"]) == (0, str(tmp_path), 2, None)
    assert data["oldest"] == data["newest"] == 1_700_000_000.0
    assert data["size_bytes"] == len(content) + len(b"damaged")
    assert {entry["model"] for entry in data["entries"]} == {"Linear", None}
    assert "Linear" not in run(capsys, "cache")[1]
    assert "(damaged)" in run(capsys, "cache", "--list")[1]
    assert json.loads(run(capsys, "cache", "--clear", "--format", "json")[1])["removed"] == 2
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(folder.VARIABLE, "off")
    assert "nothing is kept" in run(capsys, "cache")[1]


FIRST, LATER = minute(0), minute(86400)


@pytest.mark.parametrize(
    ("used", "ran", "says"),
    [
        ([], 3, None),
        ([0.0], 0, f"from the cache, traced on {FIRST}"),
        ([0.0, 1.0], 0, f"2 of 2 traces from the cache, traced on {FIRST}"),
        ([86400.0, 0.0], 5, f"2 of 7 traces from the cache, traced between {FIRST} and {LATER}"),
    ],
)
def test_one_line_for_a_command(
    capsys: pytest.CaptureFixture[str], used: list[float], ran: int, says: str | None
) -> None:
    driver._tell_of_cache(TraceCache("", used, ran))
    line = "" if says is None else f"profile-model: {says} (--no-cache runs it again)\n"
    assert capsys.readouterr() == ("", line)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(folder.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder.place() == str(Path(platformdirs.user_cache_dir("profile-model", appauthor=False)) / "traces")
    monkeypatch.setenv(folder.VARIABLE, "here")
    assert folder.place() == str(Path.cwd() / "here")
    monkeypatch.setenv(folder.VARIABLE, "OFF")
    assert folder.place() is None
