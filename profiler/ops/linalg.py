"""What do factorisations, solutions and inverses of matrices cost? Linear algebra by direct methods.

Counted to the operation, as their unblocked algorithms compute: Golub and Van Loan, Matrix
Computations (4th edition), chapters 3 to 5, and LAPACK Working Note 41, appendix C, which has the same leading terms.
A factorisation is not a contraction of the model's: additions and multiplications, not MACs.

Complex matrices: each operation is a complex one. Norms and square roots are real numbers there too.
"""

from __future__ import annotations

from dataclasses import replace

from profiler.ops.complex_numbers import COMPLEX
from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import first, in_dtype
from profiler.ops.registry import Uncovered, formula, free
from profiler.records.trace import Tensor, Value


def in_field(cost: Cost, like: Tensor) -> Cost:
    """The operations in the dtype of a matrix; special functions are of real numbers, its norms."""
    return replace(in_dtype(replace(cost, specials=0), like), specials=cost.specials)


def batch(a: Tensor) -> int:
    """How many matrices a tensor holds."""
    size = a.shape[-2] * a.shape[-1]
    return a.numel // size if size else 0


def _falling(start: int, steps: int) -> int:
    """start + (start - 1) + …, so many terms."""
    return steps * start - steps * (steps - 1) // 2


