"""Operators of real exported models beyond the common ones: expected counts as products of their factors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
import torch
from onnx import helper
from torch import nn

from profiler import Profile, profile
from profiler.sources.onnx import rules
from tests.onnx.graphs import INT64, constant, counts, model, one_node, profiled, value, weight

_MS = "com.microsoft."
IMAGE = value("x", (2, 3, 8, 8))
Case = tuple[str, dict[str, int], list[Any], list[Any], dict[str, Any]]

HEADS, SHARED, WIDTH, NEW, PAST = 4, 2, 8, 3, 5
ALL = NEW + PAST


def attention(queries: int, keys: int, heads: int = HEADS, batch: int = 2, width: int = WIDTH) -> dict[str, int]:
    """Products, one scale a score, a softmax over each row."""
    rows = batch * heads * queries
    scores = rows * keys
    return {
        "macs": 2 * scores * width, "muls": scores, "comparisons": scores - rows, "adds": 2 * scores - rows,
        "specials": scores, "divs": scores,
    }  # fmt: skip


def plus(*several: dict[str, int], **more: int) -> dict[str, int]:
    kinds = {kind for each in (*several, more) for kind in each}
    return {kind: sum(each.get(kind, 0) for each in (*several, more)) for kind in kinds}


def turned(elements: int) -> dict[str, int]:
    return {"muls": 2 * elements, "adds": elements}


def cache(name: str, heads: int = SHARED, length: int = PAST) -> Any:
    return value(name, (2, heads, length, WIDTH))


def results(*names: str) -> list[Any]:
    return [onnx.ValueInfoProto(name=name) for name in names]


QUERY = value("q", (2, NEW, HEADS * WIDTH))
NEW_ONES = [QUERY, *(value(name, (2, NEW, SHARED * WIDTH)) for name in "kv")]
CAPPED = 2 * HEADS * NEW * NEW
LENGTHS = [value("lengths", (2,), onnx.TensorProto.INT32), value("total", (), onnx.TensorProto.INT32)]
GROUPED = {"num_heads": HEADS, "kv_num_heads": SHARED}

CASES: dict[str, Case] = {
    "grouped queries, a cache": (
        f"{_MS}GroupQueryAttention", attention(NEW, ALL),
        [*NEW_ONES, cache("pk"), cache("pv"), *LENGTHS],
        [], {**GROUPED, "outputs": results("y", "present_k", "present_v")}),
    "grouped queries, packed and turned": (
        f"{_MS}GroupQueryAttention", plus(attention(NEW, ALL), turned(2 * NEW * (HEADS + SHARED) * WIDTH)),
        [value("q", (2, NEW, (HEADS + 2 * SHARED) * WIDTH)), cache("pk"), cache("pv"), *LENGTHS],
        [weight("cos", 64, WIDTH // 2), weight("sin", 64, WIDTH // 2)],
        {**GROUPED, "do_rotary": 1, "takes": ["q", "", "", "pk", "pv", "lengths", "total", "cos", "sin"],
         "outputs": results("y", "present_k", "present_v")}),
    "grouped queries, half of them turned": (
        f"{_MS}GroupQueryAttention", plus(attention(NEW, ALL), turned(2 * NEW * (HEADS + SHARED) * WIDTH // 2)),
        [value("q", (2, NEW, (HEADS + 2 * SHARED) * WIDTH)), cache("pk"), cache("pv"), *LENGTHS],
        [weight("cos", 64, WIDTH // 4), weight("sin", 64, WIDTH // 4)],
        {**GROUPED, "do_rotary": 1, "takes": ["q", "", "", "pk", "pv", "lengths", "total", "cos", "sin"],
         "outputs": results("y", "present_k", "present_v")}),
    "grouped queries, a total that is known": (
        f"{_MS}GroupQueryAttention", attention(NEW, 7),
        [*NEW_ONES, cache("pk", length=64), cache("pv", length=64), LENGTHS[0]],
        [constant("total", 7, numpy.int32)], {**GROUPED, "outputs": results("y", "present_k", "present_v")}),
    "heads, a cache": (
        f"{_MS}MultiHeadAttention", attention(NEW, ALL),
        [QUERY, *(value(name, (2, NEW, HEADS * WIDTH)) for name in "kv"), cache("pk", HEADS), cache("pv", HEADS)],
        [], {"num_heads": HEADS, "takes": ["q", "k", "v", "", "", "", "pk", "pv"],
             "outputs": results("y", "present_k", "present_v")}),
    "heads, packed": (
        f"{_MS}MultiHeadAttention", attention(NEW, NEW), [value("q", (2, NEW, HEADS, 3, WIDTH))], [],
        {"num_heads": HEADS, "outputs": results("y")}),
    "ONNX, a cache and fewer keys": (
        "Attention", attention(NEW, ALL),
        [*NEW_ONES, cache("pk"), cache("pv")], [],
        {"opset": 23, "q_num_heads": HEADS, "kv_num_heads": SHARED, "takes": ["q", "k", "v", "", "pk", "pv"],
         "outputs": results("y", "present_k", "present_v")}),
    "ONNX, capped": (
        "Attention", plus(attention(NEW, NEW), divs=CAPPED, specials=CAPPED, muls=CAPPED),
        [value(name, (2, HEADS, NEW, WIDTH)) for name in "qkv"], [], {"opset": 23, "softcap": 30.0}),
    "one weight for three, a cache": (
        f"{_MS}Attention",
        plus(attention(NEW, ALL), macs=2 * NEW * 16 * 3 * HEADS * WIDTH, adds=2 * NEW * 3 * HEADS * WIDTH),
        [value("x", (2, NEW, 16)), value("past", (2, 2, HEADS, PAST, WIDTH))],
        [weight("w", 16, 3 * HEADS * WIDTH), weight("b", 3 * HEADS * WIDTH)],
        {"num_heads": HEADS, "takes": ["x", "w", "b", "", "past"], "outputs": results("y", "present")}),
    "a part of the elements is turned": (
        "RotaryEmbedding", turned(2 * HEADS * NEW * 4), [value("x", (2, HEADS, NEW, WIDTH))],
        [weight("cos", 2, NEW, 2), weight("sin", 2, NEW, 2)], {"opset": 23, "rotary_embedding_dim": 4}),
    "all are turned, in ONNX Runtime": (
        f"{_MS}RotaryEmbedding", turned(2 * NEW * HEADS * WIDTH),
        [value("x", (2, NEW, HEADS * WIDTH)), value("positions", (2, NEW), INT64)],
        [weight("cos", 64, WIDTH // 2), weight("sin", 64, WIDTH // 2)],
        {"outputs": [value("y", (2, NEW, HEADS * WIDTH))]}),
    "deformable convolution": (
        "DeformConv",
        plus({"macs": 2 * 4 * 6 * 6 * 3 * 9, "adds": 2 * 4 * 6 * 6}, muls=4 * 2 * 3 * 9 * 36, adds=3 * 2 * 3 * 9 * 36)
        | {"muls": 4 * 2 * 3 * 9 * 36 + 4 * 2 * 9 * 36, "adds": 2 * 4 * 36 + 3 * 2 * 3 * 9 * 36 + 6 * 2 * 9 * 36,
           "specials": 2 * 2 * 9 * 36},
        [IMAGE, value("offset", (2, 18, 6, 6))], [weight("w", 4, 3, 3, 3)],
        {"takes": ["x", "w", "offset"], "kernel_shape": [3, 3], "opset": 19}),
    "grid": (
        "AffineGrid", {"macs": 2 * 5 * 7 * 3 * 2}, [value("theta", (2, 2, 3))], [constant("size", [2, 3, 5, 7])], {}),
    "patches": (
        "Col2Im", {"adds": 2 * 12 * 16}, [value("x", (2, 12, 16))],
        [constant("image", [8, 8]), constant("block", [2, 2])], {"strides": [2, 2]}),
    "windows of squares": (
        "LpPool", {"muls": 2 * 3 * 64 + 2 * 3 * 16, "adds": 2 * 3 * 16 * 3, "divs": 2 * 3 * 16, "specials": 2 * 3 * 16},
        [IMAGE], [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "all squares": (
        "GlobalLpPool", {"muls": 2 * 3 * 64, "adds": 2 * 3 * 63, "specials": 2 * 3}, [IMAGE], [], {}),
    "real transform": (
        "DFT", {"muls": 2 * 16 * 4, "adds": 3 * 16 * 4}, [value("x", (2, 16, 1))],
        [constant("axis", 1)], {"takes": ["x", "", "axis"], "onesided": 1}),
    "complex transform": (
        "DFT", {"muls": 2 * 2 * 16 * 4, "adds": 2 * 3 * 16 * 4}, [value("x", (2, 16, 2))],
        [constant("axis", 1)], {"takes": ["x", "", "axis"]}),
    "inverse transform": (
        "DFT", {"muls": 2 * 2 * 16 * 4 + 2 * 2 * 16, "adds": 2 * 3 * 16 * 4}, [value("x", (2, 16, 2))],
        [], {"inverse": 1, "axis": 1, "opset": 17}),
    "frames": (
        "STFT", {"muls": 2 * 4 * 16 + 8 * 16 * 4, "adds": 8 * 3 * 16 * 2}, [value("x", (2, 40, 1))],
        [constant("step", 8), weight("window", 16), constant("length", 16)], {"opset": 17}),
    "window": (
        "HannWindow", {"muls": 2 * 16, "specials": 16, "adds": 16}, [value("n", (), INT64)], [],
        {"outputs": [value("y", (16,))]}),
    "neighbouring channels": (
        "LRN", {"muls": 2 * 384, "adds": 2 * 384 + 384, "specials": 384, "divs": 2 * 384}, [IMAGE], [], {"size": 3}),
    "one gemm and GELU": (
        f"{_MS}FusedGemm", {"macs": 3 * 4 * 5, "adds": 15, "comparisons": 15}, [value("x", (3, 4))],
        [weight("w", 4, 5), weight("b", 5)], {"activation": "Relu", "outputs": results("y")}),
    "channels last": (
        f"{_MS}NhwcConv", {"macs": 2 * 6 * 6 * 5 * 27}, [value("x", (2, 8, 8, 3))], [weight("w", 5, 3, 3, 3)],
        {"outputs": [value("y", (2, 6, 6, 5))]}),
    "two sums": (f"{_MS}BiasAdd", {"adds": 2 * 24}, [value("x", (2, 3, 4)), value("s", (2, 3, 4))], [weight("b", 4)],
                 {"takes": ["x", "b", "s"], "outputs": results("y")}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_an_operator_costs(name: str, tmp_path: Path) -> None:
    op, expected, inputs, held, more = CASES[name]
    found = profiled(one_node(op, inputs, held, **more), tmp_path)
    assert found.unknown_ops == {}, found.trace.notes
    assert counts(found) == {kind: count for kind, count in expected.items() if count}


# Recurrent ------------------------------------------------------------------------------------------------------------

STEPS, BATCH, IN, HIDDEN = 6, 2, 3, 4
CELL = {"adds": 5, "muls": 3, "specials": 5}


def lstm(held: list[Any], inputs: list[Any], takes: list[str], folder: Path, directions: int = 1) -> Profile:
    weights = [weight("w", directions, 4 * HIDDEN, IN), weight("r", directions, 4 * HIDDEN, HIDDEN)]
    more: dict[str, Any] = {"hidden_size": HIDDEN, "takes": ["x", "w", "r", *takes]}
    if directions == 2:
        more["direction"] = "bidirectional"
    return profiled(one_node("LSTM", [value("x", (STEPS, BATCH, IN)), *inputs], [*weights, *held], **more), folder)


def cells(steps: int) -> dict[str, int]:
    units = steps * HIDDEN
    return {**{kind: each * units for kind, each in CELL.items()}, "macs": 4 * units * (IN + HIDDEN)}


@pytest.mark.parametrize(("lengths", "steps"), [([6, 6], 12), ([6, 2], 8), ([1, 1], 2)])
def test_lengths_that_are_known(lengths: list[int], steps: int, tmp_path: Path) -> None:
    found = lstm([constant("n", lengths, numpy.int32)], [], ["", "n"], tmp_path)
    assert counts(found) == cells(steps)
    assert found.totals.params == 4 * HIDDEN * (IN + HIDDEN)


def test_lengths_that_are_data_are_the_full_ones_and_it_is_said(tmp_path: Path) -> None:
    found = lstm([], [value("n", (BATCH,), onnx.TensorProto.INT32)], ["", "n"], tmp_path)
    assert counts(found) == cells(STEPS * BATCH)
    assert any("lengths of sequences are data" in note for note in found.trace.notes)


@pytest.mark.parametrize("directions", [1, 2])
def test_peepholes(directions: int, tmp_path: Path) -> None:
    found = lstm([weight("p", directions, 3 * HIDDEN)], [], ["", "", "", "", "p"], tmp_path, directions)
    seen = 3 * STEPS * BATCH * HIDDEN * directions
    assert counts(found) == plus(cells(STEPS * BATCH * directions), muls=seen, adds=seen)
    assert found.totals.params == directions * (4 * HIDDEN * (IN + HIDDEN) + 3 * HIDDEN)


# Experts and few bits -------------------------------------------------------------------------------------------------


def test_experts(tmp_path: Path) -> None:
    tokens, width, inner, experts, k = 5, 8, 16, 4, 2
    held = [weight("up", experts, inner, width), weight("down", experts, width, inner)]
    takes = ["x", "scores", "up", "", "down"]
    inputs = [value("x", (tokens, width)), value("scores", (tokens, experts))]
    found = profiled(one_node(f"{_MS}MoE", inputs, held, outputs=results("y"), takes=takes, k=k), tmp_path)
    assert found.totals.macs == tokens * k * 2 * width * inner
    assert found.totals.params == experts * 2 * width * inner


@pytest.mark.parametrize(("bits", "block"), [(2, 16), (4, 32), (8, 64)])
def test_a_matrix_of_few_bits(bits: int, block: int, tmp_path: Path) -> None:
    n, k = 6, 128
    held = [
        weight("fc.weight", n, k // block, block * bits // 8, dtype=numpy.uint8),
        weight("fc.scales", n * k // block),
        weight("fc.zeros", n * k // block * bits // 8, dtype=numpy.uint8),
    ]
    more = {"K": k, "N": n, "bits": bits, "block_size": block, "outputs": results("y")}
    found = profiled(one_node(f"{_MS}MatMulNBits", [value("x", (3, k))], held, **more), tmp_path)
    assert (found.totals.params, found.totals.buffers, found.totals.macs) == (n * k, 0, 3 * n * k)
    assert found.totals.param_bytes == n * k * bits // 8 + n * k // block * 4 + n * k // block * bits // 8


@pytest.mark.parametrize("lie", [{"K": 1, "N": 1}, {"K": 10**12, "N": 10**12}, {"K": 0, "N": 0}])
def test_attributes_that_are_not_those_of_the_bytes_do_not_make_it_smaller(lie: dict[str, int], tmp_path: Path) -> None:
    held = [weight("w", 6, 4, 16, dtype=numpy.uint8), weight("s", 24)]
    more = {**lie, "bits": 4, "block_size": 32, "outputs": [value("y", (3, 6))]}
    found = profiled(one_node(f"{_MS}MatMulNBits", [value("x", (3, 128))], held, **more), tmp_path)
    assert found.totals.params >= 6 * 128


def test_rows_of_few_bits(tmp_path: Path) -> None:
    held = [weight("table", 100, 32, dtype=numpy.uint8), weight("scales", 100, 2)]
    inputs = [value("ids", (2, 5), INT64)]
    more = {"takes": ["table", "ids", "scales"], "block_size": 32, "outputs": results("y")}
    found = profiled(one_node(f"{_MS}GatherBlockQuantized", inputs, held, **more), tmp_path)
    assert found.totals.params == 100 * 64
    assert found.layers[0].output.shape == (2, 5, 64)


def sparse(name: str, dims: list[int], kept: int) -> Any:
    values = helper.make_tensor(name, onnx.TensorProto.FLOAT, [kept], [1.0] * kept)
    indices = helper.make_tensor(f"{name}_at", INT64, [kept], list(range(kept)))
    return helper.make_sparse_tensor(values, indices, dims)


@pytest.mark.parametrize("as_node", [False, True])
def test_a_weight_that_is_kept_sparse(as_node: bool, tmp_path: Path) -> None:
    made = sparse("w", [4, 5], 3)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    if as_node:
        nodes.insert(0, helper.make_node("Constant", [], ["w"], sparse_value=made))
    file = model(nodes, [value("x", (3, 4))], results("y"))
    if not as_node:
        file.graph.sparse_initializer.append(made)
    found = profiled(file, tmp_path)
    assert found.unknown_ops == {}
    assert (found.totals.params, found.totals.param_bytes) == (4 * 5, 3 * 4 + 3 * 8)
    assert found.totals.macs == 3 * 4 * 5


def test_scales_are_stored_and_no_parameters(tmp_path: Path) -> None:
    """A weight in eight bits a channel, in a convolution of integers and before a product of floats."""
    held = [
        weight("fc.weight_quantized", 4, 5, dtype=numpy.int8),
        weight("fc.weight_scale", 5),
        weight("fc.weight_zero_point", 5, dtype=numpy.int8),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", [item.name for item in held], ["full"], axis=1),
        helper.make_node("MatMul", ["x", "full"], ["y"]),
    ]
    found = profiled(model(nodes, [value("x", (3, 4))], results("y"), held), tmp_path)
    assert (found.totals.params, found.totals.buffers, found.totals.param_bytes) == (20, 0, 20 + 5 * 4 + 5)


def test_scales_may_be_quantised_themselves(tmp_path: Path) -> None:
    """Four bits in blocks of 16 with scales of eight bits, which have a scale of the tensor."""
    held = [
        helper.make_tensor("w", onnx.TensorProto.FLOAT4E2M1, [64, 32], bytes(64 * 32 // 2), raw=True),
        helper.make_tensor("s", onnx.TensorProto.FLOAT8E4M3FN, [4, 32], bytes(4 * 32), raw=True),
        constant("whole", 1, numpy.float32),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["s", "whole"], ["scales"]),
        helper.make_node("DequantizeLinear", ["w", "scales"], ["full"], axis=0, block_size=16),
        helper.make_node("MatMul", ["x", "full"], ["y"]),
    ]
    found = profiled(model(nodes, [value("x", (3, 64))], results("y"), held, opset=23), tmp_path)
    assert (found.totals.params, found.totals.param_bytes) == (64 * 32, 64 * 32 // 2 + 4 * 32 + 4)
    assert found.totals.macs == 3 * 64 * 32


# Weights in bodies ----------------------------------------------------------------------------------------------------


def graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], held: list[Any]) -> Any:
    return helper.make_graph(nodes, "body", inputs, outputs, held)


def branches(condition: bool | None, folder: Path) -> Profile:
    """Each branch holds a weight of its own, of the same name, and uses one from outside."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "shared"], ["o"])]
    then = graph(nodes, [], [value("o", (3, 2))], [weight("w", 4, 5)])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h2"]), helper.make_node("MatMul", ["h2", "shared"], ["o2"])]
    other = graph([*nodes], [], [value("o2", (3, 2))], [weight("w", 4, 5)])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    inputs = [value("x", (3, 4)), *([value("c", (), 9)] if condition is None else [])]
    held = [weight("shared", 5, 2), *([] if condition is None else [constant("c", condition, numpy.bool_)])]
    return profiled(model([node], inputs, results("y"), held), folder)


