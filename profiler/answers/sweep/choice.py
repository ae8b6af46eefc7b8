"""Which rows of a sweep are shown, and in which order? Those that are wanted, within a budget, and the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from profiler import errors
from profiler.answers.check.compute import Limit
from profiler.answers.common.limitable import PEAK_MEMORY, TIME, UNKNOWN
from profiler.answers.common.options import names
from profiler.answers.common.ordering import pareto, rank
from profiler.answers.sweep.columns import directed, is_ok, no_such_column
from profiler.answers.sweep.where import where
from profiler.render.tables import Column, Unit

Rows: TypeAlias = Sequence[Mapping[str, Any]]
_RUNNERS_UP = 9
_COLUMN_OF = {PEAK_MEMORY: "memory"}  # of a figure that a limit is about, where it is called otherwise


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked of the rows.

    where: an expression. limits: the budget that a row has to be within, as far as all of its figures are known.
    pareto: columns in which no other row is better without being worse in another of them.
    best: the column that the best row is wanted of, and the runners-up. sort: by which column. top: how many.
    """

    where: str | None = None
    limits: tuple[Limit, ...] = ()
    pareto: tuple[str, ...] = ()
    best: str | None = None
    sort: str | None = None
    top: int | None = None

    @property
    def focus(self) -> tuple[str, ...]:
        """The columns that it is about, without a direction."""
        asked = (*self.pareto, *((self.best,) if self.best else ()))
        limited = (_COLUMN_OF.get(limit.figure.name, limit.figure.name) for limit in self.limits)
        return (*(name.removesuffix(":min").removesuffix(":max") for name in asked), *limited)


def axes(text: str | None) -> tuple[str, ...]:
    """Columns as a command line names them, `acc@1,macs`; raises `errors.ProfileError` where it names none."""
    several = names(text)
    if text is not None and not several:
        raise _no_axes(text)
    return several


def chosen(rows: Rows, choice: Choice, known: Mapping[str, Column]) -> tuple[Rows, list[str]]:
    """The rows that are shown, in order, and what is to be said of it; raises `errors.ProfileError`."""
    check(choice, known)
    remarks: list[str] = []
    if choice.where is not None:
        holds = where(choice.where, known).holds
        rows = [row for row in rows if holds(row)]
        remarks.append(f"Only rows of which this is true: {choice.where}.")
    if choice.limits:
        rows = [row for row in rows if is_ok(row) and all(_is_within(row, limit, choice) for limit in choice.limits)]
        remarks.append(f"Only models of at most {', '.join(_words(limit) for limit in choice.limits)}.")
    if choice.pareto:
        rows = _front(rows, choice, known)
        remarks.append(f"No other model is better in one of {', '.join(choice.pareto)} and worse in none.")
    if choice.best is not None:
        rows = _best(rows, choice.best, known)
        remarks.append(f"The best by {choice.best} first.")
    if choice.sort is not None:
        rows = sorted(rows, key=lambda row: rank(row.get(choice.sort or "")))
    top = choice.top or (1 + _RUNNERS_UP if choice.best is not None else None)
    return rows[:top], remarks


def check(choice: Choice, known: Mapping[str, Column]) -> None:
    """Raise what `chosen` would raise whatever the rows are."""
    if choice.best is not None and choice.sort is not None:
        raise _sorts_already(choice.best, choice.sort)
    if len(choice.pareto) == 1:
        raise _one_direction(choice.pareto[0])
    for name in (*choice.pareto, *((choice.best,) if choice.best else ())):
        directed(name, known)
    if choice.sort is not None and choice.sort not in known:
        raise no_such_column(choice.sort, known)
    if choice.where is not None:
        where(choice.where, known)
    for limit in choice.limits:
        if limit.figure.name == TIME and TIME not in known:
            devices = [name for name in known if name.startswith(f"{TIME}_")]
            raise _needs_one_device(limit.place, bool(devices))


def _is_within(row: Mapping[str, Any], limit: Limit, choice: Choice) -> bool:
    """What an operator without a formula leaves out may be over the limit, unless such calls are allowed."""
    value = row.get(_COLUMN_OF.get(limit.figure.name, limit.figure.name))
    is_judged = any(other.figure.name == UNKNOWN for other in choice.limits)
    if value is None or (limit.figure.needs_formulas and row.get("unknown") and not is_judged):
        return False
    measured: int = round(value * 1e9) if limit.figure.unit is Unit.NANOSECONDS else value
    return measured <= limit.most


def _front(rows: Rows, choice: Choice, known: Mapping[str, Column]) -> Rows:
    axes = [directed(name, known) for name in choice.pareto]
    points = [_point(row, [column.name for column, _ in axes]) for row in rows]
    front = pareto([point for point in points if point is not None], [direction for _, direction in axes])
    return [row for row, point in zip(rows, points, strict=True) if point in front]


def _point(row: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...] | None:
    values = tuple(row.get(name) for name in names)
    return values if all(isinstance(value, (int, float, Decimal)) for value in values) else None


def _best(rows: Rows, name: str, known: Mapping[str, Column]) -> Rows:
    """Those that have a value, the best first."""
    column, direction = directed(name, known)
    having = [row for row in rows if isinstance(row.get(column.name), (int, float, Decimal))]
    return sorted(having, key=lambda row: row[column.name], reverse=direction == "max")


def _words(limit: Limit) -> str:
    return f"{limit.words} {limit.figure.words}"


# Error messages -------------------------------------------------------------------------------------------------------


def _sorts_already(best: str, sort: str) -> errors.ProfileError:
    return errors.ProfileError(f"--best {best} sorts the rows, and so does --sort {sort}; leave one of them out")


def _no_axes(text: str) -> errors.ProfileError:
    return errors.ProfileError(f"--pareto {text!r} names no column; name two or more, like acc@1,macs")


def _one_direction(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"--pareto {name}: one column has one best row; name two, or write --best {name}")


def _needs_one_device(option: str, has_several: bool) -> errors.ProfileError:
    if has_several:
        return errors.ProfileError(f"{option} is about one device; name one, or write --where 'time_NAME < 5ms'")
    return errors.only_with(option, "--device")
