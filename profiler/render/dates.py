"""How is a point in time written? To the minute, as it is where the reader is."""

from __future__ import annotations

import time


def minute(seconds: float) -> str:
    """seconds: since 1970."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