@pytest.mark.parametrize(("condition", "weights"), [(True, 30), (False, 30), (None, 50)])
def test_weights_behind_a_branch(condition: bool | None, weights: int, tmp_path: Path) -> None:
    found = branches(condition, tmp_path)
    assert found.totals.params == weights
    assert found.unknown_ops == ({"onnx.If": 1} if condition is None else {})
    assert any("depends on data" in note for note in found.trace.notes) == (condition is None)


def loop(trips: int | None, folder: Path, as_node: bool = False) -> Profile:
    held = weight("w", 4, 4)
    nodes = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("MatMul", ["state", "w"], ["next"])]
    if as_node:
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=held))
    body = graph(
        nodes, [value("i", (), INT64), value("go", (), 9), value("state", (3, 4))],
        [value("on", (), 9), value("next", (3, 4))], [] if as_node else [held],
    )  # fmt: skip
    node = helper.make_node("Loop", ["trips", ""], ["last"], body=body)
    node.input.append("x")
    inputs = [value("x", (3, 4)), *([value("trips", (), INT64)] if trips is None else [])]
    return profiled(model([node], inputs, results("last"), [] if trips is None else [constant("trips", trips)]), folder)


@pytest.mark.parametrize("as_node", [False, True])
@pytest.mark.parametrize("trips", [1, 3, None])
def test_weights_in_a_loop_are_there_once(trips: int | None, as_node: bool, tmp_path: Path) -> None:
    found = loop(trips, tmp_path, as_node)
    assert found.totals.params == 16
    assert found.layers[0].macs == (None if trips is None else trips * 3 * 4 * 4)
    assert found.unknown_ops == ({"onnx.Loop": 1} if trips is None else {})


