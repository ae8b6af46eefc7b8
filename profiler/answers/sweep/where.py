"""Which rows are wanted? An expression such as `macs < 1G and acc@1 > 75`, computed and never evaluated as code.

Names are those of columns; one with other characters than letters, digits, `_`, `@` and `.` stands in backticks.
Numbers may have a unit: 10M, 100MB, 5ms. There are comparisons, `and`, `or`, `not`, `in` and arithmetic. What is not
known is neither smaller nor larger than anything, nor the contrary, as in SQL: such a row is not wanted.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from profiler import errors
from profiler.answers.sweep.columns import no_such_column
from profiler.records import quantities

_TOKEN = re.compile(
    r"(?P<text>'[^']*'|\"[^\"]*\")|`(?P<quoted>[^`]*)`|(?P<name>[^\W\d][\w@.]*)"
    r"|(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-zµμ]*)|(?P<other>\s+|.)"
)
_WORDS = ("and", "or", "not", "in", "None", "True", "False")
_LONGEST = 2000  # characters
_PLACE = "_column_"  # of a name, so that any name is one of Python's
_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Where:
    """An expression that was read. names: of the columns that it is about."""

    text: str
    names: tuple[str, ...]
    tree: ast.expr

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is known to be true of a row; raises `errors.ProfileError` where two values do not go together."""
        try:
            return bool(_computed(self.tree, [_value(row.get(name)) for name in self.names]))
        except (TypeError, OverflowError) as error:
            raise _refusal(self.text, f"it compares what cannot be compared: {errors.first_line(error)}") from None


def where(text: str, known: Collection[str]) -> Where:
    """Read an expression over columns of these names; raises `errors.ProfileError`."""
    if len(text) > _LONGEST:
        raise _refusal(f"{text[:40]}...", f"it is longer than {_LONGEST} characters")
    names: dict[str, int] = {}
    written = "".join(_written(text, names))
    for name in names:
        if name not in known:
            raise _refusal(text, str(no_such_column(name, known)))
    try:
        tree = ast.parse(written.strip(), mode="eval").body
        _check(text, tree)
        _check_says(text, tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refusal(text, "it cannot be read; write it like 'macs < 1G and params < 10M'") from None
    return Where(text, tuple(names), tree)


def _written(text: str, names: dict[str, int]) -> Iterator[str]:
    """The expression as Python would have it, with a place for each name."""
    for token in _TOKEN.finditer(text):
        name = token["quoted"] if token["quoted"] is not None else token["name"]
        if name is not None and (token["quoted"] is not None or name not in _WORDS):
            yield f"{_PLACE}{names.setdefault(name, len(names))}"
        elif token["number"] is not None and token["unit"]:
            yield repr(_quantity(text, token["number"] + token["unit"]))
        else:
            yield token[0]


def _quantity(text: str, written: str) -> int | float:
    """A count, bytes, or seconds: `10M`, `100MB`, `5ms`."""
    if re.fullmatch(r"[\d._]+[bB]", written):
        raise _refusal(text, f"{written} may be billions or bytes; write {written[:-1]}G, or {written[:-1]} for bytes")
    for reader, scale in ((quantities.count, None), (quantities.size, None), (quantities.duration, 1e9)):
        try:
            value = reader(written)
        except errors.Malformed:
            continue
        return value if scale is None else value / scale
    raise _refusal(text, f"{written} is no quantity; write it like 10M, 100MB or 5ms")


def _check(text: str, node: ast.expr) -> None:
    """Raise where there is more than an expression may have."""
    match node:
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
            pass
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
            parts = [node.left, node.right]
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            parts = [operand]
        case ast.Compare() if all(type(op) in _OPERATORS for op in node.ops):
            parts = [node.left, *node.comparators]
        case ast.Constant(value=None | bool() | int() | float() | str()):
            parts = []
        case ast.Name(id=name) if name.startswith(_PLACE):
            parts = []
        case _:
            what = "comparisons, and, or, not, in, + - * / and brackets"
            raise _refusal(
                text, f"{ast.unparse(node) if _PLACE not in ast.unparse(node) else 'it'} is not one of {what}"
            )
    for part in parts:
        _check(text, part)


def _check_says(text: str, node: ast.expr) -> None:
    """Raise where what should be true or not is a value, and where a part says nothing of any row."""
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                _check_says(text, part)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check_says(text, operand)
        case ast.Compare():
            for inner in ast.walk(node):
                if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Div) and _is_zero(inner.right):
                    raise _refusal(text, "it divides by 0; divide by a column or by another number")
        case _:
            raise _refusal(text, "it has a value that is compared with nothing; write it like 'params > 10M'")


def _is_zero(node: ast.expr) -> bool:
    """Whether it is 0 whatever the row is."""
    if any(isinstance(part, ast.Name) for part in ast.walk(node)):
        return False
    try:
        return bool(_computed(node, []) == 0)
    except (TypeError, OverflowError):  # which is said of each row
        return False


# What it comes to of a row --------------------------------------------------------------------------------------------


def _value(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _computed(node: ast.expr, values: list[Any]) -> Any:
    """None where it is not known."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values[int(name.removeprefix(_PLACE))]
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [_computed(part, values) for part in parts]
        case ast.BoolOp(op=op, values=parts):
            return _joined(isinstance(op, ast.And), (_computed(part, values) for part in parts))
        case ast.UnaryOp(op=op, operand=operand):
            value = _computed(operand, values)
            if value is None:
                return None
            return not value if isinstance(op, ast.Not) else -value if isinstance(op, ast.USub) else +value
        case ast.BinOp(left=left, op=op, right=right):
            return _applied(op, _computed(left, values), _computed(right, values))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            several = [_computed(part, values) for part in (left, *comparators)]
            return _joined(True, map(_applied, ops, several, several[1:]))
    raise AssertionError(ast.dump(node))


def _joined(is_and: bool, parts: Iterator[Any]) -> bool | None:
    """The first that decides; else not known where one of them is not."""
    is_known = True
    for part in parts:
        if part is None:
            is_known = False
        elif bool(part) is not is_and:
            return not is_and
    return is_and if is_known else None


def _applied(op: ast.AST, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    try:
        return _OPERATORS[type(op)](left, right)
    except ZeroDivisionError:
        return None


# Error messages -------------------------------------------------------------------------------------------------------


def _refusal(text: str, why: str) -> errors.ProfileError:
    return errors.ProfileError(f"--where {text}: {why}")
