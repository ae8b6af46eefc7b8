"""What may be run on real tensors for a file whose graph asks for values?

Kernels trust their arguments: not all check that an index is in range, and the arguments decide how long a call takes.
So only operators that check their arguments are listed, and each call is charged to a budget before it is made: the
bytes that it returns, and the multiplications of products, convolutions and windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, prod
from typing import Any

import torch
from torch import Tensor

from profiler import errors
from profiler.engine.meta.operators import each_tensor
from profiler.records.files.limits import MULTIPLICATIONS, REAL_BYTES, Budget

_MOST_SCALE = 1000  # by which an image is made larger or smaller
_PRODUCTS = {"addmm", "baddbmm", "bmm", "linear", "matmul", "mm", "mv", "dot", "addmv", "addbmm"}
_CONVOLUTIONS = {
    "conv1d",
    "conv2d",
    "conv3d",
    "convolution",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
}
_WINDOWS = {
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool2d_with_indices", "max_pool3d",
}  # fmt: skip
_RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
_RESAMPLED = {"upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_bilinear2d",
              "upsample_linear1d", "upsample_bicubic2d", "upsample_trilinear3d"}  # fmt: skip
_OTHERS = {
    # views and copies
    "alias", "cat", "chunk", "clone", "constant_pad_nd", "contiguous", "detach", "expand", "expand_as", "flatten",
    "flip", "lift_fresh_copy", "movedim", "narrow", "numpy_T", "pad", "permute", "repeat", "reshape", "roll",
    "select", "slice",
    "split", "split_with_sizes", "squeeze", "stack", "t", "tile", "to", "transpose", "type_as", "unbind", "unflatten",
    "unsqueeze", "view", "view_as", "_to_copy", "_unsafe_view", "copy", "copy_",
    # makers
    "arange", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones", "ones_like", "rand", "rand_like",
    "randn", "randn_like", "scalar_tensor", "zeros", "zeros_like", "new_zeros", "new_ones", "new_full", "new_empty",
    # element by element, where the operator has no tag that says so
    "dropout", "feature_dropout", "relu_", "relu6", "selu", "softplus", "prelu", "_prelu_kernel", "glu", "celu",
    "masked_fill", "where", "isin", "bucketize", "searchsorted",
    # reductions, norms and softmax
    "all", "amax", "amin", "any", "argmax", "argmin", "batch_norm", "cumprod", "cumsum", "group_norm", "instance_norm",
    "layer_norm", "linalg_vector_norm", "log_softmax", "logsumexp", "max", "mean", "min", "native_batch_norm",
    "native_group_norm", "native_layer_norm", "norm", "prod", "rms_norm", "softmax", "std", "std_mean", "sum", "var",
    "var_mean", "_softmax", "_log_softmax", "_safe_softmax", "_native_batch_norm_legit_no_training",
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "scaled_dot_product_attention", "tril", "triu", "diagonal", "cosine_similarity",
    # look-ups, which check each index, and what depends on values
    "argsort", "embedding", "gather", "index", "index_put", "index_select", "item", "masked_select", "nonzero",
    "scatter", "scatter_add", "sort", "take_along_dim", "topk", "_local_scalar_dense",
}  # fmt: skip
_NAMES = _OTHERS | _PRODUCTS | _CONVOLUTIONS | _WINDOWS | _RECURRENT | _RESAMPLED


def check(operator: Any, args: Sequence[Any], named: Mapping[str, Any], cost: Budget) -> None:
    """Raise `errors.ProfileError` or `FileTooCostly` where a call is not to be made on real tensors."""
    name = operator._schema.name.partition("::")[2]
    if name not in _NAMES and torch.Tag.pointwise not in operator.tags:
        reason = f"its values are needed, and {operator} is not run on the numbers of a file; profile the model itself"
        raise errors.unreadable_model_file(cost.path, reason)
    if name in _RESAMPLED and not all(map(_is_scale, _floats([*args, *named.values()]))):
        raise errors.unreadable_model_file(cost.path, f"{operator} is given a scale that is none")
    result = _on_meta(operator, args, named)
    cost.charge(REAL_BYTES, sum(tensor.numel() * tensor.element_size() for tensor in result))
    cost.charge(MULTIPLICATIONS, _multiplications(name, list(each_tensor(args)), result, args))


def _floats(values: Sequence[Any]) -> list[float]:
    flat = [item for value in values for item in (value if isinstance(value, (list, tuple)) else [value])]
    return [value for value in flat if isinstance(value, float)]


def _is_scale(value: float) -> bool:
    return isfinite(value) and 1 / _MOST_SCALE <= value <= _MOST_SCALE


def _on_meta(operator: Any, args: Sequence[Any], named: Mapping[str, Any]) -> list[Tensor]:
    """The result of a call on the meta device; where its shape depends on values, the largest that it may have."""
    try:
        result = operator(
            *map(_without_values, args), **{name: _without_values(value) for name, value in named.items()}
        )
    except (NotImplementedError, RuntimeError):
        inputs = list(each_tensor([*args, *named.values()]))
        return [tensor.new_empty((tensor.numel(), max(tensor.dim(), 1)), device="meta") for tensor in inputs]
    return list(each_tensor(result))


def _without_values(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
    if isinstance(value, torch.device):
        return torch.device("meta")
    return [_without_values(item) for item in value] if isinstance(value, (list, tuple)) else value


def _multiplications(name: str, tensors: list[Tensor], result: list[Tensor], args: Sequence[Any]) -> int:
    """An upper bound of the multiplications that a call does."""
    elements = sum(tensor.numel() for tensor in result)
    if name in _PRODUCTS:
        return elements * max((tensor.shape[-1] for tensor in tensors if tensor.dim()), default=1)
    if name in _CONVOLUTIONS:
        weights = tensors[1].numel() // max(tensors[1].shape[0], 1)
        return max(elements, tensors[0].numel()) * max(weights, tensors[1].numel() // max(tensors[1].shape[1], 1))
    if name in _WINDOWS:
        kernel = next((value for value in args[1:] if isinstance(value, (int, list, tuple))), 1)
        per_axis = [kernel] if isinstance(kernel, int) else list(kernel)
        return elements * (prod(per_axis) if len(per_axis) > 1 else per_axis[0] ** max(tensors[0].dim() - 2, 1))
    if name in _RECURRENT:
        steps = prod(tensors[0].shape[:-1])
        return int(steps * sum(tensor.numel() for tensor in tensors[1:]))
    if name == "scaled_dot_product_attention":
        return 2 * tensors[0].numel() * tensors[1].shape[-2]
    return 0
