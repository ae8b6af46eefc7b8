"""What is an answer? Something that every format can write: tables for people, a raw table for CSV, data for JSON.

A class of answers holds what was found out, and a file of tables beside it says how it is shown, by `show`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from profiler.render.shown import SHORT
from profiler.render.tables import Table

if TYPE_CHECKING:
    from pandas import DataFrame

    from profiler.render.console import View

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Shown(Generic[A]):
    """How answers of one class are shown.

    tables: for people. paper_tables: for papers, where that are others.
    raw_table: for CSV, with whole numbers and sizes in bytes; by default the first of `tables`.
    data: for JSON, a dict or a list of such, with sizes in bytes and None for what is not known; by default the rows
        of the raw table.
    page: of an answer that is a page to look into, what `render.report` makes it of.
    about: what holds for all rows of the raw table, and is in none of its columns, as a frame's `attrs`.
    """

    tables: Callable[[A], Iterable[Table]]
    raw_table: Callable[[A], Table] | None = None
    data: Callable[[A], Any] | None = None
    paper_tables: Callable[[A], Iterable[Table]] | None = None
    page: Callable[[A], Mapping[str, Any]] | None = None
    about: Callable[[A], dict[str, Any]] | None = None


class Answer:
    """Shows itself in every format: as text when printed, as a tree in a notebook, and by `to_latex()` and its like."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """IPython would prefer a `__repr__` of the class, which a dataclass has, to one of ours that it inherits."""
        super().__init_subclass__()
        cls._repr_pretty_ = Answer._repr_pretty_  # type: ignore[method-assign]

    def to_json(self) -> str:
        """Its data, with exact numbers and bytes; `"schema"` is the version of the keys."""
        return self._in("json")

    def to_csv(self) -> str:
        """A row for each row of its table, with exact numbers and bytes."""
        return self._in("csv")

    def to_markdown(self, notes: str = SHORT) -> str:
        """A table as GitHub renders it.

        notes: what stands under it, "short", "full" or "none", as `--notes` has them.
        """
        return self._in("markdown", notes)

    def to_latex(self, notes: str = SHORT) -> str:
        """A table for a paper, of the package booktabs.

        notes: as `to_markdown` has them.
        """
        return self._in("latex", notes)

    def to_html(self, notes: str = SHORT) -> str:
        """A table to be put into a page.

        notes: as `to_markdown` has them.
        """
        return self._in("html", notes)

    def to_pandas(self) -> DataFrame:
        """A frame with the rows and columns of `to_csv()`, sizes in bytes and times in seconds; see `render.frame`.

        Raises `errors.ProfileError` where pandas is not installed.
        """
        from profiler.render.frame import frame

        made = frame(self.raw_table())
        made.attrs |= self.about()
        return made

    def about(self) -> dict[str, Any]:
        """What a whole table is about, which no column says: the model, the convention."""
        return {} if self._how.about is None else self._how.about(self)

    def __str__(self) -> str:
        return self._in("text")

    # Where it is shown without being printed: in a notebook, by IPython, by rich ------------------------------------

    def _repr_html_(self) -> str:
        from profiler.render.notebook import view

        return view(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For IPython in a terminal, and where a notebook shows no HTML."""
        from profiler.render.screen import in_short

        printer.text(in_short(self))

    def __rich__(self) -> View:
        from profiler.render.console import View

        return View(self)

    # How it is shown, as the formats ask for it; see `Shown` --------------------------------------------------------

    def tables(self) -> Iterable[Table]:
        """For people."""
        return self._how.tables(self)

    def paper_tables(self) -> Iterable[Table]:
        """For papers."""
        return (self._how.paper_tables or self._how.tables)(self)

    def raw_table(self) -> Table:
        """For CSV."""
        return next(iter(self.tables())) if self._how.raw_table is None else self._how.raw_table(self)

    def data(self) -> Any:
        """For JSON; None where the rows of the raw table are all."""
        return None if self._how.data is None else self._how.data(self)

    def page(self) -> Mapping[str, Any] | None:
        """What a page shows; None of an answer that is tables alone."""
        return None if self._how.page is None else self._how.page(self)

    @property
    def _how(self) -> Shown[Any]:
        return next(_shown[cls] for cls in type(self).__mro__ if cls in _shown)

    def _in(self, name: str, *notes: str) -> str:
        from profiler.render import renderer  # which imports the formats, and with them this file

        return str(renderer(name).answer(self, *notes))


def show(cls: type[A], shown: Shown[A]) -> None:
    """Say how a class of answers is shown; its subclasses are shown alike."""
    _shown[cls] = shown


_shown: dict[type, Shown[Any]] = {}
