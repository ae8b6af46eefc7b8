"""Linear algebra: rows of 5 x 5, 2 x 5 x 5 and 7 x 4 matrices. The sums are those of the algorithms' steps.

test_linalg.py lets the algorithms themselves count.
"""

from formula_rows import c, f, i, row

# Of 5: the pairs and triples below the diagonal, and the products of Cholesky and LU, step by step.
PAIRS = 4 + 3 + 2 + 1
CHOLESKY = 4 * 1 + 3 * 2 + 2 * 3 + 1 * 4
LU = 4 * 4 + 3 * 3 + 2 * 2 + 1 * 1
TRIPLES = 6 + 3 + 1

# QR of 7 x 4: reflectors of length 7, 6, 5, 4, applied to 3, 2, 1, 0 columns behind them, 2p - 1 each.
LENGTHS = 7 + 6 + 5 + 4
APPLIED = 13 * 3 + 11 * 2 + 9 * 1

LINALG = [
    row(
        "aten.linalg_solve_triangular.default", f(2, 5, 5), f(2, 5, 3), kwargs={"upper": False}, out=f(2, 5, 3),
        muls=2 * 3 * PAIRS, adds=2 * 3 * PAIRS, divs=2 * 3 * 5,
    ),
    row(
        "aten.linalg_solve_triangular.default", f(5, 5), f(3, 5),
        kwargs={"upper": True, "left": False, "unitriangular": True}, out=f(3, 5), muls=3 * PAIRS, adds=3 * PAIRS,
    ),
    row(
        "aten.linalg_solve_triangular.default", c(5, 5), c(5, 1), kwargs={"upper": True}, out=c(5, 1),
        muls=4 * PAIRS + 6 * 5, adds=2 * PAIRS + 2 * PAIRS + 3 * 5, divs=2 * 5,
    ),
    row(
        "aten.triangular_solve.default", f(5, 3), f(5, 5), out=(f(5, 3), f(5, 5)),
        muls=3 * PAIRS, adds=3 * PAIRS, divs=3 * 5,
    ),
    row(
        "aten.linalg_cholesky_ex.default", f(2, 5, 5), out=(f(2, 5, 5), i(2)),
        muls=2 * CHOLESKY, adds=2 * CHOLESKY, divs=2 * PAIRS, specials=2 * 5,
    ),
    row(
        "aten.linalg_cholesky_ex.default", c(5, 5), out=(c(5, 5), i()),
        muls=4 * CHOLESKY + 6 * PAIRS, adds=2 * 2 * CHOLESKY + 3 * PAIRS, divs=2 * PAIRS, specials=5,
    ),
    row(
        "aten.cholesky_solve.default", f(5, 3), f(5, 5), out=f(5, 3),
        muls=3 * 2 * PAIRS, adds=3 * 2 * PAIRS, divs=3 * 2 * 5,
    ),
    row(
        "aten.cholesky_inverse.default", f(5, 5), out=f(5, 5),
        muls=(TRIPLES + 2 * PAIRS) + (5 * 1 + 4 * 2 + 3 * 3 + 2 * 4 + 1 * 5), adds=TRIPLES + CHOLESKY, divs=5,
    ),
    row(
        "aten.linalg_lu_factor_ex.default", f(5, 5), out=(f(5, 5), i(5), i()),
        muls=LU, adds=LU, divs=PAIRS, comparisons=PAIRS,
    ),
    row(
        "aten.linalg_lu.default", f(7, 4), kwargs={"pivot": False}, out=(f(0), f(7, 4), f(4, 4)),
        muls=6 * 3 + 5 * 2 + 4 * 1, adds=6 * 3 + 5 * 2 + 4 * 1, divs=6 + 5 + 4 + 3,
    ),
    row(
        "aten.linalg_lu_solve.default", f(5, 5), i(5), f(5, 3), out=f(5, 3),
        muls=3 * 2 * PAIRS, adds=3 * 2 * PAIRS, divs=3 * 5,
    ),
    row("aten.lu_unpack.default", f(5, 5), i(5), out=(f(5, 5), f(5, 5), f(5, 5))),
    # one right-hand side, a vector
    row(
        "aten._linalg_solve_ex.default", f(5, 5), f(5), out=(f(5), f(5, 5), i(5), i()),
        muls=LU + 2 * PAIRS, adds=LU + 2 * PAIRS, divs=PAIRS + 5, comparisons=PAIRS,
    ),
    row(
        "aten._linalg_solve_ex.default", f(2, 5, 5), f(2, 5, 3), out=(f(2, 5, 3), f(2, 5, 5), i(2, 5), i(2)),
        muls=2 * (LU + 3 * 2 * PAIRS), adds=2 * (LU + 3 * 2 * PAIRS), divs=2 * (PAIRS + 3 * 5), comparisons=2 * PAIRS,
    ),
    row(
        "aten.linalg_inv_ex.default", f(5, 5), out=(f(5, 5), i()),
        muls=LU + (TRIPLES + 2 * PAIRS) + 5 * PAIRS, adds=LU + TRIPLES + 5 * PAIRS, divs=PAIRS + 5, comparisons=PAIRS,
    ),
    row(
        "aten._linalg_det.default", f(2, 5, 5), out=(f(2), f(2, 5, 5), i(2, 5)),
        muls=2 * (LU + 4), adds=2 * LU, divs=2 * PAIRS, comparisons=2 * PAIRS,
    ),
    row(
        "aten._linalg_slogdet.default", f(5, 5), out=(f(), f(), f(5, 5), i(5)),
        muls=LU, adds=LU + 4, divs=PAIRS, specials=5, comparisons=PAIRS + 2 * 5,
    ),
    # of each pivot its magnitude, the quotient by it and the logarithm; four products of these
    row(
        "aten._linalg_slogdet.default", c(5, 5), out=(c(), f(), c(5, 5), i(5)),
        muls=4 * LU + 6 * PAIRS + 2 * 5 + 4 * 4, adds=4 * LU + 3 * PAIRS + 5 + 2 * 4 + 4, divs=2 * PAIRS + 2 * 5,
        specials=2 * 5, comparisons=PAIRS,
    ),
    row(
        "aten.linalg_ldl_factor_ex.default", f(5, 5), out=(f(5, 5), i(5), i()),
        muls=CHOLESKY + PAIRS, adds=CHOLESKY, divs=PAIRS, comparisons=2 * PAIRS,
    ),
    row(
        "aten.linalg_ldl_solve.default", f(5, 5), i(5), f(5, 3), out=f(5, 3),
        muls=3 * 2 * PAIRS, adds=3 * 2 * PAIRS, divs=3 * 5,
    ),
    row(
        "aten.geqrf.default", f(2, 7, 4), out=(f(2, 7, 4), f(2, 4)),
        muls=2 * (LENGTHS + APPLIED), adds=2 * (LENGTHS + APPLIED), divs=2 * LENGTHS, specials=2 * 4,
    ),
    row(
        "aten.linalg_qr.default", f(7, 4), out=(f(7, 4), f(4, 4)),
        muls=(LENGTHS + APPLIED) + (APPLIED + LENGTHS - 4), adds=(LENGTHS + APPLIED) + (APPLIED + 4),
        divs=LENGTHS, specials=4,
    ),
    row(
        "aten.linalg_qr.default", f(7, 4), "r", out=(f(0), f(4, 4)),
        muls=LENGTHS + APPLIED, adds=LENGTHS + APPLIED, divs=LENGTHS, specials=4,
    ),
    row(
        "aten.linalg_householder_product.default", f(7, 4), f(4), out=f(7, 4),
        muls=APPLIED + LENGTHS - 4, adds=APPLIED + 4,
    ),
    row(
        "aten.ormqr.default", f(7, 4), f(4), f(7, 3), out=f(7, 3),
        muls=3 * (13 + 11 + 9 + 7), adds=3 * (13 + 11 + 9 + 7),
    ),
    row(
        "aten.linalg_lstsq.default", f(7, 4), f(7, 2), out=(f(4, 2), f(0), i(), f(0)),
        muls=(LENGTHS + APPLIED) + 2 * (13 + 11 + 9 + 7) + 2 * (3 + 2 + 1),
        adds=(LENGTHS + APPLIED) + 2 * (13 + 11 + 9 + 7) + 2 * (3 + 2 + 1), divs=LENGTHS + 2 * 4, specials=4,
    ),
    # with the squares of the three rows that are left
    row(
        "aten.linalg_lstsq.default", f(7, 4), f(7, 2), kwargs={"driver": "gels"}, out=(f(4, 2), f(2), i(), f(0)),
        muls=(LENGTHS + APPLIED) + 2 * (13 + 11 + 9 + 7) + 2 * (3 + 2 + 1) + 2 * 3,
        adds=(LENGTHS + APPLIED) + 2 * (13 + 11 + 9 + 7) + 2 * (3 + 2 + 1) + 2 * 2, divs=LENGTHS + 2 * 4, specials=4,
    ),
    row(
        "aten.linalg_lstsq.default", f(7, 4), f(7, 2), kwargs={"driver": "gelsd"}, out=(f(4, 2), f(0), i(), f(4)),
        muls=7 * 7 * 4 * 4 + 4 * 4**3 + 2 * 4 * (7 + 4), adds=7 * 7 * 4 * 4 + 4 * 4**3 + 2 * 4 * (7 + 4), divs=2 * 4,
    ),
    row("aten._linalg_eigh.default", f(6, 6), "L", False, out=(f(6), f(0)), muls=4 * 72 // 2, adds=4 * 72 // 2),
    row("aten._linalg_eigh.default", f(2, 6, 6), out=(f(2, 6), f(2, 6, 6)), muls=9 * 6**3, adds=9 * 6**3),
    row("aten._linalg_eigvals.default", f(6, 6), out=c(6), muls=5 * 6**3, adds=5 * 6**3),
    row("aten.linalg_eig.default", f(6, 6), out=(c(6), c(6, 6)), muls=25 * 6**3 // 2, adds=25 * 6**3 // 2),
    row("aten.linalg_eig.default", c(6, 6), out=(c(6), c(6, 6)), muls=4 * 2700, adds=2 * 2700 + 2 * 2700),
    row(
        "aten._linalg_svd.default", f(9, 6), out=(f(9, 6), f(6), f(6, 6)),
        muls=7 * 9 * 36 + 4 * 6**3, adds=7 * 9 * 36 + 4 * 6**3,
    ),
    row(
        "aten._linalg_svd.default", f(6, 9), True, out=(f(6, 6), f(6), f(9, 9)),
        muls=2 * 81 * 6 + 4 * 9 * 36 + 9 * 6**3 // 2, adds=2 * 81 * 6 + 4 * 9 * 36 + 9 * 6**3 // 2,
    ),
    row(
        "aten._linalg_svd.default", f(9, 6), False, False, out=(f(0), f(6), f(0)),
        muls=2 * 9 * 36 - 2 * 72, adds=2 * 9 * 36 - 2 * 72,
    ),
    row(
        "aten.linalg_pinv.atol_rtol_tensor", f(9, 6), out=f(6, 9),
        macs=6 * 6 * 9, muls=7 * 9 * 36 + 4 * 6**3 + 6 * 6, adds=7 * 9 * 36 + 4 * 6**3, divs=6, comparisons=6,
    ),
    row(
        "aten.linalg_pinv.atol_rtol_tensor", f(6, 6), kwargs={"hermitian": True}, out=f(6, 6),
        macs=6 * 6 * 6, muls=9 * 6**3 // 2 + 6 * 6, adds=9 * 6**3 // 2, divs=6, comparisons=6,
    ),
    row(
        "aten.linalg_polar.default", f(9, 6), out=(f(9, 6), f(6, 6)),
        macs=9 * 6 * 6 + 6 * 6 * 6, muls=7 * 9 * 36 + 4 * 6**3 + 6 * 6, adds=7 * 9 * 36 + 4 * 6**3,
    ),
    row(
        "aten.linalg_matrix_sqrth.default", f(6, 6), out=f(6, 6),
        macs=6 * 6 * 6, muls=9 * 6**3 // 2 + 6 * 6, adds=9 * 6**3 // 2, specials=6,
    ),
    row(
        "aten.linalg_matrix_exp.default", f(2, 6, 6), out=f(2, 6, 6),
        macs=5 * 2 * 6 * 6 * 6, muls=2 * 25 * 36, adds=2 * (20 + 3) * 36,
    ),
    row(
        "aten._compute_linear_combination.default", f(5, 3, 3), f(2, 5), out=f(2, 3, 3), muls=2 * 5 * 9, adds=2 * 4 * 9
    ),
]  # fmt: skip
