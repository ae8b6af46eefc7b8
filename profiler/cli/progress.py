"""How is progress shown? By a line on stderr that says what is being done, if stderr is a terminal; then it is gone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from profiler import errors

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")
_LONGEST = 200  # characters of a name that a bar shows
_PATIENCE = 1.0  # seconds: what is done by then needs no word


def with_progress(items: Sequence[T], names: Sequence[str]) -> Iterator[T]:
    """The items one by one, with a bar, the name of the one at work and the time left; for one item, a line."""
    if len(items) == 1:
        with progress_line(f"at work on {names[0]}"):
            yield items[0]
        return
    if not items or not sys.stderr.isatty():
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
    """A bar for items that end in any order, with how many end in a second. Nothing without a terminal.

    Call what it yields once for each, with words that stand behind the title from then on, or with anything else.
    """
    if not sys.stderr.isatty():
        yield lambda ended: None
        return
    with _bar(has_rate=True) as progress:
        task = progress.add_task(_words(title), total=total)

        def tell(ended: object) -> None:
            words = f"{title}, {ended}" if isinstance(ended, str) and ended else title
            progress.update(task, advance=1, description=_words(words))

        yield tell


@contextmanager
def progress_line(title: str, seconds: float | None = None) -> Iterator[Callable[[object], None]]:
    """A line once it takes a while: what is at work, and the item where the number of items is not known.

    seconds: how long it is to take from the first item on, where that is known. Nothing without a terminal.
    """
    if not sys.stderr.isatty():
        yield lambda item: None
        return
    line = _Late(title, seconds)
    try:
        yield line.tell
    finally:
        line.end()


class _Late:
    """A line that a thread begins after a while: what it takes to draw one is not even imported before."""

    def __init__(self, title: str, seconds: float | None) -> None:
        self._title, self._seconds = title, seconds
        self._begun_at: float | None = None
        self._progress: Progress | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="profile-model progress", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        if self._ended.wait(_PATIENCE):
            return
        progress = _spinner() if self._seconds is None else _bar_of_time()
        progress.add_task(_words(self._title), total=self._seconds)
        progress.start()
        self._progress = progress

    def tell(self, item: object) -> None:
        """An item has ended."""
        now = time.monotonic()
        self._begun_at = self._begun_at or now
        if self._progress is None:
            return
        (task,) = self._progress.task_ids
        words = self._title if item is None else f"{self._title} {item}"
        done = min(now - self._begun_at, self._seconds) if self._seconds is not None else None
        self._progress.update(task, description=_words(words), completed=done)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        if self._progress is not None:
            self._progress.stop()


def _words(text: str) -> str:
    """Names are somebody else's: no markup of the bar, and no command to the terminal."""
    from rich.markup import escape

    return escape(errors.shown(text[:_LONGEST]))


def _bar(has_rate: bool = False) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many end in a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    left = (TimeRemainingColumn(compact=True), TextColumn("left"))
    columns = (BarColumn(), MofNCompleteColumn(), *((Rate(),) if has_rate else ()), *left)
    return _shown(*columns, TextColumn("{task.description}"), redirects=True)


def _bar_of_time() -> Progress:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    return _shown(BarColumn(), TimeRemainingColumn(compact=True), TextColumn("left"), TextColumn("{task.description}"))


def _spinner() -> Progress:
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    return _shown(SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))


def _shown(*columns: ProgressColumn, redirects: bool = False) -> Progress:
    """redirects: what is printed meanwhile stands above; not from a thread, whose streams are not its own."""
    from rich.console import Console  # behind the runs that need no bar
    from rich.progress import Progress

    class KeepsCursor(Console):
        """A model's code may end the process at any time, and a cursor that is hidden then would stay so."""

        def show_cursor(self, show: bool = True) -> bool:
            return False

    console = KeepsCursor(file=sys.stderr)
    return Progress(*columns, console=console, transient=True, redirect_stdout=redirects, redirect_stderr=redirects)
