"""How are weights packed in blocks that have a dimension of their own?

As `NAME_blocks` uint8 (..., blocks, 16) with `NAME_scales` (..., blocks).

Sixteen bytes are a block of 32 weights in MXFP4: gpt-oss; OCP Microscaling Formats Specification 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.packing.layer import Finding, PackedLayer


def read(layer: PackedLayer) -> Iterator[Finding]:
    for name, tensor in layer.tensors.items():
        scales = name.removesuffix("_blocks") + "_scales"
        if not name.endswith("_blocks") or scales not in layer.tensors:
            continue
        shape = tensor.shape
        is_block = tensor.dtype == "uint8" and shape[-1:] == (16,) and len(shape) > 1
        if is_block and shape[:-1] == layer.tensors[scales].shape:
            yield layer.holds(name, "mxfp4", (*shape[:-2], 32 * shape[-2]))
            yield from layer.helpers((scales,), "mxfp4")
