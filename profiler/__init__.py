"""What a PyTorch model costs, layer by layer: parameters, FLOPs, megabytes and memory."""

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from profiler.crosscheck import CrossCheck, cross_check
    from profiler.differences import Diff, diff
    from profiler.errors import CheckFailed, ProfileError
    from profiler.largest import largest_batch
    from profiler.llm.generating import generation
    from profiler.ops import Cost, formula, free, product
    from profiler.profiles import Profile
    from profiler.profiling import compare, profile
    from profiler.scans import Scan, scan
    from profiler.versions import __version__

__all__ = [
    "CheckFailed",
    "Cost",
    "CrossCheck",
    "Diff",
    "Profile",
    "ProfileError",
    "Scan",
    "__version__",
    "compare",
    "cross_check",
    "diff",
    "formula",
    "free",
    "generation",
    "largest_batch",
    "product",
    "profile",
    "scan",
]

# Imported when it is asked for: the command has to watch over its imports, so this package must not come with any.
_PLACES = {
    "CheckFailed": "errors",
    "Cost": "ops",
    "CrossCheck": "crosscheck",
    "Diff": "differences",
    "Profile": "profiles",
    "ProfileError": "errors",
    "Scan": "scans",
    "__version__": "versions",
    "compare": "profiling",
    "cross_check": "crosscheck",
    "diff": "differences",
    "formula": "ops",
    "free": "ops",
    "generation": "llm.generating",
    "largest_batch": "largest",
    "product": "ops",
    "profile": "profiling",
    "scan": "scans",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    place = f"{__name__}.{_PLACES.get(name, name)}"
    try:
        module = import_module(place)
    except ModuleNotFoundError as error:
        if error.name != place:
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(module, name) if name in _PLACES else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
