"""What a terminal gets: colour, bars, and a tree that fits it; and that a pipe, a file and CI get none of that."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from torch import nn

from profiler import compare, profile
from profiler.render import layout, numbers, screen
from profiler.render.screen import Screen
from profiler.render.shown import prepared
from profiler.render.tables import Column, Row, Table, Unit
from tests.hostile_names import TEN, assert_harmless
from tests.shell import run
from tests.terminal import ESCAPES, shown, without_escapes

SIZES = [(80, 24), (120, 50), (40, 20)]
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screen")
    profile("resnet34").save(folder / "resnet34.json")
    return folder


def on_terminal(folder: Path, *argv: str, size: tuple[int, int] = (120, 50), **env: str) -> str:
    status, text = shown(argv, *size, folder, env)
    assert status == 0, text
    return text


def rows_of(text: str) -> list[str]:
    """The lines of layers."""
    return without_escapes(text).split("\n\n")[0].splitlines()[2:]


@pytest.mark.parametrize("size", SIZES)
def test_it_is_as_wide_as_the_terminal_and_folded(folder: Path, size: tuple[int, int]) -> None:
    text = on_terminal(folder, "resnet34.json", size=size)
    plain = without_escapes(text)
    assert max(map(len, plain.splitlines())) <= size[0]
    depth = {(80, 24): 1, (120, 50): 2, (40, 20): 1}[size]
    rows = {1: 11, 2: 27}[depth]
    assert len(rows_of(text)) == rows
    words = " ".join(plain.split())
    assert f"Shown to depth {depth} of 4, {rows} of 116 rows; --depth {depth + 1} or --depth all shows more." in words
    assert ("▏" in plain) is (size[0] > 40)


def test_there_are_colours_and_nothing_else(folder: Path) -> None:
    text = on_terminal(folder, "resnet34.json")
    assert set(ESCAPES.findall(text)) == set(COLOURS.findall(text)) == {
        "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[36m"
    }  # fmt: skip
    assert "\x1b[1mLayer" in text


def test_the_largest_shares_stand_out_and_what_is_missed_is_yellow() -> None:
    columns = (
        Column("a", "A", Unit.TEXT, lambda *_: None), Column("s", "S", Unit.SHARE, lambda *_: None, is_drawn=True),
    )  # fmt: skip
    shares = (0.5, 0.2, 0.2, 0.05, 0.04, 0.01, 0.0, None)
    table = Table(columns, tuple(Row((f"row {i}", share)) for i, share in enumerate(shares)))
    lines = layout.lines(prepared(table), 80)
    large = [line[-1].text.strip() for line in lines if line and line[-1].role is layout.Role.LARGE]
    quiet = [line[-1].text.strip() for line in lines if line and line[-1].role is layout.Role.QUIET]
    assert large == ["50.0", "20.0", "20.0"]
    assert quiet[1:] == ["0.0", "?"]


def test_what_is_not_counted_is_yellow() -> None:
    cautious = Table((), (), notes=(screen.layout.Caution("NOT COUNTED"), "else"))
    assert [line[0].role for line in layout.lines(cautious, None) if line][-2:] == [
        layout.Role.CAUTION, layout.Role.PLAIN
    ]  # fmt: skip


@pytest.mark.parametrize("argv", [("--depth", "3"), ("--depth", "all"), ("--sort", "macs"), ("--filter", "*conv*")])
def test_what_a_user_limits_is_not_folded(folder: Path, argv: tuple[str, ...]) -> None:
    text = on_terminal(folder, "resnet34.json", *argv, size=(80, 24))
    assert "Shown to depth" not in text
    assert len(rows_of(text)) >= 33


def test_all_is_all(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert run(capsys, "resnet34.json", "--depth", "all") == run(capsys, "resnet34.json")
    status, _, err = run(capsys, "resnet34.json", "--depth", "some")
    assert (status, err.count("\n")) == (2, 1)
    assert "--depth some" in err


def test_no_colour_is_folded_without_colour(folder: Path) -> None:
    text = on_terminal(folder, "resnet34.json", NO_COLOR="1")
    assert text == without_escapes(on_terminal(folder, "resnet34.json"))


@pytest.mark.parametrize(
    "env", [{"CI": "true"}, {"TERM": "dumb"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_plain_where_no_more_is_wanted_or_possible(folder: Path, env: Mapping[str, str]) -> None:
    text = on_terminal(folder, "resnet34.json", **env)
    assert not ESCAPES.search(text)
    assert len(rows_of(text)) == 116
    assert "▏" not in text


def test_a_file_gets_plain_text(folder: Path) -> None:
    assert on_terminal(folder, "resnet34.json", "-o", "x.txt") == ""
    text = (folder / "x.txt").read_text(encoding="utf-8")
    assert len(rows_of(text)) == 116
    assert not ESCAPES.search(text)


@pytest.mark.parametrize("verb", ["memory", "weights", "explain"])
def test_other_answers_fit_too(folder: Path, verb: str) -> None:
    text = on_terminal(folder, verb, "resnet34.json", size=(80, 24))
    assert set(ESCAPES.findall(text)) <= set(COLOURS.findall(text))
    if verb != "explain":
        assert max(map(len, without_escapes(text).splitlines())) <= 80


@pytest.mark.parametrize("colour", [True, False])
def test_names_are_text_on_a_terminal(colour: bool) -> None:
    layers = nn.Sequential()
    for name in TEN.values():
        layers.add_module(name.replace(".", "·"), nn.Linear(2, 2))
    text = screen.written(profile(layers, (1, 2)), Screen(200, 500, colour))
    assert_harmless(COLOURS.sub("", text) if colour else text)


# rich -----------------------------------------------------------------------------------------------------------------


def printed(answer: object, **settings: object) -> str:
    console = Console(file=io.StringIO(), width=100, **settings)  # type: ignore[arg-type]
    console.print(answer)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_rich_shows_the_figures_of_plain_text() -> None:
    found = profile(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (1, 3))
    assert printed(found).split("\n\n")[1] == str(found).split("\n\n")[1]
    assert "\x1b[1m" in printed(found, force_terminal=True)
    assert printed(compare([found, found])).strip() == str(compare([found, found])).strip()


def test_markup_of_a_name_is_text_to_rich() -> None:
    layers = nn.Sequential()
    for name in TEN.values():
        layers.add_module(name.replace(".", "·"), nn.Linear(2, 2))
    text = printed(profile(layers, (1, 2)))
    assert_harmless(text)
    assert "[bold red]rich" in text


# Bars -----------------------------------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_is_as_long_as_its_share(share: float, places: int) -> None:
    drawn = numbers.blocks(share, places)
    eighths = 8 * drawn.count("█") + sum(" ▏▎▍▌▋▊▉".index(c) for c in drawn.strip("█"))
    assert eighths == max(round(8 * places * share), 1 if share else 0)
    assert len(drawn) <= places


# What is being done ---------------------------------------------------------------------------------------------------

SLOW = """
import os, time
from torch import nn

