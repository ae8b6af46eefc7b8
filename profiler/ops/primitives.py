"""What do torch's primitives cost, `torch.ops.prims`? They are in exported programs that were taken apart."""

from __future__ import annotations

from profiler.ops import activation, elementwise, reduction  # noqa: F401  (whose formulas these are)
from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import each
from profiler.ops.fft import fft_c2c, fft_c2r, fft_r2c
from profiler.ops.registry import formula, formula_of, free
from profiler.ops.spectral import svd
from profiler.records.trace import Tensor, Value

# Those that have an aten operator's name and arguments, and so its formula.
_SAME = """
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_not bitwise_or bitwise_xor ceil conj_physical
    cos cosh digamma div eq erf erfc exp exp2 expm1 floor fmax fmin fmod frexp gcd ge gt hypot igamma igammac isfinite
    le lgamma log log10 log1p log2 lt maximum minimum mul ne neg nextafter pow reciprocal remainder round rsqrt sign
    signbit sin sinh sqrt sub tan tanh trunc
"""
# Those with another name.
_NAMED = {
    "bessel_i0": "special_i0",
    "bessel_i0e": "special_i0e",
    "bessel_i1": "special_i1",
    "bessel_i1e": "special_i1e",
    "bessel_j0": "special_bessel_j0",
    "bessel_j1": "special_bessel_j1",
    "cbrt": "sqrt",
    "erf_inv": "erfinv",
    "erfcx": "special_erfcx",
    "ndtri": "special_ndtri",
    "shift_left": "bitwise_left_shift",
    "shift_right_arithmetic": "bitwise_right_shift",
    "spherical_bessel_j0": "special_spherical_bessel_j0",
    "zeta": "special_zeta",
}
_VIEWS = """
    broadcast_in_dim collapse_view conj imag real split_dim squeeze transpose view_of view_of_dtype as_strided
"""
_COPIES = """
    cat clone collapse convert_element_type copy_strided copy_to device_put reshape resize rev where as_strided_scatter
"""

for _name, _twin in (*((name, name) for name in _SAME.split()), *_NAMED.items()):
    formula(f"prims.{_name}")(formula_of(f"aten.{_twin}"))

free("a view: the same data under another shape", *(f"prims.{name}" for name in _VIEWS.split()))
free("a copy: data moves", *(f"prims.{name}" for name in _COPIES.split()), reads=True, writes=True)
free(
    "a new tensor of numbers that need no input", "prims.iota", "prims.empty_strided", "prims.empty_permuted",
    "prims.fill", "prims.full", "prims.full_like", "prims.scalar_tensor", writes=True,
)  # fmt: skip
free("draws random numbers", "prims.normal", writes=True)


def _fold(name: str, unit: Cost) -> None:
    @formula(f"prims.{name}")
    def fold(x: Tensor, dims: tuple[int, ...] | None = None, *_: Value, out: Tensor, **__: Value) -> Cost:
        return each(unit, out, max(x.numel - out.numel, 0))


for _name, _unit in {
    "sum": Cost(adds=1),
    "prod": Cost(muls=1),
    "amax": Cost(comparisons=1),
    "amin": Cost(comparisons=1),
    "xor_sum": NOTHING,
}.items():
    _fold(_name, _unit)


formula("prims.var")(formula_of("aten.var"))


@formula("prims.svd")
def whole_svd(a: Tensor, *, out: Value, full_matrices: bool) -> Cost:
    return svd(a, full_matrices, out=out)


@formula("prims.fft_c2c")
def complex_transform(x: Tensor, *, out: Tensor, dim: tuple[int, ...], forward: bool) -> Cost:
    """None of these is scaled."""
    return fft_c2c(x, dim, 0, forward, out=out)


@formula("prims.fft_r2c")
def real_transform(x: Tensor, *, out: Tensor, dim: tuple[int, ...], onesided: bool) -> Cost:
    return fft_r2c(x, dim, 0, onesided, out=out)


@formula("prims.fft_c2r")
def transform_to_real(x: Tensor, *, out: Tensor, dim: tuple[int, ...], last_dim_size: int) -> Cost:
    return fft_c2r(x, dim, 0, last_dim_size, out=out)
