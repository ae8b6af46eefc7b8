"""How does a table fit a page of a paper? Which columns, in which size of type, and which texts have to be wrapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from profiler.render import grid, numbers
from profiler.render.tables import Table, Unit
from profiler.render.tex import ems

INDENT = 0.8  # em, for each level of the tree
SEPARATION = 4  # pt on either side of a column, but for the outer edges
_WIDTH = 345  # pt, the text's width in the article class at 10 pt
_SIZES = (("", 10.0), (r"\small", 9.25), (r"\footnotesize", 8.5))  # with their em in pt
_SMALLEST, _EM = _SIZES[-1]
_SPARE = 6  # pt, since widths are estimates
_BOLD = 1.15  # times as wide as upright type: the figures of Computer Modern, 0.575 em to 0.5
_NARROWEST = 100  # pt; a text is wrapped into no less


@dataclass(frozen=True, slots=True)
class Page:
    """The columns that are kept, LaTeX's name of the type, and the widths in pt of columns whose text is wrapped."""

    kept: tuple[int, ...]
    size: str
    wrapped: Mapping[int, float] = field(default_factory=dict)


def fitted(table: Table) -> Page:
    """In the largest type that fits; else texts are wrapped; else columns that nobody chose are left out."""
    visible = tuple(grid.with_room(table, lambda some: _width(table, some, _EM, most=_NARROWEST) <= _WIDTH))
    for size, em in _SIZES:
        if _width(table, visible, em) <= _WIDTH - _SPARE:
            return Page(visible, size)
    return Page(visible, _SMALLEST, _wrapped(table, visible))


def plain(table: Table, column: int) -> tuple[list[str], str]:
    """A column's cells before they become LaTeX, and its heading with their unit."""
    written, prefix = numbers.column([row.values[column] for row in table.rows], table.columns[column].unit)
    heading = table.columns[column].heading
    return written, f"{heading} ({prefix})" if prefix else heading


def _wrapped(table: Table, visible: Sequence[int]) -> dict[int, float]:
    """The widest texts give what the page lacks."""
    lacking = _width(table, visible, _EM) - _WIDTH + _SPARE
    widths: dict[int, float] = {}
    texts = {i: _column_width(table, i, _EM) for i in visible if table.columns[i].unit is Unit.TEXT}
    for i, width in sorted(texts.items(), key=lambda pair: -pair[1]):
        reduction = min(lacking, width - _NARROWEST)
        if reduction > 0:
            widths[i] = width - reduction
            lacking -= reduction
    return widths


def _width(table: Table, visible: Sequence[int], em: float, most: float | None = None) -> float:
    """In pt, about; no text counts for more than `most`."""
    widths = [_column_width(table, i, em) for i in visible]
    if most is not None:
        is_text = [table.columns[i].unit is Unit.TEXT for i in visible]
        widths = [min(width, most) if text else width for width, text in zip(widths, is_text, strict=True)]
    return sum(widths) + 2 * SEPARATION * (len(visible) - 1)


def _column_width(table: Table, column: int, em: float) -> float:
    written, heading = plain(table, column)
    is_first = column == 0
    widths = [
        INDENT * row.depth * is_first + ems(cell) * (_BOLD if column in row.best else 1)
        for row, cell in zip(table.rows, written, strict=True)
    ]
    return em * max([ems(heading), *widths])
