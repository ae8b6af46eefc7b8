"""Saving and loading: nothing is lost, and a file that is not right is refused in one line."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiler import Profile, errors, profile
from profiler.records import archive
from profiler.records.trace import (
    SCHEMA,
    Besides,
    Call,
    Caller,
    Composite,
    Header,
    Input,
    Module,
    ModuleCall,
    Packing,
    Signature,
    Storage,
    Tensor,
    Trace,
    Weight,
)

sizes = st.lists(st.integers(0, 9), max_size=4).map(tuple)
shapes = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4)  # sizes and strides
tensors = st.builds(
    lambda dims, dtype, strided: Tensor(
        tuple(size for size, _ in dims), dtype, tuple(stride for _, stride in dims) if strided else None
    ),
    shapes, st.sampled_from(["float32", "int64", "bool"]), st.booleans(),
)  # fmt: skip
floats = st.floats(allow_nan=False) | st.just(math.inf) | st.just(-math.inf)
scalars = st.none() | st.booleans() | st.integers() | floats | st.text() | st.complex_numbers(allow_nan=False)
values = st.recursive(scalars | tensors, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
pairs = st.lists(st.tuples(st.text(), values), max_size=2).map(tuple)


besides = st.builds(Besides, st.text(), st.integers(0), st.integers(0), st.integers(0))
headers = st.builds(
    Header,
    st.text(),
    st.integers(1),
    st.integers(0),
    st.lists(st.text(), max_size=2).map(tuple),
    st.lists(besides, max_size=2).map(tuple),
    st.dictionaries(st.text(), st.text(), max_size=2),
    st.booleans(),
)


@st.composite
def traces(draw: Any) -> Trace:
    """A trace with one module, one storage and one signature, whose values are anything that the records allow."""
    names = st.lists(st.text(), max_size=2).map(tuple)
    packing = draw(st.none() | st.builds(Packing, st.text(), st.none() | sizes))
    weight = Weight(0, draw(st.text()), draw(tensors), 0, draw(st.booleans()), draw(st.booleans()), packing=packing)
    return Trace(
        model=draw(st.text()),
        source="live",
        engine="meta",
        inputs=(Input(draw(st.none() | st.text()), (1, 2), "float32"),),
        modules=(Module("", ("a.B",), draw(pairs)),),
        parameters=(weight,),
        buffers=(),
        signatures=(Signature("aten.x", draw(st.lists(values, max_size=3).map(tuple)), draw(pairs), draw(values)),),
        calls=(Call(0, 0, (0,), (0,), 0),),
        callers=(Caller(draw(names), draw(st.booleans())),),
        composites=(Composite(0, 0, 0, 1, 0),),
        module_calls=(ModuleCall(0, 0, 1, draw(values), draw(values), draw(names)),),
        storages=(Storage(draw(st.integers(0)), "activation", 0, draw(st.none() | st.integers(0, 9))),),
        outputs=(0,),
        versions={"torch": "2"},
        header=draw(st.none() | headers),
    )


def _typed(value: Any) -> Any:
    """A value in which 1, 1.0 and True differ."""
    return (type(value).__name__, [_typed(v) for v in value] if isinstance(value, tuple) else repr(value))


@given(traces())
def test_nothing_is_lost_in_json(trace: Trace) -> None:
    again = archive.from_json(json.loads(json.dumps(archive.to_json(trace), allow_nan=False)))
    assert again == trace
    assert _typed(again.signatures[0].args) == _typed(trace.signatures[0].args)


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_a_saved_profile_says_the_same(tmp_path: Path, name: str) -> None:
    found = profile(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 5)), (2, 3, 8, 8)
    )
    found.save(tmp_path / name)
    again = Profile.load(tmp_path / name)
    assert again.trace == found.trace
    assert (again.totals, again.unknown_ops, str(again)) == (found.totals, found.unknown_ops, str(found))
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_packed_weights_count_as_what_they_stand_for() -> None:
    found = profile(nn.Linear(8, 4, bias=False), (1, 8)).trace
    (weight,) = found.parameters
    half = Tensor((4 * 8 // 2,), "uint8")
    packed = replace(found, parameters=(weight._replace(tensor=half, packing=Packing("nf4", (4, 8))),))
    scale = weight._replace(name="scale", tensor=Tensor((4,), "float32"), packing=Packing("nf4", None))
    scaled = replace(packed, parameters=(*packed.parameters, scale))
    assert (Profile(packed).totals.params, Profile(packed).totals.param_bytes) == (4 * 8, 4 * 8 // 2)
    assert (Profile(scaled).totals.params, Profile(scaled).totals.param_bytes) == (4 * 8, 4 * 8 // 2 + 4 * 4)
    assert (Profile(scaled).figures.stored_params, Profile(scaled).figures.params) == (4 * 8 // 2 + 4, 4 * 8)


def test_large_traces_are_compressed_whatever_they_are_called(tmp_path: Path) -> None:
    found = profile(nn.Sequential(*(nn.Linear(2, 2) for _ in range(9_000))), (1, 2))
    found.save(tmp_path / "large.json")
    assert (tmp_path / "large.json").read_bytes().startswith(b"\x1f\x8b")
    assert Profile.load(tmp_path / "large.json").totals == found.totals


# Files that are not right -------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "good.json"
    profile(nn.Linear(4, 5), (2, 4)).save(path)
    return path


def _changed(saved: Path, **changes: Any) -> Path:
    saved.write_text(json.dumps({**json.loads(saved.read_text()), **changes}))
    return saved


def test_newer_schema(saved: Path) -> None:
    with pytest.raises(errors.ProfileError, match=rf"schema {SCHEMA + 1}.*up to {SCHEMA}; upgrade"):
        archive.load(_changed(saved, schema=SCHEMA + 1))


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b'{"format": "other"}', b"\xff\xfe", b"\x1f\x8b broken"])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(errors.ProfileError, match="is not a saved trace"):
        archive.load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(errors.ProfileError, match="is not a file"):
        archive.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize("compressed", [False, True])
def test_every_truncation_is_refused(saved: Path, compressed: bool) -> None:
    whole = gzip.compress(saved.read_bytes()) if compressed else saved.read_bytes()
    for length in range(0, len(whole) - 1, 37):
        saved.write_bytes(whole[:length])
        with pytest.raises(errors.ProfileError):
            archive.load(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"calls": [[0, 99, [], [], 0]]},
        {"calls": [[7, 0, [], [], 0]]},
        {"calls": [[-1, 0, [], [], 0]]},
        {"calls": [[0, 0, [99], [], 0]]},
        {"calls": [[0, 0, [], [], 99]]},
        {"composites": [[99, 0, 0, 1, 0]]},
        {"composites": [[0, 99, 0, 1, 0]]},
        {"composites": [[0, 0, 0, 99, 0]]},
        {"callers": [["linear"]]},
        {"outputs": [99]},
        {"calls": "none"},
        {"modules": [[]]},
        {"tensors": []},
        {"parameters": [[9, "w", {"t": 0}, 0, True, True, None]]},
    ],
)
def test_files_that_contradict_themselves(saved: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(errors.ProfileError):
        archive.load(_changed(saved, **changes))


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(errors.ProfileError, match=r"cannot be written \(No such file"):
        profile(nn.Linear(2, 2), (1, 2)).save(tmp_path / "no" / "such" / "folder.json")


def test_a_condition_by_its_name_of_before() -> None:
    trace = profile(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), (1, 2), train=True, recompute=["1"]).trace
    saved = archive.to_json(trace)
    assert saved["asked"] == {"train": True, "recompute": ("1",)}
    before = json.loads(json.dumps(saved | {"asked": {"train": True, "checkpoint": ["1"]}}))
    assert archive.from_json(before) == trace
