"""The comparison of tools in docs says what the conventions give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler import Profile, profile
from profiler.counters import conventions
from profiler.counters.conventions import Replica

PAGE = Path(__file__).parent.parent.parent / "docs" / "compared.md"
UNITS = {"GMACs": (1e9, 3), "million parameters": (1e6, 2)}
NAMES = {"profile-model 0.1.0": "macs", "FlopCounterMode": "torch"}


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Model, unit, tool and figure of each number in the table."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    heading = next(cells for cells in table if "fvcore" in cells)
    for first, *figures in table:
        match = re.fullmatch(rf"(\w+), ({'|'.join(UNITS)})", first)
        if match:
            for tool, figure in zip(heading[1:], figures, strict=True):
                yield match[1], match[2], tool, figure


def counted(found: Profile, unit: str, convention: str) -> float | None:
    """In the unit; None where the tool counts no parameters."""
    replica = conventions.named(convention)
    if unit == "GMACs":
        per_mac = replica.per_mac if isinstance(replica, Replica) else 1
        return found.under(convention).totals.flops / per_mac
    if not isinstance(replica, Replica):
        return found.totals.params
    return sum(w.amount for w in replica.weighings(found.trace)) if replica.weighings else None


@pytest.mark.parametrize(("model", "unit", "tool", "figure"), list(rows()))
def test_a_number_in_the_table(model: str, unit: str, tool: str, figure: str) -> None:
    scale, decimals = UNITS[unit]
    count = counted(profile(model), unit, NAMES.get(tool, tool))
    assert figure == ("not counted" if count is None else f"{count / scale:.{decimals}f}")


def test_the_table_is_found() -> None:
    assert len(list(rows())) == 4 * 7
