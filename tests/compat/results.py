"""What the models are in one environment, and where two environments say something else of a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Results:
    """The versions of the libraries, and by name what each model's profile says, as JSON holds it."""

    versions: Mapping[str, str]
    models: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure, by where it stands, as it is in this environment and in the other."""

    where: str
    here: Any
    there: Any


def read(path: Path) -> Results:
    found = json.loads(path.read_text())
    return Results(found["versions"], found["models"])


def differences(here: Any, there: Any, where: str = "") -> Iterator[Difference]:
    """Every figure that is not the same. Layers are told apart by their paths, everything else by its name."""
    if isinstance(here, dict) and isinstance(there, dict):
        for name in dict.fromkeys((*here, *there)):
            if name == "layers":
                yield from _of_layers(here.get(name, []), there.get(name, []))
            else:
                yield from differences(here.get(name), there.get(name), f"{where}.{name}" if where else name)
    elif here != there:
        yield Difference(where, here, there)


def _of_layers(here: list[Any], there: list[Any]) -> Iterator[Difference]:
    before, after = ({layer["path"]: layer for layer in layers} for layers in (here, there))
    if list(before) != list(after):
        yield Difference("the order of layers", list(before), list(after))
    for path in before:
        for found in differences(before[path], after.get(path, {})):
            yield Difference(f"{path or '(model)'}: {found.where}", found.here, found.there)
