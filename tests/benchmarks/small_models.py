"""Small models, one for each thing that counters treat differently: `SMALL[name].build()` and what it is fed.

Functions are wrapped in a module of one, two or three arguments, which has one unused parameter, since some counters
cannot count a model that has none.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from profiler.records.inputs import TensorSpec, parse


@dataclass(frozen=True, slots=True)
class Small:
    """A named model. `args` and `kwargs` are what its forward pass takes, with `TensorSpec`s for tensors."""

    name: str
    build: Callable[[], nn.Module]
    args: tuple[Any, ...]
    kwargs: Mapping[str, TensorSpec] = field(default_factory=dict)


SMALL: dict[str, Small] = {}


def _add(name: str, build: Callable[[], nn.Module], *inputs: str) -> None:
    """Inputs as the command line writes them: `1x3x8x8`, `ids=1x4:int64`."""
    if name in SMALL:
        raise ValueError(f"two models are called {name}")
    specs = [parse(text) for text in inputs]
    named = {spec.name: spec for spec in specs if spec.name is not None}
    SMALL[name] = Small(name, build, tuple(spec for spec in specs if spec.name is None), named)


class _Wrapped(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.unused = nn.Parameter(torch.zeros(1))


class Of1(_Wrapped):
    """A function of one tensor."""

    def forward(self, x):
        return self.function(x)


class Of2(_Wrapped):
    """A function of two tensors."""

    def forward(self, x, y):
        return self.function(x, y)


class Of3(_Wrapped):
    """A function of three tensors."""

    def forward(self, x, y, z):
        return self.function(x, y, z)


def _function(name: str, function: Callable[..., Any], *inputs: str) -> None:
    _add(name, lambda: (Of1, Of2, Of3)[len(inputs) - 1](function), *inputs)


def _layer(name: str, build: Callable[[], nn.Module], *inputs: str) -> None:
    """A layer inside of a model, which has an unused parameter where the layer has none."""

    def built() -> nn.Module:
        model = nn.Sequential(build())
        if next(model.parameters(), None) is None:
            model.register_parameter("unused", nn.Parameter(torch.zeros(1)))
        return model

    _add(name, built, *inputs)


class Around(nn.Module):
    """A module inside of another, called with whatever comes; its first output if there are several."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        out = self.inner(x)
        return out[0] if isinstance(out, tuple) else out


# Convolutions ---------------------------------------------------------------------------------------------------------

_add("conv1d", lambda: nn.Sequential(nn.Conv1d(4, 6, 3)), "2x4x16")
_add("conv2d", lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), "1x3x8x8")
_add("conv2d-no-bias", lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=False)), "1x3x8x8")
_add("conv3d", lambda: nn.Sequential(nn.Conv3d(3, 4, 3, stride=2)), "1x3x8x8x8")
_add("conv2d-grouped", lambda: nn.Sequential(nn.Conv2d(4, 8, 3, groups=2)), "2x4x9x9")
_add("conv2d-depthwise", lambda: nn.Sequential(nn.Conv2d(6, 6, 5, padding=2, groups=6)), "1x6x9x9")
_add("conv2d-dilated", lambda: nn.Sequential(nn.Conv2d(3, 4, 3, dilation=2)), "1x3x12x12")
_add("conv2d-same", lambda: nn.Sequential(nn.Conv2d(3, 4, 4, padding="same")), "1x3x9x9")
_add("conv2d-reflect", lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")), "1x3x9x9")
_add("conv2d-unbatched", lambda: nn.Sequential(nn.Conv2d(3, 4, 3)), "3x8x8")
_add("conv1d-unbatched", lambda: nn.Sequential(nn.Conv1d(3, 4, 3)), "3x8")
_add("conv2d-batch-of-3", lambda: nn.Sequential(nn.Conv2d(3, 4, 3)), "3x3x8x8")
_add("transposed1d", lambda: nn.Sequential(nn.ConvTranspose1d(4, 6, 3, stride=2)), "1x4x8")
_add("transposed2d", lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 2, stride=2)), "1x4x8x8")
_add("transposed2d-no-bias", lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, bias=False)), "1x4x8x8")
_add("transposed2d-grouped", lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2)), "2x4x8x8")
_add(
    "transposed2d-output-padding",
    lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)),
    "1x4x8x8",
)
_add("transposed3d", lambda: nn.Sequential(nn.ConvTranspose3d(2, 3, 2, stride=2)), "1x2x4x4x4")
_add("bare-conv2d", lambda: nn.Conv2d(3, 4, 3, padding=1), "1x3x8x8")


