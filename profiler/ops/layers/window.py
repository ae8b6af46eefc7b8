"""How is a moving window written? Its kernel, its stride unless 1, its dilation unless 1: "3×3 /2 d2"."""

from __future__ import annotations

from math import prod

from profiler.ops.layers.kind import Settings, joined


def window(a: Settings, name: str) -> str:
    return joined(kernel(a, name), stride(a, name), dilation(a, name))


def rank(name: str) -> int:
    """The number of dimensions a class works in: 3 for "MaxPool3d"; Fold and Unfold work on images."""
    return int(name[-2]) if name.endswith(("1d", "2d", "3d")) else 2


def kernel(a: Settings, name: str) -> str:
    sizes = a.sizes("kernel_size", rank(name))
    return "×".join(map(str, sizes)) if len(sizes) > 1 else f"k{sizes[0]}"


def stride(a: Settings, name: str) -> str:
    """Some pooling layers have None for "as far as the kernel reaches"; FractionalMaxPool has no stride at all."""
    if "stride" not in a.values:
        return ""
    return _unless_1("/", a.sizes("kernel_size" if a.values["stride"] is None else "stride", rank(name)))


def dilation(a: Settings, name: str) -> str:
    return _unless_1("d", a.sizes("dilation", rank(name))) if "dilation" in a.values else ""


def _unless_1(sign: str, sizes: tuple[int, ...]) -> str:
    """The sign and the sizes: "/2" for (2, 2), "/2×1" for (2, 1), nothing for (1, 1)."""
    if prod(sizes) == 1:
        return ""
    return sign + (str(sizes[0]) if len(set(sizes)) == 1 else "×".join(map(str, sizes)))
