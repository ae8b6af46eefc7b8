"""How are weights packed by codebooks and lattices? In AQLM, QuIP#, ExLlamaV2 and V3, HIGGS.

- AQLM: `codes` (out/o, in/i, books) with `codebooks` (books, 2^bits, o, i) and `scales`: arXiv:2401.06118.
- QuIP#: `Qidxs` with a sign for each input, `SV`, and each output, `SU`: arXiv:2402.04396.
- EXL2: `q_weight` int32 (words, out) with `q_invperm` or `q_perm` (in): exllamav2/ext.py.
- EXL3: `trellis` int16 (in/16, out/16, 16·bits) with `suh` (in) and `svh` (out): exllamav3.
- HIGGS: `weight` int16 (out·bits/16, in) with `tables` of 2^bits values: transformers/integrations/higgs.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.packing.layer import Finding, PackedLayer


def read(layer: PackedLayer) -> Iterator[Finding]:
    for name, family in _FAMILIES.items():
        if name in layer.tensors:
            yield from family(layer)


def _aqlm(layer: PackedLayer) -> Iterator[Finding]:
    codes, books = layer.tensors["codes"], layer.tensors.get("codebooks")
    if books is not None and codes.ndim == 3 and books.ndim == 4:
        outputs, inputs = books.shape[2:]
        yield layer.holds("codes", "aqlm", (codes.shape[0] * outputs, codes.shape[1] * inputs))
        yield from layer.helpers(("codebooks", "scales"), "aqlm")


def _quip(layer: PackedLayer) -> Iterator[Finding]:
    outputs, inputs = layer.tensors.get("SU"), layer.tensors.get("SV")
    if outputs is not None and inputs is not None:
        yield layer.holds("Qidxs", "quip#", (outputs.numel, inputs.numel))
        helpers = ("SU", "SV", "Wscale", "codebook_id", "A", "B", "fuse_scales", "rcp", "had_left", "had_right")
        yield from layer.helpers(helpers, "quip#")


def _exl2(layer: PackedLayer) -> Iterator[Finding]:
    order = layer.tensors.get("q_invperm") or layer.tensors.get("q_perm")
    if order is not None and layer.matrix("q_weight") is not None:
        yield layer.holds("q_weight", "exl2", (layer.tensors["q_weight"].shape[1], order.numel))
        helpers = ("q_scale", "q_scale_max", "q_groups", "q_group_map", "q_perm", "q_invperm")
        yield from layer.helpers(helpers, "exl2")


def _exl3(layer: PackedLayer) -> Iterator[Finding]:
    trellis = layer.tensors["trellis"]
    if trellis.ndim == 3:
        yield layer.holds("trellis", "exl3", (16 * trellis.shape[1], 16 * trellis.shape[0]))
        yield from layer.helpers(("suh", "svh", "su", "sv", "mcg", "mul1"), "exl3")


def _higgs(layer: PackedLayer) -> Iterator[Finding]:
    weight, bits = layer.matrix("weight"), layer.tensors["tables"].numel.bit_length() - 1
    if weight is not None and layer.dtype("weight") == "int16" and bits > 0 and "scales" in layer.tensors:
        yield layer.holds("weight", f"higgs-{bits}bit", (16 * weight[0] // bits, weight[1]))
        yield from layer.helpers(("scales", "tables", "tables2", "workspace"), f"higgs-{bits}bit")


_FAMILIES = {"codes": _aqlm, "Qidxs": _quip, "q_weight": _exl2, "trellis": _exl3, "tables": _higgs}
