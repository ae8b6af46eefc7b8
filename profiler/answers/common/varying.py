"""What is a model at another batch size, image size, width? One thing varies, and the rest stays as it is.

What can vary: a dimension that an input names, as in "1x{n}:int64"; else `batch`, the first dimension of every input;
`size`, the height and width of images; `seq`, the tokens of text that a language model reads; else a keyword argument
of the builder that a spec names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from profiler import errors
from profiler.counters.conventions import DEFAULT
from profiler.records.conditions import AS_IT_IS, Conditions
from profiler.records.inputs import TensorSpec, positional_and_named
from profiler.records.spec import Feed, Spec, parse, written

if TYPE_CHECKING:
    from torch import nn

    from profiler.figures.profile import Profile

R = TypeVar("R")
Runner: TypeAlias = "Callable[[nn.Module | str, Feed, str, Conditions], R]"
Run: TypeAlias = "Callable[[nn.Module | str, Feed, str, Conditions], Profile]"
_Arguments: TypeAlias = "tuple[tuple[Any, ...], dict[str, Any]]"

BATCH, SIZE, SEQ = "batch", "size", "seq"
_DIMENSION = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")
_SIZED = ("image_size", "img_size")  # how builders call it, of models that are made for one size


def dimensions(inputs: Any) -> set[str]:
    """The dimensions that inputs, as `profile` takes them, name in braces."""
    if isinstance(inputs, str):
        return set(_DIMENSION.findall(inputs))
    if isinstance(inputs, Mapping):
        inputs = inputs.values()
    elif type(inputs) not in (tuple, list):
        return set()
    return {name for item in inputs for name in dimensions(item)}


@dataclass(frozen=True, slots=True)
class Varying(Generic[R]):
    """A model, as a spec or live, of which `name` varies.

    run: what runs it: `profiler.api.run`, or what runs the phases of a language model.
    inputs, kwargs: as `profile` takes them. feed: the batch size, and whatever else is said of the model's input.
    """

    run: Runner[R]
    model: nn.Module | str
    name: str
    inputs: Any = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    feed: Feed = field(default_factory=Feed)
    convention: str = DEFAULT
    conditions: Conditions = AS_IT_IS

    def __post_init__(self) -> None:
        named = dimensions([self.inputs, self.kwargs])
        unknown = sorted(named - {self.name})
        if unknown:
            raise errors.dimension_without_value(unknown[0])
        fixed = {BATCH: self.feed.batch, SEQ: self.feed.seq}.get(self.name)
        if not named and fixed is not None:
            raise _varies(self.name, fixed)

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

    def at(self, value: Any) -> R:
        """What running it gives where the name has this value; raises `errors.ProfileError`."""
        if self.is_a_dimension:
            return self._run(self.model, self._arguments(value))
        if self.name == BATCH:
            return self._run(self.model, self._arguments(), batch=value)
        if self.name == SIZE:
            return self._at_size(value)
        if self.name == SEQ:
            return self._at_length(value)
        if not isinstance(self.model, str):
            raise _live_has_no_builder(self.label, self.name)
        return self._run(_with_argument(self.model, self.name, value), self._arguments())

    def _arguments(self, value: int | None = None) -> _Arguments:
        """Of the forward pass, with the value in the place of the name in braces."""
        inputs, kwargs = self.inputs, self.kwargs
        if value is not None:
            inputs, kwargs = _filled(inputs, value), _filled(kwargs, value)
        return positional_and_named(inputs, {name: _parsed(item) for name, item in kwargs.items()})

    def _at_length(self, length: int) -> R:
        """A prompt that is there gets another length; else the model's own input has as many tokens."""
        arguments = self._arguments()
        prompt = sized(arguments, _with_length(length))
        is_of_tokens = sized(arguments, _with_length(length + 1)) != prompt
        return self._run(self.model, prompt, length=None if is_of_tokens else length)

    def _at_size(self, size: int) -> R:
        """Where the model refuses another size than the one that it is made for, its builder is asked for the size."""
        arguments = self._arguments()
        images = sized(arguments if any(arguments) else self._own(), _with_size(size))
        try:
            return self._run(self.model, images)
        except errors.ModelFailed:
            for name in _SIZED if isinstance(self.model, str) else ():
                try:
                    return self._run(_with_argument(str(self.model), name, size), images)
                except errors.BuilderFailed as failure:
                    if not isinstance(failure.__cause__, TypeError):  # it takes the keyword, and not this size
                        raise
            raise

    def _own(self) -> _Arguments:
        """What a spec's model takes by itself."""
        from profiler import sources
        from profiler.records.trace import Trace

        if not isinstance(self.model, str):
            raise errors.InputsNeeded(self.label)
        subject = sources.load(self.model, self.feed)
        if isinstance(subject, Trace):
            raise errors.saved_is_fixed(self.model, f"another {self.name}")
        return subject.args, dict(subject.kwargs)

    def _run(
        self, model: nn.Module | str, arguments: _Arguments, batch: int | None = None, length: int | None = None
    ) -> R:
        batch = self.feed.batch if batch is None else batch
        if batch is not None:
            arguments = sized(arguments, with_batch(batch))
        args, kwargs = arguments
        feed = replace(self.feed, args=args, kwargs=kwargs, batch=batch)
        feed = feed if length is None else replace(feed, seq=length)
        return self.run(model, feed, self.convention, self.conditions)


