"""How is a convolution described, and which parameters should it have?"""

from __future__ import annotations

from profiler.ops.cost import Count, product
from profiler.ops.layers.kind import Arguments, Names, Settings, bias, joined, kind, shape_of, torch_nn
from profiler.ops.layers.window import dilation, kernel, stride
from profiler.records.trace import Value


def _words(a: Settings, name: str) -> str:
    channels = f"{a.number('in_channels')}→{a.number('out_channels')}"
    return joined(channels, kernel(a, name), stride(a, name), _groups(a), dilation(a, name))


def _groups(a: Settings) -> str:
    groups = a.number("groups")
    if groups == 1:
        return ""
    return "depthwise" if groups == a.number("in_channels") == a.number("out_channels") else f"g{groups}"


_KERNEL = {1: "k", 2: "kh kw", 3: "kd kh kw"}


def _weights(a: Settings, names: Names, channels: str, ins: int, outs: int) -> Count:
    sizes = a.sizes("kernel_size")
    weights = product(f"{_KERNEL[len(sizes)]} {channels}", *sizes, ins, outs)
    return weights + bias(names, "Cout", a.number("out_channels"))


def _parameters(a: Settings, names: Names) -> Count:
    """A kernel for each output channel, over the input channels of its group; weight Cout x Cin/g x kh x kw."""
    return _weights(a, names, "Cin/g Cout", a.number("in_channels") // a.number("groups"), a.number("out_channels"))


def _transposed(a: Settings, names: Names) -> Count:
    """A convolution read backwards: weight Cin x Cout/groups x kh x kw."""
    outs = a.number("out_channels") // a.number("groups")
    return _weights(a, names, "Cin Cout/groups", a.number("in_channels"), outs)


def _settings(call: Arguments) -> dict[str, Value]:
    weight, groups = shape_of(call["weight"]), call.get("groups", 1)
    if not isinstance(groups, int):
        raise LookupError("groups")
    ones = (1,) * (len(weight) - 2)
    return {
        "in_channels": weight[1] * groups,
        "out_channels": weight[0],
        "kernel_size": weight[2:],
        "stride": call.get("stride", ones),
        "padding": call.get("padding", (0,) * len(ones)),
        "dilation": call.get("dilation", ones),
        "groups": groups,
    }


_OPERATORS = {
    **{f"aten.conv{rank}d": "input weight bias stride padding dilation groups" for rank in (1, 2, 3)},
    "aten.convolution": "input weight bias stride padding dilation transposed output_padding groups",
}

kind(
    *torch_nn("conv", "Conv1d Conv2d Conv3d"),
    words=_words,
    parameters=_parameters,
    operators=_OPERATORS,
    settings=_settings,
)
kind(*torch_nn("conv", "ConvTranspose1d ConvTranspose2d ConvTranspose3d"), words=_words, parameters=_transposed)
