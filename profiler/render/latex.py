"""LaTeX with booktabs; what is said under a table stands in comments above it."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.render import grid
from profiler.tables import Table

SUFFIXES = (".tex",)
_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$", "→": r"$\rightarrow$", "·": r"$\cdot$",
    "<": r"\textless{}", ">": r"\textgreater{}", "…": r"\ldots{}", "≥": r"$\geq$",
}  # fmt: skip


def _render(table: Table) -> str:
    rows = [
        [rf"\hspace{{{row.depth}em}}" * bool(row.depth) + escaped(cells[0]), *map(escaped, cells[1:])]
        for row, cells in zip(table.rows, grid.cells(table), strict=True)
    ]
    headings = [escaped(c.heading) for c in table.columns]
    return "\n".join([*(f"% {note}" for note in table.notes), _tabulated(headings, rows, table)])


def _tabulated(headings: Sequence[str], rows: Sequence[Sequence[str]], table: Table) -> str:
    """tabulate's booktabs format escapes what is escaped already, so its raw format gets booktabs' rules."""
    written = grid.tabulated(headings, rows, table.columns, "latex_raw")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        written = written.replace(r"\hline", rule, 1)
    return written


def escaped(cell: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in cell)


layers, models = grid.dressed(_render)
