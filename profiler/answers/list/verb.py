"""The names of models that are installed."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from profiler.answers.common.options import TextOptions
from profiler.answers.common.outcome import FILES, ContextParameter, Outcome
from profiler.sources import matching

JOB = FILES
FORMATS = ("text",)


def run(
    pattern: Annotated[str, Parameter(help="As a shell has it: 'resnet*'.")] = "*",
    /,
    *,
    context: ContextParameter,
    result: TextOptions = TextOptions(),
) -> Outcome:
    """The names of torchvision's and timm's models that match a pattern.

    Example: profile-model list 'resnet*'
    """
    return Outcome("\n".join(matching(pattern)))
