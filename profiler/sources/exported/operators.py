"""Which operators is a file allowed to have run, on tensors without values?

Those of torch's own libraries whose schema takes and returns tensors and plain values. None that prints, opens files,
or resizes or inspects memory, and of the private ones only those that exporters write. Any other operator of a graph is
unknown, with the shapes that the file records for it, and is never called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from profiler.records.files.reading import quoted

_LIBRARIES = {"aten", "prims", "torchvision"}
_PRIVATE = {
    "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "_cdist_forward", "_conj", "_conj_physical", "_convolution",
    "_ctc_loss", "_embedding_bag", "_euclidean_dist", "_fft_c2c", "_fft_c2r", "_fft_r2c",
    "_fused_rms_norm", "_grouped_mm", "_int_mm", "_linalg_det", "_linalg_eigh", "_linalg_slogdet", "_linalg_solve_ex",
    "_linalg_svd", "_local_scalar_dense", "_log_softmax", "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training", "_native_multi_head_attention", "_neg_view", "_pdist_forward",
    "_prelu_kernel", "_reshape_alias", "_safe_softmax", "_scaled_dot_product_attention_math",
    "_scaled_dot_product_cudnn_attention", "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_flash_attention", "_scaled_dot_product_flash_attention_for_cpu", "_scaled_mm",
    "_shape_as_tensor", "_softmax", "_thnn_fused_gru_cell", "_thnn_fused_lstm_cell", "_to_copy", "_trilinear",
    "_unsafe_index", "_unsafe_index_put", "_unsafe_view", "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa",
    "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "_weight_int4pack_mm",
    "_weight_int8pack_mm", "_weight_norm",
}  # fmt: skip
# They depend on more than the values of tensors, or may take more steps than their arguments have elements.
_EXCLUDED = {
    "block_diag", "cartesian_prod", "chain_matmul", "combinations", "data", "from_file", "linalg_multi_dot",
    "pin_memory", "record_stream", "rename", "rename_", "requires_grad_", "resize", "resize_", "resize_as_", "set_",
    "set_data", "trace_backward",
}  # fmt: skip
_NUMBERS = {"_local_scalar_dense", "item"}  # what they return is no tensor
# The types of arguments. A file cannot contain a generator, so none is ever passed.
_PLAIN = {"int", "bool", "float", "str", "number", "Tensor", "Device", "Generator"}

# Checks and assumptions of compilers about sizes; nothing is computed.
_CHECKS = {
    "_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range", "_functional_assert_async",
    "sym_constrain_range_for_size", "_functional_sym_constrain_range", "_functional_sym_constrain_range_for_size",
    "_functional_assert_scalar",
}  # fmt: skip


# Their meta kernels read past the end of shapes, or of lists of weights.
_EXCLUDED_OVERLOADS = {
    "mm.dtype", "bmm.dtype", "addmm.dtype", "baddbmm.dtype", "lstm.data", "gru.data", "rnn_tanh.data", "rnn_relu.data",
}  # fmt: skip


def is_check(target: str) -> bool:
    match = re.fullmatch(r"torch\.ops\.aten\.(\w+)\.\w+", target)
    return match is not None and match[1] in _CHECKS


def resolve(target: str) -> Any:
    """The operator of that name that may be called; None for any other."""
    match = re.fullmatch(r"torch\.ops\.(\w{1,80})\.(\w{1,80})\.(\w{1,80})", target)
    if match is None or match[1] not in _LIBRARIES:
        return None
    packet = getattr(getattr(torch.ops, match[1]), match[2], None)
    operator = getattr(packet, match[3], None)
    return operator if isinstance(operator, torch._ops.OpOverload) and _is_plain(operator, match[2]) else None


def _is_plain(operator: Any, name: str) -> bool:
    if f"{name}.{operator._overloadname}" in _EXCLUDED_OVERLOADS:
        return False
    if name in _EXCLUDED or "backward" in name or (name.startswith("_") and name not in _PRIVATE):
        return False
    schema = operator._schema
    written = [at for at, argument in enumerate(schema.arguments) if _is_written(argument)]
    if written not in ([], [0]) or not all(_words(str(argument.type)) <= _PLAIN for argument in schema.arguments):
        return False
    returned = [str(result.type) for result in schema.returns]
    return name in _NUMBERS or (bool(returned) and all(kind in ("Tensor", "List[Tensor]") for kind in returned))


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def _words(schema_type: str) -> set[str]:
    """The types in a schema's type: `Optional[List[int]]` consists of int."""
    return set(re.findall(r"\w+", schema_type)) - {"Optional", "List"}


