"""How are Fourier transforms and windows translated from ONNX?

It stores a complex number as two real ones, in an additional last dimension.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.sources.onnx.rules import OnnxNode, Operand, Part, Uncovered, rule

_INVERSE = 2  # how torch says that a transform is divided by its length


@rule("DFT")
def fourier(node: OnnxNode) -> Iterator[Part]:
    """The axis is an attribute in old files, and an input since; a length may cut or fill the input."""
    x, out, inverse = node.x, node.out, bool(node.attribute("inverse", 0))
    axis = _axis(node)
    length = node.constant(1)
    if node.optional(1) is not None and length is None:
        raise Uncovered("a length that is data")
    onesided = bool(node.attribute("onesided", 0))
    points = int(length.item()) if length is not None else x.shape[axis]
    points = 2 * (x.shape[axis] - 1) if inverse and onesided and length is None else points
    whole = [points if dimension == axis else size for dimension, size in enumerate(x.shape[:-1])]
    scale = _INVERSE if inverse else 0
    if inverse and onesided:
        yield Part("aten._fft_c2r", (_complex(x), (axis,), scale, points), out.as_(*whole))
    elif x.shape[-1] == 2 or inverse:
        yield Part("aten._fft_c2c", (_complex(x.as_(*whole, 2)), (axis,), scale, not inverse), _complex(out))
    else:
        yield Part("aten._fft_r2c", (x.as_(*whole), (axis,), scale, onesided), _complex(out))


def _axis(node: OnnxNode) -> int:
    value = node.constant(2)
    if node.opset >= 20 and node.optional(2) is not None and value is None:
        raise Uncovered("an axis that is data")
    axis = int(value.item()) if value is not None else int(node.attribute("axis", 1 if node.opset < 20 else -2))
    axis %= node.x.ndim
    if axis == node.x.ndim - 1:
        raise Uncovered("along the parts of complex numbers")
    return axis


def _complex(operand: Operand) -> Operand:
    """The same memory as complex numbers; the last dimension, of one or two real numbers, goes."""
    return operand.as_(*operand.shape[:-1], dtype="complex64")


@rule("STFT")
def short_time_fourier(node: OnnxNode) -> Iterator[Part]:
    """Each frame is multiplied by the window, and transformed. Inputs: signal, step, window, length of a frame."""
    batch, frames, bins = node.out.shape[:3]
    window, length = node.optional(2), node.constant(3)
    points = window.shape[0] if window is not None else int(length.item()) if length is not None else 0
    if not points:
        raise Uncovered("a length of frames that is data")
    is_complex = node.x.ndim == 3 and node.x.shape[2] == 2
    parts = (2,) if is_complex else ()
    cut = node.temporary(batch, frames, points, *parts)
    if window is not None:
        yield Part("aten.mul", (cut, window.as_(points, *(1 for _ in parts))), cut)
    name = "aten._fft_c2c" if is_complex else "aten._fft_r2c"
    signal = _complex(cut) if is_complex else cut
    yield Part(name, (signal, (2,), 0, bins < points or is_complex), _complex(node.out))


@rule("HannWindow", "HammingWindow", "BlackmanWindow")
def window(node: OnnxNode) -> Iterator[Part]:
    """a - b·cos(2πn/N), and + c·cos(4πn/N) in Blackman's; 2πn/N is a multiplication."""
    out = node.out
    for _ in range(2 if node.op == "BlackmanWindow" else 1):
        angle = node.like(out)
        yield Part("aten.mul", (angle, 1.0), angle)
        yield Part("aten.cos", (angle,), angle)
        yield Part("aten.mul", (angle, 1.0), angle)
        yield Part("aten.add", (angle, 1.0), out)
