r"""One place makes every foreign text safe; what it shows is JSON's own way to write a character."""

from __future__ import annotations

import json
import unicodedata

import pytest

from profiler import errors
from profiler.errors import MOST, printable, sentence, shown
from profiler.figures.profile import NoSuchLayer
from profiler.render.formats import csv

_SEEN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13439)}
_BLANK = {0x115F, 0x1160, 0x3164, 0xFFA0}  # letters without a look, for half a Korean syllable


def test_controls_are_shown_and_all_that_has_a_look_stays() -> None:
    """All of Unicode. Of format characters, Arabic, Kaithi and Egyptian signs are seen."""
    every = [(code, unicodedata.category(chr(code)), chr(code)) for code in range(0x110000)]
    harmful = {code for code, kind, _ in every if kind in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert {code for code in harmful if shown(chr(code)) == chr(code)} == _SEEN
    visible = {code for code, kind, _ in every if kind[0] in "LNPS" or kind == "Zs"}
    assert {code for code in visible if shown(chr(code)) != chr(code)} == _BLANK


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x9b1m", "\r\n", "\u202eevil", "\ud800", "\U000e0041", "a\u200bb", "\x7f"]
)
def test_what_is_shown_is_what_json_writes(text: str) -> None:
    assert shown(text) != text
    assert json.loads(f'"{shown(text)}"') == text
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize(
    ("report", "printed"),
    [
        ("two\nlines", "two\nlines"),
        ("::error::forged", r"\u003a:error::forged"),
        ("fine\n  ::error::forged", "fine\n  \\u003a:error::forged"),
        ("a ##[error]forged", r"a ##\u005berror]forged"),
        ("\x1b]8;;http://x\x07", r"\u001b]8;;http://x\u0007"),
        ("nn::Linear", "nn::Linear"),
    ],
)
def test_a_report_keeps_its_lines(report: str, printed: str) -> None:
    assert printable(report) == printed


def test_a_sentence_is_one_line_that_ends() -> None:
    assert sentence("a\n b\t\x1bc") == r"a b \u001bc"
    long = sentence("x" * 100_000 + "; what to do")
    assert len(long) < MOST + 10
    assert long.endswith("; what to do")


class Refused(errors.CheckFailed):
    pass


def test_every_error_of_ours_is_a_sentence() -> None:
    """Also one of a class that nobody has thought of."""
    assert str(Refused("a\n\x1b[31mb")) == r"a \u001b[31mb"
    assert str(NoSuchLayer("x\x1b\n", ["y"])) == r"no layer has the path 'x\x1b\n'"


@pytest.mark.parametrize("cell", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "＝1", "::error::x", "  =x"])
def test_a_spreadsheet_gets_text(cell: str) -> None:
    assert csv._inert(shown(cell)).startswith("'")


@pytest.mark.parametrize("cell", ["-1", "-0.5", "+3e-4", "layer.0", "a=b", -5, 2.5, "", "76.1%", "-3 %"])
def test_numbers_stay_numbers_and_names_names(cell: object) -> None:
    assert csv._inert(cell) == cell
