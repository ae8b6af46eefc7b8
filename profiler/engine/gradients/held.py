"""How is a model held while it is differentiated and changed? With real weights, in inference, until it is put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from profiler import errors
from profiler.engine.containers.layouts import layout_of
from profiler.engine.gradients.samples import Batch
from profiler.engine.gradients.targets import Target, named_outputs
from profiler.engine.guard.during import in_mode
from profiler.engine.guard.guard import Guard
from profiler.engine.guard.randomness import seed
from profiler.engine.run.alone import alone
from profiler.engine.run.importing import importing_from
from profiler.engine.run.lazy import initialized, waits_for_input
from profiler.engine.run.subject import Subject
from profiler.engine.run.values import check_memory, with_values, without_values
from profiler.records.conditions import AS_IT_IS

_OF_DIFFERENTIATING = 4  # weights that were kept, their gradients, the mean of those, and what a sample's takes


@dataclass(frozen=True, slots=True)
class Held:
    """A model with real weights, on a device, in inference mode, with gradients on.

    told: once it ran, the names of the floating-point tensors of what it returns, that which is looked at first.
    """

    name: str
    model: nn.Module
    device: torch.device
    told: list[str] = field(default_factory=list)

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Those that have gradients; one that is shared once, under its first name."""
        named = self.model.named_parameters()
        return {name: weight for name, weight in named if weight.is_floating_point()}

    def output(self, batch: Batch) -> Tensor:
        """Of one run; the random numbers in it are the same in each. Raises `errors.ProfileError`.

        The model is fed copies, which it may overwrite: a gradient goes through them.
        """
        seed()
        args, kwargs = batch.mapped(torch.Tensor.clone)
        try:
            value = self.model(*args, **kwargs)
        except errors.ProfileError:
            raise
        except Exception as error:  # whatever a model's code raises
            raise _fails(self.name, error) from error
        names, output = named_outputs(value, self.name)
        self.told[:] = names
        return output

    def values(self, batch: Batch, target: Target) -> Tensor:
        """The target of each sample, with its graph."""
        return target.values(self.output(batch), batch.labels, batch.size)

    def gradients(self, values: Tensor, tensors: list[Tensor], **graph: Any) -> list[Tensor]:
        """Of a number; zeros where it does not depend on a tensor. Raises `errors.ProfileError`.

        graph: as `torch.autograd.grad` takes them: `create_graph`, `retain_graph`.
        """
        if not values.requires_grad or not tensors:
            return [torch.zeros_like(tensor) for tensor in tensors]
        try:
            found = torch.autograd.grad(values, tensors, allow_unused=True, materialize_grads=True, **graph)
        except Exception as error:  # a backward pass of the model's own may raise anything
            raise _has_no_gradient(self.name, error) from error
        return list(found)


@contextmanager
def held(subject: Subject, device: str | None = None, told: list[str] | None = None) -> Iterator[Held]:
    """The subject's model with its weights, real ones if it has none; it comes back as it was, also where this raises.

    device: "cpu", "cuda" or "mps"; None: where the weights are. told: as `Held` has it. Raises `errors.ProfileError`.
    """
    _check_device(device)
    with alone(), torch.inference_mode(False), torch.enable_grad(), ExitStack() as after:
        around = Guard([])
        after.callback(around.restore)
        after.enter_context(importing_from(subject.folder))
        if any(map(waits_for_input, subject.model.modules())):
            subject = initialized(subject, after)
        is_own = not any(weight.is_meta for weight in subject.model.parameters())
        if not is_own and subject.rebuild is None:
            raise without_values(subject.name)
        weights = sum(layout_of(weight).tensor.size_bytes for weight in subject.model.parameters())
        check_memory(subject.name, device or "cpu", _OF_DIFFERENTIATING * weights)
        model = with_values(subject, AS_IT_IS, None).model
        modules = list(model.modules())
        guard = Guard(modules)
        after.callback(guard.restore)
        guard.keep_values(model.buffers(), *([model.parameters()] if is_own else []))
        guard.keep_tensors(((weight, layout_of(weight)) for weight in model.parameters()), with_values=False)
        after.enter_context(in_mode(modules, training=False))
        for weight in model.parameters():
            weight.grad = None  # a gradient of the caller's own; the guard puts it back
        yield Held(subject.name, *_ready(subject.name, model, device), [] if told is None else told)


def _ready(name: str, model: nn.Module, device: str | None) -> tuple[nn.Module, torch.device]:
    """The model on the device, with gradients for all its weights."""
    if device is not None:
        model.to(torch.device(device))
    weights = [weight for weight in model.parameters() if weight.is_floating_point()]
    if any(weight.is_inference() for weight in weights):
        raise _made_in_inference(name)
    for weight in weights:
        weight.requires_grad_(True)
    return model, torch.device(device) if device is not None else weights[0].device if weights else torch.device("cpu")


def _check_device(device: str | None) -> None:
    is_there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device is not None and not is_there.get(device, True):
        raise _not_here(device)


# Error messages -------------------------------------------------------------------------------------------------------


def _not_here(device: str) -> errors.ProfileError:
    return errors.ProfileError(f"--run-on {device}: torch finds no such device on this machine; run it on cpu")


def _made_in_inference(model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"the weights of {model} were made in torch.inference_mode, and have no gradients; make the model outside of it"
    )


def _fails(model: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} fails on the samples ({type(error).__name__}: {errors.said(error)}{errors.place(error)}); check what "
        "it is fed, --input or --data"
    )


def _has_no_gradient(model: str, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"{model} cannot be differentiated ({type(error).__name__}: {errors.said(error)}); see that what it computes "
        "has a gradient, and twice for --hessian"
    )
