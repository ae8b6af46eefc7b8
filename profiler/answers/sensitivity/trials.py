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
from profiler.figures.tied import holders
from profiler.records.patterns import is_in, layers_to_change
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
    told: list[str],
) -> tuple[Effect, tuple[LayerTrial, ...]]:
    """The model as it is, and each layer changed alone; raises `errors.ProfileError`.

    told: gets the names of the tensors of an output; see `Held`.
    """
    from profiler.engine.gradients.held import held
    from profiler.engine.gradients.trials import Change, tried

    by, each = request.by, request.each
    assert by is not None
    if by.scheme is not None:
        from profiler.engine.gradients.rounding import check

        check(by.scheme)
    planned = list(_planned(profile, by, each))
    if not planned:
        raise _nothing_to_change(profile.model, by.text, next(_reasons(profile, by), None))
    with held(subject, request.run_on, told) as model:
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


def _reasons(profile: Profile, by: By) -> Iterator[str]:
    """Why layers cannot be changed so."""
    for plan in _planned(profile, by, "*.*" if len(profile.layers) == 1 else "*"):
        if plan.failure:
            yield f"{plan.layer.path}: {plan.failure}"


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
        inside = [p for p in stored if (is_in(p.path, layer.path) if is_chosen else p.path == layer.path)]
        taken = [parameter for parameter in inside if parameter.why is None]
        saved = sum(parameter.now_bytes - parameter.stored_bytes for parameter in taken)
        if taken:
            yield Planned(layer, tuple(state_name(p.path, p.name) for p in taken), saved)
        elif is_chosen:
            why = next((parameter.why for parameter in inside if parameter.why), None)
            yield Planned(layer, failure=why or "it has no weights of its own")


def _pruned(profile: Profile, layers: list[Layer], share: float, is_chosen: bool) -> Iterator[Planned]:
    """Layers with matrices; of those that the user names, all in them, each pruned by itself.

    A weight that is tied becomes zero wherever it is used.
    """
    tied = holders(profile.trace)
    for layer in layers:
        inside = [other for other in profile.layers if (is_in(other.path, layer.path) if is_chosen else other is layer)]
        weights = [
            (state_name(other.path, weight.name), weight)
            for other in inside
            for weight in other.weights
            if weight.same_as is None and weight.tensor.ndim > 1 and weight.tensor.is_float
        ]
        saved = sum(
            zeros(weight.numel, share) * (weight.tensor.size_bytes // max(1, weight.numel)) for _, weight in weights
        )
        using = {other.path for other in inside}.union(*(tied.get(name, ()) for name, _ in weights))
        macs = sum(int(profile[path].own.cost.macs) for path in using)
        if weights:
            yield Planned(layer, tuple(name for name, _ in weights), saved, round(macs * share))
        elif is_chosen:
            yield Planned(layer, failure="it has no matrix among its weights")


def _left_out(profile: Profile, layers: list[Layer], is_chosen: bool) -> Iterator[Planned]:
    """Layers that cost something and return what they take in another form; of those that the user names, all."""
    kept = _kept_elsewhere(profile)
    for layer in layers:
        more, failure = None, ""
        try:
            more = entries_behind(profile.trace, layer.path)
        except NotRemovable as reason:
            failure = f"cannot be left out: {reason}"
        if is_chosen or (layer.path and not failure and (layer.params or layer.macs)):
            saved = layer.param_bytes - sum(size for path, paths, size in kept if _stays(layer.path, path, paths))
            yield Planned(layer, (), saved, layer.macs, failure, more)


def _kept_elsewhere(profile: Profile) -> list[tuple[str, frozenset[str], int]]:
    """Of each tied weight: the layer that it counts at, all layers that hold it, and its bytes."""
    tied = holders(profile.trace)
    weights = [(layer.path, state_name(layer.path, w.name), w) for layer in profile.layers for w in layer.weights]
    return [
        (path, tied[name], weight.tensor.size_bytes)
        for path, name, weight in weights
        if weight.same_as is None and name in tied
    ]


def _stays(layer: str, first: str, paths: frozenset[str]) -> bool:
    """Whether a weight that counts in a layer is held outside of it, too."""
    return is_in(first, layer) and any(not is_in(path, layer) for path in paths)


_HOW: Mapping[str, str] = {
    QUANTISE: "its weights rounded to the nearest, {says}",
    PRUNE: "the smallest {share:.0%} of each of its weight tensors made 0; zeros are saved where they are not stored",
}


def in_words(by: By) -> str:
    """What a change does."""
    says = "" if by.scheme is None else by.scheme.says
    return _HOW.get(by.how, "it returns what it takes").format(says=says, share=by.share)


# Error messages -------------------------------------------------------------------------------------------------------


def _nothing_to_change(model: str, by: str, reason: str | None) -> errors.ProfileError:
    why = "it has none with weights" if reason is None else reason
    return errors.ProfileError(f"no layer of {model} can be changed by --by {by} ({why}); choose another change")
