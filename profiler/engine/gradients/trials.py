"""What does a model's output become with one layer changed? Run on the same samples, with and without the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from profiler import errors
from profiler.engine.gradients.held import Held
from profiler.engine.gradients.samples import Batch
from profiler.engine.gradients.targets import Target, by_class, predicted
from profiler.records.sensitivities import Effect, Trial
from profiler.records.targets import PREDICTING


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the model as a context: `make` enters it, and its end takes it back."""

    path: str
    make: Callable[[], AbstractContextManager[None]]


@dataclass(slots=True)
class _Sums:
    """Over the samples so far; None where a figure has no meaning for the model."""

    samples: int = 0
    differences: float = 0.0
    squares: float = 0.0
    divergence: float | None = None
    loss: float | None = None
    score: float | None = None
    failure: str = ""

    def effect(self) -> Effect:
        change = (self.differences / self.squares) ** 0.5 if self.squares else None
        return Effect(change, *(None if v is None else v / self.samples for v in self._means))

    @property
    def _means(self) -> tuple[float | None, ...]:
        return self.divergence, self.loss, self.score


@torch.no_grad()
def tried(
    model: Held, batches: Sequence[Batch], target: Target, changes: Sequence[Change], done: Callable[[object], None]
) -> tuple[Effect, list[Trial]]:
    """The model as it is, and with each change alone; raises `errors.ProfileError` where it does not run as it is."""
    base, sums = _Sums(), [_Sums() for _ in changes]
    for batch in batches:
        moved = batch.on(model.device)
        output = model.output(moved)
        if not bool(output.isfinite().all()):
            raise _is_not_finite(model.name)
        _add(base, output, output, moved, target)
        for change, of_change in zip(changes, sums, strict=True):
            if not of_change.failure:
                _try(model, change, of_change, output, moved, target)
            done(change.path)
    trials = [
        Trial(change.path, None, s.failure) if s.failure else Trial(change.path, s.effect())
        for change, s in zip(changes, sums, strict=True)
    ]
    return base.effect(), trials


def _try(model: Held, change: Change, sums: _Sums, output: Tensor, batch: Batch, target: Target) -> None:
    with change.make():
        try:
            changed = model.output(batch)
        except errors.ProfileError as error:
            sums.failure = str(error)
            return
    if changed.shape != output.shape:
        sums.failure = f"the output becomes {'×'.join(map(str, changed.shape)) or 'a single number'}"
        return
    if not bool(changed.isfinite().all()):
        sums.failure = "the output is no longer finite"
        return
    _add(sums, output, changed, batch, target)


def _add(sums: _Sums, output: Tensor, changed: Tensor, batch: Batch, target: Target) -> None:
    size = output.shape[0] if output.ndim else 1
    sums.samples += size
    wide = torch.float64 if output.device.type != "mps" else torch.float32
    output, changed = output.to(wide), changed.to(wide)
    sums.differences += float((changed - output).square().sum())
    sums.squares += float(output.square().sum())
    labels = batch.labels if size == batch.size else None
    before, after = by_class(output, labels), by_class(changed, labels)
    if before.ndim > 1 and before.shape[1] > 1 and (target.loss in PREDICTING or not isinstance(target.loss, str)):
        sums.divergence = (sums.divergence or 0.0) + _divergence(before, after)
    if labels is None:
        return
    sums.loss = (sums.loss or 0.0) + float(target.losses(changed, labels).sum())
    if before.ndim > 1 and not labels.is_floating_point() and labels.shape == predicted(before).shape:
        right = (predicted(after) == labels).to(wide)
        sums.score = (sums.score or 0.0) + float(right.reshape(size, -1).mean(1).sum())


def _divergence(output: Tensor, changed: Tensor) -> float:
    """Summed over the samples; of several predictions a sample, their mean."""
    before, after = output.log_softmax(1), changed.log_softmax(1)
    each = (before.exp() * (before - after)).sum(1)
    return float(each.reshape(len(each), -1).mean(1).sum())


# Error messages -------------------------------------------------------------------------------------------------------


def _is_not_finite(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"what {model} returns for the samples is not finite (NaN or infinite), so no change can be told; see to its "
        "weights, --weights, and its samples, --data"
    )
