"""Packed weights, by names and shapes: each format's layout as products, and the layers that bring them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.records.packing import packings
from profiler.records.trace import Packing, Tensor

IN, OUT, GROUP = 256, 96, 128


def tensors(dtypes: dict[str, str], shapes: dict[str, tuple[int, ...]], prefix: str = "a.0.") -> dict[str, Tensor]:
    return {prefix + name: Tensor(shape, dtypes[name]) for name, shape in shapes.items()}


WORDS = {"qweight": "int32", "qzeros": "int32", "scales": "float16", "g_idx": "int32", "bias": "float16"}


def gptq(bits: int) -> dict[str, tuple[int, ...]]:
    return {
        "qweight": (IN * bits // 32, OUT),
        "qzeros": (IN // GROUP, OUT * bits // 32),
        "scales": (IN // GROUP, OUT),
        "g_idx": (IN,),
        "bias": (OUT,),
    }


AWQ = {"qweight": (IN, OUT * 4 // 32), "qzeros": (IN // GROUP, OUT * 4 // 32), "scales": (IN // GROUP, OUT)}
AWQ_OUTPUTS_FIRST = {"qweight": (OUT, IN * 4 // 32), "qzeros": (OUT, 1), "scales": (OUT, 8)}


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq(bits: int) -> None:
    form = f"gptq-{bits}bit"
    assert packings(tensors(WORDS, gptq(bits))) == {
        "a.0.qweight": Packing(form, (OUT, IN)),
        **{f"a.0.{name}": Packing(form) for name in ("qzeros", "scales", "g_idx")},
    }


@pytest.mark.parametrize("without", ["g_idx", "qzeros"])
def test_gptq_with_one_of_its_helpers(without: str) -> None:
    found = packings(tensors(WORDS, {name: shape for name, shape in gptq(4).items() if name != without}))
    assert found["a.0.qweight"] == Packing("gptq-4bit", (OUT, IN))


@pytest.mark.parametrize("shapes", [AWQ, AWQ_OUTPUTS_FIRST], ids=["gemm", "gemv"])
def test_awq(shapes: dict[str, tuple[int, ...]]) -> None:
    found = packings(tensors(WORDS, shapes))
    assert found == {
        "a.0.qweight": Packing("awq-4bit", (OUT, IN)),
        "a.0.qzeros": Packing("awq-4bit"),
        "a.0.scales": Packing("awq-4bit"),
    }


NESTED = ("weight.absmax", "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map")


@pytest.mark.parametrize("form", ["nf4", "fp4"])
def test_bitsandbytes_in_four_bits(form: str) -> None:
    state = f"weight.quant_state.bitsandbytes__{form}"
    shapes = {"weight": (IN * OUT // 2, 1), **dict.fromkeys(NESTED, (16,)), state: (120,)}
    held = tensors(dict.fromkeys(shapes, "uint8"), shapes)
    found = packings(held)
    assert found.pop("a.0.weight") == Packing(form, (IN * OUT,))
    assert found == {f"a.0.{name}": Packing(form) for name in (*NESTED, state)}
    assert packings(held, {"a.0.weight": (OUT, IN)})["a.0.weight"] == Packing(form, (OUT, IN))


def test_four_bits_in_a_wider_dtype() -> None:
    """QLoRA with sharded parameters keeps them as bfloat16."""
    held = {
        "w.weight": Tensor((IN * OUT // 4, 1), "bfloat16"),
        "w.weight.quant_state.bitsandbytes__nf4": Tensor((9,), "uint8"),
    }
    assert packings(held)["w.weight"] == Packing("nf4", (IN * OUT,))


def test_bitsandbytes_in_eight_bits() -> None:
    held = {
        "fc.weight": Tensor((OUT, IN), "int8"),
        "fc.SCB": Tensor((OUT,), "float32"),
        "fc.weight_format": Tensor((), "uint8"),
    }
    assert packings(held) == {
        "fc.weight": Packing("int8", (OUT, IN)),
        "fc.SCB": Packing("int8"),
        "fc.weight_format": Packing("int8"),
    }


def test_mxfp4() -> None:
    held = {"up_blocks": Tensor((4, OUT, IN // 32, 16), "uint8"), "up_scales": Tensor((4, OUT, IN // 32), "uint8")}
    assert packings(held) == {"up_blocks": Packing("mxfp4", (4, OUT, IN)), "up_scales": Packing("mxfp4")}


def test_the_scales_of_fp8_are_no_weights() -> None:
    held = {"fc.weight": Tensor((OUT, IN), "float8_e4m3fn"), "fc.weight_scale_inv": Tensor((1, 2), "float32")}
    assert packings(held) == {"fc.weight_scale_inv": Packing("fp8")}


def test_at_the_root() -> None:
    assert packings(tensors(WORDS, AWQ, ""))["qweight"] == Packing("awq-4bit", (OUT, IN))


PLAIN = {
    "a weight": {"fc.weight": Tensor((OUT, IN), "float32"), "fc.bias": Tensor((OUT,), "float32")},
    "a name and no more": {"fc.qweight": Tensor((OUT, IN), "int32")},
    "shapes that do not fit": {"fc.qweight": Tensor((7, 5), "int32"), "fc.scales": Tensor((3, 2), "float16")},
    "no int8": {"fc.weight": Tensor((OUT, IN), "float16"), "fc.SCB": Tensor((OUT,), "float32")},
    "a scale of what is no float8": {"fc.weight": Tensor((1, 1), "float32"), "fc.weight_scale": Tensor((), "float32")},
    "a state without its weight": {"w.quant_state.bitsandbytes__nf4": Tensor((9,), "uint8")},
}  # fmt: skip


@pytest.mark.parametrize("held", PLAIN.values(), ids=PLAIN)
def test_what_is_not_packed(held: dict[str, Tensor]) -> None:
    assert packings(held) == {}


NAMES = ("qweight", "qzeros", "scales", "g_idx", "weight", "SCB", "x_blocks", "x_scales", "weight.absmax",
         "weight.quant_state.bitsandbytes__nf4", "weight_scale")  # fmt: skip
anything = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        Tensor,
        st.lists(st.integers(0, 64), max_size=4).map(tuple),
        st.sampled_from(["int32", "uint8", "int8", "float16", "float8_e4m3fn"]),
    ),
)


@given(anything)
def test_whatever_the_shapes_are(held: dict[str, Tensor]) -> None:
    """Every answer is about a tensor that is there, and a weight has a shape of whole numbers."""
    found = packings(held)
    assert set(found) <= set(held)
    assert all(size >= 0 for packing in found.values() for size in packing.shape or ())
