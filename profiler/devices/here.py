"""What is this machine? Its processor or GPU in words."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

_CPU_FACTS = Path("/proc/cpuinfo")  # of Linux


def title(device: str) -> str:
    """The name of the GPU; or of the processor, and by how many threads torch computes there."""
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' * (threads > 1)}" if device == "cpu" else _processor()


def _processor() -> str:
    lines = _CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines() if _CPU_FACTS.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or "an unknown processor"
