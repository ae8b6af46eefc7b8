"""What does `profile-model sensitivity` do? It says which layers matter for what they cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from profiler import errors
from profiler.answers.common.models import check_runs, single_model
from profiler.answers.common.options import (
    Captions,
    Columns,
    InputOptions,
    Model,
    OnDevice,
    Result,
    grouped,
    number,
    option,
    reading,
)
from profiler.answers.common.outcome import WHAT_IF, Context, Outcome
from profiler.answers.common.shown import anchor
from profiler.answers.layers.compute import View
from profiler.answers.models.verb import LayersShown
from profiler.answers.sensitivity.request import METHODS, SAMPLES, Request, read_by
from profiler.answers.sensitivity.running import Measuring
from profiler.answers.sensitivity.trial_table import check
from profiler.engine.processes.foreign_code import at_work
from profiler.records import targets
from profiler.records.conditions import AS_IT_IS
from profiler.records.spec import Feed
from profiler.render import CHARTS, format_of
from profiler.render import FORMATS as OF_TABLES

JOB = WHAT_IF
FORMATS = (*OF_TABLES, *CHARTS)


@grouped("On what")
class SampleOptions:
    weights: Annotated[str | None, option("Weights to be loaded first: FILE.safetensors, FILE.pt, ...", "FILE")] = None
    data: Annotated[
        str | None, option("Samples: FILE.npz, a folder of images, or FILE.py:LOADER. Default: random.", "DATA")
    ] = None
    samples: Annotated[int, option(f"How many of them. Default: {SAMPLES}.", "N", converter=number(1))] = SAMPLES
    run_on: Annotated[str | None, option("cpu, cuda or mps: where it is run. Default: cpu.", "DEVICE")] = None


@grouped("What is measured")
class MeasureOptions:
    target: Annotated[
        Any,
        option(
            "loss, largest (output), or the index of an output. Default: loss where there are labels, else largest.",
            "NAME", converter=reading(targets.target),
        ),
    ] = None  # fmt: skip
    loss: Annotated[
        str | None, option(f"{', '.join(targets.LOSSES)}, or FILE.py:CALLABLE. Default: {targets.USUAL}.", "NAME")
    ] = None
    hessian: Annotated[
        int, option("Add the trace of the Hessian, by so many probes.", "N", converter=number(1))
    ] = 0  # fmt: skip
    per_sample: Annotated[bool, option("The table of the inputs, sample by sample.")] = False
    method: Annotated[
        str | None, option(f"Of a picture, -o FILE.png: {', '.join(METHODS)}. Default: {METHODS[0]}.", "NAME")
    ] = None
    by: Annotated[
        str | None, option("Change each layer alone: quantise=int8, prune=0.5 or remove.", "CHANGE")
    ] = None  # fmt: skip
    each: Annotated[str | None, option("Which layers --by changes: 'layer*.*'.", "PATTERN")] = None


@grouped("The result")
class PictureResult(Result):
    """How tables are written, or a picture."""

    @property
    def is_picture(self) -> bool:
        """Whether a picture is asked for."""
        if self.format is not None or self.output is None:
            return (self.format or "").lower() in CHARTS
        return format_of(self.output, dict.fromkeys(FORMATS)) in CHARTS


def run(
    model: Model,
    /,
    *,
    context: Context,
    on: SampleOptions = SampleOptions(),
    measured: MeasureOptions = MeasureOptions(),
    inputs: InputOptions = InputOptions(),
    device: OnDevice = OnDevice(),
    columns: Columns = Columns(),
    captions: Captions = Captions(),
    layers: LayersShown = LayersShown(),
    result: PictureResult = PictureResult(),
) -> Outcome:
    """Which layers matter for what they cost: gradients, importance and curvature, or each layer changed alone.

    Example: profile-model sensitivity model.py:build --data images.npz
    """
    view = View(
        columns.chosen, layers.depth, layers.sort, layers.top, layers.filter, captions.caption or "",
        anchor(captions.tex_label),
    )  # fmt: skip
    named = single_model(model, replace(inputs, batch=None), "sensitivity")
    check_runs([named], "sensitivity")
    request = _request(on, measured, inputs, result.is_picture)
    check(view, context.timer, request)

    def profile(feed: Feed) -> Any:
        return context.run(named.spec, feed, "flops", AS_IT_IS)

    with at_work(named.label), context.progress_line(f"{named.label}:") as ended:
        answer = Measuring(named.spec, named.feed, request, profile, ended).answer(view, measured.per_sample)
    return Outcome(answer, profiles=[answer.profile])


def _request(on: SampleOptions, measured: MeasureOptions, inputs: InputOptions, is_picture: bool) -> Request:
    """Raises `errors.ProfileError` for what does not go together."""
    if measured.method is not None and not is_picture:
        raise errors.only_with("--method", "a picture, --output FILE.png,")
    by = None if measured.by is None else read_by(measured.by)
    return Request(
        data=on.data,
        weights=on.weights,
        target=measured.target,
        loss=measured.loss,
        samples=on.samples,
        at_once=inputs.batch,
        hessian=measured.hessian,
        by=by,
        each=measured.each,
        run_on=on.run_on,
        method=(measured.method or METHODS[0]) if is_picture and by is None else None,
    )
