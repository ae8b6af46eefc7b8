"""What is the answer to a question about more than one run? Something with tables for people and data for programs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from profiler.render.shown import Shown
from profiler.render.tables import Table


class Answer(Shown):
    """`tables` are for people, `raw_table` is for CSV, and `data` for JSON: sizes in bytes, None for not known."""

    __slots__ = ()

    @abstractmethod
    def tables(self) -> Iterator[Table]: ...

    @abstractmethod
    def raw_table(self) -> Table: ...

    @abstractmethod
    def data(self) -> dict[str, Any]: ...

    def _written(self, renderer: Any) -> str:
        return str(renderer.answer(self))
