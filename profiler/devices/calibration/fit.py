"""How do the times of a family's calls follow from their sizes? A law with three figures, and what differs from it.

The law is overhead + flops / speed + bytes / bandwidth, which is what a call takes that computes and moves at a steady
rate. How real calls differ from it is a Gaussian process over the logarithms of their sizes (Rasmussen and Williams,
"Gaussian Processes for Machine Learning", 2006, algorithm 2.1, with the Matérn kernel of 5/2, one length a size).
Where nothing alike was measured, the process says so, and the law alone is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from profiler.devices.calibration.measure import Sample

Array = NDArray[np.float64]

_STEPS = (2.0, 1.4, 1.15)  # by which hyperparameters are changed, one after the other, while that helps
_ROUNDS = 6
_JITTER = 1e-9
_FEWEST = 4  # samples that a process is fitted to


class Law(NamedTuple):
    """Seconds that a call takes at least, seconds a FLOP and seconds a byte."""

    overhead: float
    per_flop: float
    per_byte: float

    def log_seconds(self, flops: Array, moved: Array) -> Array:
        return np.log(self.overhead + self.per_flop * flops + self.per_byte * moved)


class Kernel(NamedTuple):
    """Of the process: its deviation, that of what is measured around it, and over which factor each size matters.

    `lengths` are in powers of two.
    """

    deviation: float
    noise: float
    lengths: tuple[float, ...]


class Fit(NamedTuple):
    """What is kept of a family in one dtype. `error`: the standard deviation of log(measured / predicted), left out."""

    law: Law
    kernel: Kernel
    error: float


def fit(samples: Sequence[Sample]) -> Fit:
    """Raises nothing: of a single sample, the law is that sample."""
    flops, moved, seconds, sizes = arrays(samples)
    law = _law(flops, moved, seconds)
    rest = np.log(seconds) - law.log_seconds(flops, moved)
    if len(samples) < _FEWEST or not sizes.shape[1]:
        deviation = float(np.sqrt(np.mean(rest**2))) or 0.05
        return Fit(law, Kernel(0.0, deviation, (1.0,) * sizes.shape[1]), deviation)
    kernel = _kernel(sizes, rest)
    return Fit(law, kernel, float(np.sqrt(np.mean(left_out(sizes, rest, kernel) ** 2))))


def arrays(samples: Sequence[Sample]) -> tuple[Array, Array, Array, Array]:
    """FLOPs, bytes, seconds and the logarithms of the sizes (to base 2), a row a sample."""
    points = [sample.point for sample in samples]
    return (
        np.array([point.flops for point in points], float),
        np.array([point.moved_bytes for point in points], float),
        np.array([sample.seconds for sample in samples], float),
        np.log2(np.array([point.sizes for point in points], float).reshape(len(points), -1)),
    )


# The law --------------------------------------------------------------------------------------------------------------


def _law(flops: Array, moved: Array, seconds: Array) -> Law:
    """The least squares of logarithms, by Levenberg and Marquardt over the logarithms of the three figures.

    The figures stay between 1e-4 and 1e4 times what each would be if it alone took the time.
    """
    columns = np.stack([np.ones_like(seconds), flops, moved], axis=1)
    alone = np.array([_alone(column, seconds) for column in columns.T])
    used = alone > 0
    columns, start = columns[:, used], np.log(alone[used] / 3)
    at, damping = start.copy(), 1.0
    error = _errors(columns, at, seconds)
    for _ in range(60):
        parts = columns * np.exp(at)
        slopes = parts / parts.sum(axis=1, keepdims=True)
        step = np.linalg.solve(slopes.T @ slopes + damping * np.eye(len(at)), slopes.T @ -error)
        to = np.clip(at + step, start - np.log(1e4), start + np.log(1e4))
        changed = _errors(columns, to, seconds)
        better = float(changed @ changed) < float(error @ error)
        at, error, damping = (to, changed, damping / 3) if better else (at, error, damping * 3)
    figures = np.zeros(3)
    figures[used] = np.exp(at)
    return Law(*map(float, figures))


def _alone(column: Array, seconds: Array) -> float:
    rates = seconds[column > 0] / column[column > 0]
    return float(np.quantile(rates, 0.1)) if len(rates) else 0.0


def _errors(columns: Array, at: Array, seconds: Array) -> Array:
    return np.log(columns @ np.exp(at)) - np.log(seconds)


# The process ----------------------------------------------------------------------------------------------------------


def covariance(a: Array, b: Array, kernel: Kernel) -> Array:
    """Of a's rows with b's."""
    lengths = np.array(kernel.lengths)
    apart = np.sqrt(5 * np.maximum(((a[:, None, :] - b[None, :, :]) / lengths) ** 2, 0).sum(axis=2))
    correlated: Array = (1 + apart + apart**2 / 3) * np.exp(-apart)
    return kernel.deviation**2 * correlated


def left_out(sizes: Array, rest: Array, kernel: Kernel) -> Array:
    """Each sample's difference from what the others predict (Rasmussen and Williams, equation 5.12)."""
    inverse = np.linalg.inv(_noisy(sizes, kernel))
    apart: Array = (inverse @ rest) / np.diag(inverse)
    return apart


def weights(sizes: Array, rest: Array, kernel: Kernel) -> Array:
    """By which the covariances with the samples are multiplied to predict."""
    return np.asarray(np.linalg.solve(_noisy(sizes, kernel), rest), float)


def _noisy(sizes: Array, kernel: Kernel) -> Array:
    return covariance(sizes, sizes, kernel) + (kernel.noise**2 + _JITTER) * np.eye(len(sizes))


def _kernel(sizes: Array, rest: Array) -> Kernel:
    """The hyperparameters under which the samples are likeliest, changed one by one from the same start."""
    spread = max(float(np.std(rest)), 0.02)
    at = np.log([spread, spread / 3, *(np.maximum(np.ptp(sizes, axis=0), 1.0))])
    best = _likelihood(sizes, rest, at, spread)
    for step in _STEPS:
        for _ in range(_ROUNDS):
            before = best
            for which in range(len(at)):
                for change in (np.log(step), -np.log(step)):
                    to = at.copy()
                    to[which] += change
                    likelihood = _likelihood(sizes, rest, to, spread)
                    if likelihood > best:
                        at, best = to, likelihood
            if best == before:
                break
    return _of(at)


def _of(logs: Array) -> Kernel:
    deviation, noise, *lengths = np.exp(logs)
    return Kernel(float(deviation), float(noise), tuple(map(float, lengths)))


def _likelihood(sizes: Array, rest: Array, logs: Array, spread: float) -> float:
    """The logarithm of the marginal likelihood, with a weak preference for lengths of some powers of two."""
    kernel = _of(logs)
    if kernel.noise < 0.01 or kernel.deviation > 10 * spread or max(kernel.lengths) > 200:
        return -np.inf
    lower = np.linalg.cholesky(_noisy(sizes, kernel))
    half = np.linalg.solve(lower, rest)
    prior = -0.5 * float((((logs[2:] - np.log(6.0)) / 1.5) ** 2).sum())
    return float(-0.5 * half @ half - np.log(np.diag(lower)).sum()) + prior
