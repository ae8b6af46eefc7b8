"""How far below the lower bounds are published speeds of serving engines? `python -m tests.benchmarks.serving`.

A bound that a figure beats is wrong, so every ratio of the bound to the figure has to be at least 1; how much more it
is says how much engines, and the bound's assumptions, lose. `serving_figures.toml` has the figures with their sources.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

from profiler import generate
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.on_devices import on_devices
from profiler.answers.generate.serving import Serving
from profiler.records.schemes import SCHEMES

_FILE = Path(__file__).with_name("serving_figures.toml")
_DTYPES = ("float16", "bfloat16")
FIRST_TOKEN, PROMPT = "first token", "prompt"


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the file; see its opening text. `sequences` 0: not known."""

    engine: str
    url: str
    model: str
    spec: str
    device: str
    devices: int
    weights: str
    cache: str
    prompt: int
    new: int
    sequences: int
    what: str
    value: float
    experts: int = 1

    @property
    def words(self) -> str:
        of = f"{self.prompt}+{self.new}"
        batch = self.sequences or "?"
        return f"{self.model} {self.weights} on {self.devices} x {self.device}, {of}, batch {batch}, {self.what}"


@dataclass(frozen=True, slots=True)
class Held:
    """A figure and the bound: a speed that cannot be exceeded, or a time that nothing can be faster than."""

    figure: Figure
    bound: float

    @property
    def ratio(self) -> float:
        """How many times faster the bound is."""
        return self.figure.value / self.bound if self.figure.what == FIRST_TOKEN else self.bound / self.figure.value


def figures() -> Iterator[Figure]:
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    for source in data["source"]:
        for model, *rest in source["figures"]:
            yield Figure(source["engine"], source["url"], model, data["models"][model], *rest)


def held(figure: Figure) -> Held:
    known = figure if figure.sequences else replace(figure, sequences=_most_sequences(figure))
    return Held(figure, _bound(known))


def _bound(figure: Figure) -> float:
    """Decode steps are at the mean of their contexts: the bound of a step is convex in the context."""
    first = _serving(figure, figure.prompt).first_token.seconds if figure.prompt else 0.0
    if figure.what == FIRST_TOKEN:
        return first
    if figure.what == PROMPT:
        return figure.sequences * figure.prompt / first
    steps = figure.new - 1 if figure.prompt else figure.new  # the prefill gives the first token
    step = _serving(figure, figure.prompt + figure.new // 2).token.seconds
    return figure.sequences * figure.new / (first + steps * step)


def _most_sequences(figure: Figure) -> int:
    """As many as fit at once: on average they are in the midst of what they write. No memory is left for a runtime."""
    serving = _serving(replace(figure, sequences=1), figure.prompt + figure.new // 2)
    return (serving.device.memory_bytes - serving.needed.weights) // serving.needed.cache


def _serving(figure: Figure, context: int) -> Serving:
    generation = _generation(figure.spec, context, figure.sequences, _dtype(figure), figure.cache == "fp8")
    scheme = figure.weights if figure.weights in SCHEMES else None
    experts = figure.experts if figure.experts > 1 else None
    asked = on_devices(figure.device, figure.devices, expert_parallel=experts, weights=scheme)
    assert asked is not None
    serving = asked.added(generation).serving
    assert serving is not None
    return serving


def _dtype(figure: Figure) -> str:
    return next((name for name in (figure.weights, figure.cache) if name in _DTYPES), "float16")


@cache
def _generation(spec: str, context: int, sequences: int, dtype: str, is_fp8: bool) -> Generation:
    return generate(spec, seq=context, batch=sequences, dtype=dtype, cache="fp8" if is_fp8 else None)


def main() -> int:
    """Prints every figure; the exit status is 1 where one beats its bound."""
    ratios = []
    for figure in figures():
        result = held(figure)
        ratios.append(result.ratio)
        unit = "s" if figure.what == FIRST_TOKEN else "tokens/s"
        print(f"{result.ratio:6.2f}  {figure.words}: {figure.value:g} {unit}, bound {result.bound:.4g}", flush=True)
    below = sum(ratio < 1 for ratio in ratios)
    print(f"{len(ratios)} figures: {below} beat their bound, median ratio {median(ratios):.2f}, ", end="")
    print(f"from {min(ratios):.2f} to {max(ratios):.2f}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
