"""What happens in one run of a training step? The forward pass, the backward pass, and the optimizer's update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from profiler import errors
from profiler.engine.containers.walk import leaves
from profiler.engine.meta.autocast import autocast_on_meta
from profiler.engine.meta.instead import as_on_cpu, as_unseen
from profiler.engine.record.recorder import Recorder
from profiler.engine.record.step import recomputing
from profiler.engine.run.attempt import Attempt
from profiler.engine.run.optimizers import optimizer, state
from profiler.records.trace import BACKWARD, UPDATE, Trace


@contextmanager
def with_graph(real: bool) -> Iterator[None]:
    """Autograd is on, also for what the backward pass runs again."""
    with torch.enable_grad(), as_unseen() if real else as_on_cpu():
        yield


class TrainingAttempt(Attempt):
    """A training step: the forward pass with a graph, the backward pass, and the optimizer's update."""

    training = True
    _optimizer: torch.optim.Optimizer | None = None  # its state outlives the step

    def trace(self) -> Trace:
        amp = None if self._under.training is None else self._under.training.amp
        with autocast_on_meta(amp) as self._region:
            return super().trace()

    def _casting(self, recorder: Recorder) -> AbstractContextManager[Any]:
        is_lent = self._under.training is not None and self._under.training.amp is not None
        return nullcontext() if is_lent else super()._casting(recorder)

    def _forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._region():
            return super()._forward(args, kwargs)

    def _around(self, recorder: Recorder) -> AbstractContextManager[Any]:
        assert self._step is not None
        return recomputing(self._step, recorder)

    def _go_on(self, output: Any, recorder: Recorder) -> None:
        assert self._step is not None
        assert self._under.training is not None
        self._step.kind = BACKWARD
        backward(leaves(output), self._subject.name)
        trained = [weight for weight in self._model.parameters() if weight.grad is not None]
        self._gradients = {id(weight): recorder.lifetimes.becomes(weight.grad, "gradient") for weight in trained}
        if self._under.training.optimizer is not None:
            self._step.kind = UPDATE
            self._optimizer = optimizer(self._under.training.optimizer, trained)
            self._optimizer.step()
            for tensor in state(self._optimizer):
                recorder.lifetimes.becomes(tensor, "state")

    def _refusal(self, error: BaseException) -> errors.ProfileError | None:
        if isinstance(error, ValueError) and "more than 1 value per channel when training" in errors.text_of(error):
            return errors.BatchOfOne(self._subject.name)
        if self._step is None or self._step.kind != UPDATE:
            return None
        assert self._under.training is not None
        assert self._under.training.optimizer is not None
        return errors.optimizer_failed(self._under.training.optimizer, error)


def backward(outputs: Iterable[Tensor], model: str) -> None:
    """The backward pass, from a gradient for each output that has one: what a loss would hand over."""
    ends = [tensor for tensor in outputs if tensor.requires_grad]
    if not ends:
        raise _nothing_to_train(model)
    seeds: Sequence[Tensor] = [torch.ones_like(tensor) for tensor in ends]
    torch.autograd.backward(ends, seeds)


# Error messages -------------------------------------------------------------------------------------------------------


def _nothing_to_train(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"no output of {model} depends on a parameter that is trained, so there is no backward pass; see that it "
        "has parameters and which are frozen, or run it forward alone"
    )