def net(seconds=0.0, ends=False):
    time.sleep(seconds)
    if ends:
        os._exit(3)
    return nn.Linear(3, 4)
"""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


def test_one_model_that_takes_long_has_a_line_which_goes(slow: Path) -> None:
    text = on_terminal(slow, "slow.py:net(seconds=1.5)", "--input", "1x3")
    before, _, after = text.rpartition("at work on slow.py:net")
    assert before
    assert without_escapes(after).split("\r")[-1].startswith("Layer")
    assert "\x1b[?25l" not in text, "a cursor that is hidden may stay so"


def test_several_models_have_a_bar_with_the_time_left(slow: Path) -> None:
    text = without_escapes(on_terminal(slow, *["slow.py:net(seconds=0.7)"] * 3, "--input", "1x3"))
    assert "0/3" in text
    assert re.search(r"2/3 \d\d:\d\d left", text)


def test_a_process_that_ends_leaves_no_half_line(slow: Path) -> None:
    status, text = shown(("slow.py:net(seconds=1.5, ends=True)", "--input", "1x3"), 120, 50, slow)
    assert status == 2
    assert "at work on" in text
    assert "\r\x1b[Kprofile-model: " in text


def test_a_measurement_has_a_bar_of_its_time(slow: Path) -> None:
    argv = ("time", "slow.py:net(seconds=1)", "--input", "1x3", "--device", "cpu", "--seconds", "1")
    assert " left slow.py:net(seconds=1): runs" in without_escapes(on_terminal(slow, *argv))


def test_nothing_of_that_reaches_a_pipe(
    slow: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(slow)
    _, _, err = run(capsys, "slow.py:net(seconds=1.2)", "--input", "1x3")
    assert err == ""
