"""Which weights stand in a model's place while it runs? Some without values, or copies of its own.

The model itself is run, and not a copy of it. A copy keeps the closures, weak references and globals of the original,
and so runs its layers; some models cannot be copied at all. What changes hands is what the registries hold: the model's
own weights are in nobody's way meanwhile, and get no gradients. A guard puts back the registries, and all else.
"""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from profiler.engine.containers import builtin
from profiler.engine.containers.forms import is_plain
from profiler.engine.containers.layouts import META, layout_of
from profiler.engine.guard.guard import Guard
from profiler.engine.guard.leftovers import forget_frames

_PLAIN = (Tensor, nn.Parameter)


class StandIns:
    """The weights that stand in for a model's own, until the block ends."""

    def __init__(self, model: nn.Module) -> None:
        gc.collect(1)  # what the collector has looked at less than twice by then is new
        self._model = model
        self._created: list[weakref.ref[Tensor]] = []
        self._own: dict[int, tuple[Tensor, Tensor]] = {}  # id(stand-in) -> the stand-in, and the model's own weight
        self._guard = Guard(list(model.modules()))
        weights = (weight for weight in chain(model.parameters(), model.buffers()) if not is_lazy(weight))
        self._guard.keep_tensors(((weight, layout_of(weight)) for weight in weights), with_values=False)

    def empty(self, buffers: bool = False) -> None:
        """Parameters on the meta device from here on, and buffers as well where that is said."""
        self._replace(_empty, META, buffers)

    def copies(self, buffers: bool = False) -> None:
        """Copies of the model's own from here on, with their values."""
        self._guard.restore()
        self._replace(_copied, None, buffers)

    def give_back(self) -> None:
        """The model's own weights again, beside those that it has made meanwhile."""
        _put(self._guard.holders(), {key: own for key, (_, own) in self._own.items()})
        self._own.clear()

    def keep_values(self) -> None:
        """What is not replaced may be written on: it gets its values back."""
        self._guard.keep_values(self._model.parameters(), self._model.buffers())

    def remember(self, tensors: Iterable[Tensor]) -> None:
        """Tensors that are nobody's when the block has ended."""
        self._created += map(weakref.ref, tensors)

    def __enter__(self) -> StandIns:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        """The model's own weights again; a stand-in that somebody took is taken from them."""
        self._own.clear()
        self._guard.restore()
        forget_frames(error)
        alive = [tensor for tensor in (reference() for reference in self._created) if tensor is not None]
        if alive:
            self._guard.take(alive, set(map(id, gc.get_objects(0) + gc.get_objects(1))))

    def _replace(self, make: Callable[[Tensor], Tensor], device: torch.device | None, buffers: bool) -> None:
        pairs: list[tuple[Tensor, Tensor]] = []  # a weight, and what stands in for it
        for parameter in self._model.parameters():
            stand_in = _waiting(parameter, device)
            if stand_in is None:
                stand_in = nn.Parameter(make(parameter), parameter.requires_grad)
            stand_in.__dict__.update(parameter.__dict__)
            pairs.append((parameter, stand_in))
        for buffer in self._model.buffers() if buffers else ():
            waiting = _waiting(buffer, device)
            pairs.append((buffer, make(buffer) if waiting is None else waiting))
        pairs += [(tensor, make(tensor)) for tensor in _computed(self._model)]
        # torch swaps tensors of classes that compute by themselves, in another dtype, if nobody refers to them weakly
        self.remember(stand_in for _, stand_in in pairs if type(stand_in) in _PLAIN)
        if buffers:
            self._own = {id(stand_in): (stand_in, weight) for weight, stand_in in pairs if not is_lazy(weight)}
        _put(self._guard.holders(), {id(weight): stand_in for weight, stand_in in pairs})


def _waiting(weight: Tensor, device: torch.device | None) -> Any:
    """One that waits for its shape as well; None for one that has a shape."""
    kind: Any = type(weight)
    return kind(weight.requires_grad, device, weight.dtype) if is_lazy(weight) else None


def _empty(weight: Tensor) -> Tensor:
    """On the meta device, unless its class computes by itself or it is no block of memory: then it keeps its values."""
    is_block = is_plain(weight) and (type(weight) in _PLAIN or not hasattr(weight, "__tensor_flatten__"))
    return torch.empty_like(weight, device=META, requires_grad=False) if is_block else _copied(weight)


def _copied(weight: Tensor) -> Tensor:
    try:
        return weight.detach().clone()
    except NotImplementedError:  # some classes know of copies in Python alone
        return copy.deepcopy(weight.detach())


def _put(holders: Iterable[Any], instead: dict[int, Tensor]) -> None:
    """What dicts and lists hold of some tensors, by what stands in for each."""
    for holder in holders:
        contents = builtin.entries(holder) if isinstance(holder, dict) else list(enumerate(builtin.items(holder)))
        for key, value in contents:
            stand_in = instead.get(id(value))
            if stand_in is not None:
                builtin.put(holder, key, stand_in)


def _computed(model: nn.Module) -> Iterator[Tensor]:
    """Tensors that a module keeps of an earlier pass, with the graph that they come from."""
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, Tensor) and not value.is_leaf)
