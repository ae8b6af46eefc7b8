"""What the budget lets pass, and what the pages say of it."""

from __future__ import annotations

import gzip
import json
import re
import time
from pathlib import Path

import pytest

from profiler import errors
from profiler.records import archive
from profiler.records.files import limits, toml_files, toml_lines
from profiler.records.files import reading as files
from profiler.records.files.limits import ALL, LISTS, UNPACKED, Budget, FileTooCostly
from profiler.records.trace import Call, Caller, Module, ModuleCall, Signature, Storage, Tensor, Trace, Weight
from profiler.sources.checkpoints.reading import shard
from profiler.sources.exported import constants
from profiler.sources.exported.operators import resolve
from profiler.sources.exported.sizes import InvalidSize, evaluated

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"


def test_the_page_has_the_limits() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d.]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(limit.what, f"{limit.constant:,}", round(limit.per_byte, 2)) for limit in ALL] == [
        (what, constant, float(per_byte)) for what, constant, per_byte in rows
    ]


def test_a_budget_is_in_proportion_to_the_file() -> None:
    small, large = Budget("a", 1000), Budget("a", 2000)
    small.charge(UNPACKED, UNPACKED.constant + 40 * 1000)
    large.charge(UNPACKED, UNPACKED.constant + 40 * 2000)
    with pytest.raises(FileTooCostly, match=r"a is refused: more than 67,148,864 bytes that it unpacks to"):
        small.charge(UNPACKED)


def test_json_is_counted_before_it_is_read() -> None:
    started = time.process_time()
    with pytest.raises(FileTooCostly):
        files.parsed(b"[" + b"[]," * (LISTS.constant + 10) + b"[]]", Budget("a", 1))
    assert time.process_time() - started < 1


def _layers(count: int) -> Trace:
    """A model of so many linear layers."""
    x = Tensor((1, 8), "float32")
    weight = Tensor((8, 8), "float32")
    return Trace(
        "large", "live", "meta", (),
        (Module("", ("a.B",), ()), *(Module(f"b{i}", ("torch.nn.Linear",), (("bias", True),)) for i in range(count))),
        tuple(Weight(i + 1, "weight", weight, i, True) for i in range(count)), (),
        (Signature("aten.linear.default", (x, weight), (), x),),
        tuple(Call(0, i + 1, (i,), (count + i,)) for i in range(count)), (Caller((), False),), (),
        tuple(ModuleCall(i + 1, i, i + 1, (x,), x) for i in range(count)),
        (*(Storage(256, "parameter", -1) for _ in range(count)), *(Storage(32, "activation", i) for i in range(count))),
        (),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["t.json", "t.json.gz"])
def test_a_trace_of_15000_layers_is_read(tmp_path: Path, name: str) -> None:
    trace = _layers(15_000)
    content = json.dumps(archive.to_json(trace)).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert archive.load(tmp_path / name).calls == trace.calls


def test_an_index_of_40000_tensors_is_read() -> None:
    weights = {
        f"model.layers.{i // 300}.mlp.experts.{i % 300}.w": f"m-{i % 191:05}-of-00191.safetensors"
        for i in range(40_000)
    }
    content = json.dumps({"metadata": {"total_size": 8 * 10**11}, "weight_map": weights}).encode()
    assert files.parsed(content, Budget("i", len(content)))["weight_map"] == weights


def test_a_budget_file_of_5000_models_is_read_in_one_pass() -> None:
    text = "".join(f'[[models]]\nmodel = "m{i}"\nlabel = """\n{i}\n"""\nmax-params = "1M"\n' for i in range(5000))
    started = time.process_time()
    assert len(toml_files.parsed(text)["models"]) == 5000
    assert toml_lines.lines(text)["models", 4999, "max-params"] == 6 * 5000
    assert time.process_time() - started < 10


def test_dots_and_digits_in_texts_are_no_key() -> None:
    text = "label = '" + "a." * 100 + "'  # " + "b." * 100 + '\nx = """\n' + "c." * 100 + '\n"""\n'
    assert toml_files.parsed(text)["label"] == "a." * 100


