"""What can a device do? Its peak arithmetic, its memory and its links, as its maker says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiler import errors

KINDS = ("gpu", "tpu", "cpu")
DTYPES = ("float64", "float32", "tf32", "float16", "bfloat16", "float8", "float4", "int8", "int4")

# Where the ordinary cores have no peak for a dtype, it is computed in one of these, wider ones.
_WIDER = {"float16": ("float32",), "bfloat16": ("float16", "float32"), "float8": ("float16", "float32")}


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the catalogue.

    kind: one of `KINDS`. vendor, year: None where a user's own file does not say.
    memory_bytes: what it has in all. memory_bandwidth, link_bandwidth: bytes a second; that of a link is what one
    device can send to its neighbours at the same time, None where it has no link.
    peak: FLOP a second (a MAC is two) by dtype, of the fastest dense unit, without sparsity, as printed. vector: those
    of the ordinary cores, which compute what is no matrix product. headroom: as many times as much as printed a device
    can reach, by a higher clock. launch_overhead: seconds between the starts of two operators.
    sources: where its figures can be looked up. remarks: which of them are weak, and why.
    """

    name: str
    title: str
    kind: str
    vendor: str | None
    year: int | None
    memory_bytes: int
    memory_bandwidth: float
    peak: Mapping[str, float]
    vector: Mapping[str, float]
    launch_overhead: float
    link: str | None
    link_bandwidth: float | None
    sources: tuple[str, ...]
    headroom: float = 1.0
    remarks: str = ""

    def matrix_peak(self, dtype: str) -> float | None:
        """FLOP a second of a matrix product in a dtype at most; None where the device does not multiply it."""
        return self.peak[dtype] * self.headroom if dtype in self.peak else None

    def needed_peak(self, dtype: str) -> float:
        """The same; raises `errors.ProfileError` where the device does not multiply it."""
        peak = self.matrix_peak(dtype)
        if peak is None:
            raise _has_no(self, dtype)
        return peak

    def vector_peak(self, dtype: str) -> float | None:
        """FLOP a second outside of matrix products at most; None where nobody says."""
        names = (dtype, *_WIDER.get(dtype, ()))
        return next((self.vector[name] * self.headroom for name in names if name in self.vector), None)


# Error messages -------------------------------------------------------------------------------------------------------


def _has_no(device: Device, dtype: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{device.name} does not multiply {dtype} ({', '.join(device.peak)} it does); choose another dtype or device"
    )
