"""Which integer tensors may be packed weights in an unknown layout? They are not counted, and a doubt is reported."""

from __future__ import annotations

import re
from collections.abc import Iterator

from profiler.records.packing.layer import Finding, PackedLayer, doubt

_WORDS = ("int32", "uint32", "int16", "uint16", "uint8")
_NAMES = re.compile(r"(^|_)(q?weight|w_q|packed|codes|qdata|blocks|trellis)(_|$)|_proj$|indices$", re.IGNORECASE)
_BESIDE = re.compile(r"scale|absmax|codebook|centroids|zeros$|_zero", re.IGNORECASE)


def read(layer: PackedLayer) -> Iterator[Finding]:
    has_scales = any(_BESIDE.search(name) for name in layer.tensors)
    for name, tensor in layer.tensors.items():
        if (
            tensor.dtype not in _WORDS
            or tensor.ndim < 2
            or not tensor.numel
            or layer.full(name) in layer.whole.explained
        ):
            continue
        if _BESIDE.search(name) or not (_NAMES.search(name) or has_scales):
            continue
        finding = doubt(layer, name, "whole numbers that may hold packed weights; nothing says how many", None)
        if finding:
            yield finding
