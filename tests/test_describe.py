"""What a person reads about a layer, and how a count is written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from profiler.figures.describe import describe, render_formula
from profiler.figures.parameters import count
from profiler.ops.cost import Count, product
from profiler.records.trace import Module, Tensor, Value, Weight


def record(layer: nn.Module) -> Module:
    """A layer as a trace would hold it, without its weights and children."""
    classes = tuple(f"{c.__module__}.{c.__qualname__}" for c in type(layer).__mro__ if c not in (nn.Module, object))
    plain = (int, float, str, tuple, type(None))
    settings = ((k, v) for k, v in vars(layer).items() if not k.startswith("_") and isinstance(v, plain))
    return Module("", classes, tuple(settings))


def weight(name: str, *shape: int, same_as: int | None = None) -> Weight:
    return Weight(0, name, Tensor(tuple(shape), "float32"), 0, same_as=same_as)


class PatchEmbed(nn.Conv2d):
    """A subclass, as every second model has one."""


class BasicBlock(nn.Module):
    """A class of one's own."""


with torch.device("meta"):
    DESCRIBED: list[tuple[nn.Module, str]] = [
        (nn.Conv2d(64, 128, 3, stride=2, padding=1), "Conv2d 64→128 3×3 /2"),
        (nn.Conv2d(64, 128, 1), "Conv2d 64→128 1×1"),
        (nn.Conv2d(64, 128, (1, 7)), "Conv2d 64→128 1×7"),
        (nn.Conv2d(64, 128, 3, stride=(2, 1)), "Conv2d 64→128 3×3 /2×1"),
        (nn.Conv2d(128, 256, 3, groups=32), "Conv2d 128→256 3×3 g32"),
        (nn.Conv2d(32, 64, 3, groups=32), "Conv2d 32→64 3×3 g32"),
        (nn.Conv2d(32, 32, 3, stride=2, groups=32), "Conv2d 32→32 3×3 /2 depthwise"),
        (nn.Conv2d(1, 1, 3), "Conv2d 1→1 3×3"),
        (nn.Conv2d(8, 8, 3, groups=2, dilation=2), "Conv2d 8→8 3×3 g2 d2"),
        (nn.Conv2d(8, 8, 3, dilation=(1, 2)), "Conv2d 8→8 3×3 d1×2"),
        (nn.Conv1d(80, 384, 3, stride=2), "Conv1d 80→384 k3 /2"),
        (nn.Conv3d(3, 64, 3, stride=(1, 2, 2)), "Conv3d 3→64 3×3×3 /1×2×2"),
        (nn.ConvTranspose1d(8, 4, 4, stride=2), "ConvTranspose1d 8→4 k4 /2"),
        (nn.ConvTranspose2d(64, 32, 2, stride=2), "ConvTranspose2d 64→32 2×2 /2"),
        (nn.ConvTranspose3d(4, 2, (1, 2, 2)), "ConvTranspose3d 4→2 1×2×2"),
        (nn.Linear(512, 1000), "Linear 512→1000"),
        (nn.Bilinear(20, 30, 40), "Bilinear 20×30→40"),
        (nn.BatchNorm2d(64), "BatchNorm2d 64"),
        (nn.SyncBatchNorm(64), "SyncBatchNorm 64"),
        (nn.InstanceNorm1d(64), "InstanceNorm1d 64"),
        (nn.LayerNorm(768), "LayerNorm 768"),
        (nn.LayerNorm((64, 56, 56)), "LayerNorm 64×56×56"),
        (nn.RMSNorm(4096), "RMSNorm 4096"),
        (nn.GroupNorm(32, 256), "GroupNorm 256 g32"),
        (nn.LocalResponseNorm(5), "LocalResponseNorm 5"),
        (nn.Embedding(30522, 768), "Embedding 30522×768"),
        (nn.EmbeddingBag(1000, 64), "EmbeddingBag 1000×64 mean"),
        (nn.LSTM(128, 256, 2, bidirectional=True), "LSTM 128→256 ×2 bidirectional"),
        (nn.LSTM(128, 256, proj_size=64), "LSTM 128→256 proj 64"),
        (nn.GRU(128, 256), "GRU 128→256"),
        (nn.RNN(128, 256, 3), "RNN 128→256 ×3"),
        (nn.LSTMCell(128, 256), "LSTMCell 128→256"),
        (nn.MultiheadAttention(768, 12), "MultiheadAttention 768, 12 heads"),
        (nn.MultiheadAttention(768, 1), "MultiheadAttention 768, 1 head"),
        (nn.MultiheadAttention(768, 12, kdim=512, vdim=256), "MultiheadAttention 768, 12 heads, k 512, v 256"),
        (nn.MultiheadAttention(768, 12).out_proj, "Linear 768→768"),
        (nn.MaxPool1d(2), "MaxPool1d k2 /2"),
        (nn.MaxPool2d(3, 2, 1), "MaxPool2d 3×3 /2"),
        (nn.MaxPool2d((3, 2), 1, dilation=2), "MaxPool2d 3×2 d2"),
        (nn.MaxPool3d(2), "MaxPool3d 2×2×2 /2"),
        (nn.MaxUnpool2d(2), "MaxUnpool2d 2×2 /2"),
        (nn.AvgPool1d(4), "AvgPool1d k4 /4"),
        (nn.AvgPool2d(3, 1, 1), "AvgPool2d 3×3"),
        (nn.LPPool2d(2, 3), "LPPool2d 3×3 /3"),
        (nn.FractionalMaxPool2d(3, output_ratio=0.5), "FractionalMaxPool2d 3×3"),
        (nn.AdaptiveAvgPool1d(1), "AdaptiveAvgPool1d →1"),
        (nn.AdaptiveAvgPool2d(1), "AdaptiveAvgPool2d →1×1"),
        (nn.AdaptiveAvgPool2d((7, 7)), "AdaptiveAvgPool2d →7×7"),
        (nn.AdaptiveAvgPool2d((None, 7)), "AdaptiveAvgPool2d →in×7"),
        (nn.AdaptiveMaxPool3d((1, 2, 2)), "AdaptiveMaxPool3d →1×2×2"),
        (nn.Unfold(3, stride=2), "Unfold 3×3 /2"),
        (nn.Dropout(0.1), "Dropout 0.1"),
        (nn.Dropout(0), "Dropout 0"),
        (nn.Dropout2d(), "Dropout2d 0.5"),
        (nn.Upsample(scale_factor=2, mode="bilinear"), "Upsample ×2 bilinear"),
        (nn.Upsample(scale_factor=(2, 1.5)), "Upsample ×2×1.5 nearest"),
        (nn.Upsample(size=(64, 48)), "Upsample →64×48 nearest"),
        (nn.UpsamplingBilinear2d(scale_factor=2), "UpsamplingBilinear2d ×2"),
        (nn.PixelShuffle(2), "PixelShuffle ×2"),
        (nn.PixelUnshuffle(2), "PixelUnshuffle /2"),
        (nn.ChannelShuffle(4), "ChannelShuffle g4"),
        (nn.PReLU(), "PReLU"),
        (nn.PReLU(64), "PReLU 64"),
        (nn.ReLU(inplace=True), "ReLU"),
        (nn.Sequential(nn.ReLU()), "Sequential"),
        (nn.Flatten(), "Flatten"),
        (BasicBlock(), "BasicBlock"),
        (PatchEmbed(3, 768, 16, stride=16), "PatchEmbed 3→768 16×16 /16"),
        (parametrizations.weight_norm(nn.Linear(8, 4)), "ParametrizedLinear 8→4"),
    ]


