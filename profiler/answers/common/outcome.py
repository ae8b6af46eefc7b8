"""What is a verb of the command line? A function from options to an outcome, which the command prints.

A folder of `answers/` that has a `verb.py` is a verb: its name is the folder's, with "-" for "_". `verb.py` holds
`JOB`, the heading that it is listed under, and `run`, whose docstring is its help and whose parameters are its
arguments and options. Options that several verbs have are groups, which stand in `options`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol, TypeAlias, TypeVar

from cyclopts import Parameter

from profiler.errors import ProfileError

if TYPE_CHECKING:
    from profiler.answers.common.varying import Run
    from profiler.figures.profile import Profile
    from profiler.render.answer import Answer

T = TypeVar("T")

LOOK, COMPARE, CHECK, WHAT_IF, FILES = "look", "compare", "check", "what if", "files"
JOBS = (LOOK, COMPARE, CHECK, WHAT_IF, FILES)


class OneByOne(Protocol):
    """Goes through things, and shows how far it is."""

    def __call__(self, items: Sequence[T], names: Sequence[str]) -> Iterator[T]: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What the command lends a verb: what runs a model, the class of profiles, and what shows how far it is.

    counted: for so many things that end in any order. told: for things of which nobody knows how many there will be.
    """

    run: Run
    profile: type[Profile]
    one_by_one: OneByOne
    counted: Callable[[str, int], AbstractContextManager[Callable[[object], None]]]
    told: Callable[[str], AbstractContextManager[Callable[[object], None]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verb found out. Where there is no answer, the failures say why.

    failures: what could not be run, and checks that failed; the worst of them is the exit status.
    warnings: what a job's page on GitHub shows beside the table.
    profiles: those whose unknown operators `--strict` is about.
    saved: what `--save` keeps; None where nothing is to be kept.
    """

    answer: Answer | str | None
    failures: Sequence[ProfileError] = ()
    warnings: Sequence[str] = ()
    profiles: Sequence[Profile] = ()
    saved: Profile | None = None


Lent: TypeAlias = Annotated[Context, Parameter(parse=False)]
