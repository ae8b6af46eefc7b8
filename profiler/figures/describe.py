"""A layer in a few words for a narrow table ("Conv2d 64→128 3×3 /2"), and a count as its formula.

The words are a layer's class name and what its nearest known ancestor in torch.nn is usually told apart by. `/2` is a
stride (left out when 1), `d2` a dilation, `g32` groups, `k3` a kernel in one dimension, `→` leads to the output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TypeAlias

from profiler.figures.parameters import SettingError, Settings, textbook_classes, torch_nn
from profiler.ops.cost import Count, Factors
from profiler.records.trace import Module, Value, Weight

# Takes a layer's settings and the name of the textbook kind it is or extends ("MaxPool2d").
Shape: TypeAlias = Callable[[Settings, str], str]

_shapes: dict[str, Shape] = {}

# MultiheadAttention's output projection: a Linear in all but the quantiser's eyes.
ALIASES = {"NonDynamicallyQuantizableLinear": "Linear"}


def shape_of(file: str, classes: str) -> Callable[[Shape], Shape]:
    """Register how the shape of torch.nn classes is written."""

    def register(function: Shape) -> Shape:
        for name in torch_nn(file, classes):
            if name in _shapes:
                raise ValueError(f"{name} has a description already")
            _shapes[name] = function
        return function

    return register


def describe(module: Module, own: Sequence[Weight] = ()) -> str:
    """A layer's class with its shape; "tied" when one of its own parameters belongs to an earlier layer."""
    tied = "tied" if any(weight.same_as is not None for weight in own) else ""
    return _words(ALIASES.get(module.kind, module.kind), _shape(module), tied)


def _shape(module: Module) -> str:
    name = next((name for name in textbook_classes(module) if name in _shapes), None)
    if name is None:
        return ""
    try:
        return _shapes[name](Settings(dict(module.attributes)), name.rpartition(".")[2])
    except SettingError:
        return ""


def render_formula(count: Count) -> str:
    """A count as "names = numbers = result": "in·out + out = 4096·1000 + 1000 = 4,097,000".

    A term that occurs twice is written once, with a 2. Products bind tighter than sums, so nothing needs brackets. A
    lone number is written once, and so is nothing: "0".
    """
    result = f"{int(count):,}"
    if not count.terms:
        return result
    terms = Counter(count.terms)  # the layers of a recurrent network repeat theirs
    names = " + ".join(_product(_times(n) + [name for name, _ in term]) for term, n in terms.items())
    if _is_lone(count.terms):
        return f"{names} = {result}"
    numbers = " + ".join(_product(_times(n) + [str(value) for _, value in term]) for term, n in terms.items())
    return f"{names} = {numbers} = {result}"


def _times(n: int) -> list[str]:
    return [] if n == 1 else [str(n)]


def _product(factors: Sequence[str]) -> str:
    return "·".join(factors) or "1"


def _is_lone(terms: tuple[Factors, ...]) -> bool:
    return len(terms) == 1 and len(terms[0]) <= 1


# --- shapes -------------------------------------------------------------------------------------------------------


@shape_of("conv", "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d")
def convolution(a: Settings, kind: str) -> str:
    channels = f"{a.number('in_channels')}→{a.number('out_channels')}"
    return _words(channels, _kernel(a, kind), _stride(a, kind), _groups(a), _dilation(a, kind))


@shape_of("pooling", "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d LPPool3d")
@shape_of("pooling", "MaxUnpool1d MaxUnpool2d MaxUnpool3d FractionalMaxPool2d FractionalMaxPool3d")
@shape_of("fold", "Fold Unfold")
def window(a: Settings, kind: str) -> str:
    return _words(_kernel(a, kind), _stride(a, kind), _dilation(a, kind))


@shape_of("pooling", "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d")
@shape_of("pooling", "AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d")
def adaptive_pool(a: Settings, kind: str) -> str:
    """A dimension left to the input is written "in"."""
    size = a.values.get("output_size")
    sizes = size if isinstance(size, tuple) else (size,) * _rank(kind)
    return "→" + _by("in" if item is None else str(item) for item in sizes)


@shape_of("linear", "Linear")
def linear(a: Settings, kind: str) -> str:
    return f"{a.number('in_features')}→{a.number('out_features')}"


@shape_of("linear", "Bilinear")
def bilinear(a: Settings, kind: str) -> str:
    return f"{a.number('in1_features')}×{a.number('in2_features')}→{a.number('out_features')}"


@shape_of("batchnorm", "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm")
@shape_of("instancenorm", "InstanceNorm1d InstanceNorm2d InstanceNorm3d")
def channel_norm(a: Settings, kind: str) -> str:
    return str(a.number("num_features"))


@shape_of("normalization", "GroupNorm")
def group_norm(a: Settings, kind: str) -> str:
    return f"{a.number('num_channels')} g{a.number('num_groups')}"