@pytest.mark.parametrize(("layer", "words"), DESCRIBED, ids=[words for _, words in DESCRIBED])
def test_describe(layer: nn.Module, words: str) -> None:
    assert describe(record(layer)) == words


def test_a_subclass_shows_its_own_name_and_its_ancestor_s_shape() -> None:
    layers = pytest.importorskip("timm.layers")
    assert describe(record(layers.BatchNormAct2d(64))) == "BatchNormAct2d 64"
    assert describe(record(layers.LayerNorm2d(64))) == "LayerNorm2d 64"


def test_a_tied_layer_says_so() -> None:
    module = record(nn.Linear(768, 30522, bias=False, device="meta"))
    assert describe(module, [weight("weight", 30522, 768)]) == "Linear 768→30522"
    assert describe(module, [weight("weight", 30522, 768, same_as=0)]) == "Linear 768→30522 tied"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("linear.Linear", {"in_features": None, "out_features": 4}),
        ("conv.Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": (3, None)}),
        ("dropout.Dropout", {"p": "often"}),
        ("upsampling.Upsample", {}),
        ("pooling.MaxPool2d", {}),
    ],
)
def test_settings_that_cannot_be_read_leave_the_class_name(kind: str, settings: dict[str, Value]) -> None:
    name = f"torch.nn.modules.{kind}"
    assert describe(Module("", (name,), tuple(settings.items()))) == kind.rpartition(".")[2]


