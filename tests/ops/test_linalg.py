"""Textbook algorithms that count their own operations say what the formulas must; and torch that they are right."""

import pytest
import torch
from formula_rows import c, f, i
from textbook import (
    accumulated,
    backward,
    cholesky,
    cholesky_inverse,
    counting,
    floats,
    forward,
    householder_qr,
    inverse_of,
    ldl,
    lu,
    numbers,
    reflected,
    transposed,
)

from profiler.ops import Cost, cost
from profiler.records.trace import Signature, Tensor

KINDS = ("adds", "muls", "divs", "specials", "comparisons")
SIZES = range(1, 9)
SHAPES = [(m, n) for m in range(1, 7) for n in range(1, 7)]
TAUS = i(0)  # stands for what a formula does not look at


def priced(op: str, *args, out: object, **kwargs) -> Cost:
    found = cost(Signature(f"aten.{op}.default", args, tuple(kwargs.items()), out))
    assert found is not None
    return found


def counts(price: Cost) -> dict[str, int]:
    return {kind: getattr(price, kind) for kind in KINDS if getattr(price, kind)}


def done_by(algorithm, *args) -> tuple[object, dict[str, int]]:
    with counting() as done:
        result = algorithm(*args)
        return result, {kind: done[kind] for kind in KINDS if done[kind]}


