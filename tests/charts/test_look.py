"""Colours that a grey print tells apart, widths, and what a style file may say."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import pytest

from profiler import ProfileError
from profiler.render import numbers
from profiler.render.charts import look
from profiler.render.charts.look import COLOURS, FILLS, GREY, LINES, MARKERS, REST
from profiler.render.tables import Unit


def lightness(colour: str) -> float:
    """CIE L* of a colour of sRGB, 0 to 100, which is what a grey print shows of it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return float(116 * luminance ** (1 / 3) - 16) if luminance > 0.008856 else 903.3 * luminance


def test_neighbours_in_a_stack_differ_in_grey() -> None:
    for (one, _), (other, _) in pairwise(FILLS):
        assert abs(lightness(one) - lightness(other)) > 8, (one, other)


def test_any_two_fills_differ_in_grey_or_by_a_hatch() -> None:
    for one, other in combinations([*FILLS, REST], 2):
        assert one[1] != other[1] or abs(lightness(one[0]) - lightness(other[0])) > 15, (one, other)


def test_lines_differ_by_more_than_colour() -> None:
    assert len(set(COLOURS)) == len(MARKERS) == 7
    styles = {(LINES[i % len(LINES)], MARKERS[i % len(MARKERS)]) for i in range(28)}
    assert len(styles) == 28


def test_grey_text_can_be_read_on_white() -> None:
    """Contrast of WCAG 2, 1.4.3: 4.5 to 1."""
    luminance = ((lightness(GREY) + 16) / 116) ** 3
    assert 1.05 / (luminance + 0.05) > 4.5


@pytest.mark.parametrize(("written", "inches"), [("one", 3.5), ("two", 7.16), ("5.5", 5.5), (4, 4.0), (None, 3.5)])
def test_widths(written: str | float | None, inches: float) -> None:
    assert look.read(written, None, None).width == inches


@pytest.mark.parametrize("written", ["three", "0", "nan", "-1", "1e9", "inf", ""])
def test_what_is_no_width(written: str) -> None:
    with pytest.raises(ProfileError, match="a width is one"):
        look.read(written, None, None)


AXES = [
    (3_663_761_408, Unit.AMOUNT, (1e9, "G")),
    (999, Unit.AMOUNT, (1, "")),
    (87_190_688, Unit.BYTES, (1024**2, "MB")),
    (0.0123, Unit.SECONDS, (1e-3, "ms")),
    (0.0000123, Unit.SECONDS, (1e-6, "µs")),
    (1.0, Unit.SHARE, (0.01, "%")),
    (80.1, Unit.NUMBER, (1, "")),
]  # fmt: skip


@pytest.mark.parametrize(("largest", "unit", "expected"), AXES)
def test_an_axis_has_a_unit_that_suits_its_values(largest: float, unit: Unit, expected: tuple[float, str]) -> None:
    assert numbers.scale(largest, unit) == expected
    assert numbers.scale(0, unit)[0] > 0


@pytest.mark.parametrize(
    ("value", "written"), [(0.5, "0.5"), (1000, "1,000"), (-2, "−2"), (0.30000000000000004, "0.3")]
)
def test_ticks(value: float, written: str) -> None:
    assert numbers.tick(value) == written


STYLES = {
    "no.such: 1": "line 1: 'no.such' is no setting of matplotlib",
    "font.size: large and round": "line 1: 'font.size'",
    "font.size 8": "line 1 has no colon",
    "# a comment\n\nfont.size: 8\naxes.grid: perhaps": "line 4: 'axes.grid'",
    "\x1b[31m: 1": "is no setting of matplotlib",
}


@pytest.mark.parametrize("text", STYLES)
def test_a_style_file_that_is_wrong_says_where(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.mplstyle"
    path.write_text(text)
    with pytest.raises(ProfileError) as raised:
        look.read(None, path, None)
    assert STYLES[text] in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_a_style_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.mplstyle"
    path.write_text('font.size: 10  # points\naxes.edgecolor: "#123456"\nfigure.figsize: 4, 3\nbackend: agg\n')
    found = look.read(None, path, "A title")
    assert (found.width, found.title) == (4, "A title")
    assert found.style == {"font.size": 10, "axes.edgecolor": "#123456", "figure.figsize": [4, 3]}
    assert look.read("one", path, None).width == 3.5


def test_a_style_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="is not a file"):
        look.read(None, tmp_path / "none.mplstyle", None)
    (tmp_path / "binary.mplstyle").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="it is not UTF-8"):
        look.read(None, tmp_path / "binary.mplstyle", None)
