"""Which operators and kinds of layers do we know? Those that the files of this folder register, read when first needed.

Reading them takes a tenth of a second, which a command that only refuses an option does not need.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from threading import RLock

_lock = RLock()
_is_loading = _is_loaded = False


def load() -> None:
    """Import every file once. Other threads wait; a file that looks something up while it is imported does not."""
    global _is_loading, _is_loaded  # noqa: PLW0603
    if _is_loaded:
        return
    with _lock:
        if _is_loading or _is_loaded:
            return
        _is_loading = True
        try:
            for file in pkgutil.walk_packages([str(Path(__file__).parent)], "profiler.ops."):
                import_module(file.name)
            _is_loaded = True
        finally:
            _is_loading = False
