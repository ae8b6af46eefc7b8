"""What a LaTeX document may refer to a table by."""

from __future__ import annotations

import re

from profiler import errors

_ANCHOR = re.compile(r"[\w:./+-]+", re.ASCII)


def anchor(label: str | None) -> str:
    """Raises `errors.BadAnchor`."""
    if label and not _ANCHOR.fullmatch(label):
        raise errors.BadAnchor(label)
    return label or ""