def is_factory(operator: Any) -> bool:
    """Whether it creates tensors on the device of an argument."""
    return any(argument.name == "device" for argument in operator._schema.arguments)


# Arguments of a call ------------------------------------------------------------------------------------------------

_REPEATED, _MOST_TIMES = {"aten::diff", "aten::matrix_power", "aten::linalg_matrix_power"}, 1000
_ENUMERATIONS: Mapping[str, type] = {
    "ScalarType": torch.dtype,
    "MemoryFormat": torch.memory_format,
    "Layout": torch.layout,
}


def check_call(operator: Any, args: Sequence[Any], named: Mapping[str, Any], expected: int) -> None:
    """Raise `ValueError` for arguments that the schema allows and the kernel does not check.

    expected: the number of results that the graph has names for.
    """
    arguments = operator._schema.arguments
    by_name = {argument.name: value for argument, value in zip(arguments, args, strict=False)} | dict(named)
    for argument in arguments:
        kind = _ENUMERATIONS.get(str(argument.real_type).removeprefix("Optional[").removesuffix("]"))
        value = by_name.get(argument.name)
        if kind is not None and value is not None and not isinstance(value, kind):
            raise ValueError(f"{operator} is given {quoted(value)} for its {argument.name}")
    times = by_name.get("n")
    if operator._schema.name in _REPEATED and type(times) is int and abs(times) > _MOST_TIMES:
        raise ValueError(f"{operator} is asked to go over its tensor {times:,} times")
    _check_pieces(operator, by_name, expected)


# Operators that take a tensor apart -----------------------------------------------------------------------------------

_MOST_DIMENSIONS = 64
_ONE_FOR_EACH_INPUT = {"atleast_1d", "atleast_2d", "atleast_3d", "broadcast_tensors", "meshgrid"}


def _check_pieces(operator: Any, by_name: Mapping[str, Any], expected: int) -> None:
    """Raise where there are more results than the graph has names for: up to one view for each element."""
    if all(str(result.type) != "List[Tensor]" for result in operator._schema.returns):
        return
    name = operator._schema.name.partition("::")[2]
    pieces = _pieces(name, by_name)
    if pieces > max(expected, 1):
        raise ValueError(f"{name} gives {pieces:,} tensors, and the graph has names for {expected:,}")


def _pieces(name: str, by_name: Mapping[str, Any]) -> int:
    tensor, dim = by_name.get("self"), by_name.get("dim", 0)
    sizes = by_name.get(
        "split_size", by_name.get("split_sizes", by_name.get("indices", by_name.get("indices_or_sections")))
    )
    if name in _ONE_FOR_EACH_INPUT:
        tensors = by_name.get("tensors", ())
        if len(tensors) > _MOST_DIMENSIONS:
            raise ValueError(f"{name} takes {len(tensors):,} tensors, and {_MOST_DIMENSIONS} are the most")
        return len(tensors)
    if isinstance(sizes, (list, tuple)):
        return len(sizes) + ("indices" in by_name)
    if name in ("split", "unsafe_split", "split_copy"):
        return -(-_length(tensor, dim) // max(int(sizes or 1), 1))
    if name in ("unbind", "unbind_copy"):
        return _length(tensor, dim)
    if name in ("chunk", "unsafe_chunk"):
        return min(int(by_name["chunks"]), _length(tensor, dim))
    if name in ("tensor_split", "hsplit", "vsplit", "dsplit"):
        return int(by_name["sections"])
    raise ValueError(f"{name} gives a list of tensors, of which it is not known how many")


def _length(tensor: Any, dim: Any) -> int:
    if not isinstance(tensor, torch.Tensor):
        raise ValueError("what is no tensor is taken apart")
    return tensor.shape[dim] if tensor.shape else 1
