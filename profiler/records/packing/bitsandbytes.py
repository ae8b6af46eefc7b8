"""How does bitsandbytes pack weights?

- 4 bits: `weight`, two weights a byte, with `weight.absmax`, `weight.quant_map`,
  `weight.quant_state.bitsandbytes__nf4` (or `fp4`), and nested ones: QuantState.as_dict in bitsandbytes.functional. The
  weight is flat, and its shape is among the values of that state; so it is given as a flat one where nobody knows it.
- 8 bits: `weight` int8 (out, in) with `SCB` and `weight_format`: Linear8bitLt.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.packing.layer import Finding, PackedLayer
from profiler.records.trace import Packing

_STATE, _OF = "quant_state", "bitsandbytes__"
_PARTS = ("absmax", "quant_map", "nested_absmax", "nested_quant_map", "quant_state")


def read(layer: PackedLayer) -> Iterator[Finding]:
    if "SCB" in layer.tensors and layer.dtype("weight") == "int8":
        yield layer.holds("weight", "int8", layer.tensors["weight"].shape)
        yield from layer.helpers(("SCB", "weight_format"), "int8")
    for name in layer.tensors:
        if name.startswith(_OF) and layer.path.endswith(f".{_STATE}"):
            yield from _four_bits(layer, name)


def _four_bits(layer: PackedLayer, name: str) -> Iterator[Finding]:
    """A name of a weight's state says which of the formats it is."""
    weight, form = layer.path.removesuffix(f".{_STATE}"), name.removeprefix(_OF)
    tensors = layer.whole.tensors
    if weight not in tensors:
        return
    shape = layer.whole.shapes.get(weight, (2 * tensors[weight].size_bytes,))
    yield weight, Packing(form, shape)
    yield layer.full(name), Packing(form)
    for part in _PARTS:
        if (other := f"{weight}.{part}") in tensors:
            yield other, Packing(form)
