"""Which tensors of a quantised model are packed, and what do they stand for? Told from names, shapes and dtypes alone.

`packings(tensors)` takes tensors by their full names, as a state_dict or a checkpoint has them
(`model.layers.0.mlp.up_proj.qweight`), and gives a `Packing` by name for each that is not what it seems: its format,
and the shape of the weights that it holds, as the layer's user sees it (outputs first); None for what only helps to
unpack others. A name that is not in the answer is that of a plain tensor, whose elements are its weights.

`shapes` gives weights' shapes where somebody knows them: bitsandbytes keeps a 4-bit weight flat, and its shape is
among the values of another tensor, so that without it the weight is given as a flat one.

The layouts, and where they are from:

- GPTQ: `qweight` int32 (in·bits/32, out), `qzeros` (groups, out·bits/32), `scales` (groups, out), `g_idx` (in).
  QuantLinear in AutoGPTQ and GPTQModel.
- AWQ: `qweight` int32 (in, out·bits/32), `qzeros` (groups, out·bits/32), `scales` (groups, out): WQLinear_GEMM in
  AutoAWQ; or outputs first, (out, in·bits/32) with (out, groups) beside it: WQLinear_GEMV.
- bitsandbytes, 4 bits: `weight`, two weights a byte, with `weight.absmax`, `weight.quant_map`,
  `weight.quant_state.bitsandbytes__nf4` (or `fp4`), and nested ones: QuantState.as_dict in bitsandbytes.functional.
- bitsandbytes, 8 bits: `weight` int8 (out, in) with `SCB` and `weight_format`: Linear8bitLt.
- MXFP4: `NAME_blocks` uint8 (..., blocks, 16) with `NAME_scales` (..., blocks): gpt-oss; OCP Microscaling Formats 1.0.
- FP8: `weight` float8 with `weight_scale`, `weight_scale_inv` or `input_scale` beside it, which hold no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from profiler.records import DTYPE_BITS, Packing, Tensor

Tensors: TypeAlias = Mapping[str, Tensor]
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Found: TypeAlias = Iterator[tuple[str, Packing]]
Rule: TypeAlias = Callable[[str, Tensors, Shapes], Found]  # takes a name that may be of a packed weight

_NO_SHAPES: Shapes = MappingProxyType({})
_STATE = ".quant_state.bitsandbytes__"
_STATE_PARTS = ("absmax", "quant_map", "nested_absmax", "nested_quant_map", "quant_state")


def packings(tensors: Tensors, shapes: Shapes = _NO_SHAPES) -> dict[str, Packing]:
    """How each tensor is packed that is; see this file's opening text."""
    found: dict[str, Packing] = {}
    for name in tensors:
        for rule in _RULES.get(_last(name), ()):
            found.update(rule(name, tensors, shapes))
    for name in tensors:
        found.update(_four_bits(name, tensors, shapes))
        found.update(_blocks(name, tensors))
    return found


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _beside(name: str, other: str) -> str:
    """The name of another tensor of the same layer."""
    return name.removesuffix(_last(name)) + other


# Words of several weights ---------------------------------------------------------------------------------------------


def _words(name: str, tensors: Tensors, shapes: Shapes) -> Found:
    """`qweight`: GPTQ's or AWQ's, which differ in what runs along the words."""
    helpers = [other for part in ("qzeros", "scales", "g_idx") if (other := _beside(name, part)) in tensors]
    read = _gptq(name, tensors) or _awq(name, tensors)
    if read is None:
        return
    form, shape = read
    yield name, Packing(form, shapes.get(name, shape))
    for other in helpers:
        yield other, Packing(form)


