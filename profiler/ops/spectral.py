"""What do eigenvalues, singular values and exponentials of matrices cost? The methods are iterative.

How long they take depends on the values, so these are estimates, not counts: those of Golub and Van Loan, Matrix
Computations (4th edition), sections 7.5.6 (eigenvalues), 8.3.5 (those of symmetric matrices), 8.6.3 (singular values).
What is multiplied out of the factors afterwards is counted as the matrix products that it is.
"""

from __future__ import annotations

from profiler.ops.cost import NOTHING, Cost
from profiler.ops.elements import each, mac
from profiler.ops.linalg import batch, columns_of, householder_qr, in_field, reflected, substitution
from profiler.ops.registry import formula
from profiler.records.trace import Tensor, Value


def _half_each(operations: int) -> Cost:
    """Sums of products: as many multiplications as additions."""
    return Cost(adds=operations // 2, muls=operations - operations // 2)


def _symmetric_eigenvalues(n: int, vectors: bool) -> Cost:
    return _half_each(9 * n**3 if vectors else 4 * n**3 // 3)


def _svd(m: int, n: int, *, full: bool, vectors: bool = True) -> Cost:
    """Golub and Reinsch's method: the table of section 8.6.3, for m ≥ n."""
    m, n = max(m, n), min(m, n)
    if not vectors:
        return _half_each(4 * m * n**2 - 4 * n**3 // 3)
    return _half_each(4 * m**2 * n + 8 * m * n**2 + 9 * n**3 if full else 14 * m * n**2 + 8 * n**3)


@formula("aten._linalg_eigh")
def eigh(a: Tensor, uplo: str = "L", compute_v: bool = True, *, out: Value) -> Cost:
    """Tridiagonal form and the implicit QR method: 4n³/3, or 9n³ with eigenvectors."""
    return in_field(_symmetric_eigenvalues(a.shape[-1], compute_v) * batch(a), a)


@formula("aten._linalg_eigvals")
def eigenvalues(a: Tensor, *, out: Value) -> Cost:
    """Hessenberg form and Francis's QR method: 10n³."""
    return in_field(_half_each(10 * a.shape[-1] ** 3) * batch(a), a)


@formula("aten.linalg_eig")
def eigenvectors(a: Tensor, *, out: Value) -> Cost:
    """The same with the orthogonal factor accumulated, 25n³; the vectors of the triangle are small beside it."""
    return in_field(_half_each(25 * a.shape[-1] ** 3) * batch(a), a)


@formula("aten._linalg_svd")
def svd(
    a: Tensor, full_matrices: bool = False, compute_uv: bool = True, *, out: Value, driver: str | None = None
) -> Cost:
    return in_field(_svd(*a.shape[-2:], full=full_matrices, vectors=compute_uv) * batch(a), a)


@formula("aten.linalg_lstsq")
def least_squares(a: Tensor, b: Tensor, rcond: float | None = None, *, out: Value, driver: str | None = None) -> Cost:
    """By QR; of a wide matrix by that of its transpose. Section 5.3.3. The pivots of gelsy are not counted.

    With the drivers gelsd and gelss by singular values: section 5.5.
    """
    m, n = a.shape[-2:]
    columns = columns_of(b, m)
    if driver in ("gelsd", "gelss"):
        factors = _svd(m, n, full=False) * batch(a)
        rank = min(m, n)
        products = columns * rank * (m + n)
        return in_field(factors + Cost(adds=products, muls=products, divs=columns * rank), a)
    tall, wide = max(m, n), min(m, n)
    whole = householder_qr(tall, wide) * batch(a) + reflected(tall, wide, columns) + substitution(wide, columns)
    return in_field(whole, a) + _residuals(m - n, columns, out, a)


def _residuals(rows: int, columns: int, out: Value, like: Tensor) -> Cost:
    """The squares of what is left of the right-hand sides."""
    wanted = isinstance(out, tuple) and len(out) > 1 and isinstance(out[1], Tensor) and out[1].numel > 0
    if not wanted or rows <= 0:
        return NOTHING
    reals = 2 * rows if like.is_complex else rows
    return Cost(muls=reals, adds=reals - 1) * columns


@formula("aten.linalg_pinv.atol_rtol_tensor")
def pseudo_inverse(a: Tensor, *_: Value, out: Tensor, hermitian: bool = False, **__: Value) -> Cost:
    """V·Σ⁺·Uᵀ: the factors, quotients where a singular value is large enough, V scaled, and the product."""
    m, n = a.shape[-2:]
    rank = min(m, n)
    factors = _symmetric_eigenvalues(n, vectors=True) if hermitian else _svd(m, n, full=False)
    scaled = Cost(muls=n * rank) + Cost(divs=rank, comparisons=rank)
    return in_field((factors + scaled) * batch(a), a) + Cost(macs=mac("B n r m", batch(a), n, rank, m, of=a))


@formula("aten.linalg_polar")
def polar(a: Tensor, *, out: Value) -> Cost:
    """A = W·Σ·Vᵀ, of which U = W·Vᵀ and H = V·Σ·Vᵀ. Higham, Functions of Matrices, section 8.1."""
    m, n = a.shape[-2:]
    rank, matrices = min(m, n), batch(a)
    macs = mac("B m r n", matrices, m, rank, n, of=a) + mac("B n r n", matrices, n, rank, n, of=a)
    return Cost(macs=macs) + in_field((_svd(m, n, full=False) + Cost(muls=n * rank)) * matrices, a)


@formula("aten.linalg_matrix_sqrth")
def matrix_sqrth(a: Tensor, *, out: Tensor) -> Cost:
    """V·√Λ·Vᵀ of a symmetric matrix. Higham, Functions of Matrices, section 1.2."""
    n, matrices = a.shape[-1], batch(a)
    roots = _symmetric_eigenvalues(n, vectors=True) + Cost(specials=n, muls=n**2)
    return Cost(macs=mac("B n n n", matrices, n, n, n, of=a)) + in_field(roots * matrices, a)


@formula("aten.linalg_matrix_exp")
def matrix_exp(a: Tensor, *, out: Tensor) -> Cost:
    """The Taylor polynomial of degree 18 in 5 products: A², A³, A⁶, and two of sums of these.

    https://www.mdpi.com/2227-7390/7/12/1174, section 3.1, as ATen has it: five sums of five matrices, three added.
    Matrices of a norm above 1 are scaled and squared besides, one product for each doubling: it depends on the values.
    """
    n, matrices = a.shape[-1], batch(a)
    macs = mac("5 B n n n", 5, matrices, n, n, n, of=a)
    return Cost(macs=macs) + each(Cost(muls=5 * 5, adds=5 * 4 + 3), a)


@formula("aten._compute_linear_combination")
def linear_combination(x: Tensor, coefficients: Tensor, *, out: Tensor) -> Cost:
    """Each result is the sum of all parts, times their coefficients."""
    parts = coefficients.shape[-1]
    return each(Cost(muls=parts, adds=max(parts - 1, 0)), out)
