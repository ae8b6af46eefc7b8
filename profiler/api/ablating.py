"""What does a part of a model cost, in Python? `ablate`, and contexts that change a model: `without`, `replaced`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from profiler.answers.common.run_options import RunOptions, feed_and_conditions
from profiler.answers.models.compute import Layout
from profiler.answers.models.metrics import MetricSources
from profiler.api.comparing import Bold, marked
from profiler.api.profiling import OnDevice, running_on
from profiler.counters import conventions
from profiler.counters.conventions import DEFAULT
from profiler.records.patterns import layers_to_change, outermost

if TYPE_CHECKING:
    from torch import nn

    from profiler.answers.ablate.compute import Ablation

Layer: TypeAlias = "str | nn.Module | Callable[..., nn.Module]"


def ablate(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    without: str | Sequence[str | Sequence[str]] = (),
    replace: Mapping[str, Layer] | None = None,
    each: str | Sequence[str] = (),
    kwargs: Mapping[str, Any] | None = None,
    convention: str = DEFAULT,
    device: OnDevice = None,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    metrics: MetricSources = None,
    relative_to: str | None = None,
    bold: Bold = False,
    sort: str | None = None,
    caption: str = "",
    tex_label: str = "",
    **options: Unpack[RunOptions],
) -> Ablation:
    """What a model costs without some of its layers, or with others in their place: a row for it, one a variant.

    without: layers that are left out together, a variant for each entry: a pattern of paths or classes ("layer4.2",
        "BatchNorm2d"), or several. An identity takes the place of a layer that returns what it takes, in shape and
        dtype; the row of a variant with another layer says which shapes it takes and returns.
    replace: by a pattern, what stands in the place of its layers: a class of torch.nn with literals as a text
        ("Conv2d(64, 64, 1)"), "FILE.py:CALLABLE", a class, a function or a layer. A function with one positional
        parameter gets the layer whose place it takes.
    each: patterns whose layers are left out one by one, a variant each.
    model, inputs, kwargs, convention, device, options: as `profile` takes them; the model comes back untouched.
    columns, metrics, relative_to, bold, sort, caption, tex_label: as `compare` takes them; rows are called as by
        `labels`, and else "without layer4.2" or "bn* = Identity".
    labels: the rows' names, the model's first.

    Raises `profiler.errors.ProfileError`.
    """
    from profiler.answers.ablate.running import Rows, ablated
    from profiler.answers.ablate.variants import asked

    changes = asked(_several(without), replace or {}, _several(each))
    feed, under = feed_and_conditions(options, inputs, kwargs)
    timer, _, there = running_on(device)
    layout = Layout(columns, relative_to, marked(bold), caption, tex_label, sort, timer)
    profile = partial(there, convention=conventions.named(convention).name)
    return ablated(model, feed, under, changes, Rows(layout, labels, metrics), profile)


@contextmanager
def without(model: nn.Module, *patterns: str) -> Iterator[nn.Module]:
    """The model without some of its layers, for as long as the context lasts.

    model: it is changed itself, and comes back as it was, also where the context raises.
    patterns: of paths or classes. In the place of each layer stands one that returns its first argument; whether its
        shape is right shows when the model runs.
    """
    from profiler.engine.changing.identity import Identity

    with _changed(model, patterns, lambda old: Identity()):
        yield model


@contextmanager
def replaced(model: nn.Module, pattern: str, by: Layer) -> Iterator[nn.Module]:
    """The model with another layer in the place of some, for as long as the context lasts.

    model: it is changed itself, and comes back as it was, also where the context raises.
    pattern: of paths or classes of the layers.
    by: as `ablate` takes it for `replace`; made for each of the layers.
    """
    from profiler.sources.layers import maker

    make = maker(by)
    with _changed(model, [pattern], lambda old: make(old, model)):
        yield model


@contextmanager
def _changed(model: nn.Module, patterns: Iterable[str], make: Callable[[nn.Module], nn.Module]) -> Iterator[None]:
    """The outermost layers that match, each changed wherever the model holds it."""
    from profiler.engine.changing.replaced import all_replaced, modules_at
    from profiler.engine.record.structure import Structure

    modules, name = Structure(model).modules, type(model).__name__
    paths = outermost(path for pattern in patterns for path in layers_to_change(modules, pattern, name))
    made = {path: make(old) for path, old in zip(paths, modules_at(model, paths), strict=True)}
    with all_replaced(model, made):
        yield


def _several(patterns: Any) -> Sequence[Any]:
    return [patterns] if isinstance(patterns, str) else patterns
