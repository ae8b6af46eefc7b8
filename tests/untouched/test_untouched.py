"""A model comes back as it was, whatever its forward pass does, by whichever engine, and however it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch

from profiler import errors, profile
from tests.laws import PROFILES, examples
from tests.untouched import behaviours
from tests.untouched.behaviours import BEHAVIOURS
from tests.untouched.fingerprint import Fingerprint
from tests.untouched.hostile import WIDTH, Hostile

_ENDS: dict[str, tuple[str, type[BaseException] | None]] = {
    "ok": ("", None),
    "raises at the first call": ("first", ValueError),
    "raises in the middle": ("middle", ValueError),
    "interrupted": ("middle", KeyboardInterrupt),
    "exits": ("middle", SystemExit),
}
_KINDS = ("inference", "train", "real", "growing")
# Memory that is resized for real comes back with its values, at another address.
_ELSEWHERE = {"weight: resized": "pointer"}


def _model(name: str, kind: str = "inference") -> Hostile:
    return Hostile(BEHAVIOURS[name], asks=kind == "real", grows=kind == "growing")


def _ending(end: str) -> Callable[[str], None]:
    place, error = _ENDS[end]

    def ending(where: str) -> None:
        if where == place and error is not None:
            raise error("the end")

    return ending


def _fingerprint(model: Hostile) -> Fingerprint:
    ending, model.end = model.end, None
    try:
        return Fingerprint(model, {n: v for n, v in vars(behaviours).items() if n not in ("BEHAVIOURS", "Behaviour")})
    finally:
        model.end = ending


def _ends(name: str, kind: str) -> dict[str, type[BaseException] | None]:
    """All of them in inference, and in a nightly run; else that all goes well and, by turns, one of the others."""
    ends = {end: error for end, (_, error) in _ENDS.items()}
    if kind == "inference" or examples() > PROFILES["push"]:
        return ends
    turn = list(BEHAVIOURS).index(name) + _KINDS.index(kind)
    first, *others = ends
    return {end: ends[end] for end in (first, others[turn % len(others)])}


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("name", BEHAVIOURS)
def test_untouched(name: str, kind: str) -> None:
    model = _model(name, kind)
    before = _fingerprint(model)
    for end, error in _ends(name, kind).items():
        model.end = _ending(end)
        with suppress(errors.ProfileError, KeyboardInterrupt):
            profile(model, torch.ones(2, WIDTH), train=kind == "train")
            assert error is None, f"{end}: it went well"
        differences = before.differences(_fingerprint(model))
        assert not [d for d in differences if _ELSEWHERE.get(name, "none") not in d], (end, differences[:5])


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_the_fingerprint_sees_it(name: str) -> None:
    """Without a profile, each behaviour changes what is compared. A test that can fail."""
    model = _model(name)
    before, everything = _fingerprint(model), _everything()
    try:
        with suppress(Exception):
            model(torch.ones(2, WIDTH))
        assert before.differences(_fingerprint(model))
    finally:
        everything()


def _everything() -> Any:
    """Puts back by hand what a behaviour changes outside of its model."""
    from profiler.engine.guard.guard import Guard

    guard = Guard([Hostile(BEHAVIOURS["registry: attribute"], False)])
    caches = (behaviours.TABLE, behaviours.SET, behaviours.DEEP["in"]["in"], behaviours.WEAK, Hostile.tables)

    def put_back() -> None:
        guard.restore()
        for cache in caches:
            cache.clear()
        behaviours.KNOWN["x"] = torch.ones(1)
        del behaviours.LISTED[1:]
        vars(behaviours.OBJECT).update(table=None)
        behaviours.BOUND = None
        vars(behaviours._bind).clear()
        behaviours._cached.cache_clear()
        behaviours._of_input.cache_clear()
        behaviours._keeping.__closure__[0].cell_contents = None

    return put_back
