"""ONNX files: the live model's counts at its layers' paths, by both exporters; and what a file may be."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
import torch
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from onnx import helper
from torch import nn
from torch.onnx.errors import OnnxExporterError

from profiler import Profile, ProfileError, diff, errors, profile
from tests import exporting
from tests.exporting import to_onnx
from tests.laws import share
from tests.onnx.graphs import INT64, constant, counts, model, one_node, profiled, value, weight
from tests.shell import run
from tests.strategies import trees

BOTH = pytest.mark.parametrize("dynamo", [True, False], ids=["new exporter", "old exporter"])
SMALL = [(name, dynamo) for name in ("encoder", "decoder", "recurrent") for dynamo in (True, False)]
WITH_BATCH_NORM = [("resnet18", True), ("resnet18", False), ("mobilenet_v3_small", False)]
BATCH_NORM_CHANNELS = {"resnet18": 4_800, "mobilenet_v3_small": 6_056}


def own_macs(found: Profile) -> dict[str, int]:
    """By the paths of the layers whose operators have any."""
    return {layer.path: int(layer.own.cost.macs) for layer in found.layers if layer.own.cost.macs}


def own_params(found: Profile) -> dict[str, int]:
    return {layer.path: layer.own.params for layer in found.layers if layer.own.params}


@pytest.mark.parametrize(("name", "dynamo"), [("vit", True), *SMALL, *WITH_BATCH_NORM])
def test_macs_are_the_live_models_at_the_same_paths(name: str, dynamo: bool) -> None:
    live, found = exporting.live(name), exporting.onnx(name, dynamo)
    assert found.unknown_ops == {}
    assert own_macs(found) == own_macs(live)
    assert found.totals.macs == live.totals.macs


@pytest.mark.parametrize(("name", "dynamo"), [("vit", True), *(case for case in SMALL if case[0] != "decoder")])
def test_parameters_are_the_live_models_at_the_same_paths(name: str, dynamo: bool) -> None:
    live, found = exporting.live(name), exporting.onnx(name, dynamo)
    assert own_params(found) == own_params(live)
    assert found.totals.trainable_params == found.totals.params == live.totals.params


@BOTH
def test_a_table_that_is_looked_up_by_constants_is_stored_as_its_result(dynamo: bool) -> None:
    """The embedding of positions 0, 1, ... is added as it is; it is where the addition is, and as large as before."""
    live, found = own_params(exporting.live("decoder")), own_params(exporting.onnx("decoder", dynamo))
    table = live.pop("positions")
    assert table == 12 * 16
    assert found.pop("") == table
    assert found == live
    (note,) = [note for note in exporting.onnx("decoder", dynamo).trace.notes if "computed from others" in note]
    assert f"1 tensor with {table:,} elements" in note


@pytest.mark.parametrize(("name", "dynamo"), WITH_BATCH_NORM)
def test_batch_norms_become_biases_of_convolutions(name: str, dynamo: bool) -> None:
    """Of every channel a scale and a shift go, and a bias comes; statistics go."""
    live, found, channels = exporting.live(name), exporting.onnx(name, dynamo), BATCH_NORM_CHANNELS[name]
    norms = [layer for layer in live.layers if layer.kind == "BatchNorm2d"]
    assert sum(layer.module_channels for layer in map(_Norm, norms)) == channels
    assert found.totals.params == live.totals.params - 2 * channels + channels
    assert found.totals.buffers == 0
    elements = sum(layer.output.numel for layer in norms)
    folding = channels * (1 + 1 + 1 + 1 + 1)  # var + ε, its root, times the scale, the mean times that, shift - that
    assert found.totals.flops == live.totals.flops - (2 * elements + folding) + elements
    (note,) = [note for note in found.trace.notes if "batch normalisation" in note]
    assert str(len(norms)) in note


class _Norm:
    def __init__(self, layer: Any) -> None:
        self.module_channels = dict(layer.module.attributes)["num_features"]


def test_attention_scales_queries_and_keys_where_the_live_model_scales_scores() -> None:
    """3 layers of 4 heads: a multiplication for each score against one for each element of q and of k."""
    live, found = exporting.live("vit").totals.flops, exporting.onnx("vit", True).totals.flops
    assert found == live - 3 * 4 * 17 * 17 + 3 * 2 * 17 * 32


@pytest.mark.parametrize("name", ["decoder", "encoder"])
def test_the_new_exporter_keeps_classes(name: str) -> None:
    live, found = exporting.live(name), exporting.onnx(name, True)
    told = [layer for layer in found.layers if not layer.module.classes[0].startswith("onnx.")]
    assert len(told) > len(found.layers) / 2
    assert all(layer.kind == live[layer.path].kind for layer in told)
    assert {layer.kind for layer in exporting.onnx(name, False).layers} >= {"Graph", "Module", "MatMul"}


def test_layers_of_known_classes_have_the_settings_that_their_operators_tell() -> None:
    from profiler.figures.describe import describe

    found = exporting.onnx("decoder", True)
    assert describe(found["blocks.0.mlp.0"].module) == "Linear 16→64"
    assert describe(found["blocks.0.ln_1"].module) == "LayerNorm 16"


@pytest.mark.parametrize(("name", "dynamo"), [("vit", True), ("decoder", True), ("decoder", False)])
def test_outputs_of_layers_are_the_live_ones(name: str, dynamo: bool) -> None:
    live, found = exporting.live(name), exporting.onnx(name, dynamo)
    compared = 0
    for layer in found.layers:
        theirs = live[layer.path].output
        if layer.calls and hasattr(theirs, "shape"):
            compared += layer.output.shape == theirs.shape
            assert layer.output.shape == theirs.shape, layer.path
    assert compared > 10


@BOTH
def test_a_module_that_runs_twice_is_one_module_with_two_calls(dynamo: bool, tmp_path: Path) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()
            self.one, self.other = nn.Linear(3, 4), nn.Linear(4, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.relu(self.other(self.relu(self.one(x))))

    twice = exporting.as_if_trained(Twice())
    found = profile(str(to_onnx(twice, (torch.rand(2, 3),), tmp_path / "m.onnx", dynamo)))
    assert [layer.path for layer in found.layers if layer.path] == ["one", "relu", "other"]
    assert found["relu"].calls == 2
    assert found["relu"].own.cost.comparisons == 2 * 4 + 2 * 5


@BOTH
def test_weights_that_are_equal_are_stored_and_counted_once(dynamo: bool, tmp_path: Path) -> None:
    alike = nn.Sequential(nn.LayerNorm(6), nn.LayerNorm(6))
    with torch.no_grad():
        for norm in alike:
            norm.bias.copy_(torch.arange(6))
            norm.weight.copy_(torch.arange(6) + 7)
    found = profile(str(to_onnx(alike.eval(), (torch.rand(2, 6),), tmp_path / "m.onnx", dynamo)))
    assert found.totals.params == 2 * 6
    assert [layer.path for layer in found.layers] == ["", "0", "1"]
    assert found["1"].flops == found["0"].flops
    assert any("Stored once, used in several places" in note for note in found.trace.notes)


@share(25)
@given(built=trees())
def test_random_models_have_the_same_macs_exported(
    tmp_path_factory: pytest.TempPathFactory, built: tuple[nn.Module, tuple[int, ...]]
) -> None:
    """Convolutions, norms, residuals, and modules that are held twice and called several times."""
    network, shape = exporting.as_if_trained(built[0].eval()), built[1]
    path = tmp_path_factory.mktemp("random") / "m.onnx"
    # The exporter leaves `movedim(-1, 1)` as it is: the file is invalid, and a group norm behind it is not exported.
    # Nor are attention's fast path, and instance norm where it has lost a shape.
    try:
        to_onnx(network, (torch.rand(shape),), path, dynamo=False)
    except OnnxExporterError:
        reject()
    except AssertionError as error:
        assume("must be divisible by num_groups" not in str(error))
        raise
    perms = [a.ints for node in onnx.load(path).graph.node for a in node.attribute if a.name == "perm"]
    assume(all(axis >= 0 for perm in perms for axis in perm))
    found, live = profile(str(path)), profile(network, shape)
    assert (found.unknown_ops, found.totals.macs) == ({}, live.totals.macs)


def test_an_invalid_permutation_is_unknown_with_a_note(tmp_path: Path) -> None:
    found = profiled(one_node("Transpose", [value("x", (2, 3, 4))], perm=[0, -1, 1]), tmp_path)
    assert found.unknown_ops == {"onnx.Transpose": 1}
    assert any("perm" in note for note in found.trace.notes)


# Shapes ---------------------------------------------------------------------------------------------------------------


def test_open_dimensions_are_as_large_as_they_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(one_node("MatMul", [value("x", ("batch", "length", 4))], [weight("w", 4, 5)]), path)

    def macs(*options: str) -> Any:
        status, out, err = run(capsys, str(path), "--format", "json", *options)
        return json.loads(out)["totals"]["macs"] if status == 0 else err

    assert macs("--input", "2x3x4") == 2 * 3 * 4 * 5
    assert macs("--input", "x=7x1x4") == 7 * 1 * 4 * 5
    assert "its input x leaves dimension 1 (length) open; say how large it is with --input x=" in macs()
    assert "its input x leaves dimension 1 (length) open" in macs("--batch", "2")
    assert "its input x has dimension 2 fixed at 4, not 5" in macs("--input", "2x3x5")
    assert "its input x has 3 dimensions, not 2" in macs("--input", "2x3")
    assert "its input x is float32, not int64" in macs("--input", "2x3x4:int64")
    assert "has no input called 'ids'; it has x" in macs("--input", "ids=2x3x4")
    assert "takes 1 tensor (x), and 2 are given" in macs("--input", "2x3x4", "--input", "2")


def test_an_open_batch_is_one_unless_it_is_said(tmp_path: Path) -> None:
    found = one_node("MatMul", [value("x", ("batch", 4))], [weight("w", 4, 5)])
    assert profiled(found, tmp_path).totals.macs == 4 * 5
    assert profiled(found, tmp_path, batch=3).totals.macs == 3 * 4 * 5


def test_a_dimension_with_a_name_is_one_size_everywhere(tmp_path: Path) -> None:
    found = one_node("Add", [value("a", (None, "n")), value("b", (None, "n"))])
    path = tmp_path / "m.onnx"
    onnx.save(found, path)
    assert profile(str(path), ("2x7", "2x7")).totals.flops == 2 * 7
    with pytest.raises(errors.NotExportedFor, match="has n of 6, and of 7 before"):
        profile(str(path), ("2x7", "2x6"))


@BOTH
def test_a_dynamic_export_is_the_live_model_at_any_size(dynamo: bool, tmp_path: Path) -> None:
    """Reshapes are of shapes that the graph computes from its input's."""
    network, args = exporting.Block(32, 4).eval(), (torch.rand(2, 10, 32),)
    exporting.as_if_trained(network)
    shapes: dict[str, Any] = (
        {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC},)}
        if dynamo
        else {"input_names": ["src"], "dynamic_axes": {"src": {0: "batch", 1: "length"}}}
    )
    path = to_onnx(network, args, tmp_path / "m.onnx", dynamo, **shapes)
    for shape in ((2, 10, 32), (3, 7, 32)):
        found, live = profile(str(path), shape), profile(network, shape)
        assert (found.unknown_ops, found.totals.macs) == ({}, live.totals.macs)


