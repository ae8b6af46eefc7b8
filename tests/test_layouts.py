"""Layouts of quantised files: what each family keeps for one layer, as products, and the weights that it stands for.

Shapes are those of the formats' own descriptions, which the files of `profiler.records.packing` cite.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler import Profile, profile
from profiler.cli.main import main
from profiler.records.packing import Told, read
from profiler.records.packing.told import Grouping, told
from profiler.records.trace import Tensor
from tests.checkpoints.writers import whole

OUT, IN = 96, 512
Held = dict[str, tuple[str, tuple[int, ...]]]

# What is kept, as dtype and shape by name, and the weights that it holds.
LAYOUTS: dict[str, tuple[Held, tuple[int, ...]]] = {
    "MLX, 4 bits": (
        {"weight": ("uint32", (OUT, IN * 4 // 32)), "scales": ("bfloat16", (OUT, IN // 64)),
         "biases": ("bfloat16", (OUT, IN // 64))}, (OUT, IN)),
    "MLX, 3 bits": (
        {"weight": ("uint32", (OUT, IN * 3 // 32)), "scales": ("float16", (OUT, IN // 64)),
         "biases": ("float16", (OUT, IN // 64))}, (OUT, IN)),
    "MLX, 6 bits": (
        {"weight": ("uint32", (OUT, IN * 6 // 32)), "scales": ("float16", (OUT, IN // 64)),
         "biases": ("float16", (OUT, IN // 64))}, (OUT, IN)),
    "MLX, experts": (
        {"weight": ("uint32", (8, OUT, IN * 8 // 32)), "scales": ("float16", (8, OUT, IN // 64)),
         "biases": ("float16", (8, OUT, IN // 64))}, (8, OUT, IN)),
    "MLX, mxfp4": ({"weight": ("uint32", (OUT, IN // 8)), "scales": ("uint8", (OUT, IN // 32))}, (OUT, IN)),
    "MLX, nvfp4": ({"weight": ("uint32", (OUT, IN // 8)), "scales": ("uint8", (OUT, IN // 16))}, (OUT, IN)),
    "MLX, mxfp8": ({"weight": ("uint32", (OUT, IN // 4)), "scales": ("uint8", (OUT, IN // 32))}, (OUT, IN)),
    "compressed-tensors, 4 bits": (
        {"weight_packed": ("int32", (OUT, IN // 8)), "weight_scale": ("bfloat16", (OUT, IN // 128)),
         "weight_zero_point": ("int32", (OUT // 8, IN // 128)), "weight_shape": ("int64", (2,))}, (OUT, IN)),
    "compressed-tensors, a list of groups": (
        {"weight_packed": ("int32", (OUT, IN // 4)), "weight_scale": ("bfloat16", (OUT, IN // 128)),
         "weight_g_idx": ("int32", (IN,)), "weight_shape": ("int64", (2,))}, (OUT, IN)),
    "compressed-tensors, MXFP4": (
        {"weight_packed": ("uint8", (OUT, IN // 2)), "weight_scale": ("uint8", (OUT, IN // 32))}, (OUT, IN)),
    "compressed-tensors, NVFP4 with inputs": (
        {"weight_packed": ("uint8", (OUT, IN // 2)), "weight_scale": ("float8_e4m3fn", (OUT, IN // 16)),
         "weight_global_scale": ("float32", (1,)), "input_global_scale": ("float32", (1,))}, (OUT, IN)),
    "compressed-tensors, Marlin 2:4": (
        {"weight_packed": ("int32", (IN // 32, OUT * 2)), "scale_packed": ("float16", (IN // 128, OUT)),
         "meta": ("int16", (IN, OUT // 16))}, (OUT * IN,)),
    "compressed-tensors, sparse": (
        {"weight.compressed": ("bfloat16", (1234,)), "weight.bitmask": ("uint8", (OUT, IN // 8)),
         "weight.row_offsets": ("int64", (OUT,)), "weight.shape": ("int64", (2,))}, (OUT, IN)),
    "Model Optimizer, NVFP4 experts": (
        {"gate_up_proj": ("uint8", (4, OUT, IN // 2)), "gate_up_proj_scale": ("float8_e4m3fn", (4, OUT, IN // 16)),
         "gate_up_proj_scale_2": ("float32", (4,))}, (4, OUT, IN)),
    "Model Optimizer, 4-bit AWQ": (
        {"weight": ("uint8", (OUT // 2, IN)), "weight_scale": ("float16", (OUT, IN // 128)),
         "pre_quant_scale": ("float16", (IN,))}, (OUT, IN)),
    "MXFP4 in bytes": (
        {"weight": ("uint8", (OUT, IN // 2)), "weight_scale": ("uint8", (OUT, IN // 32))}, (OUT, IN)),
    "FP4 in int8": (
        {"weight": ("int8", (OUT, IN // 2)), "scale": ("float8_e8m0fnu", (OUT, IN // 32))}, (OUT, IN)),
    "int8, a scale a channel": (
        {"weight": ("int8", (OUT, IN)), "weight_scale": ("float32", (OUT, 1)), "input_scale": ("float32", (1,)),
         "input_zero_point": ("int8", (1,))}, (OUT, IN)),
    "EETQ": ({"weight": ("int8", (IN, OUT)), "weight_scales": ("float16", (OUT,))}, (OUT, IN)),
    "BitNet": ({"weight": ("uint8", (OUT // 4, IN)), "weight_scale": ("bfloat16", (1,))}, (OUT, IN)),
    "AQLM, 2x8": (
        {"codes": ("int8", (OUT, IN // 8, 2)), "codebooks": ("float16", (2, 256, 1, 8)),
         "scales": ("float16", (OUT, 1, 1, 1))}, (OUT, IN)),
    "QuIP#": (
        {"Qidxs": ("int64", (OUT, IN // 64)), "SU": ("float16", (OUT,)), "SV": ("float16", (IN,)),
         "Wscale": ("float32", ())}, (OUT, IN)),
    "EXL2": (
        {"q_weight": ("int32", (40, OUT)), "q_scale": ("int32", (4, OUT // 8)), "q_scale_max": ("float16", (4,)),
         "q_groups": ("int16", (8,)), "q_invperm": ("int32", (IN,))}, (OUT, IN)),
    "EXL3, 3 bits": (
        {"trellis": ("int16", (IN // 16, OUT // 16, 48)), "suh": ("float16", (IN,)), "svh": ("float16", (OUT,))},
        (OUT, IN)),
    "HIGGS, 4 bits": (
        {"weight": ("int16", (OUT * 4 // 16, IN)), "scales": ("float16", (OUT, IN // 256)),
         "tables": ("float16", (16,)), "tables2": ("float16", (16, 16, 2))}, (OUT, IN)),
    "HQQ, 4 bits": (
        {"W_q": ("uint8", (OUT * IN // 128, 64)), "scale": ("float16", (OUT * IN // 64, 1)),
         "zero": ("float16", (OUT * IN // 64, 1)), "group_size": ("int64", ()), "nbits": ("int64", ()),
         "shape": ("int64", (2,))}, (OUT * IN,)),
    "HQQ, 3 bits": (
        {"W_q": ("int32", (OUT * IN // 640, 64)), "scale": ("float16", (OUT * IN // 640 * 10, 1)),
         "zero": ("float16", (OUT * IN // 640 * 10, 1))}, (OUT * IN // 640 * 640,)),
    "quanto, int8": (
        {"weight._data": ("int8", (OUT, IN)), "weight._scale": ("float32", (OUT, 1)), "input_scale": ("float32", ()),
         "output_scale": ("float32", ())}, (OUT, IN)),
    "quanto, 4 bits": (
        {"weight._data._data": ("uint8", (64, OUT * IN // 128)), "weight._scale": ("float16", (1, OUT * IN // 128)),
         "weight._shift": ("float16", (1, OUT * IN // 128))}, (OUT * IN,)),
    "FP-Quant": ({"qweight": ("uint8", (OUT, IN // 2)), "scales": ("uint8", (OUT, IN // 32))}, (OUT, IN)),
    "Marlin": (
        {"B": ("int32", (IN // 16, OUT * 2)), "s": ("float16", (IN // 128, OUT)), "workspace": ("int32", (16,))},
        (OUT, IN)),
}  # fmt: skip


def held(layout: Held, path: str = "model.layers.0.mlp.up_proj") -> dict[str, Tensor]:
    return {f"{path}.{name}": Tensor(shape, dtype) for name, (dtype, shape) in layout.items()}


@pytest.mark.parametrize(("layout", "shape"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_layer_has_the_weights_of_the_plain_one(layout: Held, shape: tuple[int, ...]) -> None:
    """One tensor holds the weights, and all others help to unpack it."""
    found = read(held(layout)).packings
    first = f"model.layers.0.mlp.up_proj.{next(iter(layout))}"
    assert found[first].shape == shape if len(shape) > 1 else _numel(found[first].shape) == _numel(shape)
    assert {name for name, packing in found.items() if packing.shape is None} == set(held(layout)) - {first}


def _numel(shape: Any) -> int:
    numel = 1
    for size in shape:
        numel *= size
    return numel


def mlx(bits: int, group: int, rows: int = OUT, columns: int = IN) -> Held:
    scales = ("float16", (rows, columns // group))
    return {"weight": ("uint32", (rows, columns * bits // 32)), "scales": scales, "biases": scales}


# Two readings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "group"), [(2, 128), (4, 64), (8, 32), (4, 128), (8, 64), (3, 128), (6, 64)])
def test_a_configuration_decides(bits: int, group: int) -> None:
    said = told({"quantization": {"bits": bits, "group_size": group}}, {})
    found = read(held(mlx(bits, group)), told=said)
    assert found.packings["model.layers.0.mlp.up_proj.weight"].shape == (OUT, IN)
    assert not found.doubts


def test_a_configuration_may_say_another_thing_of_a_layer() -> None:
    said = told({"quantization": {"bits": 4, "group_size": 64, "gate": {"bits": 8, "group_size": 32}}}, {})
    found = read({**held(mlx(8, 32), "gate"), **held(mlx(4, 64), "up")}, told=said)
    assert {name: found.packings[name].shape for name in ("gate.weight", "up.weight")} == {
        "gate.weight": (OUT, IN),
        "up.weight": (OUT, IN),
    }


def test_sizes_of_other_layers_are_preferred() -> None:
    """Words and scales are those of 8 bits and 256 inputs too; a norm of 512 says which it is, and it stays a guess."""
    alone = read(held(mlx(2, 128)))
    found = read({**held(mlx(2, 128)), "norm.weight": Tensor((IN,), "float16")})
    assert alone.packings["model.layers.0.mlp.up_proj.weight"].shape == (OUT, IN // 2)
    assert [doubt.more for doubt in alone.doubts] == [OUT * IN // 2]
    assert found.packings["model.layers.0.mlp.up_proj.weight"].shape == (OUT, IN)
    assert not found.doubts  # it is the largest that it can be


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int16"])
def test_what_may_be_packed_is_said(dtype: str) -> None:
    found = read({"a.q_weight_new": Tensor((OUT, IN), dtype), "a.scale_new": Tensor((OUT,), "float16")})
    assert [(doubt.weight, doubt.more) for doubt in found.doubts] == [("a.q_weight_new", None)]


@pytest.mark.parametrize(
    "plain",
    [
        {"attn.relative_position_index": Tensor((49, 49), "int64")},
        {"embeddings.position_ids": Tensor((1, 512), "int64")},
        {"bn.num_batches_tracked": Tensor((), "int64")},
        {"mask": Tensor((8, 8), "bool")},
        {"fc.weight": Tensor((8, 8), "float32"), "fc.scale": Tensor((8,), "float32")},
    ],
)
def test_what_is_no_weight_is_not_doubted(plain: dict[str, Tensor]) -> None:
    assert read(plain) == ({}, ())


CONFIGURATIONS: dict[str, tuple[dict[str, Any], Grouping]] = {
    "GPTQ": ({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}, Grouping(4, 128)),
    "AutoGPTQ": ({"bits": 3, "group_size": -1}, Grouping(3, 0)),
    "AWQ": ({"zero_point": True, "q_group_size": 64, "w_bit": 4}, Grouping(4, 64)),
    "bitsandbytes": ({"quantization_config": {"load_in_4bit": True}}, Grouping(4, None)),
    "compressed-tensors": (
        {"quantization_config": {"config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 32}}}}},
        Grouping(4, 32),
    ),
    "two kinds": (
        {"quantization_config": {"config_groups": {n: {"weights": {"num_bits": n}} for n in (4, 8)}}},
        Grouping(),
    ),
    "HQQ": ({"quantization_config": {"weight_quant_params": {"nbits": 2, "group_size": 16}}}, Grouping(2, 16)),
    "nothing": ({"hidden_size": 64}, Grouping()),
    "nonsense": ({"quantization_config": {"bits": "many", "group_size": [1]}}, Grouping()),
    "out of all bounds": ({"quantization_config": {"bits": 10**40, "group_size": -7}}, Grouping()),
}  # fmt: skip


@pytest.mark.parametrize(("configuration", "expected"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_what_configurations_say(configuration: dict[str, Any], expected: Grouping) -> None:
    assert told(configuration, {}).all == expected


# Files ----------------------------------------------------------------------------------------------------------------

SAFETENSORS = {
    "uint32": "U32", "int32": "I32", "float16": "F16", "bfloat16": "BF16", "uint8": "U8", "int8": "I8", "int16": "I16",
    "int64": "I64", "float32": "F32", "float8_e4m3fn": "F8_E4M3", "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip


def written(path: Path, layout: Held, configuration: dict[str, Any] | None = None) -> str:
    path.write_bytes(whole({f"up.{name}": (SAFETENSORS[dtype], shape) for name, (dtype, shape) in layout.items()}))
    if configuration is not None:
        path.with_name("config.json").write_text(json.dumps(configuration))
    return str(path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_in_a_file(name: str, tmp_path: Path) -> None:
    layout, shape = LAYOUTS[name]
    profiled = profile(written(tmp_path / "model.safetensors", layout))
    assert profiled.totals.params == _numel(shape)
    assert profiled.totals.buffers == 0
    assert profiled.totals.param_bytes == sum(weight.tensor.size_bytes for weight in profiled.trace.parameters)


def test_a_configuration_beside_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "model.safetensors", mlx(2, 128), {"quantization": {"bits": 2, "group_size": 128}})
    assert profile(path).totals.params == OUT * IN
    assert profile(str(tmp_path)).totals.params == OUT * IN
    assert profile(path).trace.header.doubts == ()  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"quantization": 7}', "\xff\xfe"])
def test_a_configuration_that_is_none(text: str, tmp_path: Path) -> None:
    path = written(tmp_path / "model.safetensors", mlx(4, 64))
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    assert profile(path).totals.params == OUT * IN


def test_a_shape_that_the_file_keeps(tmp_path: Path) -> None:
    """Its values decide where shapes alone would allow 4 and 8 bits, unless they are impossible."""
    layout: Held = {
        "weight_shape": ("int64", (2,)),
        "weight_packed": ("int32", (OUT, IN // 4)),
        "weight_scale": ("float16", (OUT, 1)),
    }
    path = tmp_path / "model.safetensors"
    content = Path(written(path, layout)).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    for shape, weights in (((OUT, IN), OUT * IN), ((OUT, 2 * IN), 2 * OUT * IN), ((7, 10**12), OUT * 2 * IN)):
        values = b"".join(size.to_bytes(8, "little") for size in shape)
        path.write_bytes(content[:start] + values + content[start + 16 :])
        assert profile(str(path)).totals.params == weights


def test_a_gate_does_not_pass_on_the_smaller_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "model.safetensors", mlx(4, 64))
    least, most = OUT * IN, 2 * OUT * IN  # 4 bits in groups of 64, and 2 in groups of 128
    assert profile(path).totals.params == least
    assert main([path, "--max-params", str(least - 1)]) == 1
    assert "over" in capsys.readouterr().err
    assert main([path, "--max-params", str(most - 1)]) == 1
    assert "cannot be held to" in capsys.readouterr().err
    assert main([path, "--max-params", str(most)]) == 0
    assert "Not sure: up.weight" in capsys.readouterr().out


def test_a_gate_does_not_pass_on_what_nobody_can_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "model.safetensors", {"weight": ("int32", (OUT, IN)), "scale_of_it": ("float16", (OUT,))})
    assert main([path, "--max-params", "1B"]) == 1
    assert "up.weight is whole numbers that may hold packed weights" in capsys.readouterr().err


def test_doubts_are_kept_in_a_saved_profile(tmp_path: Path) -> None:
    found = profile(written(tmp_path / "model.safetensors", mlx(4, 64)))
    found.save(tmp_path / "saved.json")
    assert Profile.load(tmp_path / "saved.json").trace.header == found.trace.header
    assert json.loads(found.to_json())["file"]["doubts"][0]["more"] == OUT * IN


# Witnesses ------------------------------------------------------------------------------------------------------------


def test_torchao(tmp_path: Path) -> None:
    """As torchao itself writes a quantised model."""
    pytest.importorskip("torchao", reason="torchao is a witness, and no dependency")
    import torch
    from safetensors.torch import save_file
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, quantize_

    for config in (Float8WeightOnlyConfig(), Int8WeightOnlyConfig(version=2)):
        model = torch.nn.Sequential(torch.nn.Linear(IN, OUT), torch.nn.Linear(OUT, 32)).bfloat16()
        quantize_(model, config)
        state = {
            name: value.detach() if type(value) is torch.nn.Parameter else value
            for name, value in model.state_dict().items()
        }
        tensors, metadata = flatten_tensor_state_dict(state)
        save_file(tensors, tmp_path / "model.safetensors", metadata)
        totals = profile(str(tmp_path / "model.safetensors")).totals
        assert totals.params == IN * OUT + OUT + OUT * 32 + 32
        assert not profile(str(tmp_path / "model.safetensors")).trace.header.doubts  # type: ignore[union-attr]


# Laws -----------------------------------------------------------------------------------------------------------------

NAMES = sorted({name for layout, _ in LAYOUTS.values() for name in layout} | {"weight._qdata", "_weight_qdata", "SCB"})
anything = st.dictionaries(
    st.sampled_from([f"{path}.{name}" for path in ("a", "b.c") for name in NAMES]),
    st.builds(
        Tensor, st.lists(st.integers(0, 64), max_size=4).map(tuple), st.sampled_from([*SAFETENSORS, "float8_e5m2"])
    ),
    max_size=12,
)
groupings = st.builds(Grouping, st.none() | st.integers(0, 70), st.none() | st.integers(0, 300))


@given(anything, groupings, st.sampled_from(["", "bitnet", "gptq"]))
def test_whatever_the_shapes_are(tensors: dict[str, Tensor], grouping: Grouping, method: str) -> None:
    """Every answer is about a tensor that is there, weights have whole shapes, and a doubt is about more, not fewer."""
    found = read(tensors, told=Told(method, grouping))
    assert set(found.packings) <= set(tensors)
    assert all(size >= 0 for packing in found.packings.values() for size in packing.shape or ())
    assert all(doubt.weight in tensors and (doubt.more is None or doubt.more > 0) for doubt in found.doubts)
