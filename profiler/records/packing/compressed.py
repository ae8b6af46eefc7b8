"""How does compressed-tensors, the format of LLM Compressor, pack weights?

As `NAME_packed` with `NAME_scale`, and sparse weights.

- Integers: `weight_packed` int32 (out, ⌈in/(32/bits)⌉) with `weight_scale` (out, groups), and `weight_zero_point`,
  `weight_g_idx` (in), and `weight_shape`, whose two values are the weight's shape: pack_quantized in
  compressed_tensors/compressors.
- Floats: `weight_packed` uint8 (out, in/2) with `weight_scale` of eight bits: NVFP4 and MXFP4.
- Marlin-2:4: `weight_packed` int32 of every second weight with `meta` int16, two bits for each of those and so one
  element for sixteen weights, and `scale_packed`.
- Sparse: `weight.compressed`, the weights that are not zero, with `weight.bitmask` uint8 (out, ⌈in/8⌉),
  `weight.row_offsets` and `weight.shape`.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.packing.layer import Finding, Option, PackedLayer, bits_of, chosen

_PACKED = "_packed"
_BITS = (4, 8, 2)
_GROUPS = (128, 64, 32, 16, 256)
_HELPERS = ("_scale", "_zero_point", "_shape", "_g_idx", "_global_scale", "_scale_2")
INPUTS = (
    "input_scale",
    "input_global_scale",
    "input_zero_point",
    "output_scale",
    "output_zero_point",
    "k_scale",
    "v_scale",
)


def read(layer: PackedLayer) -> Iterator[Finding]:
    if "compressed" in layer.tensors and "bitmask" in layer.tensors:
        yield from _sparse(layer)
    for name in layer.tensors:
        stem = name.removesuffix(_PACKED)
        if stem == name:
            continue
        if "meta" in layer.tensors and "scale_packed" in layer.tensors:
            yield from _two_of_four(layer, name) if stem == "weight" else ()
        elif f"{stem}_scale" in layer.tensors:
            yield from _packed(layer, name, stem)


def _packed(layer: PackedLayer, name: str, stem: str) -> Iterator[Finding]:
    weight = layer.tensors[name]
    if weight.ndim < 2 or weight.dtype not in ("int32", "uint32", "uint8", "int8"):
        return
    doubt = None
    if bits_of(weight) == 8:
        is_nv = layer.dtype(f"{stem}_scale") == "float8_e4m3fn"
        form, shape = "nvfp4" if is_nv else "mxfp4", (*weight.shape[:-1], 2 * weight.shape[-1])
    else:
        best, doubt = _integers(layer, name, stem)
        form, shape = f"int{best.bits}", best.shape
    yield layer.full(name), layer.holds(name, form, shape)[1]._replace(shape=shape)
    yield from layer.helpers([stem + suffix for suffix in _HELPERS], form)
    yield from layer.helpers(INPUTS, form)
    if doubt:
        yield doubt


def _integers(layer: PackedLayer, name: str, stem: str) -> tuple[Option, Finding | None]:
    """The shape that the file keeps, or the inputs that it lists, decide; else see `chosen`."""
    weight, scale = layer.tensors[name], layer.tensors[f"{stem}_scale"]
    shape, index = layer.shape(name), layer.tensors.get(f"{stem}_g_idx")
    inputs = shape[-1] if shape and shape[:-1] == weight.shape[:-1] else index.numel if index is not None else 0
    for bits in range(1, 9):
        if inputs and -(-inputs // (32 // bits)) == weight.shape[-1]:
            return Option(bits, 0, (*weight.shape[:-1], inputs)), None
    groups = scale.shape[-1] if scale.ndim else 1
    options = [
        Option(bits, group, (*weight.shape[:-1], group * groups))
        for group in _GROUPS
        for bits in _BITS
        if groups > 1 and group * groups == weight.shape[-1] * (32 // bits)
    ]
    by_row = [Option(bits, 0, (*weight.shape[:-1], weight.shape[-1] * (32 // bits))) for bits in _BITS]
    return chosen(layer, name, options or by_row)


def _two_of_four(layer: PackedLayer, name: str) -> Iterator[Finding]:
    weights = 16 * layer.tensors["meta"].numel
    yield layer.holds(name, "marlin-24", (weights,))
    yield from layer.helpers(("meta", "scale_packed", "weight_shape", "weight_zero_point"), "marlin-24")


def _sparse(layer: PackedLayer) -> Iterator[Finding]:
    """As many weights as the dense one has: a bit each says whether it is kept."""
    mask = layer.tensors["bitmask"]
    if mask.ndim:
        yield layer.holds("compressed", "sparse-bitmask", (*mask.shape[:-1], 8 * mask.shape[-1]))
        yield from layer.helpers(("bitmask", "shape", "row_offsets"), "sparse-bitmask")