def test_a_shape_that_depends_on_values_is_unknown_with_a_note(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["i"], name="find"),
        helper.make_node("Cast", ["i"], ["f"], to=1, name="cast"),
        helper.make_node("MatMul", ["w", "f"], ["y"], name="multiply"),
    ]
    found = profiled(model(nodes, [value("x", (3,))], [value("y", (4, None))], [weight("w", 4, 1)]), tmp_path)
    assert found.unknown_ops == {"onnx.NonZero": 1, "onnx.Cast": 1, "onnx.MatMul": 1}
    assert found.totals.macs == 0
    assert found.layers[0].macs is None
    assert any(note.startswith("multiply: ") for note in found.trace.notes)


def test_what_only_computes_shapes_is_no_call(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    held = [constant("zero", 0), constant("axes", [0]), constant("rest", [-1])]
    found = profiled(model(nodes, [value("x", (2, 3, 4))], [onnx.ValueInfoProto(name="y")], held), tmp_path)
    assert [s.op for s in found.trace.signatures] == ["aten.view"]
    assert found.layers[0].output.shape == (2, 3 * 4)


# Control flow ---------------------------------------------------------------------------------------------------------


def graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], held: list[Any] | None = None) -> Any:
    return helper.make_graph(nodes, "body", inputs, outputs, held or [])


