"""How much does an output change with inputs and weights? What was found on samples, in plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

SEED = 0  # of random weights, samples and probes


@dataclass(frozen=True, slots=True)
class OfWeight:
    """One parameter. `g` is the mean over the samples of the gradient of the target.

    name: in the model.
    elements: how many it has.
    norm: the 2-norm of g.
    absolute: the sum of |g|.
    importance: the sum of |w·g|.
    fisher: the sum over its elements of the mean over the samples of the squared gradient of one sample.
    curvatures: v·Hv of its part of each probe, whose mean estimates the trace of its block of the Hessian.
    """

    name: str
    elements: int
    norm: float
    absolute: float
    importance: float
    fisher: float
    curvatures: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class OfInput:
    """One input tensor.

    name: of the argument.
    shape, dtype: of a sample.
    norms, absolutes: of each sample, the gradient's 2-norm and its mean absolute value; empty where its dtype has no
        gradient.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    norms: tuple[float, ...]
    absolutes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Gradients:
    """Of one target, which is a number a sample.

    values: the target of each sample.
    weights, inputs: what it depends on.
    """

    values: tuple[float, ...]
    weights: tuple[OfWeight, ...]
    inputs: tuple[OfInput, ...]

    @property
    def samples(self) -> int:
        """How many samples there were."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of the model changes in its output.

    change: the 2-norm of the difference as a share of that of the output.
    divergence: the mean over the samples of the Kullback-Leibler divergence of the changed class probabilities from
        those before, in nats.
    loss, score: of the changed model; the score is the share of samples whose largest output is at their label.

    None where there is none.
    """

    change: float | None
    divergence: float | None
    loss: float | None
    score: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One layer changed alone.

    path: of the layer.
    effect: what that changed; None where it could not be done.
    failure: why it could not be done.
    """

    path: str
    effect: Effect | None
    failure: str = ""


def zeros(elements: int, share: float) -> int:
    """How many elements of a parameter a share of them is."""
    return round(share * elements)
