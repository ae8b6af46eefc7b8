"""How a row of the tables is written."""

from dataclasses import dataclass, field

from profiler.records.trace import Signature, Tensor, Value


@dataclass(frozen=True)
class Row:
    signature: Signature
    counts: dict[str, int] = field(hash=False)

    def __str__(self) -> str:
        return self.signature.op


def row(op: str, *args: Value, out: Value, kwargs: dict[str, Value] | None = None, **counts: int) -> Row:
    return Row(Signature(op, args, tuple((kwargs or {}).items()), out), counts)


def f(*shape: int) -> Tensor:
    return Tensor(shape, "float32")


def i(*shape: int) -> Tensor:
    return Tensor(shape, "int64")


def b(*shape: int) -> Tensor:
    return Tensor(shape, "bool")


def c(*shape: int) -> Tensor:
    return Tensor(shape, "complex64")
