"""Why a model differs on some versions: each reason stands in docs/compat.md too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import NamedTuple


class Reason(NamedTuple):
    """Of models whose name matches, where the versions of the libraries are such."""

    models: str
    applies: Callable[[Mapping[str, str]], bool]
    text: str


REASONS: tuple[Reason, ...] = ()


def reason(model: str, versions: Mapping[str, str]) -> str | None:
    """The first that applies; None where a difference has no reason yet."""
    return next((each.text for each in REASONS if fnmatch(model, each.models) and each.applies(versions)), None)
