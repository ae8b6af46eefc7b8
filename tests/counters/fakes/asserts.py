"""Raises without a word, as counters do that assert what they expect."""

from __future__ import annotations

DISTRIBUTION = MODULE = "torch"


def read(model, args, kwargs):
    assert len(args) > 99
