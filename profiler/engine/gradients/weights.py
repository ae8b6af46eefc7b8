"""How much does a target depend on each parameter? Gradients, their product with the weights, and empirical Fisher.

The gradient is that of the mean of the target over all samples. |w·g| is the first-order change of the target where a
weight becomes zero: Lee, Ajanthan and Torr 2019 ("SNIP", arXiv:1810.02340); summed over a layer as Molchanov et al.
2019 (arXiv:1906.10771) rank layers. The diagonal of the empirical Fisher matrix is the mean of the squares of single
samples' gradients (Kunstner, Balles and Hennig 2019, arXiv:1905.12558).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from profiler.engine.gradients.held import Held
from profiler.engine.gradients.samples import Batch
from profiler.engine.gradients.targets import Target, output_of
from profiler.records.sensitivities import OfWeight

_MOST_BYTES = 1 << 29  # of gradients of single samples at once
_CLOSE = 1e-3  # of single samples' mean to the batch's gradient, both computed in the weights' dtype


def of_weights(
    model: Held, batches: Sequence[Batch], target: Target, done: Callable[[object], None]
) -> tuple[tuple[float, ...], list[OfWeight]]:
    """The target of each sample, and how much it depends on each parameter; raises `errors.ProfileError`.

    done: told each batch that ended.
    """
    parameters = model.parameters
    weights = list(parameters.values())
    mean = [torch.zeros_like(weight, requires_grad=False) for weight in weights]
    squares = [0.0] * len(weights)
    values: list[float] = []
    for batch in batches:
        moved = batch.on(model.device)
        of_batch = model.values(moved, target)
        gradients = model.gradients(of_batch.mean(), list(weights))
        values += of_batch.detach().tolist()
        for average, gradient in zip(mean, gradients, strict=True):
            average.lerp_(gradient, len(of_batch) / len(values))
        for of_sample in _of_samples(model, moved, target, gradients, len(of_batch)):
            for i, square in enumerate(of_sample):
                squares[i] += square
        done(None)
    return tuple(values), [
        _of_weight(name, weight.detach(), gradient, square / max(1, len(values)))
        for (name, weight), gradient, square in zip(parameters.items(), mean, squares, strict=True)
    ]


def _of_weight(name: str, weight: Tensor, gradient: Tensor, fisher: float) -> OfWeight:
    wide = torch.float64 if gradient.device.type != "mps" else torch.float32
    return OfWeight(
        name,
        weight.numel(),
        float(torch.linalg.vector_norm(gradient, dtype=wide)),
        float(gradient.abs().sum(dtype=wide)),
        float((weight * gradient).abs().sum(dtype=wide)),
        fisher,
    )


# Of single samples ----------------------------------------------------------------------------------------------------


def _of_samples(
    model: Held, batch: Batch, target: Target, mean: Sequence[Tensor], samples: int
) -> Iterator[list[float]]:
    """For single samples, or several of them together, the sums of their squared gradients, a number a parameter."""
    if samples == 1:
        yield [_squares(gradient) for gradient in mean]
        return
    at_once = _at_once(model, batch, target, mean)
    if at_once is not None:
        yield at_once
        return
    for i in range(samples):
        one = batch.sample(i)
        gradients = model.gradients(model.values(one, target).mean(), list(model.parameters.values()))
        yield [_squares(gradient) for gradient in gradients]


def _squares(gradient: Tensor) -> float:
    return float(gradient.double().square().sum()) if gradient.device.type != "mps" else float(gradient.square().sum())


def _at_once(model: Held, batch: Batch, target: Target, mean: Sequence[Tensor]) -> list[float] | None:
    """All samples of a batch by `torch.func.vmap`; None where that does not go, or goes wrong.

    It raises for operators that it does not know, and takes no notice of weights that a module keeps elsewhere, as
    recurrent ones do: what comes out has to have the gradient of the batch as its mean.
    """
    axes = _axes(batch)
    if axes is None:
        return None
    parameters = {name: weight.detach() for name, weight in model.parameters.items()}

    def value(weights: dict[str, Tensor], args: Any, kwargs: Any, labels: Any) -> Tensor:
        args = list(map(_with_axis, args, axes[0]))
        kwargs = {name: _with_axis(kwargs[name], axis) for name, axis in axes[1].items()}
        output = output_of(functional_call(model.model, weights, tuple(args), kwargs), model.name)
        return target.values(output, None if labels is None else labels[None], 1)[0]

    size = sum(weight.nbytes for weight in parameters.values()) or 1
    each = vmap(
        grad(value), (None, axes[0], axes[1], None if batch.labels is None else 0), randomness="same",
        chunk_size=max(1, _MOST_BYTES // size),
    )  # fmt: skip
    with suppress(Exception), sdpa_kernel(SDPBackend.MATH):  # whatever a model's code and vmap raise of each other
        gradients = each(parameters, list(batch.args), dict(batch.kwargs), batch.labels)
        if all(_agree(gradients[name], whole) for name, whole in zip(parameters, mean, strict=True)):
            return [_squares(gradients[name]) for name in parameters]
    return None


def _axes(batch: Batch) -> tuple[list[int | None], dict[str, int | None]] | None:
    """Along which dimension each argument is of samples; None where some are no tensors."""
    size = batch.size

    def axis(value: Any) -> int | None:
        return 0 if isinstance(value, Tensor) and value.ndim and value.shape[0] == size else None

    if not all(isinstance(value, (Tensor, bool, int, float, str, type(None))) for value in _values(batch)):
        return None
    return [axis(value) for value in batch.args], {name: axis(value) for name, value in batch.kwargs.items()}


def _values(batch: Batch) -> list[Any]:
    return [*batch.args, *batch.kwargs.values()]


def _with_axis(value: Any, axis: int | None) -> Any:
    """A batch of one, which may be overwritten."""
    return value if axis is None else value[None].clone()


def _agree(each: Tensor, mean: Tensor) -> bool:
    difference = torch.linalg.vector_norm(each.mean(0) - mean)
    return bool(difference <= _CLOSE * torch.linalg.vector_norm(each.flatten(1), dim=1).mean() + 1e-30)
