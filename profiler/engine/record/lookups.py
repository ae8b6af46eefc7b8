"""Where did a line of code take the function from that it calls there? From a module of torch, or from before?

`F.softmax(x)` asks a module for the function each time, and finds what a counter has put in its place. `softmax(x)`
after an import, `self.act(x)` or a partial do not: theirs was bound before. Told by the instructions that the compiler
made of the called expression, which begin where the call begins in the source, and by the objects that they name. No
attribute is looked up that could run code: modules and instances are asked for what is in their dictionaries.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import Module

from profiler.records.remembered import Recent
from profiler.records.trace import KEPT, METHOD

_UNKNOWN = object()
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")
_LOCAL = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")
_NEUTRAL = ("KW_NAMES", "PUSH_NULL", "EXTENDED_ARG", "NOP")  # they belong to the call
_MOST_CHAINS = 1 << 14
_MOST_FUNCTIONS = 1 << 6


class _Chain(NamedTuple):
    """A called expression: what it begins with, and the attributes that are asked for in turn.

    root: a name, or None for what has none, such as the result of another call.
    is_item: whether the function stands in a list or a dictionary. imported: of a name alone, the module that the same
        function imports it from, each time it runs.
    """

    root: str | None
    is_local: bool
    links: tuple[str, ...]
    is_item: bool = False
    imported: str = KEPT


# By the instruction, and by the function; their code is kept alive, so that no other takes its id.
_chains: Recent[tuple[int, int], tuple[CodeType, _Chain | None]] = Recent(_MOST_CHAINS)
_functions: Recent[int, tuple[CodeType, list[dis.Instruction]]] = Recent(_MOST_FUNCTIONS)


def source(frame: FrameType) -> str | None:
    """The module that the function under way was looked up in, by its name; `METHOD` for a tensor's method.

    `KEPT`: it was bound before. None: that cannot be told.
    """
    chain = _chain(frame.f_code, frame.f_lasti)
    if chain is None:
        return None
    if chain.is_item or not chain.links:
        return chain.imported
    holder = _root(frame, chain)
    for link in chain.links[:-1]:
        holder = _attribute(holder, link)
    return _of(holder, chain.links[-1])


def _of(holder: Any, name: str) -> str | None:
    """What an attribute of an object is that a function was called as."""
    if isinstance(holder, ModuleType):
        return holder.__name__
    if name.startswith("__"):  # what a sign stands for
        return KEPT
    if holder is _UNKNOWN:
        return METHOD if hasattr(Tensor, name) else None
    return METHOD if isinstance(holder, Tensor) or holder is Tensor else KEPT


def _root(frame: FrameType, chain: _Chain) -> Any:
    """The object that a name stands for in a frame."""
    if chain.root is None:
        return _UNKNOWN
    if chain.is_local:
        return _local(frame, chain.root)
    return frame.f_globals.get(chain.root, frame.f_builtins.get(chain.root, _UNKNOWN))


def _local(frame: FrameType, name: str) -> Any:
    """A variable of a function. Before Python 3.13 a frame keeps the copy of all that it is asked for, and so would
    keep the model's tensors alive.
    """
    variables = frame.f_locals
    value = variables.get(name, _UNKNOWN)
    if type(variables) is dict and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        variables.clear()
    return value


def _attribute(holder: Any, name: str) -> Any:
    """An attribute, of what has it in its own dictionary; a module has others among its layers."""
    if holder is _UNKNOWN:
        return _UNKNOWN
    try:
        own = object.__getattribute__(holder, "__dict__")
    except AttributeError:
        return _UNKNOWN
    layers = own.get("_modules") if isinstance(holder, Module) else None
    return own.get(name, layers.get(name, _UNKNOWN) if layers else _UNKNOWN)


# The called expression ------------------------------------------------------------------------------------------------


def _chain(code: CodeType, at: int) -> _Chain | None:
    entry = _chains.find((id(code), at))
    if entry is None:
        entry = _chains[id(code), at] = code, _read_chain(code, at)
    return entry[1]


def _read_chain(code: CodeType, at: int) -> _Chain | None:
    """Names and attributes, read backwards from the call."""
    links: list[str] = []
    for step in _expression(code, at):
        if step.opname in _ATTRIBUTES:
            links.insert(0, str(step.argval))
        elif step.opname.startswith((*_GLOBAL, *_LOCAL)):
            name = step.argval[0] if isinstance(step.argval, tuple) else step.argval  # two names at once
            is_local = step.opname.startswith(_LOCAL)
            imported = _imported(code, str(name)) if is_local and not links else KEPT
            return _Chain(str(name), is_local, tuple(links), imported=imported)
        elif step.opname.startswith("BINARY_SUBSCR") and not links:
            return _Chain(None, False, (), is_item=True)
        else:
            return _Chain(None, False, tuple(links)) if links else None
    return None


def _imported(code: CodeType, name: str) -> str:
    """The module that a function imports a name from: IMPORT_NAME module, IMPORT_FROM its name there, STORE."""
    module = KEPT
    for step, after in pairwise(_instructions(code)):
        if step.opname == "IMPORT_NAME":
            module = str(step.argval)
        elif step.opname == "IMPORT_FROM" and after.opname.startswith("STORE_") and after.argval == name:
            return module
    return KEPT


def _expression(code: CodeType, at: int) -> Iterator[dis.Instruction]:
    """The instructions of what is called, from the last: they begin where the call begins, and end before its end."""
    instructions = _instructions(code)
    # of a function in Python, the interpreter stands behind the call: in its cache
    call = next((step for step in reversed(instructions) if step.offset <= at), None)
    if call is None or "CALL" not in call.opname or call.positions is None or call.positions.lineno is None:
        return
    line, _, column, _ = _where(call)
    for step in reversed([before for before in instructions if before.offset < call.offset]):
        where = _where(step)
        if (where[0], where[2]) == (line, column) and where != _where(call) and step.opname not in _NEUTRAL:
            yield step


def _instructions(code: CodeType) -> list[dis.Instruction]:
    entry = _functions.find(id(code))
    if entry is None:
        entry = _functions[id(code)] = code, list(dis.get_instructions(code))
    return entry[1]


def _where(instruction: dis.Instruction) -> tuple[int | None, int | None, int | None, int | None]:
    at = instruction.positions or dis.Positions()
    return at.lineno, at.end_lineno, at.col_offset, at.end_col_offset
