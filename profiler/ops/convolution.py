"""Convolutions. Every output position of every output channel contracts Cin/g channels under the kernel.

A transposed convolution spreads every *input* position under the kernel instead, so its input's size counts. Positions
in the padding are counted, as everyone does.
"""

from __future__ import annotations

from profiler.ops.cost import Cost
from profiler.ops.elements import bias_cost, mac
from profiler.ops.registry import formula
from profiler.records import Tensor

# The textbook's names of the sizes of an image and of a kernel, by rank.
AXES = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
KERNEL = {1: "kw", 2: "kh kw", 3: "kd kh kw"}


def convolution_macs(x: Tensor, weight: Tensor, out: Tensor, transposed: bool = False) -> Cost:
    rank = weight.ndim - 2
    batch = x.shape[0] if x.ndim == weight.ndim else 1
    kernel = weight.shape[2:]
    if transposed:
        c_in, c_out_per_group = weight.shape[:2]
        image = " ".join(f"{axis}in" for axis in AXES[rank])
        names = f"N Cin {image} Cout/g {KERNEL[rank]}"
        return Cost(macs=mac(names, batch, c_in, *x.shape[-rank:], c_out_per_group, *kernel, of=x))
    c_out, c_in_per_group = weight.shape[:2]
    image = " ".join(f"{axis}out" for axis in AXES[rank])
    names = f"N Cout {image} Cin/g {KERNEL[rank]}"
    return Cost(macs=mac(names, batch, c_out, *out.shape[-rank:], c_in_per_group, *kernel, of=x))


@formula("aten.conv1d", "aten.conv2d", "aten.conv3d", "aten._convolution_mode", "aten.mkldnn_convolution")
def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, *_: object, out: Tensor) -> Cost:
    return convolution_macs(x, weight, out) + bias_cost(bias, out)


@formula("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d")
def conv_transpose(x: Tensor, weight: Tensor, bias: Tensor | None = None, *_: object, out: Tensor) -> Cost:
    return convolution_macs(x, weight, out, transposed=True) + bias_cost(bias, out)


@formula("aten.convolution", "aten._convolution", "aten.convolution_overrideable")
def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: object, padding: object, dilation: object,
    transposed: bool, *_: object, out: Tensor,
) -> Cost:  # fmt: skip
    return convolution_macs(x, weight, out, transposed) + bias_cost(bias, out)


@formula("aten.cudnn_convolution", "aten.miopen_convolution")
def cudnn_convolution(x: Tensor, weight: Tensor, *_: object, out: Tensor) -> Cost:
    return convolution_macs(x, weight, out)


@formula("aten.cudnn_convolution_transpose", "aten.miopen_convolution_transpose")
def cudnn_convolution_transpose(x: Tensor, weight: Tensor, *_: object, out: Tensor) -> Cost:
    return convolution_macs(x, weight, out, transposed=True)


@formula(
    "aten._slow_conv2d_forward", "aten.thnn_conv2d", "aten.slow_conv3d", "aten.slow_conv3d_forward",
    "aten._conv_depthwise2d", "aten.conv_depthwise3d", "aten.slow_conv_dilated2d", "aten.slow_conv_dilated3d",
)  # fmt: skip
def slow_conv(
    x: Tensor, weight: Tensor, kernel_size: object, bias: Tensor | None = None, *_: object, out: Tensor
) -> Cost:
    return convolution_macs(x, weight, out) + bias_cost(bias, out)


@formula("aten.slow_conv_transpose2d", "aten.slow_conv_transpose3d")
def slow_conv_transpose(
    x: Tensor, weight: Tensor, kernel_size: object, bias: Tensor | None = None, *_: object, out: Tensor
) -> Cost:
    return convolution_macs(x, weight, out, transposed=True) + bias_cost(bias, out)


@formula("aten.conv_tbc")
def conv_tbc(x: Tensor, weight: Tensor, bias: Tensor, *_: object, out: Tensor) -> Cost:
    """Time × batch × channels, the weight k × Cin × Cout."""
    (l_out, batch, c_out), (kw, c_in) = out.shape, weight.shape[:2]
    return Cost(macs=mac("N Cout Lout Cin kw", batch, c_out, l_out, c_in, kw, of=x)) + bias_cost(bias, out)
