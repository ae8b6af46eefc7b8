"""Other weights in a model's place, for the time of a run: without values, or copies of its own.

The model itself is run, and not a copy of it. A copy keeps the closures, weak references and globals of the original,
and so runs its layers; some models cannot be copied at all. What changes hands is what the registries hold: the model's
own weights are in nobody's way meanwhile, and get no gradients. A guard puts back the registries, and all else.
"""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from profiler.trace import builtin
from profiler.trace.forms import is_plain
from profiler.trace.guard import Guard, forget_frames
from profiler.trace.layouts import META, layout_of

_PLAIN = (Tensor, nn.Parameter)


class StandIns:
    """The weights that stand in for a model's own."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._made: list[weakref.ref[Tensor]] = []
        self._guard = Guard(list(model.modules()))
        weights = chain(model.parameters(), model.buffers())
        self._guard.keep_tensors(((weight, layout_of(weight)) for weight in weights), with_values=False)

    def empty(self) -> None:
        """Weights on the meta device from here on."""
        self._replace(_empty)

    def copies(self) -> None:
        """Copies of the model's own from here on, with their values."""
        self._guard.restore()
        self._replace(_copied)

    def __enter__(self) -> StandIns:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        """The model's own weights again; a stand-in that somebody took is taken from them."""
        self._guard.restore()
        forget_frames(error)
        kept = [tensor for tensor in (reference() for reference in self._made) if tensor is not None]
        if kept:
            self._guard.take(kept, set(map(id, gc.get_objects(0))))

    def _replace(self, make: Callable[[Tensor], Tensor]) -> None:
        instead: dict[int, Tensor] = {}
        for parameter in self._model.parameters():
            stand_in = instead[id(parameter)] = nn.Parameter(make(parameter), parameter.requires_grad)
            stand_in.__dict__.update(parameter.__dict__)
        instead |= {id(tensor): make(tensor) for tensor in _computed(self._model)}
        # torch swaps tensors of classes that compute by themselves, in another dtype, if nobody refers to them weakly
        self._made = [weakref.ref(tensor) for tensor in instead.values() if type(tensor) in _PLAIN]
        for holder in self._guard.holders():
            _put(holder, instead)


def _empty(weight: Tensor) -> Tensor:
    """On the meta device, unless its class computes by itself or it is no block of memory: then it keeps its values."""
    is_block = is_plain(weight) and (type(weight) in _PLAIN or not hasattr(weight, "__tensor_flatten__"))
    return torch.empty_like(weight, device=META, requires_grad=False) if is_block else _copied(weight)


def _copied(weight: Tensor) -> Tensor:
    try:
        return weight.detach().clone()
    except NotImplementedError:  # some classes know of copies in Python alone
        return copy.deepcopy(weight.detach())


def _put(holder: Any, instead: dict[int, Tensor]) -> None:
    """What a dict or list holds of the model's own weights, by what stands in for it."""
    held = builtin.entries(holder) if isinstance(holder, dict) else list(enumerate(builtin.items(holder)))
    for key, value in held:
        stand_in = instead.get(id(value))
        if stand_in is not None:
            builtin.put(holder, key, stand_in)


def _computed(model: nn.Module) -> Iterator[Tensor]:
    """Tensors that a module keeps of an earlier pass, with the graph that they come from."""
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, Tensor) and not value.is_leaf)
