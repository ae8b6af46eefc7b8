"""How are the devices of the catalogue shown as a table?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from profiler.devices.device import Device
from profiler.render.answer import Answer, Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit


@dataclass(frozen=True, slots=True)
class Devices(Answer):
    """What was found of the catalogue."""

    devices: tuple[Device, ...]


_COLUMNS = (
    Column("device", "Device", Unit.TEXT, lambda device, _: device.name),
    Column("title", "Title", Unit.TEXT, lambda device, _: device.title, rank=1),
    Column("memory", "Memory GB", Unit.GB, lambda device, _: device.memory_bytes),
    Column("bandwidth", "GB/s", Unit.NUMBER, lambda device, _: _in(device.memory_bandwidth, 1e9)),
    Column("half", "16 bit TFLOP/s", Unit.NUMBER, lambda device, _: _in(_half(device), 1e12)),
    Column("float32", "float32 TFLOP/s", Unit.NUMBER, lambda device, _: _in(device.peak.get("float32"), 1e12)),
)
_NOTES = (
    Explanation("GB/s: of memory, decimal, as makers print it."),
    Explanation("TFLOP/s: of matrix products as printed, without sparsity; 16 bit is float16 or bfloat16."),
)


def devices_table(answer: Devices) -> Table:
    rows = tuple(Row(tuple(column.get(device, answer) for column in _COLUMNS)) for device in answer.devices)
    return Table(_COLUMNS, rows, notes=_NOTES)


def _half(device: Device) -> float | None:
    return max((device.peak[dtype] for dtype in ("float16", "bfloat16") if dtype in device.peak), default=None)


def _in(value: float | None, unit: float) -> Decimal | str:
    """Four significant digits of a value in a unit; nothing where the device has no such value."""
    return "" if value is None else Decimal(f"{value / unit:.4g}")


show(Devices, Shown(lambda answer: [devices_table(answer)]))
