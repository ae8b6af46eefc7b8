"""Every row of every table costs what its factors say."""

from dataclasses import fields

import pytest
from formula_rows import Row
from formula_tables import REFUSED, TABLES

from profiler.ops import Cost, cost, is_known, registry
from profiler.ops.cost import Count
from profiler.ops.elementwise import ALIKE
from profiler.records.trace import Signature, tensors

ROWS = [pytest.param(row, id=f"{family}-{n}-{row}") for family, rows in TABLES.items() for n, row in enumerate(rows)]


def expected(row: Row) -> Cost:
    """The row's counts, 0 where it says nothing, and the traffic of every tensor once where it says nothing."""
    signature = row.signature
    once = {
        "bytes_read": sum(t.size_bytes for t in tensors((signature.args, tuple(v for _, v in signature.kwargs)))),
        "bytes_written": sum(t.size_bytes for t in tensors(signature.output)),
    }
    return Cost(**(once | row.counts))


@pytest.mark.parametrize("row", ROWS)
def test_cost(row: Row) -> None:
    assert cost(row.signature) == expected(row)


def test_every_formula_has_a_row() -> None:
    """And of the element-wise operators, which are a table, every line. On lists test_optimizer.py tries them."""
    tried = {registry._find(row.signature.op) for rows in TABLES.values() for row in rows}
    tables = ("per_element", "foreach")
    untried = {formula for formula in registry._formulas.values() if formula.__name__ not in tables} - tried
    lines = {
        names for _, names in ALIKE if not any(registry._formulas[f"aten.{name}"] in tried for name in names.split())
    }
    assert {(formula.__module__, formula.__name__) for formula in untried} == set()
    assert lines == set()


@pytest.mark.parametrize("row", [p for p in ROWS if p.values[0].counts.get("macs")])
def test_macs_remember_their_factors(row: Row) -> None:
    macs = cost(row.signature).macs
    assert isinstance(macs, Count)
    assert all(name and isinstance(size, int) for term in macs.terms for name, size in term)


@pytest.mark.parametrize(("op", "args", "out"), REFUSED.values(), ids=REFUSED)
def test_a_case_that_is_not_covered_is_unknown_and_never_zero(op, args, out) -> None:
    assert is_known(op)
    assert cost(Signature(op, args, (), out)) is None


def test_the_checker_sees_a_wrong_count_of_any_kind() -> None:
    row = TABLES["matmul"][0]
    for name in (f.name for f in fields(Cost)):
        wrong = Row(row.signature, row.counts | {name: 12345})
        assert cost(row.signature) != expected(wrong)
