"""Which kernels does torch take on a CPU? Some tools do not see into them.

Conditions as in torch 2.14: aten/src/ATen/native/transformers/sdp_utils_cpp.h for fused attention,
torch/nn/modules/activation.py and transformer.py for the fast paths.

A trace does not hold what a model switches while it runs: gradients, train mode, `sdpa_kernel`; nor the user's hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping

from profiler.counters.convention import Charge
from profiler.counters.replay.events import LayerCall, Operator, module_calls, operators, packet, recorded_calls
from profiler.counters.replay.rules import (
    CELLS,
    CONVOLUTIONS,
    Rule,
    addmm,
    are_vectors,
    attention,
    cell,
    families,
    inner,
    is_by_vector,
    linear,
    mm,
    real_convolutions,
    recurrent,
    tensor,
    unless,
    where,
    why_real,
)
from profiler.records.trace import Tensor, Trace, Value, tensors

_ATTENTION = "torch.nn.modules.activation.MultiheadAttention"
_ENCODER_LAYER = "torch.nn.modules.transformer.TransformerEncoderLayer"


def attention_is_fused(op: Operator) -> bool:
    """Whether `scaled_dot_product_attention` runs as one kernel, and not as products and a softmax.

    `learned_masks` has what is not fused because of its mask's gradient.
    """
    query, key, value, mask = tensor(op, 0), tensor(op, 1), tensor(op, 2), op.arg(3, "attn_mask")
    if any(t.ndim not in (3, 4) or t.dtype != query.dtype or 0 in t.shape for t in (query, key, value)):
        return False
    if op.arg(4, "dropout_p", 0.0) or any(t.strides and t.strides[-1] != 1 for t in (query, key, value)):
        return False
    if any((t.shape[:-3], t.shape[-1]) != (query.shape[:-3], query.shape[-1]) for t in (key, value)):
        return False
    heads, shared = query.shape[-3], key.shape[-3]
    if shared != value.shape[-3] or (shared not in (1, heads) and not op.arg(7, "enable_gqa")):
        return False
    return mask is None or mask.ndim in (2, 4) or query.ndim == 3


def products(trace: Trace, rules: Mapping[str, Rule[Operator]], gradients: bool) -> Iterator[Charge]:
    """The charges of a dispatch mode with these rules for operators. gradients: whether they are enabled."""
    learned = learned_masks(trace, gradients)
    for op in recorded_calls(trace):
        if op.calls.start in learned:
            yield Charge(attention(op), op.module, op.calls, "attention")
        elif op.name in rules:
            yield rules[op.name].charge(op)


def learned_masks(trace: Trace, gradients: bool) -> set[int]:
    """The calls of attention whose mask wants a gradient, which the kernel does not give.

    A trainable parameter, or a view of one, wants it even where gradients are disabled; what is computed of one does
    where they are enabled.
    """
    trainable = {weight.storage for weight in trace.parameters if weight.trainable}
    reads = _learned_reads(trace) if gradients else (trainable.intersection(call.reads) for call in trace.calls)
    return {
        position
        for position, learned in enumerate(reads)
        if learned.intersection(trace.calls[position].reads[3:4]) and _is_attention(trace, position)
    }


def _is_attention(trace: Trace, position: int) -> bool:
    signature = trace.signatures[trace.calls[position].signature]
    return packet(signature.op) == "aten.scaled_dot_product_attention"


def _learned_reads(trace: Trace) -> Iterator[set[int]]:
    """Of what each call reads, the storages whose values depend on a trainable parameter."""
    learned = {weight.storage for weight in trace.parameters if weight.trainable}
    for call in trace.calls:
        parameters = learned.intersection(call.reads)
        yield parameters
        if parameters and any(output.is_float for output in tensors(trace.signatures[call.signature].output)):
            learned.update(call.writes)


def lstm_is_fused(op: Operator) -> bool:
    """oneDNN runs an LSTM without projections, on sequences that are equally long, in another dtype than float64."""
    is_packed = op.signature.op.endswith(".data")
    states = {state.shape for state in tensors(op.args[2 if is_packed else 1])}
    return len(states) == 1 and tensor(op, 0).dtype != "float64" and (not is_packed or _are_equally_long(op))


def _are_equally_long(op: Operator) -> bool:
    """Whether a packed batch has as many rows as if each sequence had as many steps as the longest."""
    state = next(tensors(op.args[2]))
    return tensor(op, 0).shape[0] == tensor(op, 1).shape[0] * state.shape[1]


FAST = "runs as one kernel, the fast path, which it has no formula for"


def no_hooks(row: int) -> bool:
    return False


def all_hooked(row: int) -> bool:
    return True


def fast_path_calls(trace: Trace, gradients: bool = False, hooked: Callable[[int], bool] = no_hooks) -> set[int]:
    """The operator calls inside layers that take their fast path, one kernel, when nothing in them wants a gradient.

    gradients: whether they are enabled. hooked: which rows the tool puts hooks on; an encoder layer with hooks, or with
    hooks on what is inside, does not take its path, and attention does.
    """
    packed, layers = _packed_projections(trace), _encoder_layers(trace)
    learned = [gradients and bool(parameters) for parameters in _learned_reads(trace)]
    calls: set[int] = set()
    for layer in module_calls(trace):
        is_fast = layer.kind == _ATTENTION and _is_fast_attention(layer, packed)
        is_layer = layer.kind == _ENCODER_LAYER and layer.module in layers and not hooked(layer.module)
        if (is_fast or (is_layer and len(layer.x.shape) == 3)) and not any(learned[call] for call in layer.calls):
            calls.update(layer.calls)
    return calls


def unless_fast(charges: Iterable[Charge], fast: Container[int]) -> Iterator[Charge]:
    """Charges, without an amount where the calls are one kernel."""
    for charge in charges:
        is_fast = bool(charge.calls) and charge.calls.start in fast
        yield charge._replace(amount=0, why=FAST) if is_fast else charge


def _packed_projections(trace: Trace) -> set[int]:
    """The calls of `nn.MultiheadAttention`'s one projection of query, key and value that are the same tensor."""
    calls: set[int] = set()
    for op in operators(trace):
        if op.name == "aten.linear" and "_in_projection_packed" in op.caller.functions:
            calls.update(op.calls)
    return calls


