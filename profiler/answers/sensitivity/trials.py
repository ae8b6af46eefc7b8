"""Which layers are changed alone, how, and what does that save?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from profiler import errors
from profiler.answers.sensitivity.compute import LayerTrial, ordered
from profiler.answers.sensitivity.request import PRUNE, QUANTISE, By, Request
from profiler.answers.weights.compute import quantised
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.figures.removal import NotRemovable, entries_behind
from profiler.records.patterns import layers_to_change
from profiler.records.sensitivities import Effect, Trial, zeros
from profiler.records.trace import state_name

if TYPE_CHECKING:
    from profiler.engine.gradients.held import Held
    from profiler.engine.gradients.samples import Batch
    from profiler.engine.gradients.targets import Target
    from profiler.engine.run.subject import Subject


@dataclass(frozen=True, slots=True)
class Planned:
    """A layer to be changed, the parameters that are, and what that saves; `failure` is why it cannot be.

    more: of one that is left out, how many entries the tuple that it returns has behind the first.
    """

    layer: Layer
    names: tuple[str, ...] = ()
    saved_bytes: int | None = None
    saved_macs: int | None = None
    failure: str = ""
    more: int | None = None


def trials(
    subject: Subject,
    request: Request,
    batches: list[Batch],
    target: Target,
    profile: Profile,
    done: Callable[[object], None],
) -> tuple[Effect, tuple[LayerTrial, ...]]:
    """The model as it is, and each layer changed alone; raises `errors.ProfileError`."""
    from profiler.engine.gradients.held import held
    from profiler.engine.gradients.trials import Change, tried

    by, each = request.by, request.each
    assert by is not None
    if by.scheme is not None:
        from profiler.engine.gradients.rounding import check

        check(by.scheme)
    planned = list(_planned(profile, by, each))
    if not planned:
        raise _nothing_to_change(profile.model, by.text)
    with held(subject, request.run_on) as model:
        changes = [Change(plan.layer.path, partial(_context, model, by, plan)) for plan in planned if not plan.failure]
        before, ended = tried(model, batches, target, changes, done)
    results = {trial.path: trial for trial in ended}
    rows = [
        LayerTrial(
            plan.layer,
            results.get(plan.layer.path, Trial(plan.layer.path, None, plan.failure)),
            plan.saved_bytes,
            plan.saved_macs,
        )
        for plan in planned
    ]
    return before, ordered(rows)


def _context(model: Held, by: By, plan: Planned) -> AbstractContextManager[None]:
    from profiler.engine.gradients import changes

    if by.how not in (QUANTISE, PRUNE):
        return changes.left_out(model.model, plan.layer.path, plan.more)
    parameters = model.parameters
    weights = {name: parameters[name] for name in plan.names}
    change = changes.pruned(by.share) if by.scheme is None else changes.quantised(model.model, by.scheme)
    return changes.rewritten(weights, change)


def _planned(profile: Profile, by: By, each: str | None) -> Iterator[Planned]:
    if each is None:
        layers = [layer for layer in profile.layers if layer.shared_with is None]
    else:
        layers = [profile[path] for path in layers_to_change(profile.trace.modules, each, profile.model)]
    if by.how == QUANTISE:
        assert by.scheme is not None
        yield from _quantised(profile, layers, by.scheme.name, each is not None)
    elif by.how == PRUNE:
        yield from _pruned(profile, layers, by.share, each is not None)
    else:
        yield from _left_out(profile, layers, each is not None)


def _quantised(profile: Profile, layers: list[Layer], scheme: str, is_chosen: bool) -> Iterator[Planned]:
    """Layers whose own weights a scheme stores; of those that the user names, all in them."""
    stored = quantised(profile, scheme).parameters
    for layer in layers:
        inside = [p for p in stored if (_is_in(p.path, layer.path) if is_chosen else p.path == layer.path)]
        taken = [parameter for parameter in inside if parameter.why is None]
        saved = sum(parameter.now_bytes - parameter.stored_bytes for parameter in taken)
        if taken:
            yield Planned(layer, tuple(state_name(p.path, p.name) for p in taken), saved)
        elif is_chosen:
            why = next((parameter.why for parameter in inside if parameter.why), None)
            yield Planned(layer, failure=why or "it has no weights of its own")


def _pruned(profile: Profile, layers: list[Layer], share: float, is_chosen: bool) -> Iterator[Planned]:
    """Layers with matrices; of those that the user names, all in them, each pruned by itself."""
    for layer in layers:
        inside = [
            other for other in profile.layers if (_is_in(other.path, layer.path) if is_chosen else other is layer)
        ]
        weights = [
            (state_name(other.path, weight.name), weight)
            for other in inside
            for weight in other.weights
            if weight.same_as is None and weight.tensor.ndim > 1 and weight.tensor.is_float
        ]
        saved = sum(
            zeros(weight.numel, share) * (weight.tensor.size_bytes // max(1, weight.numel)) for _, weight in weights
        )
        macs = sum(int(other.own.cost.macs) for other in inside)
        if weights:
            yield Planned(layer, tuple(name for name, _ in weights), saved, round(macs * share))
        elif is_chosen:
            yield Planned(layer, failure="it has no matrix among its weights")


def _left_out(profile: Profile, layers: list[Layer], is_chosen: bool) -> Iterator[Planned]:
    """Layers that cost something and return what they take in another form; of those that the user names, all."""
    for layer in layers:
        more, failure = None, ""
        try:
            more = entries_behind(profile.trace, layer.path)
        except NotRemovable as reason:
            failure = f"cannot be left out: {reason}"
        if is_chosen or (layer.path and not failure and (layer.params or layer.macs)):
            yield Planned(layer, (), layer.param_bytes, layer.macs, failure, more)


def _is_in(path: str, layer: str) -> bool:
    return path == layer or path.startswith(f"{layer}.")


_HOW: Mapping[str, str] = {
    QUANTISE: "its weights rounded to the nearest, {says}",
    PRUNE: "the smallest {share:.0%} of each of its weight tensors made 0; zeros are saved where they are not stored",
}


def in_words(by: By) -> str:
    """What a change does."""
    says = "" if by.scheme is None else by.scheme.says
    return _HOW.get(by.how, "it returns what it takes").format(says=says, share=by.share)


# Error messages -------------------------------------------------------------------------------------------------------


def _nothing_to_change(model: str, by: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} has no layer for --by {by}; see which it has with profile-model {model}, and name some with --each"
    )
