"""Which values does a weight have once it was stored in a scheme? Rounded to the nearest, block by block, and unpacked.

What searches for better scales with data (AWQ, GPTQ) or by trying several (llama.cpp's K quants) is not done: these are
the schemes' numbers with the scales that follow from the largest weight of a block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from profiler import errors
from profiler.records.schemes import Scheme

# Dettmers et al. 2023, arXiv:2305.14314, appendix E.
_NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
# OCP Microscaling Formats (MX) Specification 1.0, section 5.3.3.
_E2M1 = (-6.0, -4.0, -3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_FP8_LARGEST = 448.0  # of float8_e4m3fn: Micikevicius et al. 2022, arXiv:2209.05433
_TINY = torch.finfo(torch.float32).tiny


def rounded(weight: Tensor, scheme: Scheme, outputs_second: bool = False) -> Tensor:
    """The weight as it is unpacked again, in its own dtype. outputs_second: its output channels are its dimension 1.

    Raises `errors.ProfileError` for a scheme that searches for its scales.
    """
    check(scheme)
    if scheme.name in _CASTS:
        return weight.to(_CASTS[scheme.name]).to(weight.dtype)
    wide = weight.transpose(0, 1) if outputs_second else weight
    values = wide.float().reshape(wide.shape[0], -1)
    shape = {"tensor": (1, -1), "channel": values.shape, "row": (-1, scheme.block), "flat": (-1, scheme.block)}
    rows = values.flatten() if scheme.groups == "flat" else values
    short = -rows.numel() % scheme.block if scheme.groups == "flat" else 0  # the last block, filled up
    blocks = torch.nn.functional.pad(rows, (0, short)) if short else rows
    back = _ROUND[scheme.name](blocks.reshape(shape[scheme.groups])).flatten()[: values.numel()].reshape(wide.shape)
    return (back.transpose(0, 1) if outputs_second else back).to(weight.dtype)


def check(scheme: Scheme) -> None:
    """Raise for a scheme whose numbers do not follow from the weights of a block alone."""
    if scheme.name not in _CASTS and scheme.name not in _ROUND:
        raise _searches(scheme.name)


# Of blocks, one a row -------------------------------------------------------------------------------------------------


def _largest(blocks: Tensor) -> Tensor:
    return blocks.abs().amax(1, keepdim=True)


def _fp8(blocks: Tensor) -> Tensor:
    scale = (_largest(blocks) / _FP8_LARGEST).clamp(min=_TINY)
    return (blocks / scale).to(torch.float8_e4m3fn).float() * scale


def _int8(blocks: Tensor) -> Tensor:
    """As torch.ao's symmetric observers have it: the scale is the largest over half of 255 steps."""
    scale = (_largest(blocks) / 127.5).clamp(min=torch.finfo(torch.float32).eps)
    return (blocks * scale.reciprocal()).round().clamp(-128, 127) * scale


def _affine(bits: int, has_zero: bool, half: bool) -> Callable[[Tensor], Tensor]:
    """Between the smallest and the largest, in 2^bits - 1 steps. has_zero: 0 is between them, in any case."""
    steps: int = 2**bits - 1

    def of(blocks: Tensor) -> Tensor:
        low, high = blocks.amin(1, keepdim=True), blocks.amax(1, keepdim=True)
        if has_zero:
            low, high = low.clamp(max=0), high.clamp(min=0)
        scale = ((high - low).clamp(min=1e-5) if half else (high - low).clamp(min=_TINY)) / steps
        scale = scale.half().float().clamp(min=torch.finfo(torch.float16).tiny) if half else scale
        zero = (-low / scale).round().clamp(0, steps)
        return ((blocks / scale).round() + zero).clamp(0, steps).sub(zero) * scale

    return of


def _nearest(codes: tuple[float, ...], values: Tensor) -> Tensor:
    """The nearest of sorted codes; between two, the lower one."""
    table = torch.tensor(codes, device=values.device)
    nearest: Tensor = table[torch.bucketize(values, (table[1:] + table[:-1]) / 2)]
    return nearest


def _nf4(blocks: Tensor) -> Tensor:
    scale = _largest(blocks).clamp(min=_TINY)
    return _nearest(_NF4, blocks / scale) * scale


def _mxfp4(blocks: Tensor) -> Tensor:
    """The scale is the power of two of the largest, less that of the largest code, 6 = 1.5·2^2."""
    scale = torch.exp2(_largest(blocks).clamp(min=_TINY).log2().floor() - 2)
    return _nearest(_E2M1, (blocks / scale).clamp(-6, 6)) * scale


def _q8_0(blocks: Tensor) -> Tensor:
    scale = _largest(blocks) / 127
    return (blocks / scale.clamp(min=_TINY)).round() * scale.half().float()


def _q4_0(blocks: Tensor) -> Tensor:
    """Scaled such that the largest, with its sign, is -8."""
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    scale = largest / -8
    inverse = torch.where(scale == 0, torch.zeros_like(scale), 1 / scale)
    return ((blocks * inverse + 8.5).floor().clamp(0, 15) - 8) * scale.half().float()


_CASTS: Mapping[str, Any] = {"fp16": torch.float16, "bf16": torch.bfloat16}
_ROUND: Mapping[str, Callable[[Tensor], Tensor]] = {
    "fp8": _fp8,
    "int8": _int8,
    "int8-tensor": _affine(8, has_zero=True, half=False),
    "int4": _affine(4, has_zero=False, half=True),
    "nf4": _nf4,
    "mxfp4": _mxfp4,
    "q8_0": _q8_0,
    "q4_0": _q4_0,
}


# Error messages -------------------------------------------------------------------------------------------------------


def _searches(name: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--by quantise={name}: its tool searches for the scales, which is not done here; choose from "
        f"{', '.join([*_CASTS, *_ROUND])}"
    )
