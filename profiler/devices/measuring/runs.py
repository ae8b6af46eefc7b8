"""What is run, again and again? A model with real weights on a device, in inference or in a training step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from profiler import errors
from profiler.engine.containers.layouts import layout_of
from profiler.engine.containers.walk import leaves, map_leaves
from profiler.engine.guard.during import in_mode, uncollected
from profiler.engine.guard.guard import Guard
from profiler.engine.guard.randomness import seed
from profiler.engine.run.alone import alone
from profiler.engine.run.consume import consumed
from profiler.engine.run.failure import wants_autograd
from profiler.engine.run.feed import on_device, once
from profiler.engine.run.importing import importing_from
from profiler.engine.run.optimizers import optimizer
from profiler.engine.run.prepare import prepared
from profiler.engine.run.subject import Subject
from profiler.engine.run.training import backward
from profiler.engine.run.values import check_memory, with_values, without_values
from profiler.records.conditions import Conditions, Training
from profiler.records.trace import BACKWARD, FORWARD, UPDATE

_MODES: tuple[Callable[[], AbstractContextManager[Any]], ...] = (
    torch.inference_mode,
    torch.no_grad,
    torch.enable_grad,
)


class Run:
    """A model and its arguments on a device. Calling it runs the model once.

    phases: what a run consists of; `mark` is called before the first, between them, and after the last.
    """

    phases: tuple[str, ...] = ()

    def __init__(self, subject: Subject, model: Any, args: Any, kwargs: Any) -> None:
        self.name = subject.name
        self._call, self._args, self._kwargs = model, args, kwargs
        self._yields = True  # whether the output is yet to be run through

    def prepare(self) -> None:
        """What is no part of the run."""

    def __call__(self, mark: Callable[[], None] = lambda: None) -> Any:
        output = self._call(*self._args, **self._kwargs)
        if self._yields:
            through = consumed(output, self.name)
            self._yields = through is not output
            return through
        return output


class TrainingRun(Run):
    """A step: the forward pass, the backward pass, and the update where there is an optimizer."""

    def __init__(self, subject: Subject, model: nn.Module, args: Any, kwargs: Any, how: Training, kind: str) -> None:
        super().__init__(subject, model, args, kwargs)
        self._parameters = list(model.parameters())
        self._how, self._kind = how, kind
        self._optimizer: torch.optim.Optimizer | None = None
        self.phases = (FORWARD, BACKWARD) if how.optimizer is None else (FORWARD, BACKWARD, UPDATE)

    def prepare(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def __call__(self, mark: Callable[[], None] = lambda: None) -> Any:
        mark()
        with self._autocast():
            output = super().__call__()
        mark()
        backward(leaves(output), self.name)
        mark()
        if self._how.optimizer is not None:
            self._update(self._how.optimizer)
            mark()
        return output

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._how.amp is None:
            return nullcontext()
        return torch.autocast(self._kind, getattr(torch, self._how.amp))

    def _update(self, text: str) -> None:
        """With a learning rate of nothing: weights that run away would be computed with in another time."""
        if self._optimizer is None:
            trained = [parameter for parameter in self._parameters if parameter.grad is not None]
            self._optimizer = optimizer(text, trained)
            for group in self._optimizer.param_groups:
                if "lr" in group:
                    group["lr"] = 0.0
        self._optimizer.step()


@contextmanager
def running(
    subject: Subject, under: Conditions, kind: str, needed_bytes: int, threads: int | None, compiles: bool
) -> Iterator[tuple[Run, nn.Module]]:
    """What is to be run on a device, and the module in it, whose state comes back when the block ends.

    needed_bytes: what a run takes. Raises `errors.ProfileError` where there is not so much, and for what a first run
    raises.
    """
    _check_weights(subject)
    check_memory(subject.name, kind, needed_bytes)
    with alone(), torch.inference_mode(False), ExitStack() as after:
        around = Guard([])
        after.callback(around.restore)
        after.enter_context(importing_from(subject.folder))
        real = with_values(prepared(subject, under, after), under, None)
        guard = Guard(list(real.model.modules()))
        after.callback(guard.restore)
        guard.keep_values(real.model.buffers())
        guard.keep_tensors(((weight, layout_of(weight)) for weight in real.model.parameters()), with_values=False)
        if threads is not None:
            torch.set_num_threads(threads)
        after.enter_context(uncollected())
        after.enter_context(in_mode(list(real.model.modules()), under.training is not None))
        run, modes = _run(_moved(real, kind), under, kind, compiles)
        _first(run, modes, after, kind)
        yield run, real.model


def _moved(subject: Subject, kind: str) -> Subject:
    """The model and its inputs on the device; copies of inputs, which a model may write on."""
    device = torch.device(kind)
    if kind != "cpu":
        subject.model.to(device)
    generator = torch.Generator().manual_seed(0)
    ready = once(lambda leaf: _own(on_device(leaf, device, generator), leaf))
    args, kwargs = map_leaves(ready, subject.args), map_leaves(ready, dict(subject.kwargs))
    return dataclasses.replace(subject, args=args, kwargs=kwargs)


def _own(tensor: torch.Tensor, leaf: Any) -> torch.Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad) if tensor is leaf else tensor


def _run(
    subject: Subject, under: Conditions, kind: str, compiles: bool
) -> tuple[Run, Sequence[Callable[[], AbstractContextManager[Any]]]]:
    """The run, and the modes in which it is tried."""
    seed()
    model: Any = torch.compile(subject.model) if compiles else subject.model
    if under.training is not None:
        return TrainingRun(subject, model, subject.args, subject.kwargs, under.training, kind), (torch.enable_grad,)
    return Run(subject, model, subject.args, subject.kwargs), _MODES


def _first(run: Run, modes: Sequence[Callable[[], AbstractContextManager[Any]]], after: ExitStack, kind: str) -> None:
    """The first run, in the first mode that it goes in, which lasts until `after` ends."""
    failure: Exception | None = None
    for mode in modes:
        if failure is not None and not wants_autograd(failure):
            break
        try:
            with mode():
                run.prepare()
                run()
        except errors.ProfileError:
            raise
        except Exception as error:  # whatever the model's code raises
            failure = failure or error
            continue
        after.enter_context(mode())
        return
    assert failure is not None
    raise _fails(run.name, kind, failure) from failure


def _check_weights(subject: Subject) -> None:
    if subject.rebuild is None and any(weight.is_meta for weight in subject.model.parameters()):
        raise without_values(subject.name)


# Error messages -------------------------------------------------------------------------------------------------------


def _fails(model: str, kind: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} fails when it is run on {kind} ({type(error).__name__}: {errors.first_line(error)}); see that all "
        "its tensors are parameters or buffers, and what it is fed"
    )
