"""Which layers does a pattern name? As a shell has it, of their paths and classes: `*` stands for dots as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from profiler import errors
from profiler.records.trace import Module

_LISTS = {"torch.nn.modules.container.ModuleList", "torch.nn.modules.container.ModuleDict"}


def matches(pattern: str, path: str, kind: str) -> bool:
    """Whether a layer's path or its class is what the pattern describes."""
    return fnmatchcase(path, pattern) or fnmatchcase(kind, pattern)


def is_in(path: str, layer: str) -> bool:
    """Whether a path is a layer's, or inside of it; "" is the model's."""
    return path == layer or not layer or path.startswith(f"{layer}.")


def outermost(paths: Iterable[str]) -> list[str]:
    """The paths, in their order, without those that are inside of another."""
    several = dict.fromkeys(paths)
    return [path for path in several if not any(above in several for above in _above(path))]


def _above(path: str) -> Iterator[str]:
    """The paths that it is inside of: "layer1.0" and "layer1" of "layer1.0.conv1"."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def layers_to_change(modules: Sequence[Module], pattern: str, model: str) -> list[str]:
    """The paths of the outermost layers that match, each layer once; not the model itself, whose name is `model`.

    A ModuleList or ModuleDict is never called, so it stands for the layers in it. Raises `errors.ProfileError` where
    none matches.
    """
    by_path = {module.path: module for module in modules}
    matching = outermost(m.path for m in modules if m.path and matches(pattern, m.path, m.kind))
    if not matching:
        names = [name for module in modules if module.path for name in (module.path, module.kind)]
        raise errors.no_layer_matches(pattern, model, names)
    several = [inner for path in matching for inner in _called(by_path, path)]
    firsts = [path if (same := by_path[path].same_as) is None else modules[same].path for path in several]
    return list(dict.fromkeys(firsts))


def _called(by_path: dict[str, Module], path: str) -> Iterator[str]:
    if not _LISTS.intersection(by_path[path].classes):
        yield path
        return
    for inner in by_path:
        if inner.startswith(f"{path}.") and "." not in inner[len(path) + 1 :]:
            yield from _called(by_path, inner)
