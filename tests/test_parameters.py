"""The textbook formulas against the tensors torch really makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, prune

from profiler.figures.parameters import Counted, count
from profiler.ops.layers.kind import NONE, SettingError, Settings, kind
from profiler.records.trace import Module, Tensor, Value, Weight

PLAIN = (int, float, bool, str, type(None))

# --- from a live layer to its record --------------------------------------------------------------------------------


def record(layer: nn.Module) -> tuple[Module, list[Weight]]:
    """A layer as a trace would hold it, without its children."""
    classes = tuple(f"{c.__module__}.{c.__qualname__}" for c in type(layer).__mro__ if c not in (nn.Module, object))
    settings = ((name, value) for name, value in vars(layer).items() if not name.startswith("_") and is_plain(value))
    own = layer.named_parameters(recurse=False, remove_duplicate=False)
    return Module("", classes, tuple(settings)), [weight(name, *p.shape, dtype=p.dtype) for name, p in own]


def is_plain(value: object) -> bool:
    return all(map(is_plain, value)) if isinstance(value, tuple) else isinstance(value, PLAIN)


def weight(name: str, *shape: int, dtype: torch.dtype | str = torch.float32, same_as: int | None = None) -> Weight:
    return Weight(0, name, Tensor(tuple(shape), str(dtype).removeprefix("torch.")), 0, True, same_as=same_as)


def counted(layer: nn.Module) -> Counted:
    return count(*record(layer))


def numel(layer: nn.Module) -> int:
    """What the layer's own tensors hold, by torch's own account."""
    return sum(p.numel() for p in layer.parameters(recurse=False))


# --- the table: every layer of torch.nn -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    build: Callable[[], nn.Module]
    cls: type[nn.Module]
    counts: int
    label: str


def row(cls: type[nn.Module], *args: Any, counts: int, feed: tuple[int, ...] | None = None, **settings: Any) -> Row:
    """A layer and its parameter count. A lazy layer is made real by a tensor of the shape `feed`."""

    def build() -> nn.Module:
        with torch.device("meta"):
            layer = cls(*args, **settings)
            if feed:
                layer(torch.empty(feed))
        return layer

    words = [*map(str, args), *(f"{name}={value}" for name, value in settings.items())]
    return Row(build, cls, counts, f"{cls.__name__}({', '.join(words)})" if len(str(words)) < 99 else cls.__name__)


WITH_PARAMETERS = [
    # Convolutions: (kernel * input channels of a group + bias) * output channels.
    row(nn.Conv1d, 4, 6, 3, counts=(3 * 4 + 1) * 6),
    row(nn.Conv1d, 4, 6, 3, bias=False, counts=3 * 4 * 6),
    row(nn.Conv2d, 3, 96, 11, counts=(3 * 11 * 11 + 1) * 96),
    row(nn.Conv2d, 3, 64, 7, stride=2, padding=3, bias=False, counts=3 * 7 * 7 * 64),
    row(nn.Conv2d, 64, 64, 3, counts=(3 * 3 * 64 + 1) * 64),
    row(nn.Conv2d, 8, 12, (3, 5), groups=4, counts=(3 * 5 * 2 + 1) * 12),
    row(nn.Conv2d, 32, 32, 3, groups=32, bias=False, counts=3 * 3 * 32),
    row(nn.Conv2d, 8, 8, 3, dilation=2, padding="same", padding_mode="circular", counts=(3 * 3 * 8 + 1) * 8),
    row(nn.Conv3d, 3, 5, (1, 2, 3), counts=(1 * 2 * 3 * 3 + 1) * 5),
    row(nn.ConvTranspose1d, 6, 4, 3, counts=3 * 6 * 4 + 4),
    row(nn.ConvTranspose2d, 64, 32, 2, stride=2, counts=2 * 2 * 64 * 32 + 32),
    row(nn.ConvTranspose2d, 64, 32, 2, groups=8, bias=False, counts=2 * 2 * 64 * 4),
    row(nn.ConvTranspose3d, 6, 4, 3, groups=2, counts=3 * 3 * 3 * 6 * 2 + 4),
    row(nn.LazyConv1d, 6, 3, feed=(1, 4, 9), counts=(3 * 4 + 1) * 6),
    row(nn.LazyConv2d, 6, 3, feed=(1, 4, 9, 9), counts=(3 * 3 * 4 + 1) * 6),
    row(nn.LazyConv3d, 6, 3, bias=False, feed=(1, 4, 9, 9, 9), counts=3 * 3 * 3 * 4 * 6),
    row(nn.LazyConvTranspose1d, 6, 3, feed=(1, 4, 9), counts=3 * 4 * 6 + 6),
    row(nn.LazyConvTranspose2d, 6, 3, feed=(1, 4, 9, 9), counts=3 * 3 * 4 * 6 + 6),
    row(nn.LazyConvTranspose3d, 6, 3, feed=(1, 4, 9, 9, 9), counts=3 * 3 * 3 * 4 * 6 + 6),
    # Matrices.
    row(nn.Linear, 78400, 4096, counts=(78400 + 1) * 4096),
    row(nn.Linear, 512, 1000, bias=False, counts=512 * 1000),
    row(nn.LazyLinear, 7, feed=(2, 5), counts=(5 + 1) * 7),
    row(nn.Bilinear, 20, 30, 40, counts=(20 * 30 + 1) * 40),
    row(nn.Bilinear, 20, 30, 40, bias=False, counts=20 * 30 * 40),
    row(nn.Embedding, 30522, 768, padding_idx=0, counts=30522 * 768),
    row(nn.EmbeddingBag, 1000, 64, mode="sum", counts=1000 * 64),
    # Norms: scale and shift; running statistics are buffers.
    row(nn.BatchNorm1d, 10, counts=2 * 10),
    row(nn.BatchNorm2d, 64, counts=2 * 64),
    row(nn.BatchNorm2d, 64, affine=False, counts=0),
    row(nn.BatchNorm2d, 64, track_running_stats=False, counts=2 * 64),
    row(nn.BatchNorm3d, 10, counts=2 * 10),
    row(nn.SyncBatchNorm, 10, counts=2 * 10),
    row(nn.LazyBatchNorm1d, feed=(2, 4, 9), counts=2 * 4),
    row(nn.LazyBatchNorm2d, feed=(2, 4, 9, 9), counts=2 * 4),
    row(nn.LazyBatchNorm3d, feed=(2, 4, 9, 9, 9), counts=2 * 4),
    row(nn.InstanceNorm1d, 10, counts=0),
    row(nn.InstanceNorm2d, 10, affine=True, counts=2 * 10),
    row(nn.InstanceNorm3d, 10, affine=True, counts=2 * 10),
    row(nn.LazyInstanceNorm1d, affine=True, feed=(2, 4, 9), counts=2 * 4),
    row(nn.LazyInstanceNorm2d, affine=True, feed=(2, 4, 9, 9), counts=2 * 4),
    row(nn.LazyInstanceNorm3d, affine=False, feed=(2, 4, 9, 9, 9), counts=0),
    row(nn.GroupNorm, 32, 256, counts=2 * 256),
    row(nn.GroupNorm, 32, 256, affine=False, counts=0),
    row(nn.LayerNorm, 768, counts=2 * 768),
    row(nn.LayerNorm, (3, 4, 5), counts=2 * 3 * 4 * 5),
    row(nn.LayerNorm, 768, bias=False, counts=768),
    row(nn.LayerNorm, 768, elementwise_affine=False, counts=0),
    row(nn.RMSNorm, (4, 5), counts=4 * 5),
    row(nn.RMSNorm, 768, elementwise_affine=False, counts=0),
    # Recurrent layers: gates * hidden * (input + state + two biases).
    row(nn.RNN, 10, 20, counts=20 * (10 + 20 + 2)),
    row(nn.RNN, 10, 20, nonlinearity="relu", bias=False, counts=20 * (10 + 20)),
    row(nn.GRU, 10, 20, counts=3 * 20 * (10 + 20 + 2)),
    row(nn.GRU, 10, 20, 2, bidirectional=True, counts=2 * 3 * 20 * ((10 + 20 + 2) + (2 * 20 + 20 + 2))),
    row(nn.LSTM, 128, 256, counts=4 * 256 * (128 + 256 + 2)),
    row(nn.LSTM, 128, 256, 3, counts=4 * 256 * ((128 + 256 + 2) + 2 * (256 + 256 + 2))),
    row(nn.LSTM, 128, 256, 2, bias=False, batch_first=True, counts=4 * 256 * ((128 + 256) + (256 + 256))),
    row(nn.LSTM, 10, 20, proj_size=5, counts=4 * 20 * (10 + 5 + 2) + 20 * 5),
    row(
        nn.LSTM, 10, 20, 3, bidirectional=True, proj_size=5,
        counts=2 * (4 * 20 * (10 + 5 + 2) + 20 * 5) + 2 * 2 * (4 * 20 * (2 * 5 + 5 + 2) + 20 * 5),
    ),
    row(nn.RNNBase, "GRU", 10, 20, counts=3 * 20 * (10 + 20 + 2)),
    row(nn.RNNCell, 10, 20, counts=20 * (10 + 20 + 2)),
    row(nn.RNNCell, 10, 20, bias=False, counts=20 * (10 + 20)),
    row(nn.LSTMCell, 10, 20, counts=4 * 20 * (10 + 20 + 2)),
    row(nn.GRUCell, 10, 20, counts=3 * 20 * (10 + 20 + 2)),
    # Attention: three projections; the fourth, out_proj, is a child.
    row(nn.MultiheadAttention, 768, 12, counts=3 * (768 + 1) * 768),
    row(nn.MultiheadAttention, 768, 12, bias=False, counts=3 * 768 * 768),
    row(nn.MultiheadAttention, 64, 4, kdim=48, counts=64 * (64 + 48 + 64) + 3 * 64),
    row(nn.MultiheadAttention, 64, 4, kdim=48, vdim=32, bias=False, counts=64 * (64 + 48 + 32)),
    row(nn.MultiheadAttention, 64, 4, add_bias_kv=True, counts=3 * (64 + 1) * 64 + 2 * 64),
    row(nn.PReLU, counts=1),
    row(nn.PReLU, 64, counts=64),
]  # fmt: skip

ACTIVATIONS = (
    "CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid LogSoftmax Mish RReLU ReLU "
    "ReLU6 SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink"
)
DROPOUTS = "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout"
LOSSES = (
    "BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss HingeEmbeddingLoss "
    "HuberLoss KLDivLoss L1Loss MSELoss MarginRankingLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss "
    "MultiMarginLoss NLLLoss PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss "
    "TripletMarginWithDistanceLoss"
)
POOLS = [f"{kind}Pool{rank}d" for kind in ("Max", "Avg") for rank in (1, 2, 3)]
ADAPTIVE_POOLS = [f"Adaptive{pool}" for pool in POOLS]
UNPOOLS = [f"MaxUnpool{rank}d" for rank in (1, 2, 3)]
PADS = [f"{kind}Pad{rank}d" for kind in ("Zero", "Reflection", "Replication", "Circular") for rank in (1, 2, 3)]


def named(names: str | list[str], *args: Any, **settings: Any) -> list[Row]:
    names = names.split() if isinstance(names, str) else names
    return [row(getattr(nn, name), *args, counts=0, **settings) for name in names]


WITHOUT_PARAMETERS = [
    *named(ACTIVATIONS + " " + DROPOUTS + " " + LOSSES),
    *named("Identity Flatten CosineSimilarity PairwiseDistance Sequential ModuleList ModuleDict ParameterList"),
    *named("ParameterDict"),
    *named(POOLS + ADAPTIVE_POOLS + UNPOOLS, 2),
    *named(PADS, 1),
    *named("ConstantPad1d ConstantPad2d ConstantPad3d", 1, 0.5),
    *named("LPPool1d LPPool2d LPPool3d", 2, 3),
    *named("FractionalMaxPool2d FractionalMaxPool3d", 3, output_ratio=0.5),
    *named("PixelShuffle PixelUnshuffle ChannelShuffle", 2),
    *named("Upsample UpsamplingNearest2d UpsamplingBilinear2d", scale_factor=2),
    *named("LocalResponseNorm CrossMapLRN2d", 5),
    *named("Threshold", 0.1, 20.0),
    *named("Unfold", 3),
    *named("Fold", 4, 3),
    *named("Unflatten", 1, (2, 3)),
    # Of their own: their parameters are their children's.
    *named("LinearCrossEntropyLoss", 8, 5),
    *named("AdaptiveLogSoftmaxWithLoss", 16, 20, [5, 10]),
    *named("TransformerEncoderLayer TransformerDecoderLayer", 8, 2),
    *named("Transformer", 8, 2, 1, 1, 16, batch_first=True),
    *named("TransformerEncoder", nn.TransformerEncoderLayer(8, 2, 16), 1, enable_nested_tensor=False),
    *named("TransformerDecoder", nn.TransformerDecoderLayer(8, 2, 16), 1),
]

ELSEWHERE = {
    nn.Module: "every layer's ancestor, no kind; test_a_class_of_ones_own",
    nn.Container: "deprecated since 2017, warns when built",
    nn.NLLLoss2d: "deprecated name of NLLLoss, warns when built",
    nn.DataParallel: "moves its module to a GPU if there is one; test_a_wrapper_has_nothing_of_its_own",
    nn.RNNCellBase: "no kind: how many gates it has is not a setting; test_an_abstract_cell_has_no_formula",
}

LAYERS = WITH_PARAMETERS + WITHOUT_PARAMETERS


@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.label)
def test_formula_of_every_torch_nn_layer(row: Row) -> None:
    layer = row.build()
    result = counted(layer)
    assert result.formula == row.counts
    assert result.actual == numel(layer) == row.counts
    assert result.agrees is True
    assert result.remark == ""
    assert result.kind == type(layer).__name__


def test_every_class_of_torch_nn_is_in_the_table_or_has_a_reason() -> None:
    exported = {c for c in vars(nn).values() if isinstance(c, type) and issubclass(c, nn.Module)}
    tabled = {row.cls for row in LAYERS}
    assert exported - tabled == set(ELSEWHERE)


def test_published_numbers() -> None:
    """DESIGN.md, "Worked numbers that must come out exactly"."""
    values = {row.label: counted(row.build()).formula for row in WITH_PARAMETERS}
    assert values["Linear(78400, 4096)"] == 321_130_496
    assert values["Conv2d(3, 96, 11)"] == 34_944
    assert values["BatchNorm2d(64)"] == 128


# --- laws -----------------------------------------------------------------------------------------------------------


@st.composite
def convolutions(draw: st.DrawFn) -> nn.Module:
    """Any convolution: `Conv2d(6, 4, (3, 1), groups=2, bias=False)`, `ConvTranspose1d(5, 5, (2,))`."""
    rank, groups = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    cls = getattr(nn, f"{draw(st.sampled_from(['Conv', 'ConvTranspose']))}{rank}d")
    ins, outs = (groups * draw(st.integers(1, 5)) for _ in range(2))
    kernel = draw(st.one_of(st.integers(1, 7), st.tuples(*[st.integers(1, 7)] * rank)))
    layer = cls(ins, outs, kernel, draw(st.integers(1, 3)), groups=groups, bias=draw(st.booleans()), device="meta")
    assert isinstance(layer, nn.Module)
    return layer


@given(convolutions())
def test_any_convolution(layer: nn.Module) -> None:
    assert counted(layer).formula == numel(layer)


@st.composite
def recurrent_layers(draw: st.DrawFn) -> nn.Module:
    """Any recurrent layer: `LSTM(3, 5, 2, bias=False, bidirectional=True, proj_size=4)`, `GRU(1, 2, 1)`."""
    cls = draw(st.sampled_from([nn.RNN, nn.LSTM, nn.GRU]))
    ins, hidden, layers = draw(st.integers(1, 9)), draw(st.integers(2, 9)), draw(st.integers(1, 4))
    projection = {"proj_size": draw(st.integers(0, hidden - 1))} if cls is nn.LSTM else {}
    flags = {"bias": draw(st.booleans()), "bidirectional": draw(st.booleans())}
    layer: nn.Module = cls(ins, hidden, layers, device="meta", **flags, **projection)
    return layer


@given(recurrent_layers())
def test_any_recurrent_layer(layer: nn.Module) -> None:
    assert counted(layer).formula == numel(layer)


@st.composite
def attentions(draw: st.DrawFn) -> nn.Module:
    """Any attention: `MultiheadAttention(6, 2, kdim=5, vdim=6, bias=False, add_bias_kv=True)`."""
    heads, width, keys, values = (draw(st.integers(1, 6)) for _ in range(4))
    flags = {"bias": draw(st.booleans()), "add_bias_kv": draw(st.booleans())}
    return nn.MultiheadAttention(heads * width, heads, kdim=keys, vdim=values, device="meta", **flags)


@given(attentions())
def test_any_attention(layer: nn.Module) -> None:
    assert counted(layer).formula == numel(layer)


@given(st.integers(1, 64), st.integers(1, 64), st.booleans())
def test_a_1x1_convolution_has_the_parameters_of_a_linear_layer(ins: int, outs: int, bias: bool) -> None:
    convolution = nn.Conv2d(ins, outs, 1, bias=bias, device="meta")
    assert counted(convolution).formula == counted(nn.Linear(ins, outs, bias, device="meta")).formula


@given(st.integers(1, 6), st.integers(1, 6))
def test_groups_divide_the_weights(groups: int, width: int) -> None:
    whole, grouped = (
        counted(nn.Conv2d(groups * width, groups * width, 3, groups=g, bias=False, device="meta")).formula
        for g in (1, groups)
    )
    assert whole is not None
    assert grouped is not None
    assert whole == groups * grouped


# --- subclasses ---------------------------------------------------------------------------------------------------


class Scaled(nn.Conv2d):
    """A convolution with a parameter of its own."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.gain = nn.Parameter(torch.empty(self.out_channels, 1, 1, 1))


