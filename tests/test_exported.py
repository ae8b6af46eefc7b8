"""Exported programs (`.pt2`): the same rows as the live model, read without weights, pickles or the model's code."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from profiler import Profile, ProfileError, counters, diff, errors, profile
from profiler.sources.exported import archive
from profiler.sources.exported.sizes import Unsolved, evaluated
from tests import exporting
from tests.exporting import to_pt2
from tests.laws import share
from tests.shell import run
from tests.strategies import trees

NAMES = ["resnet18", "vit", "mobilenet_v3_small", "encoder", "decoder", "recurrent"]


def rows(found: Profile) -> list[tuple[Any, ...]]:
    """What a table shows of each layer that ran or holds something, and more."""
    return [
        (
            *(layer.path, layer.macs, layer.flops, layer.params, layer.trainable_params, layer.own.buffers),
            *(layer.calls, tuple(w.name for w in layer.weights), layer.own.activation_bytes),
        )
        for layer in found.layers
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_exported_model_is_the_live_one_layer_by_layer(name: str) -> None:
    live, found = exporting.live(name), exporting.exported(name)
    assert rows(found) == rows(live)
    assert found.totals == live.totals  # peaks of memory among them
    assert found.coverage == live.coverage
    assert found.trace.inputs == live.trace.inputs


def test_resnet18_is_the_number_that_everybody_knows() -> None:
    found = exporting.exported("resnet18").totals
    assert (found.params, found.macs) == (11_689_512, 1_814_073_344)


@pytest.mark.parametrize("name", NAMES)
def test_layers_have_their_classes_where_an_operator_was_theirs(name: str) -> None:
    live, found = exporting.live(name), exporting.exported(name)
    told = [layer for layer in found.layers if layer.kind != "Module"]
    assert all(layer.module.classes[0] == live[layer.path].module.classes[0] for layer in told)
    called = [layer.path for layer in live.layers if layer.calls and layer.kind not in ("Identity", "StochasticDepth")]
    assert {layer.path for layer in told} >= set(called)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_those_that_operators_tell(name: str) -> None:
    live, found = exporting.live(name), exporting.exported(name)
    for layer in found.layers:
        if layer.path:  # the root says which torch exported it
            theirs = dict(live[layer.path].module.attributes)
            for setting, value in layer.module.attributes:
                own = theirs[setting]
                assert value == own or (isinstance(value, tuple) and set(value) == {own})


def test_settings_make_descriptions_and_formulas() -> None:
    from profiler.figures.describe import describe
    from profiler.figures.parameters import count

    layer = exporting.exported("resnet18")["layer2.0.conv1"]
    assert describe(layer.module) == "Conv2d 64→128 3×3 /2"
    counted = count(layer.module, layer.weights)
    assert (counted.formula, counted.agrees) == (64 * 128 * 3 * 3, True)


def test_settings_that_are_not_recorded_are_no_disagreement() -> None:
    from profiler.figures.parameters import count

    attention = exporting.exported("encoder")["layers.0.self_attn"]
    counted = count(attention.module, attention.weights)
    assert counted.agrees is None
    assert counted.remark == "its setting embed_dim is not recorded: counted from its tensors"


@pytest.mark.parametrize("convention", ["flops", "macs", "fvcore", "torchprofile"])
@pytest.mark.parametrize("name", ["resnet18", "vit", "decoder"])
def test_conventions_of_operators_give_what_they_give_live(name: str, convention: str) -> None:
    live, found = exporting.live(name).under(convention), exporting.exported(name).under(convention)
    assert found.totals.flops == live.totals.flops


def test_other_counters_conventions_are_refused_for_want_of_the_models_code() -> None:
    refused = set(counters.names()) - {"fvcore", "torchprofile"}
    for name in refused:
        with pytest.raises(errors.ProfileError, match=f"convention {name} is about a model's code"):
            exporting.exported("decoder").under(name)


def test_a_diff_with_the_live_model_is_empty() -> None:
    found = diff(exporting.live("resnet18"), exporting.exported("resnet18"))
    assert [change.layer for change in found.layers] == []


def test_core_aten_has_the_same_macs(tmp_path: Path) -> None:
    """`run_decompositions` puts other operators there: addmm, convolution, ..."""
    model, args = exporting.build("decoder")
    program = torch.export.export(model, args).run_decompositions()
    torch.export.save(program, tmp_path / "core.pt2")
    found, live = profile(str(tmp_path / "core.pt2")), exporting.live("decoder")
    assert found.unknown_ops == {}
    assert found.totals.macs == live.totals.macs
    assert found.totals.params == live.totals.params
    assert [layer.path for layer in found.layers] == [layer.path for layer in live.layers]


@share(12)
@given(built=trees())
def test_random_models_are_the_same_exported(
    tmp_path_factory: pytest.TempPathFactory, built: tuple[nn.Module, tuple[int, ...]]
) -> None:
    model, shape = built
    x = torch.rand(shape)
    path = to_pt2(model.eval(), (x,), tmp_path_factory.mktemp("random") / "model.pt2")
    found, live = profile(str(path)).totals, profile(model, x).totals
    assert (found.params, found.buffers, found.macs, found.flops) == (
        live.params,
        live.buffers,
        live.macs,
        live.flops,
    )


# What is held ---------------------------------------------------------------------------------------------------------


class Odd(nn.Module):
    """Tied and frozen parameters, a shared module, one that is called twice, one that never is, two kinds of buffers,
    a constant, keyword and nested inputs, and a part without gradients.
    """

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.words.weight
        self.one = nn.Linear(4, 4)
        self.other = self.one
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.relu = nn.ReLU()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.unused = nn.Linear(3, 3)
        self.register_buffer("passing", torch.ones(4), persistent=False)
        self.register_buffer("kept", torch.ones(4))
        self.constant = torch.ones(4)

    def forward(self, ids: torch.Tensor, pair: tuple[torch.Tensor, torch.Tensor], *, scale: torch.Tensor) -> Any:
        x = self.relu(self.one(self.words(ids)))
        x = self.relu(self.other(x)) * self.passing * self.kept * self.constant
        for layer in self.layers:
            x = layer(x)
        with torch.no_grad():
            x = self.frozen(x) + pair[0] * pair[1]
        return {"logits": self.head(x.view(x.shape[0] * x.shape[1], -1)), "scaled": x * scale}


ODD_ARGS = (torch.zeros(3, 5, dtype=torch.int64), (torch.ones(4), torch.ones(4)))
ODD_KWARGS = {"scale": torch.ones(4)}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> str:
    batch = torch.export.Dim("batch", min=1, max=64)
    shapes = {"ids": {0: batch}, "pair": (None, None), "scale": None}
    path = tmp_path_factory.mktemp("odd") / "odd.pt2"
    return str(to_pt2(Odd().eval(), ODD_ARGS, path, kwargs=ODD_KWARGS, dynamic_shapes=shapes))


def test_tied_frozen_and_passing_weights_are_told_apart(odd: str) -> None:
    live, found = profile(Odd(), ODD_ARGS, kwargs=ODD_KWARGS), profile(odd)
    assert found.totals == live.totals

    def weights(of: Profile, kind: str) -> set[tuple[Any, ...]]:
        """But for those of the module that stands at two paths, which is two modules with tied weights in the file."""
        listed = [(of.trace.modules[w.module].path, w) for w in getattr(of.trace, kind)]
        return {
            (path, w.name, w.trainable, w.persistent, w.same_as is not None) for path, w in listed if path != "other"
        }

    for kind in ("parameters", "buffers"):
        assert weights(found, kind) == weights(live, kind)


def test_a_module_that_is_called_twice_has_two_calls(odd: str) -> None:
    found = profile(odd)
    assert (found["relu"].calls, found["one"].calls, found["other"].calls) == (2, 1, 1)
    assert (found["unused"].calls, found["unused"].kind) == (0, "Module")


def test_inputs_have_the_names_that_they_are_passed_by(odd: str) -> None:
    assert [(i.name, i.shape, i.dtype) for i in profile(odd).trace.inputs] == [
        (None, (3, 5), "int64"),
        (None, (4,), "float32"),
        (None, (4,), "float32"),
        ("scale", (4,), "float32"),
    ]


# What is fed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_dynamic_dimension_is_as_large_as_it_is_given(odd: str, batch: int) -> None:
    args = (torch.zeros(batch, 5, dtype=torch.int64), ODD_ARGS[1])
    live = profile(Odd(), args, kwargs=ODD_KWARGS).totals
    found = profile(odd, (f"{batch}x5:int64", "4", "4", "scale=4")).totals
    assert found == live


@pytest.mark.parametrize(
    ("inputs", "error", "says"),
    [
        (("65x5:int64", "4", "4", "4"), errors.NotExportedFor, "input ids has dimension 0 of 1 to 64, not 65"),
        (("3x6:int64", "4", "4", "4"), errors.NotExportedFor, "input ids has dimension 1 fixed at 5, not 6"),
        (("3:int64", "4", "4", "4"), errors.NotExportedFor, "input ids has 2 dimensions, not 1"),
        (("3x5", "4", "4", "4"), errors.NotExportedFor, "input ids is int64, not float32"),
        (("3x5:int64", "4"), ProfileError, "takes 4 tensors (ids, pair_0, pair_1, scale), and 2 are given"),
        (("3x5:int64", "4", "4", "mask=4"), ProfileError, "has no input called 'mask'"),
    ],
)
def test_shapes_that_it_was_not_exported_for_are_refused_by_name(
    odd: str, inputs: tuple[str, ...], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as raised:
        profile(odd, inputs)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_batch_and_scan_reach_dynamic_dimensions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch = torch.export.Dim("batch", min=1, max=4)
    path = to_pt2(nn.Linear(3, 5), (torch.ones(2, 3),), tmp_path / "m.pt2", dynamic_shapes=({0: batch},))
    status, out, _ = run(capsys, str(path), "--batch", "4", "--format", "json")
    assert (status, json.loads(out)["totals"]["macs"]) == (0, 4 * 3 * 5)
    status, out, err = run(capsys, "scan", str(path), "batch=1,2,4,5")
    assert "MACs = 15·batch" in out
    assert "has dimension 0 of 1 to 4, not 5" in err
    assert status == 2


def test_related_dimensions_have_to_agree(tmp_path: Path) -> None:
    class Sum(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a + b

    length = torch.export.Dim("length", min=2, max=9)
    shapes = ({0: length}, {0: length})
    path = to_pt2(Sum(), (torch.ones(4), torch.ones(4)), tmp_path / "m.pt2", dynamic_shapes=shapes)
    assert profile(str(path), ("7", "7")).totals.flops == 7
    with pytest.raises(errors.NotExportedFor, match="has 6 in dimension 0, and 7 before"):
        profile(str(path), ("7", "6"))


def test_expressions_of_sizes_are_read_and_not_run() -> None:
    text = "Add(Mul(Integer(2), Symbol('s0', positive=True, integer=True)), Integer(1))"
    assert evaluated(archive.Size(None, text), {"s0": 5}) == 2 * 5 + 1
    with pytest.raises(Unsolved, match=r"^$"):
        evaluated(archive.Size(None, "__import__('os').system('true')"), {})


# Under which conditions -----------------------------------------------------------------------------------------------


def test_another_dtype_is_that_of_the_live_model() -> None:
    model, args = exporting.build("decoder")
    live = profile(model, args, dtype="bfloat16").totals
    assert live.param_bytes * 2 == exporting.live("decoder").totals.param_bytes


def test_another_dtype(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    path = to_pt2(model, (torch.rand(1, 3, 8, 8),), tmp_path / "m.pt2")
    assert profile(str(path), dtype="float16").totals == profile(model, (1, 3, 8, 8), dtype="float16").totals


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["train", ...], "is an exported graph, which cannot be run as a training step; name the model itself"),
        (["cross-check", ...], "is an exported graph, and other counters run a model; name the model itself"),
        ([..., "--convention", "thop"], "is about a model's code"),
    ],
)
def test_what_needs_the_models_code_is_refused(
    odd: str, capsys: pytest.CaptureFixture[str], line: list[Any], says: str
) -> None:
    status, out, err = run(capsys, *(odd if word is ... else word for word in line))
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


class Counting(nn.Module):
    """How many elements are positive decides how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.layer(x) > 0).nonzero().float().sum()


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.layer(x)


