"""What did operators return before? Metadata of results by metadata of arguments, for the life of the process."""

from __future__ import annotations

from typing import Any, Final

import torch

from profiler.records.trace import Signature, Value

FRESH: Final = -1
_MOST_ENTRIES = 1 << 16


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


_entries: dict[Any, RememberedCall] = {}
_signatures: dict[Signature, Signature] = {}

recall = _entries.get


def remember(key: Any, entry: RememberedCall) -> None:
    if len(_entries) >= _MOST_ENTRIES:
        _entries.clear()
    _entries[key] = entry


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
    """The one object for all calls like this."""
    new = Signature(op, args, kwargs, output, inside_bytes)
    if len(_signatures) >= _MOST_ENTRIES:
        _signatures.clear()
    return _signatures.setdefault(new, new)
