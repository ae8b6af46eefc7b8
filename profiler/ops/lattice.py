"""How much do all windows of a pool or filter hold together? In closed form: no sum here walks over an axis."""

from __future__ import annotations

from math import gcd


def floor_sum(terms: int, slope: int, offset: int, divisor: int) -> int:
    """Σ (slope·i + offset) // divisor over i = 0 … terms - 1, for offset ≥ 0 and slope ≥ 0.

    As Euclid's algorithm: whole multiples of the divisor are taken out; what is left counts the lattice points under a
    line, and seen from the other axis it is a sum of the same form with slope and divisor exchanged. Graham, Knuth,
    Patashnik: Concrete Mathematics, section 3.5.
    """
    total = 0
    while terms > 0:
        whole, slope = divmod(slope, divisor)
        total += whole * (terms * (terms - 1) // 2)
        whole, offset = divmod(offset, divisor)
        total += whole * terms
        terms, offset = divmod(slope * terms + offset, divisor)
        slope, divisor = divisor, slope
    return total


def window_taps(size: int, windows: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """The taps of all windows along an axis that lie on its `size` elements, and not in the padding around them."""
    box = windows, stride, kernel, dilation
    return _taps_before(size + padding, *box) - _taps_before(padding, *box)


def _taps_before(position: int, windows: int, stride: int, kernel: int, dilation: int) -> int:
    """The pairs window·stride + tap·dilation < position. Early taps are there in all windows, late ones in some."""
    last = position - 1
    in_all = _clamp((last - (windows - 1) * stride) // dilation + 1, kernel)
    in_some = _clamp(last // dilation + 1, kernel) - in_all
    farthest = last - (in_all + in_some - 1) * dilation
    return in_all * windows + floor_sum(in_some, dilation, farthest + stride, stride)


def _clamp(count: int, most: int) -> int:
    return max(0, min(count, most))


def adaptive_taps(size: int, windows: int) -> int:
    """The elements of all windows where window o of O over I elements reaches from ⌊o·I/O⌋ to ⌈(o+1)·I/O⌉.

    Neighbours share the element that a border between them cuts: every border but those that I and O have in common.
    """
    return size + windows - gcd(size, windows) if windows else 0


def clamped_floor_sum(terms: int, slope: int, offset: int, divisor: int, most: int) -> int:
    """Σ of (slope·i + offset) // divisor, each held between 0 and `most`, over i = 0 … terms - 1; slope ≥ 0."""
    first = _first_at_least(0, terms, slope, offset)
    end = _first_at_least(most * divisor, terms, slope, offset)
    return floor_sum(end - first, slope, slope * first + offset, divisor) + (terms - end) * most


def _first_at_least(bound: int, terms: int, slope: int, offset: int) -> int:
    """The first i with slope·i + offset ≥ bound; `terms` where none is."""
    if offset >= bound:
        return 0
    return _clamp(-((offset - bound) // slope), terms) if slope else terms
