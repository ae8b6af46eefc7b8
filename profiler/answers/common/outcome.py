"""What is a verb of the command line? A function from options to an outcome, which the command prints.

A folder of `answers/` that has a `verb.py` is a verb: its name is the folder's, with "-" for "_". `verb.py` holds
`JOB`, the heading that it is listed under, and `run`, whose docstring is its help and whose parameters are its
arguments and options, but for `context`. Options that several verbs have are groups, which stand in `options`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from profiler.errors import ProfileError

if TYPE_CHECKING:
    from profiler.answers.common.varying import Run
    from profiler.figures.profile import Profile
    from profiler.records.times import Timer
    from profiler.render.answer import Answer
    from profiler.sources.trace_cache.cache import TraceCache

T = TypeVar("T")

LOOK, COMPARE, CHECK, WHAT_IF, FILES = "look", "compare", "check", "what if", "files"
JOBS = (LOOK, COMPARE, CHECK, WHAT_IF, FILES)


class ProgressLoop(Protocol):
    """Yields the items one by one, and shows a progress bar meanwhile."""

    def __call__(self, items: Sequence[T], names: Sequence[str]) -> Iterator[T]: ...


class ProgressLine(Protocol):
    """Shows what is at work, for as long as the context lasts; what it yields is told each item that ended."""

    def __call__(
        self, title: str, seconds: float | None = None
    ) -> AbstractContextManager[Callable[[object], None]]: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What the command passes to every verb: how to run a model, the class of profiles, and how to show progress.

    timer: the device that `--device` names, where there is one. All that `run` and `profile` make is on it.
    trace_cache: where `run` looks traces up and keeps them; None where it does not.

    with_progress: yields items one by one. progress_bar: for a number of items that end in any order; call what it
    yields once for each. progress_line: the same where the number of items is not known in advance, perhaps how many
    seconds they are to take. What ends soon has no line.
    """

    run: Run
    profile: Callable[..., Profile]
    with_progress: ProgressLoop
    progress_bar: Callable[[str, int], AbstractContextManager[Callable[[object], None]]]
    progress_line: ProgressLine
    timer: Timer | None = None
    trace_cache: TraceCache | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a verb. Where there is no answer, the failures say why.

    failures: what could not be run, and checks that failed; the worst of them is the exit status.
    warnings: what a job's page on GitHub shows beside the table.
    profiles: those whose unknown operators `--strict` is about.
    saved: what `--save` keeps; None where nothing is to be kept.
    remarks: what is told on standard error though nothing went wrong.
    """

    answer: Answer | str | None
    failures: Sequence[ProfileError] = ()
    warnings: Sequence[str] = ()
    profiles: Sequence[Profile] = ()
    saved: Profile | None = None
    remarks: Sequence[str] = ()
