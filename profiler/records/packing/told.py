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


UNSTATED = Grouping()


@dataclass(frozen=True, slots=True)
class Told:
    """method: which tool's layout it is. modules: what is told of layers by their paths, which differs from `all`."""

    method: str = ""
    all: Grouping = UNSTATED
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
    modules = {str(name): grouping for name, entry in inside.items() if (grouping := _grouping(entry)) != UNSTATED}
    groups = list(_config_groups(inside))
    everything = groups[0] if len(set(groups)) == 1 else UNSTATED if groups else _grouping(inside)
    return Told(method.lower(), everything, modules, metadata)


def _sections(data: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The innermost dicts that are about quantisation."""
    if not isinstance(data, dict) or depth > 3:
        return
    for name in _INSIDE:
        if isinstance(data.get(name), dict):
            yield from _sections(data[name], depth + 1)
    if depth or _grouping(data) != UNSTATED or "quant_method" in data:
        yield data


def _config_groups(inside: Mapping[str, Any]) -> Iterator[Grouping]:
    """compressed-tensors has a group of layers of each kind, with the settings of their weights."""
    groups = inside.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict):
            yield _grouping(weights)


def _grouping(data: Any) -> Grouping:
    if not isinstance(data, dict):
        return UNSTATED
    bits = 4 if data.get("load_in_4bit") is True else _number(data, _BITS)
    return Grouping(bits, _number(data, _GROUP))


def _number(data: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """A whole number of a size that may be; -1 stands for a whole row in some tools."""
    number: int | None = next((data[name] for name in names if type(data.get(name)) is int), None)
    return None if number is None or not -1 <= number <= _LARGEST else max(number, 0)


def _text(data: Mapping[str, Any], name: str) -> str:
    text = data.get(name)
    return text if isinstance(text, str) and re.fullmatch(r"[\w.-]{1,32}", text, re.ASCII) else ""