class _Convolving(nn.Module):
    """F.conv2d and F.conv_transpose2d on bare parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 3, 3, 3))
        self.bias = nn.Parameter(torch.rand(4))

    def forward(self, x):
        return F.conv_transpose2d(F.conv2d(x, self.weight, self.bias), self.weight)


_add("functional-conv", _Convolving, "1x3x8x8")

# Linear layers --------------------------------------------------------------------------------------------------------

_add("linear-1d", lambda: nn.Sequential(nn.Linear(10, 5)), "10")
_add("linear-2d", lambda: nn.Sequential(nn.Linear(10, 5)), "2x10")
_add("linear-3d", lambda: nn.Sequential(nn.Linear(10, 5)), "2x7x10")
_add("linear-4d", lambda: nn.Sequential(nn.Linear(10, 5)), "2x3x4x10")
_add("linear-no-bias", lambda: nn.Sequential(nn.Linear(10, 5, bias=False)), "2x10")
_add("linear-no-bias-3d", lambda: nn.Sequential(nn.Linear(10, 5, bias=False)), "2x7x10")
_add("bare-linear", lambda: nn.Linear(10, 5), "2x10")
_add("lazy-linear", lambda: nn.Sequential(nn.LazyLinear(5)), "2x10")


class _Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Bilinear(4, 5, 6)

    def forward(self, x, y):
        return self.inner(x, y)


_add("bilinear", _Bilinear, "3x4", "3x5")


class _FunctionalLinear(nn.Module):
    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(5, 10))
        self.bias = nn.Parameter(torch.rand(5)) if bias else None

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


_add("functional-linear", lambda: _FunctionalLinear(True), "2x7x10")
_add("functional-linear-no-bias", lambda: _FunctionalLinear(False), "2x10")

# Matrix products ------------------------------------------------------------------------------------------------------

_function("matmul-operator", lambda x, y: x @ y, "2x3x4", "2x4x5")
_function("matmul-torch", lambda x, y: torch.matmul(x, y), "2x3x4", "2x4x5")
_function("matmul-method", lambda x, y: x.matmul(y), "2x3x4", "2x4x5")
_function("matmul-2d", lambda x, y: torch.matmul(x, y), "3x4", "4x5")
_function("matmul-4d", lambda x, y: torch.matmul(x, y), "2x3x4x5", "2x3x5x6")
_function("matmul-operator-4d", lambda x, y: x @ y.transpose(-2, -1), "2x3x4x5", "2x3x6x5")
_function("matmul-broadcast-right", lambda x, y: torch.matmul(x, y), "2x3x4x5", "5x6")
_function("matmul-broadcast-left", lambda x, y: torch.matmul(x, y), "4x5", "2x3x5x6")
_function("matmul-broadcast-both", lambda x, y: torch.matmul(x, y), "2x1x4x5", "1x3x5x6")
_function("matmul-operator-broadcast", lambda x, y: x @ y, "4x5", "2x3x5x6")
_function("matmul-vector-vector", lambda x, y: torch.matmul(x, y), "7", "7")
_function("matmul-matrix-vector", lambda x, y: torch.matmul(x, y), "6x7", "7")
_function("matmul-vector-matrix", lambda x, y: torch.matmul(x, y), "6", "6x7")
_function("matmul-batch-vector", lambda x, y: torch.matmul(x, y), "2x6x7", "7")
_function("mm", lambda x, y: torch.mm(x, y), "3x4", "4x5")
_function("mm-method", lambda x, y: x.mm(y), "3x4", "4x5")
_function("bmm", lambda x, y: torch.bmm(x, y), "2x3x4", "2x4x5")
_function("bmm-method", lambda x, y: x.bmm(y), "2x3x4", "2x4x5")
_function("addmm", lambda x, y, z: torch.addmm(x, y, z), "3x5", "3x4", "4x5")
_function("addmm-row", lambda x, y, z: torch.addmm(x, y, z), "5", "3x4", "4x5")
_function("baddbmm", lambda x, y, z: torch.baddbmm(x, y, z), "2x3x5", "2x3x4", "2x4x5")
_function("mv", lambda x, y: torch.mv(x, y), "3x4", "4")
_function("dot", lambda x, y: torch.dot(x, y), "9", "9")
_function("outer", lambda x, y: torch.outer(x, y), "4", "5")
_function("einsum-matmul", lambda x, y: torch.einsum("ij,jk->ik", x, y), "3x4", "4x5")
_function("einsum-batched", lambda x, y: torch.einsum("bij,bjk->bik", x, y), "2x3x4", "2x4x5")
_function("einsum-attention", lambda x, y: torch.einsum("bhqd,bhkd->bhqk", x, y), "2x3x4x5", "2x3x6x5")
_function("einsum-abc-adc", lambda x, y: torch.einsum("abc,abd->acd", x, y), "2x3x4", "2x3x5")
_function("einsum-nct-ncp", lambda x, y: torch.einsum("nct,ncp->ntp", x, y), "2x3x4", "2x3x5")
_function("einsum-ntg-ncg", lambda x, y: torch.einsum("ntg,ncg->nct", x, y), "2x3x4", "2x5x4")
_function("einsum-ellipsis", lambda x, y: torch.einsum("...ij,jk->...ik", x, y), "2x3x4x5", "5x6")
_function("einsum-outer", lambda x, y: torch.einsum("i,j->ij", x, y), "4", "5")
_function("einsum-dot", lambda x, y: torch.einsum("i,i->", x, y), "40", "40")
_function("einsum-elementwise", lambda x, y: torch.einsum("ij,ij->ij", x, y), "4x5", "4x5")
_function("einsum-sum", lambda x: torch.einsum("ij->i", x), "4x5")
_function("einsum-transpose", lambda x: torch.einsum("ij->ji", x), "4x5")
_function("einsum-three", lambda x, y, z: torch.einsum("ij,jk,kl->il", x, y, z), "4x6", "6x8", "8x5")
_function("einsum-large", lambda x, y: torch.einsum("bij,bjk->bik", x, y), "3x37x53", "3x53x41")
_function("matmul-linalg", lambda x, y: torch.linalg.matmul(x, y), "2x3x4", "2x4x5")
_function("matmul-complex", lambda x: torch.view_as_complex(x) @ torch.view_as_complex(x).T, "3x4x2")


class _ComplexConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, dtype=torch.complex64)

    def forward(self, x):
        return torch.view_as_real(self.conv(torch.view_as_complex(x)))


_add("conv1d-complex", _ComplexConvolution, "2x3x9x2")


class _OwnProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        return x @ weight


class _OwnFunction(nn.Module):
    """A product inside of a function with a gradient of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(8, 4))
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        return self.linear(_OwnProduct.apply(x, self.weight))


