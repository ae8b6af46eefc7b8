"""Our MACs against those that torch's FlopCounterMode counts on the same model, and why they differ where they do.

torch's counter has formulas for matrix products, convolutions and the attention kernels of GPUs. On a CPU it counts
nothing for the fused attention, for oneDNN's LSTM and for products with a vector; sparse factors are dense to it, and
its formula for the gradient of a convolution's weights takes no notice of groups (`torch/utils/flop_counter.py`). Each
of these kinds is an amount that can be read off the two lists of operators; a difference is explained when some of
these amounts add up to it exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, combinations
from typing import Any

from tests.benchmarks.foreign.outcome import Outcome

_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "_scaled_mm")
# What torch's counter leaves out, by the operators that we count it under.
_LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "products with a vector": ("mv", "addmv", "dot", "vdot", "addr", "ger", "outer"),
    "products of three factors": ("_trilinear", "bilinear"),
    "recurrent kernels": ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell"),
    "distances": ("cdist", "_cdist_forward", "_euclidean_dist"),
    "linear algebra": ("cholesky", "linalg_", "lu_", "triangular_solve", "_linalg_", "geqrf", "ormqr"),
    "sparse products": ("_sparse_mm", "_sparse_addmm", "_sparse_sparse_matmul", "_embedding_bag"),
    "quantised products": ("_weight_int8pack_mm", "_weight_int4pack_mm", "_int_mm", "_dyn_quant_matmul_4bit"),
}
COMPLEX = " of complex numbers"  # behind an operator's name: four real products each to us, and one to torch
_ATTENTION = ("_scaled_dot_product", "scaled_dot_product", "_flash_attention", "_efficient_attention", "flex_attention")
# Kernels that do the work of many products, none of which torch's counter sees.
_WHOLE = {
    "mkldnn_rnn_layer": "oneDNN's LSTM",
    "_native_multi_head_attention": "attention as one kernel",
    "_transformer_encoder_layer_fwd": "encoder layers as one kernel",
}


def account(outcome: Outcome, plain: Mapping[str, Any]) -> str | None:
    """Why the two differ, "" where they are equal, and None where nobody knows."""
    difference = (outcome.macs or 0) - plain["torch_macs"]
    if difference == 0:
        return ""
    amounts = _complex(outcome.by_operator) | _amounts(
        _bare(outcome.by_operator), _bare(plain["by_operator"]), plain.get("operators", ())
    )
    for chosen in _subsets(list(amounts.items())):
        if sum(amount for _, amount in chosen) == difference:
            return ", ".join(name for name, _ in chosen)
    return None


def _amounts(ours: Mapping[str, float], theirs: Mapping[str, float], seen: Iterable[str]) -> dict[str, float]:
    """By how much each kind makes our count larger (or smaller)."""
    found = {name: _sum(ours, operators) for name, operators in _LEFT_OUT.items()}
    found["fused attention"] = _sum(ours, _ATTENTION) - _sum(theirs, _ATTENTION)
    backward = ours.get("convolution_backward", 0) - theirs.get("convolution_backward", 0)
    if backward < 0:
        found["groups in the backward pass of a convolution"] = backward
    products = _sum(ours, _PRODUCTS) - _sum(theirs, _PRODUCTS)
    whole = [name for kernel, name in _WHOLE.items() if any(kernel in operator for operator in seen)]
    if products > 0 and whole:
        found[whole[0]] = products
    if products < 0 and any("sparse" in operator for operator in seen):
        found["sparse factors, which torch counts as dense"] = products
    return {name: amount for name, amount in found.items() if amount}


def _complex(ours: Mapping[str, float]) -> dict[str, float]:
    found = sum(macs for operator, macs in ours.items() if operator.endswith(COMPLEX)) * 3 / 4
    return {"complex numbers": found} if found else {}


def _bare(by_operator: Mapping[str, float]) -> dict[str, float]:
    """`aten.mm.default` and `aten.mm` are both `mm`."""
    found: dict[str, float] = {}
    for operator, amount in by_operator.items():
        name = operator.split(".")[1] if "." in operator else operator
        found[name] = found.get(name, 0) + amount
    return found


def _sum(by_operator: Mapping[str, float], names: tuple[str, ...]) -> float:
    """Of the operators of these names; a name that begins or ends with an underscore stands for all that begin so."""
    prefixes = tuple(name for name in names if name.endswith("_") or name.startswith("_") or name in _ATTENTION)
    return sum(macs for name, macs in by_operator.items() if name in names or name.startswith(prefixes))


def _subsets(items: list[tuple[str, float]]) -> Iterable[tuple[tuple[str, float], ...]]:
    return chain.from_iterable(combinations(items, size) for size in range(1, len(items) + 1))
