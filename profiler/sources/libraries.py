"""Is a library of models installed, and can it be imported? Where not, one line says why."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import Any

from profiler import errors

_DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml"}  # by import name, where the name for pip differs


def folder(library: str, needs: str | None = None) -> Path:
    """Where a library is installed, without importing it; raises `errors.MissingPackage`.

    needs: the packages that `pip install` takes for it; None: the library alone.
    """
    spec = importlib.util.find_spec(library)
    if spec is None or spec.origin is None or not spec.submodule_search_locations:  # a plain folder has no origin
        raise errors.MissingPackage(library, "is not installed", needs or library)
    return Path(spec.submodule_search_locations[0])


def imported(module: str, needs: str | None = None) -> Any:
    """A module of a library; raises `errors.MissingPackage`, which names the library that is missing."""
    library = module.partition(".")[0]
    folder(library, needs)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or library).partition(".")[0]
        if missing == library:
            raise _broken(library, error, library) from None
        install = _DISTRIBUTIONS.get(missing, missing)
        raise errors.MissingPackage(library, f"needs {missing}, which is not installed", install) from None
    except Exception as error:  # a library that was built for another torch may raise anything
        raise _broken(library, error, f"{needs or library} torch") from None


# Error messages -------------------------------------------------------------------------------------------------------


def _broken(library: str, error: Exception, install: str) -> errors.MissingPackage:
    reason = f"cannot be imported ({errors.first_line(error)}), and may be made for another torch or Python"
    return errors.MissingPackage(library, reason, f"--upgrade {install}")