def _is_fast_attention(layer: LayerCall, packed: set[int]) -> bool:
    return (
        _can_be_fast(layer.settings, layer.weights)
        and len(layer.x.shape) == 3
        and len(packed.intersection(layer.calls)) == 1
        and not any(isinstance(mask, Tensor) and mask.is_float for mask in _masks(layer))
    )


def _masks(layer: LayerCall) -> Iterator[Value]:
    """key_padding_mask, need_weights, attn_mask may follow query, key and value."""
    yield from layer.inputs[3:]
    yield from (value for name, value in layer.named.items() if name not in ("query", "key", "value"))


def _can_be_fast(settings: Mapping[str, Value], weights: Container[str]) -> bool:
    heads = settings.get("num_heads")
    return (
        bool(settings.get("batch_first"))
        and isinstance(heads, int)
        and heads % 2 == 0
        and not settings.get("add_zero_attn")
        and all(name in weights for name in ("in_proj_weight", "in_proj_bias"))
        and not any(name in weights for name in ("bias_k", "bias_v"))
    )


def _encoder_layers(trace: Trace) -> set[int]:
    """The rows of encoder layers whose make allows the fast path."""
    rows = {module.path: row for row, module in enumerate(trace.modules)}
    names: dict[int, set[str]] = {}
    for weight in trace.parameters:
        names.setdefault(weight.module, set()).add(weight.name)
    rows_of_layers = set()
    for row, module in enumerate(trace.modules):
        if module.classes[0] != _ENCODER_LAYER:
            continue
        prefix = f"{module.path}." if module.path else ""
        parts = [rows[f"{prefix}{name}"] for name in ("self_attn", "norm1", "norm2")]
        attention, norm1, norm2 = (dict(trace.modules[part].attributes) for part in parts)
        if (
            _can_be_fast(attention, names.get(parts[0], ()))
            and dict(module.attributes).get("activation_relu_or_gelu")
            and norm1.get("eps") == norm2.get("eps")
        ):
            rows_of_layers.add(row)
    return rows_of_layers


_FUSED = "runs as one kernel, which it has no formula for"

# What a dispatch mode with formulas for matrix products and convolutions sees when composites are taken apart.
PRODUCTS = families(
    ("convolution", CONVOLUTIONS, real_convolutions, why_real),
    ("linear", ("linear",), unless(is_by_vector, linear), where(is_by_vector, "by a vector, not counted")),
    ("linear", ("addmm",), addmm, ""),
    ("matrix product", ("mm", "bmm"), mm, ""),
    ("matrix product", ("inner",), inner, where(are_vectors, "of two vectors, not counted")),
    (
        "attention",
        ("scaled_dot_product_attention",),
        unless(attention_is_fused, attention),
        where(attention_is_fused, _FUSED),
    ),
    ("recurrent cell", CELLS, cell, ""),
    ("recurrent", ("gru", "rnn_tanh", "rnn_relu"), recurrent, ""),
    ("recurrent", ("lstm",), unless(lstm_is_fused, recurrent), where(lstm_is_fused, _FUSED)),
)
