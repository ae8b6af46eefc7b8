"""What can a device do? Its peak arithmetic, its memory and its links, as its maker says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Where the ordinary cores have no peak for a dtype, it is computed in one of these, wider ones.
_WIDER = {"float16": ("float32",), "bfloat16": ("float16", "float32"), "float8": ("float16", "float32")}


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the catalogue.

    memory_bytes: what it has in all. memory_bandwidth, link_bandwidth: bytes a second; that of a link is what one
    device can send to its neighbours at the same time, None where it has no link.
    peak: FLOP a second (a MAC is two) by dtype, of the fastest dense unit, without sparsity. vector: those of the
    ordinary cores, which compute what is no matrix product. launch_overhead: seconds between the starts of two
    operators. sources: where its figures were read.
    """

    name: str
    title: str
    kind: str
    vendor: str
    year: int
    memory_bytes: int
    memory_bandwidth: float
    peak: Mapping[str, float]
    vector: Mapping[str, float]
    launch_overhead: float
    link: str | None
    link_bandwidth: float | None
    sources: tuple[str, ...]

    def matrix_peak(self, dtype: str) -> float | None:
        """FLOP a second of a matrix product in a dtype; None where the device does not multiply it."""
        return self.peak.get(dtype)

    def vector_peak(self, dtype: str) -> float | None:
        """FLOP a second outside of matrix products; None where nobody says, and nothing can be computed from it."""
        return next((self.vector[name] for name in (dtype, *_WIDER.get(dtype, ())) if name in self.vector), None)