# --- formulas written out -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (Count(()), "0"),
        (product("C", 1024), "C = 1,024"),
        (product("2 C", 2, 64), "2·C = 2·64 = 128"),
        (product("in out", 78400, 4096), "in·out = 78400·4096 = 321,126,400"),
        (
            product("in out", 78400, 4096) + product("out", 4096),
            "in·out + out = 78400·4096 + 4096 = 321,130,496",
        ),
        (
            product("N Cout Hout Wout Cin/g kh kw", 1, 64, 112, 112, 3, 7, 7),
            "N·Cout·Hout·Wout·Cin/g·kh·kw = 1·64·112·112·3·7·7 = 118,013,952",
        ),
        (product("a", 2) + product("b", 3), "a + b = 2 + 3 = 5"),
        (product(""), "1 = 1"),
        (product("N C", 0, 3), "N·C = 0·3 = 0"),
    ],
)
def test_render_formula(formula: Count, text: str) -> None:
    assert render_formula(formula) == text


@pytest.mark.parametrize(
    ("layer", "own", "text"),
    [
        (
            nn.Conv2d(64, 64, 3, device="meta"),
            "weight bias",
            "kh·kw·Cin/g·Cout + Cout = 3·3·64·64 + 64 = 36,928",
        ),
        (nn.Conv1d(4, 6, 3, device="meta"), "weight", "k·Cin/g·Cout = 3·4·6 = 72"),
        (nn.BatchNorm2d(64), "weight bias", "2·C = 2·64 = 128"),
        (nn.LayerNorm((4, 5)), "weight", "d1·d2 = 4·5 = 20"),
        (nn.ReLU(), "", "0"),
        (
            nn.LSTM(128, 256, device="meta"),
            "",
            "4·H·in + 4·H·H + 2·4·H = 4·256·128 + 4·256·256 + 2·4·256 = 395,264",
        ),
        (
            nn.GRU(8, 4, 3, bias=False, bidirectional=True, device="meta"),
            "",
            "D·3·H·in + D·3·H·H + (L-1)·D·3·H·D·H + (L-1)·D·3·H·H = 2·3·4·8 + 2·3·4·4 + 2·2·3·4·2·4 + 2·2·3·4·4 = 864",
        ),
    ],
)
def test_a_layer_s_parameters_written_out(layer: nn.Module, own: str, text: str) -> None:
    formula = count(record(layer), [weight(name, 1) for name in own.split()]).formula
    assert formula is not None
    assert render_formula(formula) == text


def test_terms_that_repeat_are_written_once() -> None:
    twice = product("N in out", 2, 3, 4) + product("N out out", 2, 4, 4) + product("N in out", 2, 3, 4)
    assert render_formula(twice) == "2·N·in·out + N·out·out = 2·2·3·4 + 2·4·4 = 80"
