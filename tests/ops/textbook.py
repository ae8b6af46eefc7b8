"""Textbook algorithms of linear algebra over numbers that count what is done with them.

A matrix is a list of rows. Nothing here is fast, and nothing knows a formula: these are witnesses.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from math import sqrt

done: Counter[str] = Counter()


class Number:
    """A float whose operations are counted. A change of sign is none."""

    def __init__(self, value: float) -> None:
        self.value = value

    def _with(self, kind: str, value: float) -> Number:
        done[kind] += 1
        return Number(value)

    def __add__(self, other: Number) -> Number:
        return self._with("adds", self.value + other.value)

    def __sub__(self, other: Number) -> Number:
        return self._with("adds", self.value - other.value)

    def __mul__(self, other: Number) -> Number:
        return self._with("muls", self.value * other.value)

    def __truediv__(self, other: Number) -> Number:
        return self._with("divs", self.value / other.value)

    def __neg__(self) -> Number:
        return Number(-self.value)

    def root(self) -> Number:
        return self._with("specials", sqrt(self.value))

    def outweighs(self, other: Number) -> bool:
        done["comparisons"] += 1
        return abs(self.value) > abs(other.value)


Matrix = list[list[Number]]


@contextmanager
def counting():
    done.clear()
    yield done


def numbers(rows) -> Matrix:
    return [[Number(float(x)) for x in row] for row in rows]


def floats(matrix: Matrix) -> list[list[float]]:
    return [[x.value for x in row] for row in matrix]


def identity(n: int, m: int | None = None) -> Matrix:
    return numbers([[float(i == j) for j in range(m or n)] for i in range(n)])


def total(terms: list[Number]) -> Number:
    """f - 1 additions."""
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def cholesky(a: Matrix) -> Matrix:
    """By columns: Golub and Van Loan, algorithm 4.2.1."""
    n = len(a)
    low = numbers([[0.0] * n] * n)
    for j in range(n):
        column = [a[i][j] for i in range(n)]
        for k in range(j):
            for i in range(j, n):
                column[i] = column[i] - low[i][k] * low[j][k]
        low[j][j] = column[j].root()
        for i in range(j + 1, n):
            low[i][j] = column[i] / low[j][j]
    return low


def ldl(a: Matrix) -> tuple[Matrix, list[Number]]:
    """Algorithm 4.1.2, which does not pivot."""
    n = len(a)
    low, d = identity(n), []
    for j in range(n):
        v = [low[j][k] * d[k] for k in range(j)]
        pivot = a[j][j]
        for k in range(j):
            pivot = pivot - low[j][k] * v[k]
        d.append(pivot)
        for i in range(j + 1, n):
            rest = a[i][j]
            for k in range(j):
                rest = rest - low[i][k] * v[k]
            low[i][j] = rest / pivot
    return low, d


def lu(a: Matrix) -> tuple[Matrix, list[int]]:
    """Outer products with the largest of each column for pivot: algorithm 3.4.1. Both factors in one matrix."""
    m, n = len(a), len(a[0])
    a, order = [row[:] for row in a], list(range(m))
    for k in range(min(m, n)):
        largest = k
        for i in range(k + 1, m):
            if a[i][k].outweighs(a[largest][k]):
                largest = i
        a[k], a[largest] = a[largest], a[k]
        order[k], order[largest] = order[largest], order[k]
        for i in range(k + 1, m):
            a[i][k] = a[i][k] / a[k][k]
            for j in range(k + 1, n):
                a[i][j] = a[i][j] - a[i][k] * a[k][j]
    return a, order


def forward(low: Matrix, b: list[Number], unit: bool) -> list[Number]:
    x: list[Number] = []
    for i, right in enumerate(b):
        rest = right
        for j in range(i):
            rest = rest - low[i][j] * x[j]
        x.append(rest if unit else rest / low[i][i])
    return x


def backward(up: Matrix, b: list[Number], unit: bool = False) -> list[Number]:
    turned = [row[::-1] for row in up[::-1]]
    return forward(turned, b[::-1], unit)[::-1]


def transposed(a: Matrix) -> Matrix:
    return [list(column) for column in zip(*a, strict=True)]


def upper_inverse(up: Matrix) -> Matrix:
    """Column by column, as LAPACK's xTRTI2: its inverse so far times the column above the diagonal, times 1/u."""
    n = len(up)
    inverse = numbers([[0.0] * n] * n)
    for j in range(n):
        inverse[j][j] = Number(1.0) / up[j][j]
        for i in range(j):
            above = total([inverse[i][k] * up[k][j] for k in range(i, j)])
            inverse[i][j] = above * -inverse[j][j]
    return inverse


