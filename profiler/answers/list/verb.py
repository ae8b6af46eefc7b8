"""The names of models that are installed."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from profiler import errors
from profiler.answers.common.options import Result
from profiler.answers.common.outcome import FILES, Lent, Outcome

JOB = FILES
FORMATS = ("text",)


def run(
    pattern: Annotated[str, Parameter(help="As a shell has it: 'resnet*'.")] = "*",
    /,
    *,
    context: Lent,
    result: Result = Result(),
) -> Outcome:
    """The names of torchvision's and timm's models that match a pattern.

    Example: profile-model list 'resnet*'
    """
    from profiler.sources import names  # imports the model libraries

    found = names(pattern)
    if not found:
        raise _nothing_matches(pattern)
    return Outcome("\n".join(found))


# What is said ---------------------------------------------------------------------------------------------------------


def _nothing_matches(pattern: str) -> errors.ProfileError:
    return errors.ProfileError(f"no model name matches {pattern!r}; a pattern is written like 'resnet*'")
