"""Human numbers: what each text means, what is refused, and that a written limit holds what it was made for."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.records import units

COUNTS = {
    "0": 0,
    "25": 25,
    "25M": 25 * 1000 * 1000,
    "25 M": 25 * 1000 * 1000,
    " 25M ": 25 * 1000 * 1000,
    "1.5k": 1500,
    "1.5K": 1500,
    "7B": 7 * 10**9,
    "7G": 7 * 10**9,
    "0.5T": 5 * 10**11,
    "4e9": 4 * 10**9,
    "1.25E+3": 1250,
    "21,797,672": 21_797_672,
    "21_797_672": 21_797_672,
    "0.001k": 1,
}
SIZES = {
    "0B": 0,
    "80 B": 80,
    "80kB": 80 * 1024,
    "80KB": 80 * 1024,
    "80KiB": 80 * 1024,
    "80MB": 80 * 1024 * 1024,
    "80 MiB": 80 * 1024 * 1024,
    "1.5GB": 3 * 512 * 1024 * 1024,
    "2GiB": 2 * 1024**3,
    "1TB": 1024**4,
    "1TiB": 1024**4,
    "100e6B": 100 * 10**6,
    "87,190,688 B": 87_190_688,
    "0.1kB": 102,  # of 102.4: what is a whole number of bytes is at most both or neither
}
NO_COUNTS = (
    "", "M", "-1", "+5M", "25m", "25g", "25b", "25 MB", "25MiB", "2,5M", "2,500M", "2_500k", "25_00", "1,0000", "1.",
    ".5M", "1.5", "1.0005k", "25M parameters", "25  M", "1e100", "1e-3G", "0x10", "inf", "nan", "1M2", "２５M", "10%",
)  # fmt: skip
NO_SIZES = (
    "", "80", "80M", "80m", "80mb", "80Mb", "80MIB", "80 bytes", "-1MB", "1.5B", "1,024kB", "2,5MB", "1e400B", "80MBs",
    "MB", "1 000 MB", "80G", "1PB", "50%",
)  # fmt: skip


@pytest.mark.parametrize(("text", "value"), COUNTS.items())
def test_counts(text: str, value: int) -> None:
    assert units.count(text) == value


@pytest.mark.parametrize(("text", "value"), SIZES.items())
def test_sizes(text: str, value: int) -> None:
    assert units.size(text) == value


@pytest.mark.parametrize("text", NO_COUNTS)
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(units.Malformed):
        units.count(text)


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(units.Malformed):
        units.size(text)


def test_shares() -> None:
    assert [units.share(text) for text in ("10%", "0 %", "12.5%", "200%")] == [
        Decimal("0.1"), 0, Decimal("0.125"), 2,
    ]  # fmt: skip
    for text in ("10", "0.1", "-5%", "%", "ten%", "1e1%"):
        with pytest.raises(units.Malformed):
            units.share(text)


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (units.count_up, 0, "0"),
        (units.count_up, Decimal("474.1"), "475"),
        (units.count_up, 1000, "1k"),
        (units.count_up, 1001, "1.01k"),
        (units.count_up, 23_977_440, "24M"),
        (units.count_up, 999_999, "1000k"),
        (units.count_up, 7 * 10**12 + 1, "7.01T"),
        (units.size_up, 1023, "1023B"),
        (units.size_up, 1024, "1kB"),
        (units.size_up, 1024 + 1, "1.01kB"),
        (units.size_up, 91 * 1024**2 + 1, "91.1MB"),
        (units.size_up, 1023 * 1024**2, "1030MB"),
    ],
)
def test_a_number_that_a_person_would_write(write: Callable[[int | Decimal], str], value: int, text: str) -> None:
    assert write(value) == text


@given(st.integers(0, 10**16))
def test_what_is_written_holds_the_value_and_little_more(value: int) -> None:
    for write, read in ((units.count_up, units.count), (units.size_up, units.size)):
        limit = read(write(value))
        assert value <= limit <= value + max(1, value // 99)


@given(st.integers(0, 10**15), st.sampled_from(["", "k", "M", "G", "B", "T"]))
def test_a_prefix_multiplies(number: int, prefix: str) -> None:
    assert units.count(f"{number}{prefix}") == number * units.count(f"1{prefix}")
