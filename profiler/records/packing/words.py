"""How are several weights packed in words of 32 bits? GPTQ, AWQ, Marlin; and FP-Quant, which has two in a byte.

- GPTQ: `qweight` int32 (in·bits/32, out), `qzeros` (groups, out·bits/32), `scales` (groups, out), `g_idx` (in).
  QuantLinear in AutoGPTQ and GPTQModel.
- AWQ: `qweight` int32 (in, out·bits/32), `qzeros` (groups, out·bits/32), `scales` (groups, out): WQLinear_GEMM in
  AutoAWQ; or outputs first, (out, in·bits/32) with (out, groups) beside it: WQLinear_GEMV.
- Marlin: `B` int32 (in/16, 2·out) of four bits, `s`, `workspace`: marlin/__init__.py of IST-DASLab/marlin.
- FP-Quant: `qweight` uint8 (out, in/2), `scales` a group: transformers/integrations/fp_quant.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.packing.layer import Finding, PackedLayer, bits_of, ratio

_HELPERS = ("qzeros", "scales", "g_idx", "forward_hadamard_matrix", "backward_hadamard_matrix", "act_global_scale")


def read(layer: PackedLayer) -> Iterator[Finding]:
    if "qweight" in layer.tensors:
        yield from _words(layer)
    elif layer.matrix("B") is not None and layer.dtype("B") == "int32" and "s" in layer.tensors:
        rows, columns = layer.tensors["B"].shape
        yield layer.holds("B", "marlin-4bit", (columns // 2, 16 * rows))
        yield from layer.helpers(("s", "workspace"), "marlin-4bit")


def _words(layer: PackedLayer) -> Iterator[Finding]:
    reading = _bytes(layer) or _gptq(layer) or _awq(layer)
    if reading is None:
        yield from _by_configuration(layer)
        return
    form, shape = reading
    yield layer.holds("qweight", form, shape)
    yield from layer.helpers(_HELPERS, form)


def _bytes(layer: PackedLayer) -> tuple[str, tuple[int, ...]] | None:
    """Two a byte."""
    weight, scales = layer.tensors["qweight"], layer.tensors.get("scales")
    if weight.dtype != "uint8" or scales is None or not weight.ndim or weight.shape[:-1] != scales.shape[:-1]:
        return None
    return "fp4", (*weight.shape[:-1], 2 * weight.shape[-1])


def _gptq(layer: PackedLayer) -> tuple[str, tuple[int, int]] | None:
    weight, scales = layer.matrix("qweight"), layer.matrix("scales")
    if weight is None or scales is None or weight[1] != scales[1]:
        return None
    groups = layer.tensors.get("g_idx")
    packed = bits_of(layer.tensors["qweight"]) * weight[0]  # bits of an output's weights
    bits = ratio(packed, groups.numel) if groups is not None else _bits_of_zeros(layer, scales[1])
    inputs = ratio(packed, bits)
    return (f"gptq-{bits}bit", (weight[1], inputs)) if bits and inputs else None


def _awq(layer: PackedLayer) -> tuple[str, tuple[int, int]] | None:
    weight, scales = layer.matrix("qweight"), layer.matrix("scales")
    if weight is None or scales is None:
        return None
    bits = _bits_of_zeros(layer, scales[1])
    if not bits:
        return None
    packed = bits_of(layer.tensors["qweight"]) * weight[1]
    if weight[0] != scales[0] and packed == scales[1] * bits:
        return f"awq-{bits}bit", (scales[1], weight[0])
    inputs = ratio(packed, bits)
    return (f"awq-{bits}bit", (weight[0], inputs)) if weight[0] == scales[0] and inputs else None


def _bits_of_zeros(layer: PackedLayer, groups: int) -> int:
    """Each row of zero points has as many as there are scales; 0 where that says nothing."""
    zeros = layer.matrix("qzeros")
    return ratio(bits_of(layer.tensors["qzeros"]) * zeros[1], groups) if zeros is not None else 0


def _by_configuration(layer: PackedLayer) -> Iterator[Finding]:
    """Where its helpers do not tell, the bits that are told."""
    weight, bits = layer.tensors["qweight"], layer.grouping.bits
    if weight.is_float or weight.ndim < 2 or not bits:
        return
    form = f"{layer.method or 'packed'}-{bits}bit"
    yield layer.holds("qweight", form, (weight.numel * bits_of(weight) // bits,))
    yield from layer.helpers(_HELPERS, form)
