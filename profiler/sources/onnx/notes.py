"""What is noted under the table of an ONNX file? What its exporter did to the model, and which nodes are unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from onnx import NodeProto

from profiler.records.trace import Tensor

_MOST = 5  # notes of a kind that are printed one by one
_RULE = "pkg.onnxscript.rewriter.rule_name"


def folded(nodes: Sequence[NodeProto], resolved: Callable[[str], str]) -> Iterator[str]:
    """Batch norms folded into convolutions, as far as the file shows it; `resolved` looks through Identity nodes."""
    fused = sum(map(_is_fused, nodes))
    if fused:
        yield (
            f"Part of the convolutions before them, as the file records: {_count(fused, 'batch normalisation')}. "
            "Their scales are in the weights, and what they add is the bias."
        )
    renamed = sum(_is_computed(node, resolved) for node in nodes)
    if renamed:
        yield (
            f"With weights and a bias that the exporter computed: {_count(renamed, 'convolution')} "
            "(onnx::Conv_...). It does so to make batch normalisations part of them."
        )


def stored(computed: Sequence[str], shared: Sequence[str], tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """Parameters that the exporter computed from others, and those that several modules share, by their names."""
    if computed:
        yield f"Among the parameters, computed from others by the exporter: {_sizes(computed, tensors)}."
    if shared:
        yield f"Stored once, used in several places, and counted once: {_sizes(shared, tensors)}."


def unknown(failures: Sequence[str]) -> Iterator[str]:
    """Nodes that are unknown, and why."""
    yield from failures[:_MOST]
    if len(failures) > _MOST:
        yield f"And {_count(len(failures) - _MOST, 'node')} more that are unknown."


def several(rule_notes: Iterable[str]) -> Iterator[str]:
    """Remarks of rules on their counts: the first few, and how many more there are."""
    listed = list(rule_notes)
    yield from listed[:_MOST]
    if len(listed) > _MOST:
        yield f"And the same of {_count(len(listed) - _MOST, 'node')} more."


def _is_fused(node: NodeProto) -> bool:
    """The newer exporter's rewriter says what it did."""
    return any(entry.key == _RULE and "FuseBatchNorm" in entry.value for entry in node.metadata_props)


def _is_computed(node: NodeProto, resolved: Callable[[str], str]) -> bool:
    """The older exporter gives names of its own to the weights that it computes."""
    return node.op_type == "Conv" and len(node.input) == 3 and resolved(node.input[1]).startswith("onnx::Conv_")


def _sizes(names: Sequence[str], tensors: Mapping[str, Tensor]) -> str:
    elements = sum(tensors[name].numel for name in names)
    listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{_count(len(names), 'tensor')} with {elements:,} elements ({listed})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
