"""What shows itself in every format: as text when printed, as HTML in a notebook, and by `to_latex()` and its like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Shown(ABC):
    """Something that the renderers know how to write: `_written` says by which of their functions."""

    __slots__ = ()

    @abstractmethod
    def _written(self, renderer: Any) -> str:
        """The thing as a format's module writes it."""

    def to_json(self) -> str:
        return self._as("json")

    def to_csv(self) -> str:
        return self._as("csv")

    def to_markdown(self) -> str:
        return self._as("markdown")

    def to_latex(self) -> str:
        return self._as("latex")

    def to_html(self) -> str:
        return self._as("html")

    def __str__(self) -> str:
        return self._as("text")

    def _repr_html_(self) -> str:
        return self.to_html()

    def _as(self, name: str) -> str:
        from profiler.render import renderer  # which needs to know what there is to show

        return self._written(renderer(name))
