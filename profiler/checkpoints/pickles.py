"""Pickles as torch writes them, read by a machine of our own that can make plain values and nothing else.

A pickle is a program for a small stack machine, which may name any function of any module and call it. Here nothing is
imported and nothing is called: the names that torch's tensors are rebuilt by are known, and stand for inert records
(`StorageRef`, `TensorRef`); a pickle that names anything else is refused, with the name. Names known are those that
`torch.load(weights_only=True)` allows, and so are the opcodes, with those of protocol 4 besides.

Every opcode makes a bounded amount of values, keys are texts and small numbers (whose hashes are cheap), and memory is
never asked for before the bytes are there, so a pickle costs no more than in proportion to its length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from profiler.checkpoints.contents import Malformed, quoted
from profiler.checkpoints.reading import Reader

_SMALL = 1 << 60  # whole numbers below are their own hashes
_MOST_DIMENSIONS = 64
_SHORT = 64  # bytes of a text that may be copied: what is long is passed on, for a pickle may name it often
_MARK = object()


class StorageRef(NamedTuple):
    """A storage that a pickle names: its key in the file, and how many elements of which dtype it says it has."""

    key: str
    dtype: str
    numel: int


class TensorRef(NamedTuple):
    """A tensor that a pickle describes; `offset` and `strides` are in elements."""

    storage: StorageRef | None
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Known(NamedTuple):
    """A name that torch's own pickles use."""

    name: str


class Inert(NamedTuple):
    """Something that is no tensor and of no interest: a device, a layout, a complex number."""

    name: str


Args: TypeAlias = tuple[Any, ...]
Maker: TypeAlias = Callable[[Args], Any]

# What names make ------------------------------------------------------------------------------------------------------

_STORAGES: Mapping[str, str] = {
    "Byte": "uint8", "Char": "int8", "Short": "int16", "Int": "int32", "Long": "int64", "Half": "float16",
    "Float": "float32", "Double": "float64", "BFloat16": "bfloat16", "Bool": "bool", "ComplexFloat": "complex64",
    "ComplexDouble": "complex128", "QInt8": "qint8", "QUInt8": "quint8", "QInt32": "qint32", "QUInt4x2": "quint4x2",
    "QUInt2x4": "quint2x4",
}  # fmt: skip
_STORAGE_DTYPES: Mapping[str, str] = {
    **{f"torch.{kind}Storage": dtype for kind, dtype in _STORAGES.items()},
    "torch.storage.UntypedStorage": "uint8",
    "torch.storage.TypedStorage": "uint8",
}
_DTYPE_NAMES = (
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "bfloat16", "float32",
    "float64", "complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
    "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "qint8", "quint8", "qint32", "quint4x2", "quint2x4",
    "bits8", "bits16", "bits1x8", "bits2x4", "bits4x2",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)),
)  # fmt: skip
_DTYPES: Mapping[str, str] = {f"torch.{name}": name for name in _DTYPE_NAMES}
_QUANTISERS = (
    "tensor_affine",
    "tensor_symmetric",
    "channel_affine",
    "channel_symmetric",
    "channel_affine_float_qparams",
)


def _dtype(value: Any) -> str:
    if not isinstance(value, Known) or value.name not in _DTYPES:
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
    """What wraps a tensor: a parameter, another device."""
    if not isinstance(args[0], TensorRef):
        raise Malformed("a parameter holds no tensor")
    return args[0]


def _sparse(args: Args) -> dict[str, Any]:
    """A sparse tensor is what it keeps: indices and values."""
    _, held, *_ = args
    tensors = [item for item in held[:4] if isinstance(item, TensorRef)]
    names = ("indices", "values") if len(tensors) == 2 else ("crow_indices", "col_indices", "values")
    return dict(zip(names, tensors, strict=False))


def _from_type(args: Args) -> Any:
    """A subclass of Tensor, or one with attributes: rebuilt by another of these functions."""
    function, kind, given, *_ = args
    if not isinstance(function, Known) or not isinstance(given, tuple) or kind not in _TENSOR_TYPES:
        raise Malformed("it rebuilds a tensor in a way that is not known")
    return made(function, given)


def _pairs(args: Args) -> dict[Any, Any]:
    """A dict as it is, or a list of pairs, which is used up: what a pickle names often is not copied each time."""
    if not args or isinstance(args[0], dict):
        return args[0] if args else {}
    found = {checked(key): value for key, value in args[0]}
    args[0].clear()
    return found


def _size(args: Args) -> tuple[int, ...]:
    return _sizes(args[0]) if args else ()