def _with_argument(text: str, name: str, value: Any) -> str:
    spec = parse(text)
    return written(Spec(spec.text, spec.prefix, spec.target, {**spec.kwargs, name: value}))


def _filled(inputs: Any, value: int) -> Any:
    """Inputs with a number in the place of every name in braces."""
    if isinstance(inputs, str):
        return _DIMENSION.sub(str(value), inputs)
    if isinstance(inputs, Mapping):
        return {name: _filled(item, value) for name, item in inputs.items()}
    if type(inputs) in (tuple, list):
        return type(inputs)(_filled(item, value) for item in inputs)
    return inputs


def _parsed(item: Any) -> Any:
    from profiler.records.inputs import parse as shape

    return shape(item) if isinstance(item, str) else item


def sized(arguments: _Arguments, change: Callable[[TensorSpec], TensorSpec]) -> _Arguments:
    """Every tensor's shape changed; tensors with values become shapes."""
    args, kwargs = arguments
    if all(isinstance(value, TensorSpec) for value in (*args, *kwargs.values())):  # then torch is not needed
        return tuple(map(change, args)), {name: change(value) for name, value in kwargs.items()}
    from profiler.engine.containers.forms import called, is_plain
    from profiler.engine.containers.walk import map_leaves

    def changed(leaf: Any) -> TensorSpec:
        if isinstance(leaf, TensorSpec):
            return change(leaf)
        if not is_plain(leaf):
            raise _of_one_size(called(leaf))
        return change(TensorSpec(tuple(leaf.shape), str(leaf.dtype).removeprefix("torch.")))

    return map_leaves(changed, args), map_leaves(changed, kwargs)


def with_batch(batch: int) -> Callable[[TensorSpec], TensorSpec]:
    return lambda spec: replace(spec, shape=(batch, *spec.shape[1:])) if spec.shape else spec


def _with_size(size: int) -> Callable[[TensorSpec], TensorSpec]:
    """Images have a height and a width behind their channels."""
    return lambda spec: replace(spec, shape=(*spec.shape[:-2], size, size)) if len(spec.shape) > 2 else spec


def _with_length(length: int) -> Callable[[TensorSpec], TensorSpec]:
    """Tokens, and what says something of each, have a row a sequence."""
    return lambda spec: replace(spec, shape=(spec.shape[0], length)) if len(spec.shape) == 2 else spec


# Error messages -------------------------------------------------------------------------------------------------------


def _varies(name: str, value: int) -> errors.ProfileError:
    return errors.ProfileError(f"--{name} {value}: the {name} is what varies here; leave it out")


def _of_one_size(form: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"an input is {form}, and none of another size can be made of it; feed it in the size that is wanted, and "
        "leave out batch, seq and what varies"
    )


def _live_has_no_builder(model: str, name: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} is built already, so {name!r} cannot vary; give a spec like FILE.py:CALLABLE, or name batch, "
        f"size or a dimension like '1x{{{name}}}'"
    )