# Resize ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [numpy.float32])
@pytest.mark.parametrize("named", ["scales", "onnx::Resize_7", "/up/Constant_output_0"])
def test_scales_are_known_and_no_weights(named: str, dtype: Any, tmp_path: Path) -> None:
    held = [constant(named, [1, 1, 2, 3], dtype), weight("w", 4, 3, 3, 3)]
    nodes = [
        helper.make_node("Resize", ["x", "", named], ["u"], mode="linear"),
        helper.make_node("Conv", ["u", "w"], ["y"], pads=[1, 1, 1, 1]),
    ]
    found = profiled(model(nodes, [IMAGE], results("y"), held), tmp_path)
    assert found.unknown_ops == {}
    assert (found.totals.params, found.totals.macs) == (4 * 27, 2 * 4 * 16 * 24 * 27)


def test_scales_in_a_loop(tmp_path: Path) -> None:
    """A body that doubles an image each time."""
    scales = helper.make_node("Constant", [], ["s"], value=constant("s", [1, 1, 2, 2], numpy.float32))
    nodes = [
        scales,
        helper.make_node("Resize", ["state", "", "s"], ["next"]),
        helper.make_node("Identity", ["go"], ["on"]),
    ]
    body = graph(
        nodes, [value("i", (), INT64), value("go", (), 9), value("state", (1, 1, "h", "w"))],
        [value("on", (), 9), value("next", (1, 1, None, None))], [],
    )  # fmt: skip
    node = helper.make_node("Loop", ["trips", "", "x"], ["last"], body=body)
    found = profiled(model([node], [value("x", (1, 1, 4, 4))], results("last"), [constant("trips", 2)]), tmp_path)
    assert found.layers[0].output.shape == (1, 1, 16, 16)


