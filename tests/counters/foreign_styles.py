"""Small models in the styles of other people's code: names imported alone, functions kept, and what libraries do.

Each is a function of the module and its input, 2 x 6 x 8 unless it says otherwise. The module has a linear layer of 8
features, a convolution, and functions in the places where models keep them.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, einsum, matmul, nn
from torch.nn import functional
from torch.nn.functional import gelu, layer_norm, relu, scaled_dot_product_attention, softmax

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}
Function = Callable[["Styled", Tensor], Any]


class Styled(nn.Module):
    """A model that does what its function says."""

    shared_act = staticmethod(F.relu)

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function
        self.lin = nn.Linear(8, 8)
        self.conv = nn.Conv1d(6, 6, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.scale = nn.Parameter(torch.ones(8))
        self.act, self.gelu = F.relu, F.gelu
        self.soft = functools.partial(F.softmax, dim=-1)
        self.acts = [F.relu, torch.sigmoid]

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)

    def with_default(self, x: Tensor, act: Callable[..., Tensor] = F.gelu) -> Tensor:
        return act(x)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return F.relu(x) * 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad * 2


@dataclass(frozen=True, slots=True)
class Style:
    """A model; `by` makes it where it is not a plain `Styled`."""

    function: Function | None = None
    by: Callable[[], nn.Module] | None = None
    shape: str = "2x6x8"

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        if self.by is not None:
            return self.by().eval()
        assert self.function is not None
        return Styled(self.function).eval()


def heads(x: Tensor) -> Tensor:
    """2 x 6 x 8 as 2 x 4 x 6 x 2."""
    return x.view(2, 6, 4, 2).transpose(1, 2)


def attended(m: Styled, x: Tensor, soft: Callable[[Tensor], Tensor]) -> Tensor:
    q = heads(m.lin(x))
    return soft(q @ q.transpose(-2, -1) / math.sqrt(2)) @ q


def linear_attention(m: Styled, x: Tensor) -> Tensor:
    q, k = m.lin(x).softmax(-1), m.lin(x).softmax(-2)
    return einsum("b n d, b d e -> b n e", q, einsum("b n d, b n e -> b d e", k, x))


def rotary(m: Styled, x: Tensor) -> Tensor:
    angles = einsum("i, j -> i j", torch.arange(6.0), torch.ones(4))
    cos, sin = angles.cos(), angles.sin()
    first, second = m.lin(x).chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def rms(m: Styled, x: Tensor) -> Tensor:
    return F.normalize(m.lin(x), dim=-1) * x.shape[-1] ** 0.5 * m.scale


def by_blocks(m: Styled, x: Tensor) -> Tensor:
    for block in (m.lin, m.norm, m.act):
        x = block(x) + x
    return x


def fourier(m: Styled, x: Tensor) -> Tensor:
    return torch.fft.irfft(torch.fft.rfft(m.lin(x), dim=1), n=6, dim=1)


def complex_product(m: Styled, x: Tensor) -> Tensor:
    z = torch.view_as_complex(m.lin(x).reshape(2, 6, 4, 2).contiguous())
    return torch.view_as_real(z @ z.mT)


def residual_gate(m: Styled, x: Tensor) -> Tensor:
    value, gate = m.lin(x).chunk(2, dim=-1)
    return value * F.gelu(gate)


def experts(m: Styled, x: Tensor) -> Tensor:
    weights = m.lin(x).softmax(-1)
    return sum(weights[..., i : i + 1] * m.lin(x) for i in range(3))


def imported_inside(m: Styled, x: Tensor) -> Tensor:
    from torch.nn.functional import silu

    return silu(m.lin(x))


def reversible(m: Styled, x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    a = a + m.lin(b)
    return torch.cat([a, b + m.lin(a)], dim=1)


def weight_normed() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), nn.ReLU())


def spectral_normed() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8)), nn.LeakyReLU(0.2))


def old_weight_normed() -> nn.Module:
    return nn.Sequential(nn.utils.weight_norm(nn.Conv1d(6, 6, 3)), nn.Tanh())


def separable() -> nn.Module:
    return nn.Sequential(nn.Conv1d(6, 6, 3, groups=6, padding=1), nn.Conv1d(6, 12, 1), nn.BatchNorm1d(12), nn.SiLU())


def encoder() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")


def encoder_of_a_function() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation=F.silu)


class Recurrent(nn.Module):
    def __init__(self, kind: str, **settings: Any) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(8, 5, batch_first=True, **settings)
        self.head = nn.Linear(5 * (1 + bool(settings.get("bidirectional"))), 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


STYLES: dict[str, Style] = {
    # names that were imported alone
    "einsum": Style(lambda m, x: einsum("b i d, b j d -> b i j", m.lin(x), x)),
    "torch.einsum": Style(lambda m, x: torch.einsum("b i d, b j d -> b i j", m.lin(x), x)),
    "torch.functional.einsum": Style(lambda m, x: torch.functional.einsum("b i d, b j d -> b i j", m.lin(x), x)),
    "einsum over an axis of one": Style(lambda m, x: einsum("b i d, b i e -> b d e", m.lin(x[:, :1]), x[:, :1])),
    "einsum over an axis of one and a batch": Style(
        lambda m, x: einsum("l b n d, b n l -> b n d", m.lin(x)[None], x[..., :1])
    ),
    "matmul": Style(lambda m, x: matmul(m.lin(x), x.mT)),
    "torch.matmul": Style(lambda m, x: torch.matmul(m.lin(x), x.mT)),
    "x.matmul": Style(lambda m, x: m.lin(x).matmul(x.mT)),
    "x @ y": Style(lambda m, x: m.lin(x) @ x.mT),
    "operator.matmul": Style(lambda m, x: operator.matmul(m.lin(x), x.mT)),
    "torch.linalg.matmul": Style(lambda m, x: torch.linalg.matmul(m.lin(x), x.mT)),
    "relu": Style(lambda m, x: relu(m.lin(x))),
    "gelu": Style(lambda m, x: gelu(m.lin(x))),
    "softmax": Style(lambda m, x: softmax(m.lin(x), -1)),
    "layer_norm": Style(lambda m, x: layer_norm(m.lin(x), (8,))),
    "imported inside": Style(imported_inside),
    "functional.silu": Style(lambda m, x: functional.silu(m.lin(x))),
    "nn.functional.relu": Style(lambda m, x: nn.functional.relu(m.lin(x))),
    # functions that were kept
    "an attribute": Style(lambda m, x: m.act(m.lin(x))),
    "an attribute of its own name": Style(lambda m, x: m.gelu(m.lin(x))),
    "a partial": Style(lambda m, x: m.soft(m.lin(x))),
    "a list": Style(lambda m, x: m.acts[0](m.lin(x))),
    "a list of builtins": Style(lambda m, x: m.acts[1](m.lin(x))),
    "a dictionary": Style(lambda m, x: ACTIVATIONS["silu"](m.lin(x))),
    "a dictionary by get": Style(lambda m, x: functools.reduce(lambda y, _: m.act(y), range(2), m.lin(x))),
    "a default": Style(lambda m, x: m.with_default(m.lin(x))),
    "a class attribute": Style(lambda m, x: m.shared_act(m.lin(x))),
    "by its name": Style(lambda m, x: getattr(F, "relu")(m.lin(x))),  # noqa: B009
    "a loop over layers and functions": Style(by_blocks),
    # sums and signs
    "a + b": Style(lambda m, x: m.lin(x) + x),
    "torch.add": Style(lambda m, x: torch.add(m.lin(x), x)),
    "x.add": Style(lambda m, x: m.lin(x).add(x)),
    "x.mul": Style(lambda m, x: m.lin(x).mul(m.scale)),
    "sum of a list": Style(lambda m, x: sum([m.lin(x), x, x])),
    "sum of a generator": Style(experts),
    "reduce with add": Style(lambda m, x: functools.reduce(torch.add, [m.lin(x), x, x])),
    "reduce with operator.mul": Style(lambda m, x: functools.reduce(operator.mul, [m.lin(x), x])),
    "in place": Style(lambda m, x: m.lin(x).add_(1).mul_(2).relu_()),
    "1 - x": Style(lambda m, x: (1 - m.lin(x)) * x),
    # attention
    "attention by signs and a partial": Style(lambda m, x: attended(m, x, m.soft)),
    "attention by a method": Style(lambda m, x: attended(m, x, lambda scores: scores.softmax(dim=-1))),
    "attention by a function": Style(lambda m, x: attended(m, x, lambda scores: F.softmax(scores, dim=-1))),
    "fused attention, an imported name": Style(
        lambda m, x: scaled_dot_product_attention(heads(m.lin(x)), heads(x), heads(x))
    ),
    "fused attention": Style(lambda m, x: F.scaled_dot_product_attention(heads(m.lin(x)), heads(x), heads(x))),
    "linear attention": Style(linear_attention),
    "rotary": Style(rotary),
    "rms": Style(rms),
    "a gate": Style(residual_gate),
    "batched products": Style(lambda m, x: torch.bmm(m.lin(x), x.mT).baddbmm(m.lin(x), x.mT)),
    "torch.baddbmm": Style(lambda m, x: torch.baddbmm(x, m.lin(x).mT[:, :6, :6], x)),
    "addmm": Style(lambda m, x: torch.addmm(m.scale, m.lin(x)[0], m.lin.weight)),
    # convolutions
    "F.conv1d": Style(lambda m, x: F.conv1d(m.lin(x), m.conv.weight, m.conv.bias)),
    "torch.conv1d": Style(lambda m, x: torch.conv1d(m.lin(x), m.conv.weight, m.conv.bias)),
    "F.linear": Style(lambda m, x: F.linear(x, m.lin.weight)),
    "pools by torch": Style(lambda m, x: torch.avg_pool1d(m.lin(x), 2)),
    "pools by F": Style(lambda m, x: F.max_pool1d(F.avg_pool1d(m.lin(x), 2), 2)),
    "interpolation": Style(lambda m, x: F.interpolate(m.lin(x), scale_factor=2)),
    "unfold": Style(lambda m, x: m.lin(x).unfold(1, 3, 1).sum(-1)),
    "separable": Style(by=separable),
    # other ways
    "a function with a gradient of its own": Style(lambda m, x: Doubled.apply(m.lin(x))),  # type: ignore[no-untyped-call]
    "Fourier": Style(fourier),
    "complex": Style(complex_product),
    "reversible": Style(reversible),
    "weight norm": Style(by=weight_normed),
    "weight norm, as it was": Style(by=old_weight_normed),
    "spectral norm": Style(by=spectral_normed),
    "an encoder layer": Style(by=encoder),
    "an encoder layer of a function": Style(by=encoder_of_a_function),
    "LSTM": Style(by=lambda: Recurrent("LSTM")),
    "GRU in both directions": Style(by=lambda: Recurrent("GRU", bidirectional=True)),
    "RNN of two layers": Style(by=lambda: Recurrent("RNN", num_layers=2)),
    "an inverse": Style(lambda m, x: torch.linalg.inv(torch.eye(6) + m.lin(x) @ x.mT)),
    "a triangular solve": Style(lambda m, x: torch.linalg.solve_triangular(m.lin.weight.triu(), x.mT, upper=True)),
}