_add("autograd-function", _OwnFunction, "2x8")
_function("size-arithmetic", lambda x: x / torch.sqrt(torch.tensor(x.size(-1), dtype=torch.float) * 3), "2x4")

# Attention ------------------------------------------------------------------------------------------------------------


def _sdpa(**settings: Any) -> Callable[..., torch.Tensor]:
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **settings)


_function("sdpa", _sdpa(), "2x3x4x8", "2x3x6x8", "2x3x6x8")
_function("sdpa-wide-value", _sdpa(), "2x3x4x8", "2x3x6x8", "2x3x6x10")
_function("sdpa-causal", _sdpa(is_causal=True), "2x3x4x8", "2x3x4x8", "2x3x4x8")
_function("sdpa-grouped-query", _sdpa(enable_gqa=True), "2x6x4x8", "2x3x5x8", "2x3x5x8")
_function("sdpa-3d", _sdpa(), "3x4x8", "3x6x8", "3x6x8")
_function("sdpa-2d", _sdpa(), "4x8", "6x8", "6x8")
_function(
    "sdpa-mask",
    lambda q, k, mask: F.scaled_dot_product_attention(q, k, k, attn_mask=mask),
    "2x3x4x8",
    "2x3x6x8",
    "4x6",
)
_function("sdpa-one-key-head", _sdpa(), "2x3x4x8", "2x1x6x8", "2x1x6x8")
_function("sdpa-3d-mask", lambda x, mask: F.scaled_dot_product_attention(x, x, x, attn_mask=mask), "3x4x8", "3x4x4")


class _LearnedMask(nn.Module):
    """Attention whose mask is a parameter, a part of one, or made of one."""

    def __init__(self, mask: Callable[[torch.Tensor], torch.Tensor], trainable: bool = True) -> None:
        super().__init__()
        self.table = nn.Embedding(4, 4).requires_grad_(trainable)
        self.mask = mask

    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.mask(self.table.weight))


_add("sdpa-learned-mask", lambda: _LearnedMask(lambda weight: weight), "2x3x4x8")
_add("sdpa-learned-mask-view", lambda: _LearnedMask(lambda weight: weight[None, None]), "2x3x4x8")
_add("sdpa-learned-mask-product", lambda: _LearnedMask(lambda weight: weight * 2), "2x3x4x8")
_add("sdpa-frozen-mask", lambda: _LearnedMask(lambda weight: weight, trainable=False), "2x3x4x8")
_function(
    "attention-by-hand",
    lambda q, k, v: torch.softmax(q @ k.transpose(-2, -1) / 8**0.5, dim=-1) @ v,
    "2x3x4x8",
    "2x3x6x8",
    "2x3x6x8",
)


class _Attention(nn.Module):
    """nn.MultiheadAttention, of one tensor or of several."""

    def __init__(self, settings: Mapping[str, Any], call: Mapping[str, Any]) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(**{"embed_dim": 8, "num_heads": 2, **settings})
        self.call = dict(call)

    def forward(self, query, key=None, value=None):
        key = query if key is None else key
        return self.attention(query, key, key if value is None else value, **self.call)[0]


def _attention(name: str, *inputs: str, call: Mapping[str, Any] | None = None, **settings: Any) -> None:
    _add(name, lambda: _Attention(settings, call or {}), *inputs)