def _if(condition: bool | None, folder: Path) -> Profile:
    branches = {
        "then_branch": graph([helper.make_node("MatMul", ["x", "w"], ["a"])], [], [value("a", (3, 5))]),
        "else_branch": graph([helper.make_node("Add", ["x", "x"], ["b"])], [], [value("b", (3, 4))]),
    }
    nodes = [helper.make_node("If", ["c"], ["y"], **branches)]
    inputs = [value("x", (3, 4)), *([value("c", (), 9)] if condition is None else [])]
    held = [weight("w", 4, 5), *([] if condition is None else [constant("c", condition, numpy.bool_)])]
    return profiled(model(nodes, inputs, [onnx.ValueInfoProto(name="y")], held), folder)


def test_a_branch_that_is_surely_taken_is_counted(tmp_path: Path) -> None:
    assert counts(_if(True, tmp_path)) == {"macs": 3 * 4 * 5}
    assert counts(_if(False, tmp_path)) == {"adds": 3 * 4}


def test_a_branch_that_depends_on_data_is_unknown(tmp_path: Path) -> None:
    assert _if(None, tmp_path).unknown_ops == {"onnx.If": 1}


def _loop(trips: int | None, folder: Path) -> Profile:
    body = graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("MatMul", ["state", "w"], ["next"]),
            helper.make_node("Relu", ["next"], ["row"]),
        ],
        [value("i", (), INT64), value("go", (), 9), value("state", (3, 4))],
        [value("on", (), 9), value("next", (3, 4)), value("row", (3, 4))],
    )
    nodes = [helper.make_node("Loop", ["trips", "", "x"], ["last", "all"], body=body)]
    inputs = [value("x", (3, 4)), *([value("trips", (), INT64)] if trips is None else [])]
    held = [weight("w", 4, 4), *([] if trips is None else [constant("trips", trips)])]
    outputs = [onnx.ValueInfoProto(name=name) for name in ("last", "all")]
    return profiled(model(nodes, inputs, outputs, held), folder)


