"""Which input and which conditions do Python functions run a model with? Keywords named as the command's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from profiler import errors
from profiler.answers.common.varying import sized, with_batch
from profiler.records.conditions import ConditionOptions, Conditions, conditions
from profiler.records.inputs import positional_and_named
from profiler.records.spec import Feed


class Sizes(TypedDict, total=False):
    """How large the input is.

    batch: how many samples, in the place of the first dimension of every input.
    seq: how many tokens of text, for models of transformers.
    trust_remote_code: run the code that an hf: model's files bring along.
    """

    batch: int | None
    seq: int | None
    trust_remote_code: bool


class RunOptions(ConditionOptions, Sizes, total=False):
    """The conditions of a run, and how large its input is."""


def sized_feed(sizes: Sizes, inputs: Any = None, kwargs: Mapping[str, Any] | None = None) -> Feed:
    """With tensors, as `profile` takes them. Raises `errors.ProfileError`."""
    for name in sizes:
        if name not in Sizes.__annotations__:
            raise _no_such_size(name)
    batch, arguments = sizes.get("batch"), positional_and_named(inputs, kwargs)
    args, named = arguments if batch is None else sized(arguments, with_batch(batch))
    return Feed(args, named, batch, sizes.get("seq"), bool(sizes.get("trust_remote_code")))


def feed_and_conditions(
    options: RunOptions, inputs: Any = None, kwargs: Mapping[str, Any] | None = None
) -> tuple[Feed, Conditions]:
    """How the model is fed, and run; raises `errors.ProfileError`."""
    sizes: Any = {name: value for name, value in options.items() if name in Sizes.__annotations__}
    rest: Any = {name: value for name, value in options.items() if name not in sizes}
    return sized_feed(sizes, inputs, kwargs), conditions(**rest)


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_size(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"{name!r} says nothing of an input; there are {', '.join(Sizes.__annotations__)}")