def inverse_of(a: Matrix) -> Matrix:
    """As LAPACK's xGETRI: X·L = U⁻¹, from the last column."""
    factors, order = lu(a)
    x = upper_inverse(factors)
    n = len(a)
    for j in reversed(range(n)):
        for k in range(j + 1, n):
            for i in range(n):
                x[i][j] = x[i][j] - x[i][k] * factors[k][j]
    result: Matrix = [[Number(0.0)] * n for _ in range(n)]
    for place, row in enumerate(order):
        for i in range(n):
            result[i][row] = x[i][place]
    return result


def cholesky_inverse(low: Matrix) -> Matrix:
    """L⁻ᵀ·L⁻¹, of which one half is computed."""
    n = len(low)
    u = upper_inverse(transposed(low))
    result: Matrix = [[Number(0.0)] * n for _ in range(n)]
    for i in range(n):
        for j in range(i, n):
            result[i][j] = result[j][i] = total([u[i][k] * u[j][k] for k in range(j, n)])
    return result


def reflector(x: list[Number]) -> tuple[list[Number], Number, Number]:
    """v with v₁ = 1, τ and β, such that x - τ·v·(vᵀx) is (β, 0, …). Algorithm 5.1.1 as LAPACK's xLARFG scales it."""
    norm = total([e * e for e in x]).root()
    beta = norm if x[0].value < 0 else -norm
    difference = x[0] - beta
    v = [Number(1.0), *(e / difference for e in x[1:])]
    return v, -(difference / beta), beta


def reflect(v: list[Number], tau: Number, column: list[Number]) -> list[Number]:
    product = total([column[0], *(a * b for a, b in zip(v[1:], column[1:], strict=True))])
    scaled = tau * product
    return [column[0] - scaled, *(c - scaled * e for c, e in zip(column[1:], v[1:], strict=True))]


def householder_qr(a: Matrix) -> tuple[Matrix, list[tuple[list[Number], Number]]]:
    """R, and the reflectors that led to it: algorithm 5.2.1. One of a single number does nothing, and is left out."""
    columns, m = transposed(a), len(a)
    reflectors = []
    for k in range(min(m - 1, len(columns))):
        v, tau, beta = reflector(columns[k][k:])
        reflectors.append((v, tau))
        columns[k][k:] = [beta, *[Number(0.0)] * (m - k - 1)]
        for j in range(k + 1, len(columns)):
            columns[j][k:] = reflect(v, tau, columns[j][k:])
    return transposed(columns), reflectors


def accumulated(reflectors: list[tuple[list[Number], Number]], m: int, n: int) -> Matrix:
    """The first n columns of Q, backwards: section 5.1.6. The column that a reflector meets first is a unit vector."""
    columns = transposed(identity(m, n))
    for k in reversed(range(len(reflectors))):
        v, tau = reflectors[k]
        columns[k][k:] = [Number(1.0) - tau, *(-(tau * e) for e in v[1:])]
        for j in range(k + 1, n):
            columns[j][k:] = reflect(v, tau, columns[j][k:])
    return transposed(columns)


def reflected(reflectors: list[tuple[list[Number], Number]], columns: Matrix) -> Matrix:
    """Qᵀ times columns, without making Q."""
    columns = [column[:] for column in columns]
    for k, (v, tau) in enumerate(reflectors):
        for column in columns:
            column[k:] = reflect(v, tau, column[k:])
    return columns
