"""Which shapes does an exported program take? Its sizes are numbers, or expressions of symbols that have a range.

Expressions are written as sympy writes its own (`Mul(Integer(2), Symbol('s0', integer=True))`); they are read as a
syntax tree and never evaluated as code.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from profiler import errors
from profiler.records.files.limits import LARGEST_INTEGER
from profiler.records.files.reading import quoted
from profiler.records.inputs import TensorSpec
from profiler.sources.exported.archive import ExportedProgram, Meta, ProgramInput, Size

_LONGEST = 4096  # characters of an expression


def _bounded(number: Any) -> Any:
    """A number that a size may be computed from: neither it nor its denominator is larger than any tensor."""
    exact = Fraction(number)
    if abs(exact) > LARGEST_INTEGER or exact.denominator > LARGEST_INTEGER:
        raise ValueError("a number in it is larger than any tensor")
    return number


def _product(*factors: Any) -> Any:
    result = Fraction(1)
    for factor in factors:
        result = _bounded(result * factor)
    return result


def _power(base: Any, exponent: Any) -> Any:
    if exponent != int(exponent) or abs(exponent) > LARGEST_INTEGER.bit_length():
        raise ValueError("a power in it is no whole number, or too large")
    return Fraction(base) ** int(exponent)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "Add": lambda *terms: sum(terms),
    "Mul": _product,
    "Pow": _power,
    "Max": max,
    "Min": min,
    "Mod": lambda a, b: a % b,
    "PythonMod": lambda a, b: a % b,
    "FloorDiv": lambda a, b: a // b,
    "CleanDiv": lambda a, b: a // b,
    "CeilDiv": lambda a, b: -(-a // b),
    "Rational": lambda a, b: Fraction(a) / Fraction(b),
    "Integer": int,
    "ToFloat": lambda a: a,
    "FloorToInt": math.floor,
    "CeilToInt": math.ceil,
}


class Unsolved(Exception):
    """An expression with a symbol that has no value, or with a function that is not supported."""


class InvalidSize(ValueError):
    """A size whose text is not an expression, or whose value is not a size."""


def evaluated(size: Size, symbols: Mapping[str, int]) -> int:
    """A size's number for these values of its symbols; raises `Nonsense`, or `Unsolved`."""
    if size.expression is None:
        assert size.number is not None
        return size.number
    try:
        number: int = math.floor(_value(_parsed(size.expression), symbols))
        return number
    except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
        raise InvalidSize(f"{quoted(size.expression)} is no size: {errors.first_line(error)}") from None


def _parsed(expression: str) -> ast.expr:
    if len(expression) > _LONGEST:
        raise InvalidSize(f"a size is an expression of {len(expression):,} characters, and {_LONGEST:,} are the most")
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # `MemoryError`: its stack is full
        raise InvalidSize(f"{quoted(expression)} is no expression of sizes") from None


def _value(node: ast.expr, symbols: Mapping[str, int]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return _bounded(Fraction(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, symbols)
    if not isinstance(node, ast.Call) or not isinstance(node.func, (ast.Name, ast.Attribute)):
        raise Unsolved
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
    if name == "Symbol":
        number = symbols.get(_symbol(node) or "")
        if number is None:
            raise Unsolved
        return number
    if name not in _FUNCTIONS:
        raise Unsolved
    return _bounded(_FUNCTIONS[name](*(_value(argument, symbols) for argument in node.args)))


def _symbol(node: ast.expr) -> str | None:
    """The name of an expression that is a single symbol; None for any other."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Symbol" and node.args:
        name = node.args[0]
        return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
    return None


def _lone(size: Size) -> str | None:
    return None if size.expression is None else _symbol(_parsed(size.expression))


# Inputs ---------------------------------------------------------------------------------------------------------------


def solved(program: ExportedProgram, specs: Sequence[TensorSpec], model: str) -> dict[str, int]:
    """The values of the symbols for these shapes; raises `errors.NotExportedFor` where the program takes others.

    `specs` are the shapes of the tensors among `program.inputs`, in order.
    """
    inputs = [entry for entry in program.inputs if entry.meta is not None]
    symbols: dict[str, int] = {}
    for entry, spec in zip(inputs, specs, strict=True):
        _match(entry, spec, symbols, program, model)
    for entry, spec in zip(inputs, specs, strict=True):
        _check(entry, spec, symbols, model)
    return symbols


def _match(
    entry: ProgramInput, spec: TensorSpec, symbols: dict[str, int], program: ExportedProgram, model: str
) -> None:
    meta = _meta(entry)
    if len(spec.shape) != len(meta.sizes):
        raise errors.NotExportedFor(model, entry.name, f"has {len(meta.sizes)} dimensions, not {len(spec.shape)}")
    if spec.dtype != meta.dtype:
        raise errors.NotExportedFor(model, entry.name, f"is {meta.dtype}, not {spec.dtype}")
    for dimension, (size, number) in enumerate(zip(meta.sizes, spec.shape, strict=True)):
        name = _lone(size)
        if name is None:
            continue
        expected = symbols.setdefault(name, number)
        least, most = program.ranges.get(name, (None, None))
        if expected != number:
            raise errors.NotExportedFor(
                model, entry.name, f"has {number} in dimension {dimension}, and {expected} before"
            )
        if number < (least or 0) or (most is not None and number > most):
            allowed = f"at least {least or 0}" if most is None else f"{least or 0} to {most}"
            raise errors.NotExportedFor(model, entry.name, f"has dimension {dimension} of {allowed}, not {number}")


def _check(entry: ProgramInput, spec: TensorSpec, symbols: Mapping[str, int], model: str) -> None:
    for dimension, (size, number) in enumerate(zip(_meta(entry).sizes, spec.shape, strict=True)):
        try:
            expected = evaluated(size, symbols)
        except Unsolved:
            continue
        except InvalidSize as error:
            raise errors.unreadable_model_file(model, str(error)) from None
        if expected != number:
            how = "fixed at" if size.expression is None else "here"
            raise errors.NotExportedFor(model, entry.name, f"has dimension {dimension} {how} {expected}, not {number}")


def _meta(entry: ProgramInput) -> Meta:
    assert entry.meta is not None
    return entry.meta


# Shapes of the example input ------------------------------------------------------------------------------------------


def example(program: ExportedProgram, batch: int | None) -> list[TensorSpec]:
    """The shapes of the inputs it was exported with; `batch` takes the place of the first dimension of each.

    A dimension whose size was not recorded gets the smallest that is allowed.
    """
    inputs = [_meta(entry) for entry in program.inputs if entry.meta is not None]
    return [_sized(meta, program, batch) for meta in inputs]


def _sized(meta: Meta, program: ExportedProgram, batch: int | None) -> TensorSpec:
    shape = [_or_least(size, program) for size in meta.sizes]
    if batch is not None and shape:
        shape[0] = batch
    return TensorSpec(tuple(shape), meta.dtype)


def _or_least(size: Size, program: ExportedProgram) -> int:
    if size.number is not None:
        return size.number
    least = program.ranges.get(_lone(size) or "", (None, None))[0]
    return 2 if least is None else int(least)
