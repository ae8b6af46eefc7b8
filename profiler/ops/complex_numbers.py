"""What do special functions of a complex number z = x + iy cost, in operations on its real parts?

Plain arithmetic has its rules in `elements`.

The formulas are those of Abramowitz and Stegun, sections 4.1 to 4.6, which numerical libraries refine near their poles.
"""

from __future__ import annotations

from profiler.ops.cost import Cost

_ADD, _MUL = Cost(adds=2), Cost(adds=2, muls=4)  # of two complex numbers
_SPECIAL = Cost(specials=1)
_SCALE = Cost(muls=2)  # by a real number
_RECIPROCAL = Cost(muls=2, adds=1, divs=2)  # (x - iy) / (x² + y²)
_DIV = Cost(muls=6, adds=3, divs=2)

_ABS = Cost(muls=2, adds=1, specials=1)
_EXP = Cost(specials=3, muls=2)  # eˣ·(cos y + i·sin y)
_LOG = Cost(muls=3, adds=1, specials=2)  # ½·log(x² + y²) + i·atan2(y, x)
_SQRT = _ABS + Cost(adds=1, muls=1, specials=1) + Cost(muls=1, divs=1)  # u = √((|z| + x)/2), and i·y/2u
_SINE = Cost(specials=4, muls=2)  # sin x·cosh y + i·cos x·sinh y
_TANGENT = Cost(muls=2, specials=4, adds=1, divs=2)  # (sin 2x + i·sinh 2y) / (cos 2x + cosh 2y)
_SIGMOID = _EXP + Cost(adds=1 + 2) + _RECIPROCAL  # 1 / (1 + exp(-z))
_ARCSINE = _MUL + Cost(adds=1) + _SQRT + _ADD + _LOG  # -i·log(iz + √(1 - z²))
_ARCTANGENT = (Cost(adds=1) + _LOG) * 2 + _ADD + _SCALE  # ½i·(log(1 - iz) - log(1 + iz))
_SINC = _SCALE + _SINE + _DIV  # sin(πz) / πz

COMPLEX = {
    "abs": _ABS,
    "angle": _SPECIAL,  # atan2(y, x)
    "sgn": _ABS + Cost(divs=2),  # z / |z|
    "exp": _EXP,
    "exp2": _EXP + _SCALE,
    "expm1": _EXP + Cost(adds=1),
    "log": _LOG,
    "log2": _LOG + _SCALE,
    "log10": _LOG + _SCALE,
    "log1p": _LOG + Cost(adds=1),
    "sqrt": _SQRT,
    "rsqrt": _SQRT + _RECIPROCAL,
    "pow": _LOG + _MUL + _EXP,  # exp(w·log z)
    "sinc": _SINC,
    **dict.fromkeys(("logaddexp", "logaddexp2"), _EXP * 2 + _ADD + _LOG),  # log(exp(z) + exp(w))
    **dict.fromkeys(("sin", "cos", "sinh", "cosh"), _SINE),
    **dict.fromkeys(("tan", "tanh"), _TANGENT),
    **dict.fromkeys(("asin", "acos", "asinh", "acosh"), _ARCSINE),
    **dict.fromkeys(("atan", "atanh"), _ARCTANGENT),
    "sigmoid": _SIGMOID,
    "silu": _SIGMOID + _MUL,
    "silu_backward": _SIGMOID + Cost(adds=2) + _MUL * 3,  # g·σ·(1 + z·(1 - σ))
}

_SAME = {
    "absolute": "abs",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "special_expit": "sigmoid",
    "special_exp2": "exp2",
    "special_expm1": "expm1",
    "special_log1p": "log1p",
    "special_sinc": "sinc",
}
COMPLEX |= {name: COMPLEX[same] for name, same in _SAME.items()}
