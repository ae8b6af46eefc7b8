"""Which code computes attention and experts? The library's own: a configuration may ask for kernels of the hub.

transformers takes `attn_implementation` out of any `config.json`; one like `kernels-community/flash-attn` is fetched
and run, and so are those that stand in for `flash_attention_2` where that package is missing. No count needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# What the library computes with torch alone.
_OWN = {
    "_attn_implementation": (None, "eager", "sdpa", "flex_attention", "paged|eager", "paged|sdpa"),
    "_experts_implementation": (None, "eager", "batched_mm", "grouped_mm"),
}


def without_kernels(config: Any) -> tuple[str, ...]:
    """Clear the settings that name code from outside the library; return what they named."""
    left_out: dict[str, None] = {}
    for each in _with_inner(config):
        for name, own in _OWN.items():
            requested = getattr(each, name, None)
            if requested not in own:
                left_out[str(requested)] = None
                setattr(each, f"{name}_internal", None)
    return tuple(left_out)


def _with_inner(config: Any) -> Iterator[Any]:
    """A configuration, and those of the models inside: of text, of images."""
    yield config
    for name in getattr(config, "sub_configs", ()):
        inner = getattr(config, name, None)
        if inner is not None:
            yield from _with_inner(inner)
