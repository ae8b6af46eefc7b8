"""What does a part of a model cost, in Python? `ablate`, and contexts that change a model: `without`, `replaced`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ContextDecorator, contextmanager
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, Unpack

from profiler import errors
from profiler.answers.ablate.named import Layers, checked, is_layer
from profiler.answers.common.options import names
from profiler.answers.common.run_options import RunOptions, feed_and_conditions
from profiler.answers.models.compute import Layout
from profiler.answers.models.metrics import MetricSources
from profiler.api.comparing import Bold, marked
from profiler.api.profiling import OnDevice, running_on
from profiler.counters import conventions
from profiler.counters.conventions import DEFAULT
from profiler.records.patterns import outermost

if TYPE_CHECKING:
    from torch import nn

    from profiler.answers.ablate.compute import Ablation
    from profiler.answers.ablate.named import Named
    from profiler.engine.changing.subjects import Maker

_Given = ParamSpec("_Given")
Layer: TypeAlias = "str | nn.Module | Callable[..., nn.Module]"


def ablate(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    without: Named | Sequence[Named | Sequence[Named]] = (),
    replace: Mapping[Any, Layer] | str | Sequence[str] | None = None,
    each: Named | Sequence[Named] = (),
    kwargs: Mapping[str, Any] | None = None,
    convention: str = DEFAULT,
    device: OnDevice = None,
    columns: str | Sequence[str] = (),
    labels: str | Sequence[str] = (),
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
        "BatchNorm2d"), a class, whose layers are meant and those of classes that extend it, a layer of the live model,
        or several of these, as a list or in one text with commas. An identity takes the place of a layer that returns
        what it takes, in shape and dtype; the row of a variant with another layer says which shapes it takes and
        returns.
    replace: by a pattern, a class or a layer of the model, what stands in the place of its layers: a class of torch.nn
        with literals as a text ("Conv2d(64, 64, 1)"), "FILE.py:CALLABLE", a class, a function or a layer. A function
        with one positional parameter gets the layer whose place it takes; of a layer there is a copy in each place. Or
        texts as the command takes them, "bn*=Identity".
    each: patterns, classes or layers of the model; what they name is left out one by one, a variant each.
    model, inputs, kwargs, convention, device, options: as `profile` takes them; the model comes back untouched.
    columns, metrics, relative_to, bold, sort, caption, tex_label: as `compare` takes them, and columns also as one
        text, "model,macs"; rows are called as by `labels`, and else "without layer4.2" or "bn* = Identity".
    labels: the rows' names, the model's first.

    Raises `profiler.errors.ProfileError`.
    """
    from profiler.answers.ablate.running import Rows, ablated
    from profiler.answers.ablate.variants import asked

    changes = asked(without, {} if replace is None else replace, each)
    feed, under = feed_and_conditions(options, inputs, kwargs)
    timer, _, there = running_on(device)
    marks = _listed(bold) if isinstance(bold, str) else bold
    layout = Layout(_listed(columns), relative_to, marked(marks), caption, tex_label, sort, timer)
    called = [labels] if isinstance(labels, str) else labels
    profile = partial(there, convention=conventions.named(convention).name)
    return ablated(model, feed, under, changes, Rows(layout, called, metrics), profile)


class _Context(AbstractContextManager["nn.Module"], ContextDecorator):
    """A context that begins anew each time that it is entered."""

    def __init__(self, begin: Callable[[], AbstractContextManager[nn.Module]]) -> None:
        self._begin = begin
        self._entered: list[AbstractContextManager[nn.Module]] = []

    def __enter__(self) -> nn.Module:
        context = self._begin()
        model = context.__enter__()
        self._entered.append(context)
        return model

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._entered.pop().__exit__(kind, error, trace)


def _entered_often(function: Callable[_Given, Iterator[nn.Module]]) -> Callable[_Given, _Context]:
    """What `contextlib.contextmanager` makes can be entered once."""
    once = contextmanager(function)

    @wraps(function)
    def context(*args: _Given.args, **kwargs: _Given.kwargs) -> _Context:
        return _Context(partial(once, *args, **kwargs))

    return context


@_entered_often
def without(model: nn.Module, *patterns: Named) -> Iterator[nn.Module]:
    """The model without some of its layers, for as long as the context lasts, which can be entered again.

    model: it is changed itself, and comes back as it was, also where the context raises.
    patterns: of paths or classes; or classes, or layers of the model. In the place of each layer stands one that
        returns its first argument; whether its shape is right shows when the model runs.
    """
    _check_live("without", model)
    from profiler.engine.changing.identity import Identity

    with _changed(model, patterns, lambda old, model: Identity()):
        yield model


@_entered_often
def replaced(model: nn.Module, pattern: Named, by: Layer) -> Iterator[nn.Module]:
    """The model with another layer in the place of some, for as long as the context lasts, which can be entered again.

    model: it is changed itself, and comes back as it was, also where the context raises.
    pattern: of paths or classes of the layers; or a class, or a layer of the model.
    by: as `ablate` takes it for `replace`; made for each of the layers. Where it is a layer itself, a copy of it stands
        in each place, so that they share no weights, and what is trained in the context is the copy.
    """
    _check_live("replaced", model)
    from profiler.sources.layers import maker

    with _changed(model, [pattern], maker(by)):
        yield model


@contextmanager
def _changed(model: nn.Module, patterns: Iterable[Any], make: Maker) -> Iterator[None]:
    """The outermost layers that are named, each changed wherever the model holds it."""
    from profiler.engine.changing.replaced import all_replaced, modules_at
    from profiler.engine.record.structure import Structure

    layers = Layers(Structure(model).modules, type(model).__name__, model)
    paths = outermost(path for pattern in patterns for path in layers.paths(checked(pattern)))
    made = {path: make(old, model) for path, old in zip(paths, modules_at(model, paths), strict=True)}
    with all_replaced(model, made):
        yield


def _check_live(verb: str, model: Any) -> None:
    if isinstance(model, type) or not is_layer(model):
        raise _is_not_live(verb, model)


def _listed(columns: str | Sequence[str]) -> Sequence[str]:
    """Of several, also as one text, as the command takes them."""
    return [*names(columns)] if isinstance(columns, str) else columns


# Error messages -------------------------------------------------------------------------------------------------------


def _is_not_live(verb: str, model: Any) -> errors.ProfileError:
    if isinstance(model, str):
        return errors.ProfileError(
            f"{verb} changes a live model, and {model!r} is a text; build the model and give that, or name the text to "
            "ablate"
        )
    what = f"the class {model.__name__}" if isinstance(model, type) else f"of type {type(model).__name__}"
    return errors.ProfileError(f"{verb} changes a live model, and what is given is {what}; give a torch.nn.Module")
