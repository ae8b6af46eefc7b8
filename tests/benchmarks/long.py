"""`python -m tests.benchmarks.long`: does a process that profiles thousands of different models level off?

Profiled in turn are subnets of two supernets (`supernets.py`), models of torchvision and timm by name, models whose
class is made for them alone, some with a closure that holds a tensor or with a step of training, and models that are
run on real tensors since they ask for values. Each is dropped when it was profiled, with its class.

Every so many profiles it prints the resident memory, after a garbage collection, the time of a profile (building
excluded), and how many tensors, threads and open files there are; at the end by how much memory grew a
profile over the last half, and how many entries everything of ours has that lives as long as the process.
"""

from __future__ import annotations

import argparse
import functools
import gc
import random
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any

import numpy
import psutil
import timm
import torch
import torchvision
from tabulate import tabulate
from torch import Tensor, nn

from profiler import profile
from profiler.records.remembered import Recent
from tests.benchmarks.progress import track
from tests.benchmarks.supernets import SUPERNETS, subnets

MB = 1 << 20
_IMAGE = "1x3x224x224"
_PATTERNS = ("resnet1*", "mobilenetv3_small*", "efficientnet_lite*", "deit_tiny*", "convnext_atto*", "regnetx_00*")


def main(argv: Sequence[str] | None = None) -> int:
    """Profile and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.long", description=__doc__)
    parser.add_argument("--profiles", type=int, default=2000, metavar="N")
    parser.add_argument("--every", type=int, default=200, metavar="N", help="profiles between two lines")
    chosen = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    states, sizes = run(chosen.profiles, chosen.every)
    print("\n".join(_report(states, sizes)))
    return 0


# What is profiled -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A model, what it is fed, and how."""

    model: nn.Module
    shape: str
    options: Mapping[str, Any] = field(default_factory=dict)


def cases(seed: int) -> Iterator[Case]:
    """Models without end, of each kind in turn; each is built when it is asked for."""
    kinds = (*(_of_supernet(name, seed) for name in SUPERNETS), _by_name(), _of_own_class(seed), _asking_values(seed))
    for kind in cycle(kinds):
        yield next(kind)


def _of_supernet(name: str, seed: int) -> Iterator[Case]:
    for subnet in subnets(name, seed):
        yield Case(subnet.on("meta")[0], f"1x3x{subnet.resolution}x{subnet.resolution}")


