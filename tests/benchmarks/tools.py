"""The counters that `tests.benchmarks.speed` compares, each as its own documentation calls it.

A tool's `load` imports it and gives a function of a model and an image, which returns the count. The model is in eval
mode, with real weights on the CPU; the tools named "... on meta" get it, and the image, on the meta device instead.
We are given the live model and a shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

Count = Callable[[nn.Module, torch.Tensor], Any]

OURS = "profiler"
OURS_IMPORTING = (
    "profiler, importing"  # the first call of a process also imports what `profile` imports when it is called
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A counter. `device` is where the model and the image are."""

    name: str
    load: Callable[[], Count]
    device: str = "cpu"


def _profiler() -> Count:
    import profiler.engine  # noqa: F401  what `profile` imports when it is first called, as the others do at once

    return _profiler_importing()


def _profiler_importing() -> Count:
    from profiler import profile

    def count(model: nn.Module, image: torch.Tensor) -> int:
        return profile(model, "x".join(map(str, image.shape))).totals.macs

    return count


def _torch() -> Count:
    from torch.utils.flop_counter import FlopCounterMode

    def count(model: nn.Module, image: torch.Tensor) -> Any:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(image)
        return counter.get_total_flops()

    return count


def _fvcore() -> Count:
    from fvcore.nn import FlopCountAnalysis

    def count(model: nn.Module, image: torch.Tensor) -> Any:
        analysis = FlopCountAnalysis(model, image)
        return analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()

    return count


def _thop() -> Count:
    from thop import profile

    return lambda model, image: profile(model, inputs=(image,), verbose=False)[0]


def _ptflops(backend: str) -> Count:
    from ptflops import get_model_complexity_info

    def count(model: nn.Module, image: torch.Tensor) -> Any:
        """It makes an input of its own, on the device of the model's parameters."""
        shown: dict[str, Any] = {"as_strings": False, "print_per_layer_stat": False, "verbose": False}
        return get_model_complexity_info(model, tuple(image.shape[1:]), backend=backend, **shown)[0]

    return count


def _torchinfo() -> Count:
    from torchinfo import summary

    return lambda model, image: summary(model, input_data=image, device=image.device, verbose=0).total_mult_adds


def _calflops() -> Count:
    from calflops import calculate_flops

    def count(model: nn.Module, image: torch.Tensor) -> Any:
        shown: dict[str, Any] = {"print_results": False, "print_detailed": False, "output_as_string": False}
        return calculate_flops(model=model, input_shape=tuple(image.shape), **shown)[0]

    return count


def _torchprofile() -> Count:
    from torchprofile import profile_macs

    found: Count = profile_macs
    return found


_ON_CPU = (
    Tool("fvcore", _fvcore),
    Tool("thop", _thop),
    Tool("ptflops pytorch", lambda: _ptflops("pytorch")),
    Tool("ptflops aten", lambda: _ptflops("aten")),
    Tool("torchinfo", _torchinfo),
    Tool("calflops", _calflops),
    Tool("torchprofile", _torchprofile),
)
_COMPARED = (Tool(OURS, _profiler), Tool("FlopCounterMode on meta", _torch, "meta"), *_ON_CPU)
_ON_META = tuple(replace(tool, name=f"{tool.name} on meta", device="meta") for tool in _ON_CPU)

TOOLS: Mapping[str, Tool] = {
    tool.name: tool for tool in (*_COMPARED, *_ON_META, Tool(OURS_IMPORTING, _profiler_importing))
}
COMPARED = tuple(tool.name for tool in _COMPARED)
ON_META = tuple(tool.name for tool in _ON_META)
