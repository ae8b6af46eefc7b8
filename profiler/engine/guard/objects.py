"""How are the collections, arrays and objects among a model's attributes saved and restored?"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy
import torch
from torch import nn

from profiler.engine.containers.builtin import items
from profiler.engine.guard.contents import (
    copied,
    copied_values,
    queued,
    restore_dict,
    restore_list,
    restore_queue,
    restore_set,
    restore_values,
)
from profiler.engine.guard.failures import Failures
from profiler.engine.guard.randomness import restore_generator
from profiler.engine.guard.walk import EMPTY, Reached, has_dict, in_slots, look


class Objects:
    """Collections, arrays, objects of the user's own, and generators, among modules' attributes."""

    what = "what is among the modules' attributes"

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.reached = reached = Reached()
        for module in modules:
            reached.from_module(module)
        self._queues = [(live, queued(live)) for live in reached.queues]
        reached.from_values(chain.from_iterable(contents for _, contents in self._queues))
        self._dicts = [(live, copied(live)) for live in reached.dicts]
        self._lists = [(live, items(live)) for live in reached.lists]
        self._sets = [(live, items(live)) for live in reached.sets]
        arrays = [live for live in reached.arrays if isinstance(live, numpy.ndarray)]
        self._arrays = [(live, _plain(live).copy()) for live in arrays if _plain(live).flags.writeable]
        self._values = [(live, copied_values(live)) for live in reached.arrays if not isinstance(live, numpy.ndarray)]
        self._attributes = [(vars(live), vars(live).copy()) for live in reached.objects if has_dict(type(live))]
        self._attributes += [(function.__dict__, dict(function.__dict__)) for function in reached.functions]
        self._slots = [(live, in_slots(live)) for live in reached.slotted]
        self._generators = [(live, *_state(live)) for live in reached.generators]

    def restore(self, failures: Failures) -> None:
        kinds: list[tuple[str, Any, Callable[..., None]]] = [
            ("a dict of a module", self._dicts, restore_dict),
            ("a list of a module", self._lists, restore_list),
            ("a set of a module", self._sets, restore_set),
            ("a queue of a module", self._queues, restore_queue),
            ("an array of a module", self._arrays, _restore_array),
            ("an array of a module", self._values, restore_values),
            ("an object of a module", self._attributes, restore_dict),
            ("an object of a module", self._slots, _restore_slots),
            ("a random generator of a module", self._generators, _restore_state),
        ]
        for what, pairs, restore in kinds:
            for pair in pairs:
                failures.attempt(what, restore, *pair)


def _restore_slots(live: Any, before: dict[str, Any]) -> None:
    for name, value in before.items():
        if look(live, name) is not value:
            if value is EMPTY:
                object.__delattr__(live, name)
            else:
                object.__setattr__(live, name, value)


def _plain(array: Any) -> Any:
    """The same memory without what a class of the user's own makes of it."""
    return array if type(array) is numpy.ndarray else numpy.ndarray.view(array, numpy.ndarray)


def _restore_array(live: Any, before: Any) -> None:
    if _plain(live).shape != before.shape:
        numpy.ndarray.resize(live, before.shape, refcheck=False)
    _plain(live)[...] = before


def _state(generator: Any) -> tuple[Any]:
    if isinstance(generator, torch.Generator):
        return (generator.get_state(),)
    if isinstance(generator, numpy.random.Generator):
        return (generator.bit_generator.state,)
    return (generator.getstate() if isinstance(generator, random.Random) else generator.get_state(legacy=False),)


def _restore_state(generator: Any, state: Any) -> None:
    if isinstance(generator, torch.Generator):
        restore_generator(generator, state)
    elif isinstance(generator, numpy.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)
