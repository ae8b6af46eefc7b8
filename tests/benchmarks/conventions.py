"""`python -m tests.benchmarks.conventions`: do our replicas give what the counters themselves give?

Every installed counter is run for real on every model of the benchmark (what `tests.benchmarks.readings` has kept is
not run again; `--again` does), and its total, its layers and its parameters are compared with our replica's, which
sees only our trace. Equal means to the last operation, or for a counter that divides, to one. Every case that is not
equal is listed, and so is every model that a counter fails on. Exit status 1 when a difference has no reason below.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tabulate import tabulate

from profiler import Profile, counters, errors, profile
from profiler.answers.cross_check.accounts import account
from profiler.counters import conventions
from profiler.counters.conventions import Replica
from profiler.counters.running.reading import Reading
from tests.benchmarks import readings
from tests.benchmarks.progress import track
from tests.benchmarks.readings import DEFAULT_FOLDER, MODELS
from tests.benchmarks.small_models import SMALL

_ONE_SIZE = (
    "`F.interpolate(x, 16)` counts 16 and `F.interpolate(x, (16, 16))` 256, and both are the same operator in a trace"
)
_SCALE = "It goes by the scale factor that is given, and our trace holds the size that torch computes of it"

# Why a replica differs from its counter: {tool: {pattern of models: reason}}.
REASONS: Mapping[str, Mapping[str, str]] = {
    "ptflops": {"interpolate-recomputed": _SCALE},
    "torchprofile": {
        "dataclass-output": (
            "It finds no tensor in a dataclass, so tracing drops everything; our trace has what the dataclass holds"
        ),
    },
    "calflops-flops": {"interpolate-int-size": _ONE_SIZE, "interpolate-recomputed": _SCALE},
    "deepspeed-flops": {"interpolate-int-size": _ONE_SIZE, "interpolate-recomputed": _SCALE},
}

_MOST_LAYERS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One counter on one model. `differences` says in which figures it is not what our replica gives.

    aside: how much of the total only the counter's own record of the run shows, and our trace does not hold.
    """

    model: str
    tool: str
    failure: str | None = None
    differences: tuple[str, ...] = ()
    aside: int = 0

    @property
    def reason(self) -> str | None:
        patterns = REASONS.get(self.tool, {})
        return next((why for pattern, why in patterns.items() if fnmatchcase(self.model, pattern)), None)

    @property
    def is_wrong(self) -> bool:
        return bool(self.differences) and self.reason is None


def main(argv: Sequence[str] | None = None) -> int:
    """Read, compare, print."""
    chosen = _parser().parse_args(argv)
    models = [model for model in MODELS if any(fnmatchcase(model, pattern) for pattern in chosen.models or "*")]
    tools = chosen.tools.split(",") if chosen.tools else counters.names()
    if not chosen.offline:
        readings.collect(models, tools, chosen.folder, chosen.time_limit, chosen.jobs, again=chosen.again)
    found = [case for model in track(models) for case in cases(model, tools, chosen.folder)]
    print("\n".join(report(found, tools)))
    return 1 if any(case.is_wrong for case in found) or not found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.conventions", description=__doc__)
    parser.add_argument("models", nargs="*", help="patterns of models, like 'conv*' or 'timm:*'; default: all")
    parser.add_argument("--tools", help="like fvcore,thop; default: all that we have a replica of")
    parser.add_argument(
        "--folder", type=Path, default=DEFAULT_FOLDER, help=f"of the readings; default {DEFAULT_FOLDER}"
    )
    parser.add_argument("--time-limit", type=float, default=300.0, help="seconds a counter and model")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--again", action="store_true", help="run the counters also where a reading is kept")
    parser.add_argument("--offline", action="store_true", help="run no counter; compare with what is kept")
    return parser


# Comparing ------------------------------------------------------------------------------------------------------------


def cases(model: str, tools: Sequence[str], folder: Path) -> Iterator[Case]:
    """What came of each counter that has a reading of the model."""
    kept = {tool: reading for tool, reading in readings.recorded(model, folder).items() if tool in tools}
    try:
        found = _profile(model) if any(reading.is_read for reading in kept.values()) else None
    except errors.ProfileError as error:
        yield from (Case(model, tool, differences=(f"we fail: {error}",)) for tool in kept)
        return
    for tool, reading in kept.items():
        if found is None or not reading.is_read:
            yield Case(model, tool, failure=reading.error or reading.missing)
        else:
            aside = sum(amount for shares in reading.asides.values() for amount in shares.values())
            yield Case(model, tool, differences=tuple(_differences(found, reading)), aside=aside)