def _falling_products(a: int, b: int, steps: int) -> int:
    """a·b + (a - 1)·(b - 1) + …, so many terms."""
    squares = (steps - 1) * steps * (2 * steps - 1) // 6
    return steps * a * b - (a + b) * (steps * (steps - 1) // 2) + squares


# Triangular matrices --------------------------------------------------------------------------------------------------


def substitution(n: int, columns: int, unit: bool = False) -> Cost:
    """Of n unknowns, each takes away the products of those before it, and is divided by its own factor.

    Golub and Van Loan, section 3.1: n² operations for each right-hand side.
    """
    products = n * (n - 1) // 2 * columns
    return Cost(adds=products, muls=products, divs=0 if unit else n * columns)


def _triangular_inverse(n: int) -> Cost:
    """Column by column, each the product of the inverse so far and the column above the diagonal, times 1/uⱼⱼ."""
    pairs, triples = n * (n - 1) // 2, n * (n - 1) * (n - 2) // 6
    return Cost(adds=triples, muls=triples + 2 * pairs, divs=n)


@formula("aten.linalg_solve_triangular")
def solve_triangular(
    a: Tensor, b: Tensor, *, out: Tensor, upper: bool, left: bool = True, unitriangular: bool = False
) -> Cost:
    return in_field(substitution(a.shape[-1], columns_of(out, a.shape[-1]), unitriangular), a)


@formula("aten.triangular_solve")
def triangular_solve(
    b: Tensor, a: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False, *, out: Value
) -> Cost:
    return in_field(substitution(a.shape[-1], columns_of(first(out), a.shape[-1]), unitriangular), a)


def columns_of(b: Tensor, n: int) -> int:
    """The right-hand sides, those of the whole batch, each of n numbers."""
    return b.numel // n if n else 0


# Cholesky -------------------------------------------------------------------------------------------------------------


@formula("aten.linalg_cholesky_ex")
def cholesky(a: Tensor, *, out: Value, **_: Value) -> Cost:
    """n³/3 operations; a square root and a column of quotients for each of the n steps. Section 4.2.5."""
    n = a.shape[-1]
    products = (n**3 - n) // 6
    factor = Cost(adds=products, muls=products, divs=n * (n - 1) // 2, specials=n)
    return in_field(factor * batch(a), a)


@formula("aten.cholesky_solve", "aten._cholesky_solve_helper")
def cholesky_solve(b: Tensor, factor: Tensor, upper: bool = False, *, out: Tensor) -> Cost:
    """Forward with L, back with its transpose."""
    n = factor.shape[-1]
    return in_field(substitution(n, columns_of(out, n)) * 2, factor)


@formula("aten.cholesky_inverse")
def cholesky_inverse(factor: Tensor, upper: bool = False, *, out: Tensor) -> Cost:
    """The inverse of L, and the half of its product with its transpose: 2n³/3 operations."""
    n = factor.shape[-1]
    product = Cost(adds=(n**3 - n) // 6, muls=n * (n + 1) * (n + 2) // 6)
    return in_field((_triangular_inverse(n) + product) * batch(factor), factor)


# LU and what rests on it ----------------------------------------------------------------------------------------------


def _lu(m: int, n: int, pivot: bool = True) -> Cost:
    """Gaussian elimination with the largest of each column for pivot: 2n³/3 operations. Sections 3.2.6 and 3.4."""
    steps = min(m, n)
    below = _falling(m - 1, steps)
    products = _falling_products(m - 1, n - 1, steps)
    return Cost(adds=products, muls=products, divs=below, comparisons=below if pivot else 0)


@formula("aten.linalg_lu_factor_ex", "aten.linalg_lu")
def lu_factor(a: Tensor, *, out: Value, pivot: bool = True, **_: Value) -> Cost:
    m, n = a.shape[-2:]
    return in_field(_lu(m, n, pivot) * batch(a), a)


free("the parts of a matrix that holds both factors: data moves", "aten.lu_unpack", reads=True, writes=True)


def _lu_substitution(n: int, columns: int) -> Cost:
    return substitution(n, columns, unit=True) + substitution(n, columns)


@formula("aten.linalg_lu_solve")
def lu_solve(lu: Tensor, pivots: Tensor, b: Tensor, *, out: Tensor, **_: Value) -> Cost:
    n = lu.shape[-1]
    return in_field(_lu_substitution(n, columns_of(out, n)), lu)


@formula("aten._linalg_solve_ex")
def solve(a: Tensor, b: Tensor, *, out: Value, **_: Value) -> Cost:
    """2n³/3 operations, and 2n² for each right-hand side."""
    n = a.shape[-1]
    return in_field(_lu(n, n) * batch(a) + _lu_substitution(n, columns_of(first(out), n)), a)


@formula("aten.linalg_inv_ex")
def inverse(a: Tensor, *, out: Value, **_: Value) -> Cost:
    """From the LU factors: the inverse of U, and X·L = U⁻¹ solved from the last column. 2n³ operations in all.

    Higham, Accuracy and Stability of Numerical Algorithms, section 14.3, method B; LAPACK's xGETRI.
    """
    n = a.shape[-1]
    return in_field((_lu(n, n) + _triangular_inverse(n) + substitution(n, n, unit=True)) * batch(a), a)


@formula("aten._linalg_det")
def determinant(a: Tensor, *, out: Value) -> Cost:
    n = a.shape[-1]
    return in_field((_lu(n, n) + Cost(muls=max(n - 1, 0))) * batch(a), a)


@formula("aten._linalg_slogdet")
def slogdet(a: Tensor, *, out: Value) -> Cost:
    """The logarithms of the pivots' magnitudes are added up, and their signs multiplied."""
    n, matrices = a.shape[-1], batch(a)
    joined = max(n - 1, 0)
    if a.is_complex:
        per_pivot = COMPLEX["abs"] + Cost(divs=2) + Cost(specials=1)
        signs = in_dtype(Cost(muls=joined), a)
    else:
        per_pivot, signs = Cost(comparisons=2, specials=1), NOTHING
    return in_field(_lu(n, n) * matrices, a) + (per_pivot * n + signs + Cost(adds=joined)) * matrices


@formula("aten.linalg_ldl_factor_ex")
def ldl_factor(a: Tensor, *, out: Value, **_: Value) -> Cost:
    """n³/3 operations; at most two columns of each step are searched for a pivot. Section 4.1.2 and 4.4.4."""
    n = a.shape[-1]
    pairs, products = n * (n - 1) // 2, (n**3 - n) // 6
    factor = Cost(adds=products, muls=products + pairs, divs=pairs, comparisons=2 * pairs)
    return in_field(factor * batch(a), a)


@formula("aten.linalg_ldl_solve")
def ldl_solve(factor: Tensor, pivots: Tensor, b: Tensor, *, out: Tensor, **_: Value) -> Cost:
    n = factor.shape[-1]
    columns = columns_of(out, n)
    return in_field(substitution(n, columns, unit=True) * 2 + Cost(divs=n * columns), factor)


# QR: a reflector of length p is 1 - τ·v·vᵀ with v₁ = 1 ----------------------------------------------------------------


def _reflectors(m: int, n: int) -> int:
    """Those that do something: one of length 1 is the identity."""
    return max(min(m - 1, n), 0)


def householder_qr(m: int, n: int) -> Cost:
    """Each column's norm, its reflector, and that applied to the columns behind: 2n²(m - n/3). Section 5.2.2.

    The norm is p squares, p - 1 additions and a root; the reflector v₁ = 1, p - 1 quotients, and τ = (β - α)/β.
    """
    steps = _reflectors(m, n)
    lengths = _falling(m, steps)
    applied = 2 * _falling_products(m, n - 1, steps) - _falling(n - 1, steps)
    return Cost(adds=lengths + applied, muls=lengths + applied, divs=lengths, specials=steps)


def reflected(m: int, reflectors: int, columns: int) -> Cost:
    """Columns of length m, each reflected: p - 1 products for vᵀx, one with τ, p - 1 for the multiple of v."""
    steps = _reflectors(m, reflectors)
    products = (2 * _falling(m, steps) - steps) * columns
    return Cost(adds=products, muls=products)


def _accumulated(m: int, n: int, reflectors: int) -> Cost:
    """The first n columns of Q, from the last reflector to the first. A column that is met first is e - τ·v."""
    steps = _reflectors(m, reflectors)
    products = 2 * _falling_products(m, n - 1, steps) - _falling(n - 1, steps)
    own = _falling(m, steps)
    return Cost(adds=products + steps, muls=products + own - steps)


@formula("aten.geqrf")
def geqrf(a: Tensor, *, out: Value) -> Cost:
    return in_field(householder_qr(*a.shape[-2:]) * batch(a), a)


@formula("aten.linalg_qr")
def qr(a: Tensor, mode: str = "reduced", *, out: Value) -> Cost:
    m, n = a.shape[-2:]
    rank = min(m, n)
    columns = {"r": 0, "reduced": rank, "complete": m}.get(mode)
    if columns is None:
        raise Uncovered(f"mode {mode!r}")
    q = _accumulated(m, columns, rank) if columns else NOTHING
    return in_field((householder_qr(m, n) + q) * batch(a), a)


@formula("aten.linalg_householder_product")
def householder_product(a: Tensor, tau: Tensor, *, out: Tensor) -> Cost:
    m, n = a.shape[-2:]
    return in_field(_accumulated(m, n, tau.shape[-1]) * batch(a), a)


@formula("aten.ormqr")
def ormqr(a: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False, *, out: Tensor) -> Cost:
    m = a.shape[-2]
    return in_field(reflected(m, tau.shape[-1], columns_of(out, m)), a)
