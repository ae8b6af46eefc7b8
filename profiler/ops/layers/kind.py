"""A kind of layer: how is one registered, and how is a module's looked up?

    kind("mylib.LowRank", words="{width}, rank {rank}", parameters=low_rank)

registers all that there is to know of a class, each of it optional:

- `words` tell it apart from others of its kind, in a narrow table: a template of its settings, or a function of them
  and of the class's name.
- `parameters` is the textbook's formula: a function from its settings, and the names of its parameters, to a count.
- `operators` that such a layer may be called by, with the names of their arguments, and `settings` that these tell:
  for a graph without the model's code.

A module is of the kind of the nearest of its ancestors that is registered, so a subclass (timm's `BatchNormAct2d`) is
counted as the layer that it extends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from profiler.ops.cost import Count, product
from profiler.ops.folder import load
from profiler.records.trace import Module, Tensor, Value

Names: TypeAlias = frozenset[str]
Arguments: TypeAlias = dict[str, Value]
Words: TypeAlias = "Callable[[Settings, str], str]"
Parameters: TypeAlias = "Callable[[Settings, Names], Count | None]"

NONE = Count(())


class SettingError(LookupError):
    """A layer does not have a setting that its kind always has, or has it as something else."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A layer's recorded attributes, read by type. As a mapping it gives them as they are written: 2.0 is "2"."""

    values: Mapping[str, Value]

    def number(self, name: str) -> int:
        value = self.values.get(name)
        if not isinstance(value, int):
            raise SettingError(name)
        return int(value)

    def sizes(self, name: str, rank: int = 1) -> tuple[int, ...]:
        """A size in every dimension: `3` stands for `(3, 3)` when the rank is 2."""
        value = self.values.get(name)
        if isinstance(value, int):
            return (int(value),) * rank
        if not isinstance(value, tuple):
            raise SettingError(name)
        numbers = tuple(item for item in value if isinstance(item, int))
        if len(numbers) != len(value):
            raise SettingError(name)
        return numbers

    def flag(self, name: str) -> bool:
        return bool(self.number(name))

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def __getitem__(self, name: str) -> str:
        return _written(self.values.get(name))


def _written(value: Value) -> str:
    """A number without trailing zeros, a tuple as "2×3"."""
    if isinstance(value, tuple):
        return "×".join(map(_written, value))
    if not isinstance(value, (int, float)):
        raise SettingError("size")
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is registered of a class; None where its ancestors or its file are asked."""

    words: Words | None
    parameters: Parameters | None
    operators: Mapping[str, str]
    settings: Callable[[Arguments], dict[str, Value]]


_kinds: dict[str, Kind] = {}


def kind(
    *classes: str,
    words: str | Words | None = None,
    parameters: Parameters | None = None,
    operators: Mapping[str, str] = MappingProxyType({}),
    settings: Callable[[Arguments], dict[str, Value]] = dict,
) -> None:
    """Register classes by their qualified names; "package.module.*" stands for all others of a module."""
    describe: Words | None = (lambda a, _: words.format_map(a)) if isinstance(words, str) else words
    for name in classes:
        if name in _kinds:
            raise ValueError(f"{name} is registered as a kind of layer already")
        _kinds[name] = Kind(describe, parameters, operators, settings)


def known() -> int:
    """How many classes are registered."""
    load()
    return len(_kinds)


def torch_nn(file: str, classes: str = "*") -> tuple[str, ...]:
    """Qualified names of torch.nn classes: `torch_nn("conv", "Conv1d Conv2d")`; all of a file without names."""
    return tuple(f"torch.nn.modules.{file}.{name}" for name in classes.split())


# Looking up -----------------------------------------------------------------------------------------------------------


def words_of(module: Module) -> str:
    """What tells a layer apart from others of its class; "" where that is not known."""
    for name, kind in _kinds_of(module):
        if kind.words is not None:
            try:
                return kind.words(Settings(dict(module.attributes)), name)
            except SettingError:
                return ""
    return ""


def parameters_of(module: Module) -> tuple[str, Parameters]:
    """The nearest class that has a formula, and the formula; the module's own and no formula where there is none."""
    formulas = ((name, kind.parameters) for name, kind in _kinds_of(module) if kind.parameters is not None)
    return next(formulas, (module.kind, _in_no_textbook))


def _in_no_textbook(a: Settings, names: Names) -> Count | None:
    return None


def settings_by_call(cls: str, op: str, args: Sequence[Value]) -> dict[str, Value] | None:
    """The settings of a layer of exactly this class which called this operator; None where that does not tell."""
    load()
    operator = ".".join(op.split(".")[:2])
    kind = _kinds.get(cls)
    if kind is None or operator not in kind.operators:
        return None
    try:
        named = dict(zip(kind.operators[operator].split(), args, strict=False))
        return kind.settings({name: value for name, value in named.items() if name != "_"})
    except (LookupError, ValueError):
        return None


def _kinds_of(module: Module) -> Iterator[tuple[str, Kind]]:
    """What is registered of a module's classes, the nearest first."""
    load()
    for qualified in textbook_classes(module):
        file, _, name = qualified.rpartition(".")
        yield from ((name, _kinds[key]) for key in (qualified, f"{file}.*") if key in _kinds)


_QUANTISED = re.compile(r"torch\.ao\.nn\.quantized\.(?:dynamic\.)?modules\.(\w+)\.(\w+)")
_FLOAT_FILES = {"embedding_ops": "sparse"}


def textbook_classes(module: Module) -> tuple[str, ...]:
    """A module's class and its ancestors; torch.ao's quantised layers, which extend none, as their float twins."""
    return tuple(_float_twin(name) for name in module.classes)


def _float_twin(name: str) -> str:
    quantised = _QUANTISED.fullmatch(name)
    return f"torch.nn.modules.{_FLOAT_FILES.get(quantised[1], quantised[1])}.{quantised[2]}" if quantised else name


# What several families share ------------------------------------------------------------------------------------------


def bias(names: Names, letter: str, size: int) -> Count:
    """Whether a layer has a bias is mostly no setting, but a parameter that is there or not."""
    return product(letter, size) if "bias" in names else NONE


def shape_of(value: Value) -> tuple[int, ...]:
    """A tensor's shape among an operator's arguments."""
    if not isinstance(value, Tensor):
        raise LookupError("no tensor")
    return value.shape


def joined(*words: str) -> str:
    return " ".join(filter(None, words))
