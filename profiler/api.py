"""What is public in Python? `profile`, `compare` and `Profile`, with one method or function for each question.

From a model or a spec by way of `sources` to a trace, and from that to an answer. torch is imported when a model has
to be run, and an answer's package when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

from profiler import errors
from profiler.answers.common.repeatable import Repeatable
from profiler.answers.common.run_options import RunOptions, Sizes, feed_and_conditions, sized_feed
from profiler.answers.common.tracing import traced
from profiler.answers.common.varying import Run, Varying
from profiler.answers.models.compute import Comparison, Entry, Layout, check_reference, comparison
from profiler.answers.models.metrics import MetricSources, metric_sources
from profiler.answers.models.table import check_layout
from profiler.counters import conventions
from profiler.counters.conventions import DEFAULT
from profiler.figures import profile as figures
from profiler.records.conditions import AS_IT_IS, Conditions, conditions
from profiler.records.spec import Feed
from profiler.records.times import Timer
from profiler.render.tables import Better, chosen_columns

if TYPE_CHECKING:
    from torch import nn

    from profiler.answers.check.compute import BudgetCheck, LimitValues
    from profiler.answers.cross_check.compute import CrossCheck
    from profiler.answers.diff.compute import Diff
    from profiler.answers.generate.generation import Generation
    from profiler.answers.generate.scan import GenerationScan
    from profiler.answers.largest.compute import Largest
    from profiler.answers.match.compute import Match
    from profiler.answers.memory.compute import MemoryReport
    from profiler.answers.scan.compute import Scan
    from profiler.answers.weights.compute import Quantised

_Varying: TypeAlias = Varying[figures.Profile]
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
        return super().on(_timer(device))

    def report(self, path: str | os.PathLike[str], *, title: str = "") -> None:
        """Write a page to look into, as one HTML file: the tree of layers, a map of costs, formulas, memory.

        path, title: as the function `report` takes them.
        """
        report(self, path, title=title)

    def diff(self, after: figures.Profile | str, *, top: int | None = 20, columns: Sequence[str] = ()) -> Diff:
        """What changed from this model to another, totals and layers; `diff(...).check("2%")` fails where it grew.

        after, top, columns: as the function `diff` takes them.
        """
        return diff(self, after, top=top, columns=columns)


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
        passed as it is; a list or dict of shapes; or a tuple of such, for several positional arguments. A spec has
        inputs of its own, and so has a model of transformers. None: a model that says no input, and takes some, is not
        run: its parameters are known, its MACs are `None`.
    kwargs: keyword arguments of the forward pass.
    convention: whose FLOPs the profile's `flops` are; see `Profile.under`.
    device: where `Profile.times` are; see `Profile.on`.
    options: batch, seq and trust_remote_code, and the conditions of the run: dtype, train, optimizer, amp, freeze,
        recompute, zeros; see `RunOptions`.

    Raises `profiler.errors.ProfileError`, whose text is one line that says what to do.
    """
    feed, under = feed_and_conditions(options, inputs, kwargs)
    ran = Profile(traced(model, feed, under, or_held=True), convention, _timer(device))
    return ran.repeatable(model, feed, under)


def run(model: nn.Module | str, feed: Feed, convention: str = DEFAULT, under: Conditions = AS_IT_IS) -> Profile:
    """The profile of what a spec names, or of a model that is there, run under some conditions."""
    return Profile(traced(model, feed, under), convention).repeatable(model, feed, under)


def run_on(timer: Timer) -> Run:
    """`run`, whose profiles are on a device; what keeps a model from running there is raised as it is run."""

    def on_device(
        model: nn.Module | str, feed: Feed, convention: str = DEFAULT, under: Conditions = AS_IT_IS
    ) -> Profile:
        timed = run(model, feed, convention, under).on(timer)
        _ = timed.times
        return timed

    return on_device


def compare(
    models: Sequence[figures.Profile | str],
    columns: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    metrics: MetricSources = None,
    relative_to: str | None = None,
    bold: bool | Sequence[str] | Mapping[str, Better | None] = False,
    sort: str | None = None,
    caption: str = "",
    tex_label: str = "",
    device: OnDevice = None,
) -> Comparison:
    """Several models side by side, one row each.

    models: profiles, or specs such as "resnet34".
    columns: their names, in order; by default the usual ones, and all metrics.
    labels: the rows' names, in the order of the models; by default their specs.
    metrics: what is known of how good they are. `True`: as torchvision publishes it for its weights; the path of a CSV
        file; a mapping `{"resnet34": {"accuracy": 73.3}}`, by spec or label; or several of these in a list, of which a
        later one is preferred.
    relative_to: the spec or label of the row that the columns `rel_params`, ... are relative to; by default the first.
    bold: mark the best of each column (`True`), of some columns, or of columns with "min" or "max".
    sort: the column that rows are sorted by, the largest first, or by name.
    caption, tex_label: what stands above the table, and the label that LaTeX refers to it by.
    device: see `Profile.on`; by default that of the profiles.

    `print` what it returns, or take `to_latex()`, `to_markdown()`, `to_csv()`, `to_json()` or `to_html()`. Raises
    `profiler.errors.ProfileError`.
    """
    if not models:
        raise errors.no_model_given()
    profiles = [profiled(model, device) for model in models]
    if labels and len(labels) != len(profiles):
        raise errors.label_count(len(labels), len(profiles))
    named = labels or [profile.model for profile in profiles]
    entries = [Entry(profile.model, label, profile) for profile, label in zip(profiles, named, strict=True)]
    pairs = [(entry.model, entry.label) for entry in entries]
    check_reference(relative_to, pairs)
    marked = bold if isinstance(bold, Mapping) else dict.fromkeys(() if isinstance(bold, bool) else bold)
    timer = next((profile.timer for profile in profiles if profile.timer is not None), None)
    layout = Layout(columns, relative_to, None if bold is False else marked, caption, tex_label, sort, timer)
    compared = comparison(entries, layout, metric_sources(metrics, profiles, pairs))
    check_layout(layout, compared.metric_names)
    return compared


