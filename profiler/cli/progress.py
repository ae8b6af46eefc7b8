"""How is progress shown? By a bar on stderr while several items are worked on, if stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from profiler import errors

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
_LONGEST = 200  # characters of a name that a bar shows


def with_progress(items: Sequence[T], names: Sequence[str]) -> Iterator[T]:
    """The items one by one, with a bar and the name of the one at work; nothing for one item or without a terminal."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    with _bar() as progress:
        task = progress.add_task("", total=len(items))
        for item, name in zip(items, names, strict=True):
            progress.update(task, description=_words(name), refresh=True)
            yield item
            progress.advance(task)


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[object], None]]:
    """A bar for items that end in any order: call what it yields once for each. Nothing without a terminal."""
    if not sys.stderr.isatty():
        yield lambda ended: None
        return
    with _bar() as progress:
        task = progress.add_task(_words(title), total=total)
        yield lambda ended: progress.advance(task)


@contextmanager
def progress_line(title: str) -> Iterator[Callable[[object], None]]:
    """A line that names the item at work, where the number of items is not known. Nothing without a terminal."""
    if not sys.stderr.isatty():
        yield lambda item: None
        return
    with _bar() as progress:
        task = progress.add_task(_words(title), total=None)
        yield lambda item: progress.update(task, description=_words(f"{title} {item}"), advance=1, refresh=True)


def _words(text: str) -> str:
    """Names are somebody else's: no markup of the bar, and no command to the terminal."""
    from rich.markup import escape

    return escape(errors.shown(text[:_LONGEST]))


def _bar() -> Progress:
    from rich.console import Console  # behind the runs that need no bar
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=Console(file=sys.stderr), transient=True)
