"""In whose currency? Conventions turn recorded facts into the one number that is called `flops`.

Ours price a cost vector. A replica gives what another tool reports on the same model, from the trace alone. One file a
replica: its name is the file's, with "-" for "_", and it holds `CONVENTION`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from profiler import errors
from profiler.counters.convention import Charge, Convention, Replica, Weighing
from profiler.counters.ours import OURS
from profiler.records.trace import Trace

__all__ = ["DEFAULT", "Charge", "Convention", "Replica", "Weighing", "add", "applicable", "named", "names", "replicas"]

DEFAULT = "flops"
_OF_OPERATORS = ("fvcore", "torchprofile")  # the other counters look at modules, or at the functions of torch


_added: dict[str, Convention] = {}


def add(convention: Convention) -> None:
    """Make a convention of your own known by its name, for the life of the process."""
    if convention.name in names():
        raise ValueError(f"a convention is called {convention.name} already")
    _added[convention.name] = convention


def names() -> tuple[str, ...]:
    """Of all conventions, ours first."""
    return (*OURS, *replicas(), *_added)


@cache
def replicas() -> tuple[str, ...]:
    """The tools that there is a replica of."""
    found = (path.stem for path in (Path(__file__).parent / "tools").glob("*.py"))
    return tuple(sorted(name.replace("_", "-") for name in found if name != "__init__"))


def of_graphs() -> tuple[str, ...]:
    """The conventions that need nothing but a graph: our own, and replicas of counters that see operators alone."""
    return (*OURS, *(name for name in replicas() if name in _OF_OPERATORS), *_added)


def applicable(trace: Trace) -> tuple[str, ...]:
    """The conventions that a trace has all facts for."""
    return of_graphs() if trace.is_graph else names()


def named(name: str) -> Convention:
    """The convention of that name; raises `errors.NoSuchConvention`."""
    if name in OURS or name in _added:
        return OURS.get(name) or _added[name]
    if name not in replicas():
        raise errors.NoSuchConvention(name, names())
    found: Replica = import_module(f"profiler.counters.tools.{name.replace('-', '_')}").CONVENTION
    return found