def profiled(model: Any, device: OnDevice = None) -> figures.Profile:
    """A profile as it is, or that of a spec; on a device where there is one. Raises `errors.ProfileError`."""
    if isinstance(model, figures.Profile):
        return model if device is None else model.on(_timer(device))
    if not isinstance(model, str):
        raise _not_a_profile(type(model).__name__)
    return profile(model, device=device)


def _timer(device: OnDevice) -> Timer | None:
    """What tells the time on a device; raises `errors.ProfileError`."""
    from profiler.devices.timing import timer

    return timer(str(device)) if isinstance(device, (str, os.PathLike)) else device


def _on(device: OnDevice) -> tuple[Timer | None, Run, Callable[..., Profile]]:
    """What tells the time on a device, and how models are run, and profiles made, there."""
    timer = _timer(device)
    return timer, run if timer is None else run_on(timer), partial(Profile, timer=timer)


def report(
    subject: Comparison | Diff | figures.Profile | str | Sequence[figures.Profile | str],
    path: str | os.PathLike[str],
    *,
    title: str = "",
) -> None:
    """Write a page to look into, as one HTML file that needs no network.

    subject: a profile or a spec; several of them, which are compared; or what `compare` or `diff` returns.
    path: the file, which is written whole or not at all.
    title: what stands above; by default the models' names.

    Raises `profiler.errors.ProfileError`.
    """
    from profiler.answers.report.compute import reported
    from profiler.records.files import writing
    from profiler.render import renderer

    if isinstance(subject, (str, figures.Profile)):
        subject = profiled(subject)
    elif isinstance(subject, Sequence):
        subject = compare(subject)
    with writing.result(str(path)) as file:
        print(renderer("html").whole(reported(subject, title), title), file=file)


# Questions that run more models ---------------------------------------------------------------------------------------


def diff(
    before: figures.Profile | str,
    after: figures.Profile | str,
    *,
    top: int | None = 20,
    columns: Sequence[str] = (),
    device: OnDevice = None,
) -> Diff:
    """What changed from one model to another.

    before, after: profiles, or specs such as "resnet34" or "before.json".
    top: how many changes are shown (None: all); `Diff.layers` and `Diff.blocks` always have all of them.
    columns: what is shown of each change, by the names that `--columns` takes.
    device: see `Profile.on`; by default that of the profiles.

    Raises `profiler.errors.ProfileError`.
    """
    from profiler.answers.diff.compute import Diff

    return Diff(profiled(before, device), profiled(after, device), top, columns)


def scan(
    model: nn.Module | str,
    name: str,
    values: Iterable[Any],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    phase: str | None = None,
    cache: str | None = None,
    convention: str = DEFAULT,
    device: OnDevice = None,
    columns: Sequence[str] = (),
    caption: str = "",
    tex_label: str = "",
    **options: Unpack[RunOptions],
) -> Scan | GenerationScan:
    """A model at several values of what `name` says: one row a value, and exact polynomials where there are some.

    name: a dimension that an input has in braces, as in "1x{n}:int64"; else "batch", the first dimension of every
        input; "size", the height and width of images; "seq", the tokens of a prompt; or a keyword argument of the
        builder that a spec names.
    values: which ones.
    phase, cache: of a language model, as `generate` takes them: its phases are what is run, and shown.
    columns, caption, tex_label: what is shown, as by the command's options of these names.
    model, inputs, kwargs, convention, device, options: as `profile` takes them.
    """
    from profiler.answers.generate.generating import requested
    from profiler.answers.scan.sweeping import scanned

    feed, under = feed_and_conditions(options)
    timer, run_there, there = _on(device)
    varying: _Varying = Varying(run_there, model, name, inputs, dict(kwargs or {}), feed, convention, under)
    request = requested(phase, cache, there)
    return scanned(varying, tuple(dict.fromkeys(values)), request, columns, caption, tex_label, timer=timer)