def _by_name() -> Iterator[Case]:
    """torchvision's and timm's, at another batch each round."""
    names = [(timm.create_model, name) for pattern in _PATTERNS for name in timm.list_models(pattern)]
    names += [(torchvision.models.get_model, name) for name in ("resnet18", "mobilenet_v3_small")]
    for turn, (build, name) in enumerate(cycle(names)):
        yield _named(build, name, 1 + turn // len(names))


def _named(build: Callable[[str], nn.Module], name: str, batch: int) -> Case:
    with torch.device("meta"):
        model = build(name)
    side = getattr(model, "default_cfg", {}).get("input_size", (3, 224, 224))[-1]
    return Case(model, f"{batch}x3x{side}x{side}")


def _of_own_class(seed: int) -> Iterator[Case]:
    """A class for each model, whose forward pass is a closure over a tensor; every other is trained."""
    drawn = random.Random(seed)
    for number in count():
        width, options = drawn.randrange(8, 512), {"train": True} if number % 2 else {}
        yield Case(own_class(width, torch.rand(1))(), f"{drawn.randrange(1, 64)}x{width}", options)


def own_class(width: int, scale: Tensor) -> type[nn.Module]:
    """A class of its own, with methods that close over it and over a tensor."""

    def __init__(self: Any) -> None:  # noqa: N807
        super(cls, self).__init__()  # type: ignore[misc]
        self.layers = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.notes = {"scale": scale, "class": cls}

    def forward(self: Any, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x) * scale + x
        return out

    cls: type[nn.Module] = type(f"Own{width}", (nn.Module,), {"__init__": __init__, "forward": forward})
    return cls


class _Asking(nn.Module):
    """Asks for values, so that it is run on real tensors."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out[out.sum(1) > 0] if out.mean().item() > 0 else out


def _asking_values(seed: int) -> Iterator[Case]:
    drawn = random.Random(seed)
    while True:
        width = drawn.randrange(4, 256)
        yield Case(_Asking(width), f"{drawn.randrange(1, 16)}x{width}")


# What it takes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """A process after so many profiles, and the milliseconds that each of the last ones took."""

    profiles: int
    milliseconds: float
    resident_bytes: int
    tensors: int
    threads: int
    files: int


def state(profiles: int = 0, milliseconds: float = 0.0) -> State:
    """What this process has now, of what is not garbage."""
    gc.collect()
    process = psutil.Process()
    tensors = sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())
    resident, files = process.memory_info().rss, process.num_fds() if hasattr(process, "num_fds") else 0
    return State(profiles, milliseconds, resident, tensors, threading.active_count(), files)


def run(profiles: int, every: int) -> tuple[list[State], list[Mapping[str, int]]]:
    """The states at equal distances, and the sizes of what is remembered there."""
    states, sizes, seconds = [], [], 0.0
    models = cases(0)
    for number in track(range(1, profiles + 1)):
        case = next(models)
        start = time.perf_counter()
        _ = profile(case.model, case.shape, **case.options).totals.macs
        seconds += time.perf_counter() - start
        del case
        if number % every == 0:
            states.append(state(number, 1e3 * seconds / every))
            sizes.append(remembered())
            seconds = 0.0
    return states, sizes


def remembered() -> dict[str, int]:
    """How many entries each collection and cache has that stands in a file of ours."""
    sizes: dict[str, int] = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "profiler" and module is not None:
            for attribute, value in vars(module).items():
                size = None if attribute.startswith("__") else _size(value, name)
                if size is not None:
                    sizes[f"{name}.{attribute}"] = size
    return sizes


def _size(value: Any, module: str) -> int | None:
    """The entries of a collection that may grow, or of a function's cache; None of anything else."""
    if isinstance(value, Recent):
        return value.size
    if isinstance(value, _CACHE):
        return int(value.cache_info().currsize) if value.__module__ == module else None
    return len(value) if isinstance(value, (dict, list, set, weakref.WeakValueDictionary)) else None


_CACHE: Any = type(functools.lru_cache(lambda: None))


# What it says ---------------------------------------------------------------------------------------------------------


def _report(states: Sequence[State], sizes: Sequence[Mapping[str, int]]) -> Iterator[str]:
    rows = [
        [f"{s.profiles:,}", f"{s.resident_bytes / MB:.1f}", f"{s.milliseconds:.1f}", s.tensors, s.threads, s.files]
        for s in states
    ]
    headings = ["profiles", "resident MB", "ms a profile", "tensors", "threads", "files"]
    yield tabulate(rows, headings, disable_numparse=True, stralign="right")
    yield f"Over the last half {slope(states):+.2f} kB a profile"
    yield ""
    grown = {name: size for name, size in sizes[-1].items() if size != sizes[0].get(name, 0)}
    middle = sizes[len(sizes) // 2]
    entries = [[name, sizes[0].get(name, 0), middle.get(name, 0), size] for name, size in sorted(grown.items())]
    at = [f"{states[place].profiles:,}" for place in (0, len(sizes) // 2, -1)]
    yield tabulate(entries, ["entries after", *at], intfmt=",")
    yield f"{len(sizes[-1]) - len(grown)} other collections and caches have as many entries as at first"


def slope(states: Sequence[State]) -> float:
    """How many kilobytes more are resident after each profile, by least squares over the last half."""
    half = states[len(states) // 2 :]
    if len(half) < 2:
        return 0.0
    profiles, kilobytes = [s.profiles for s in half], [s.resident_bytes / 1024 for s in half]
    return float(numpy.polyfit(profiles, kilobytes, 1)[0])


if __name__ == "__main__":
    sys.exit(main())
