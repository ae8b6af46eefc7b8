"""`python -m tests.benchmarks.speed`: the time of one count of a model that is built already, by us and by others.

Repeated call: all tools are timed in one process, in turns: each turn is one untimed call and then up to three timed
ones, and every tool has its turn before the next round begins, so that all share the machine's good and bad moments.
Given is the median over all rounds.

First call: a fresh process for each tool and model imports the tool, builds the model and times one call. We remember
the shapes of operators for the life of a process, so for us the difference is large; others compile or trace anew.

A tool that leaves something behind on the model (it is looked for: hooks, attributes, buffers, modes) is given a fresh
copy of the model for each call, made outside the timed region; the last column says what it left. A tool that fails is
shown with the first line of its error. What a tool prints is swallowed. Functions of torch that a tool has replaced
are put back when the clock has stopped, so that it changes no other tool's time. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from statistics import geometric_mean, median
from typing import Any

import torch
import torchvision
from tabulate import tabulate
from torch import nn

from tests import own_torch
from tests.benchmarks.progress import track
from tests.benchmarks.tools import COMPARED, ON_META, OURS, OURS_IMPORTING, TOOLS, Count, Tool

MODELS = ("resnet34", "mobilenet_v2", "vit_b_16")
_IMAGE = (1, 3, 224, 224)
_AIMS = {"repeated against repeated": 10.0}  # how many times faster than the fastest other tool
_CALLS_A_TURN = 3
_SECONDS_A_TURN = 0.3
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")

Times = dict[tuple[str, str], float]  # (tool, model) -> milliseconds
Errors = dict[tuple[str, str], str]


def main(argv: Sequence[str] | None = None) -> int:
    """Time and print."""
    chosen = _parser().parse_args(argv)
    warnings.simplefilter("ignore")
    if chosen.child:
        print(json.dumps(_first_call(*chosen.child)))
        return 0
    tools = [*COMPARED, *(ON_META if chosen.others_on_meta else ())]
    repeated, left, errors = _repeated_calls(tools, chosen.rounds)
    first, first_errors = _first_calls([*tools, OURS_IMPORTING], chosen.first_rounds)
    print("\n".join(_report(tools, repeated, first, left, {**first_errors, **errors})))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each tool with each model, repeated calls")
    parser.add_argument("--first-rounds", type=int, default=3, help="processes a tool and model, first call; 0: none")
    parser.add_argument("--others-on-meta", action="store_true", help="also the other tools with the model on meta")
    parser.add_argument("--child", nargs=2, metavar=("TOOL", "MODEL"), help=argparse.SUPPRESS)
    return parser


# One contestant -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Contestant:
    """A tool with a model of its own. `left` is what its calls leave behind; then each call has a fresh copy.

    counted: what its last timed call returned.
    """

    tool: str
    name: str
    count: Count
    model: nn.Module
    image: torch.Tensor
    left: str = ""
    seconds: list[float] = field(default_factory=list)
    counted: Any = None

    def __str__(self) -> str:
        return f"{self.tool}, {self.name}"

    def probe(self) -> None:
        """Call it once, to see whether it works and what it leaves behind."""
        model = copy.deepcopy(self.model)
        before = _state(model)
        with own_torch.put_back():
            self.count(model, self.image)
        self.left = _difference(before, _state(model))

    def turn(self) -> None:
        gc.collect()
        self.timed()
        spent = [self.timed()]
        while len(spent) < _CALLS_A_TURN and sum(spent) < _SECONDS_A_TURN:
            spent.append(self.timed())
        self.seconds += spent

    def timed(self) -> float:
        """Call it once, on a copy of the model where it leaves something behind."""
        model = copy.deepcopy(self.model) if self.left else self.model
        with own_torch.put_back():
            start = time.perf_counter()
            self.counted = self.count(model, self.image)
            return time.perf_counter() - start


def _contestant(tool: Tool, name: str) -> Contestant:
    model = torchvision.models.get_model(name, weights=None).eval().to(tool.device)
    return Contestant(tool.name, name, tool.load(), model, torch.rand(_IMAGE).to(tool.device))


def _state(model: nn.Module) -> Mapping[str, set[tuple[object, ...]]]:
    """What a count might leave behind on a model."""
    modules = list(model.named_modules())
    return {
        "hooks": {(path, kind, len(getattr(m, kind))) for path, m in modules for kind in _HOOKS},
        "attributes": {(path, name) for path, m in modules for name in m.__dict__},
        "buffers": {(name,) for name, _ in model.named_buffers()},
        "modes": {(path, m.training) for path, m in modules},
        "requires_grad": {(name, p.requires_grad) for name, p in model.named_parameters()},
    }


def _difference(before: Mapping[str, set[tuple[object, ...]]], after: Mapping[str, set[tuple[object, ...]]]) -> str:
    return ", ".join(what for what in before if before[what] != after[what])


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed meanwhile."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def sentence(error: Exception) -> str:
    """An exception as one line."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:100]


