"""What is a model at another batch size, image size, width? One thing varies, and the rest stays as it was said.

What can vary: a dimension that an input names, as in "1x{n}:int64"; else `batch`, the first dimension of every input;
`size`, the height and width of images; `seq`, the tokens of text that an `hf:` model reads; else a keyword argument of
the builder that a spec names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from profiler import errors
from profiler.counters.conventions import DEFAULT
from profiler.figures.profile import Profile
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.inputs import TensorSpec, positional_and_named
from profiler.records.spec import Feed, Spec, parse, written

if TYPE_CHECKING:
    from torch import nn

BATCH, SIZE, SEQ = "batch", "size", "seq"
_DIMENSION = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")
_SIZED = ("image_size", "img_size")  # how builders call it, of models that are made for one size
Run: TypeAlias = "Callable[[nn.Module | str, Feed, str, Conditions], Profile]"
_Fed: TypeAlias = "tuple[tuple[Any, ...], dict[str, Any]]"


def dimensions(inputs: Any) -> set[str]:
    """The dimensions that inputs, as `profile` takes them, name in braces."""
    if isinstance(inputs, str):
        return set(_DIMENSION.findall(inputs))
    if isinstance(inputs, Mapping):
        inputs = inputs.values()
    elif type(inputs) not in (tuple, list):
        return set()
    return {name for given in inputs for name in dimensions(given)}


@dataclass(frozen=True, slots=True)
class Varying:
    """A model, as a spec or live, of which `name` varies.

    run: what runs a model: `profiler.api.run`.
    batch: the batch size where something else varies. feed: what else is said of what a spec's model is fed.
    """

    run: Run
    model: nn.Module | str
    name: str
    inputs: Any = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    batch: int | None = None
    convention: str = DEFAULT
    conditions: Conditions = AS_IT_IS
    feed: Feed = field(default_factory=Feed)

    def __post_init__(self) -> None:
        named = dimensions([self.inputs, self.kwargs])
        unknown = sorted(named - {self.name})
        if unknown:
            raise errors.DimensionWithoutValue(unknown[0])
        if self.name == BATCH and not named and self.batch is not None:
            raise _batch_is_varied(self.batch)

    @property
    def label(self) -> str:
        return self.model if isinstance(self.model, str) else type(self.model).__name__

    @property
    def is_a_dimension(self) -> bool:
        """Whether an input names it."""
        return self.name in dimensions([self.inputs, self.kwargs])

    @property
    def is_a_size(self) -> bool:
        """Whether it is a number of things, and so from 1 up."""
        return self.is_a_dimension or self.name in (BATCH, SIZE, SEQ)

    def at(self, value: Any) -> Profile:
        """The model's profile where the name has this value; raises `errors.ProfileError`."""
        if self.is_a_dimension:
            return self._run(self.model, self._fed(value), self.batch)
        if self.name == BATCH:
            return self._run(self.model, _sized(self._fed(), _with_batch(value)), value)
        if self.name == SIZE:
            return self._at_size(value)
        if self.name == SEQ:
            return self._run(self.model, self._fed(), self.batch, value)
        if not isinstance(self.model, str):
            raise _live_has_no_builder(self.label, self.name)
        return self._run(_with_argument(self.model, self.name, value), self._fed(), self.batch)

    def _fed(self, value: int | None = None) -> _Fed:
        inputs, kwargs = self.inputs, self.kwargs
        if value is not None:
            inputs, kwargs = _filled(inputs, value), _filled(kwargs, value)
        return positional_and_named(inputs, {name: _parsed(given) for name, given in kwargs.items()})

    def _at_size(self, size: int) -> Profile:
        """Where the model refuses another size than the one that it is made for, its builder is asked for the size."""
        fed = _sized(self._fed() if self._is_fed else self._own(), _with_size(size))
        try:
            return self._run(self.model, fed, self.batch)
        except errors.ModelFailed:
            for spec in (
                [_with_argument(self.model, name, size) for name in _SIZED] if isinstance(self.model, str) else ()
            ):
                try:
                    return self._run(spec, fed, self.batch)
                except errors.BuilderFailed as failure:
                    if not isinstance(failure.__cause__, TypeError):  # it takes the keyword, and not this size
                        raise
            raise

    @property
    def _is_fed(self) -> bool:
        return self.inputs is not None or bool(self.kwargs)

    def _own(self) -> _Fed:
        """What a spec's model takes by itself."""
        from profiler import sources
        from profiler.records.trace import Trace

        if not isinstance(self.model, str):
            raise errors.InputsNeeded(self.label)
        subject = sources.load(self.model, replace(self.feed, batch=self.batch))
        if isinstance(subject, Trace):
            raise errors.SavedIsFixed(self.model, f"another {self.name}")
        return subject.args, dict(subject.kwargs)

    def _run(self, model: nn.Module | str, fed: _Fed, batch: int | None, seq: int | None = None) -> Profile:
        if not isinstance(model, str):
            if seq is not None:
                raise errors.NoText(self.label)
            return self.run(model, Feed(*fed), self.convention, self.conditions)
        if fed[0] or fed[1]:
            fed = fed if batch is None else _sized(fed, _with_batch(batch))
        feed = Feed(*fed, batch, self.feed.seq if seq is None else seq, self.feed.trusts_code)
        return self.run(model, feed, self.convention, self.conditions)


def _with_argument(text: str, name: str, value: Any) -> str:
    spec = parse(text)
    return written(Spec(spec.text, spec.prefix, spec.target, {**spec.kwargs, name: value}))


def _filled(inputs: Any, value: int) -> Any:
    """Inputs with a number in the place of every name in braces."""
    if isinstance(inputs, str):
        return _DIMENSION.sub(str(value), inputs)
    if isinstance(inputs, Mapping):
        return {name: _filled(given, value) for name, given in inputs.items()}
    if type(inputs) in (tuple, list):
        return type(inputs)(_filled(given, value) for given in inputs)
    return inputs


def _parsed(given: Any) -> Any:
    from profiler.records.inputs import parse as shape

    return shape(given) if isinstance(given, str) else given


def _sized(fed: _Fed, change: Callable[[TensorSpec], TensorSpec]) -> _Fed:
    """Every tensor's shape changed; tensors with values become shapes."""
    if not fed[0] and not fed[1]:
        return fed
    from profiler.engine.held.walk import map_leaves

    def changed(leaf: Any) -> TensorSpec:
        is_spec = isinstance(leaf, TensorSpec)
        return change(leaf if is_spec else TensorSpec(tuple(leaf.shape), str(leaf.dtype).removeprefix("torch.")))

    return map_leaves(changed, fed[0]), map_leaves(changed, fed[1])


def _with_batch(batch: int) -> Callable[[TensorSpec], TensorSpec]:
    return lambda spec: replace(spec, shape=(batch, *spec.shape[1:])) if spec.shape else spec


def _with_size(size: int) -> Callable[[TensorSpec], TensorSpec]:
    """Images have a height and a width behind their channels."""
    return lambda spec: replace(spec, shape=(*spec.shape[:-2], size, size)) if len(spec.shape) > 2 else spec


# What is said ---------------------------------------------------------------------------------------------------------


def _batch_is_varied(batch: int) -> errors.ProfileError:
    return errors.ProfileError(f"--batch {batch}: the batch is what varies here; leave it out")


def _live_has_no_builder(model: str, name: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} is built already, so {name!r} cannot vary; give a spec like FILE.py:CALLABLE, or name batch, "
        f"size or a dimension like '1x{{{name}}}'"
    )
