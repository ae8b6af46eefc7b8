"""LaTeX with booktabs, and longtable for tables that are longer than a page: an \\input, or a paste, away from a paper.

Numbers are written as papers have them: one unit a column, named in its heading, decimal points under each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from profiler.comparison import Comparison
from profiler.conventions import DEFAULT
from profiler.model_tables import model_table
from profiler.profiles import Profile
from profiler.render import grid, numbers
from profiler.render.tex import ems, escaped
from profiler.tables import Row, Table, View, layer_table

SUFFIXES = (".tex",)
_LONG = 40  # rows that a page can still hold, with a caption and notes
_INDENT = 0.8  # em, for each level of the tree
_SEPARATION = 4  # pt on either side of a column, but for the outer edges
_PAGE = 345  # pt, the text's width in the article class at 10 pt
_SIZES = (("", 10.0), (r"\small", 9.25), (r"\footnotesize", 8.5))  # with their em in pt
_SMALLEST = _SIZES[-1][1]
_COLUMNS = ("layer", "kind", "output", "params", "macs")  # of layers; there is no room for more


def write(table: Table) -> str:
    kept = grid.with_room(table, lambda some: _width(table, some, _SMALLEST) <= _PAGE)
    headings, rows = _cells(table, kept)
    is_long = len(rows) > _LONG
    packages = "{booktabs, longtable}" if is_long else "{booktabs}"
    facts = [
        f"{label}: {numbers.text(value, unit)}{f' ({remark})' if remark else ''}"
        for label, value, unit, remark in table.facts
    ]
    remarks = [rf"In the preamble: \usepackage{packages}", *facts, *grid.dropped(table, kept)]
    body = (_longtable if is_long else _float)(table, kept, headings, rows)
    return "\n".join([*(f"% {numbers.one_line(remark)}" for remark in remarks), *body])


def layers(profile: Profile, view: View | None = None) -> str:
    view = view or View()
    counted = "macs" if profile.convention.name == DEFAULT else "flops"  # what the convention is about
    default = [{"layer": view.key, "macs": counted}.get(name, name) for name in _COLUMNS]
    return write(layer_table(profile, view if view.columns else replace(view, columns=default)))


def models(comparison: Comparison) -> str:
    return write(model_table(comparison))


accounts = grid.statements(write)


# The two shapes of a table --------------------------------------------------------------------------------------------


def _float(table: Table, kept: Sequence[int], headings: str, rows: Sequence[str]) -> Iterator[str]:
    yield r"\begin{table}[htbp]"
    yield r"\centering"
    yield from _caption(table, r"\par\smallskip")
    yield rf"{_size(table, kept)}\setlength{{\tabcolsep}}{{{_SEPARATION}pt}}%"
    yield rf"\begin{{tabular}}{{{_alignment(table, kept)}}}"
    yield from [r"\toprule", headings, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    yield from _notes(table, "\\par\\smallskip\n")
    yield r"\end{table}"


def _longtable(table: Table, kept: Sequence[int], headings: str, rows: Sequence[str]) -> Iterator[str]:
    """Its headings stand on every page, and it does not float."""
    span = len(kept)
    yield rf"\begingroup{_size(table, kept)}\setlength{{\tabcolsep}}{{{_SEPARATION}pt}}%"
    yield r"\setlength{\LTcapwidth}{\linewidth}"
    yield rf"\begin{{longtable}}{{{_alignment(table, kept)}}}"
    yield from _caption(table, r"\\")
    yield from [r"\toprule", headings, r"\midrule", r"\endfirsthead"]
    yield rf"\multicolumn{{{span}}}{{@{{}}l}}{{\emph{{continued}}}}\\"
    yield from [r"\toprule", headings, r"\midrule", r"\endhead"]
    yield from [r"\bottomrule", r"\endfoot", r"\bottomrule", r"\endlastfoot"]
    yield from rows
    yield from [r"\end{longtable}", r"\endgroup"]
    yield from _notes(table, r"\noindent")


def _caption(table: Table, after: str) -> Iterator[str]:
    """A table that is referred to needs a number, and so a caption, be it empty."""
    if table.caption or table.anchor:
        label = rf"\label{{{table.anchor}}}" if table.anchor else ""
        yield rf"\caption{{{escaped(table.caption)}}}{label}{after}"


def _notes(table: Table, before: str) -> Iterator[str]:
    """In a box of their own; why a row has no values stands here, since a reason is longer than a line."""
    failures = [f"{_name(table, row)}failed: {row.failure}" for row in table.rows if row.failure is not None]
    notes = [*failures, *table.notes]
    if notes:
        yield rf"{before}\begin{{minipage}}{{\linewidth}}\footnotesize\raggedright"
        yield "\n\\par ".join(map(escaped, notes))
        yield r"\end{minipage}"


def _name(table: Table, row: Row) -> str:
    return "" if row.values[0] is None else f"{numbers.text(row.values[0], table.columns[0].unit)} "


def _size(table: Table, kept: Sequence[int]) -> str:
    """The largest type in which the table is no wider than a page, or the smallest there is."""
    return next((name for name, em in _SIZES if _width(table, kept, em) <= _PAGE), _SIZES[-1][0])


def _width(table: Table, kept: Sequence[int], em: float) -> float:
    """In pt, about."""
    return sum(_ems(table, i) for i in kept) * em + 2 * _SEPARATION * (len(kept) - 1)


def _ems(table: Table, column: int) -> float:
    written, heading = _plain(table, column)
    is_first = column == 0
    indented = [_INDENT * row.depth * is_first + ems(cell) for row, cell in zip(table.rows, written, strict=True)]
    return max([ems(heading), *indented])


def _alignment(table: Table, kept: Sequence[int]) -> str:
    """Text to the left, numbers to the right, and no blank at the outer edges."""
    return "@{}" + "".join("l" if grid.is_left(table.columns[i]) else "r" for i in kept) + "@{}"


# Cells ----------------------------------------------------------------------------------------------------------------


def _plain(table: Table, column: int) -> tuple[list[str], str]:
    """A column's cells before they become LaTeX, and its heading."""
    written, prefix = numbers.column([row.values[column] for row in table.rows], table.columns[column].unit)
    heading = table.columns[column].heading
    return written, f"{heading} ({prefix})" if prefix else heading


