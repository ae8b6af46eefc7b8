"""A progress bar on stderr, for lists of models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

T = TypeVar("T")


def track(items: Sequence[T]) -> Iterator[T]:
    """Each item in turn, with its text and the elapsed time shown on stderr."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(items))
        for item in items:
            progress.update(task, description=str(item))
            yield item
            progress.advance(task)
