"""What does a model cost, in Python? `profile`, and the `Profile` that it gives, with a method for each question.

From a model or a spec by way of `sources` to a trace, and from that to an answer. torch is imported when a model has
to be run, and an answer's package when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

import profiler.answers.layers  # noqa: F401  it says how a profile is shown
from profiler import errors
from profiler.answers.common.repeatable import Repeatable
from profiler.answers.common.run_options import RunOptions, feed_and_conditions
from profiler.answers.common.tracing import traced
from profiler.answers.common.varying import Run
from profiler.counters.conventions import DEFAULT
from profiler.figures import profile as figures
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.spec import Feed
from profiler.records.times import Timer
from profiler.sources.trace_cache.cache import TraceCache

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from profiler.answers.check.compute import BudgetCheck, LimitValues
    from profiler.answers.diff.compute import Diff
    from profiler.answers.match.compute import Match
    from profiler.answers.memory.compute import MemoryReport
    from profiler.answers.weights.compute import Quantised

OnDevice: TypeAlias = "str | os.PathLike[str] | Timer | None"


class Profile(Repeatable):
    """What a model costs: `totals`, `layers` in preorder, `profile["conv1"]`, and a method for each question."""

    @cached_property
    def memory(self) -> MemoryReport:
        """What is alive when most is, and how it got there; print it."""
        from profiler.answers.memory.compute import memory_report

        return memory_report(self)

    def explain(self, pattern: str = "*") -> str:
        """Each count of the layers as formula = numbers = result; print it.

        pattern: of the path or class of the layers, "layer1.*" or "Conv2d".
        """
        from profiler.answers.explain.compute import explain

        return explain(self, pattern)

    def weights(self, scheme: str, top: int | None = None) -> Quantised:
        """How large its weights are in another format; print it.

        scheme: "int8", "int4", "nf4", "q4_0", ..., as `profile-model weights --as` has them.
        top: how many parameters are shown; None: all.
        """
        from profiler.answers.weights.compute import quantised

        return quantised(self, scheme, top)

    def match(self, path: str | os.PathLike[str]) -> Match:
        """Whether a checkpoint matches this model: what is missing, unexpected or of another shape; print it.

        path: of a file of weights, of which headers are read alone.
        """
        from profiler.answers.match.compute import match_trace

        return match_trace(self.trace, str(path))

    def check(self, **limits: Unpack[LimitValues]) -> BudgetCheck:
        """Hold the model to limits; raises `CheckFailed` with a sentence for each one that it is over.

        limits: see `LimitValues`. A value equal to the limit is allowed.

        What it returns is the table of all figures against their limits.
        """
        from profiler.answers.check.compute import checked

        return checked(self, limits)

    def on(self, device: OnDevice) -> Self:
        """The same facts on a device, which says how long they take there: `times`, and columns of tables.

        device: "h100-sxm", as `profile-model list --devices` has it, or a file; None for none.
        """
        return super().on(timer_on(device))

    def report(self, path: str | os.PathLike[str], *, title: str = "") -> None:
        """Write a page to look into, as one HTML file: the tree of layers, a map of costs, formulas, memory.

        path, title: as the function `report` takes them.
        """
        from profiler.answers.report.file import write

        write(self, path, title)

    def plot(
        self,
        kind: str | None = None,
        *,
        y: str | None = None,
        log: str | None = None,
        device: str | None = None,
        width: str | float | None = None,
        style: str | os.PathLike[str] | None = None,
        title: str = "",
        output: str | os.PathLike[str] | None = None,
    ) -> Figure:
        """A figure of it for a paper, of matplotlib.

        kind, y, log, device, width, style, title, output: as the function `plot` takes them.
        """
        from profiler.answers.common.drawing import drawn
        from profiler.answers.plot import running
        from profiler.answers.plot.request import requested
        from profiler.render.charts import look

        request = requested(kind, None, y, log, None, device)
        return drawn(running.plotted_alone(self, request, look.read(width, style, title)), output)

    def diff(self, after: figures.Profile | str, *, top: int | None = 20, columns: Sequence[str] = ()) -> Diff:
        """What changed from this model to another, totals and layers; `diff(...).check("2%")` fails where it grew.

        after, top, columns: as the function `diff` takes them.
        """
        from profiler.answers.diff.compute import Diff

        return Diff(self, profiled(after), top, columns)


def profile(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    convention: str = DEFAULT,
    device: OnDevice = None,
    **options: Unpack[RunOptions],
) -> Profile:
    """Run a model once, on the meta device where that is possible, and give its profile.

    model: a `torch.nn.Module`, which comes back untouched, or a spec such as "resnet34" or "timm:dpn92".
    inputs: a shape, as a string "1x3x224x224:float16" or a tuple of ints; a tensor, or any other object, which is
        passed as it is; a list or dict of shapes; or a tuple of such, for several positional arguments. A list or dict
        that holds anything but shapes and words is passed as it is, and so are numbers in lists, as [224, 224]. A spec
        has inputs of its own, and so has a model of transformers. None: a model that says no input, and takes some, is
        not run: its parameters are known, its MACs are `None`.
    kwargs: keyword arguments of the forward pass. A text such as "1x128:int64" is a shape; all else is passed as it is.
    convention: whose FLOPs the profile's `flops` are; see `Profile.under`.
    device: where `Profile.times` are; see `Profile.on`.
    options: batch, seq and trust_remote_code, and the conditions of the run: dtype, train, optimizer, amp, freeze,
        recompute, zeros; see `RunOptions`.

    Raises `profiler.errors.ProfileError`, whose text is one line that says what to do.
    """
    feed, under = feed_and_conditions(options, inputs, kwargs)
    ran = Profile(traced(model, feed, under, or_held=True), convention, timer_on(device))
    return ran.repeatable(model, feed, under)


def run(
    model: nn.Module | str,
    feed: Feed,
    convention: str = DEFAULT,
    under: Conditions = AS_IT_IS,
    trace_cache: TraceCache | None = None,
) -> Profile:
    """The profile of what a spec names, or of a model that is there, run under some conditions.

    trace_cache: where its trace is looked up before, and kept after. In a process that lives on, whose modules may be
        changed, there should be none.
    """
    return Profile(traced(model, feed, under, trace_cache=trace_cache), convention).repeatable(model, feed, under)


def run_on(timer: Timer, trace_cache: TraceCache | None = None) -> Run:
    """`run`, whose profiles are on a device; what keeps a model from running there is raised as it is run."""

    def on_device(
        model: nn.Module | str, feed: Feed, convention: str = DEFAULT, under: Conditions = AS_IT_IS
    ) -> Profile:
        timed = run(model, feed, convention, under, trace_cache).on(timer)
        _ = timed.times
        return timed

    return on_device


def profiled(model: Any, device: OnDevice = None) -> figures.Profile:
    """A profile as it is, or that of a spec; on a device where there is one. Raises `errors.ProfileError`."""
    if isinstance(model, figures.Profile):
        return model if device is None else model.on(timer_on(device))
    if not isinstance(model, str):
        raise _not_a_profile(type(model).__name__)
    return profile(model, device=device)


def timer_on(device: OnDevice) -> Timer | None:
    """What tells the time on a device; raises `errors.ProfileError`."""
    from profiler.devices.timing import timer

    return timer(str(device)) if isinstance(device, (str, os.PathLike)) else device


def running_on(device: OnDevice) -> tuple[Timer | None, Run, Callable[..., Profile]]:
    """What tells the time on a device, and how models are run, and profiles made, there."""
    timer = timer_on(device)
    return timer, run if timer is None else run_on(timer), partial(Profile, timer=timer)


# Error messages -------------------------------------------------------------------------------------------------------


def _not_a_profile(kind: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"what is compared or shown is a profile or a spec, not {kind}; profile(model, inputs) makes a profile of one"
    )
