"""`python -m tests.benchmarks.parts`: where does the time of a repeated profile go, and what is the least it could be?

The parts of a profile are timed by their functions, each by itself, in the order in which a run comes to them; what is
left of the whole is "all else". Beside them stand the whole where no layer is answered from memory, and the floor: the
model's own Python code alone. Each layer of torch's and each operator is called as ever, under a dispatch mode, but
does nothing except return what it returned before. Nobody records, notes or puts anything back. No counter that calls
the model and sees its operators can be faster.

All are processor seconds, medians of so many profiles of a model that was profiled before. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from itertools import cycle
from statistics import median
from typing import Any
from unittest import mock

import torch
import torchvision
from tabulate import tabulate
from torch import nn

from profiler import profile
from profiler.engine.guard.guard import Guard
from profiler.engine.meta.mode import LeanDispatchMode
from profiler.engine.record import leaves
from profiler.engine.record.structure import Structure
from profiler.engine.run.attempt import Attempt
from profiler.figures.profile import Profile
from tests.benchmarks.speed import MODELS

_WHOLE = "the whole, ms"
_PARTS: Mapping[str, Sequence[tuple[Any, str]]] = {
    "modules, their classes and settings": [(Structure, "__init__")],
    "the guard: what is noted, compared and put back": [
        (Guard, name) for name in ("__init__", "keep_tensors", "modules_differ", "restore")
    ],
    "weights and buffers: their layouts and storages": [(Structure, "weights")],
    "the forward pass, layers and what the model's own code calls": [(Attempt, "_forward")],
    "totals": [(Profile, "totals")],
}
_FLOOR = "the floor: the model's own Python code alone, ms"


def main(argv: Sequence[str] | None = None) -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.parts", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="profiles of each model")
    times = parser.parse_args(argv).times
    torch.set_num_threads(1)
    columns = {name: _figures(name, times) for name in MODELS}
    rows = [[what, *(column[what] for column in columns.values())] for what in next(iter(columns.values()))]
    print(tabulate(rows, ["", *columns], disable_numparse=True, colalign=("left", *["right"] * len(columns))))
    return 0


def _figures(name: str, times: int) -> dict[str, str]:
    """The rows of one model, as they are printed."""
    model, image = torchvision.models.get_model(name, weights=None).eval(), torch.rand(1, 3, 224, 224)
    for _ in range(3):
        _ = profile(model, image).totals
    whole, parts = _timed(model, image, times)
    with mock.patch.object(leaves, "_is_turned_on", False):
        without, _ = _timed(model, image, times)
    floor = median(_floor(name, times))
    rows = {_WHOLE: f"{1e3 * whole:.1f}", **{part: f"{seconds / whole:.0%}" for part, seconds in parts.items()}}
    rows["all else: settings of torch, modes, leftovers"] = f"{1 - sum(parts.values()) / whole:.0%}"
    rows["the whole where all layers are run, ms"] = f"{1e3 * without:.1f}"
    return {**rows, _FLOOR: f"{1e3 * floor:.1f}"}


def _timed(model: nn.Module, image: torch.Tensor, times: int) -> tuple[float, dict[str, float]]:
    """The median of the whole, and those of its parts."""
    wholes: list[float] = []
    spent: dict[str, list[float]] = {part: [] for part in _PARTS}
    with ExitStack() as patches:
        for part, functions in _PARTS.items():
            for owner, name in functions:
                patches.enter_context(_watched(owner, name, spent[part]))
        for _ in range(times):
            gc.collect()
            start = time.process_time()
            for seconds in spent.values():
                seconds.append(0.0)
            _ = profile(model, image).totals
            wholes.append(time.process_time() - start)
    return median(wholes), {part: median(seconds) for part, seconds in spent.items()}


@contextmanager
def _watched(owner: Any, name: str, seconds: list[float]) -> Iterator[None]:
    """What a function takes is added to the last of `seconds`."""
    own = vars(owner)[name]
    function: Callable[..., Any] = getattr(own, "func", own)  # of a cached property

    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[-1] += time.process_time() - start

    with mock.patch.object(own, "func", timed) if own is not function else mock.patch.object(owner, name, timed):
        yield


# The floor ------------------------------------------------------------------------------------------------------------


class _Again(LeanDispatchMode):
    """Returns what each operator returned in a first run, one after the other."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.outputs: list[Any] = []
        self.remaining: Iterator[Any] | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.remaining is not None:
            return next(self.remaining)
        self.outputs.append(func(*args, **(kwargs or {})))
        return self.outputs[-1]


def _floor(name: str, times: int) -> Iterator[float]:
    """How long the model's own code takes, layers and operators aside."""
    with torch.inference_mode():  # also while it is built: a view of another weight could not be returned twice
        with torch.device("meta"):
            model, image = torchvision.models.get_model(name, weights=None).eval(), torch.rand(1, 3, 224, 224)
        for layer, returned in _returned(model, image).items():
            layer.forward = _returning(returned)
        with _Again() as mode:
            model(image)
            for _ in range(times):
                mode.remaining = iter(mode.outputs)
                start = time.process_time()
                model(image)
                yield time.process_time() - start


def _returned(model: nn.Module, image: torch.Tensor) -> dict[nn.Module, list[Any]]:
    """What each outermost layer of torch's returns in a run, call by call."""
    returned: dict[nn.Module, list[Any]] = {}
    hooks = [
        layer.register_forward_hook(lambda layer, _, output: returned.setdefault(layer, []).append(output))
        for layer in _layers(model)
    ]
    model(image)
    for hook in hooks:
        hook.remove()
    return returned


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    is_torchs = type(module).__module__.startswith("torch.nn.modules")
    if is_torchs and not isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
        yield module
        return
    for child in module.children():
        yield from _layers(child)


def _returning(outputs: Sequence[Any]) -> Callable[..., Any]:
    remaining = cycle(outputs)
    return lambda *_, **__: next(remaining)


if __name__ == "__main__":
    raise SystemExit(main())