@pytest.mark.parametrize("trips", [1, 2, 5])
def test_a_loop_costs_its_body_times_its_trips(trips: int, tmp_path: Path) -> None:
    found = _loop(trips, tmp_path)
    assert found.unknown_ops == {}
    assert counts(found) == {"macs": trips * 3 * 4 * 4, "comparisons": trips * 3 * 4}
    assert found.totals.params == 4 * 4
    outputs = found.layers[0].output
    assert [t.shape for t in outputs] == [(3, 4), (trips, 3, 4)]


def test_a_loop_of_unknown_length_is_unknown(tmp_path: Path) -> None:
    assert _loop(None, tmp_path).unknown_ops == {"onnx.Loop": 1}


def test_a_scan_goes_through_its_sequence(tmp_path: Path) -> None:
    body = graph(
        [helper.make_node("Add", ["state", "item"], ["sum"]), helper.make_node("Identity", ["sum"], ["kept"])],
        [value("state", (4,)), value("item", (4,))],
        [value("sum", (4,)), value("kept", (4,))],
    )
    nodes = [helper.make_node("Scan", ["s", "x"], ["last", "all"], body=body, num_scan_inputs=1)]
    outputs = [onnx.ValueInfoProto(name=name) for name in ("last", "all")]
    found = profiled(model(nodes, [value("s", (4,)), value("x", (6, 4))], outputs), tmp_path)
    assert (found.unknown_ops, counts(found)) == ({}, {"adds": 6 * 4})


