"""How is a table written in HTML? As a fragment for other pages, and as a whole document for a file of its own."""

from __future__ import annotations

from html import escape

from profiler.errors import shown
from profiler.render import grid, numbers
from profiler.render.document import document
from profiler.render.shown import SHORT, prepared
from profiler.render.tables import Caution, Row, Table, Tabled

SUFFIXES = (".html", ".htm")
_INDENT = "\u2003"  # an em space, which HTML does not fold


def write(table: Table) -> str:
    table = prepared(table)
    return "\n".join(part for part in [_table(table), facts(table), notes(table)] if part)


def facts(table: Table) -> str:
    """What is said of the whole, as a table of its own; of a prepared table, as in `notes`."""
    rows = "".join(
        f"<tr>{_cell('th', label, True)}{_cell('td', numbers.text(value, unit), False)}{_cell('td', remark, True)}</tr>"
        for label, value, unit, remark in table.facts
    )
    return f"<table>{rows}</table>" * bool(rows)


def notes(table: Table) -> str:
    return "".join(map(_note, table.notes))


def _note(note: str) -> str:
    return f'<p class="caution"><b>{escape(note)}</b></p>' if isinstance(note, Caution) else f"<p>{escape(note)}</p>"


def _table(table: Table) -> str:
    headings = [escape(column.heading) for column in table.columns]
    rows = [_row(row, cells) for row, cells in zip(table.rows, grid.cells(table), strict=True)]
    first, *lines = grid.tabulated(rows, table.columns, "unsafehtml", headings).splitlines()
    body = lines.index("<tbody>") + 1
    for i, (row, cells) in enumerate(zip(table.rows, rows, strict=True), body):
        if row.failure is not None:
            lines[i] = _failed(cells, row.failure)
    opening = first.replace("<table>", f'<table id="{escape(table.anchor)}">') if table.anchor else first
    caption = [f"<caption>{escape(table.caption)}</caption>"] if table.caption else []
    return "\n".join([opening, *caption, *map(_to_the_left, lines)])


def _row(row: Row, cells: list[str]) -> list[str]:
    words = [_INDENT * row.depth + escape(cells[0]), *map(escape, cells[1:])]
    return [f"<b>{cell}</b>" if i in row.best else cell for i, cell in enumerate(words)]


def _failed(cells: list[str], reason: str) -> str:
    """The reason takes the place of all values."""
    columns, words = max(len(cells) - 1, 1), escape(grid.failure(reason))
    return f'<tr><td>{cells[0]}</td><td colspan="{columns}" style="text-align: left;">{words}</td></tr>'


def _to_the_left(line: str) -> str:
    """tabulate gives no style to what stands to the left; browsers centre headings, notebooks put all to the right."""
    for tag in ("th", "td"):
        line = line.replace(f"<{tag}>", f'<{tag} style="text-align: left;">')
    return line


def _cell(tag: str, text: str, left: bool) -> str:
    return f'<{tag} style="text-align: {"left" if left else "right"}">{escape(text)}</{tag}>'


answer = grid.answers(write)


def whole(of: Tabled, title: str, notes: str = SHORT) -> str:
    """A file: of an answer that is a page to look into that page, of others their tables under a title."""
    page = of.page()
    if page is None:
        return document(title, f"<h1>{escape(shown(title))}</h1>\n<main>\n{answer(of, notes)}\n</main>")
    from profiler.render import report  # whose script and style are half a megabyte

    return report.page(page)
