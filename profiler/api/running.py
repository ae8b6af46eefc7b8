"""What else is asked of a model, in Python, that has to run more models, or the model more often?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from profiler.answers.common.run_options import RunOptions, Sizes, feed_and_conditions, sized_feed
from profiler.answers.common.varying import Varying
from profiler.api.profiling import OnDevice, Profile, profile, running_on
from profiler.counters import conventions
from profiler.counters.conventions import DEFAULT
from profiler.figures import profile as figures
from profiler.records.conditions import conditions
from profiler.render.tables import chosen_columns

if TYPE_CHECKING:
    from torch import nn

    from profiler.answers.cross_check.compute import CrossCheck
    from profiler.answers.generate.generation import Generation
    from profiler.answers.generate.scan import GenerationScan
    from profiler.answers.largest.compute import Largest
    from profiler.answers.scan.compute import Scan

_Varying: TypeAlias = Varying[figures.Profile]


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
    from profiler.answers.scan.scanning import scanned

    feed, under = feed_and_conditions(options)
    timer, run_there, there = running_on(device)
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
    timer, run_there, there = running_on(device)
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
