"""How are ONNX's types and constants read, as `Tensor`s and numpy arrays? Dtypes are named as torch names them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from onnx import SparseTensorProto, TensorProto, TypeProto, helper, numpy_helper

from profiler.records.trace import Tensor

DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.UINT8: "uint8",
    TensorProto.INT8: "int8",
    TensorProto.UINT16: "uint16",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
    TensorProto.COMPLEX64: "complex64",
    TensorProto.COMPLEX128: "complex128",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.FLOAT8E4M3FN: "float8_e4m3fn",
    TensorProto.FLOAT8E4M3FNUZ: "float8_e4m3fnuz",
    TensorProto.FLOAT8E5M2: "float8_e5m2",
    TensorProto.FLOAT8E5M2FNUZ: "float8_e5m2fnuz",
    TensorProto.UINT4: "uint4",
    TensorProto.INT4: "int4",
}
# Dtypes that older versions of ONNX do not have.
_NEWER = {
    "FLOAT8E8M0": "float8_e8m0fnu", "FLOAT4E2M1": "float4_e2m1fn_x2", "UINT2": "uint2", "INT2": "int2",
}  # fmt: skip
DTYPES.update({number: _NEWER[name] for name, number in TensorProto.DataType.items() if name in _NEWER})
# Bits of an element, of dtypes that pack several in a byte.
BITS: Mapping[str, int] = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "float4_e2m1fn_x2": 4}
NUMBERS: Mapping[str, int] = {name: number for number, name in DTYPES.items()}
_SMALL = 1024  # elements of a constant that shapes may be computed from
_FEW = 16  # numbers: a scale for each of so many dimensions


def tensor_of(kind: TypeProto | None) -> Tensor | None:
    """A type as a tensor; None where the dtype or a dimension is not known."""
    if kind is None or not kind.HasField("tensor_type"):
        return None
    tensor_type = kind.tensor_type
    if tensor_type.elem_type not in DTYPES or not tensor_type.HasField("shape"):
        return None
    if any(not dim.HasField("dim_value") or dim.dim_value < 0 for dim in tensor_type.shape.dim):
        return None
    return Tensor(tuple(int(dim.dim_value) for dim in tensor_type.shape.dim), DTYPES[tensor_type.elem_type])


def type_of(tensor: Tensor) -> TypeProto:
    return helper.make_tensor_type_proto(NUMBERS[tensor.dtype], list(tensor.shape))


def stored(initializer: TensorProto) -> Tensor | None:
    """The shape and dtype of an initialiser; None for strings."""
    dtype = DTYPES.get(initializer.data_type)
    return None if dtype is None else Tensor(tuple(map(int, initializer.dims)), dtype)


def constant_of(initializer: TensorProto) -> Any:
    """The values of a small initialiser that shapes may depend on; None for weights, and for data in another file.

    A weight's values are never looked at: floating-point ones are constants where they hold a single element.
    """
    if initializer.data_location == TensorProto.EXTERNAL or initializer.data_type not in DTYPES:
        return None
    count, dtype = prod(initializer.dims), DTYPES[initializer.data_type]
    if count > (_SMALL if dtype in ("int64", "int32", "bool") else 1):
        return None
    return numpy_helper.to_array(initializer)


def small_floats(initializer: TensorProto) -> TensorProto | None:
    """An initialiser with so few numbers that they may be scales of axes; None for others, and for external data."""
    is_here = initializer.data_location != TensorProto.EXTERNAL and initializer.data_type in DTYPES
    return initializer if is_here and prod(initializer.dims) <= _FEW else None


def dense(sparse: SparseTensorProto) -> TensorProto:
    """The dense tensor that a sparse one stands for, without values."""
    values = sparse.values
    return TensorProto(
        name=values.name, dims=sparse.dims, data_type=values.data_type, data_location=TensorProto.EXTERNAL
    )


def size_of(sparse: SparseTensorProto) -> int:
    """The bytes of a sparse tensor: its values and their indices."""
    tensors = [tensor for part in (sparse.values, sparse.indices) if (tensor := stored(part)) is not None]
    return sum(tensor.size_bytes for tensor in tensors)


def is_small(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.numel <= _SMALL
