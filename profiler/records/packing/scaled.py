"""How is a `weight` of whole numbers, or of floats of few bits, packed with scales beside it?

- FP8: float8 with `weight_scale`, `weight_scale_inv` (DeepSeek), `scale_weight` (ComfyUI) or `scale`.
- NVFP4: uint8 (out, in/2) with `weight_scale` float8 (out, in/16) and `weight_scale_2`: NVIDIA's Model Optimizer.
- MXFP4: uint8 (out, in/2) with a scale of eight bits for 32 weights; int8 with `scale` float8_e8m0 (out, in/32):
  experts of DeepSeek. OCP Microscaling Formats Specification 1.0.
- INT8: int8 (out, in) with `weight_scale`; EETQ: int8 (in, out) with `weight_scales` (out).
- INT4 of Model Optimizer: uint8 (out/2, in) with `weight_scale` (out, groups).
- BitNet: uint8 (out/4, in) with one `weight_scale`: transformers/integrations/bitnet.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from profiler.records.packing.compressed import INPUTS
from profiler.records.packing.layer import Finding, PackedLayer, doubt, ratio
from profiler.records.trace import Tensor

# The name of a scale behind that of its weight, or instead of "weight".
_SUFFIXES = ("_scale", "_scale_inv", "_scales", "_scale_1", "_scale_2", "_global_scale", "_zero_point", "_shape")
_ALONE = ("scale", "scales", "scale_weight", "SCB")
_OTHERS = (
    *INPUTS, "scale_input", "activation_scale", "input_activation_scale", "output_activation_scale", "pre_quant_scale",
    "input_scale_ub", "weight_format",
)  # fmt: skip
_POWERS = ("float8_e8m0fnu", "uint8")  # scales that are powers of two, in eight bits


def read(layer: PackedLayer) -> Iterator[Finding]:
    for name, weight in layer.tensors.items():
        if weight.dtype in ("int8", "uint8") or weight.dtype.startswith("float8"):
            scale = _scale(layer, name)
            if scale and not _is_scale(layer, name):
                yield from _weight(layer, name, weight, scale)


def _scale(layer: PackedLayer, name: str) -> str:
    """The name of the weight's scale; of several the one that has most."""
    several = [name + suffix for suffix in _SUFFIXES[:4]] + (list(_ALONE) if name == "weight" else [])
    there = [other for other in several if other in layer.tensors]
    return max(there, key=lambda other: layer.tensors[other].numel, default="")


def _is_scale(layer: PackedLayer, name: str) -> bool:
    """Scales may be of eight bits too."""
    return name in _ALONE or any(
        name.endswith(suffix) and name.removesuffix(suffix) in layer.tensors for suffix in _SUFFIXES
    )


def _weight(layer: PackedLayer, name: str, weight: Tensor, scale: str) -> Iterator[Finding]:
    form, shape, unsure = _read(layer, weight, layer.tensors[scale], scale)
    if form != "fp8":  # whose elements are its weights
        yield layer.holds(name, form, shape)
    yield from layer.helpers([name + suffix for suffix in _SUFFIXES], form)
    yield from layer.helpers((*(_ALONE if name == "weight" else ()), *_OTHERS), form)
    if unsure and layer.full(name) not in layer.whole.explained:
        finding = doubt(layer, name, unsure, prod(shape))
        if finding:
            yield finding


def _read(layer: PackedLayer, weight: Tensor, scale: Tensor, name: str) -> tuple[str, tuple[int, ...], str]:
    """The format, the weights' shape, and what else it may be."""
    shape = weight.shape
    if weight.dtype.startswith("float8"):
        return "fp8", shape, ""
    if name == "weight_scales" and len(shape) == 2:
        return "int8", shape[::-1], ""
    columns = shape[-1] if shape else 0
    block = ratio(columns, scale.shape[-1]) if scale.ndim else 0  # elements that share a scale
    pairs = (*shape[:-1], 2 * columns)
    if weight.dtype == "int8":
        return ("mxfp4", pairs, "") if block == 16 and scale.ndim > 1 else ("int8", shape, "")
    if scale.dtype == "float8_e4m3fn":
        return "nvfp4", pairs, ""
    if scale.dtype in _POWERS:
        return ("mxfp8", shape, "") if block == 32 else ("mxfp4", pairs, "")
    return _bytes(layer, shape, scale)


def _bytes(layer: PackedLayer, shape: tuple[int, ...], scale: Tensor) -> tuple[str, tuple[int, ...], str]:
    """uint8 with scales in floating point, of which the rows tell, or the configuration."""
    if len(shape) == 2 and scale.ndim == 2 and scale.shape[0] == 2 * shape[0]:
        return "int4", (2 * shape[0], shape[1]), ""
    if len(shape) == 2 and (layer.method == "bitnet" or (scale.numel == 1 and not layer.grouping.bits)):
        return "bitnet", (4 * shape[0], shape[1]), ""
    bits = layer.grouping.bits
    if bits in (1, 2, 4, 8):
        return f"int{bits}", (*shape[:-1], 8 // bits * shape[-1]) if shape else shape, ""
    return "int4", (*shape[:-1], 2 * shape[-1]) if shape else shape, "read as 4 bits; nothing says how many"
