"""How much of a tree is shown where there is little room? All of it down to a depth, and what is left out is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from profiler.render.tables import Table


@dataclass(frozen=True, slots=True)
class Fold:
    """What is shown of a tree: to which depth of how many, and how many of its rows."""

    depth: int
    deepest: int
    rows: int
    all_rows: int

    def __str__(self) -> str:
        return f"Shown to depth {self.depth} of {self.deepest}, {self.rows:,} of {self.all_rows:,} rows"


def folded(table: Table, fits: Callable[[Table], bool], remedy: Callable[[Fold], str]) -> Table:
    """The table to the greatest depth with which it fits, 1 at least, with a note; as it is where that is all.

    remedy: how the rest is seen, to follow "Shown to depth 1 of 3, 11 of 119 rows; ".
    """
    deepest = max((row.depth for row in table.rows), default=0)
    for depth in range(deepest, 0, -1):
        shown = table if depth == deepest else to_depth(table, depth, deepest, remedy)
        if depth == 1 or fits(shown):
            return shown
    return table


def to_depth(table: Table, depth: int, deepest: int, remedy: Callable[[Fold], str]) -> Table:
    rows = tuple(row for row in table.rows if row.depth <= depth)
    fold = Fold(depth, deepest, len(rows), len(table.rows))
    return replace(table, rows=rows, notes=(*table.notes, f"{fold}; {remedy(fold)}."))
