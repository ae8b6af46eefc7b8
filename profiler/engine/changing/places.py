"""Where does a model hold one of its modules? In registries, and in lists, dicts and objects among attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from profiler.engine.containers.builtin import entries, is_mapping, items, put
from profiler.engine.guard.contents import restore_dict
from profiler.engine.guard.walk import Reached, has_dict


@dataclass(eq=False, slots=True)
class Place:
    """A dict or list, the key or position that holds a module there, and the module.

    `keys` are all that a dict has, in their order.
    """

    holder: Any
    key: Any
    module: nn.Module
    keys: tuple[Any, ...] = ()

    def is_same(self, other: Place) -> bool:
        return self.holder is other.holder and bool(self.key == other.key)

    def put(self, module: nn.Module) -> None:
        put(self.holder, self.key, module)

    def put_back(self, instead: nn.Module) -> None:
        """The module in the place of the other: in a dict at its position, also where its key is gone by now."""
        if not is_mapping(self.holder):
            for position, item in enumerate(items(self.holder)):
                if item is instead:
                    put(self.holder, position, self.module)
            return
        now = dict(entries(self.holder))
        if self.key in now:
            self.put(self.module)
            return
        now[self.key] = self.module
        order = dict.fromkeys([*(key for key in self.keys if key in now), *now])
        restore_dict(self.holder, {key: now[key] for key in order})


def places(model: nn.Module, module: nn.Module) -> list[Place]:
    """All that hold the module in a model.

    What cannot be written to is not among them: a tuple, a closure, a partial.
    """
    return [place for holder in _holders(model) for place in _in(holder, module)]


def _in(holder: Any, module: nn.Module) -> Iterator[Place]:
    if is_mapping(holder):
        pairs = entries(holder)
        if any(item is module for _, item in pairs):
            keys = tuple(key for key, _ in pairs)
            yield from (Place(holder, key, module, keys) for key, item in pairs if item is module)
    else:
        yield from (Place(holder, i, module) for i, item in enumerate(items(holder)) if item is module)


def _holders(model: nn.Module) -> Iterator[Any]:
    """Each registry of modules, and each dict, list and object among the modules' attributes."""
    reached = Reached()
    modules = {id(module): module for module in model.modules()}
    waiting = list(modules.values())
    while waiting:
        for module in waiting:
            reached.from_module(module)
        hidden = {id(inner): inner for root in reached.modules for inner in root.modules() if id(inner) not in modules}
        modules |= hidden
        waiting = list(hidden.values())
    for module in modules.values():
        if isinstance(module._modules, dict):  # a scripted module keeps its own elsewhere
            yield module._modules
        yield module.__dict__
    yield from reached.dicts
    yield from reached.lists
    yield from (vars(value) for value in reached.objects if has_dict(type(value)))
