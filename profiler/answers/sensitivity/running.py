"""How is a model measured? Its samples, its weights and its profile are looked for, and gradients or trials run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

from profiler import errors, sources
from profiler.answers.common.again import loaded
from profiler.answers.common.varying import sized, with_batch
from profiler.answers.layers.compute import View
from profiler.answers.match.compute import match
from profiler.answers.sensitivity.compute import Asked, Sensitivity, Trials
from profiler.answers.sensitivity.figure import pictures
from profiler.answers.sensitivity.request import SAMPLES, Request
from profiler.answers.sensitivity.trials import in_words, trials
from profiler.figures.profile import Profile
from profiler.records.sensitivities import SEED, Gradients, OfWeight
from profiler.records.spec import Feed
from profiler.records.targets import LARGEST, LOSS, LOSSES, USUAL
from profiler.render.charts.data import Chart

if TYPE_CHECKING:
    from torch import nn

    from profiler.engine.gradients.held import Held
    from profiler.engine.gradients.samples import Batch
    from profiler.engine.gradients.targets import Target
    from profiler.engine.run.subject import Subject
    from profiler.sources.samples import Samples


@dataclass(frozen=True)
class Measuring:
    """A model, what it is fed, and what is measured of it.

    profile: makes the profile of a feed. done: told what has ended, a batch or a layer.
    """

    model: nn.Module | str
    feed: Feed
    request: Request
    profile: Callable[[Feed], Profile]
    done: Callable[[object], None] = lambda ended: None

    def answer(self, view: View, per_sample: bool = False) -> Sensitivity | Trials:
        """Raises `errors.ProfileError`."""
        subject, batches = self._samples
        target = self._target
        profile = self.profile(self._profiled)
        subject = self._weighted(subject)
        if self.request.by is not None:
            if per_sample:
                raise errors.only_with("--per-sample", "gradients, and not with --by,")
            told: list[str] = []
            before, rows = trials(subject, self.request, batches, target, profile, self.done, told)
            by = self.request.by
            return Trials(profile, by.text, in_words(by), before, rows, self.asked(target, told), view)
        from profiler.engine.gradients.held import held

        with held(subject, self.request.run_on) as model:
            gradients = self._gradients(model, batches, target)
            chart = self._picture(model, batches, target)
            asked = self.asked(target, model.told)
        return Sensitivity(profile, gradients, asked, view, per_sample, chart)

    def _gradients(self, model: Held, batches: list[Batch], target: Target) -> Gradients:
        from profiler.engine.gradients.hessian import curvatures
        from profiler.engine.gradients.inputs import of_inputs
        from profiler.engine.gradients.weights import of_weights

        values, weights = of_weights(model, batches, target, self.done)
        _check_finite(model.name, values, weights)
        inputs = of_inputs(model, batches, target, self.done)
        if self.request.hessian:
            products = curvatures(model, batches, target, self.request.hessian, self.done)
            weights = [replace(weight, curvatures=of) for weight, of in zip(weights, products, strict=True)]
        return Gradients(values, _checked(weights, model.name), inputs)

    def _picture(self, model: Held, batches: list[Batch], target: Target) -> Chart | None:
        if self.request.method is None:
            return None
        return pictures(model, batches, target, self.request)

    # Samples ----------------------------------------------------------------------------------------------------------

    @cached_property
    def _samples(self) -> tuple[Subject, list[Batch]]:
        """The model with what it is fed, and its samples."""
        from profiler.engine.gradients.samples import random_samples

        if self._data is None:
            subject = self._subject(self._at_once)
            return subject, random_samples(subject, self.request.samples)
        return self._subject(self._profiled), self._data.batches

    @property
    def _at_once(self) -> Feed:
        """With as many samples as are to be run at once, where that is said."""
        number = self.request.at_once
        if number is None:
            return self.feed
        args, kwargs = sized((self.feed.args, dict(self.feed.kwargs)), with_batch(number))
        return replace(self.feed, args=args, kwargs=kwargs, batch=number)

    @cached_property
    def _data(self) -> Samples | None:
        """The user's samples; None where they are random, or what the model is fed."""
        if self.request.data is None:
            return None
        from profiler.sources.samples import read

        request = self.request
        return read(request.data, request.samples, request.at_once or _AT_ONCE, lambda: self._subject(self.feed))

    @property
    def _profiled(self) -> Feed:
        """What the profile is of: what the user says, else one of the samples."""
        if self.feed.is_given or self._data is None:
            return self.feed
        from profiler.engine.gradients.samples import shapes

        args, kwargs = shapes(self._data.batches[0].sample(0))
        return replace(self.feed, args=args, kwargs=kwargs, batch=None)

    def _subject(self, feed: Feed) -> Subject:
        return loaded(self.model, feed) if isinstance(self.model, str) else sources.subject_of(self.model, feed)

    # Target -----------------------------------------------------------------------------------------------------------

    @cached_property
    def _target(self) -> Target:
        """What is differentiated: the loss where there are labels, unless the user says something else."""
        from profiler.engine.gradients.targets import Target, check_labels

        request, has_labels = self.request, self._has_labels
        usual = LOSS if has_labels or request.loss is not None else LARGEST
        target = Target(usual if request.target is None else request.target, self._loss)
        if target.what == LOSS:
            check_labels(target.loss, has_labels)
        return target

    @property
    def _loss(self) -> str | Callable[..., Any]:
        """A loss of torch's by its name, or what the user names or gives; raises `errors.ProfileError`."""
        loss = self.request.loss or USUAL
        if not isinstance(loss, str) or loss in LOSSES:
            return loss
        from profiler.sources.python import attribute

        named: Any = attribute(sources.parse(loss))
        if not callable(named):
            raise _is_no_loss(loss, type(named).__name__)
        function: Callable[..., Any] = named
        return function

    @property
    def _has_labels(self) -> bool:
        return self._data is not None and self._data.has_labels

    # Weights ----------------------------------------------------------------------------------------------------------

    def _weighted(self, subject: Subject) -> Subject:
        """With the weights of the user's file; raises `errors.ProfileError` where they do not match."""
        path = self.request.weights
        if path is None:
            return subject
        if not isinstance(self.model, str):
            raise _has_weights(subject.name)
        failure = match(self.model, path, feed=self._profiled).failure()
        if failure is not None:
            raise errors.ProfileError(str(failure))
        from profiler.sources.checkpoints.tensors import with_weights

        return with_weights(subject, path)

    # In words ---------------------------------------------------------------------------------------------------------

    def asked(self, target: Target, outputs: list[str]) -> Asked:
        """The target, the samples and the weights, in words; `outputs` are the tensors that the model returns."""
        weights, random_weights = self._weights_words()
        samples, random_samples = self._samples_words()
        is_random = [what for what, is_so in (("weights", random_weights), ("samples", random_samples)) if is_so]
        number = sum(batch.size for batch in self._samples[1])
        of_several = f", of {outputs[0]}, one of {len(outputs)} tensors that it returns" if outputs[1:] else ""
        return Asked(f"{self._target_words(target)}{of_several}", samples, number, weights, tuple(is_random))

    def _target_words(self, target: Target) -> str:
        if target.what == LARGEST:
            return "the largest output of each sample"
        if target.what != LOSS:
            return f"output {','.join(map(str, target.what))} of each sample"
        loss = target.loss if isinstance(target.loss, str) else getattr(target.loss, "__name__", "the loss")
        return loss if self._has_labels else f"{loss} of the model's own predictions, for want of labels"

    def _samples_words(self) -> tuple[str, bool]:
        """And whether they are random."""
        if self._data is not None:
            return f"{self._data.words}{self._all_there_are}", False
        from profiler.engine.gradients.samples import is_random

        if is_random(self._samples[0]):
            return "random: uniform in [0, 1), and 0 where they are whole numbers", True
        return "what the model is fed", False

    @property
    def _all_there_are(self) -> str:
        """Where there are fewer than were asked for."""
        assert self._data is not None
        return ", which has no more" if self._data.number < self.request.samples != SAMPLES else ""

    def _weights_words(self) -> tuple[str, bool]:
        """And whether they are random, as far as can be told: code that builds a model may load some."""
        if self.request.weights is not None:
            return f"of {self.request.weights}", False
        if not isinstance(self.model, str):
            return "the model's own", False
        if sources.is_architecture(self.model):
            return "random, as the constructor draws them", True
        return f"as {self.model} makes them, which is at random unless its code loads some", False


