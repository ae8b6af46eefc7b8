"""How is an answer shown in a notebook? A tree of layers as one that is opened and closed, everything else as tables.

There is no script, nothing is fetched, and it reads alike whether a notebook is trusted or not, for each viewer keeps
other markup:

- JupyterLab and Notebook 7 leave `details`, `summary` and `samp` in an untrusted output, and of `style` attributes the
  properties that are on a list, but no `style` element (`packages/apputils/src/sanitizer.ts` of jupyterlab/jupyterlab).
- VS Code shows HTML as it is in a workspace that is trusted, and none in one that is not
  (`extensions/notebook-renderers/src/index.ts` of microsoft/vscode); it has the plain text then.
- GitHub takes away all style (pandas-dev/pandas#33076), and may leave every part of a tree open
  (volkamerlab/teachopencadd#189).

So figures stand under each other by a typeface of one width and blanks that HTML does not fold, and not by style.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape

from profiler.render import grid, layout, numbers
from profiler.render.folding import Fold, folded
from profiler.render.formats import html
from profiler.render.shown import SHORT, prepared, with_notes
from profiler.render.tables import Column, Table, Tabled

MOST_ROWS = 1_000  # some 300 KB; a notebook keeps its outputs in its file
_OPEN = 2  # the depth to which it is open
_TALL = 60  # rows that are open, from which it scrolls
_WIDEST = 60  # places of a cell
_BAR = 12
_INDENT = 2
_BLANK = "\u00a0"
_FRAME = "overflow: auto; white-space: nowrap; line-height: 1.35; padding-left: 1.2em; margin-bottom: 1em"
_SUMMARY = "list-style-position: outside; cursor: pointer"  # the marker takes no room from the text
_WITHOUT_STYLE = f'<span style="display: none">{_BLANK * 2}</span>'  # the room of a marker, where it takes some


def view(answer: Tabled) -> str:
    """A fragment of HTML."""
    tables = (_bounded(prepared(with_notes(table, SHORT))) for table in answer.tables())
    return "\n".join(_tree(table) if _is_tree(table) else html.write(table) for table in tables)


def _is_tree(table: Table) -> bool:
    return any(row.depth for row in table.rows)


# What there is room for -----------------------------------------------------------------------------------------------


def _bounded(table: Table) -> Table:
    """A table of no more rows than a notebook should hold; what is left out is said."""
    table = folded(table, lambda shown: len(shown.rows) <= MOST_ROWS, _elsewhere)
    if len(table.rows) <= MOST_ROWS:
        return table
    words = f"Shown are the first {MOST_ROWS:,} of {len(table.rows):,} rows; print() and to_pandas() have all."
    return replace(table, rows=table.rows[:MOST_ROWS], notes=(*table.notes, words))


def _elsewhere(fold: Fold) -> str:
    return "print() and to_pandas() have all"


# A tree ---------------------------------------------------------------------------------------------------------------


def _tree(table: Table) -> str:
    lines = list(_lines(table))
    caption = f"<p><b>{escape(table.caption)}</b></p>" if table.caption else ""
    is_tall = sum(row.depth <= _OPEN for row in table.rows) > _TALL
    frame = _FRAME + "; max-height: 40em" * is_tall
    heading = f"<div><samp>{_WITHOUT_STYLE}<b>{lines[0]}</b></samp></div>"
    rows = "".join(_nested([row.depth for row in table.rows], lines[1:]))
    parts = [caption, f'<div style="{frame}">{heading}{rows}</div>', html.facts(table), html.notes(table)]
    return "\n".join(part for part in parts if part)


def _nested(depths: Sequence[int], lines: Sequence[str]) -> Iterator[str]:
    """Rows with others in them can be opened and closed."""
    around: list[int] = []  # depths of the rows that a row stands in
    for depth, below, line in zip(depths, [*depths[1:], 0], lines, strict=True):
        while around and around[-1] >= depth:
            around.pop()
            yield "</details>"
        if below > depth:
            around.append(depth)
            is_open = " open" if depth < _OPEN else ""
            yield f'<details{is_open}><summary style="{_SUMMARY}"><samp>{line}</samp></summary>'
        else:
            yield f"<div><samp>{_WITHOUT_STYLE}{line}</samp></div>"
    yield "</details>" * len(around)


def _lines(table: Table) -> Iterator[str]:
    """The headings, and each row with its figures under them."""
    columns = table.columns
    cells = [[layout.shortened(cell, _WIDEST) for cell in row] for row in grid.cells(table, indent=_INDENT)]
    widths = grid.widths(columns, cells)
    drawn = next((i for i in reversed(range(len(columns))) if columns[i].is_drawn), None)
    yield _line(columns, widths, [column.heading for column in columns], "")
    for row, written in zip(table.rows, cells, strict=True):
        if row.failure is not None:
            yield _line(columns[:1], widths[:1], written[:1], grid.failure(row.failure))
            continue
        share = row.values[drawn] if drawn is not None and row.depth else None
        yield _line(columns, widths, written, numbers.blocks(share, _BAR) if share else "", row.best)


def _line(
    columns: Sequence[Column],
    widths: Sequence[int],
    cells: Sequence[str],
    last: str,
    best: frozenset[int] = frozenset(),
) -> str:
    padded = [
        layout.padded(cell, width, grid.is_left(column))
        for cell, width, column in zip(cells, widths, columns, strict=True)
    ]
    safe = [escape(cell).replace(" ", _BLANK) for cell in [*padded, last]]
    marked = [f"<b>{cell}</b>" if i in best else cell for i, cell in enumerate(safe)]
    return (_BLANK * grid.BETWEEN).join(marked).rstrip(_BLANK)