@shape_of("normalization", "LayerNorm RMSNorm")
def layer_norm(a: Settings, kind: str) -> str:
    return _by(map(str, a.sizes("normalized_shape")))


@shape_of("normalization", "LocalResponseNorm CrossMapLRN2d")
def response_norm(a: Settings, kind: str) -> str:
    return str(a.number("size"))


@shape_of("sparse", "Embedding EmbeddingBag")
def embedding(a: Settings, kind: str) -> str:
    return _words(f"{a.number('num_embeddings')}×{a.number('embedding_dim')}", _text(a, "mode"))


@shape_of("rnn", "RNN LSTM GRU RNNBase")
def recurrent(a: Settings, kind: str) -> str:
    layers, projection = a.number("num_layers"), a.number("proj_size")
    return _words(
        recurrent_cell(a, kind),
        f"×{layers}" if layers > 1 else "",
        "bidirectional" if a.flag("bidirectional") else "",
        f"proj {projection}" if projection else "",
    )


@shape_of("rnn", "RNNCell LSTMCell GRUCell RNNCellBase")
def recurrent_cell(a: Settings, kind: str) -> str:
    return f"{a.number('input_size')}→{a.number('hidden_size')}"


@shape_of("activation", "MultiheadAttention")
def attention(a: Settings, kind: str) -> str:
    width, keys, values, heads = (a.number(name) for name in ("embed_dim", "kdim", "vdim", "num_heads"))
    own_widths = "" if keys == values == width else f", k {keys}, v {values}"
    return f"{width}, {heads} head{'s' if heads > 1 else ''}{own_widths}"


@shape_of("activation", "PReLU")
def prelu(a: Settings, kind: str) -> str:
    slopes = a.number("num_parameters")
    return str(slopes) if slopes > 1 else ""


@shape_of("dropout", "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout")
def dropout(a: Settings, kind: str) -> str:
    return _short(a.values.get("p"))


@shape_of("upsampling", "Upsample UpsamplingNearest2d UpsamplingBilinear2d")
def upsample(a: Settings, kind: str) -> str:
    """The mode is left out where the class's name gives it."""
    size, scale = a.values.get("size"), a.values.get("scale_factor")
    extent = f"→{_short(size)}" if size is not None else f"×{_short(scale)}"
    return _words(extent, _text(a, "mode") if kind == "Upsample" else "")


@shape_of("pixelshuffle", "PixelShuffle")
def pixel_shuffle(a: Settings, kind: str) -> str:
    return f"×{a.number('upscale_factor')}"


@shape_of("pixelshuffle", "PixelUnshuffle")
def pixel_unshuffle(a: Settings, kind: str) -> str:
    return f"/{a.number('downscale_factor')}"


@shape_of("channelshuffle", "ChannelShuffle")
def channel_shuffle(a: Settings, kind: str) -> str:
    return f"g{a.number('groups')}"


# --- words --------------------------------------------------------------------------------------------------------


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def _by(words: Iterable[str]) -> str:
    return "×".join(words)


def _rank(kind: str) -> int:
    """The number of dimensions a kind works in: 3 for "MaxPool3d"; Fold and Unfold work on images."""
    return int(kind[-2]) if kind.endswith(("1d", "2d", "3d")) else 2


def _kernel(a: Settings, kind: str) -> str:
    kernel = a.sizes("kernel_size", _rank(kind))
    return _by(map(str, kernel)) if len(kernel) > 1 else f"k{kernel[0]}"


def _stride(a: Settings, kind: str) -> str:
    """Some pooling layers keep None for "as far as the kernel reaches"; FractionalMaxPool has no stride at all."""
    if "stride" not in a.values:
        return ""
    name = "kernel_size" if a.values["stride"] is None else "stride"
    return _unless_one("/", a.sizes(name, _rank(kind)))


def _dilation(a: Settings, kind: str) -> str:
    return _unless_one("d", a.sizes("dilation", _rank(kind))) if "dilation" in a.values else ""


def _unless_one(sign: str, sizes: tuple[int, ...]) -> str:
    """The sign and the sizes: "/2" for (2, 2), "/2×1" for (2, 1), nothing for (1, 1)."""
    if prod(sizes) == 1:
        return ""
    return sign + (str(sizes[0]) if len(set(sizes)) == 1 else _by(map(str, sizes)))


def _groups(a: Settings) -> str:
    groups = a.number("groups")
    if groups == 1:
        return ""
    return "depthwise" if groups == a.number("in_channels") == a.number("out_channels") else f"g{groups}"


def _text(a: Settings, name: str) -> str:
    value = a.values.get(name)
    return value if isinstance(value, str) else ""


def _short(value: Value) -> str:
    """A number without trailing zeros (2.0 is "2"), a tuple as "2×3", anything else as nothing known."""
    if isinstance(value, tuple):
        return _by(map(_short, value))
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, int):
        raise SettingError("size")
    return str(value)
