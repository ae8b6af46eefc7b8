"""How is a model spec written? `[PREFIX:]TARGET[(key=literal, ...)]`: its arguments are never evaluated."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from profiler import errors

_PATTERN = re.compile(r"(?:(?P<prefix>[^:()]+):)?(?P<target>[^:()]+)(?P<arguments>\(.*\))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed spec: `timm:dpn92(num_classes=10)` has prefix "timm", target "dpn92" and one keyword argument.

    args: arguments without a name, which those of a layer may be and those of a model are not.
    """

    text: str
    prefix: str | None
    target: str
    kwargs: Mapping[str, Any]
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Feed:
    """What the user wants the model fed with, instead of the model's own inputs.

    args, kwargs: what the forward pass takes; `TensorSpec`s among them stand for tensors.
    batch: takes the place of the first dimension of every tensor.
    seq: how many tokens of text, for models that take some.
    trusts_code: whether code that comes with a model's files may be run.
    is_run: whether the model is run, and not only looked at for what it holds.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    batch: int | None = None
    seq: int | None = None
    trusts_code: bool = False
    is_run: bool = True

    @property
    def is_given(self) -> bool:
        return bool(self.args or self.kwargs)


@dataclass(frozen=True, slots=True)
class Published:
    """What is published about one set of weights: their name, and figures by (data set, metric)."""

    weights: str
    figures: Mapping[tuple[str, str], float]


def parse(text: str, takes_positional: bool = False) -> Spec:
    """Read a spec; raises `errors.BadSpec` with the place that is wrong."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise errors.BadSpec(text, "write NAME, timm:NAME, FILE.py:CALLABLE or NAME(key=value)")
    args, kwargs = _arguments(text, match["arguments"])
    if args and not takes_positional:
        raise errors.BadSpec(text, "arguments need names, like (num_classes=10)")
    return Spec(text.strip(), match["prefix"], match["target"].strip(), kwargs, args)


def written(spec: Spec) -> str:
    """The text that `parse` reads as this."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in spec.kwargs.items())
    prefix = "" if spec.prefix is None else f"{spec.prefix}:"
    return f"{prefix}{spec.target}" + (f"({arguments})" if arguments else "")


def _arguments(text: str, written: str | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if written is None:
        return (), {}
    try:
        call = ast.parse(f"_{written}", mode="eval").body
        if not isinstance(call, ast.Call):
            raise SyntaxError
        if any(keyword.arg is None for keyword in call.keywords):
            raise errors.BadSpec(text, "arguments need names, like (num_classes=10)")
        if len({keyword.arg for keyword in call.keywords}) < len(call.keywords):
            raise errors.BadSpec(text, "an argument is given twice")
        kwargs = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        return tuple(map(ast.literal_eval, call.args)), kwargs
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):  # a literal of any kind and depth
        raise errors.BadSpec(text, "arguments are literals, like (num_classes=10, width_mult=0.5)") from None
