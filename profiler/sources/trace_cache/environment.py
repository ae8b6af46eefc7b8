"""Where does a run take place? Under which Python, with which packages, settings and devices: all that a key is of."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

from profiler.records.trace import SCHEMA
from profiler.records.versions import __version__
from profiler.sources.trace_cache import digests, reading
from profiler.sources.trace_cache.places import PACKAGE, is_installed

# Variables that code in C reads, which nobody can watch; and Python itself.
FAMILIES = (
    "ATEN", "CUBLAS", "CUDA", "CUDNN", "DNNL", "FLASH", "GOMP", "HF_", "HIP", "HUGGINGFACE", "KMP", "LANG", "LC_",
    "LD_", "MIOPEN", "MKL", "NPY", "NVIDIA", "OMP", "ONEDNN", "OPENBLAS", "PYTHON", "PYTORCH", "ROC", "TIMM", "TORCH",
    "TRANSFORMERS", "TRITON", "XFORMERS", "XLA",
)  # fmt: skip
_DEVICES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/kfd", "/dev/dxg")
# What a package leaves behind when it is installed.
_TRACES_OF_PACKAGES = (".dist-info", ".egg-info", ".egg-link", ".pth", ".egg")
_CUSTOM = ("sitecustomize", "usercustomize")
_OF_A_TRACE = ("engine", "ops", "records", "sources")  # our packages that say what a trace is


@cache
def digest() -> str:
    """Looked up once in a process: before a model's code can change anything of it."""
    return digests.of_text("\n".join((*_python(), *_own_code(), *_packages(), *_variables())))


def _python() -> Iterator[str]:
    yield f"{__version__} {SCHEMA} {sys.version} {sys.implementation.cache_tag} {sys.prefix}"
    yield f"{tuple(sys.flags)} {sys.platform} {os.uname().machine if hasattr(os, 'uname') else ''}"
    yield repr(sys.path)
    yield repr([device for device in _DEVICES if os.path.exists(device)])
    for name in _CUSTOM:
        yield f"{name} {reading.fingerprint(getattr(sys.modules.get(name), '__file__', None) or os.devnull)}"


def _own_code() -> Iterator[str]:
    """Of this package, where it is not installed: whoever works on it shall not be shown what it was before."""
    if is_installed(os.path.dirname(PACKAGE)):
        return
    for part in _OF_A_TRACE:
        for folder, _, names in os.walk(os.path.join(PACKAGE, part)):
            for name in names:
                if name.endswith(".py"):
                    with suppress(OSError):
                        there = os.stat(os.path.join(folder, name))
                        yield f"{name} {there.st_size} {there.st_mtime_ns} {there.st_ctime_ns}"


def _packages() -> Iterator[str]:
    """Whatever is installed anew, also in the same version, or removed, changes the one or the other of these."""
    for path in dict.fromkeys(sys.path):
        yield path
        try:
            with os.scandir(path or os.curdir) as entries:
                yield from sorted(_package(entry) for entry in entries if entry.name.endswith(_TRACES_OF_PACKAGES))
        except OSError:
            continue


def _package(entry: os.DirEntry[str]) -> str:
    there = entry.stat()
    return f"{entry.name} {there.st_mtime_ns} {0 if entry.is_dir() else (there.st_ctime_ns, there.st_size)}"


def _variables() -> Iterator[str]:
    for name in sorted(os.environ):
        if name.startswith(FAMILIES):
            yield f"{name}={os.environ[name]!r}"
