"""What does `profile-model list` do? It prints the names of models that are installed, or of devices that are known."""

from __future__ import annotations

from typing import Annotated

from profiler.answers.common.options import Argument, TextOptions, option
from profiler.answers.common.outcome import FILES, Context, Outcome
from profiler.answers.list.devices import Devices
from profiler.devices import catalogue
from profiler.sources import matching

JOB = FILES
FORMATS = ("text",)


def run(
    pattern: Annotated[str, Argument("As a shell has it: 'resnet*'.")] = "*",
    /,
    *,
    context: Context,
    devices: Annotated[bool, option("Not models, but devices, and what they can do.")] = False,
    result: TextOptions = TextOptions(),
) -> Outcome:
    """The names of models that match a pattern: torchvision's and timm's; or those of devices.

    Example: profile-model list 'resnet*'
    """
    if devices:
        return Outcome(Devices(tuple(catalogue.matching(pattern))))
    return Outcome("\n".join(matching(pattern)))
