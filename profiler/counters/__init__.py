"""In whose currency is a cost told, and do the other counters agree?

`tools/` has one file a counter, and the folder is the list. A file is named as its counter is, with "_" for "-", and
holds all that is known of it:

- `CONVENTION`: its `Replica`, which gives what the counter reports from a trace alone;
- `DISTRIBUTION` and `MODULE`: what `pip install` and `import` call it;
- `read(model, args, kwargs)`: calls it as its documentation says, and gives a `Reading`.

Importing such a file imports neither torch nor the counter. A counter of your own is named by its module's dotted name,
and needs no `CONVENTION`.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from profiler import errors
from profiler.counters import tools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from profiler.counters.convention import Replica
    from profiler.counters.running.reading import Reading


class Counter(Protocol):
    """A counter, as the module that calls it."""

    DISTRIBUTION: str
    MODULE: str

    def read(self, model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading: ...


class Tool(Counter, Protocol):
    """A file of `tools/`."""

    CONVENTION: Replica


@cache
def names() -> tuple[str, ...]:
    """The counters there are, whether they are installed or not."""
    return tuple(sorted(file.name.replace("_", "-") for file in pkgutil.iter_modules(tools.__path__)))


def tool(name: str) -> Tool:
    """All that is known of the counter of that name; raises `errors.ProfileError`."""
    if name not in names():
        raise errors.no_such_counter(name, names())
    return cast(Tool, import_module(f"{tools.__name__}.{name.replace('-', '_')}"))


def counter(name: str) -> Counter:
    """The counter of that name, or the one that a module of your own calls, by its dotted name."""
    if "." not in name:
        return tool(name)
    try:
        return cast(Counter, import_module(name))
    except ImportError as error:
        raise errors.cannot_import(name, error) from error