_attention("mha-self", "5x2x8")
_attention("mha-self-batch-first", "2x5x8", batch_first=True)
_attention("mha-self-no-weights", "2x5x8", batch_first=True, call={"need_weights": False})
_attention("mha-no-bias", "2x5x8", batch_first=True, bias=False)
_attention("mha-cross", "2x5x8", "2x7x8", batch_first=True)
_attention("mha-cross-no-weights", "2x5x8", "2x7x8", batch_first=True, call={"need_weights": False})
_attention("mha-kdim-vdim", "2x5x8", "2x7x6", "2x7x4", batch_first=True, kdim=6, vdim=4)
_attention("mha-add-bias-kv", "5x2x8", add_bias_kv=True, add_zero_attn=True)
_attention("mha-unbatched", "5x8")
_add("bare-mha", lambda: nn.MultiheadAttention(8, 2, batch_first=True), "2x5x8", "2x5x8", "2x5x8")
_add("encoder-layer", lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), "2x5x8")
_add("encoder-layer-sequence-first", lambda: nn.TransformerEncoderLayer(8, 2, 16), "5x2x8")
_add("encoder-layer-gelu-first", lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", norm_first=True), "5x2x8")
_add(
    "encoder",
    lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
    "2x5x8",
)
_add("decoder-layer", lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), "2x5x8", "2x7x8")
_add("transformer", lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), "2x5x8", "2x4x8")

# Recurrent layers -----------------------------------------------------------------------------------------------------

