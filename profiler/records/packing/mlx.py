"""How does MLX pack weights? In words of 32 bits along each row of `weight`.

Beside it are `scales`, and `biases` where a group has an offset too.

The modes, their groups and bits are those of mlx.core.quantize:
https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.quantize.html. Words and scales of a row say
bits times group: 32·words/scales. transformers' kernels for Metal call the offsets `qbiases`.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.packing.layer import Finding, Option, PackedLayer, chosen, ratio

_GROUPS = (64, 128, 32, 16)  # 64 where nobody says otherwise
_BITS = (4, 8, 2, 3, 5, 6)
# With scales of eight bits and without offsets.
_FLOATS = {4 * 32: ("mxfp4", 4, 32), 4 * 16: ("nvfp4", 4, 16), 8 * 32: ("mxfp8", 8, 32)}


def read(layer: PackedLayer) -> Iterator[Finding]:
    weight, scales = layer.tensors.get("weight"), layer.tensors.get("scales")
    if weight is None or scales is None or weight.dtype not in ("uint32", "int32") or weight.ndim < 2:
        return
    if weight.shape[:-1] != scales.shape[:-1]:
        return
    packed, offsets = ratio(32 * weight.shape[-1], scales.shape[-1]), _offsets(layer)
    if offsets:
        yield from _affine(layer, packed, offsets)
    elif scales.dtype in ("uint8", "float8_e8m0fnu", "float8_e4m3fn") and packed in _FLOATS:
        form, bits, _ = _FLOATS[packed]
        yield layer.holds("weight", form, (*weight.shape[:-1], 32 * weight.shape[-1] // bits))
        yield from layer.helpers(("scales",), form)


def _offsets(layer: PackedLayer) -> str:
    """The name of the groups' offsets, which are as many as scales."""
    shape = layer.tensors["scales"].shape
    return next(
        (name for name in ("biases", "qbiases") if name in layer.tensors and layer.tensors[name].shape == shape), ""
    )


def _affine(layer: PackedLayer, packed: int, offsets: str) -> Iterator[Finding]:
    weight, groups = layer.tensors["weight"], layer.tensors["scales"].shape[-1]
    options = [
        Option(bits, group, (*weight.shape[:-1], group * groups))
        for group in _GROUPS
        for bits in _BITS
        if bits * group == packed
    ]
    if not options:
        return
    best, doubt = chosen(layer, "weight", options)
    form = f"mlx-{best.bits}bit"
    yield layer.holds("weight", form, best.shape)
    yield from layer.helpers(("scales", offsets), form)
    if doubt:
        yield doubt
