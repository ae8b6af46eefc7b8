"""Which module is a count charged to? Paths, sums taken apart, and a ledger that follows a running model."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from profiler import errors

if TYPE_CHECKING:
    from torch import nn


def paths(model: nn.Module) -> dict[int, str]:
    """The first path of each module, by identity."""
    return {id(module): path for path, module in model.named_modules()}


def own(inclusive: Mapping[str, Any]) -> dict[str, Any]:
    """Each module's own count, of counts that contain those of the modules inside; keys are paths."""
    left = dict(inclusive)
    for path, count in inclusive.items():
        parent = _nearest(path, inclusive)
        if parent is not None:
            left[parent] -= count
    return left


def _nearest(path: str, counts: Mapping[str, Any]) -> str | None:
    """The nearest path above that is known."""
    while path:
        path = path.rpartition(".")[0]
        if path in counts:
            return path
    return None


def visit_counts(model: nn.Module) -> Counter[str]:
    """How often a walk from parents to children meets each module: more than once where two parents share it."""
    by_id = paths(model)
    met: Counter[str] = Counter()

    def walk(module: nn.Module) -> None:
        met[by_id[id(module)]] += 1
        for child in module.children():
            walk(child)

    walk(model)
    return met


class Ledger:
    """Charges the growth of a running total to the innermost module that is being called.

    total: the count so far; it is asked whenever a module is entered or left, and when the ledger is closed.
    """

    def __init__(self, model: nn.Module, total: Callable[[], Any]) -> None:
        self.charged: dict[str, Any] = dict.fromkeys(paths(model).values(), 0)
        self._paths = paths(model)
        self._total = total
        self._before: Any = 0
        self._stack = [""]

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow every call of a module; what is counted outside of them is the model's own."""
        from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

        # Global hooks, since a module with hooks of its own takes another way through nn.TransformerEncoderLayer.
        before = register_module_forward_pre_hook(self._enter)
        after = register_module_forward_hook(self._leave, always_call=True)
        try:
            yield
        finally:
            before.remove()
            after.remove()

    def close(self) -> None:
        """Charge the model with what ran after its call had ended: its own forward hooks."""
        self._charge()

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._charge()
        self._stack.append(self._paths.get(id(module), self._stack[-1]))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self._charge()
        self._stack.pop()

    def _charge(self) -> None:
        now = self._total()
        self.charged[self._stack[-1]] += now - self._before
        self._before = now


@contextmanager
def after_forward(model: nn.Module, look: Callable[[], None]) -> Iterator[None]:
    """Look at the model when its forward pass has ended, after the hooks that a tool has put on it."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    placed: list[Any] = []

    def enter(module: nn.Module, args: Any) -> None:
        if module is model and not placed:  # the tool's hooks are in place by now
            placed.append(model.register_forward_hook(lambda *_: look()))

    before = register_module_forward_pre_hook(enter)
    try:
        yield
    finally:
        before.remove()
        for hook in placed:
            hook.remove()


def by_name(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], tool: str) -> dict[str, Any]:
    """All arguments by their names, for a tool that passes on nothing else."""
    signature = inspect.signature(model.forward)
    named = dict(signature.bind(*args, **kwargs).arguments)
    for name, parameter in signature.parameters.items():
        if name in named and parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise _counter_takes_not(tool, f"{name!r}, which is passed by its position")
        if name in named and parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(name)
    return named


def by_position(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], tool: str) -> tuple[Any, ...]:
    """All arguments by their positions, for a tool that passes on nothing else; defaults fill the gaps."""
    if not kwargs:
        return tuple(args)
    signature = inspect.signature(model.forward)
    bound = signature.bind(*args, **kwargs)
    for name in bound.arguments:
        if signature.parameters[name].kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
            raise _counter_takes_not(tool, f"{name!r}, which is passed by its name")
    last = max(list(signature.parameters).index(name) for name in bound.arguments)
    bound.apply_defaults()
    return tuple(bound.args[: last + 1])


# What is said ---------------------------------------------------------------------------------------------------------


def _counter_takes_not(tool: str, argument: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{tool} cannot pass on the argument {argument}; give the model a forward that takes it so"
    )