for _name, _class in (("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)):
    _add(_name, lambda made=_class: Around(made(6, 8)), "5x2x6")
    _add(f"{_name}-batch-first", lambda made=_class: Around(made(6, 8, batch_first=True)), "2x5x6")
    _add(
        f"{_name}-deep-bidirectional", lambda made=_class: Around(made(6, 8, num_layers=2, bidirectional=True)), "5x2x6"
    )
    _add(f"{_name}-no-bias", lambda made=_class: Around(made(6, 8, bias=False)), "5x2x6")
    _add(f"{_name}-unbatched", lambda made=_class: Around(made(6, 8)), "5x6")
_add("lstm-projected", lambda: Around(nn.LSTM(6, 8, proj_size=3, batch_first=True)), "2x5x6")
_add("bare-lstm", lambda: nn.LSTM(6, 8, batch_first=True), "2x5x6")
_add("rnn-relu", lambda: Around(nn.RNN(6, 8, nonlinearity="relu")), "5x2x6")
_add("rnn-cell", lambda: nn.Sequential(nn.RNNCell(6, 8)), "2x6")
_add("lstm-cell", lambda: Around(nn.LSTMCell(6, 8)), "2x6")
_add("gru-cell", lambda: nn.Sequential(nn.GRUCell(6, 8)), "2x6")
_add("gru-cell-no-bias", lambda: nn.Sequential(nn.GRUCell(6, 8, bias=False)), "2x6")


class _Unrolled(nn.Module):
    """A cell in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(6, 8)

    def forward(self, x):
        state = None
        for step in x:
            state = self.cell(step, state)
        return state[0]


_add("lstm-cell-unrolled", _Unrolled, "5x2x6")

# Norms ----------------------------------------------------------------------------------------------------------------

_layer("batchnorm1d", lambda: nn.BatchNorm1d(6), "4x6")
_layer("batchnorm1d-sequence", lambda: nn.BatchNorm1d(6), "4x6x5")
_layer("batchnorm2d", lambda: nn.BatchNorm2d(6), "2x6x5x5")
_layer("batchnorm2d-plain", lambda: nn.BatchNorm2d(6, affine=False), "2x6x5x5")
_layer("batchnorm2d-untracked", lambda: nn.BatchNorm2d(6, track_running_stats=False), "2x6x5x5")
_layer("batchnorm3d", lambda: nn.BatchNorm3d(6), "2x6x3x5x5")
_layer("layernorm", lambda: nn.LayerNorm(8), "2x5x8")
_layer("layernorm-plain", lambda: nn.LayerNorm(8, elementwise_affine=False), "2x5x8")
_layer("layernorm-no-bias", lambda: nn.LayerNorm(8, bias=False), "2x5x8")
_layer("layernorm-2-dims", lambda: nn.LayerNorm((5, 8)), "2x5x8")
_layer("groupnorm", lambda: nn.GroupNorm(2, 6), "2x6x5x5")
_layer("groupnorm-plain", lambda: nn.GroupNorm(2, 6, affine=False), "2x6x5x5")
_layer("instancenorm1d", lambda: nn.InstanceNorm1d(6), "2x6x5")
_layer("instancenorm2d", lambda: nn.InstanceNorm2d(6), "2x6x5x5")
_layer("instancenorm2d-affine", lambda: nn.InstanceNorm2d(6, affine=True), "2x6x5x5")
_layer("instancenorm2d-tracked", lambda: nn.InstanceNorm2d(6, affine=True, track_running_stats=True), "2x6x5x5")
_layer("instancenorm3d", lambda: nn.InstanceNorm3d(6), "2x6x3x5x5")
_layer("rmsnorm", lambda: nn.RMSNorm(8), "2x5x8")
_layer("rmsnorm-plain", lambda: nn.RMSNorm(8, elementwise_affine=False), "2x5x8")
_layer("local-response-norm", lambda: nn.LocalResponseNorm(3), "2x6x5x5")
_function("functional-batch-norm", lambda x, mean, var: F.batch_norm(x, mean, var), "2x6x5x5", "6", "6")
_function("functional-layer-norm", lambda x, w, b: F.layer_norm(x, (8,), w, b), "2x5x8", "8", "8")
_function("functional-group-norm", lambda x: F.group_norm(x, 2), "2x6x5x5")
_function("normalize", lambda x: F.normalize(x, dim=-1), "2x5x8")

# Pools ----------------------------------------------------------------------------------------------------------------

_layer("maxpool1d", lambda: nn.MaxPool1d(2), "2x6x8")
_layer("maxpool2d", lambda: nn.MaxPool2d(3, 2, 1), "2x6x9x9")
_layer("maxpool3d", lambda: nn.MaxPool3d(2), "2x6x4x8x8")
_layer("avgpool1d", lambda: nn.AvgPool1d(2), "2x6x8")
_layer("avgpool2d", lambda: nn.AvgPool2d(3, 2, 1), "2x6x9x9")
_layer("avgpool3d", lambda: nn.AvgPool3d(2), "2x6x4x8x8")
_layer("adaptive-avgpool1d", lambda: nn.AdaptiveAvgPool1d(3), "2x6x8")
_layer("adaptive-avgpool2d", lambda: nn.AdaptiveAvgPool2d(1), "2x6x7x7")
_layer("adaptive-avgpool2d-uneven", lambda: nn.AdaptiveAvgPool2d((3, 5)), "2x6x7x8")
_layer("adaptive-avgpool3d", lambda: nn.AdaptiveAvgPool3d(2), "2x6x4x8x8")
_layer("adaptive-maxpool1d", lambda: nn.AdaptiveMaxPool1d(3), "2x6x8")
_layer("adaptive-maxpool2d", lambda: nn.AdaptiveMaxPool2d((3, 5)), "2x6x7x8")
_layer("lppool2d", lambda: nn.LPPool2d(2, 3), "2x6x9x9")
_function("functional-maxpool", lambda x: F.max_pool2d(x, 2), "2x6x8x8")
_function("functional-avgpool", lambda x: F.avg_pool2d(x, 2), "2x6x8x8")
_function("functional-adaptive-avgpool", lambda x: F.adaptive_avg_pool2d(x, 1), "2x6x8x8")
_function("functional-adaptive-avgpool-3x5", lambda x: F.adaptive_avg_pool2d(x, (3, 5)), "2x6x7x8")
_function("mean", lambda x: x.mean((2, 3)), "2x6x8x8")
_function("sum", lambda x: x.sum(-1), "2x6x8x8")

# Resampling -----------------------------------------------------------------------------------------------------------

_layer("upsample-nearest", lambda: nn.Upsample(scale_factor=2), "1x4x8x8")
_layer("upsample-bilinear", lambda: nn.Upsample(scale_factor=2, mode="bilinear"), "1x4x8x8")
_layer("upsample-bilinear-size", lambda: nn.Upsample(size=(12, 16), mode="bilinear"), "2x4x8x8")
_layer("upsample-bicubic", lambda: nn.Upsample(scale_factor=2, mode="bicubic"), "1x4x8x8")
_layer("upsample-linear", lambda: nn.Upsample(scale_factor=2, mode="linear"), "1x4x8")
_layer("upsample-trilinear", lambda: nn.Upsample(scale_factor=2, mode="trilinear"), "1x4x4x4x4")
_layer("upsample-nearest-1d", lambda: nn.Upsample(scale_factor=2), "1x4x8")
_layer("upsampling-bilinear2d", lambda: nn.UpsamplingBilinear2d(scale_factor=2), "1x4x8x8")
_layer("upsampling-nearest2d", lambda: nn.UpsamplingNearest2d(size=(12, 16)), "2x4x8x8")
_function("interpolate-nearest", lambda x: F.interpolate(x, scale_factor=2), "1x4x8x8")
_function("interpolate-size", lambda x: F.interpolate(x, size=(16, 16)), "1x4x8x8")
_function("interpolate-int-size", lambda x: F.interpolate(x, size=16), "1x4x8x8")
_function("interpolate-bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), "1x4x8x8")
_function("interpolate-bilinear-size", lambda x: F.interpolate(x, size=(12, 16), mode="bilinear"), "2x4x8x8")
_function("interpolate-bicubic", lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), "1x4x8x8")
_function("interpolate-trilinear", lambda x: F.interpolate(x, scale_factor=2, mode="trilinear"), "1x4x4x4x4")
_function("interpolate-scales", lambda x: F.interpolate(x, scale_factor=(2.0, 1.5)), "1x4x8x8")
_layer("upsample-1.7", lambda: nn.Upsample(scale_factor=1.7, mode="bilinear"), "1x3x13x17")
_layer("upsample-0.33", lambda: nn.Upsample(scale_factor=0.33), "3x3x13x17")
_function("interpolate-1.7", lambda x: F.interpolate(x, scale_factor=1.7), "1x3x13x17")
_function(
    "interpolate-recomputed", lambda x: F.interpolate(x, scale_factor=1.7, recompute_scale_factor=True), "1x3x7x9"
)
_layer("upsample-recomputed", lambda: nn.Upsample(scale_factor=1.7, recompute_scale_factor=True), "1x3x7x9")
_layer("pixel-shuffle", lambda: nn.PixelShuffle(2), "1x8x4x4")
_function("grid-sample", lambda x, grid: F.grid_sample(x, grid, align_corners=False), "1x4x8x8", "1x5x6x2")

# Activations ----------------------------------------------------------------------------------------------------------

for _kind in (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh,
    nn.Softplus, nn.Softsign, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.LogSigmoid, nn.RReLU, nn.GLU,
    nn.Tanhshrink,
):  # fmt: skip
    _layer(f"activation-{_kind.__name__.lower()}", _kind, "2x6x5x4")
_layer("activation-threshold", lambda: nn.Threshold(0.1, 0.0), "2x6x5x4")
_add("activation-relu-inplace", lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True)), "1x3x8x8")
_layer("activation-prelu-channels", lambda: nn.PReLU(6), "2x6x5x4")
_layer("activation-gelu-tanh", lambda: nn.GELU("tanh"), "2x6x5x4")
_function("functional-relu", lambda x: F.relu(x), "2x6x5x4")
_function("functional-relu-inplace", lambda x: F.relu(x + 1, inplace=True), "2x6x5x4")
_function("torch-relu", lambda x: torch.relu(x), "2x6x5x4")
_function("method-relu", lambda x: x.relu(), "2x6x5x4")
_function("functional-gelu", lambda x: F.gelu(x), "2x6x5x4")
_function("functional-gelu-tanh", lambda x: F.gelu(x, approximate="tanh"), "2x6x5x4")
_function("functional-silu", lambda x: F.silu(x), "2x6x5x4")
_function("functional-relu6", lambda x: F.relu6(x), "2x6x5x4")
_function("functional-elu", lambda x: F.elu(x), "2x6x5x4")
_function("functional-leaky-relu", lambda x: F.leaky_relu(x), "2x6x5x4")
_function("functional-leaky-relu-slope", lambda x: F.leaky_relu(x, 0.2), "2x6x5x4")
_function("functional-prelu", lambda x, weight: F.prelu(x, weight), "2x6x5x4", "6")
_function("functional-hardswish", lambda x: F.hardswish(x), "2x6x5x4")
_function("sigmoid", lambda x: torch.sigmoid(x), "2x6x5x4")
_function("tanh", lambda x: torch.tanh(x), "2x6x5x4")
_layer("softmax", lambda: nn.Softmax(dim=-1), "2x6x5x4")
_layer("softmax-channels", lambda: nn.Softmax(dim=1), "2x6x5x4")
_layer("softmax2d", lambda: nn.Softmax2d(), "2x6x5x4")
_layer("log-softmax", lambda: nn.LogSoftmax(dim=-1), "2x6x5x4")
_layer("softmin", lambda: nn.Softmin(dim=-1), "2x6x5x4")
_function("functional-softmax", lambda x: F.softmax(x, dim=-1), "2x6x5x4")
_function("torch-softmax", lambda x: torch.softmax(x, dim=-1), "2x6x5x4")
_function("method-softmax", lambda x: x.softmax(dim=-1), "2x6x5x4")
_function("functional-log-softmax", lambda x: F.log_softmax(x, dim=-1), "2x6x5x4")
_add("dropout", lambda: nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5)), "2x8")

# Elementwise ----------------------------------------------------------------------------------------------------------

_function("add-operator", lambda x, y: x + y, "2x6x5", "2x6x5")
_function("add-torch", lambda x, y: torch.add(x, y), "2x6x5", "2x6x5")
_function("add-method", lambda x, y: x.add(y), "2x6x5", "2x6x5")
_function("add-inplace", lambda x, y: x.clone().add_(y), "2x6x5", "2x6x5")
_function("add-scalar", lambda x: torch.add(x, 1), "2x6x5")
_function("add-broadcast", lambda x, y: torch.add(x, y), "2x6x5", "5")
_function("add-broadcast-channels", lambda x, y: torch.add(x, y), "2x6x5", "6x1")
_function("add-broadcast-both", lambda x, y: torch.add(x, y), "2x1x5", "6x1")
_function("add-broadcast-left", lambda x, y: torch.add(x, y), "5", "2x6x5")
_function("mul-operator", lambda x, y: x * y, "2x6x5", "2x6x5")
_function("mul-torch", lambda x, y: torch.mul(x, y), "2x6x5", "2x6x5")
_function("mul-method", lambda x, y: x.mul(y), "2x6x5", "2x6x5")
_function("mul-scalar", lambda x: torch.mul(x, 2), "2x6x5")
_function("mul-operator-scalar", lambda x: x * 2.0, "2x6x5")
_function("mul-broadcast", lambda x, y: torch.mul(x, y), "2x6x5", "2x6x1")
_function("sub-div", lambda x, y: (x - y) / y, "2x6x5", "2x6x5")
_function("exp-sqrt-pow", lambda x: torch.exp(x).sqrt().pow(2), "2x6x5")
_function("cat-reshape", lambda x, y: torch.cat([x, y], 1).flatten(1).view(2, -1), "2x6x5", "2x6x5")

# Embeddings -----------------------------------------------------------------------------------------------------------

_add("embedding", lambda: nn.Sequential(nn.Embedding(100, 10)), "1x2:int64")
_add("embedding-batch", lambda: nn.Sequential(nn.Embedding(100, 10)), "3x7:int64")
_add("embedding-linear", lambda: nn.Sequential(nn.Embedding(100, 10), nn.Linear(10, 4)), "3x7:int64")
_add("embedding-bag", lambda: nn.Sequential(nn.EmbeddingBag(100, 10)), "3x7:int64")

# How modules are put together and called ------------------------------------------------------------------------------


class _SharedTwice(nn.Module):
    """One module under two names, called under both."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = self.first

    def forward(self, x):
        return self.second(self.first(x))


class _SharedInTwoParents(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        shared = nn.Linear(8, 8)
        self.left = nn.Sequential(shared, nn.BatchNorm1d(8))
        self.right = nn.Sequential(nn.ReLU(), shared)

    def forward(self, x):
        return self.right(self.left(x))


class _SharedBlock(nn.Module):
    """A container under two parents."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.left = nn.Sequential(block)
        self.right = nn.Sequential(block, nn.Linear(8, 4))

    def forward(self, x):
        return self.right(self.left(x))


class _CalledTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.linear(self.act(self.linear(x))))


class _TiedWeights(nn.Module):
    """An embedding whose table is the last layer's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        return self.head(self.embed(ids))


class _CalledByForward(nn.Module):
    """Its layer is run without being called, so that no hook sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.block = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def forward(self, x):
        return self.block.forward(self.linear.forward(x))


class _UsesOthersLayer(nn.Module):
    """The layer that `owner` has is called by `user`."""

    def __init__(self) -> None:
        super().__init__()
        self.owner = nn.Sequential(nn.Linear(8, 8))
        self.user = _Caller(self.owner[0])

    def forward(self, x):
        return self.user(self.owner(x))


class _Caller(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.kept_outside = [layer]
        self.linear = nn.Linear(8, 8)

    def forward(self, x):
        return self.linear(self.kept_outside[0](x))


class _BareParameters(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.scale = nn.Parameter(torch.ones(8))
        self.linear = nn.Linear(8, 8)

    def forward(self, x):
        return self.linear(torch.cat([self.token.expand(len(x), -1, -1), x], 1)) * self.scale


class _BareParametersInside(nn.Module):
    """The bare parameter is of a module inside that has no modules of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.scale = _Scale()

    def forward(self, x):
        return self.scale(self.linear(x))


class _Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(8))

    def forward(self, x):
        return x * self.gamma


class _WithUnused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(8, 8)
        self.unused = nn.Linear(100, 100)

    def forward(self, x):
        return self.used(x)


class _OwnLinear(nn.Linear):
    """A subclass that computes as its base does."""


class _Keywords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, x, *, scale=None):
        y = self.linear(x)
        return y if scale is None else y * scale


class _TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(3, 4, 3)
        self.text = nn.Linear(6, 4)

    def forward(self, image, text=None):
        features = self.image(image).mean((2, 3))
        return features if text is None else features + self.text(text)


class _DictOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, x):
        y = self.linear(x)
        return {"out": y, "aux": [y + 1, y * 2]}


