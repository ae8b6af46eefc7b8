"""What a model does when nobody profiles it: does it run, how long does it take, and what does torch itself count?"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from tests.benchmarks.foreign.libraries import build


@dataclass(frozen=True, slots=True)
class Plain:
    """One forward pass, or one training step, without a profiler. `error` is None where it ran.

    torch_macs: half of what torch's FlopCounterMode counts, None where it fails; by operator in `by_operator`.
    operators: the names of all that were called then.
    """

    error: str | None = None
    seconds: float = 0.0
    torch_macs: float | None = None
    torch_error: str | None = None
    by_operator: Mapping[str, float] = field(default_factory=dict)
    operators: tuple[str, ...] = ()


class Seen(TorchDispatchMode):
    """The names of the operators that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func))
        return func(*args, **(kwargs or {}))


def seed(number: int = 0) -> None:
    """The same random weights, inputs and draws each time."""
    torch.manual_seed(number)
    random.seed(number)
    numpy.random.seed(number)


def seeded(library: str, architecture: str) -> tuple[nn.Module, Any]:
    """A model and its inputs."""
    seed()
    return build(library, architecture)


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments."""
    if isinstance(inputs, dict):
        return (), inputs
    return (inputs if type(inputs) is tuple else (inputs,)), {}


def forward(model: nn.Module, inputs: Any) -> Any:
    """In evaluation mode and without gradients, as a server would; some cannot run in inference mode."""
    args, kwargs = arguments(inputs)
    model.eval()
    with torch.no_grad():
        return consumed(model(*args, **kwargs))


def step(model: nn.Module, inputs: Any) -> list[torch.Tensor]:
    """A forward pass in training mode and the backward pass of the sum of all that it returned; gives the ends."""
    args, kwargs = arguments(inputs)
    model.train()
    ends = [tensor for tensor in tensors(consumed(model(*args, **kwargs))) if tensor.requires_grad]
    if not ends:
        raise RuntimeError("nothing that it returns has a gradient")
    torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
    return ends


def consumed(output: Any) -> Any:
    """A generator does nothing before somebody takes what it gives."""
    return list(output) if isinstance(output, Iterator) else output


def tensors(value: Any, depth: int = 6) -> Iterator[torch.Tensor]:
    """The tensors in what a forward returned."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item, depth - 1)
    elif depth and isinstance(value, (list, tuple, set)):
        for item in value:
            yield from tensors(item, depth - 1)
    elif depth and dataclasses.is_dataclass(value):
        yield from tensors({f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, depth - 1)
    elif depth and hasattr(value, "__dict__") and not isinstance(value, (type, nn.Module)):
        yield from tensors(vars(value), depth - 1)


def ran(library: str, architecture: str, train: bool) -> Plain:
    """Run it once plainly, and once, built anew, under torch's counter."""
    run = step if train else forward
    try:
        model, inputs = seeded(library, architecture)
        began = time.perf_counter()
        run(model, inputs)
        seconds = time.perf_counter() - began
    except Exception as error:
        return Plain(_line(error))
    return _counted(Plain(None, seconds), library, architecture, train)


def _counted(plain: Plain, library: str, architecture: str, train: bool) -> Plain:
    """With gradients where it cannot count without: its own hooks then fail on some models."""
    if train:
        return _counted_once(plain, library, architecture, step)
    found = _counted_once(plain, library, architecture, forward)
    return found if found.torch_error is None else _counted_once(plain, library, architecture, _with_gradients)


def _with_gradients(model: nn.Module, inputs: Any) -> None:
    args, kwargs = arguments(inputs)
    consumed(model.eval()(*args, **kwargs))


def _counted_once(plain: Plain, library: str, architecture: str, run: Callable[[nn.Module, Any], Any]) -> Plain:
    """Not in inference mode, where torch's counter would meet composites that it does not know."""
    counter, seen = FlopCounterMode(display=False), Seen()
    model, inputs = seeded(library, architecture)
    try:
        with seen, counter:
            run(model, inputs)
    except Exception as error:
        return dataclasses.replace(plain, torch_error=_line(error))
    by_operator = {str(op): flops / 2 for op, flops in counter.get_flop_counts().get("Global", {}).items()}
    macs = sum(by_operator.values())
    return dataclasses.replace(plain, torch_macs=macs, by_operator=by_operator, operators=tuple(sorted(seen.names)))


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]
