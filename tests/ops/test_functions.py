"""Functions that models call beside torch.nn: every operator is known, in inference and in a training step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, distributions, linalg, nn

from profiler import profile

Function = Callable[[Tensor, Tensor], Tensor]


class Does(nn.Module):
    """A function of a positive definite matrix and a square one, both with gradients."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function
        self.lin = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.lin(x)
        return self.function(y @ y.mT + 3 * torch.eye(6), y)


FUNCTIONS: dict[str, Function] = {
    "cholesky_solve": lambda a, y: torch.cholesky_solve(y, linalg.cholesky(a)),
    "cholesky_inverse": lambda a, y: torch.cholesky_inverse(linalg.cholesky(a)),
    "solve": linalg.solve,
    "inv": lambda a, y: linalg.inv(a),
    "det": lambda a, y: linalg.det(a),
    "slogdet": lambda a, y: linalg.slogdet(a)[1],
    "logdet": lambda a, y: torch.logdet(a),
    "eigh": lambda a, y: linalg.eigh(a)[1],
    "eigvalsh": lambda a, y: linalg.eigvalsh(a),
    "eig": lambda a, y: linalg.eig(y)[0].abs(),
    "svd": lambda a, y: linalg.svd(y)[1],
    "svdvals": lambda a, y: linalg.svdvals(y),
    "qr": lambda a, y: linalg.qr(y)[0],
    "pinv": lambda a, y: linalg.pinv(y),
    "lstsq": lambda a, y: linalg.lstsq(a, y)[0],
    "lu": lambda a, y: linalg.lu(a)[1],
    "lu_solve": lambda a, y: linalg.lu_solve(*linalg.lu_factor(a), y),
    "ldl": lambda a, y: linalg.ldl_solve(*linalg.ldl_factor(a.detach()), y.detach()) + y,
    "matrix_exp": lambda a, y: linalg.matrix_exp(y),
    "matrix_power": lambda a, y: linalg.matrix_power(y, 5),
    "householder_product": lambda a, y: linalg.householder_product(y, y[0]),
    "ormqr": lambda a, y: torch.ormqr(y, y[0], y),
    "vander": lambda a, y: linalg.vander(y[0]),
    "nuclear norm": lambda a, y: linalg.matrix_norm(y, "nuc"),
    "spectral norm": lambda a, y: linalg.matrix_norm(y, 2),
    "cond": lambda a, y: linalg.cond(a),
    "rank": lambda a, y: linalg.matrix_rank(a) + y.sum(),
    "multi_dot": lambda a, y: linalg.multi_dot([a, y, y]),
    "tensorinv": lambda a, y: linalg.tensorinv(a.view(2, 3, 6), 2),
    "complex tanh": lambda a, y: torch.tanh(torch.complex(y, a)).abs(),
    "complex sigmoid": lambda a, y: torch.sigmoid(torch.complex(y, a)).real,
    "complex square root": lambda a, y: torch.sqrt(torch.complex(y, a)).angle(),
    "complex power": lambda a, y: torch.pow(torch.complex(y, a), torch.complex(a, y)).abs(),
    "polar": lambda a, y: torch.polar(a, y).imag,
    "segment_reduce": lambda a, y: torch.segment_reduce(y.flatten(), "max", lengths=torch.tensor([12, 24])),
    "index_reduce": lambda a, y: y.index_reduce(0, torch.zeros(6).long(), a, "mean"),
    "Dirichlet": lambda a, y: distributions.Dirichlet(y.exp()).rsample(),
    "Gamma": lambda a, y: distributions.Gamma(y.exp(), y.exp()).rsample(),
    "Beta": lambda a, y: distributions.Beta(y.exp(), y.exp()).rsample(),
    "normal density": lambda a, y: distributions.MultivariateNormal(y[0], a).log_prob(y),
    "normal sample": lambda a, y: distributions.MultivariateNormal(y[0], a).rsample(),
    "normal of low rank": lambda a, y: distributions.LowRankMultivariateNormal(y[0], y, y[0].exp()).log_prob(y),
    "histogram": lambda a, y: torch.histogram(y.detach(), 4)[0] + y.sum(),
    "repeated differences": lambda a, y: torch.diff(y, 2),
    "stft": lambda a, y: torch.stft(y.flatten(), 8, return_complex=True).abs(),
}


@pytest.mark.parametrize("train", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_operator_is_known(function: Function, train: bool) -> None:
    found = profile(Does(function), torch.eye(6) + 0.1, train=train)
    assert found.unknown_ops == {}
    assert found.totals.flops > 0


def test_packed_sequences_cost_their_own_pairs() -> None:
    """Two sequences of 64 and 32 tokens in 4 heads of 8: the lengths are a buffer's values, whichever these are."""
    varlen = pytest.importorskip("torch.nn.attention.varlen")

    class Packed(nn.Module):
        def __init__(self, *ends: int) -> None:
            super().__init__()
            self.register_buffer("ends", torch.tensor(ends, dtype=torch.int32))

        def forward(self, x: Tensor) -> Tensor:
            return varlen.varlen_attn(x, x, x, self.ends, self.ends, 96, 96)

    macs = [profile(Packed(*ends), "96x4x8:bfloat16").totals.macs for ends in ((0, 64, 96), (0, 96), (0, 64, 96))]
    assert macs == [2 * 4 * 8 * (64 * 64 + 32 * 32), 2 * 4 * 8 * 96 * 96, 2 * 4 * 8 * (64 * 64 + 32 * 32)]
