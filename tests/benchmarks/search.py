"""`python -m tests.benchmarks.search`: how many models a second, where each is another, as in an architecture search?

Subnets are drawn from each of two supernets (`supernets.py`, a fixed seed), and each is profiled once by each tool; no
tool meets a model twice. Building is not timed. The tools take turns at each subnet, the first of them another each
time, and garbage is collected before. A few subnets before, drawn likewise, warm up what a process does once: imports,
and for us a part of the shapes that operators are remembered by.

A tool that has spent its seconds leaves, so that slow ones see fewer models: how many is in the table, and what it is
compared by is our time for those same models. One that leaves something behind on a model has a copy (see `speed.py`).
Our MACs are held against half the FLOPs of torch's FlopCounterMode, model by model: all of these are in convolutions,
linear layers and attention, where the two have to agree. Where they do not, the exit status is 1.
"""

from __future__ import annotations

import argparse
import gc
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from statistics import geometric_mean

import torch
from tabulate import tabulate
from torch import nn

from tests.benchmarks.progress import track
from tests.benchmarks.speed import Contestant, quiet, sentence
from tests.benchmarks.supernets import SUPERNETS, Subnet, subnets
from tests.benchmarks.tools import ON_META, OURS, TOOLS

AIM = 10  # times as many models a second as the fastest other tool
WITNESS = "FlopCounterMode on meta"
OTHERS = (WITNESS, "fvcore", "ptflops pytorch", "ptflops aten", "thop")
_ON_META = tuple(name for name in ON_META if name.removesuffix(" on meta") in OTHERS)
_SEED = 2020
_WARM_UP = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Time, print, and compare counts."""
    chosen = _parser().parse_args(argv)
    warnings.simplefilter("ignore")
    others = [*OTHERS, *(_ON_META if chosen.others_on_meta else ())]
    ratios, agree = {}, True
    for supernet in chosen.supernets:
        searches = _searches(supernet, [OURS, *others], chosen.subnets, chosen.seconds)
        print("\n".join(_report(supernet, searches)), end="\n\n")
        ratios[supernet] = _ratio(searches)
        agree = agree and _agreeing(searches) == len(searches[WITNESS].seconds)
    print("\n".join(_summary(ratios)))
    return 0 if agree else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.search", description=__doc__)
    parser.add_argument("--subnets", type=int, default=300, metavar="N", help="of each supernet")
    parser.add_argument("--seconds", type=float, default=20.0, help="that another tool may spend on a supernet")
    parser.add_argument("--supernets", nargs="+", choices=SUPERNETS, default=SUPERNETS)
    parser.add_argument("--others-on-meta", action="store_true", help="also the other tools with the model on meta")
    return parser


# A search -------------------------------------------------------------------------------------------------------------


class _Search:
    """One tool's way through the subnets, in their order; it ends where it has spent its seconds, or fails."""

    def __init__(self, tool: str, limit: float) -> None:
        self.tool = tool
        self.device = TOOLS[tool].device
        self.seconds: list[float] = []
        self.counts: list[float] = []
        self.error = ""
        self._left = ""
        self._limit = limit
        with quiet():
            self._count = TOOLS[tool].load()

    @property
    def has_ended(self) -> bool:
        return bool(self.error) or sum(self.seconds) > self._limit

    def warm_up(self, name: str, model: nn.Module, image: torch.Tensor) -> None:
        contestant = Contestant(self.tool, name, self._count, model, image)
        with quiet():
            contestant.probe()
        self._left = self._left or contestant.left

    def visit(self, name: str, model: nn.Module, image: torch.Tensor) -> None:
        contestant = Contestant(self.tool, name, self._count, model, image, self._left)
        try:
            with quiet():
                seconds = contestant.timed()
        except Exception as error:
            self.error = f"{name}: {sentence(error)}"
        else:
            self.seconds.append(seconds)
            self.counts.append(contestant.counted)


def _searches(supernet: str, tools: Sequence[str], number: int, limit: float) -> Mapping[str, _Search]:
    """Every tool's way through so many subnets."""
    searches = [_Search(tool, float("inf") if tool == OURS else limit) for tool in tools]
    drawn = subnets(supernet, _SEED)
    for subnet in islice(drawn, _WARM_UP):
        for search in searches:
            search.warm_up(subnet.name, *subnet.on(search.device))
    for turn, subnet in enumerate(track(list(islice(drawn, number)))):
        first = turn % len(searches)
        _visit(subnet, [search for search in (*searches[first:], *searches[:first]) if not search.has_ended])
    return {search.tool: search for search in searches}


def _visit(subnet: Subnet, searches: Sequence[_Search]) -> None:
    built = {device: subnet.on(device) for device in dict.fromkeys(search.device for search in searches)}
    gc.collect()
    for search in searches:
        search.visit(subnet.name, *built[search.device])


# What it says ---------------------------------------------------------------------------------------------------------


def _report(supernet: str, searches: Mapping[str, _Search]) -> Iterator[str]:
    ours = searches[OURS]
    yield f"Subnets of {supernet}"
    rows = [
        [
            search.tool,
            f"{len(search.seconds)}",
            f"{_rate(search.seconds):.1f}",
            f"{_times_as_fast(ours, search):.1f}",
            f"{_counted(ours, search):.4f}",
        ]
        for search in searches.values()
        if search.seconds
    ]
    headings = ["", "models", "a second", "we are so many times as fast", "its count / our MACs"]
    yield tabulate(rows, headings, disable_numparse=True, colalign=("left", *["right"] * 4))
    yield from (f"{search.tool} fails on {search.error}" for search in searches.values() if search.error)
    tenth = max(1, len(ours.seconds) // 10)
    first, last = _rate(ours.seconds[:tenth]), _rate(ours.seconds[-tenth:])
    yield f"We: {first:.1f} a second over the first {tenth}, {last:.1f} over the last {tenth}"
    agreeing = f"{_agreeing(searches)} of {len(searches[WITNESS].seconds)} models"
    yield f"MACs are half of FlopCounterMode's FLOPs for {agreeing}"


def _summary(ratios: Mapping[str, tuple[float, str]]) -> Iterator[str]:
    yield "How many times as fast as the fastest other tool"
    cells = [f"{ratio:.1f} ({tool})" for ratio, tool in ratios.values()]
    mean = f"{geometric_mean(ratio for ratio, _ in ratios.values()):.1f}"
    yield tabulate([[*cells, mean, f"{AIM}"]], [*ratios, "geometric mean", "aim"], disable_numparse=True)


def _rate(seconds: Sequence[float]) -> float:
    return len(seconds) / sum(seconds)


def _times_as_fast(ours: _Search, search: _Search) -> float:
    """Our models a second to another tool's, over the models that it saw."""
    return sum(search.seconds) / sum(ours.seconds[: len(search.seconds)])


def _ratio(searches: Mapping[str, _Search]) -> tuple[float, str]:
    """How many times as fast we are as the fastest other tool, and which that is."""
    others = [search for tool, search in searches.items() if tool != OURS and search.seconds]
    return min((_times_as_fast(searches[OURS], search), search.tool) for search in others)


def _counted(ours: _Search, search: _Search) -> float:
    """The geometric mean of a tool's counts to our MACs; 2 of one that counts a MAC as two, and nothing else."""
    return geometric_mean(count / macs for count, macs in zip(search.counts, ours.counts, strict=False))


def _agreeing(searches: Mapping[str, _Search]) -> int:
    pairs = zip(searches[WITNESS].counts, searches[OURS].counts, strict=False)
    return sum(flops == 2 * macs for flops, macs in pairs)


if __name__ == "__main__":
    sys.exit(main())