def test_functions_of_the_file_are_what_they_consist_of(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["a", "b"], ["c"]), helper.make_node("Relu", ["c"], ["d"])]
    opsets = [helper.make_opsetid("", 20)]
    function = helper.make_function("mine", "Layer", ["a", "b"], ["d"], nodes, opsets)
    call = helper.make_node("Layer", ["x", "w"], ["y"], domain="mine")
    found = model([call], [value("x", (3, 4))], [onnx.ValueInfoProto(name="y")], [weight("w", 4, 5)])
    found.functions.append(function)
    assert counts(profiled(found, tmp_path)) == {"macs": 3 * 4 * 5, "comparisons": 3 * 5}


# Memory and weights ---------------------------------------------------------------------------------------------------


def test_memory_is_released_after_its_last_use(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "up"], ["wide"]),
        helper.make_node("Relu", ["wide"], ["positive"]),
        helper.make_node("MatMul", ["positive", "down"], ["y"]),
    ]
    held = [weight("up", 8, 64), weight("down", 64, 8)]
    found = profiled(model(nodes, [value("x", (5, 8))], [value("y", (5, 8))], held), tmp_path)
    float32 = 4
    assert found.totals.activation_bytes == (5 * 64 + 5 * 64 + 5 * 8) * float32
    assert found.totals.peak_activation_bytes == (5 * 64 + 5 * 64) * float32
    assert found.totals.input_bytes == 5 * 8 * float32
    assert found.totals.param_bytes == (8 * 64 + 64 * 8) * float32


def test_a_view_keeps_its_source_alive(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        helper.make_node("Relu", ["x"], ["c"]),
        helper.make_node("Relu", ["b"], ["d"]),
        helper.make_node("Concat", ["c", "d"], ["y"], axis=0),
    ]
    found = profiled(model(nodes, [value("x", (6,))], [value("y", (12,))], [constant("shape", [6])]), tmp_path)
    assert found.totals.peak_activation_bytes == (6 + 6 + 12) * 4  # c, d and y; a is released after d
    assert found.totals.activation_bytes == (6 + 6 + 6 + 12) * 4


