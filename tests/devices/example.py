"""A device with round figures, on which times can be worked out by hand."""

from __future__ import annotations

from typing import Any

from profiler.devices.device import Device

T, G = 10**12, 10**9


def device(**different: Any) -> Device:
    """100 TFLOP/s of products in float32, 10 of anything else, 1 TB/s, no overhead."""
    figures: dict[str, Any] = {
        "name": "round",
        "title": "Round figures",
        "kind": "gpu",
        "vendor": "nobody",
        "year": 2020,
        "memory_bytes": 16 * G,
        "memory_bandwidth": 1 * T,
        "peak": {"float32": 100 * T, "float16": 200 * T},
        "vector": {"float32": 10 * T},
        "launch_overhead": 0.0,
        "link": None,
        "link_bandwidth": None,
        "sources": ("invented",),
    }
    return Device(**(figures | different))
