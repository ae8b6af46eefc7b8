"""How is an ONNX node translated? To calls of aten operators, which have formulas in `profiler.ops`.

A rule is registered by the names of ONNX operators and gives the calls, in order:

    @rule("Relu")
    def relu(node):
        yield Part("aten.relu.default", (node.x,), node.out)

Operators of other domains than ONNX's own are written with it: "com.microsoft.QGemm". A rule that meets a case it does
not cover raises `Uncovered`: the node is then unknown, as one without a rule is, and never free of charge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias, TypeVar

from profiler.records.trace import Tensor


class Uncovered(Exception):
    """Raised by a rule for a node that it does not cover; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor and its memory: that of the node's i-th input or output, or a temporary one."""

    tensor: Tensor
    place: tuple[str, int]

    def as_(self, *shape: int, dtype: str | None = None) -> Operand:
        """The same memory under another shape."""
        return replace(self, tensor=Tensor(shape, dtype or self.tensor.dtype))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensor.shape

    @property
    def ndim(self) -> int:
        return len(self.tensor.shape)


class Part(NamedTuple):
    """One operator call. Arguments are as the operator's schema has them, with operands for tensors."""

    op: str
    args: tuple[Any, ...]
    out: Any
    kwargs: tuple[tuple[str, Any], ...] = ()


@dataclass(slots=True)
class OnnxNode:
    """A node as a rule gets it. `constants` are the values of its inputs, None where they are not known."""

    op: str
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand | None, ...]
    attributes: Mapping[str, Any]
    constants: tuple[Any, ...]
    opset: int
    notes: list[str] = field(default_factory=list)  # remarks of the rule on what its count leaves out
    _temporary: int = field(default=0)

    def input(self, index: int) -> Operand:
        operand = self.optional(index)
        if operand is None:
            raise Uncovered(f"input {index} is missing")
        return operand

    def optional(self, index: int) -> Operand | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> Any:
        """The values of an input, where they are known."""
        return self.constants[index] if index < len(self.constants) else None

    @property
    def x(self) -> Operand:
        return self.input(0)

    @property
    def out(self) -> Operand:
        return self.output(0)

    def output(self, index: int) -> Operand:
        operand = self.outputs[index] if index < len(self.outputs) else None
        if operand is None:
            raise Uncovered(f"output {index} is missing")
        return operand

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def axis(self, default: int) -> int:
        """The attribute "axis" as a number of 0 or more."""
        return int(self.attribute("axis", default)) % max(self.x.ndim, 1)

    def temporary(self, *shape: int, dtype: str | None = None) -> Operand:
        """Memory for an intermediate result."""
        self._temporary += 1
        return Operand(Tensor(shape, dtype or self.x.tensor.dtype), ("temporary", self._temporary))

    def like(self, operand: Operand, dtype: str | None = None) -> Operand:
        return self.temporary(*operand.shape, dtype=dtype or operand.tensor.dtype)


Rule: TypeAlias = Callable[[OnnxNode], Iterable[Part]]
R = TypeVar("R", bound=Rule)

_rules: dict[str, Rule] = {}
_SEQUENCES = "a sequence of tensors has no shape that is known"
_TEXTS = "texts have no size that is known"
# Why operators of ONNX's own have no rule.
reasons: Mapping[str, str] = {
    **dict.fromkeys(
        ("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength",
         "SequenceMap", "SplitToSequence", "ConcatFromSequence"), _SEQUENCES),
    **dict.fromkeys(("Optional", "OptionalGetElement", "OptionalHasElement"), "it may hold nothing"),
    **dict.fromkeys(("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"), _TEXTS),
    "ImageDecoder": "an image in a file has no size that is known",
    "NonMaxSuppression": "how many boxes it keeps depends on data",
    "MelWeightMatrix": "a table that is filled once, with a formula of its own for each element",
}  # fmt: skip


def rule(*names: str) -> Callable[[R], R]:
    """Register a function as the rule of operators; a second registration is an error."""

    def register(function: R) -> R:
        for name in names:
            if name in _rules:
                raise ValueError(f"{name} has a rule already")
            _rules[name] = function
        return function

    return register


def parts(node: OnnxNode) -> list[Part]:
    """The calls that a node is translated to; raises `Uncovered` with the reason where no rule covers it."""
    function = _rules.get(node.op)
    if function is None:
        raise Uncovered(reasons.get(node.op, "no rule is known for it"))
    try:
        return list(function(node))
    except (IndexError, KeyError, ValueError, TypeError, ZeroDivisionError):  # a node that its schema forbids
        raise Uncovered("its inputs or attributes are not those that it takes") from None


def names() -> Iterator[str]:
    """The names of all operators that have a rule."""
    return iter(_rules)


def operands(value: Any) -> Iterator[Operand]:
    """Every operand inside a value, in order."""
    if isinstance(value, Operand):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from operands(item)
