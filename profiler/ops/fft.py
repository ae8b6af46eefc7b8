"""What does a Fourier transform cost? 5·N·log₂N real operations for N complex points, half of it for real ones.

That is the radix-2 count which FFT benchmarks use whatever the algorithm, http://www.fftw.org/speed/method.html.
A butterfly of two points is one complex multiplication and two complex additions: 4 real multiplications and 6
additions. There are N/2·log₂N butterflies.
"""

from __future__ import annotations

from math import log2, prod

from profiler.ops.cost import Cost
from profiler.ops.registry import formula
from profiler.records.trace import Tensor, Value


def _transform(lengths: list[int], times: int, out: Tensor, real: bool, scaled: bool) -> Cost:
    """`times` transforms of prod(lengths) points, normalised or not."""
    points = prod(lengths)
    butterflies = points * log2(points) / 2 if points > 1 else 0
    share = 0.5 if real else 1
    numbers = out.numel * (2 if out.is_complex else 1)
    return Cost(
        muls=times * round(4 * butterflies * share) + (numbers if scaled else 0),
        adds=times * round(6 * butterflies * share),
    )


def _times(out: Tensor, dims: tuple[int, ...]) -> int:
    points = prod(out.shape[d] for d in dims)
    return out.numel // points if points else 0


@formula("aten._fft_c2c")
def fft_c2c(x: Tensor, dims: tuple[int, ...], normalization: int, forward: bool, *, out: Tensor) -> Cost:
    return _transform([x.shape[d] for d in dims], _times(out, dims), out, real=False, scaled=normalization != 0)


@formula("aten._fft_r2c")
def fft_r2c(x: Tensor, dims: tuple[int, ...], normalization: int, onesided: bool, *, out: Tensor) -> Cost:
    return _transform([x.shape[d] for d in dims], _times(out, dims), out, real=True, scaled=normalization != 0)


@formula("aten._fft_c2r")
def fft_c2r(x: Tensor, dims: tuple[int, ...], normalization: int, last_dim_size: int, *, out: Tensor) -> Cost:
    return _transform([out.shape[d] for d in dims], _times(out, dims), out, real=True, scaled=normalization != 0)


def _register(name: str, inverse: bool, real: bool, default_dims: tuple[int, ...] | None) -> None:
    @formula(f"aten.{name}")
    def fft(
        x: Tensor, size: int | tuple[int, ...] | None = None, dim: Value = default_dims, norm: str | None = None,
        *, out: Tensor,
    ) -> Cost:  # fmt: skip
        """The length of an axis is the output's; but a real transform halves its last axis, and the input has it."""
        sizes = (size,) if isinstance(size, int) else size
        dims = _dims(x, dim, sizes)
        lengths = [out.shape[d] for d in dims]
        if real and not inverse:
            lengths[-1] = sizes[-1] if sizes else x.shape[dims[-1]]
        # without a name the backward transform is scaled, "ortho" scales both, "forward" the forward one
        scaled = norm == "ortho" or ((norm or "backward") == "backward") == inverse
        return _transform(lengths, _times(out, dims), out, real, scaled)


def _dims(x: Tensor, dim: Value, sizes: tuple[int, ...] | None) -> tuple[int, ...]:
    if isinstance(dim, int):
        return (dim,)
    if isinstance(dim, tuple):
        return tuple(d for d in dim if isinstance(d, int))
    return tuple(range(x.ndim - (len(sizes) if sizes else x.ndim), x.ndim))


for _suffix, _default in (("fft", (-1,)), ("fft2", (-2, -1)), ("fftn", None)):
    _register(f"fft_{_suffix}", inverse=False, real=False, default_dims=_default)
    _register(f"fft_i{_suffix}", inverse=True, real=False, default_dims=_default)
    _register(f"fft_r{_suffix}", inverse=False, real=True, default_dims=_default)
    _register(f"fft_ir{_suffix}", inverse=True, real=True, default_dims=_default)