def _profile(model: str) -> Profile:
    if model not in SMALL:
        return profile(model)
    small = SMALL[model]
    return profile(small.build(), small.args or None, kwargs=small.kwargs)


def _differences(found: Profile, reading: Reading) -> Iterator[str]:
    replica = conventions.named(reading.tool)
    assert isinstance(replica, Replica)
    under = found.under(reading.tool)
    asides = [(path, amount) for shares in reading.asides.values() for path, amount in shares.items()]
    if not _equal(total := under.totals.flops + sum(amount for _, amount in asides), reading.total):
        yield f"total {reading.total:,}, replica {total:,}"
    if reading.layers is not None:
        layers = {layer.path: layer.own_flops for layer in under.layers}
        for path, amount in asides:
            layers[path] += amount
        yield from _layer_differences("layers", reading.layers, layers)
    if replica.weighings is not None:
        weights: dict[str, int] = dict.fromkeys((layer.path for layer in under.layers), 0)
        for weighing in replica.weighings(found.trace):
            weights[found.trace.modules[weighing.module].path] += weighing.amount
        for path, amount in ((path, n) for shares in reading.param_asides.values() for path, n in shares.items()):
            weights[path] += amount
        if reading.params != sum(weights.values()):
            yield f"params {reading.params:,}, replica {sum(weights.values()):,}"
        if reading.layer_params is not None:
            yield from _layer_differences("layer params", reading.layer_params, weights)
    if not account(found.trace, reading).closes:
        yield "account does not close"


def _layer_differences(what: str, theirs: Mapping[str, Any], ours: Mapping[str, int]) -> Iterator[str]:
    differing = [path for path in {**theirs, **ours} if not _equal(ours.get(path, 0), theirs.get(path, 0))]
    if differing:
        shown = ", ".join(
            f"{path or 'the model'} {theirs.get(path, 0):,} replica {ours.get(path, 0):,}"
            for path in differing[:_MOST_LAYERS]
        )
        yield f"{what} {len(differing)}: {shown}" + (", ..." if len(differing) > _MOST_LAYERS else "")


def _equal(ours: int, theirs: Any) -> bool:
    """A replica's figures are whole; a counter that divides by the batch gives parts of one."""
    return bool(ours == theirs) if isinstance(theirs, int) else abs(ours - theirs) < 1


# Telling --------------------------------------------------------------------------------------------------------------

_FIGURES: Mapping[str, Callable[[str], bool]] = {
    "totals": lambda difference: difference.startswith(("total", "we fail")),
    "layers": lambda difference: difference.startswith(("layers", "we fail")),
    "params": lambda difference: difference.startswith(("params", "layer params", "we fail")),
    "accounts": lambda difference: difference.startswith(("account", "we fail")),
}


def report(cases: Sequence[Case], tools: Sequence[str]) -> Iterator[str]:
    """A line of figures for each counter, then every case in which something is not equal."""
    yield tabulate([_row(tool, [case for case in cases if case.tool == tool]) for tool in tools], _HEADINGS)
    for tool in tools:
        mine = [case for case in cases if case.tool == tool]
        if not mine:
            yield f"\n{tool} has no reading: it is not installed"
        yield from _listed(f"{tool} fails itself", ((case.model, case.failure) for case in mine if case.failure))
        yield from _listed(
            f"{tool} differs from our replica",
            ((case.model, f"{'; '.join(case.differences)}. {case.reason or 'No reason is known'}")
             for case in mine if case.differences),
        )  # fmt: skip


_HEADINGS = [
    *("", "models", "fails itself", "totals equal by the trace alone"),
    *(f"{figure} equal" for figure in _FIGURES),
    "without a reason",
]


def _row(tool: str, cases: Sequence[Case]) -> list[object]:
    read = [case for case in cases if case.failure is None]
    equal = [sum(not any(map(concerns, case.differences)) for case in read) for concerns in _FIGURES.values()]
    alone = sum(not case.aside and not any(map(_FIGURES["totals"], case.differences)) for case in read)
    return [tool, len(cases), len(cases) - len(read), alone, *equal, sum(case.is_wrong for case in read)]


def _listed(title: str, lines: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    written = [f"  {model}: {line}" for model, line in lines]
    if written:
        yield from ("", title, *written)


if __name__ == "__main__":
    sys.exit(main())