# Repeated calls -------------------------------------------------------------------------------------------------------


def _repeated_calls(tools: Sequence[str], rounds: int) -> tuple[Times, dict[str, str], Errors]:
    """The median of each tool and model, what each tool leaves behind, and which fail."""
    entered: list[Contestant] = []
    errors: Errors = {}
    for name in MODELS:
        for tool in tools:
            try:
                with quiet():
                    contestant = _contestant(TOOLS[tool], name)
                    contestant.probe()
                entered.append(contestant)
            except Exception as error:
                errors[tool, name] = sentence(error)
    for contestant in track(entered * rounds):
        with quiet():
            contestant.turn()
    times = {(c.tool, c.name): 1e3 * median(c.seconds) for c in entered}
    return times, {c.tool: c.left for c in entered if c.left}, errors


# First calls ----------------------------------------------------------------------------------------------------------


def _first_calls(tools: Sequence[str], rounds: int) -> tuple[Times, Errors]:
    """The median of each tool and model over fresh processes, in turns."""
    seconds: dict[tuple[str, str], list[float]] = {}
    errors: Errors = {}
    for pair in track([f"{tool}/{name}" for name in MODELS for tool in tools] * rounds):
        tool, name = pair.split("/")
        if (tool, name) in errors:
            continue
        found = _in_process(tool, name)
        if "error" in found:
            errors[tool, name] = str(found["error"])
        else:
            seconds.setdefault((tool, name), []).append(float(found["seconds"]))
    return {key: 1e3 * median(spent) for key, spent in seconds.items()}, errors


def _in_process(tool: str, name: str) -> dict[str, float | str]:
    command = [sys.executable, "-m", "tests.benchmarks.speed", "--child", tool, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": next(iter(done.stderr.splitlines()[-1:]), "it died")}
    found: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return found


def _first_call(tool: str, name: str) -> dict[str, float | str]:
    """Run in a process of its own: the first call, after importing the tool and building the model."""
    try:
        with quiet():
            contestant = _contestant(TOOLS[tool], name)
            start = time.perf_counter()
            contestant.count(contestant.model, contestant.image)
            return {"seconds": time.perf_counter() - start}
    except Exception as error:
        return {"error": sentence(error)}


# What it says ---------------------------------------------------------------------------------------------------------


def _report(
    tools: Sequence[str], repeated: Times, first: Times, left: Mapping[str, str], errors: Errors
) -> Iterator[str]:
    yield "Repeated call, milliseconds"
    yield _table(tools, repeated, left, errors)
    if first:
        yield "\nFirst call of a process, milliseconds"
        yield _table([OURS_IMPORTING, *tools], first, {}, errors)
    for (tool, name), error in errors.items():
        yield f"{tool} fails on {name}: {error}"
    yield "\nHow much faster we are than the fastest other tool"
    yield _ratios([tool for tool in tools if tool not in (OURS, *ON_META)], repeated, first)
    if set(ON_META) & set(tools):
        yield "\nThe same, with the other tools on meta, too"
        yield _ratios([tool for tool in tools if tool != OURS], repeated, first)


def _table(tools: Sequence[str], times: Times, left: Mapping[str, str], errors: Errors) -> str:
    extra = ["leaves behind"] if left else []
    rows = [
        [tool, *(_cell(tool, name, times, errors) for name in MODELS), *([left.get(tool, "")] if left else [])]
        for tool in tools
    ]
    return tabulate(rows, ["", *MODELS, *extra], disable_numparse=True, colalign=("left", "right", "right", "right"))


def _cell(tool: str, name: str, times: Times, errors: Errors) -> str:
    if (tool, name) in times:
        return f"{times[tool, name]:.1f}"
    return "fails" if (tool, name) in errors else ""


def _ratios(others: Sequence[str], repeated: Times, first: Times) -> str:
    rows = [_ratio_row("repeated against repeated", repeated, repeated, others)]
    if first:
        rows.append(_ratio_row("first against repeated", first, repeated, others))
        rows.append(_ratio_row("first against first", first, first, others))
    return tabulate(rows, ["", *MODELS, "geometric mean", "aim"], disable_numparse=True)


def _ratio_row(title: str, ours: Times, theirs: Times, others: Sequence[str]) -> list[str]:
    ratios, cells = [], []
    for name in MODELS:
        fastest = min((tool for tool in others if (tool, name) in theirs), key=lambda tool: theirs[tool, name])
        ratios.append(theirs[fastest, name] / ours[OURS, name])
        cells.append(f"{ratios[-1]:.1f} ({fastest})")
    aim = _AIMS.get(title)
    return [title, *cells, f"{geometric_mean(ratios):.1f}", "" if aim is None else f"{aim:.1f}"]


if __name__ == "__main__":
    sys.exit(main())