@dataclass
class _Output:
    out: torch.Tensor


class _DataclassOutput(_DictOutput):
    def forward(self, x):
        return _Output(self.linear(x) * 2)


class _DictInput(nn.Module):
    """Its only argument is a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4)
        self.act = nn.ReLU()

    def forward(self, batch):
        return self.act(self.linear(batch["x"] + batch["y"]))


def _with_hook() -> nn.Module:
    """The model's own forward hook multiplies what it gives."""
    model = nn.Sequential(nn.Linear(8, 4))
    model.register_forward_hook(lambda module, args, output: torch.matmul(output, output.T))
    return model


def _old(name: str) -> Callable[[nn.Module], nn.Module]:
    """A reparametrisation of before `torch.nn.utils.parametrizations`, which warns."""

    def reparametrise(layer: nn.Module) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(nn.utils, name)(layer)

    return reparametrise


def _pruned(layer: nn.Module) -> nn.Module:
    """A third of its weights is masked."""
    prune.l1_unstructured(layer, "weight", 0.33)
    return layer


class _Lists(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(8, 8), nn.ModuleList([nn.ReLU()])[0]) for _ in range(3)])
        self.heads = nn.ModuleDict({"a": nn.Linear(8, 2), "b": nn.Sequential(nn.Sequential(nn.Linear(8, 3)))})

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return torch.cat([self.heads["a"](x), self.heads["b"](x)], -1)