def _encoded(args: Args) -> bytes | Inert:
    text = args[0]
    return text.encode("latin-1", "replace") if type(text) is str and len(text) <= _SHORT else Inert("bytes")


def _inert(name: str) -> Maker:
    return lambda args: Inert(name)


_TENSOR_TYPES = (Known("torch.Tensor"), Known("torch.nn.parameter.Parameter"))
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
_NAMES = frozenset(
    (*_MAKERS, *_STORAGE_DTYPES, *_DTYPES, *(f"torch.per_{name}" for name in _QUANTISERS), "torch.Tensor")
)


def made(function: Any, args: Any) -> Any:
    """What a known name makes of its arguments; nothing is called that is not in this file."""
    if not isinstance(function, Known) or function.name not in _MAKERS or type(args) is not tuple:
        raise Malformed(f"its pickle calls {quoted(getattr(function, 'name', function))}, which makes no tensor")
    try:
        return _MAKERS[function.name](args)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise Malformed(f"its pickle gives {function.name} what it does not take") from None


def checked(key: Any) -> Any:
    """A key of a dict: texts and small whole numbers, whose hashes cost nothing, and pairs of them."""
    if type(key) in (str, bytes, bool, type(None), float) or (type(key) is int and abs(key) < _SMALL):
        return key
    if type(key) is tuple and len(key) <= 8 and not any(isinstance(item, tuple) for item in key):
        return tuple(map(checked, key))
    if isinstance(key, (Known, Inert)):
        return key.name
    raise Malformed("its pickle has a dict whose keys are neither texts nor numbers")


# The machine ----------------------------------------------------------------------------------------------------------


