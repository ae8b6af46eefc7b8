"""Is a library that models are from installed, and can it be imported? One line where not, whatever is wrong."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from profiler import errors


def imported(module: str, needs: str | None = None) -> Any:
    """A module of a library; raises `errors.MissingPackage`.

    needs: what `pip install` takes for it; None: the library alone.
    """
    library = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise errors.MissingPackage(library, f"pip install {needs or library}", error) from None
    except Exception as error:  # one that was built for another torch says so in ways of its own
        remedy = f"it may be made for another torch or Python: pip install --upgrade {needs or library} torch"
        raise errors.MissingPackage(library, remedy, error) from None
