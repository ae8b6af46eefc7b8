"""How much does a target depend on each input? The gradient of each sample by itself.

In inference, samples of a batch do not depend on each other: the gradient of the sum of their targets with respect to
the inputs is each sample's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from profiler.engine.containers.walk import named
from profiler.engine.gradients.held import Held
from profiler.engine.gradients.samples import Batch
from profiler.engine.gradients.targets import Target
from profiler.records.sensitivities import OfInput


def of_inputs(
    model: Held, batches: Sequence[Batch], target: Target, done: Callable[[object], None]
) -> tuple[OfInput, ...]:
    """Every input tensor, with what its gradients are in each sample; raises `errors.ProfileError`."""
    found: list[OfInput] = []
    for batch in batches:
        of_batch = _of_batch(model, batch.on(model.device), target)
        found = [_joined(*pair) for pair in zip(found, of_batch, strict=True)] if found else of_batch
        done(None)
    return tuple(found)


def _joined(before: OfInput, more: OfInput) -> OfInput:
    return OfInput(
        before.name, before.shape, before.dtype, before.norms + more.norms, before.absolutes + more.absolutes
    )


def _of_batch(model: Held, batch: Batch, target: Target) -> list[OfInput]:
    tensors = list(inputs_of(model, batch).items())
    gradients = iter(input_gradients(model, batch, target))
    return [
        _of_input(name, tensor, next(gradients) if tensor.is_floating_point() else None) for name, tensor in tensors
    ]


def input_gradients(model: Held, batch: Batch, target: Target) -> list[Tensor]:
    """Of each floating-point input, with a sample's own gradient at each sample."""
    leaves: list[Tensor] = []

    def leaf(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        leaves.append(tensor.detach().requires_grad_(True))
        return leaves[-1]

    args, kwargs = batch.mapped(leaf)
    values = model.values(Batch(args, kwargs, batch.labels), target)
    return model.gradients(values.sum(), leaves)


def inputs_of(model: Held, batch: Batch) -> dict[str, Tensor]:
    """Every tensor that a batch holds, once, by the name of the parameter that takes it."""
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    arguments = dict(zip(_parameter_names(model, len(batch.args)), batch.args, strict=True)) | dict(batch.kwargs)
    for argument, value in arguments.items():
        for name, leaf in named(value, argument):
            if isinstance(leaf, Tensor) and id(leaf) not in seen:
                seen.add(id(leaf))
                tensors[_unused(name or argument, tensors)] = leaf
    return tensors


def _parameter_names(model: Held, number: int) -> list[str]:
    """What the positional parameters of a forward pass are called."""
    try:
        parameters = list(inspect.signature(model.model.forward).parameters.values())
    except (TypeError, ValueError):  # it is written in C
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"input {i + 1}" for i in range(number)]


def _unused(name: str, taken: dict[str, Tensor]) -> str:
    """Tensors of one list have the same name: the second is `name 2`."""
    number = 2
    unused = name
    while unused in taken:
        unused, number = f"{name} {number}", number + 1
    return unused


def _of_input(name: str, tensor: Tensor, gradient: Tensor | None) -> OfInput:
    shape, dtype = tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch.")
    if gradient is None:
        return OfInput(name, shape, dtype, (), ())
    of_samples = gradient.reshape(len(gradient), -1) if gradient.ndim else gradient.reshape(1, 1)
    norms = torch.linalg.vector_norm(of_samples, dim=1)
    return OfInput(name, shape, dtype, tuple(norms.tolist()), tuple(of_samples.abs().mean(1).tolist()))