# Every operator -------------------------------------------------------------------------------------------------------


def test_every_operator_has_a_rule_or_a_reason() -> None:
    """Those of ONNX's own up to version 23 that are no functions of the user's."""
    control = {"If", "Loop", "Scan"}  # which become their bodies
    names = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if _is_current(schema)}
    assert names - set(rules.names()) - set(rules.reasons) - control == set()
    assert not set(rules.names()) & set(rules.reasons)


def _is_current(schema: Any) -> bool:
    return schema.domain == "" and schema.since_version <= 23 and not schema.deprecated


@pytest.mark.parametrize("op", ["SequenceConstruct", "StringConcat", "OptionalHasElement", "MelWeightMatrix"])
def test_a_reason_is_told(op: str, tmp_path: Path) -> None:
    found = profiled(one_node(op, [value("x", (2, 3))], outputs=[value("y", (2, 3))]), tmp_path)
    assert found.unknown_ops == {f"onnx.{op}": 1}
    assert len(found.trace.notes) == 1


# Witnesses ------------------------------------------------------------------------------------------------------------


class Sampled(nn.Module):
    def forward(self, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        return nn.functional.grid_sample(x, grid, align_corners=False)


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(32, 96)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, 4, 8).permute(2, 0, 3, 1, 4)
        return nn.functional.scaled_dot_product_attention(q, k, v)


