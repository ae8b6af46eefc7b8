"""Which labels may a LaTeX document refer to a table by?"""

from __future__ import annotations

import re

from profiler import errors

_ANCHOR = re.compile(r"[\w:./+-]+", re.ASCII)


def anchor(label: str | None) -> str:
    """Raises `errors.ProfileError`."""
    if label and not _ANCHOR.fullmatch(label):
        raise _bad_anchor(label)
    return label or ""


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_anchor(text: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--tex-label {text!r}: a LaTeX label is made of letters, digits and : . _ / + -, like tab:cost"
    )
