"""Raises, with a message of several lines and a cause."""

from __future__ import annotations

DISTRIBUTION = MODULE = "torch"


def read(model, args, kwargs):
    try:
        raise KeyError("rule")
    except KeyError as error:
        raise RuntimeError("cannot count\nsee above") from error
