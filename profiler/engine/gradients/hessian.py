"""How curved is a target in the weights of a layer? The trace of its block of the Hessian, estimated.

Hutchinson 1990: where the entries of v are independent, with mean 0 and variance 1, the expectation of v·Hv is the
trace of H. With entries of ±1 (Rademacher) no other estimator of this kind has a smaller variance. The entries of one
layer are independent of those of the others, so that its part of v·Hv estimates the trace of its own block (Dong et al.
2020, "HAWQ-V2", arXiv:1911.03852, ranks layers by it). Hv is the gradient of g·v, by a second backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from profiler.engine.gradients.held import Held
from profiler.engine.gradients.samples import Batch
from profiler.engine.gradients.targets import Target
from profiler.records.sensitivities import SEED


def curvatures(
    model: Held, batches: Sequence[Batch], target: Target, probes: int, done: Callable[[object], None]
) -> list[tuple[float, ...]]:
    """v·Hv of each parameter's part of each probe, H being that of the target's mean over all samples.

    Raises `errors.ProfileError`.
    """
    weights = list(model.parameters.values())
    found = [[0.0] * probes for _ in weights]
    samples = 0
    for batch in batches:
        with sdpa_kernel(SDPBackend.MATH):  # the kernels of attention that can be differentiated twice
            values = model.values(batch.on(model.device), target)
            gradients = model.gradients(values.mean(), list(weights), create_graph=True)
        samples += len(values)
        share = len(values) / samples
        for probe in range(probes):
            for i, part in enumerate(_products(model, weights, gradients, probe)):
                found[i][probe] += (part - found[i][probe]) * share
            done(None)
        del values, gradients  # the graph refers to itself
    return [tuple(of_weight) for of_weight in found]


def _products(model: Held, weights: Sequence[Tensor], gradients: Sequence[Tensor], probe: int) -> list[float]:
    """v·Hv by parameter. The same v for every batch, which is drawn again for each: it is not kept."""
    generator = torch.Generator().manual_seed(SEED + probe)
    directions = [_signs(weight, generator) for weight in weights]
    curved = [(g, v) for g, v in zip(gradients, directions, strict=True) if g.requires_grad]
    if not curved:
        return [0.0] * len(weights)
    product = torch.stack([(g * v).sum() for g, v in curved]).sum()
    second = model.gradients(product, list(weights), retain_graph=True)
    return [float((v * h).sum()) for v, h in zip(directions, second, strict=True)]


def _signs(weight: Tensor, generator: torch.Generator) -> Tensor:
    signs = torch.randint(0, 2, weight.shape, generator=generator, dtype=torch.int8)
    return (2 * signs - 1).to(weight.device, weight.dtype)
