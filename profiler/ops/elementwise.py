"""What does element-wise arithmetic cost? So much an element, by a table; of a few operators it hangs on an argument.

|x| and sign(x) are comparisons and -x is a subtraction from zero. Rounding is a special function. Logic on booleans and
bits is not floating-point, and nothing.
"""

from __future__ import annotations

from profiler.ops.complex_numbers import COMPLEX
from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import each, first
from profiler.ops.registry import formula
from profiler.records.trace import Tensor, Value

ADD, MUL, DIV = Cost(adds=1), Cost(muls=1), Cost(divs=1)
SPECIAL, COMPARE = Cost(specials=1), Cost(comparisons=1)

# Functions that are computed by series and recurrences.
SERIES = """
    special_airy_ai special_bessel_y0 special_bessel_y1 special_spherical_bessel_j0 special_modified_bessel_i0
    special_modified_bessel_i1 special_modified_bessel_k0 special_modified_bessel_k1 special_scaled_modified_bessel_k0
    special_scaled_modified_bessel_k1 special_chebyshev_polynomial_t special_chebyshev_polynomial_u
    special_chebyshev_polynomial_v special_chebyshev_polynomial_w special_shifted_chebyshev_polynomial_t
    special_shifted_chebyshev_polynomial_u special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w
    special_hermite_polynomial_h special_hermite_polynomial_he special_laguerre_polynomial_l
    special_legendre_polynomial_p
"""

# One unit for all the operators on a line.
ALIKE = (
    (ADD, "neg negative"),
    (MUL, "mul multiply square deg2rad rad2deg ldexp"),
    (DIV, "reciprocal true_divide"),
    (COMPARE, "eq ne lt le gt ge greater greater_equal less less_equal not_equal"),
    (COMPARE, "maximum minimum max.other min.other fmax fmin clamp_min clamp_max heaviside"),
    (COMPARE, "abs absolute signbit copysign"),
    (COMPARE, "isnan isinf isfinite isposinf isneginf"),
    (COMPARE * 2, "sign sgn"),
    (COMPARE * 3, "nan_to_num"),
    (SPECIAL, "sqrt rsqrt exp exp2 expm1 special_expm1 special_exp2 log log2 log10 log1p special_log1p"),
    (SPECIAL, "sin cos tan asin acos atan arcsin arccos arctan sinh cosh asinh acosh atanh arcsinh arccosh arctanh"),
    (SPECIAL, "atan2 arctan2 hypot erf erfc erfinv special_erf special_erfc special_erfinv special_erfcx special_ndtr"),
    (SPECIAL, "lgamma digamma polygamma mvlgamma special_gammaln special_digamma special_ndtri special_log_ndtr i0"),
    (
        SPECIAL,
        "special_i0 special_i0e special_i1 special_i1e special_bessel_j0 special_bessel_j1 special_zeta igamma igammac",
    ),
    (SPECIAL, "floor ceil trunc fix nextafter frexp"),
    (SPECIAL, "special_expit"),
    (SPECIAL, SERIES),
    (SPECIAL + MUL, "xlogy special_xlogy special_xlog1py special_entr"),
    (SPECIAL + MUL + DIV, "sinc special_sinc"),
    (SPECIAL + ADD, "frac"),  # x - trunc(x)
    (DIV + SPECIAL, "floor_divide"),
    (DIV + SPECIAL + MUL + ADD, "remainder fmod"),  # x - y·floor(x/y)
    (ADD * 2 + MUL, "lerp"),  # x + w·(y - x)
    (COMPARE * 2 + ADD * 3 + SPECIAL * 2, "logaddexp logaddexp2"),  # max + log1p(exp(-|x - y|))
    (ADD + MUL * 2, "cross linalg_cross"),  # each component is a difference of two products
    (NOTHING, "logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not"),
    (NOTHING, "__and__ __or__ __xor__ __iand__ __ior__ __ixor__"),
    (NOTHING, "bitwise_left_shift bitwise_right_shift __lshift__ __rshift__ __ilshift__ __irshift__ gcd lcm"),
)


