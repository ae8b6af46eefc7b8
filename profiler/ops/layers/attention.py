"""How is an attention layer described, and which parameters should it have?"""

from __future__ import annotations

from profiler.ops.cost import Count, product
from profiler.ops.layers.kind import NONE, Names, Settings, kind, torch_nn


def _widths(a: Settings) -> tuple[int, int, int]:
    return a.number("embed_dim"), a.number("kdim"), a.number("vdim")


def _words(a: Settings, name: str) -> str:
    (width, keys, values), heads = _widths(a), a.number("num_heads")
    own_widths = "" if keys == values == width else f", k {keys}, v {values}"
    return f"{width}, {heads} head{'s' if heads > 1 else ''}{own_widths}"


def _parameters(a: Settings, names: Names) -> Count:
    """Projections of query, key and value to the width E, whatever the number of heads (Vaswani et al. 2017,
    arXiv:1706.03762, section 3.2.2). The output projection is the child module `out_proj`, counted there.
    """
    width, keys, values = _widths(a)
    fused = product("3 E E", 3, width, width)
    separate = product("E E", width, width) + product("E Ek", width, keys) + product("E Ev", width, values)
    biases = product("3 E", 3, width) if "in_proj_bias" in names else NONE
    extra_token = product("2 E", 2, width) if "bias_k" in names else NONE
    return (fused if keys == values == width else separate) + biases + extra_token


kind(*torch_nn("activation", "MultiheadAttention"), words=_words, parameters=_parameters)
