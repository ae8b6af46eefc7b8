"""How is a table written in LaTeX? With booktabs, and with longtable where it is longer than a page.

It goes into a paper by an input command, or by a paste.

Numbers are written as papers have them: one unit a column, named in its heading, decimal points under each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from profiler.render import grid, numbers
from profiler.render.page import INDENT, SEPARATION, Page, fitted, plain
from profiler.render.shown import prepared
from profiler.render.tables import Column, Row, Table
from profiler.render.tex import breakable, escaped

SUFFIXES = (".tex",)
_LONG = 40  # rows that a page can still hold, with a caption and notes


def write(table: Table) -> str:
    table = prepared(table)
    page = fitted(table)
    headings, rows = _cells(table, page)
    is_long = len(rows) > _LONG
    packages = "{booktabs, longtable}" if is_long else "{booktabs}"
    facts = [
        f"{label}: {numbers.text(value, unit)}{f' ({remark})' if remark else ''}"
        for label, value, unit, remark in table.facts
    ]
    remarks = [
        rf"In the preamble: \usepackage{packages}",
        *facts,
        *grid.dropped(table, page.kept, "Markdown and CSV have them"),
    ]
    body = (_longtable if is_long else _float)(table, page, headings, rows)
    return "\n".join([*(f"% {remark}" for remark in remarks), *body])


answer = grid.answers(write, is_paper=True)


# The two shapes of a table --------------------------------------------------------------------------------------------


def _float(table: Table, page: Page, headings: str, rows: Sequence[str]) -> Iterator[str]:
    yield r"\begin{table}[htbp]"
    yield r"\centering"
    yield from _caption(table, r"\par\smallskip")
    yield rf"{page.size}\setlength{{\tabcolsep}}{{{SEPARATION}pt}}%"
    yield rf"\begin{{tabular}}{{{_alignment(table, page)}}}"
    yield from [r"\toprule", headings, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    yield from _notes(table, "\\par\\smallskip\n")
    yield r"\end{table}"


def _longtable(table: Table, page: Page, headings: str, rows: Sequence[str]) -> Iterator[str]:
    """Its headings stand on every page, and it does not float."""
    yield rf"\begingroup{page.size}\setlength{{\tabcolsep}}{{{SEPARATION}pt}}%"
    yield r"\setlength{\LTcapwidth}{\linewidth}"
    yield rf"\begin{{longtable}}{{{_alignment(table, page)}}}"
    yield from _caption(table, r"\\")
    yield from [r"\toprule", headings, r"\midrule", r"\endfirsthead"]
    yield rf"\multicolumn{{{len(page.kept)}}}{{@{{}}l}}{{\emph{{continued}}}}\\"
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


def _alignment(table: Table, page: Page) -> str:
    """Text to the left, numbers to the right, and no blank at the outer edges."""
    return "@{}" + "".join(_aligned(table.columns[i], page.wrapped.get(i)) for i in page.kept) + "@{}"


def _aligned(column: Column, wrapped_to: float | None) -> str:
    if wrapped_to is not None:
        return f"p{{{wrapped_to:.0f}pt}}"
    return "l" if grid.is_left(column) else "r"


# Cells ----------------------------------------------------------------------------------------------------------------


def _cells(table: Table, page: Page) -> tuple[str, list[str]]:
    """The line of headings, and the lines of rows, as LaTeX."""
    headings, columns = [], []
    for i in page.kept:
        written, heading = plain(table, i)
        headings.append(escaped(heading))
        columns.append(_column(table, i, written, is_wrapped=i in page.wrapped))
    lines = [_row(row, cells) for row, cells in zip(table.rows, zip(*columns, strict=True), strict=True)]
    return _line(headings), [gap + line for gap, line in zip(_gaps(table.rows), lines, strict=True)]


def _column(table: Table, i: int, written: Sequence[str], is_wrapped: bool) -> Iterator[str]:
    lacks = grid.missing_decimals([row.values[i] for row in table.rows], written)
    is_number = not grid.is_left(table.columns[i])
    for row, cell, lack in zip(table.rows, written, lacks, strict=True):
        words = breakable(cell) if is_wrapped else escaped(cell.replace("-", "−") if is_number else cell)
        words = rf"\textbf{{{words}}}" if i in row.best else words
        indent = rf"\hspace*{{{INDENT * row.depth:.1f}em}}" if i == 0 and row.depth else ""
        yield rf"\raggedright{{}}{indent}{words}" if is_wrapped else indent + words + _phantom(lack)


def _phantom(lack: str) -> str:
    """Room for the decimals that others of the column have."""
    return rf"\phantom{{{lack}}}" if lack else ""


def _gaps(rows: Sequence[Row]) -> Iterator[str]:
    """What parts a row from the one above it: a rule below the sum of all, and room around each part of the model."""
    depths = [row.depth for row in rows]
    for above, depth, below in zip([0, *depths], depths, [*depths[1:], 0], strict=False):
        if (above, depth) == (0, 1):
            yield "\\midrule\n"
        else:
            yield "\\addlinespace\n" if depth == 1 and max(above, below) > 1 else ""


def _row(row: Row, cells: Sequence[str]) -> str:
    if row.failure is None:
        return _line(cells)
    if len(cells) == 1:
        return _line([f"{cells[0]} (failed)"])
    return _line([cells[0], rf"\multicolumn{{{len(cells) - 1}}}{{l@{{}}}}{{failed, see below}}"])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