def test_weights_of_four_bits_are_two_in_a_byte(tmp_path: Path) -> None:
    packed = helper.make_tensor(
        "w", onnx.TensorProto.INT4, [5, 7], numpy.zeros(18, dtype=numpy.uint8).tobytes(), raw=True
    )
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["full"]),
        helper.make_node("MatMul", ["x", "full"], ["y"]),
    ]
    held = [packed, constant("s", 0.5, numpy.float32)]
    found = profiled(model(nodes, [value("x", (3, 5))], [onnx.ValueInfoProto(name="y")], held, opset=21), tmp_path)
    held_weight, scale = found.trace.parameters
    assert (held_weight.packing.format, held_weight.packing.shape) == ("onnx-int4", (5, 7))
    assert found.totals.params == 5 * 7
    assert scale.packing is not None
    assert scale.packing.shape is None
    assert found.totals.param_bytes == -(-5 * 7 // 2) + scale.tensor.size_bytes
    assert found.totals.macs == 3 * 5 * 7


def test_statistics_are_buffers_and_bounds_are_nothing(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("BatchNormalization", ["x", "g", "b", "m", "v"], ["n"]),
        helper.make_node("Clip", ["n", "low", "high"], ["y"]),
    ]
    held = [weight(name, 3) for name in "gbmv"]
    held += [constant("low", 0, numpy.float32), constant("high", 6, numpy.float32)]
    found = profiled(model(nodes, [value("x", (2, 3, 4, 4))], [value("y", (2, 3, 4, 4))], held), tmp_path)
    assert (found.totals.params, found.totals.buffers) == (3 + 3, 3 + 3)


def test_weights_in_other_files_are_not_read(tmp_path: Path) -> None:
    network = exporting.as_if_trained(nn.Linear(64, 64))
    path = to_onnx(network, (torch.rand(2, 64),), tmp_path / "m.onnx", dynamo=True)
    before = profile(str(path)).totals
    beside = [file for file in tmp_path.iterdir() if file != path]
    assert beside
    for file in beside:
        file.unlink()
    assert profile(str(path)).totals == before
    assert before.params == 64 * 64 + 64


# In place of a model --------------------------------------------------------------------------------------------------


def test_a_saved_trace_of_a_file_is_the_same_again(tmp_path: Path) -> None:
    found = exporting.onnx("resnet18", True)
    found.save(tmp_path / "saved.json")
    again = Profile.load(tmp_path / "saved.json")
    assert again.trace == found.trace
    assert again.totals == found.totals


def test_a_diff_shows_what_the_exporter_did() -> None:
    found = diff(exporting.live("resnet18"), exporting.onnx("resnet18", True))
    removed = {change.before.kind for change in found.layers if change.status == "removed"}
    assert removed == {"BatchNorm2d"}
    params = next(total for total in found.totals if total.name == "params")
    assert params.difference == -4_800


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    network = exporting.as_if_trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)))
    shapes = {"input_names": ["image"], "dynamic_axes": {"image": {0: "batch"}}}
    path = tmp_path_factory.mktemp("small") / "m.onnx"
    return str(to_onnx(network, (torch.rand(1, 3, 8, 8),), path, False, **shapes))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["train", ...], "is an exported graph, which cannot be run as a training step; name the model itself"),
        (
            [..., "--dtype", "float16"],
            "is an exported graph, which cannot be run in another dtype; name the model itself",
        ),
        (["cross-check", ...], "is an exported graph, and other counters run a model; name the model itself"),
        ([..., "--convention", "thop"], "is a graph without it; choose one of flops, macs, fvcore, torchprofile"),
        (["scan", ..., "size=8,9"], "was recorded already, so another size cannot change it"),
    ],
)
def test_what_cannot_be_had_of_a_file_is_refused(
    small: str, capsys: pytest.CaptureFixture[str], line: list[Any], says: str
) -> None:
    status, _, err = run(capsys, *(small if word is ... else word for word in line))
    assert status == 2
    assert says in err


MACS = 4 * 6 * 6 * 3 * 3 * 3 + 4 * 36 * 5


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        ("FILE", 0, "Engine onnx."),
        ("FILE --format json", 0, f'"macs": {MACS}'),
        ("FILE --max-macs 1", 1, "0.Conv"),
        ("FILE --max-macs 1M --max-params 1M --max-size 1MB", 0, "MACs"),
        ("explain FILE", 0, "Cout"),
        ("memory FILE", 0, "%"),
        ("weights FILE --as int8", 0, "int8"),
        ("scan FILE batch=1,2,4", 0, f"MACs = {MACS:,}·batch"),
        ("largest FILE batch --in 1MB", 0, "batch"),
        ("FILE --convention fvcore", 0, "fvcore"),
        ("FILE resnet18", 0, "resnet18"),
    ],
)
def test_what_can_be_asked_of_a_model_can_be_asked_of_a_file(
    small: str, capsys: pytest.CaptureFixture[str], line: str, status: int, says: str
) -> None:
    found, out, err = run(capsys, *(small if word == "FILE" else word for word in line.split()))
    assert found == status, err
    assert says in out + err or (status == 1 and "against 1" in err)


def test_no_torch_is_loaded(small: str) -> None:
    code = f"import sys; from profiler.cli.main import main; main([{small!r}]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_missing_package_is_named(
    small: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    status, out, err = run(capsys, small)
    assert (status, out) == (2, "")
    assert "onnx is not installed" in err
    assert "pip install onnx" in err


# What a file may be ---------------------------------------------------------------------------------------------------


def _unsorted() -> Any:
    nodes = [helper.make_node("Relu", ["a"], ["y"], name="second"), helper.make_node("Relu", ["x"], ["a"])]
    return model(nodes, [value("x", (3,))], [value("y", (3,))])


def _cyclic() -> Any:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"], name="first"), helper.make_node("Relu", ["a"], ["b"])]
    return model(nodes, [value("x", (3,))], [value("b", (3,))])


