"""What is asked of a sweep? Which models, fed and run how, whose FLOPs, and on which devices; and was it the same?"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from profiler import errors
from profiler.answers.common.models import NamedModel
from profiler.answers.sweep.row import Asked
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.times import Timer
from profiler.records.versions import __version__

SCHEMA = 1
_LIBRARIES = ("torch", "torchvision", "timm", "transformers")


@dataclass(frozen=True, slots=True)
class Request:
    """specs: as they were written, of which the models are. devices: as they are called, each with its timer."""

    specs: tuple[str, ...]
    models: tuple[NamedModel, ...]
    conventions: tuple[str, ...]
    devices: Mapping[str, Timer]
    under: Conditions = AS_IT_IS
    published: bool = False

    def asked(self, index: int, trace_cache: str | None = None) -> Asked:
        """Of one of the models. trace_cache: the folder of kept traces."""
        model = self.models[index]
        under = AS_IT_IS if model.is_saved else self.under
        timers = tuple(self.devices.values())
        rest = self.conventions, timers, self.published, os.getcwd(), trace_cache
        return Asked(model.spec, model.feed, under, *rest)

    def head(self) -> dict[str, Any]:
        """The request as plain data, which the journal of the same request begins with."""
        fed = [(model.spec, model.feed) for model in self.models]
        options = {"convention": list(self.conventions), "device": list(self.devices), "metrics": self.published}
        return {
            "sweep": SCHEMA,
            "specs": list(self.specs),
            "models": len(self.models),
            "digest": hashlib.sha256(repr(fed).encode()).hexdigest(),
            "options": options | {name: _plain(value) for name, value in self.under.options().items()},
            "versions": dict(_versions()),
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _versions() -> Iterator[tuple[str, str]]:
    yield "profile-model", __version__
    for library in _LIBRARIES:
        try:
            yield library, version(library)
        except PackageNotFoundError:
            continue


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """In which way another request was made before; None where it was the same."""
    if before.get("sweep") != now["sweep"]:
        return "it is of another version of this package"
    for part in ("options", "versions"):
        told = before[part] if isinstance(before.get(part), dict) else {}
        for name in dict.fromkeys((*told, *now[part])):
            if told.get(name) != now[part].get(name):
                return f"{name} was {_words(told.get(name))} then, and is {_words(now[part].get(name))} now"
    if before.get("specs") != now["specs"]:
        return f"it is of {_words(before.get('specs'))}, and {_words(now['specs'])} is asked for now"
    if before.get("digest") != now["digest"]:
        return f"it has {before.get('models')} models or inputs that are not those of now, {now['models']}"
    return None


def _words(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return errors.some([str(part) for part in value]) or "none"
    return "not there" if value in (None, False) else str(value)
