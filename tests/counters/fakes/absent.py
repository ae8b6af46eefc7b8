"""Is not installed."""

from __future__ import annotations

DISTRIBUTION = "no-such-counter"
MODULE = "no_such_counter"


def read(model, args, kwargs):
    import no_such_counter  # noqa: F401
