"""How is a model that was profiled run again, to be measured? From its spec, or itself as long as somebody holds it."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profiler import errors, sources
from profiler.answers.common.tracing import runnable
from profiler.records.conditions import Conditions
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed

if TYPE_CHECKING:
    from torch import nn

    from profiler.engine.run.subject import Subject


_NO_SHAPE: tuple[int, ...] = (0, 0)  # of nested and sparse tensors: another of their shape would be another input


class Again:
    """What was profiled, and how. A live model and its tensors are not kept alive by this.

    Of an input that nobody holds any more, another of its shape takes the place.
    """

    def __init__(self, model: nn.Module | str, feed: Feed, under: Conditions) -> None:
        self.under = under
        self._name = model if isinstance(model, str) else type(model).__name__
        self._model = model if isinstance(model, str) else weakref.ref(model)
        self._tensors: list[Any] = []
        self._feed = feed
        if not isinstance(model, str):
            from profiler.engine.containers.walk import map_leaves

            args, kwargs = map_leaves(self._shape_of, (feed.args, dict(feed.kwargs)))
            self._feed = replace(feed, args=args, kwargs=kwargs)

    def subject(self) -> Subject:
        """What is to be run; raises `errors.ProfileError` where there is nothing any more."""
        if isinstance(self._model, str):
            return loaded(self._model, self._feed)
        model = self._model()
        if model is None:
            raise _is_gone(self._name)
        from profiler.engine.containers.walk import map_leaves

        references = iter(self._tensors)

        def tensor(leaf: Any) -> Any:
            reference = next(references)
            alive = None if reference is None else reference()
            if alive is None and leaf.shape is _NO_SHAPE:
                raise _is_gone("input")
            return leaf if alive is None else alive

        args, kwargs = map_leaves(tensor, (self._feed.args, dict(self._feed.kwargs)))
        return sources.subject_of(model, replace(self._feed, args=args, kwargs=kwargs))

    def _shape_of(self, leaf: Any) -> TensorSpec:
        if isinstance(leaf, TensorSpec):
            self._tensors.append(None)
            return leaf
        self._tensors.append(weakref.ref(leaf))
        is_one_block = not leaf.is_nested and str(leaf.layout) == "torch.strided"
        shape = tuple(leaf.shape) if is_one_block else _NO_SHAPE
        return TensorSpec(shape, str(leaf.dtype).removeprefix("torch."))


def loaded(spec: str, feed: Feed) -> Subject:
    """What a spec names, to be run; raises `errors.ProfileError` where that is a record."""
    return runnable(spec, feed, nothing_to_time)


# Error messages -------------------------------------------------------------------------------------------------------


def nothing_to_time(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} is a record of a run, and only a model can be run to be measured; name the model itself, or a device "
        "of `profile-model list --devices` for a lower bound"
    )


def _is_gone(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"the {model} that was profiled is there no more, so it cannot be measured; keep it, and profile it again"
    )
