"""What stands for the tensors that torch's pickles would rebuild? Inert records: nothing is called.

The names are those that `torch.load(weights_only=True)` allows: torch/_weights_only_unpickler.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from profiler.errors import Malformed
from profiler.records.files.reading import quoted

_SMALL = 1 << 60  # whole numbers below are their own hashes
_MOST_DIMENSIONS = 64
SHORT = 64  # bytes of a text that may be copied; a pickle may refer to a longer one often, so none is copied


class StorageRef(NamedTuple):
    """A storage that a pickle refers to: its key in the file, its dtype, and how many elements it claims to have."""

    key: str
    dtype: str
    numel: int


class TensorRef(NamedTuple):
    """A tensor that a pickle describes; `offset` and `strides` in elements. `is_buffer` is None outside a module."""

    storage: StorageRef | None
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    is_buffer: bool | None = None


class TorchName(NamedTuple):
    """A name that torch's own pickles use."""

    name: str


class Inert(NamedTuple):
    """A value that no count depends on: a device, a layout, a complex number."""

    name: str


Args: TypeAlias = tuple[Any, ...]
Maker: TypeAlias = Callable[[Args], Any]

# What each name builds ------------------------------------------------------------------------------------------------

_STORAGES: Mapping[str, str] = {
    "Byte": "uint8", "Char": "int8", "Short": "int16", "Int": "int32", "Long": "int64", "Half": "float16",
    "Float": "float32", "Double": "float64", "BFloat16": "bfloat16", "Bool": "bool", "ComplexFloat": "complex64",
    "ComplexDouble": "complex128", "QInt8": "qint8", "QUInt8": "quint8", "QInt32": "qint32", "QUInt4x2": "quint4x2",
    "QUInt2x4": "quint2x4",
}  # fmt: skip
STORAGE_DTYPES: Mapping[str, str] = {
    **{f"torch.{kind}Storage": dtype for kind, dtype in _STORAGES.items()},
    "torch.storage.UntypedStorage": "uint8",
    "torch.storage.TypedStorage": "uint8",
}
_DTYPENAMES = (
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "bfloat16", "float32",
    "float64", "complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
    "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "qint8", "quint8", "qint32", "quint4x2", "quint2x4",
    "bits8", "bits16", "bits1x8", "bits2x4", "bits4x2",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)),
)  # fmt: skip
_DTYPES: Mapping[str, str] = {f"torch.{name}": name for name in _DTYPENAMES}
_QUANTISERS = (
    "tensor_affine",
    "tensor_symmetric",
    "channel_affine",
    "channel_symmetric",
    "channel_affine_float_qparams",
)


def _dtype(value: Any) -> str:
    if not isinstance(value, TorchName) or value.name not in _DTYPES:
        raise Malformed(f"a tensor's dtype is {quoted(value)}")
    return _DTYPES[value.name]


def _sizes(value: Any) -> tuple[int, ...]:
    is_list = isinstance(value, (tuple, list)) and len(value) <= _MOST_DIMENSIONS
    if not is_list or not all(type(size) is int and size >= 0 for size in value):
        raise Malformed("a tensor's shape or strides are not whole numbers from 0 on")
    return tuple(value)


def _tensor(args: Args) -> TensorRef:
    storage, offset, size, stride, *_ = args
    if not isinstance(storage, StorageRef) or type(offset) is not int or offset < 0:
        raise Malformed("a tensor has no storage, or no place in it")
    shape, strides = _sizes(size), _sizes(stride)
    if len(shape) != len(strides):
        raise Malformed("a tensor has more sizes than strides, or fewer")
    return TensorRef(storage, storage.dtype, offset, shape, strides)


def _tensor_of_dtype(args: Args) -> TensorRef:
    return _tensor(args)._replace(dtype=_dtype(args[6]))


def _without_storage(args: Args) -> TensorRef:
    dtype, size, stride, *_ = args
    return TensorRef(None, _dtype(dtype), 0, _sizes(size), _sizes(stride))


def _same(args: Args) -> Any:
    """The tensor that a wrapper holds: a parameter, a tensor on another device."""
    if not isinstance(args[0], TensorRef):
        raise Malformed("a parameter holds no tensor")
    return args[0]


def _sparse(args: Args) -> dict[str, Any]:
    """The tensors that a sparse one consists of: its indices and its values."""
    _, parts, *_ = args
    tensors = [item for item in parts[:4] if isinstance(item, TensorRef)]
    names = ("indices", "values") if len(tensors) == 2 else ("crow_indices", "col_indices", "values")
    return dict(zip(names, tensors, strict=False))


def _from_type(args: Args) -> Any:
    """A subclass of Tensor, or a tensor with attributes: its data is rebuilt by another of these functions."""
    function, kind, arguments, *_ = args
    if not isinstance(function, TorchName) or not isinstance(arguments, tuple) or kind not in _TENSOR_TYPES:
        raise Malformed("it rebuilds a tensor in a way that is not known")
    return rebuilt(function, arguments)


def _pairs(args: Args) -> dict[Any, Any]:
    """A dict, or one built from a list of pairs, which is emptied: a pickle that refers to it often gets one copy."""
    if not args or isinstance(args[0], dict):
        return args[0] if args else {}
    pairs = {checked(key): value for key, value in args[0]}
    args[0].clear()
    return pairs


def _size(args: Args) -> tuple[int, ...]:
    return _sizes(args[0]) if args else ()


def _encoded(args: Args) -> bytes | Inert:
    text = args[0]
    return text.encode("latin-1", "replace") if type(text) is str and len(text) <= SHORT else Inert("bytes")


def _inert(name: str) -> Maker:
    return lambda args: Inert(name)


_TENSOR_TYPES = (TorchName("torch.Tensor"), TorchName("torch.nn.parameter.Parameter"))
_MAKERS: Mapping[str, Maker] = {
    "collections.OrderedDict": _pairs,
    "collections.Counter": _pairs,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_qtensor": _tensor,
    "torch._utils._rebuild_meta_tensor_no_storage": _without_storage,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_parameter": _same,
    "torch._utils._rebuild_parameter_with_state": _same,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _same,
    "torch.nn.parameter.Parameter": _same,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "_codecs.encode": _encoded,
    **{name: _inert(name) for name in (
        "torch.device", "torch.serialization._get_layout", "builtins.bytearray", "builtins.set", "builtins.complex",
    )},
}  # fmt: skip
NAMES = frozenset((*_MAKERS, *STORAGE_DTYPES, *_DTYPES, *(f"torch.per_{name}" for name in _QUANTISERS), "torch.Tensor"))


def rebuilt(function: Any, args: Any) -> Any:
    """The value that one of torch's functions would return; only functions of this file are called."""
    if not isinstance(function, TorchName) or function.name not in _MAKERS or type(args) is not tuple:
        raise Malformed(f"its pickle calls {quoted(getattr(function, 'name', function))}, which makes no tensor")
    try:
        return _MAKERS[function.name](args)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise Malformed(f"its pickle gives {function.name} what it does not take") from None


def checked(key: Any) -> Any:
    """A dict's key: a text, a small whole number (their hashes are cheap), or a flat tuple of those; raises else."""
    if type(key) in (str, bytes, bool, type(None), float) or (type(key) is int and abs(key) < _SMALL):
        return key
    if type(key) is tuple and len(key) <= 8 and not any(isinstance(item, tuple) for item in key):
        return tuple(map(checked, key))
    if isinstance(key, (TorchName, Inert)):
        return key.name
    raise Malformed("its pickle has a dict whose keys are neither texts nor numbers")
