"""Which conventions and input sizes give a number that somebody read?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from profiler import errors
from profiler.answers.common.notes import input_shape
from profiler.counters import conventions
from profiler.figures.profile import Profile, derivable
from profiler.records import archive, quantities
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed
from profiler.records.trace import Value, known
from profiler.render.answer import Answer

if TYPE_CHECKING:
    from profiler.engine.run.subject import Subject

# Heights and widths that image models are published at.
_SIZES = (96, 112, 128, 160, 176, 192, 208, 224, 240, 256, 260, 288, 299, 300, 320, 331, 336, 380, 384, 448, 456, 480,
          512, 528, 600, 640, 768, 800, 1024)  # fmt: skip
_NEAREST = 8
PARAMETERS = "parameters"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was read: everything that rounds to it is from `least` up to, without, `most`."""

    text: str
    least: Decimal
    most: Decimal

    @property
    def middle(self) -> Decimal:
        return (self.least + self.most) / 2

    def matches(self, value: int) -> bool:
        return self.least <= value < self.most


@dataclass(frozen=True, slots=True)
class Candidate:
    """A figure of the model: what it counts (a convention's name, or "parameters"), of which input, and how much."""

    counts: str
    input: Value
    value: int


def number(text: str) -> Number:
    """Read `4.09G`, `4.09 GFLOPs`, `3664M`, `4,089,184,256` or `4.1e9`; raises `errors.ProfileError`."""
    return Number(text.strip(), *quantities.read("which", text, quantities.rounded))


def candidates(spec: str, feed: Feed) -> list[Candidate]:
    """Every figure of a model: its parameters, and each convention at each input size that the model accepts.

    Where the user gives the input, that is the only one.
    """
    profiles = list(_profiles(spec, feed))
    figures = [Candidate(PARAMETERS, None, profiles[0].totals.params)]
    for profile in profiles:
        shape = input_shape(profile.trace.inputs)
        figures += [
            Candidate(name, shape, known(profile.under(name).totals.flops))
            for name in conventions.applicable(profile.trace)
        ]
    return figures


def _profiles(spec: str, feed: Feed) -> Iterator[Profile]:
    from profiler import sources
    from profiler.engine.run.running import trace
    from profiler.records.trace import Trace

    subject = sources.load(spec, feed)
    if isinstance(subject, Trace):
        yield Profile(derivable(subject, spec) if spec.endswith(archive.SUFFIXES) else subject)
        return
    first = trace(subject)
    yield Profile(first)
    if first.engine == "meta":  # then a size that fails on meta tensors is refused, and no weights are built to try it
        subject = replace(subject, rebuild=None)
    for other in () if feed.is_given else _other_sizes(subject):
        try:
            yield Profile(trace(other))
        except errors.ProfileError:  # a model that is made for one size
            continue


def _other_sizes(subject: Subject) -> Iterator[Subject]:
    """The same model, fed with images of other sizes."""
    image = subject.args[0] if len(subject.args) == 1 and not subject.kwargs else None
    if not isinstance(image, TensorSpec) or len(image.shape) != 4:
        return
    for size in _SIZES:
        shape = (*image.shape[:2], size, size)
        if shape != image.shape:
            yield replace(subject, args=(replace(image, shape=shape),))


@dataclass(frozen=True, slots=True)
class Search:
    """What a model has to do with a number: the figures that round to it, or the nearest where none does."""

    model: str
    number: Number
    candidates: tuple[Candidate, ...]

    @property
    def is_met(self) -> bool:
        return any(self.number.matches(candidate.value) for candidate in self.candidates)


def search(model: str, number_read: Number, figures: Iterable[Candidate]) -> Search:
    """Keep the figures that round to the number; the nearest ones where none does."""
    everything = list(figures)
    exact = tuple(candidate for candidate in everything if number_read.matches(candidate.value))
    nearest = sorted(everything, key=lambda candidate: abs(candidate.value - number_read.middle))[:_NEAREST]
    return Search(model, number_read, exact or tuple(nearest))


@dataclass(frozen=True, slots=True)
class Which(Answer):
    """What several models have to do with a number."""

    searches: tuple[Search, ...]
