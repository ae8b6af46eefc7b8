"""Which models do torchvision and timm have? Read from their files, so that no name costs an import of torch."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from profiler import errors
from profiler.sources import libraries

ZOOS = ("torchvision", "timm")  # in the order in which a bare name is looked up
# `@register_model` of timm, `@register_model()` or `@register_model(name="...")` of torchvision; then other decorators,
# each on one line or on several that are indented, and the function.
_REGISTERED = re.compile(
    r'^@register_model(?:\((?:name="(?P<name>[^"]+)")?\))?\n(?:@.*\n(?:[ )].*\n)*)*def (?P<function>\w+)\(',
    re.MULTILINE,
)
_RENAMED = re.compile(r"^register_model_deprecations\((?P<names>.*?)^\}?\)", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"""["'](\w+)["']\s*:""")


def of(zoo: str) -> list[str]:
    """The names of one zoo's models, sorted; raises `errors.MissingPackage`."""
    registry = _registry(zoo)
    return sorted(_registered(_folder(zoo)) if registry is None else registry.list_models(), key=_natural)


def has(zoo: str, name: str) -> bool:
    """Whether a zoo has a model of that name, or had one that it renamed."""
    name = name.partition(".")[0] if zoo == "timm" else name  # the part after the dot names the weights
    registry = _registry(zoo)
    if registry is None:
        return name in _registered(_folder(zoo)) or name in _renamed(_folder(zoo))
    return name in registry.list_models() or bool(getattr(registry, "is_model", lambda _: False)(name))


def _registry(zoo: str) -> Any:
    """The zoo's own registry, where it is imported (user code may have added models) or its files list no model."""
    module = f"{zoo}.models"
    return libraries.imported(module) if module in sys.modules or not _registered(_folder(zoo)) else None


def names(pattern: str) -> list[str]:
    """The models whose name matches a shell pattern; timm's behind "timm:" where torchvision has the same name.

    A pattern such as "timm:resnet*" is about one zoo, whose names then all have its prefix.
    """
    zoo, _, rest = pattern.partition(":")
    if zoo in ZOOS and rest:
        return [f"{zoo}:{name}" for name in of(zoo) if fnmatchcase(name, rest)]
    return [name for name in every() if fnmatchcase(name, pattern) or fnmatchcase(name.partition(":")[2], pattern)]


def matching(pattern: str) -> list[str]:
    """The same as `names`; raises `errors.ProfileError` where there are none."""
    matches = names(pattern)
    if not matches:
        raise errors.ProfileError(f"no model name matches {pattern!r}; a pattern is written like 'resnet*'")
    return matches


def every() -> Iterator[str]:
    """The models of all installed zoos; a name that an earlier zoo has too gets its zoo's prefix."""
    earlier: set[str] = set()
    for zoo in ZOOS:
        with suppress(errors.MissingPackage):
            for name in of(zoo):
                yield f"{zoo}:{name}" if name in earlier else name
                earlier.add(name)


# Names in their files ------------------------------------------------------------------------------------------------


def _folder(zoo: str) -> Path:
    return libraries.folder(zoo) / "models"


@cache
def _sources(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))


@cache
def _registered(folder: Path) -> frozenset[str]:
    return frozenset(match["name"] or match["function"] for match in _REGISTERED.finditer(_sources(folder)))


@cache
def _renamed(folder: Path) -> frozenset[str]:
    """Names that timm still takes and does not list."""
    return frozenset(name for match in _RENAMED.finditer(_sources(folder)) for name in _KEY.findall(match["names"]))


def _natural(name: str) -> list[int | str]:
    """resnet34 before resnet101, as timm sorts them."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name.lower())]