class Pyramid(nn.Module):
    """Sizes that are asked for, and scales."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.interpolate(self.down(x), scale_factor=3.0, mode="bilinear")
        return nn.functional.interpolate(self.up(y), size=x.shape[-2:], mode="nearest")


WITNESSES: dict[str, tuple[nn.Module, tuple[torch.Tensor, ...], int]] = {
    "grid_sample": (Sampled(), (torch.rand(1, 3, 8, 8), torch.rand(1, 5, 5, 2)), 20),
    "attention": (Attending(), (torch.rand(2, 6, 32),), 23),
    "pyramid": (Pyramid(), (torch.rand(1, 3, 16, 16),), 20),
    "lstm": (nn.LSTM(3, 4, bidirectional=True), (torch.rand(5, 2, 3),), 20),
    "response norm": (nn.LocalResponseNorm(3), (torch.rand(1, 8, 6, 6),), 20),
    "rms norm": (nn.Sequential(nn.Linear(8, 16), nn.RMSNorm(16)), (torch.rand(2, 8),), 23),
}


@pytest.mark.parametrize("name", WITNESSES)
def test_what_torch_exports_has_the_live_models_macs(name: str, tmp_path: Path) -> None:
    network, inputs, opset = WITNESSES[name]
    live = profile(network.eval(), inputs).totals
    path = str(tmp_path / "m.onnx")
    torch.onnx.export(network.eval(), inputs, path, dynamo=True, opset_version=opset, verbose=False)
    found = profile(path)
    assert found.unknown_ops == {}, found.trace.notes
    assert found.totals.macs == live.macs
