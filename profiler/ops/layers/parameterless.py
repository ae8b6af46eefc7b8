"""How are layers without parameters described? Activations, pooling, dropout, resampling, losses; and PReLU."""

from __future__ import annotations

from profiler.ops.cost import Count, product
from profiler.ops.layers.kind import NONE, Arguments, Names, Settings, joined, kind, torch_nn
from profiler.ops.layers.window import rank, window
from profiler.records.trace import Value


def _none(a: Settings, names: Names) -> Count:
    return NONE


for _file in (
    "activation", "pooling", "dropout", "padding", "flatten", "fold", "upsampling", "pixelshuffle", "channelshuffle",
    "distance", "loss",
):  # fmt: skip
    kind(*torch_nn(_file), parameters=_none)
kind(*torch_nn("linear", "Identity"), parameters=_none)
kind(*torch_nn("normalization", "LocalResponseNorm CrossMapLRN2d"), words="{size}", parameters=_none)


# Activations ----------------------------------------------------------------------------------------------------------


def _slopes(a: Settings, names: Names) -> Count:
    """One slope for all channels, or one for each (He et al. 2015, arXiv:1502.01852)."""
    return product("slopes", a.number("num_parameters"))


def _prelu_words(a: Settings, name: str) -> str:
    return a["num_parameters"] if a.number("num_parameters") > 1 else ""


kind(*torch_nn("activation", "PReLU"), words=_prelu_words, parameters=_slopes)


# Pooling --------------------------------------------------------------------------------------------------------------


def _adaptive_words(a: Settings, name: str) -> str:
    """A dimension left to the input is written "in"."""
    size = a.values.get("output_size")
    sizes = size if isinstance(size, tuple) else (size,) * rank(name)
    return "→" + "×".join("in" if item is None else str(item) for item in sizes)


def _pool_settings(call: Arguments) -> dict[str, Value]:
    kernel = call.get("kernel_size")
    stride = call.get("stride") or kernel
    return {"kernel_size": kernel, "stride": stride, "padding": call.get("padding", 0)}


for _name, _operator in (("Max", "max"), ("Avg", "avg")):
    for _d in (1, 2, 3):
        _operators = (f"aten.{_operator}_pool{_d}d", f"aten.{_operator}_pool{_d}d_with_indices")
        kind(
            *torch_nn("pooling", f"{_name}Pool{_d}d"),
            words=window,
            operators=dict.fromkeys(_operators, "self kernel_size stride padding"),
            settings=_pool_settings,
        )
        kind(
            *torch_nn("pooling", f"Adaptive{_name}Pool{_d}d"),
            words=_adaptive_words,
            operators={f"aten.adaptive_{_operator}_pool{_d}d": "_ output_size"},
        )
kind(
    *torch_nn("pooling", "LPPool1d LPPool2d LPPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d"),
    *torch_nn("pooling", "FractionalMaxPool2d FractionalMaxPool3d"),
    *torch_nn("fold", "Fold Unfold"),
    words=window,
)


# Dropout, resampling --------------------------------------------------------------------------------------------------


def _upsample_words(a: Settings, name: str) -> str:
    """The mode is left out where the class's name gives it."""
    extent = "→{size}" if a.values.get("size") is not None else "×{scale_factor}"
    return joined(extent.format_map(a), a.text("mode") if name == "Upsample" else "")


kind(*torch_nn("dropout", "Dropout"), words="{p}", operators={"aten.dropout": "_ p"})
kind(*torch_nn("dropout", "Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout"), words="{p}")
kind(*torch_nn("upsampling", "Upsample UpsamplingNearest2d UpsamplingBilinear2d"), words=_upsample_words)
kind(*torch_nn("pixelshuffle", "PixelShuffle"), words="×{upscale_factor}")
kind(*torch_nn("pixelshuffle", "PixelUnshuffle"), words="/{downscale_factor}")
kind(*torch_nn("channelshuffle", "ChannelShuffle"), words="g{groups}")
