"""What do the other counters say? One file a counter; each is run for real, in a process of its own.

A peer is a module with

- `DISTRIBUTION` and `MODULE`: what `pip install` and `import` call the counter;
- `read(model, args, kwargs)`: calls it as its documentation says, and gives a `Reading`.

Importing this package or a peer imports neither torch nor the counter. A peer of your own is named by its module's
dotted name.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from profiler import errors
from profiler.counters.running.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

__all__ = ["Peer", "Reading", "names", "peer"]

# The files here that are no counter.
_SHARED = frozenset({"installed", "job", "modules", "reading", "run", "worker"})


class Peer(Protocol):
    """A counter, as the module that calls it."""

    DISTRIBUTION: str
    MODULE: str

    def read(self, model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading: ...


def names() -> tuple[str, ...]:
    """The counters there are, whether they are installed or not."""
    files = sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent / "running")]))
    return tuple(name.replace("_", "-") for name in files if name not in _SHARED)


def peer(name: str) -> Peer:
    """The counter of that name; raises `errors.NoSuchPeer`. A dotted name is the module of a counter of your own."""
    if "." in name:
        try:
            return cast(Peer, import_module(name))
        except ImportError as error:
            raise errors.CannotImport(name, error) from error
    if name not in names():
        raise errors.NoSuchPeer(name, names())
    return cast(Peer, import_module(f"profiler.counters.running.{name.replace('-', '_')}"))