# Shards ---------------------------------------------------------------------------------------------------------------


def test_links_in_the_hubs_cache_are_followed(tmp_path: Path) -> None:
    """As huggingface_hub lays it out: snapshots/REVISION/NAME leads to ../../blobs/HASH."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "abc").write_bytes(b"x")
    (snapshot / "a.safetensors").symlink_to(Path("..", "..", "blobs", "abc"))
    assert shard(str(snapshot / "i.index.json"), "a.safetensors") == str(snapshot / "a.safetensors")


@pytest.mark.parametrize("kind", [Path.mkdir, lambda path: __import__("os").mkfifo(path)], ids=["folder", "pipe"])
def test_only_ordinary_files_are_opened(tmp_path: Path, kind: object) -> None:
    kind(tmp_path / "it")  # type: ignore[operator]
    with pytest.raises(OSError, match="and no ordinary file"), files.opened(tmp_path / "it"):
        pass


# Exported programs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "aten._print.default", "aten.from_file.default", "aten.set_.source_Tensor", "aten.resize_.default",
        "aten._convert_indices_from_csr_to_coo.default", "aten._embedding_bag_forward_only.default", "aten.addmm.dtype",
        "aten.chain_matmul.default", "aten.record_stream.default", "aten.conv2d_backward.default", "aten.ljust.default",
        "profiler._record_function_enter.default", "aten.add.out", "aten._foreach_add.Scalar", "prim.Print.default",
    ],
)  # fmt: skip
def test_operators_that_no_file_has_run(name: str) -> None:
    assert resolve(f"torch.ops.{name}") is None


@pytest.mark.parametrize(
    "name",
    [
        "aten.linear.default", "aten.conv2d.default", "aten.relu_.default", "aten._softmax.default", "aten.lstm.input",
        "aten.split.Tensor", "aten._to_copy.default", "aten.arange.start_step",
        "aten.scaled_dot_product_attention.default", "aten.dropout.default", "aten.batch_norm.default",
        "aten._native_batch_norm_legit_no_training.default",
        "aten.meshgrid.indexing", "aten.upsample_bilinear2d.vec", "aten.bernoulli.default", "aten.as_strided.default",
    ],
)  # fmt: skip
def test_operators_that_models_are_exported_with(name: str) -> None:
    assert resolve(f"torch.ops.{name}") is not None


@pytest.mark.parametrize(
    ("expression", "number"),
    [("Pow(Integer(2), Integer(10))", 1024), ("Mul(Rational(1, 2), Integer(9))", 4),
     ("CeilDiv(Integer(7), Integer(2))", 4),
     ("FloorToInt(Mul(Integer(3), Pow(Integer(2), Integer(-1))))", 1), ("Max(Integer(3), Integer(5))", 5)],
)  # fmt: skip
def test_expressions_of_sizes_are_exact(expression: str, number: int) -> None:
    from profiler.sources.exported.archive import Size

    assert evaluated(Size(None, expression), {}) == number


def test_an_expression_that_is_larger_than_any_tensor_is_none() -> None:
    from profiler.sources.exported.archive import Size

    with pytest.raises(InvalidSize, match="larger than any tensor"):
        evaluated(Size(None, "Mul(Integer(4294967296), Integer(4294967296))"), {})


def test_values_of_constants_are_computed_by_this_package() -> None:
    import torch

    mask = constants.array_of(b"\1\0\1\1", "bool", (4,))
    cost = Budget("a", 0)
    assert constants.computed("logical_not", [mask], torch.empty(4, dtype=torch.bool), cost).tolist() == [0, 1, 0, 0]
    assert constants.computed("sum", [mask], torch.empty((), dtype=torch.int64), cost).item() == 3
    assert constants.computed("bincount", [mask], torch.empty(4), cost) is None
    assert constants.computed("mul", [mask, mask], torch.empty(1 << 17), cost) is None


def test_a_file_that_is_too_costly_is_a_profile_error() -> None:
    assert issubclass(FileTooCostly, errors.ProfileError)
    assert FileTooCostly("a", limits.NODES, 64).status == 2
