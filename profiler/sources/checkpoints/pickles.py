"""How are pickles read that torch wrote? By a stack machine that builds plain values and nothing else.

A pickle is a program for a small stack machine, and may name any function of any module and call it. Here nothing is
imported and nothing is called: the functions by which torch rebuilds tensors yield inert records (`StorageRef`,
`TensorRef`), and a pickle that names anything else is refused, with the name. The accepted names and opcodes are those
of `torch.load(weights_only=True)`, plus the opcodes of protocol 4.

Every opcode creates a bounded number of values, keys are texts and small numbers (whose hashes are cheap), and bytes
that the file does not have are never allocated. The file's `Budget` counts values and steps, so that a pickle of
nothing but empty lists, one a byte, is refused too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from profiler.errors import Malformed
from profiler.records.files.limits import OPCODES, VALUES, Budget, FileTooCostly
from profiler.records.files.reading import quoted
from profiler.sources.checkpoints.objects import Foreign, Object, may_stand
from profiler.sources.checkpoints.reading import Reader
from profiler.sources.checkpoints.rebuilding import (
    NAMES,
    SHORT,
    STORAGE_DTYPES,
    Inert,
    StorageRef,
    TensorRef,
    TorchName,
    checked,
    rebuilt,
)

_MARK = object()


class _Machine:
    """The stack, with marks where lists begin, and the memo: values that were stored by number."""

    def __init__(self, reader: Reader, cost: Budget, code_names: list[str] | None = None) -> None:
        self.reader = reader
        self.cost = cost
        self.code_names = code_names
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
        """Remove and return all values above the last mark; the mark is removed too."""
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

    def push(self, value: Any) -> None:
        """Put a new value on the stack; it is charged to the budget."""
        self.cost.charge(VALUES)
        self.stack.append(value)

    def put(self, index: int) -> None:
        if index not in self.memo:
            self.cost.charge(VALUES)
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise Malformed("its pickle names a value that it never made")
        self.stack.append(self.memo[index])

    def global_(self, module: str, name: str) -> None:
        full = f"{_RENAMED.get(module, module)}.{name}"
        if full in NAMES:
            self.push(TorchName(full))
        elif self.code_names is not None and may_stand(full):
            self.code_names.append(full)
            self.push(Foreign(full))
        else:
            raise asks_for(full)

    def make(self) -> None:
        args, function = self.pop(), self.pop()
        self.push(Object(function.name, args) if isinstance(function, Foreign) else rebuilt(function, args))

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, (Inert, Object)):
            raise Malformed("its pickle appends to what is no list")

    def set(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Object):
            return
        if not isinstance(target, dict) or len(items) % 2:
            raise Malformed("its pickle sets items of what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self.key(key)] = value

    def key(self, key: Any) -> Any:
        """A dict's key. Two objects are different keys, whatever `__eq__` their class may have."""
        return f"<{key.name} {id(key):x}>" if isinstance(key, (Object, Foreign)) else checked(key)

    def tuple(self, count: int) -> None:
        if len(self.stack) < count:
            raise Malformed("its pickle takes from an empty stack")
        items = self.stack[len(self.stack) - count :] if count else []
        del self.stack[len(self.stack) - count :]
        self.push(tuple(items))

    def persistent(self) -> None:
        reference = self.pop()
        # Before torch 1.6 a class was stored with its source: ("module", class, file, source).
        is_class = type(reference) is tuple and len(reference) == 4 and reference[0] == "module"
        self.push(reference[1] if is_class and isinstance(reference[1], (Foreign, TorchName)) else _storage(reference))


def asks_for(name: str) -> Malformed:
    return Malformed(
        f"its pickle asks for {quoted(name)}, which is code and was not run; save tensors alone, as "
        "torch.save(model.state_dict(), ...) does"
    )


def _storage(reference: Any) -> StorageRef:
    """The storage of `("storage", type, key, location, elements)`; in old files a sixth item describes a view."""
    if type(reference) is not tuple or len(reference) < 5 or _plain(reference[0]) != "storage":
        raise Malformed("its pickle names something outside of it that is no storage")
    kind, key, numel = reference[1], _plain(reference[2]), reference[4]
    if len(reference) > 5 and reference[5] is not None:
        raise Malformed("it has views of storages as torch wrote them before 0.4; save it again")
    if not isinstance(kind, TorchName) or kind.name not in STORAGE_DTYPES or type(numel) is not int or numel < 0:
        raise Malformed("its pickle describes a storage in a way that is not known")
    if not isinstance(key, (str, int)):
        raise Malformed("its pickle names a storage by something that is no text")
    return StorageRef(str(key), STORAGE_DTYPES[kind.name], numel)


def _plain(value: Any) -> Any:
    return value.decode("ascii", "replace") if isinstance(value, bytes) and len(value) <= SHORT else value


_RENAMED: Mapping[str, str] = {"__builtin__": "builtins"}  # by protocol 2
Step: TypeAlias = Callable[[_Machine], object]


def _push(value: Any) -> Step:
    return lambda m: m.stack.append(value)


def _new(make: Callable[[], Any]) -> Step:
    return lambda m: m.push(make())


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
    """BUILD sets an object's state, which is kept for objects of foreign classes alone."""
    state = m.pop()
    if isinstance(m.top(), Object):
        m.top().state = state
    elif not isinstance(m.top(), (dict, TensorRef, Inert)):
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
        "t": lambda m: m.push(tuple(m.items())),
        "\x85": lambda m: m.tuple(1),
        "\x86": lambda m: m.tuple(2),
        "\x87": lambda m: m.tuple(3),
        "l": lambda m: m.push(m.items()),
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


def read(reader: Reader, cost: Budget, code_names: list[str] | None = None) -> Any:
    """The value of the next pickle; raises `Malformed`, also for one that needs more than plain values.

    cost: the file's budget; raises `FileTooCostly` where the pickle creates or does more than its size allows.
    code_names: collects the names of foreign classes, for which inert objects stand; None: such names are refused.
    """
    machine, most = _Machine(reader, cost, code_names), cost.left(OPCODES)
    for done in range(1, most + 1):
        code = reader.byte("pickle")
        step = _STEPS.get(code)
        if step is not None:
            step(machine)
        elif code == _STOP:
            cost.charge(OPCODES, done)
            return machine.pop()
        else:
            raise Malformed(f"its pickle has the opcode {code:#04x}, which torch does not write")
    raise FileTooCostly(cost.path, OPCODES, cost.size_bytes)
