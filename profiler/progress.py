"""How far is it? A bar on stderr while several things are done, where somebody can see it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def shown(items: Sequence[T], names: Sequence[str]) -> Iterator[T]:
    """The items one by one, with a bar and the name of the one at work; nothing for one item or without a terminal."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console  # behind the runs that need no bar
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("", total=len(items))
        for item, name in zip(items, names, strict=True):
            progress.update(task, description=escape(name), refresh=True)
            yield item
            progress.advance(task)
