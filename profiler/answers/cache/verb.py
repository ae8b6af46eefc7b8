"""What does `profile-model cache` do? It says what is kept of earlier runs, and clears it away."""

from __future__ import annotations

from typing import Annotated

from profiler.answers.cache.compute import content
from profiler.answers.common.options import Result, option
from profiler.answers.common.outcome import FILES, Context, Outcome

JOB = FILES


def run(
    *,
    context: Context,
    clear: Annotated[bool, option("Remove all that is kept.")] = False,
    list_: Annotated[bool, option("A row for each trace, that used last first.", name="--list")] = False,
    result: Result = Result(),
) -> Outcome:
    """The traces that are kept of earlier runs: a model that did not change is not run again.

    Example: profile-model cache --list
    """
    return Outcome(content(list_, clear))