def _cells(table: Table, kept: Sequence[int]) -> tuple[str, list[str]]:
    """The line of headings, and the lines of rows, as LaTeX."""
    headings, columns = [], []
    for i in kept:
        written, heading = _plain(table, i)
        lacks = grid.missing_decimals([row.values[i] for row in table.rows], written)
        headings.append(escaped(heading))
        columns.append([_cell(c, lack, i in row.best) for c, lack, row in zip(written, lacks, table.rows, strict=True)])
    lines = [_row(row, cells, len(kept)) for row, cells in zip(table.rows, zip(*columns, strict=True), strict=True)]
    return _line(headings), [gap + line for gap, line in zip(_gaps(table.rows), lines, strict=True)]


def _gaps(rows: Sequence[Row]) -> Iterator[str]:
    """What parts a row from the one above it: a rule below the sum of all, and room around each part of the model."""
    depths = [row.depth for row in rows]
    for above, depth, below in zip([0, *depths], depths, [*depths[1:], 0], strict=False):
        if (above, depth) == (0, 1):
            yield "\\midrule\n"
        else:
            yield "\\addlinespace\n" if depth == 1 and max(above, below) > 1 else ""


def _cell(written: str, lack: str, is_best: bool) -> str:
    words = escaped(written)
    words = rf"\textbf{{{words}}}" if is_best else words
    return words + (rf"\phantom{{{lack}}}" if lack else "")


def _row(row: Row, cells: Sequence[str], columns: int) -> str:
    first = rf"\hspace*{{{_INDENT * row.depth:.1f}em}}{cells[0]}" if row.depth else cells[0]
    if row.failure is None:
        return _line([first, *cells[1:]])
    if columns == 1:
        return _line([f"{first} (failed)"])
    return _line([first, rf"\multicolumn{{{columns - 1}}}{{l@{{}}}}{{failed, see below}}"])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
