"""From a model or a spec to its profile: sources, then the trace. torch is imported when a model has to be run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profiler import errors, sources
from profiler.conventions import DEFAULT
from profiler.inputs import TensorSpec, parse
from profiler.profiles import Profile
from profiler.records import Trace
from profiler.sources.spec import Feed

if TYPE_CHECKING:
    from torch import nn


def profile(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    convention: str = DEFAULT,
) -> Profile:
    """Run a model once, on the meta device where that is possible, and give its profile.

    model: a `torch.nn.Module`, which comes back untouched, or a spec such as "resnet34" or "timm:dpn92".
    inputs: a shape, as a string "1x3x224x224:float16" or a tuple of ints; a tensor, or any other object, which is
        passed as it is; or a tuple of such, for several positional arguments. A spec has inputs of its own.
    kwargs: keyword arguments of the forward pass.
    convention: whose FLOPs the profile's `flops` are; see `Profile.under`.

    Raises `profiler.errors.ProfileError`, whose text is one line that says what to do.
    """
    if isinstance(model, str):
        positional, named = _arguments(inputs, kwargs)
        return _profile(sources.load(model, Feed(positional, named)), convention)
    return _profile(_live(model, inputs, kwargs), convention)


def profile_spec(spec: str, feed: Feed, convention: str) -> Profile:
    """The profile of what a spec names."""
    return _profile(sources.load(spec, feed), convention)


def compare(profiles: Sequence[Profile], columns: Sequence[str] = ()) -> str:
    """Several profiles side by side, one row a model, as text."""
    from profiler.render import text

    return text.models(profiles, columns)


def _profile(found: Any, convention: str) -> Profile:
    if isinstance(found, Trace):
        return Profile(found, convention)
    from profiler.trace import trace

    return Profile(trace(found), convention)


def _live(model: Any, inputs: Any, kwargs: Mapping[str, Any] | None) -> Any:
    from profiler.trace import Subject

    name = type(model).__name__
    if not callable(getattr(model, "named_modules", None)):
        raise errors.NotAModel("the object given", name)
    positional, named = _arguments(inputs, kwargs)
    if not positional and not named:
        raise errors.InputsNeeded(name)
    return Subject(model, name, "live", positional, named)


def _arguments(inputs: Any, kwargs: Mapping[str, Any] | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    named = dict(kwargs or {})
    if inputs is None:
        return (), named
    several = inputs if type(inputs) is tuple and not _is_shape(inputs) else (inputs,)
    positional = []
    for given in several:
        spec = _spec(given)
        if isinstance(spec, TensorSpec) and spec.name is not None:
            named[spec.name] = spec
        else:
            positional.append(spec)
    return tuple(positional), named


def _spec(given: Any) -> Any:
    """A shape, however it is written, as a `TensorSpec`; anything else as it is."""
    if isinstance(given, str):
        return parse(given)
    return TensorSpec(given) if _is_shape(given) else given


def _is_shape(given: Any) -> bool:
    return isinstance(given, tuple) and len(given) > 0 and all(type(size) is int for size in given)
