"""From where may a model's code import? From the folder of its file, too: as it is loaded, built and run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def importing_from(folder: str | None) -> Iterator[None]:
    """Python finds modules in a folder first, as it does where the file in it is run; "" is the current folder.

    folder: None where the code needs none.
    """
    if folder is None:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with suppress(ValueError):  # the code may have taken it away itself
            sys.path.remove(folder)