def _register(name: str, unit: Cost) -> None:
    @formula(f"aten.{name}")
    def per_element(x: Value, *_: Value, out: Value, **__: Value) -> Cost:
        result = first(out)
        if name in COMPLEX and isinstance(x, Tensor) and x.is_complex:
            return COMPLEX[name] * result.numel
        return each(unit, result)


for _unit, _names in ALIKE:
    for _name in _names.split():
        _register(_name, _unit)


@formula("aten.add", "aten.sub", "aten.subtract", "aten.rsub")
def add(x: Value, y: Value, alpha: complex = 1, *, out: Tensor) -> Cost:
    """x ± α·y. Some overloads take α by keyword."""
    return each(ADD if alpha == 1 else ADD + MUL, out)


@formula("aten._add_relu")
def add_relu(x: Value, y: Value, alpha: complex = 1, *, out: Tensor) -> Cost:
    return add(x, y, alpha, out=out) + each(COMPARE, out)


@formula("aten.div", "aten.divide")
def div(x: Value, y: Value, *, out: Tensor, rounding_mode: str | None = None) -> Cost:
    return each(DIV if rounding_mode is None else DIV + SPECIAL, out)


@formula("aten.addcmul")
def addcmul(x: Tensor, y: Tensor, z: Tensor, *, out: Tensor, value: complex = 1) -> Cost:
    """x + value·y·z"""
    return each(ADD + MUL if value == 1 else ADD + MUL * 2, out)


@formula("aten.addcdiv")
def addcdiv(x: Tensor, y: Tensor, z: Tensor, *, out: Tensor, value: complex = 1) -> Cost:
    """x + value·y / z"""
    return each(ADD + DIV if value == 1 else ADD + DIV + MUL, out)


@formula("aten.round")
def round_(x: Tensor, *, out: Tensor, decimals: int = 0) -> Cost:
    """To a number of decimals: times a power of ten, rounded, and divided by it again."""
    return each(SPECIAL if decimals == 0 else SPECIAL + MUL + DIV, out)


@formula("aten.clamp", "aten.clip")
def clamp(x: Tensor, minimum: Value = None, maximum: Value = None, *, out: Tensor, **bounds: Value) -> Cost:
    return each(COMPARE, out) * sum(bound is not None for bound in (minimum, maximum, *bounds.values()))


# The exponents that ATen's pow computes without the general function, aten/src/ATen/native/cpu/PowKernel.cpp.
POWERS = {0: NOTHING, 1: NOTHING, 2: MUL, 3: MUL * 2, -1: DIV, -2: MUL + DIV, 0.5: SPECIAL, -0.5: SPECIAL}


@formula("aten.pow", "aten.float_power")
def power(base: Value, exponent: Value, *, out: Tensor) -> Cost:
    unit = POWERS.get(exponent, SPECIAL) if isinstance(exponent, int | float) else SPECIAL
    if out.is_complex and unit == SPECIAL:
        return COMPLEX["sqrt" if exponent == 0.5 else "rsqrt" if exponent == -0.5 else "pow"] * out.numel
    return each(unit, out)


@formula("aten.angle")
def angle(x: Tensor, *, out: Tensor) -> Cost:
    """0 or π for a real number."""
    return COMPLEX["angle"] * out.numel if x.is_complex else each(COMPARE, out)


@formula("aten.polar")
def polar(absolute: Tensor, angles: Tensor, *, out: Tensor) -> Cost:
    """r·cos φ + i·r·sin φ"""
    return Cost(specials=2, muls=2) * out.numel


@formula("aten.conj_physical", "aten._conj_physical", "aten.resolve_conj")
def conj_physical(x: Tensor, *, out: Tensor) -> Cost:
    """The imaginary part changes its sign."""
    return ADD * out.numel if out.is_complex else NOTHING