def _gptq(name: str, tensors: Tensors) -> tuple[str, tuple[int, int]] | None:
    words, scales = _matrix(name, tensors), _matrix(_beside(name, "scales"), tensors)
    if words is None or scales is None or words[1] != scales[1]:
        return None
    groups = tensors.get(_beside(name, "g_idx"))
    packed = _word(name, tensors) * words[0]  # bits of an output's weights
    bits = _ratio(packed, groups.numel) if groups is not None else _bits_of_zeros(name, tensors, scales[1])
    inputs = _ratio(packed, bits)
    return (f"gptq-{bits}bit", (words[1], inputs)) if bits and inputs else None


def _awq(name: str, tensors: Tensors) -> tuple[str, tuple[int, int]] | None:
    words, scales = _matrix(name, tensors), _matrix(_beside(name, "scales"), tensors)
    if words is None or scales is None:
        return None
    bits = _bits_of_zeros(name, tensors, scales[1])
    if not bits:
        return None
    packed = _word(name, tensors) * words[1]
    if words[0] != scales[0] and packed == scales[1] * bits:
        return f"awq-{bits}bit", (scales[1], words[0])
    inputs = _ratio(packed, bits)
    return (f"awq-{bits}bit", (words[0], inputs)) if words[0] == scales[0] and inputs else None


def _bits_of_zeros(name: str, tensors: Tensors, groups: int) -> int:
    """Each row of zero points has as many as there are scales; 0 where that says nothing."""
    name = _beside(name, "qzeros")
    zeros = _matrix(name, tensors)
    return _ratio(_word(name, tensors) * zeros[1], groups) if zeros is not None else 0


def _word(name: str, tensors: Tensors) -> int:
    return DTYPE_BITS[tensors[name].dtype]


def _matrix(name: str, tensors: Tensors) -> tuple[int, int] | None:
    tensor = tensors.get(name)
    return (tensor.shape[0], tensor.shape[1]) if tensor is not None and tensor.ndim == 2 else None


def _ratio(number: int, by: int) -> int:
    """Of two whole numbers; 0 where it is not whole."""
    return number // by if by and number % by == 0 else 0


# bitsandbytes ---------------------------------------------------------------------------------------------------------


def _four_bits(name: str, tensors: Tensors, shapes: Shapes) -> Found:
    """A name of a weight's state says which of the formats it is."""
    weight, found, form = name.partition(_STATE)
    if not found or weight not in tensors:
        return
    yield weight, Packing(form, shapes.get(weight, (2 * tensors[weight].size_bytes,)))
    yield name, Packing(form)
    for part in _STATE_PARTS:
        if (other := f"{weight}.{part}") in tensors:
            yield other, Packing(form)


def _eight_bits(name: str, tensors: Tensors, shapes: Shapes) -> Found:
    weight = _beside(name, "weight")
    if weight not in tensors or tensors[weight].dtype != "int8":
        return
    yield weight, Packing("int8", shapes.get(weight, tensors[weight].shape))
    yield name, Packing("int8")
    if (form := _beside(name, "weight_format")) in tensors:
        yield form, Packing("int8")


# Floating point of few bits -------------------------------------------------------------------------------------------


def _blocks(name: str, tensors: Tensors) -> Found:
    """Sixteen bytes are a block of 32 weights."""
    scales = name.removesuffix("_blocks") + "_scales"
    if not name.endswith("_blocks") or scales not in tensors:
        return
    shape, dtype = tensors[name].shape, tensors[name].dtype
    if dtype == "uint8" and shape[-1:] == (16,) and shape[:-1] == tensors[scales].shape and len(shape) > 1:
        yield name, Packing("mxfp4", (*shape[:-2], 32 * shape[-2]))
        yield scales, Packing("mxfp4")


def _scale(name: str, tensors: Tensors, shapes: Shapes) -> Found:
    weight = tensors.get(_beside(name, "weight"))
    if weight is not None and weight.dtype.startswith("float8"):
        yield name, Packing("fp8")


_RULES: Mapping[str, tuple[Rule, ...]] = {
    "qweight": (_words,),
    "SCB": (_eight_bits,),
    "weight_scale": (_scale,),
    "weight_scale_inv": (_scale,),
    "input_scale": (_scale,),
}