def example(m: int, n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(m * 100 + n)
    return torch.rand(m, n, generator=generator, dtype=torch.float64) - 0.3


def positive(n: int) -> torch.Tensor:
    a = example(n, n)
    return a @ a.mT + torch.eye(n, dtype=torch.float64)


def close(matrix, expected: torch.Tensor) -> None:
    torch.testing.assert_close(torch.tensor(floats(matrix), dtype=torch.float64), expected)


@pytest.mark.parametrize("n", SIZES)
def test_cholesky(n) -> None:
    low, done = done_by(cholesky, numbers(positive(n)))
    close(low, torch.linalg.cholesky(positive(n)))
    assert counts(priced("linalg_cholesky_ex", f(n, n), out=(f(n, n), i()))) == done


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_solve(n) -> None:
    low = numbers(torch.linalg.cholesky(positive(n)))
    b = numbers([[1.0] * n] * 2)
    found, done = done_by(lambda: [backward(transposed(low), forward(low, x, unit=False)) for x in b])
    close(found, torch.linalg.solve(positive(n), torch.ones(n, 2, dtype=torch.float64)).mT)
    assert counts(priced("cholesky_solve", f(n, 2), f(n, n), out=f(n, 2))) == done


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_inverse(n) -> None:
    found, done = done_by(cholesky_inverse, numbers(torch.linalg.cholesky(positive(n))))
    close(found, torch.linalg.inv(positive(n)))
    assert counts(priced("cholesky_inverse", f(n, n), out=f(n, n))) == done


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_lu(m, n) -> None:
    (factors, order), done = done_by(lu, numbers(example(m, n)))
    both = torch.tensor(floats(factors), dtype=torch.float64)
    rank = min(m, n)
    low = both[:, :rank].tril(-1) + torch.eye(m, rank, dtype=torch.float64)
    torch.testing.assert_close(low @ both[:rank].triu(), example(m, n)[order])
    assert counts(priced("linalg_lu_factor_ex", f(m, n), out=(f(m, n), i(rank), i()))) == done
    without = priced("linalg_lu_factor_ex", f(m, n), out=(f(m, n), i(rank), i()), pivot=False)
    assert counts(without) == {kind: count for kind, count in done.items() if kind != "comparisons"}


@pytest.mark.parametrize("n", SIZES)
def test_solve(n) -> None:
    a, b = example(n, n) + 2 * torch.eye(n, dtype=torch.float64), example(n, 3)

    def by_hand():
        factors, order = lu(numbers(a))
        columns = transposed(numbers(b[order]))
        return [backward(factors, forward(factors, x, unit=True)) for x in columns]

    found, done = done_by(by_hand)
    close(found, torch.linalg.solve(a, b).mT)
    out = f(n, 3), f(n, n), i(n), i()
    assert counts(priced("_linalg_solve_ex", f(n, n), f(n, 3), out=out)) == done
    solved = counts(priced("linalg_lu_solve", f(n, n), i(n), f(n, 3), out=f(n, 3)))
    factored = counts(priced("linalg_lu_factor_ex", f(n, n), out=(f(n, n), i(n), i())))
    assert {kind: solved.get(kind, 0) + factored.get(kind, 0) for kind in done} == done


@pytest.mark.parametrize("n", SIZES)
def test_inverse(n) -> None:
    a = example(n, n) + 2 * torch.eye(n, dtype=torch.float64)
    found, done = done_by(inverse_of, numbers(a))
    close(found, torch.linalg.inv(a))
    assert counts(priced("linalg_inv_ex", f(n, n), out=(f(n, n), i()))) == done


@pytest.mark.parametrize("n", SIZES)
def test_ldl(n) -> None:
    """The pivots of ours are searched, which takes comparisons."""
    (low, d), done = done_by(ldl, numbers(positive(n)))
    low = torch.tensor(floats(low), dtype=torch.float64)
    torch.testing.assert_close(low @ torch.diag(torch.tensor([x.value for x in d])).double() @ low.mT, positive(n))
    found = counts(priced("linalg_ldl_factor_ex", f(n, n), out=(f(n, n), i(n), i())))
    assert found.pop("comparisons", 0) == n * (n - 1)
    assert found == done


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_qr(m, n) -> None:
    (r, reflectors), factored = done_by(householder_qr, numbers(example(m, n)))
    rank = min(m, n)
    assert counts(priced("geqrf", f(m, n), out=(f(m, n), f(rank)))) == factored
    assert counts(priced("linalg_qr", f(m, n), "r", out=(f(0), f(rank, n)))) == factored
    for mode, columns in (("reduced", rank), ("complete", m)):
        q, made = done_by(accumulated, reflectors, m, columns)
        q = torch.tensor(floats(q), dtype=torch.float64)
        torch.testing.assert_close(q @ torch.tensor(floats(r), dtype=torch.float64)[:columns], example(m, n))
        torch.testing.assert_close(q.mT @ q, torch.eye(columns, dtype=torch.float64))
        found = counts(priced("linalg_qr", f(m, n), mode, out=(f(m, columns), f(columns, n))))
        both = {kind: factored.get(kind, 0) + made.get(kind, 0) for kind in {*factored, *made}}
        assert found == both


@pytest.mark.parametrize(("m", "n"), [(m, n) for m, n in SHAPES if m >= n])
def test_products_with_reflectors(m, n) -> None:
    _, reflectors = householder_qr(numbers(example(m, n)))
    _q, made = done_by(accumulated, reflectors, m, n)
    assert counts(priced("linalg_householder_product", f(m, n), f(n), out=f(m, n))) == made
    turned, done = done_by(reflected, reflectors, numbers(example(4, m)))
    whole = torch.tensor(floats(accumulated(reflectors, m, m)), dtype=torch.float64)
    close(turned, example(4, m) @ whole)
    assert counts(priced("ormqr", f(m, n), f(n), f(m, 4), True, True, out=f(m, 4))) == done


@pytest.mark.parametrize(("m", "n"), [(m, n) for m, n in SHAPES if m >= n])
def test_least_squares(m, n) -> None:
    a, b = example(m, n), example(m, 2)

    def by_hand():
        r, reflectors = householder_qr(numbers(a))
        columns = reflected(reflectors, transposed(numbers(b)))
        return [backward(r[:n], x[:n]) for x in columns]

    found, done = done_by(by_hand)
    close(found, torch.linalg.lstsq(a, b).solution.mT)
    assert counts(priced("linalg_lstsq", f(m, n), f(m, 2), out=(f(n, 2), f(0), i(), f(0)))) == done


# Leading terms: what the textbooks print, in operations of n³.
PRINTED = {
    "linalg_cholesky_ex": 1 / 3,
    "linalg_lu_factor_ex": 2 / 3,
    "linalg_inv_ex": 2,
    "geqrf": 2 - 2 / 3,
    "_linalg_eigvals": 10,
    "linalg_eig": 25,
    "_linalg_eigh": 9,
    "_linalg_svd": 14 + 8,
    "linalg_ldl_factor_ex": 1 / 3,
    "cholesky_inverse": 2 / 3,
}


@pytest.mark.parametrize("op", PRINTED)
def test_the_leading_term_is_that_of_the_textbook(op) -> None:
    n = 10**4
    price = priced(op, f(n, n), out=(f(n, n), f(n)))
    assert (price.adds + price.muls + price.divs) / n**3 == pytest.approx(PRINTED[op], rel=1e-3)


@pytest.mark.parametrize("op", [*PRINTED, "_linalg_det", "_linalg_slogdet", "linalg_matrix_exp", "linalg_qr"])
def test_a_batch_costs_its_matrices(op) -> None:
    one, many = (priced(op, f(*batch, 5, 5), out=f(*batch, 5, 5)) for batch in ((), (2, 3)))
    assert counts(many) == {kind: 6 * count for kind, count in counts(one).items()}
    assert many.macs == 6 * one.macs


@pytest.mark.parametrize("op", [*PRINTED, "_linalg_det", "linalg_matrix_exp", "linalg_qr"])
def test_a_complex_product_is_four_real_ones(op) -> None:
    real, complex_ = (priced(op, kind(5, 5), out=kind(5, 5)) for kind in (f, c))
    assert complex_.muls == 4 * real.muls + 6 * real.divs
    assert complex_.macs == 4 * real.macs
    assert complex_.specials == real.specials


@pytest.mark.parametrize("op", [*PRINTED, "_linalg_det", "_linalg_slogdet", "linalg_matrix_exp", "linalg_qr"])
@pytest.mark.parametrize("shape", [(0, 0), (3, 0, 0)])
def test_an_empty_matrix_costs_nothing(op, shape) -> None:
    nothing = Tensor(shape, "float64")
    assert not counts(priced(op, nothing, out=nothing))
