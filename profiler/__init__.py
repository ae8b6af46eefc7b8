"""What a PyTorch model costs, layer by layer: parameters, FLOPs, megabytes and memory."""

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from profiler.answers.cross_check.compute import CrossCheck, cross_check
    from profiler.answers.diff.compute import Diff, diff
    from profiler.answers.generate.generating import generation
    from profiler.answers.largest.compute import largest_batch
    from profiler.answers.scan.compute import Scan, scan
    from profiler.api import compare, profile
    from profiler.errors import CheckFailed, ProfileError
    from profiler.figures.profile import Profile
    from profiler.ops import Cost, formula, free, product
    from profiler.records.versions import __version__

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
    "CrossCheck": "answers.cross_check.compute",
    "Diff": "answers.diff.compute",
    "Profile": "figures.profile",
    "ProfileError": "errors",
    "Scan": "answers.scan.compute",
    "__version__": "records.versions",
    "compare": "api",
    "cross_check": "answers.cross_check.compute",
    "diff": "answers.diff.compute",
    "formula": "ops",
    "free": "ops",
    "generation": "answers.generate.generating",
    "largest_batch": "answers.largest.compute",
    "product": "ops",
    "profile": "api",
    "scan": "answers.scan.compute",
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
