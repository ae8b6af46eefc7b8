"""What does a PyTorch model cost, layer by layer? Parameters, FLOPs, megabytes and memory."""

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from profiler.answers.ablate.compute import Ablation
    from profiler.answers.cross_check.compute import CrossCheck
    from profiler.answers.diff.compute import Diff
    from profiler.answers.scan.compute import Scan
    from profiler.api.ablating import ablate, replaced, without
    from profiler.api.comparing import compare, diff, report
    from profiler.api.drawing import plot
    from profiler.api.measuring import sensitivity
    from profiler.api.profiling import Profile, profile
    from profiler.api.running import cross_check, generate, largest, scan
    from profiler.api.scoring import score
    from profiler.api.sweeping import sweep
    from profiler.errors import CheckFailed, ProfileError
    from profiler.ops import Cost, formula, free, product
    from profiler.records.versions import __version__

__all__ = [
    "Ablation",
    "CheckFailed",
    "Cost",
    "CrossCheck",
    "Diff",
    "Profile",
    "ProfileError",
    "Scan",
    "__version__",
    "ablate",
    "compare",
    "cross_check",
    "diff",
    "formula",
    "free",
    "generate",
    "largest",
    "plot",
    "product",
    "profile",
    "replaced",
    "report",
    "scan",
    "score",
    "sensitivity",
    "sweep",
    "without",
]

# Imported when it is asked for: the command has to watch over its imports, so this package must not come with any.
_PLACES = {
    "Ablation": "answers.ablate.compute",
    "CheckFailed": "errors",
    "Cost": "ops",
    "CrossCheck": "answers.cross_check.compute",
    "Diff": "answers.diff.compute",
    "Profile": "api.profiling",
    "ProfileError": "errors",
    "Scan": "answers.scan.compute",
    "__version__": "records.versions",
    "ablate": "api.ablating",
    "compare": "api.comparing",
    "cross_check": "api.running",
    "diff": "api.comparing",
    "formula": "ops",
    "free": "ops",
    "generate": "api.running",
    "largest": "api.running",
    "plot": "api.drawing",
    "product": "ops",
    "profile": "api.profiling",
    "replaced": "api.ablating",
    "report": "api.comparing",
    "scan": "api.running",
    "score": "api.scoring",
    "sweep": "api.sweeping",
    "without": "api.ablating",
    "sensitivity": "api.measuring",
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
