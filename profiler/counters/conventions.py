"""In whose currency? Conventions turn recorded facts into the one number that is called `flops`.

Ours price a cost vector. The others are the replicas of other counters, as `profiler.counters` lists them: each gives
what its counter reports on the same model, from the trace alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from profiler import counters, errors
from profiler.counters.convention import Charge, Convention, Replica, Weighing
from profiler.counters.ours import OURS
from profiler.records.trace import Trace

__all__ = [
    "DEFAULT", "Charge", "Convention", "Replica", "Weighing", "add", "applicable", "is_applicable", "named", "names",
]  # fmt: skip

DEFAULT = "flops"

_added: dict[str, Convention] = {}


def add(convention: Convention) -> None:
    """Make a convention of your own known by its name, for the life of the process.

    convention: a `Replica`; `ValueError` where one has its name already.
    """
    if convention.name in names():
        raise ValueError(f"a convention is called {convention.name} already")
    _added[convention.name] = convention


def names() -> tuple[str, ...]:
    """Of all conventions, ours first."""
    return (*OURS, *counters.names(), *_added)


def is_applicable(convention: Convention, trace: Trace) -> bool:
    """Whether a trace has all facts for a convention: a graph has none of the model's code."""
    return not (trace.is_graph and isinstance(convention, Replica) and convention.needs_code)


def applicable(trace: Trace) -> tuple[str, ...]:
    """The conventions that a trace has all facts for."""
    return tuple(name for name in names() if is_applicable(named(name), trace))


def named(name: str) -> Convention:
    """The convention of that name; raises `errors.ProfileError`."""
    if name in OURS or name in _added:
        return OURS.get(name) or _added[name]
    if name not in counters.names():
        raise _no_such_convention(name, names())
    return counters.tool(name).CONVENTION


# What is said ---------------------------------------------------------------------------------------------------------


def _no_such_convention(name: str, names: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"no convention is called {name!r}; choose one of {', '.join(names)}")