class _SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.fc1 = nn.Conv2d(8, 2, 1)
        self.fc2 = nn.Conv2d(2, 8, 1)

    def forward(self, x):
        x = self.conv(x)
        gate = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        return x * torch.sigmoid(gate)


class _Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(8, 8).requires_grad_(False)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.trunk(x))


def _with_hidden_parameters() -> nn.Module:
    """A module with children and a parameter of its own that thop has a rule for."""
    layer = nn.Sequential(nn.Linear(8, 8))
    layer.register_parameter("extra", nn.Parameter(torch.zeros(5)))
    return nn.Sequential(layer)


_add("shared-twice", _SharedTwice, "2x8")
_add("shared-in-two-parents", _SharedInTwoParents, "2x8")
_add("shared-block", _SharedBlock, "2x8")
_add("called-twice", _CalledTwice, "2x8")
_add("tied-weights", _TiedWeights, "2x5:int64")
_add("called-by-forward", _CalledByForward, "2x8")
_add("uses-others-layer", _UsesOthersLayer, "2x8")
_add("bare-parameters", _BareParameters, "2x5x8")
_add("bare-parameters-inside", _BareParametersInside, "2x8")
_add("hidden-parameters", _with_hidden_parameters, "2x8")
_add("frozen", _Frozen, "2x8")
_add("no-parameters", lambda: nn.Sequential(nn.AvgPool2d(2), nn.ReLU()), "1x3x8x8")
_add("bare-identity", nn.Identity, "1x3x8x8")
_add("bare-relu", nn.ReLU, "1x3x8x8")
_add("unused-module", _WithUnused, "2x8")
_add("subclass", lambda: nn.Sequential(_OwnLinear(8, 4)), "2x8")
_add("keyword-only", _Keywords, "2x8", "scale=2x4")
_add("keyword-inputs", _TwoInputs, "image=1x3x8x8", "text=1x6")
_add("keyword-batch-of-3", _TwoInputs, "image=3x3x8x8", "text=3x6")
_add("two-inputs", _TwoInputs, "1x3x8x8", "1x6")
_add("optional-input-left-out", _TwoInputs, "1x3x8x8")
_add("dict-output", _DictOutput, "2x8")
_add("dataclass-output", _DataclassOutput, "2x8")
SMALL["dict-input"] = Small("dict-input", _DictInput, ({"x": parse("3x8"), "y": parse("3x8")},))
_add("hook-of-the-model", _with_hook, "2x8")
_add("weight-norm-old", lambda: nn.Sequential(_old("weight_norm")(nn.Linear(8, 4))), "2x8")
_add("weight-norm-old-conv", lambda: nn.Sequential(_old("weight_norm")(nn.Conv1d(3, 4, 3))), "1x3x8")
_add("spectral-norm-old", lambda: nn.Sequential(_old("spectral_norm")(nn.Conv2d(3, 4, 3))), "1x3x8x8")
_add("pruned", lambda: nn.Sequential(_pruned(nn.Linear(8, 4)), nn.ReLU(), _pruned(nn.Linear(4, 3))), "2x8")
_add("pruned-conv", lambda: nn.Sequential(_pruned(nn.Conv2d(3, 4, 3)), nn.Flatten()), "2x3x8x8")
_add("lists-and-dicts", _Lists, "2x8")
_add("nested-sequential", lambda: nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(8, 8)), nn.ReLU())), "2x8")
_add("squeeze-excite", _SqueezeExcite, "1x3x8x8")
_add(
    "small-cnn",
    lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    ),
    "1x3x32x32",
)  # fmt: skip
_add(
    "small-cnn-batch-of-3",
    lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    ),
    "3x3x32x32",
)  # fmt: skip
_add("double-precision", lambda: nn.Sequential(nn.Linear(8, 4)).double(), "2x8:float64")
