"""What did operators return before? Metadata of results by metadata of arguments, remembered between runs."""

from __future__ import annotations

from typing import Any, Final

import torch

from profiler.records.remembered import Recent, Shared
from profiler.records.trace import Signature, Value

FRESH: Final = -1
# With their keys, signatures and layouts they take 2 to 3 kB each, so 40 MB at most. A model that a search visits has
# some 40 new ones at first, and a dozen later (`python -m tests.benchmarks.long`).
_MOST_ENTRIES = 1 << 14


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


def keep_up() -> None:
    """Start afresh when torch's default dtype is another one: it decides what integers become."""
    global _default_dtype  # noqa: PLW0603
    if _default_dtype is not torch.get_default_dtype():
        _entries.clear()
        _default_dtype = torch.get_default_dtype()


_default_dtype = torch.get_default_dtype()


def signature(
    op: str, args: tuple[Value, ...], kwargs: tuple[tuple[str, Value], ...], output: Value, inside_bytes: int = 0
) -> Signature:
    """The one object for all calls like this, for as long as a remembered call or a trace holds it."""
    key = op, args, kwargs, output, inside_bytes
    return _signatures.find(key) or _signatures.add(key, Signature(*key))
