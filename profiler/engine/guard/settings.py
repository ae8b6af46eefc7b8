"""How are torch's process-wide settings (number formats, kernels, threads, warnings) saved and restored?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import _C
from torch.nn.modules import module as hooks

from profiler.engine.guard.contents import restore_dict
from profiler.engine.guard.failures import Failures


class Setting(NamedTuple):
    """How a setting is read, and how it is written."""

    what: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]


def _flag(name: str) -> Setting | None:
    """A setting that torch's bindings have as `_get_NAME` and `_set_NAME`, where this version has it."""
    read, write = getattr(_C, f"_get_{name}", None), getattr(_C, f"_set_{name}", None)
    return None if read is None or write is None else Setting(name, read, write)


def _precision(backend: str, operation: str) -> Setting | None:
    """The number format of an operation's products, where this version has one for each."""
    read, write = getattr(_C, "_get_fp32_precision_getter", None), getattr(_C, "_set_fp32_precision_setter", None)
    if read is None or write is None:
        return None
    return Setting(
        f"fp32_precision of {backend}", partial(read, backend, operation), partial(write, backend, operation)
    )


def _set_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


_FLAGS = (
    "cudnn_enabled", "cudnn_benchmark", "cudnn_deterministic", "cudnn_allow_tf32", "miopen_immediate",
    "mkldnn_enabled", "mkldnn_deterministic", "nnpack_enabled", "cublas_allow_tf32",
    "cublas_allow_fp16_accumulation", "cpu_allow_fp16_reduced_precision_reduction",
    "deterministic_fill_uninitialized_memory", "warnAlways", "qengine", "graph_executor_optimize",
    "backcompat_broadcast_warn", "backcompat_keepdim_warn", "autograd_fallback_mode",
    "math_sdp_allow_fp16_bf16_reduction",
)  # fmt: skip
_PRECISIONS = (
    ("generic", "all"), ("cuda", "all"), ("cuda", "matmul"), ("cuda", "conv"), ("cuda", "rnn"),
    ("mkldnn", "all"), ("mkldnn", "matmul"), ("mkldnn", "conv"), ("mkldnn", "rnn"),
)  # fmt: skip
_SETTINGS: tuple[Setting, ...] = (
    Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype),
    Setting("the number of threads", torch.get_num_threads, torch.set_num_threads),
    Setting(
        "deterministic algorithms",
        lambda: (_C._get_deterministic_algorithms(), _C._get_deterministic_algorithms_warn_only()),
        _set_deterministic,
    ),
    Setting("anomaly mode", lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
            lambda value: torch.set_anomaly_enabled(*value)),
    Setting("flash attention", _C._get_flash_sdp_enabled, _C._set_sdp_use_flash),
    Setting("memory-efficient attention", _C._get_mem_efficient_sdp_enabled, _C._set_sdp_use_mem_efficient),
    Setting("plain attention", _C._get_math_sdp_enabled, _C._set_sdp_use_math),
    Setting("cuDNN's attention", _C._get_cudnn_sdp_enabled, _C._set_sdp_use_cudnn),
    Setting("the fast path of attention", torch.backends.mha.get_fastpath_enabled,
            torch.backends.mha.set_fastpath_enabled),
    Setting("threads of the backward pass", _C._is_multithreading_enabled, torch.autograd.set_multithreading_enabled),
    *(setting for setting in map(_flag, _FLAGS) if setting is not None),
    *(setting for names in _PRECISIONS if (setting := _precision(*names)) is not None),
    Setting("the precision of products", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
)  # fmt: skip
# Dicts of torch that settings and hooks of all modules stand in.
_HOOKS = tuple(value for name, value in vars(hooks).items() if name.startswith("_global_") and isinstance(value, dict))


class TorchSettings:
    """The settings as they are. Some cannot be read in every state (torch's two ways to say TF32): those stay."""

    what = "torch's settings"

    def __init__(self) -> None:
        self._values: list[tuple[Setting, Any]] = []
        for setting in _SETTINGS:
            with suppress(RuntimeError):
                self._values.append((setting, setting.read()))
        tables = (*_HOOKS, vars(torch._tensor_str.PRINT_OPTS), vars(torch.__future__))
        self._tables = [(table, table.copy()) for table in tables]

    def restore(self, failures: Failures) -> None:
        for setting, value in self._values:
            failures.attempt(setting.what, _restore, setting, value)
        for table, before in self._tables:
            failures.attempt("hooks of all modules, or how tensors are printed", restore_dict, table, before)


def _restore(setting: Setting, value: Any) -> None:
    if setting.read() != value:
        setting.write(value)
