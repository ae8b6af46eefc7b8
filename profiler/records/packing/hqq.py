"""How does HQQ pack weights? As `W_q`, with `scale` and `zero` for each group.

Eight, four, two or one bit are packed in bytes, and of three bits ten are in a word of int32.

hqq/core/bitpack.py of mobiusml/hqq. How many weights share a scale is a setting, 64 where nobody says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.packing.layer import Finding, Option, PackedLayer, chosen, ratio

_A_BYTE = {4: 2, 8: 1, 2: 4, 1: 8}
_GROUPS = (64, 128, 32, 16, 8, 256)
_HELPERS = (
    "scale", "zero", "meta", "nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype", "view_as_float",
    "encoded_state_dict", "offload_meta", "stores_quant_config", "channel_wise", "optimize", "round_zero",
    "compute_dtype", "quant_scale", "quant_zero",
)  # fmt: skip


def read(layer: PackedLayer) -> Iterator[Finding]:
    weight, scale = layer.tensors.get("W_q"), layer.tensors.get("scale")
    if weight is None or scale is None or weight.is_float:
        return
    per = {3: 10} if weight.dtype == "int32" else _A_BYTE
    every = [Option(bits, ratio(weight.numel * n, scale.numel), (weight.numel * n,)) for bits, n in per.items()]
    usual = sorted((o for o in every if o.group in _GROUPS), key=lambda option: _GROUPS.index(option.group))
    best, doubt = chosen(layer, "W_q", usual or every)
    form = f"hqq-{best.bits}bit"
    yield layer.holds("W_q", form, best.shape)
    yield from layer.helpers(_HELPERS, form)
    if doubt:
        yield doubt