@pytest.mark.parametrize(
    ("network", "live_engine"), [(Counting(), "cpu"), (Mixed(), "meta")], ids=["nonzero", "autocast"]
)
def test_where_values_are_needed_weights_are_read_as_plain_bytes(
    network: nn.Module, live_engine: str, tmp_path: Path
) -> None:
    """An exported region of autocast runs on real tensors; in a live model, the region is seen as it is entered."""
    path = to_pt2(network, (torch.rand(2, 4),), tmp_path / "m.pt2")
    found, live = profile(str(path)), profile(network, (2, 4))
    assert (found.trace.engine, live.trace.engine) == ("cpu", live_engine)
    assert [s.op for s in found.trace.signatures] == [s.op for s in live.trace.signatures]
    assert (found.totals.macs, found.totals.params) == (live.totals.macs, live.totals.params)


class Choosing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, lambda y: y * 2, lambda y: y + 1, (x,))


def test_a_branch_that_depends_on_data_is_unknown(tmp_path: Path) -> None:
    path = to_pt2(Choosing(), (torch.rand(2, 4),), tmp_path / "m.pt2")
    assert profile(str(path)).unknown_ops == {"higher_order.cond": 1}


class Literal(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.tensor([1.0, 2.0, 3.0])


def test_a_constant_in_the_code_is_copied_and_costs_nothing(tmp_path: Path) -> None:
    found = profile(str(to_pt2(Literal(), (torch.rand(2, 3),), tmp_path / "m.pt2")))
    assert found.unknown_ops == {}
    assert found.totals.flops == 2 * 3
    assert found.totals.buffers == 0


# What a file may hold -------------------------------------------------------------------------------------------------


def test_no_weight_is_read(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = zipfile.ZipFile.open

    def noted(self: zipfile.ZipFile, record: Any, *rest: Any) -> Any:
        read.append(getattr(record, "filename", record))
        return original(self, record, *rest)

    monkeypatch.setattr(zipfile.ZipFile, "open", noted)
    profile(odd)
    assert not [name for name in read if "/weights/weight_" in name and not _is_buffer(odd, name)]
    assert [name for name in read if name.endswith("models/model.json")]


def _is_buffer(path: str, record: str) -> bool:
    return any(entry.record == record and entry.kind != "parameter" for entry in archive.read(path).state)


def test_weights_that_are_not_there_are_not_missed(odd: str, tmp_path: Path) -> None:
    """A file of which nothing but JSON and buffers is left."""
    bare = tmp_path / "bare.pt2"
    buffers = {entry.record for entry in archive.read(odd).state if entry.kind != "parameter"}
    _copied(odd, bare, lambda name, content: content if name.endswith(".json") or name in buffers else None)
    assert profile(str(bare)).totals == profile(odd).totals


def test_nothing_is_unpickled(odd: str, tmp_path: Path) -> None:
    """Whatever may be a pickle in an archive is replaced by one that leaves a file behind when it is loaded."""
    target = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> Any:
            return Path.touch, (target,)

    bomb = pickle.dumps(Bomb())
    armed = tmp_path / "armed.pt2"

    def arm(name: str, content: bytes) -> bytes:
        if name.endswith("_config.json"):
            return content.replace(b'"use_pickle": false', b'"use_pickle": true')
        return content if name.endswith((".json", "archive_format", "version", "byteorder")) else bomb

    _copied(odd, armed, arm)
    profile(str(armed))
    assert not target.exists()
    pickle.loads(bomb)
    assert target.exists()  # the bomb is one


def _copied(source: str, target: Path, change: Any) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)


def test_an_operator_of_another_library_is_unknown_and_nothing_is_run(odd: str, tmp_path: Path) -> None:
    """Its results' shapes are in the file, so that all the rest is as before."""
    other = tmp_path / "other.pt2"
    old, new = b'"torch.ops.aten.embedding.default"', b'"torch.ops.mylib.lookup.default"'
    _copied(odd, other, lambda name, content: content.replace(old, new) if "models/" in name else content)
    found = profile(str(other))
    assert found.unknown_ops == {"mylib.lookup.default": 1}
    assert found["words"].macs is None
    assert found["head"].macs == profile(odd)["head"].macs


@pytest.mark.parametrize("target", ["torch.ops.aten.from_file.default", "torch.ops.prim.Print.default", "os.system"])
def test_functions_that_reach_outside_are_never_called(odd: str, tmp_path: Path, target: str) -> None:
    other = tmp_path / "other.pt2"
    old = b'"torch.ops.aten.embedding.default"'
    _copied(
        odd, other, lambda name, content: content.replace(old, f'"{target}"'.encode()) if "models/" in name else content
    )
    assert list(profile(str(other)).unknown_ops) == [target.removeprefix("torch.ops.")]


def _json_of(path: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("odd/models/model.json"))


BROKEN = [
    ("empty", lambda folder, odd: (folder / "m.pt2").write_bytes(b"")),
    ("text", lambda folder, odd: (folder / "m.pt2").write_text("no archive")),
    ("half", lambda folder, odd: (folder / "m.pt2").write_bytes(Path(odd).read_bytes()[:5000])),
    ("zip", lambda folder, odd: _copied(odd, folder / "m.pt2", lambda n, c: c if "weights" in n else None)),
    ("no JSON", lambda folder, odd: _copied(odd, folder / "m.pt2", lambda n, c: b"{" if "models/" in n else c)),
    ("a newer schema", lambda folder, odd: _copied(
        odd, folder / "m.pt2", lambda n, c: c.replace(b'"major": 8', b'"major": 9') if "models/" in n else c)),
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda case: case[0])
def test_what_is_no_program_is_refused_in_one_line(
    odd: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: Any
) -> None:
    broken[1](tmp_path, odd)
    status, out, err = run(capsys, str(tmp_path / "m.pt2"))
    assert (status, out) == (2, "")
    assert "m.pt2 cannot be read as a model (" in err
    assert err.count("\n") == 1


@share(60)
@given(data=st.data())
def test_a_program_that_was_tampered_with_is_a_profile_or_an_error(
    data: st.DataObject, odd: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Somewhere in the JSON, something is replaced or left out."""
    content = _json_of(odd)
    place: Any = content["graph_module"]
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.integers(0, 5)) == 0:
            break
        place = inner
    if data.draw(st.booleans()):
        del place[key]
    else:
        place[key] = data.draw(st.sampled_from([None, -1, 3, 1 << 70, "x", [], {}, True, 0.5]))
    path = tmp_path_factory.mktemp("tampered") / "m.pt2"
    _copied(odd, path, lambda n, c: json.dumps(content) if "models/" in n else (c if n.endswith(".json") else None))
    try:
        found = profile(str(path))
    except ProfileError as error:
        assert "\n" not in str(error)  # noqa: PT017  either will do
    else:
        assert found.layers


def test_arguments_are_for_builders(odd: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, f"{odd}(width=3)")
    assert status == 2
    assert "is built already and takes no arguments" in err


def test_torchs_own_reader_is_not_loaded(odd: str) -> None:
    code = f"import sys; from profiler import profile; profile({odd!r}); print('torch._export.serde' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
