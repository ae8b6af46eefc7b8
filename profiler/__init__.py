"""What does a PyTorch model cost, layer by layer? Parameters, FLOPs, megabytes and memory."""

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from profiler.answers.ablate.compute import Ablation
    from profiler.answers.cross_check.compute import CrossCheck
    from profiler.answers.diff.compute import Diff
    from profiler.answers.scan.compute import Scan
    from profiler.api import (
        Profile,
        ablate,
        compare,
        cross_check,
        diff,
        generate,
        largest,
        plot,
        profile,
        replaced,
        report,
        scan,
        score,
        sensitivity,
        sweep,
        without,
    )
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
    "Profile": "api",
    "ProfileError": "errors",
    "Scan": "answers.scan.compute",
    "__version__": "records.versions",
    "ablate": "api",
    "compare": "api",
    "cross_check": "api",
    "diff": "api",
    "formula": "ops",
    "free": "ops",
    "generate": "api",
    "largest": "api",
    "plot": "api",
    "product": "ops",
    "profile": "api",
    "replaced": "api",
    "report": "api",
    "scan": "api",
    "score": "api",
    "sweep": "api",
    "without": "api",
    "sensitivity": "api",
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
