"""What do tables of series have in common? The column of what varies, rows of values that failed, and equations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from profiler.answers.common.series import Point, Series
from profiler.records.polynomial import HIGHEST, Polynomial
from profiler.render.tables import Column, Row, Table, Unit

VALUE = "value"


def value_column(series: Series[Any]) -> Column:
    """Under the name of what varies."""
    are_whole = all(type(point.value) is int for point in series.points)
    return Column(VALUE, series.varying.name, Unit.EXACT if are_whole else Unit.TEXT, lambda point, _: point.value)


def rows(series: Series[Any], columns: Sequence[Column], named_by: str = VALUE) -> tuple[Row, ...]:
    """`named_by` is the column that holds the value of what varies."""
    return tuple(_row(point, columns, named_by) for point in series.points)


def _row(point: Point[Any], columns: Sequence[Column], named_by: str) -> Row:
    """The reason stands behind the value, wherever that is."""
    if point.failure is None:
        return Row(tuple(column.get(point, None) for column in columns))
    values = tuple(point.value if column.name == named_by else None for column in columns)
    is_named = values[0] is not None
    return Row(values, failure=str(point.failure) if is_named else f"{point.value!r}: {point.failure}")


def raw_table(series: Series[Any], columns: Sequence[Column], named_by: str = VALUE) -> Table:
    return Table(tuple(columns), rows(series, columns, named_by), chosen=True)


def equations(polynomials: Mapping[str, Polynomial | None], symbol: str) -> Iterator[str]:
    """By the figures' words."""
    for words, polynomial in polynomials.items():
        if polynomial is not None:
            confirmed = f"confirmed by {polynomial.confirmations} of {len(polynomial.points)} points"
            yield f"{words} = {polynomial.written(symbol)} ({confirmed})"


def without(polynomials: Mapping[str, Polynomial | None], variable: str, separator: str = ", ") -> Iterator[str]:
    """The figures that none was found for."""
    if none := [words for words, polynomial in polynomials.items() if polynomial is None]:
        yield f"No polynomial in {variable} of degree {HIGHEST} or less: {separator.join(none)}."


def points(polynomials: Mapping[Any, Polynomial | None]) -> tuple[int, ...]:
    """Where all that there are hold."""
    return next((polynomial.points for polynomial in polynomials.values() if polynomial is not None), ())


def written_value(value: Any) -> Any:
    """For programs: a literal that JSON has none of is text."""
    return value if isinstance(value, (int, float, str, type(None))) else repr(value)


def data(polynomials: Mapping[str, Polynomial | None], symbol: str) -> dict[str, Any]:
    """Coefficients from the constant up: whole numbers, or fractions as text ("1/256")."""
    return {figure: polynomial and polynomial.data(symbol) for figure, polynomial in polynomials.items()}
