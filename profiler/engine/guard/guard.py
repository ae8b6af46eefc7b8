"""What is kept of a model, and of what is around it, before a run? One step keeps each kind of state."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from profiler.engine.containers.layouts import TensorLayout, layout_of
from profiler.engine.guard.classes import Classes, SurroundingState, own_classes
from profiler.engine.guard.failures import Failures, uninterrupted
from profiler.engine.guard.leftovers import take
from profiler.engine.guard.modules import Modules
from profiler.engine.guard.objects import Objects
from profiler.engine.guard.randomness import RandomStates
from profiler.engine.guard.settings import TorchSettings
from profiler.engine.guard.stacks import Stacks
from profiler.engine.guard.tensors import SavedValues, Tensors


class SavedState(Protocol):
    """One kind of state, kept when it is made."""

    what: str

    def restore(self, failures: Failures) -> None:
        """Put it back; each part of it by `failures.attempt`, so that one that fails stops no other."""


_unfinished: weakref.WeakValueDictionary[int, Guard] = weakref.WeakValueDictionary()
_numbers = count()


def unfinished() -> list[Guard]:
    """The guards of runs that are under way, from the innermost: what a process that is forked then has to put back."""
    return [guard for _, guard in sorted(_unfinished.items(), reverse=True)]


class Guard:
    """Remembers a model's state when it is made and brings it back in `restore`, as often as that is called."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._number = next(_numbers)
        stacks = Stacks()
        modules, objects = _with_hidden(modules)
        classes = own_classes(modules)
        self.program = SurroundingState(classes, objects.reached.functions)
        self._tensors = Tensors()
        self._values = SavedValues(self._tensors)
        self.before_write = self._values.before_write
        self._modules = modules
        self._registered = Modules(modules)
        self._objects = objects
        # Modes first, since putting back a weight takes operators; then what holds the weights; then the weights.
        self.steps: tuple[SavedState, ...] = (
            stacks,
            self._registered,
            objects,
            Classes(classes),
            self._tensors,
            self._values,
            RandomStates(),
            TorchSettings(),
        )
        for tensor in objects.reached.tensors:
            self._tensors.keep(tensor, layout_of(tensor))
        _unfinished[self._number] = self

    def keep_tensors(self, tensors: Iterable[tuple[Tensor, TensorLayout]], with_values: bool) -> None:
        """Parameters, buffers and inputs.

        with_values: also the values of what is no parameter, since some operators (batch norm in training) overwrite
        running statistics without saying so.
        """
        for tensor, layout in tensors:
            self._tensors.keep(tensor, layout)
            if with_values and not isinstance(tensor, nn.Parameter):
                self.before_write(tensor)

    def keep_values(self, *weights: Iterable[Tensor]) -> None:
        """Of these, and of the tensors among the modules' attributes."""
        for tensor in chain(self._objects.reached.tensors, *weights):
            if not is_lazy(tensor):
                self.before_write(tensor)

    def holders(self) -> Iterator[Any]:
        """The dicts and lists of the model that may hold its weights: attributes, registries, and what is in them."""
        for module in self._modules:
            yield module.__dict__
            yield from (registry for registry in (module._parameters, module._buffers) if isinstance(registry, dict))
        yield from self._objects.reached.dicts
        yield from self._objects.reached.lists

    def take(self, tensors: list[Tensor], new: set[int]) -> None:
        """Take tensors of a run from whoever still holds them; `new` are ids of what was made since it began."""
        failures = Failures()
        with uninterrupted():
            failures.attempt("tensors of the run", take, tensors, new, self.program, failures)
        failures.tell()

    def modules_differ(self) -> bool:
        """Whether a module has something else registered, or set, than before; `restore` has to follow at once."""
        return self._registered.differ()

    def restore(self) -> None:
        """Raises `errors.ProfileError`, after all else is put back, where something could not be."""
        self._restore(self.steps)

    def restore_elsewhere(self) -> None:
        """The same in another thread than the one that ran: what a thread is in, it is in by itself."""
        self._restore(self.steps[1:])

    def _restore(self, steps: Sequence[SavedState]) -> None:
        failures = Failures()
        with uninterrupted():
            for step in steps:
                failures.attempt(step.what, step.restore, failures)
            _unfinished.pop(self._number, None)
        failures.tell()


def _with_hidden(modules: Sequence[nn.Module]) -> tuple[list[nn.Module], Objects]:
    """Modules, with those that they hold in lists and the like, where torch does not see them."""
    by_id = {id(module): module for module in modules}
    objects = Objects(modules)
    hidden = [module for root in objects.reached.modules for module in root.modules() if id(module) not in by_id]
    if not hidden:
        return list(modules), objects
    by_id |= {id(module): module for module in hidden}
    return list(by_id.values()), Objects(list(by_id.values()))
