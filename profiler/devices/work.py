"""What does one operator call ask of a device? Products, other arithmetic, and bytes, each with the dtype it is in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from profiler.ops import cost, family
from profiler.records.trace import Signature, Tensor, tensors

CONVOLUTION = "convolution"  # the family whose float32 products torch has tensor cores round to tf32

# A dtype as the catalogue has it, of those whose name it is not.
_KINDS = {
    "complex32": "float16", "complex64": "float32", "complex128": "float64", "qint8": "int8", "quint8": "int8",
    "uint8": "int8", "qint32": "int8", "quint4x2": "int4", "int4": "int4", "uint4": "int4", "int1": "int4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a call.

    matrix_flops: two for each MAC, in `matrix_dtype`, what is multiplied. vector_flops: all other FLOPs, a special
    function counted once, in `vector_dtype`. comparisons: which are no FLOPs, and take the same time. family: the file
    of its formula.
    """

    matrix_flops: int
    matrix_dtype: str
    vector_flops: int
    vector_dtype: str
    comparisons: int
    bytes_read: int
    bytes_written: int
    family: str | None

    @property
    def flops(self) -> int:
        return self.matrix_flops + self.vector_flops

    @property
    def vector_operations(self) -> int:
        """All that the ordinary cores compute."""
        return self.vector_flops + self.comparisons

    @property
    def operations(self) -> int:
        return self.matrix_flops + self.vector_operations

    @property
    def moved_bytes(self) -> int:
        return self.bytes_read + self.bytes_written

    @property
    def is_nothing(self) -> bool:
        """Whether no device has anything to do, as for a view."""
        return not (self.operations or self.moved_bytes)


def work(signature: Signature) -> Work | None:
    """The work of a call with this signature; None where the operator has no formula."""
    amount = cost(signature)
    if amount is None:
        return None
    arguments = list(tensors((signature.args, tuple(value for _, value in signature.kwargs))))
    outputs = list(tensors(signature.output))
    return Work(
        2 * int(amount.macs),
        multiplied(arguments or outputs),
        int(amount.adds + amount.muls + amount.divs + amount.specials),
        kind(next((t.dtype for t in chain(outputs, arguments) if t.is_float), "float32")),
        int(amount.comparisons),
        int(amount.bytes_read or 0),
        int(amount.bytes_written or 0),
        family(signature.op),
    )


def multiplied(operands: list[Tensor]) -> str:
    """The dtype in which operands are multiplied: that of the first which holds numbers and no indices."""
    kinds = [kind(tensor.dtype) for tensor in operands if tensor.dtype not in ("bool", "int64", "int32", "int16")]
    return kinds[0] if kinds else "float32"


def kind(dtype: str) -> str:
    """torch's name of a dtype as peaks are listed by: "float8_e4m3fn" is "float8"."""
    if dtype.startswith(("float8", "float4")):
        return dtype[:6]
    return _KINDS.get(dtype, dtype)
