"""Is a class of layers torch's own, and is all of torch's code that its forward pass may come to as torch wrote it?

Whoever replaces a function of torch (another counter, a library that adapts layers to a device) changes what a layer
does. So of each class the functions are noted that its methods can reach by the names in their code, and where each
stands; whether they still stand there is asked whenever it matters. It does not matter which of them really run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from profiler.engine.meta import checks

_FOLDER = os.path.dirname(torch.__file__) + os.sep
_FOLLOWED = tuple(_FOLDER + part for part in ("nn" + os.sep, "_jit_internal.py", os.path.join("backends", "mha")))
_LAYERS = "torch.nn.modules."
_REPLACED = "_call_impl"  # by this package, while a model runs: see `leaves.py`
_SEEN_DEVICE = "device"  # and this attribute of tensors: see `meta/seen_device.py`
# Where functions stand that are asked for as attributes, such as `torch.conv2d`.
_NAMESPACES: tuple[Mapping[str, Any], ...] = (
    vars(torch), vars(functional), vars(torch._C._nn), vars(torch.backends.mha), vars(Tensor),
)  # fmt: skip
_ITERATION = ("__iter__", "__len__", "__getitem__")  # no name in code stands for these
_WATCHED = (FunctionType, BuiltinFunctionType, bool)
_KINDS_BY = {"builtins", "torch", "typing"}  # the attributes of torch's classes and files are of their classes
_tensors: Mapping[str, Any] = vars(Tensor)


class TorchsOwn:
    """The functions that a class of torch's own layers can come to, and where each stood when they were noted."""

    __slots__ = ("_files", "_functions", "_sizes", "_spaces")

    def __init__(self, cls: type) -> None:
        by_space: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}
        for space, name, value in _places(cls):
            by_space.setdefault(id(space), (space, {}))[1][name] = value
        self._functions = list(filter(None, (_reader(*each, of_files=False) for each in by_space.values())))
        self._files = list(filter(None, (_reader(*each, of_files=True) for each in by_space.values())))
        # What is added to a class may stand before what an ancestor has.
        self._spaces = [vars(ancestor) for ancestor in cls.__mro__[:-1]]
        self._sizes = list(map(len, self._spaces))

    def is_as_noted(self) -> bool:
        """Whether each still stands where it stood, and tensors have no attribute more."""
        return (
            self.stands()
            and all(standing(space) == files for space, standing, files in self._files)
            and len(_tensors) - (_SEEN_DEVICE in _tensors) == _attributes_of_tensors
        )

    def stands(self) -> bool:
        """The same of functions alone, which code may replace or put before others amid a run: asked at every call."""
        if list(map(len, self._spaces)) != self._sizes:
            return False
        try:
            for space, standing, functions in self._functions:
                if standing(space) != functions:
                    return False
        except KeyError:
            return False
        return True


def _reader(space: Mapping[str, Any], names: Mapping[str, Any], of_files: bool) -> tuple[Any, Any, Any] | None:
    """A namespace, what reads it at the names of files or of all else, and what stands there."""
    chosen = [name for name, value in names.items() if isinstance(value, ModuleType) is of_files]
    if not chosen:
        return None
    read = itemgetter(*chosen)
    return space, read, read(space)


class _Noted(dict[type, TorchsOwn | None]):
    """By classes of layers; None where one is not torch's, or it or what it calls is changed already."""

    def __missing__(self, cls: type) -> TorchsOwn | None:
        if not _is_torchs(cls):
            return None  # and nothing is remembered, which would keep somebody's class alive
        self[cls] = own = TorchsOwn(cls) if _is_untouched(cls) else None
        return own


NOTED: Mapping[type, TorchsOwn | None] = _Noted()
_attributes_of_tensors = len(_tensors) - (_SEEN_DEVICE in _tensors)


def is_written_by_torch(value: Any) -> bool:
    """Whether a function stands in one of torch's files, and what else a class or file holds is of no other class."""
    code = getattr(_function(value), "__code__", None)
    if isinstance(code, CodeType):
        return code.co_filename.startswith(_FOLDER)
    return type(value).__module__.partition(".")[0] in _KINDS_BY


def _function(value: Any) -> Any:
    """What a method, class method or property runs."""
    function = getattr(value, "__func__", value)
    return getattr(function, "fget", None) or function


def _is_torchs(cls: type) -> bool:
    file = cls.__module__
    return file.startswith(_LAYERS) and getattr(sys.modules.get(file), cls.__name__, None) is cls


def _is_untouched(cls: type) -> bool:
    methods = [value for ancestor in cls.__mro__[:-1] for name, value in vars(ancestor).items() if name != _REPLACED]
    reached = (value for _, _, value in _places(cls))
    tensors = (value for name, value in _tensors.items() if name != _SEEN_DEVICE)
    return all(map(is_written_by_torch, (*methods, *reached, *tensors)))


def _places(cls: type) -> list[tuple[Mapping[str, Any], str, Any]]:
    """Each function that the code of a class may come to: the namespace that it stands in, its name, and itself."""
    places: dict[tuple[int, str], tuple[Mapping[str, Any], str, Any]] = {}
    visited: set[int] = set()
    places[0, ""] = vars(nn.Module), "__getattr__", nn.Module.__getattr__
    waiting = [function for name in ("forward", *_ITERATION) for function in _methods(cls, name, places)]
    while waiting:
        function = waiting.pop()
        if id(function) in visited or not function.__code__.co_filename.startswith(_FOLLOWED):
            continue
        visited.add(id(function))
        waiting += _enclosed(function)
        for name in _names(function.__code__):
            if name == checks.NAME:  # replaced by this package, too, while a model runs
                continue
            waiting += _methods(cls, name, places)
            for space in _NAMESPACES:
                if _is_watched(space.get(name)):
                    waiting += _at(space, name, places)
            value = function.__globals__.get(name)
            if _is_watched(value) or isinstance(value, ModuleType):
                waiting += _at(function.__globals__, name, places)
    return list(places.values())


def _is_watched(value: Any) -> bool:
    """Functions and flags, and objects that stand for a function; not classes and methods written in C."""
    return isinstance(value, _WATCHED) or (callable(value) and type(value).__module__ != "builtins")


def _methods(cls: type, name: str, places: dict[Any, Any]) -> Iterator[FunctionType]:
    """That of a class by a name, or of its ancestors, without what every layer has."""
    for ancestor in cls.__mro__[:-2]:
        if name in vars(ancestor):
            yield from _at(vars(ancestor), name, places)
            return


def _at(space: Mapping[str, Any], name: str, places: dict[Any, Any]) -> Iterator[FunctionType]:
    """Note what stands there; gives it where it is a function in Python."""
    value = space[name]
    places[id(space), name] = space, name, value
    function = _function(value)
    if isinstance(function, FunctionType):
        yield function


def _enclosed(function: Callable[..., Any]) -> Iterator[FunctionType]:
    """What a function of torch's that chooses between others has to choose from."""
    for cell in getattr(function, "__closure__", None) or ():
        try:
            content = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        if isinstance(content, FunctionType):
            yield content


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
