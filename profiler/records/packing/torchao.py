"""How does torchao pack weights in safetensors? As `LAYER._weight_qdata`, with `_weight_scale` and others.

The file's metadata has the subclass by name.

`flatten_tensor_state_dict` in torchao/prototype/safetensors writes, for `LAYER.weight`, JSON with `_type` and `_data`.
Subclasses of four bits keep two weights a byte, or eight a word; those of eight one each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from profiler.records.packing.layer import Finding, PackedLayer, bits_of, doubt
from profiler.records.trace import DTYPE_BITS

_QDATA = "_qdata"
_LONGEST = 64  # characters of a subclass's name


def read(layer: PackedLayer) -> Iterator[Finding]:
    for name in layer.tensors:
        if name.startswith("_") and name.endswith(_QDATA):
            yield from _weight(layer, name, name.removesuffix(_QDATA))


def _weight(layer: PackedLayer, name: str, stem: str) -> Iterator[Finding]:
    data = layer.tensors[name]
    kind, settings = _subclass(layer, stem)
    bits = _bits(kind, settings, data.dtype)
    per = bits_of(data) // bits
    shape = data.shape if per == 1 else (per * data.numel,)
    if data.ndim == 2:
        shape = (data.shape[0], per * data.shape[1])
    form = f"torchao-{kind}" if kind else f"torchao-{bits}bit"
    yield layer.holds(name, form, shape)
    yield from layer.helpers((other for other in layer.tensors if other.startswith(f"{stem}_") and other != name), form)
    unsure = doubt(layer, name, f"read as {bits} bits; no metadata says how many", None)
    if not kind and not data.is_float and unsure:
        yield unsure


def _subclass(layer: PackedLayer, stem: str) -> tuple[str, Any]:
    """The subclass and its settings, as metadata has them; anything may stand there."""
    text = layer.whole.settings.metadata.get(layer.full(stem.removeprefix("_")), "")
    try:
        parsed = json.loads(text) if len(text) < 1 << 16 else None
    except (ValueError, RecursionError):
        parsed = None
    kind = parsed.get("_type") if isinstance(parsed, dict) else None
    if not isinstance(kind, str) or not kind.isidentifier() or not kind.isascii() or len(kind) > _LONGEST:
        return "", None
    return kind, parsed.get("_data") if isinstance(parsed, dict) else None


def _bits(kind: str, settings: Any, dtype: str) -> int:
    is_four = kind.startswith(("Int4", "NVFP4")) or (kind.startswith("MX") and "float4" in str(settings))
    if dtype in ("uint8", "int8", "int32", "uint32") and (is_four or (not kind and dtype != "int8")):
        return 4
    return DTYPE_BITS[dtype]
