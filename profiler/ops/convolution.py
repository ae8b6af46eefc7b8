"""What does a convolution cost? Each position of each output channel contracts Cin/g channels under the kernel.

A transposed convolution spreads every *input* position under the kernel instead, so its input's size counts. Positions
in the padding are counted, as everyone does.
"""

from __future__ import annotations

from profiler.ops.cost import NOTHING, Cost, Count
from profiler.ops.elements import bias_cost, mac, summed
from profiler.ops.registry import formula
from profiler.records.trace import Tensor

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


@formula("aten.cudnn_convolution_relu", "aten.miopen_convolution_relu")
def convolution_relu(x: Tensor, weight: Tensor, bias: Tensor | None, *_: object, out: Tensor) -> Cost:
    return conv(x, weight, bias, out=out) + Cost(comparisons=out.numel)


@formula("aten.cudnn_convolution_add_relu", "aten.miopen_convolution_add_relu")
def convolution_add_relu(
    x: Tensor, weight: Tensor, z: Tensor, alpha: complex | None, bias: Tensor | None, *_: object, out: Tensor
) -> Cost:
    """relu(x ∗ w + b + α·z)"""
    scaled = int(alpha not in (None, 1))
    return convolution_relu(x, weight, bias, out=out) + Cost(adds=1, muls=scaled) * out.numel


@formula("aten.conv_tbc")
def conv_tbc(x: Tensor, weight: Tensor, bias: Tensor, *_: object, out: Tensor) -> Cost:
    """Time × batch × channels, the weight k × Cin × Cout."""
    return Cost(macs=_conv_tbc_macs(weight, out)) + bias_cost(bias, out)


def _conv_tbc_macs(weight: Tensor, out: Tensor) -> Count:
    (l_out, batch, c_out), (kw, c_in) = out.shape, weight.shape[:2]
    return mac("N Cout Lout Cin kw", batch, c_out, l_out, c_in, kw, of=out)


@formula("aten.convolution_backward")
def convolution_backward(
    grad: Tensor, x: Tensor, weight: Tensor, bias_sizes: object, stride: object, padding: object, dilation: object,
    transposed: bool, output_padding: object, groups: int, output_mask: tuple[bool, ...], *, out: object,
) -> Cost:  # fmt: skip
    """Up to three gradients, those that `output_mask` asks for: of the input, of the weight, of the bias.

    The forward pass is a sum of products grad = x·w, one for each (output position, channel, tap). Each of them is one
    product grad·w in the input's gradient and one product grad·x in the weight's: as many as the forward pass has. The
    bias's gradient is a sum over all positions.
    """
    for_input, for_weight, for_bias = output_mask
    forward = convolution_macs(x, weight, grad, transposed)
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    cost = summed(grad, channels) if for_bias else NOTHING
    for wanted in (for_input, for_weight):
        cost += forward if wanted else NOTHING
    return cost


@formula("aten.conv_tbc_backward")
def conv_tbc_backward(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor, pad: int, *, out: object) -> Cost:
    """All three gradients, always."""
    products = Cost(macs=_conv_tbc_macs(weight, grad))
    return products + products + summed(grad, bias.numel)
