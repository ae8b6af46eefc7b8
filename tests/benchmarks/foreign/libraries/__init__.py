"""Architectures of libraries that the profiler has never seen: a file a library, whose `ARCHITECTURES` are builders.

A builder takes nothing and returns `(model, inputs)` as the README offers it to specs: a tuple of inputs is several
positional arguments, a dict is keyword arguments, anything else is the one argument. Weights are random.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from torch import nn

Builder = Callable[[], tuple[nn.Module, Any]]


def names() -> list[str]:
    """The libraries: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def architectures(library: str) -> Mapping[str, Builder]:
    """A library's builders by the architectures' names; imports the library."""
    found: Mapping[str, Builder] = import_module(f"{__name__}.{library}").ARCHITECTURES
    return found


def build(library: str, architecture: str) -> tuple[nn.Module, Any]:
    """A model and its inputs: what a spec names."""
    return architectures(library)[architecture]()


def spec(library: str, architecture: str) -> str:
    """How the command line would name it."""
    return f'{__name__}:build(library="{library}", architecture="{architecture}")'
