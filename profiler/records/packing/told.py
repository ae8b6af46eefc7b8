"""What do a file's metadata and its configuration say of how weights are packed? In the few words that layouts need.

Configurations are JSON as their tools write them: `quantization_config` of transformers, `quantization` of MLX,
`quantize_config.json` of AutoGPTQ, `hf_quant_config.json` of NVIDIA's Model Optimizer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

_BITS = ("bits", "num_bits", "nbits", "w_bit", "wbits", "weight_bits")
_GROUP = ("group_size", "q_group_size", "groupsize")
_INSIDE = ("quantization_config", "quantization", "compression_config", "text_config", "weight_quant_params")
_LARGEST = 1 << 20


class Grouping(NamedTuple):
    """Bits of a weight, and how many weights share a scale (0: all of a row); None for what is not told."""

    bits: int | None = None
    group: int | None = None


NOT_TOLD = Grouping()


@dataclass(frozen=True, slots=True)
class Told:
    """method: which tool's layout it is. modules: what is told of layers by their paths, which differs from `all`."""

    method: str = ""
    all: Grouping = NOT_TOLD
    modules: Mapping[str, Grouping] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def of(self, path: str) -> Grouping:
        """Of the layer at a path."""
        return self.modules.get(path, self.all)


NOTHING = Told(modules=MappingProxyType({}), metadata=MappingProxyType({}))


def told(configurations: Mapping[str, Any], metadata: Mapping[str, str]) -> Told:
    """Of a parsed configuration, in which anything may stand, and of a file's metadata."""
    inside = next(_sections(configurations), {})
    method = _text(inside, "quant_method") or _text(inside, "quant_algo") or _text(inside, "quant_type")
    modules = {str(name): found for name, said in inside.items() if (found := _grouping(said)) != NOT_TOLD}
    groups = list(_config_groups(inside))
    everything = groups[0] if len(set(groups)) == 1 else NOT_TOLD if groups else _grouping(inside)
    return Told(method.lower(), everything, modules, metadata)


def _sections(said: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The innermost dicts that are about quantisation."""
    if not isinstance(said, dict) or depth > 3:
        return
    for name in _INSIDE:
        if isinstance(said.get(name), dict):
            yield from _sections(said[name], depth + 1)
    if depth or _grouping(said) != NOT_TOLD or "quant_method" in said:
        yield said


def _config_groups(inside: Mapping[str, Any]) -> Iterator[Grouping]:
    """compressed-tensors has a group of layers of each kind, with the settings of their weights."""
    groups = inside.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict):
            yield _grouping(weights)


def _grouping(said: Any) -> Grouping:
    if not isinstance(said, dict):
        return NOT_TOLD
    bits = 4 if said.get("load_in_4bit") is True else _number(said, _BITS)
    return Grouping(bits, _number(said, _GROUP))


def _number(said: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """A whole number of a size that may be; -1 stands for a whole row in some tools."""
    found: int | None = next((said[name] for name in names if type(said.get(name)) is int), None)
    return None if found is None or not -1 <= found <= _LARGEST else max(found, 0)


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name)
    return found if isinstance(found, str) and re.fullmatch(r"[\w.-]{1,32}", found, re.ASCII) else ""
