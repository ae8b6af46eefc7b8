"""How does optimum-quanto pack weights? As `_data`, `_scale` and, where there is an offset, `_shift`.

`save_to_state_dict` of its tensors writes `LAYER.weight._data` for int8 and float8, and `LAYER.weight._data._data` for
the packed bytes of four and of two bits: optimum/quanto/tensor. Groups have 128 weights unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.records.packing.layer import Finding, Option, PackedLayer, chosen, ratio
from profiler.records.trace import Packing

_DATA, _SCALE, _SHIFT = "_data", "_scale", "_shift"
_PER_BYTE = {4: 2, 2: 4}


def read(layer: PackedLayer) -> Iterator[Finding]:
    data = layer.tensors.get(_DATA)
    if data is None:
        return
    if _SCALE in layer.tensors and data.dtype != "uint8":
        yield layer.holds(_DATA, "quanto-8bit", data.shape)
        yield from layer.helpers((_SCALE, _SHIFT), "quanto-8bit")
        yield from _around(layer, layer.path)
    elif layer.path.endswith(f".{_DATA}"):
        yield from _packed(layer, layer.path.removesuffix(f".{_DATA}"))


def _packed(layer: PackedLayer, weight: str) -> Iterator[Finding]:
    tensors, data = layer.whole.tensors, layer.tensors[_DATA]
    scale = tensors.get(f"{weight}.{_SCALE}")
    if scale is None:
        return
    options = [
        Option(bits, ratio(data.numel * per, scale.numel), (data.numel * per,)) for bits, per in _PER_BYTE.items()
    ]
    best, doubt = chosen(layer, _DATA, sorted(options, key=lambda option: option.group != 128))
    form = f"quanto-{best.bits}bit"
    yield layer.holds(_DATA, form, best.shape)
    for name in (f"{weight}.{_SCALE}", f"{weight}.{_SHIFT}"):
        if name in tensors:
            yield name, Packing(form)
    yield from _around(layer, weight)
    if doubt:
        yield doubt


def _around(layer: PackedLayer, weight: str) -> Iterator[Finding]:
    """The scales of activations stand beside the weight."""
    path = weight.rpartition(".")[0]
    for name in ("input_scale", "output_scale"):
        if (full := f"{path}.{name}") in layer.whole.tensors:
            yield full, Packing("quanto")
