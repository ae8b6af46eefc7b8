"""Quantities: what each text means, what is refused, and that a written limit holds what it was made for."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import Malformed, ProfileError
from profiler.records import quantities

COUNTS = {
    "0": 0,
    "25": 25,
    "25M": 25 * 1000 * 1000,
    "25 M": 25 * 1000 * 1000,
    " 25M ": 25 * 1000 * 1000,
    "1.5k": 1500,
    "1.5K": 1500,
    "25m": 25 * 1000 * 1000,
    "7b": 7 * 10**9,
    "7g": 7 * 10**9,
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
    "", "M", "-1", "+5M", "25 MB", "25MiB", "2,5M", "2,500M", "2_500k", "25_00", "1,0000", "1.",
    ".5M", "1.5", "1.0005k", "25M parameters", "25  M", "1e100", "1e-3G", "0x10", "inf", "nan", "1M2", "２５M", "10%",
)  # fmt: skip
NO_SIZES = (
    "", "80", "80M", "80m", "80mb", "80Mb", "80MIB", "80 bytes", "-1MB", "1.5B", "1,024kB", "2,5MB", "1e400B", "80MBs",
    "MB", "1 000 MB", "80G", "1PB", "50%",
)  # fmt: skip


@pytest.mark.parametrize(("text", "value"), COUNTS.items())
def test_counts(text: str, value: int) -> None:
    assert quantities.count(text) == value


@pytest.mark.parametrize(("text", "value"), SIZES.items())
def test_sizes(text: str, value: int) -> None:
    assert quantities.size(text) == value


@pytest.mark.parametrize("text", NO_COUNTS)
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(Malformed):
        quantities.count(text)


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(Malformed):
        quantities.size(text)


@pytest.mark.parametrize(
    ("text", "value"), {"10%": "10", "0 %": "0", "12.5%": "12.5", "200%": "200", "0.001%": "0.001"}.items()
)
def test_percentages(text: str, value: str) -> None:
    assert quantities.percent(text) == Decimal(value)


@pytest.mark.parametrize("text", ["10", "0.1", "-5%", "%", "ten%", "1e1%", ".5%", "5.%", "1,000%", "9999999%", ""])
def test_what_is_no_percentage(text: str) -> None:
    with pytest.raises(Malformed):
        quantities.percent(text)


@pytest.mark.parametrize(("text", "value"), {"8": 8, " 8 ": 8, "1_000": 1000, "1,000": 1000, "1e3": 1000}.items())
def test_whole_numbers(text: str, value: int) -> None:
    assert quantities.whole(text, 1) == value


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "1k", "8 samples", "1_0", "1,00", "２", "2147483648", "1e99", "nan"]
)
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(Malformed, match=r"^not a whole number from 1 to 2,147,483,647$"):
        quantities.whole(text, 1)


@pytest.mark.parametrize(("text", "value"), {"300": 300, "1.5": 1.5, "1e3": 1000, "1,000": 1000}.items())
def test_seconds(text: str, value: float) -> None:
    assert quantities.seconds(text) == value


@pytest.mark.parametrize("text", ["", "0", "0.5", "-1", "5s", "1m", "nan", "inf", "1e8"])
def test_what_is_no_number_of_seconds(text: str) -> None:
    with pytest.raises(Malformed, match=r"^not a number of seconds from 1 to 10,000,000$"):
        quantities.seconds(text)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("4.09G", 4_085 * 10**6, 4_095 * 10**6),
        ("4.09 GFLOPs", 4_085 * 10**6, 4_095 * 10**6),
        ("4.09 gmacs", 4_085 * 10**6, 4_095 * 10**6),
        ("25 M params", 24_500_000, 25_500_000),
        ("4.1e9", 4_050_000_000, 4_150_000_000),
        ("1,000", Decimal("999.5"), Decimal("1000.5")),
        ("1_000", Decimal("999.5"), Decimal("1000.5")),
    ],
)
def test_what_rounds_to_a_number(text: str, least: int, most: int) -> None:
    assert quantities.rounded(text) == (least, most)


@pytest.mark.parametrize("text", ["", "0", "0.00G", "-4G", "G", "FLOPs", "4.09X", "4,089M", "4.09GB", "1e100"])
def test_what_is_no_number_to_round_to(text: str) -> None:
    with pytest.raises(Malformed, match="not a number above 0"):
        quantities.rounded(text)


def test_a_refusal_names_the_option() -> None:
    with pytest.raises(ProfileError, match=r"^--in 8G: not a size; write it with its unit, like 80MB"):
        quantities.read("--in", "8G", quantities.size)


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (quantities.count_up, 0, "0"),
        (quantities.count_up, Decimal("474.1"), "475"),
        (quantities.count_up, 1000, "1k"),
        (quantities.count_up, 1001, "1.01k"),
        (quantities.count_up, 23_977_440, "24M"),
        (quantities.count_up, 999_999, "1000k"),
        (quantities.count_up, 7 * 10**12 + 1, "7.01T"),
        (quantities.size_up, 1023, "1023B"),
        (quantities.size_up, 1024, "1KB"),
        (quantities.size_up, 1024 + 1, "1.01KB"),
        (quantities.size_up, 91 * 1024**2 + 1, "91.1MB"),
        (quantities.size_up, 1023 * 1024**2, "1030MB"),
    ],
)
def test_a_number_that_a_person_would_write(write: Callable[[int | Decimal], str], value: int, text: str) -> None:
    assert write(value) == text


@given(st.integers(0, 10**16))
def test_what_is_written_holds_the_value_and_little_more(value: int) -> None:
    for write, read in ((quantities.count_up, quantities.count), (quantities.size_up, quantities.size)):
        limit = read(write(value))
        assert value <= limit <= value + max(1, value // 99)


@given(st.integers(0, 10**15), st.sampled_from(["", "k", "M", "G", "B", "T"]))
def test_a_prefix_multiplies(number: int, prefix: str) -> None:
    assert quantities.count(f"{number}{prefix}") == number * quantities.count(f"1{prefix}")
