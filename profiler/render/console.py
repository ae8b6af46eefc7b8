"""How does rich show an answer (`rich.print`, `Console.print`)? As a terminal does, in the room that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profiler.errors import printable
from profiler.render.folding import Fold
from profiler.render.screen import STYLES, fitted
from profiler.render.shown import SHORT, prepared, with_notes
from profiler.render.tables import Tabled

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class View:
    """What rich draws, line by line; names are text to it, and no markup."""

    def __init__(self, answer: Tabled) -> None:
        self._answer = answer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        height = options.size.height if console.is_terminal and not console.is_jupyter else None
        for number, table in enumerate(self._answer.tables()):
            if number:
                yield Text()
            for line in fitted(prepared(with_notes(table, SHORT)), options.max_width, height, _elsewhere):
                pieces = ((printable(text), STYLES[role]) for text, role in line)
                yield Text.assemble(*pieces, no_wrap=True, overflow="ignore")


def _elsewhere(fold: Fold) -> str:
    return "print() shows all"
