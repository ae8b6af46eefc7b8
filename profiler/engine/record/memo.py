"""What did operators return before, and layers of torch's do? By metadata of arguments, remembered between runs."""

from __future__ import annotations

from typing import Any, Final

import torch

from profiler.ops.registry import generation
from profiler.records.remembered import Recent, Shared
from profiler.records.trace import Signature, Value

FRESH: Final = -1
# With their keys, signatures and layouts they take 2 to 3 kB each, so 40 MB at most. A model that a search visits has
# some 40 new ones at first, and a dozen later (`python -m tests.benchmarks.long`).
_MOST_ENTRIES = 1 << 14
_MOST_LAYER_ENTRIES = 1 << 14  # in all tables of layers; a run, most often of one call, takes as much as an entry above


class RememberedCall:
    """A remembered call.

    answer: the layouts of what it returned, in the structure in which it returned it.
    source: which of the tensors among its arguments shares its storage with all that is returned; FRESH when the
        operator allocates; None when it has to be looked at each time.
    is_plain: one tensor is its only tensor argument, and nothing but it may need a stand-in.
    """

    __slots__ = ("answer", "is_plain", "signature", "source")

    def __init__(self, signature: Signature, answer: Any, source: int | None, is_plain: bool = False) -> None:
        self.signature = signature
        self.answer = answer
        self.source = source
        self.is_plain = is_plain


_entries: Recent[Any, RememberedCall] = Recent(_MOST_ENTRIES)
_signatures: Shared[Any, Signature] = Shared()

recall = _entries.get  # what was used lately, at the cost of any dictionary
recall_older = _entries.find
remember = _entries.__setitem__


# Runs of layers of torch's, by their settings, then their weights, then what they are fed; see `configured.py`.
_layers: dict[Any, dict[Any, dict[Any, Any]]] = {}
settings: dict[int, Any] = {}  # of layers that live, by their ids


def layers_like(key: Any) -> dict[Any, dict[Any, Any]]:
    """What is known of layers with the same class and settings."""
    alike = _layers.get(key)
    return _added(_layers, key, {}) if alike is None else alike


def runs_like(alike: dict[Any, dict[Any, Any]], weights: Any) -> dict[Any, Any]:
    """And of those whose weights have the same layouts, by what they are fed."""
    runs = alike.get(weights)
    return _added(alike, weights, {}) if runs is None else runs


def remember_layer(runs: dict[Any, Any], key: Any, run: Any) -> None:
    """What the run of a layer wrote down (`layer_runs.py`); or how often that failed."""
    _added(runs, key, run)


def _added(table: dict[Any, Any], key: Any, value: Any) -> Any:
    """What was added to one of the tables; where there are too many entries in all, none of them stays."""
    global _layer_entries  # noqa: PLW0603
    _layer_entries += 1
    if _layer_entries > _MOST_LAYER_ENTRIES:
        _forget_layers()
    table[key] = value
    return value


def _forget_layers() -> None:
    global _layer_entries  # noqa: PLW0603
    _layers.clear()
    settings.clear()
    _layer_entries = 0


_layer_entries = 0


def keep_up() -> None:
    """Start afresh when torch's default dtype is another one, which decides what integers become.

    And when an operator has got a formula: one that is made of others is then no longer taken apart.
    """
    global _state  # noqa: PLW0603
    now = torch.get_default_dtype(), generation()
    if _state != now:
        _entries.clear()
        _forget_layers()
        _state = now


_state = torch.get_default_dtype(), -1


def signature(
    op: str, args: tuple[Value, ...], kwargs: tuple[tuple[str, Value], ...], output: Value, inside_bytes: int = 0
) -> Signature:
    """The one object for all calls like this, for as long as a remembered call or a trace holds it."""
    key = op, args, kwargs, output, inside_bytes
    return _signatures.find(key) or _signatures.add(key, Signature(*key))