class _Machine:
    """A stack, where lists begin on it, and what was put aside by number."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        if not self.stack:
            raise Malformed("its pickle takes from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack:
            raise Malformed("its pickle looks at an empty stack")
        return self.stack[-1]

    def items(self) -> list[Any]:
        """All above the last mark, which goes too."""
        for position in range(len(self.stack) - 1, -1, -1):
            if self.stack[position] is _MARK:
                taken = self.stack[position + 1 :]
                del self.stack[position:]
                return taken
        raise Malformed("its pickle takes a list that never began")

    def byte(self) -> int:
        return self.reader.byte("pickle")

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.reader.take(struct.calcsize(form), "pickle"))[0]

    def bytes(self, form: str) -> bytes:
        return self.reader.take(self.number(form), "pickle")

    def text(self, form: str) -> str:
        return self.bytes(form).decode("utf-8", "backslashreplace")

    def put(self, index: int) -> None:
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise Malformed("its pickle names a value that it never made")
        self.stack.append(self.memo[index])

    def global_(self, module: str, name: str) -> None:
        full = f"{_RENAMED.get(module, module)}.{name}"
        if full not in _NAMES:
            raise Malformed(
                f"its pickle asks for {quoted(full)}, which is code and was not run; save tensors alone, as "
                "torch.save(model.state_dict(), ...) does"
            )
        self.stack.append(Known(full))

    def make(self) -> None:
        args, function = self.pop(), self.pop()
        self.stack.append(made(function, args))

    def append(self, items: list[Any]) -> None:
        held = self.top()
        if isinstance(held, list):
            held.extend(items)
        elif not isinstance(held, Inert):
            raise Malformed("its pickle appends to what is no list")

    def set(self, items: list[Any]) -> None:
        held = self.top()
        if not isinstance(held, dict) or len(items) % 2:
            raise Malformed("its pickle sets items of what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            held[checked(key)] = value

    def tuple(self, count: int) -> None:
        if len(self.stack) < count:
            raise Malformed("its pickle takes from an empty stack")
        items = self.stack[len(self.stack) - count :] if count else []
        del self.stack[len(self.stack) - count :]
        self.stack.append(tuple(items))

    def persistent(self) -> None:
        self.stack.append(_storage(self.pop()))


def _storage(said: Any) -> StorageRef:
    """`("storage", type, key, location, elements)`, and in old files what the storage is a part of."""
    if type(said) is not tuple or len(said) < 5 or _plain(said[0]) != "storage":
        raise Malformed("its pickle names something outside of it that is no storage")
    kind, key, numel = said[1], _plain(said[2]), said[4]
    if len(said) > 5 and said[5] is not None:
        raise Malformed("it has views of storages as torch wrote them before 0.4; save it again")
    if not isinstance(kind, Known) or kind.name not in _STORAGE_DTYPES or type(numel) is not int or numel < 0:
        raise Malformed("its pickle describes a storage in a way that is not known")
    if not isinstance(key, (str, int)):
        raise Malformed("its pickle names a storage by something that is no text")
    return StorageRef(str(key), _STORAGE_DTYPES[kind.name], numel)


def _plain(value: Any) -> Any:
    return value.decode("ascii", "replace") if isinstance(value, bytes) and len(value) <= _SHORT else value


_RENAMED: Mapping[str, str] = {"__builtin__": "builtins"}  # by protocol 2
Step: TypeAlias = Callable[[_Machine], object]


def _push(value: Any) -> Step:
    return lambda m: m.stack.append(value)


def _new(make: Callable[[], Any]) -> Step:
    return lambda m: m.stack.append(make())


def _reading(read: Callable[[_Machine], Any]) -> Step:
    return lambda m: m.stack.append(read(m))


def _line(m: _Machine) -> str:
    return m.reader.line("pickle").decode("utf-8", "backslashreplace")


def _stack_global(m: _Machine) -> None:
    name, module = m.pop(), m.pop()
    if not isinstance(module, str) or not isinstance(name, str):
        raise Malformed("its pickle asks for something by what is no name")
    m.global_(module, name)


def _global(m: _Machine) -> None:
    module = _line(m)
    m.global_(module, _line(m))


def _long(m: _Machine) -> int:
    return int.from_bytes(m.reader.take(m.byte(), "pickle"), "little", signed=True)


def _build(m: _Machine) -> None:
    """The state of something: attributes, of which none matters here."""
    m.pop()
    if not isinstance(m.top(), (dict, TensorRef, Inert)):
        raise Malformed("its pickle gives a state to what has none")


_STEPS: Mapping[int, Step] = {
    ord(code): step
    for code, step in {
        "\x80": lambda m: m.byte(),  # PROTO
        "\x95": lambda m: m.number("<Q"),  # FRAME
        "(": _push(_MARK),
        "N": _push(None),
        "\x88": _push(True),
        "\x89": _push(False),
        ")": _push(()),
        "]": _new(list),
        "}": _new(dict),
        "\x8f": _push(Inert("builtins.set")),
        "\x90": lambda m: m.append(m.items()),  # ADDITEMS
        "J": _reading(lambda m: m.number("<i")),
        "K": _reading(lambda m: m.byte()),
        "M": _reading(lambda m: m.number("<H")),
        "G": _reading(lambda m: m.number(">d")),
        "\x8a": _reading(_long),
        "X": _reading(lambda m: m.text("<I")),
        "\x8c": _reading(lambda m: m.text("<B")),
        "\x8d": _reading(lambda m: m.text("<Q")),
        "U": _reading(lambda m: m.text("<B")),
        "T": _reading(lambda m: m.text("<I")),
        "B": _reading(lambda m: m.bytes("<I")),
        "C": _reading(lambda m: m.reader.take(m.byte(), "pickle")),
        "\x8e": _reading(lambda m: m.bytes("<Q")),
        "t": lambda m: m.stack.append(tuple(m.items())),
        "\x85": lambda m: m.tuple(1),
        "\x86": lambda m: m.tuple(2),
        "\x87": lambda m: m.tuple(3),
        "l": lambda m: m.stack.append(m.items()),
        "0": lambda m: m.pop(),
        "2": lambda m: m.stack.append(m.top()),
        "1": lambda m: m.items(),
        "q": lambda m: m.put(m.byte()),
        "r": lambda m: m.put(m.number("<I")),
        "\x94": lambda m: m.put(len(m.memo)),  # MEMOIZE
        "h": lambda m: m.get(m.byte()),
        "j": lambda m: m.get(m.number("<I")),
        "a": lambda m: m.append([m.pop()]),
        "e": lambda m: m.append(m.items()),
        "s": lambda m: m.set(list(reversed([m.pop(), m.pop()]))),
        "u": lambda m: m.set(m.items()),
        "c": _global,
        "\x93": _stack_global,
        "R": lambda m: m.make(),
        "\x81": lambda m: m.make(),  # NEWOBJ
        "b": _build,
        "Q": lambda m: m.persistent(),
    }.items()
}
_STOP = ord(".")


def read(reader: Reader) -> Any:
    """The value that the next pickle makes; raises `Malformed`, also for one that would make more than plain values."""
    machine = _Machine(reader)
    while True:
        code = reader.byte("pickle")
        step = _STEPS.get(code)
        if step is not None:
            step(machine)
        elif code == _STOP:
            return machine.pop()
        else:
            raise Malformed(f"its pickle has the opcode {code:#04x}, which torch does not write")
