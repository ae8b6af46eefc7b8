"""Which conventions are our own? Each is one number of a cost vector."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.counters.convention import Price

OURS: Mapping[str, Price] = {
    price.name: price
    for price in (
        Price(
            "flops",
            "a FLOP is one floating-point addition, multiplication, division or special function; a MAC is two",
            lambda cost: 2 * cost.macs + cost.adds + cost.muls + cost.divs + cost.specials,
        ),
        Price(
            "macs",
            "a FLOP is one multiply-accumulate of a convolution, matrix product or attention, as in vision papers",
            lambda cost: cost.macs,
        ),
    )
}
