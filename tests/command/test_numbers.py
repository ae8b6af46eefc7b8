"""Every number on the command line at its extremes: one line that names it, exit 2, and never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler import profile
from tests.shell import run

NET = """
from torch import nn
def net(width=4): return nn.Sequential(nn.Linear(8, width))
"""
FED = ("nets.py:net", "--input", "1x8")
HUGE = "9" * 5000
VERB = {"--batch": (), "--seq": (), "--depth": (), "--top": ("memory",), "--new-tokens": ("generate",)}
NO_NUMBERS = ("-1", "1e400", "nan", "inf", "-inf", "", "１２", "0x10", "1_0", "1.5.2", "99999999999999999999", HUGE)
NO_SIZES = (*NO_NUMBERS, "1e30GB", "1e99TB", "nanMB", "-1MB", "1MB1MB", "１MB", f"{HUGE}MB", "5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    from torch import nn

    path = tmp_path_factory.mktemp("saved") / "saved.json"
    profile(nn.Linear(8, 4), (1, 8)).save(path)
    return str(path)


def assert_refused(capsys: pytest.CaptureFixture[str], *argv: str) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("profile-model: ")
    assert len(err) < 5000


@pytest.mark.parametrize("value", [*NO_NUMBERS, "1.5"])
@pytest.mark.parametrize("option", ["--batch", "--seq", "--depth", "--top", "--new-tokens"])
def test_a_number_of_things(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert_refused(capsys, *VERB[option], *FED, f"{option}={value}")


@pytest.mark.parametrize("option", ["--batch", "--seq", "--top", "--new-tokens"])
def test_none_of_them(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert_refused(capsys, *VERB[option], *FED, f"{option}=0")


@pytest.mark.parametrize(("option", "value"), [("--depth", "0"), ("--depth", "2147483647"), ("--top", "2147483647")])
def test_the_ends_that_mean_something(capsys: pytest.CaptureFixture[str], saved: str, option: str, value: str) -> None:
    assert run(capsys, saved, option, value)[::2] == (0, "")


@pytest.mark.parametrize("value", [*NO_NUMBERS, "0", "0.5", "99999999999"])
def test_a_time_limit(capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert_refused(capsys, "cross-check", *FED, f"--time-limit={value}", "--with", "thop")


@pytest.mark.parametrize("value", NO_SIZES)
def test_a_size(capsys: pytest.CaptureFixture[str], saved: str, value: str) -> None:
    assert_refused(capsys, saved, f"--max-size={value}")
    assert_refused(capsys, "largest", *FED, "batch", f"--in={value}")


@pytest.mark.parametrize("value", [v for v in NO_NUMBERS if v != "99999999999999999999"])
def test_a_count(capsys: pytest.CaptureFixture[str], saved: str, value: str) -> None:
    assert_refused(capsys, saved, f"--max-params={value}")
    assert_refused(capsys, saved, f"--max-unknown={value}")
    assert_refused(capsys, "which", value, *FED)


@pytest.mark.parametrize("value", [*NO_NUMBERS, "10", "99999999999999999999%", f"{HUGE}%", "-1%", "nan%", "１%"])
def test_head_room(capsys: pytest.CaptureFixture[str], folder: Path, value: str) -> None:
    assert_refused(capsys, "check", "--init", *FED, f"--head-room={value}")
    assert not (folder / "profile-model.toml").exists()


@pytest.mark.parametrize("value", [*NO_NUMBERS, "5", f"{HUGE}%", "params=nan", "macs=-1%"])
def test_an_increase(capsys: pytest.CaptureFixture[str], saved: str, value: str) -> None:
    assert_refused(capsys, "diff", saved, saved, f"--max-increase={value}")


SHAPES = (
    "9999999999x9999999999", "99999999999999999999x8", "-1x8", "１x８", f"1x{HUGE}", "", "x", "1e400", "1x8:float3２",
    "9223372036854775807", "1x-8", "1x8x",
)  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape(capsys: pytest.CaptureFixture[str], shape: str) -> None:
    assert_refused(capsys, "nets.py:net", f"--input={shape}")


SCANS = (
    "batch=99999999999999999999", "batch=1..99999999999999999999", "batch=nan", "batch=1e400", "batch=-1", "batch=１",
    f"batch={HUGE}", "batch={[]:1}", f"batch={'(' * 5000}", f"batch={'-' * 20000}1", "seq=1..9:99999999999999999999",
)  # fmt: skip


@pytest.mark.parametrize("scan", SCANS, ids=[scan[:20] for scan in SCANS])
def test_values_of_a_scan(capsys: pytest.CaptureFixture[str], scan: str) -> None:
    assert_refused(capsys, "scan", *FED, scan)


ARGUMENTS = ("99999999999999999999", "-1", "1e400", "{[]:1}", "(" * 5000, "-" * 20000 + "1", HUGE, "None", "'\\ud800'")


@pytest.mark.parametrize("value", ARGUMENTS, ids=[value[:10] for value in ARGUMENTS])
def test_a_builders_argument(capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert_refused(capsys, f"nets.py:net(width={value})", "--input", "1x8")


@pytest.mark.parametrize("batch", ["99999999999999999999", "-1", "1e400", "nan"])
def test_a_number_in_a_budget_file(capsys: pytest.CaptureFixture[str], folder: Path, batch: str) -> None:
    (folder / "b.toml").write_text(f'[[models]]\nmodel = "nets.py:net"\ninput = "1x8"\nbatch = {batch}\nmax-params = 9')
    assert_refused(capsys, "check", "b.toml")