class Learned(nn.ReLU):
    """An activation that learns, which no textbook's ReLU does."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))


class Backbone(nn.Sequential):
    """A container with a token of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(1, 1, 768))


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(7))


class Slope(nn.PReLU):
    """Nearer to PReLU than to the file of activations, which has no parameters."""


def test_a_subclass_is_counted_as_its_ancestor() -> None:
    timm_layers = pytest.importorskip("timm.layers")
    result = counted(timm_layers.BatchNormAct2d(64))
    assert result == Counted("BatchNorm2d", counted(nn.BatchNorm2d(64)).formula, 2 * 64)
    assert counted(Slope(5)) == Counted("PReLU", counted(nn.PReLU(5)).formula, 5)


def test_a_parameter_more_than_the_textbook() -> None:
    result = counted(Scaled(3, 8, 3))
    assert (result.kind, result.formula, result.actual, result.agrees) == ("Conv2d", 224, 224 + 8, False)
    assert (
        result.remark == "the tensors hold 232, the formula 224: it holds gain (8) besides what a textbook Conv2d holds"
    )
    assert (
        counted(Learned()).remark
        == "the tensors hold 3, the formula 0: it holds weight (3) besides what a textbook ReLU holds"
    )


def test_a_class_of_ones_own() -> None:
    unknown = "Own has no textbook formula: counted from its tensors alone"
    assert counted(Own()) == Counted("Own", None, 7, unknown)
    assert counted(Own()).agrees is None
    assert counted(Backbone()).agrees is None
    assert counted(nn.ParameterList([torch.empty(2, 3)])).formula is None
    assert count(Module("", ("mine.Block",), ()), []) == Counted("Block", None, 0, "")