def _check_finite(model: str, values: Sequence[float], weights: Sequence[OfWeight]) -> None:
    """Raise where a target or a gradient is NaN or infinite: then nothing can be ranked."""
    lost = sum(not isfinite(value) for value in values)
    if lost:
        raise _target_is_not_finite(model, lost, len(values))
    without = [weight.name for weight in weights if not isfinite(weight.norm + weight.importance + weight.fisher)]
    if without:
        raise _gradient_is_not_finite(model, without)


def _checked(weights: list[OfWeight], model: str) -> tuple[OfWeight, ...]:
    if not weights:
        raise _no_weights(model)
    return tuple(weights)


_AT_ONCE = 8  # samples of a file that are run at once, unless the user says otherwise
SEED_WORDS = f"Seed {SEED}."


# Error messages -------------------------------------------------------------------------------------------------------


def _has_weights(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} is a model with weights of its own; load others into it, or give a spec")


def _is_no_loss(text: str, kind: str) -> errors.ProfileError:
    return errors.ProfileError(f"--loss {text} is of type {kind}; name a function of an output and labels")


def _target_is_not_finite(model: str, lost: int, samples: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"the target of {model} is not finite (NaN or infinite) for {lost:,} of {samples:,} samples, so no layer can "
        "be ranked; see to its weights, --weights, and its samples, --data"
    )


def _gradient_is_not_finite(model: str, names: list[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"the gradient of {model} is not finite (NaN or infinite) at {errors.some(names)}, so no layer can be ranked; "
        "see what has no derivative there, such as sqrt at 0"
    )


def _no_weights(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} has no floating-point weights, so none of its layers matters more than others")
