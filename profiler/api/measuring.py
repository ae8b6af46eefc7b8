"""What is asked of a model, in Python, that has to run it on real tensors: which layers matter for what they cost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from profiler.answers.common.run_options import sized_feed
from profiler.answers.common.shown import anchor
from profiler.answers.layers.compute import View
from profiler.api.profiling import OnDevice, running_on
from profiler.records.conditions import AS_IT_IS

if TYPE_CHECKING:
    from torch import nn

    from profiler.answers.sensitivity.compute import Sensitivity, Trials
    from profiler.answers.sensitivity.request import MeasureOptions


def sensitivity(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    data: Any = None,
    weights: str | None = None,
    per_sample: bool = False,
    device: OnDevice = None,
    columns: Sequence[str] = (),
    depth: int | None = None,
    sort: str | None = None,
    top: int | None = None,
    filter: str | None = None,
    caption: str = "",
    tex_label: str = "",
    **options: Unpack[MeasureOptions],
) -> Sensitivity | Trials:
    """How much an output depends on each layer and input, beside what the layers cost; or each layer changed alone.

    model: a `torch.nn.Module` with its own weights, which comes back untouched, or a spec, whose weights are drawn by
        its constructor with seed 0.
    inputs, kwargs: what it takes, as `profile` has them. Tensors are the samples where there are no `data`; shapes are
        filled with random numbers, uniform in [0, 1).
    data: "FILE.npz" with the arrays `images` (or `inputs`) and `labels`, a folder of images, "FILE.py:LOADER", or
        anything that yields batches, each a pair of inputs and labels, or inputs alone.
    weights: a file of weights, which a spec's model is given first; nothing in it is unpickled.
    per_sample: print the table of the inputs, sample by sample.
    device: where layers take the time that stands beside them, as `profile` has it.
    columns, depth, sort, top, filter, caption, tex_label: what is shown, as by the command's options of these names.
    options: what is measured, on how many samples and where; see `MeasureOptions`.

    Raises `profiler.errors.ProfileError`, whose text is one line that says what to do.
    """
    from profiler.answers.sensitivity.request import requested
    from profiler.answers.sensitivity.running import Measuring
    from profiler.answers.sensitivity.trial_table import check

    sizes: Any = {name: value for name, value in options.items() if name in ("seq", "trust_remote_code")}
    request = requested({"data": data, "weights": weights, **options})
    view = View(columns, depth, sort, top, filter, caption, anchor(tex_label))
    timer, run, _ = running_on(device)
    check(view, timer, request)
    feed = sized_feed(sizes, inputs, kwargs)
    return Measuring(model, feed, request, lambda fed: run(model, fed, "flops", AS_IT_IS)).answer(view, per_sample)