def test_an_abstract_cell_has_no_formula() -> None:
    assert counted(nn.RNNCellBase(3, 4, True, 2)) == Counted(
        "RNNCellBase", None, 2 * 4 * (3 + 4 + 2), "RNNCellBase has no textbook formula: counted from its tensors alone"
    )


def test_a_wrapper_has_nothing_of_its_own() -> None:
    wrapper = Module("", ("torch.nn.parallel.data_parallel.DataParallel",), (("dim", 0),))
    assert count(wrapper, []) == Counted("DataParallel", NONE, 0)


# --- layers somebody rewrote ------------------------------------------------------------------------------------------


def test_a_pruned_layer_still_agrees() -> None:
    layer = nn.Linear(6, 4)
    for name in ("weight", "bias"):
        prune.random_unstructured(layer, name, 0.5)  # type: ignore[no-untyped-call]
    result = counted(layer)
    assert result.agrees is True
    assert result.formula == result.actual == (6 + 1) * 4
    assert result.remark == (
        "computed from weight_orig, bias_orig (pruned or normalised); elements that a mask zeroes count too"
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_hook_based_norms() -> None:
    assert counted(nn.utils.spectral_norm(nn.Conv2d(3, 8, 3))).agrees is True
    result = counted(nn.utils.weight_norm(nn.Conv2d(3, 8, 3)))
    assert (result.formula, result.actual) == ((3 * 3 * 3 + 1) * 8, (3 * 3 * 3 + 1) * 8 + 8)
    assert result.remark == (
        "the tensors hold 232, the formula 224: weight norm keeps a length weight_g beside the direction weight_v"
    )


@pytest.mark.parametrize("normalise", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_parametrised_layer_leaves_its_weight_to_its_child(normalise: Callable[[nn.Module], nn.Module]) -> None:
    layer = normalise(nn.Conv2d(64, 64, 3))
    result = counted(layer)
    assert (result.kind, result.formula, result.actual) == ("Conv2d", (3 * 3 * 64 + 1) * 64, 64)
    assert result.remark == (
        "the tensors hold 64, the formula 36,928: it is parametrised, its child parametrizations holds what its tensors"
        " are computed from"
    )
    child = layer.get_submodule("parametrizations.weight")
    assert counted(child).agrees is None
    assert counted(child).actual >= 3 * 3 * 64 * 64


def test_packed_quantised_weights() -> None:
    module, _ = record(nn.Linear(64, 10))
    result = count(module, [weight("weight", 320, 1, dtype="uint8"), weight("bias", 10)])
    assert result.remark == (
        "the tensors hold 330, the formula 650: it stores uint8, which may pack several quantised weights into one"
        " element"
    )


def test_missing_or_replaced_tensors() -> None:
    module, own = record(nn.Linear(64, 10))
    assert count(module, []).remark == (
        "the tensors hold 0, the formula 640: it has no parameters of its own, they were removed, made buffers or moved"
        " to another module"
    )
    assert count(module, [weight("weight", 5, 64)]).remark.endswith("(replaced, resized or sharded)")
    assert count(module, own).agrees is True


def test_a_tied_weight_counts_and_says_so() -> None:
    module, _ = record(nn.Linear(64, 10, bias=False))
    result = count(module, [weight("weight", 10, 64, same_as=0)])
    assert (result.actual, result.agrees) == (640, True)
    assert result.remark == "weight shared with an earlier layer, where the totals count it"


@pytest.mark.parametrize("value", [None, "64", (64, "x"), (64,)])
def test_a_setting_that_cannot_be_read_is_not_guessed(value: Value) -> None:
    module = Module("", ("torch.nn.modules.linear.Linear",), (("in_features", value), ("out_features", 10)))
    result = count(module, [weight("weight", 10, 64)])
    assert (result.formula, result.actual, result.agrees) == (None, 640, None)
    assert result.remark == "its setting in_features is no plain value: counted from its tensors"


def test_the_formula_is_read_from_the_settings_not_from_the_tensors() -> None:
    """So that the check can fail: one wrong setting, and formula and tensors part."""
    for row in WITH_PARAMETERS:
        module, own = record(row.build())
        for name, value in module.attributes:
            if name in {"out_channels", "out_features", "hidden_size", "embed_dim", "num_embeddings", "num_parameters"}:
                wrong = tuple((n, 2 * v if n == name and isinstance(v, int) else v) for n, v in module.attributes)
                assert count(Module("", module.classes, wrong), own).agrees is False, (row.label, name, value)


# --- the parts ------------------------------------------------------------------------------------------------------


def test_a_formula_knows_its_factors() -> None:
    formula = counted(nn.Conv2d(64, 128, 3, groups=2)).formula
    assert formula is not None
    assert formula.terms == ((("kh", 3), ("kw", 3), ("Cin/g", 32), ("Cout", 128)), (("Cout", 128),))
    assert formula + NONE == formula


def test_a_second_formula_for_a_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="Conv2d is registered as a kind of layer already"):
        kind("torch.nn.modules.conv.Conv2d", parameters=lambda a, names: NONE)


def test_settings() -> None:
    settings = Settings({"kernel_size": 3, "stride": (2, 1), "mode": "nearest", "affine": False})
    assert settings.sizes("kernel_size", 2) == (3, 3)
    assert settings.sizes("stride", 2) == (2, 1)
    assert settings.flag("affine") is False
    for read in (settings.number, settings.sizes):
        with pytest.raises(SettingError, match="mode"):
            read("mode")


# --- whole models -----------------------------------------------------------------------------------------------------


def everything(model: nn.Module) -> Iterator[Counted]:
    return map(counted, model.modules())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("alexnet", 61_100_840), ("resnet34", 21_797_672), ("vit_b_16", 86_567_656), ("convnext_tiny", 28_589_128)],
)
def test_torchvision_models(name: str, parameters: int) -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        layers = list(everything(models.get_model(name)))
    assert sum(layer.actual for layer in layers) == parameters
    assert [layer for layer in layers if layer.agrees is False] == []
    assert sum(layer.formula or 0 for layer in layers if layer.formula is not None) > 0.95 * parameters


def test_timm_model_with_subclassed_layers() -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        model = timm.create_model("dpn48b")
    layers = list(everything(model))
    assert sum(layer.actual for layer in layers) == sum(p.numel() for p in model.parameters())
    assert {layer.kind for layer in layers if layer.agrees} >= {"Conv2d", "BatchNorm2d"}
    assert [layer for layer in layers if layer.agrees is False] == []