BROKEN = [
    ("empty", b"", "it holds no graph"),
    ("text", b"this is no protobuf at all", "parsing"),
    ("half", one_node("MatMul", [value("x", (3, 4))], [weight("w", 4, 500)]).SerializeToString()[:900], "parsing"),
    ("no nodes", model([], [value("x", (3,))], [value("x", (3,))]).SerializeToString(), "it holds no graph"),
    ("unsorted", _unsorted().SerializeToString(), "node second takes a, which nothing before it gives"),
    ("cyclic", _cyclic().SerializeToString(), "node first takes b, which nothing before it gives"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda case: case[0])
def test_what_is_no_graph_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: tuple[str, bytes, str]
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(broken[1])
    status, out, err = run(capsys, str(path))
    assert (status, out) == (2, "")
    assert "m.onnx cannot be read as a model (" in err
    assert broken[2].lower() in err.lower()
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "nowhere.onnx")
    assert (status, err.count("\n")) == (2, 1)
    assert "nowhere.onnx is not a file; give the path of one that exists" in err


class Contents(list[bytes]):
    """Files; not printed where a test fails."""

    def __repr__(self) -> str:
        return f"{len(self)} files"


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    folder = tmp_path_factory.mktemp("contents")
    found = Contents()
    for name, dynamo in (("decoder", True), ("decoder", False), ("recurrent", False)):
        found.append(to_onnx(*exporting.build(name), folder / "m.onnx", dynamo).read_bytes())
    return found


def _is_profile_or_error(path: Path) -> None:
    try:
        found = profile(str(path))
    except ProfileError as error:
        assert "\n" not in str(error)  # noqa: PT017  either will do
    else:
        assert found.totals.params >= 0
        assert found.layers


@share(60)
@given(which=st.integers(0, 2), seed=st.integers(0, 1 << 32))
def test_a_file_with_damaged_bytes_is_a_profile_or_an_error(
    contents: Contents, tmp_path_factory: pytest.TempPathFactory, which: int, seed: int
) -> None:
    chance, damaged = random.Random(seed), bytearray(contents[which])
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(damaged))
        damaged[at : at + chance.choice([0, 1, 4])] = chance.randbytes(chance.choice([0, 1, 3]))
    path = tmp_path_factory.mktemp("damaged") / "m.onnx"
    path.write_bytes(damaged)
    _is_profile_or_error(path)


NUMBERS = st.sampled_from([-(1 << 40), -1, 0, 1, 2, 3, 7, 1 << 20, 1 << 50])


@share(60)
@given(data=st.data(), which=st.integers(0, 2))
def test_a_graph_that_was_tampered_with_is_a_profile_or_an_error(
    data: st.DataObject, contents: Contents, tmp_path_factory: pytest.TempPathFactory, which: int
) -> None:
    """Valid protobuf: operators, inputs, attributes and dimensions are changed for others."""
    found = onnx.load_from_string(contents[which])
    nodes, initializers = found.graph.node, found.graph.initializer
    for _ in range(data.draw(st.integers(1, 4))):
        node = nodes[data.draw(st.integers(0, len(nodes) - 1))]
        match data.draw(st.integers(0, 5)):
            case 0:
                node.op_type = nodes[data.draw(st.integers(0, len(nodes) - 1))].op_type
            case 1 if node.input:
                node.input[0] = data.draw(st.sampled_from([*node.input, initializers[0].name, "", "nothing"]))
            case 2:
                del node.input[:]
            case 3 if node.attribute:
                node.attribute[0].i = data.draw(NUMBERS)
                node.attribute[0].ints[:] = data.draw(st.lists(NUMBERS, max_size=4))
            case 4:
                held = initializers[data.draw(st.integers(0, len(initializers) - 1))]
                held.dims[:] = data.draw(st.lists(NUMBERS, max_size=4))
            case _:
                del nodes[data.draw(st.integers(0, len(nodes) - 1))]
    path = tmp_path_factory.mktemp("tampered") / "m.onnx"
    path.write_bytes(found.SerializeToString())
    _is_profile_or_error(path)