def largest(
    model: nn.Module | str,
    what: str,
    memory: int | str | None = None,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    weights: str | None = None,
    phase: str | None = None,
    cache: str | None = None,
    device: OnDevice = None,
    max_time: float | str | None = None,
    **options: Unpack[RunOptions],
) -> Largest:
    """The largest value of what grows whose peak memory, and time, are within limits.

    what: as `scan` takes it, such as "batch" or "seq"; "size:32" is about multiples of 32.
    memory: bytes, or a text such as "8GB"; by default that of the device, less 5 %.
    device, max_time: how many seconds, or "20ms", a run may take there.
    weights: the format that they are stored in, such as "int8".
    phase, cache: of a language model, as `generate` takes them; of both phases the dearer one has to fit.
    model, inputs, kwargs, options: as `profile` takes them.
    """
    from profiler.answers.generate.generating import requested
    from profiler.answers.largest.compute import largest, most, stepped
    from profiler.records import schemes

    name, step = stepped(what)
    feed, under = feed_and_conditions(options)
    timer, run_there, there = _on(device)
    varying: _Varying = Varying(run_there, model, name, inputs, dict(kwargs or {}), feed, DEFAULT, under)
    scheme = None if weights is None else schemes.named(weights)
    return largest(varying, most(memory, max_time, timer), step, scheme, requested(phase, cache, there))


def generate(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    phase: str | None = None,
    new_tokens: int | None = None,
    cache: str | None = None,
    dtype: str | None = None,
    convention: str = DEFAULT,
    columns: Sequence[str] = (),
    device: str | None = None,
    devices: int | None = None,
    tensor_parallel: int | None = None,
    pipeline_parallel: int | None = None,
    expert_parallel: int | None = None,
    weights: str | None = None,
    efficiency: str | float | None = None,
    **sizes: Unpack[Sizes],
) -> Generation:
    """What a language model costs where it generates text; print what it returns.

    model: a spec such as "hf:LlamaConfig(num_hidden_layers=2)", or a model whose forward pass takes token ids and
        returns a cache (`cache`, `past_key_values`, ...), which comes back untouched.
    inputs, kwargs: the prompt, as `profile` takes it; not needed for models of transformers.
    sizes: seq, how many tokens the prompt has, and batch, how many sequences; `scan` has several lengths.
    phase: "prefill", "decode" or "both", which is the default.
    new_tokens: how many decode steps are summed up, at contexts from the prompt's length on.
    cache: "dynamic", "static" or "fp8", for models of transformers; by default what the model makes.
    device: of the catalogue; the answer's `serving` says whether the model fits and how fast it is there at best.
    devices: how many share it; without a device, the answer's `choices` are those that so many of hold the model.
    tensor_parallel, pipeline_parallel, expert_parallel: how many devices divide each layer, the layers or experts.
    weights: the format that they are stored in, such as "int8".
    efficiency: 0.6 or "60%", the share of what a device can do at best that is reached.
    dtype, convention, columns: as `profile` and `scan` take them.
    """
    from profiler.answers.generate.generating import Request
    from profiler.answers.generate.on_devices import on_devices
    from profiler.answers.generate.table import PHASE_COLUMNS
    from profiler.records.conditions import BOTH

    chosen_columns(columns, PHASE_COLUMNS)
    asked = on_devices(device, devices, tensor_parallel, pipeline_parallel, expert_parallel, weights, efficiency)
    if asked is not None:
        asked.check(phase or BOTH, tuple(columns))
    request = Request(phase or BOTH, new_tokens, cache, Profile, asked is not None)
    feed, name = sized_feed(sizes, inputs, kwargs), conventions.named(convention).name
    answer = request.run(model, feed, name, conditions(dtype=dtype))
    return replace(answer if asked is None else asked.added(answer), columns=tuple(columns))


def cross_check(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    tools: str | Sequence[str] = ("fvcore", "thop"),
    time_limit_s: float = 300.0,
    **sizes: Unpack[Sizes],
) -> CrossCheck:
    """Run other counters on a model, and account for the difference between each one's count and ours.

    model, inputs, kwargs, sizes: as in `profile`. A counter runs in a process of its own, on a copy of the model.
    tools: their names, as `--convention` has them, or one text with commas between them; "all" for all there are.
    time_limit_s: how long one of them may take.

    A counter that is missing, fails or takes too long has an account that says so. Raises
    `profiler.errors.ProfileError` where the model cannot be profiled.
    """
    from profiler.answers.cross_check.compute import cross_checked, tool_names

    chosen = tool_names(tools.split(",") if isinstance(tools, str) else tools)
    own_profile = profile(model, inputs, kwargs=kwargs, **sizes)
    return cross_checked(own_profile, model, sized_feed(sizes, inputs, kwargs), chosen, time_limit_s)


# Error messages -------------------------------------------------------------------------------------------------------


def _not_a_profile(kind: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"compare and diff take profiles and specs, not {kind}; profile(model, inputs) makes a profile of one"
    )
