"""The command: `diff`, `--max-increase` and `--format github`; what it prints, and its exit status."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.shell import run

MODEL = """
from torch import nn

def net(width=8, name="features"):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module(name, nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()))
            self.head = nn.Linear(width, 10)

        def forward(self, x):
            return self.head(getattr(self, name)(x).mean((2, 3)))
    return Net()
"""
UNKNOWN = """
import torch
from torch import nn

@torch.library.custom_op("baseline_test::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x

@twice.register_fake
def _(x):
    return torch.empty_like(x)

class Net(nn.Module):
    def __init__(self, times=1):
        super().__init__()
        self.times = times

    def forward(self, x):
        for _ in range(self.times):
            x = twice(x)
        return x
"""
SIDE = 16
INPUT = ("--input", f"1x3x{SIDE}x{SIDE}")
NET, WIDER, RENAMED = "nets.py:net", "nets.py:net(width=12)", "nets.py:net(name='body')"


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """A folder with models in it, and one of them saved."""
    (tmp_path / "nets.py").write_text(MODEL)
    (tmp_path / "custom.py").write_text(UNKNOWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert run(capsys, NET, *INPUT, "--save", "before.json")[0] == 0
    return "before.json"


def params(width: int = 8) -> int:
    return (3 * 3 * 3 + 1) * width + 2 * width + (width + 1) * 10


def macs(width: int = 8) -> int:
    return SIDE * SIDE * 3 * 3 * 3 * width + width * 10


# What goes well -------------------------------------------------------------------------------------------------------


def test_totals_and_layers(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    status, out, err = run(capsys, "diff", saved, WIDER, *INPUT)
    assert (status, err) == (0, "")
    rows = {line.split("  ")[0]: line.split() for line in out.splitlines()}
    assert rows["Parameters"][1:4] == [str(params()), str(params(12)), f"+{params(12) - params()}"]
    assert rows["MACs"][1:4] == [f"{macs():,}", f"{macs(12):,}", f"+{macs(12) - macs():,}"]
    assert rows["MACs"][4] == f"{100 * (macs(12) / macs() - 1):+.2f}"
    assert "Conv2d 3→8 3×3 became Conv2d 3→12 3×3" in out
    assert "Linear 8→10 became Linear 12→10" in out


def test_nothing_changed(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    status, out, _ = run(capsys, "diff", saved, NET, "--max-increase", "0", *INPUT)
    assert status == 0
    assert "Nothing changed." in out
    assert "Layers:" not in out


def test_renamed_is_said(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    status, out, _ = run(capsys, "diff", saved, RENAMED, "--max-increase", "0", *INPUT)
    assert status == 0
    assert "features → body" in out
    assert "Layers: 1 renamed" in out


@pytest.mark.parametrize(
    ("spec", "limit", "status", "figures"),
    [
        (WIDER, None, 0, ()),
        (WIDER, "50%", 0, ()),
        (WIDER, "0", 1, ("Parameters", "Trainable parameters", "Buffers", "MACs", "FLOPs", "Parameter bytes",
                         "Activation bytes", "Peak activation bytes", "Peak memory bytes")),
        (WIDER, "params=0", 1, ("Parameters",)),
        (WIDER, "params=10%,peak=60%", 1, ("Parameters",)),
        (WIDER, "params=50%,macs=50%", 0, ()),
        (WIDER, "50%,macs=49%", 1, ("MACs",)),
        ("nets.py:net(width=4)", "0", 0, ()),
    ],
)  # fmt: skip
def test_a_total_that_grew_too_much_fails(
    capsys: pytest.CaptureFixture[str], saved: str, spec: str, limit: str | None, status: int, figures: tuple[str, ...]
) -> None:
    limited = () if limit is None else ("--max-increase", limit)
    found, out, err = run(capsys, "diff", saved, spec, *INPUT, *limited)
    assert found == status
    assert [line.split(": ")[2].split(" grew")[0] for line in err.splitlines()] == list(figures)
    assert out.startswith("nets.py:net → ")


def test_the_failure_says_how_much_and_where(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    _, _, err = run(capsys, "diff", saved, WIDER, "--max-increase", "params=2%", *INPUT)
    grown = params(12) - params()
    percent = f"{100 * grown / params():.2f}"
    assert err == (
        f"profile-model: {WIDER}: Parameters grew by {grown}, {percent} %, from {params()} to {params(12)}, "
        "and 2 % is allowed; the most in features.0, head, features.1\n"
    )


def test_two_saved_ones(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    run(capsys, WIDER, *INPUT, "--save", "new.json")
    status, by_diff, _ = run(capsys, "diff", saved, "new.json", "--max-increase", "2%")
    assert status == 1
    assert run(capsys, "diff", saved, "new.json")[1] == by_diff
    assert run(capsys, "diff", NET, WIDER, *INPUT)[1] == by_diff
    assert run(capsys, "diff", saved, WIDER, *INPUT)[1] == by_diff


def test_the_new_one_is_saved_unless_it_grew_too_much(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    before = Path(saved).read_bytes()
    assert run(capsys, "diff", saved, WIDER, "--max-increase", "2%", "--save", saved, *INPUT)[0] == 1
    assert Path(saved).read_bytes() == before
    assert run(capsys, "diff", saved, WIDER, "--save", saved, *INPUT)[0] == 0
    assert run(capsys, "diff", saved, WIDER, "--max-increase", "0", *INPUT)[0] == 0


def test_a_limit_holds_for_the_second_model(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    """And nothing is saved that is over it."""
    before, limit = Path(saved).read_bytes(), ("--max-params", str(params()))
    assert run(capsys, "diff", saved, NET, *INPUT, *limit)[0] == 0
    assert run(capsys, "diff", WIDER, NET, *INPUT, *limit)[0] == 0
    status, out, err = run(capsys, "diff", saved, WIDER, "--save", saved, *INPUT, *limit)
    assert status == 1
    assert out.startswith("nets.py:net → ")
    assert f"{params(12)}" in err
    assert "(--max-params)" in err
    assert Path(saved).read_bytes() == before


def test_json(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    status, out, _ = run(capsys, "diff", saved, WIDER, "--format", "json", "--top", "1", *INPUT)
    found = json.loads(out)
    assert status == 0
    assert (found["schema"], found["before"]["model"], found["after"]["model"]) == (1, NET, WIDER)
    assert found["totals"]["params"] == {
        "before": params(),
        "after": params(12),
        "difference": params(12) - params(),
        "growth": params(12) / params() - 1,
        "unit": None,
    }
    changes = {change["path_after"]: change for change in found["changes"]}
    assert set(changes) == {"", "features.0", "features.1", "features.2", "head"}
    assert {"what": "out_channels", "before": 8, "after": 12} in changes["features.0"]["reasons"]
    assert {"what": "output", "before": [[1, 8, 16, 16]], "after": [[1, 12, 16, 16]]} in changes["features.2"][
        "reasons"
    ]
    assert sum(change["amounts"]["macs"] for change in found["changes"]) == macs(12) - macs()


def test_columns(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    columns = ("--columns", "layer,size,layers", "--top", "1")
    _, out, _ = run(capsys, "diff", saved, WIDER, *INPUT, *columns)
    first = 4 * (3 * 3 * 3 + 1) * (12 - 8)
    rest = 4 * (params(12) - params()) - first
    rows = [line.split() for line in out.splitlines()[-4:]]
    assert rows[0] == ["Layer", "Bytes", "Layers"]
    assert rows[2:] == [["features.0", f"+{first}", "1"], ["…", "and", "4", "more", f"+{rest}", "4"]]


def test_csv(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    _, out, _ = run(capsys, "diff", saved, WIDER, "--format", "csv", *INPUT)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["line"] for row in rows[:3]] == ["before", "after", "difference"]
    assert int(rows[2]["params"]) == params(12) - params() == sum(int(row["params"]) for row in rows[3:])
    assert {row["path_after"] for row in rows[3:]} == {"", "features.0", "features.1", "features.2", "head"}


def test_the_output_file(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    assert run(capsys, "diff", saved, WIDER, "-o", "diff.md", *INPUT) == (0, "", "")
    assert Path("diff.md").read_text().startswith("**nets.py:net → ")


def test_more_unknown_operators_fail_a_limit_on_macs(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    once, twice = "custom.py:Net", "custom.py:Net(times=2)"
    for limit, status in (("0", 1), ("macs=5%", 1), ("params=0", 0)):
        found, out, err = run(capsys, "diff", once, twice, "--input", "2x3", "--max-increase", limit)
        assert found == status
        assert ("baseline_test.twice.default ×2" in err) == bool(status)
        assert "Before: NOT COUNTED, for want of a formula: baseline_test.twice.default ×1" in out
    assert run(capsys, "diff", twice, once, "--input", "2x3", "--max-increase", "macs=0")[0] == 0
    assert run(capsys, "diff", once, once, "--input", "2x3", "--strict")[0] == 1


# What goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("diff", NET), "AFTER is missing (see profile-model diff --help)"),
        (("diff", NET, NET, NET), "diff takes no"),
        ((NET, "--max-increase", "2%"), "Unknown option: --max-increase"),
        (("diff", "before.json", NET, "--max-increase", "2"), "--max-increase 2: '2' is not a percentage"),
        (("diff", "before.json", NET, "--max-increase", "speed=2%"), "no figure is called 'speed'; choose from"),
        (("diff", "nowhere.json", NET), "nowhere.json is not a file; give the path of one that"),
        (("diff", "nets.py", NET), "say which callable in it: nets.py:net"),
        (("diff", "before.json", NET, "--columns", "calls"), "no column is called 'calls'; choose from change,"),
        (("diff", "before.json", NET, "--explain"), "no option is called --explain here; see profile-model"),
        (("diff", "before.json", NET, "--caption", "c"), "Unknown option: --caption"),
        (("diff", "before.json", NET, "--format", "xlsx"), "no format is called 'xlsx'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], saved: str, argv: tuple[str, ...], says: str
) -> None:
    status, out, err = run(capsys, *argv, *INPUT)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert err.startswith("profile-model: ")


def test_both_that_fail_are_told(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    status, out, err = run(capsys, "diff", "nowhere.json", "nets.py:nett", *INPUT)
    assert (status, out) == (2, "")
    assert err.count("\n") == 2


def test_what_was_saved_cannot_be_fed(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    """Where both were: what is fed to one of them is for the other."""
    status, out, err = run(capsys, "diff", saved, saved, *INPUT)
    assert (status, out) == (2, "")
    assert all("before.json was recorded already" in line for line in err.splitlines())
    assert err


# GitHub ---------------------------------------------------------------------------------------------------------------


def test_the_summary_of_a_job(
    capsys: pytest.CaptureFixture[str], saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("what another step wrote\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    github = ("--format", "github")
    status, out, err = run(capsys, "diff", saved, WIDER, "--max-increase", "params=2%", *INPUT, *github)
    assert status == 1
    (annotation,) = out.splitlines()
    assert annotation.startswith(
        f"::error title=profile-model::nets.py:net(width=12): Parameters grew by {params(12) - params()}, 48.48 %25,"
    )
    assert err == ""
    written = summary.read_text()
    assert written.startswith("what another step wrote\n\n**nets.py:net → nets.py:net(width=12)**\n\n| Total ")
    assert run(capsys, NET, *INPUT, *github) == (0, "", "")
    assert summary.read_text().startswith(written)
    assert "\n\n| Layer " in summary.read_text()
    assert run(capsys, NET, WIDER, *INPUT, *github) == (0, "", "")
    assert "\n\n| Model " in summary.read_text()


def test_without_a_job_the_summary_is_printed(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    markdown = run(capsys, NET, *INPUT, "--format", "markdown")
    assert run(capsys, NET, *INPUT, "--format", "github") == markdown


def test_an_output_file_goes_before_the_summary(
    capsys: pytest.CaptureFixture[str], saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert run(capsys, NET, *INPUT, "--format", "github", "-o", "here.txt") == (0, "", "")
    assert Path("here.txt").read_text().startswith("| Layer ")
    assert not (tmp_path / "summary.md").exists()


def test_a_summary_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "no/such/folder.md")
    status, out, err = run(capsys, NET, *INPUT, "--format", "github")
    assert (status, out) == (2, "")
    assert "no/such/folder.md cannot be written" in err


def test_what_is_not_counted_is_a_warning(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    _, out, err = run(capsys, "custom.py:Net", "--input", "2x3", "--format", "github")
    assert "::warning title=profile-model::custom.py:Net: NOT COUNTED, for want of a formula: " in out
    assert err == ""


def test_other_inputs_are_a_warning(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    _, out, _ = run(capsys, "diff", saved, NET, "--input", "1x3x8x8", "--format", "github")
    assert "::warning title=profile-model::Different inputs: 1×3×16×16 float32 before, 1×3×8×8 float32 after." in out


def test_a_budget_that_is_not_kept_is_an_error(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    status, out, err = run(capsys, NET, *INPUT, "--max-params", "1", "--format", "github")
    assert (status, err) == (1, "")
    annotation = out.splitlines()[-1]
    assert annotation.startswith("::error title=profile-model::nets.py:net, ")
    assert f": {params()} against 1 (--max-params)," in annotation


def test_a_model_that_fails_is_an_error(capsys: pytest.CaptureFixture[str], saved: str) -> None:
    status, out, err = run(capsys, "nets.py:nett", *INPUT, "--format", "github")
    assert status == 2
    assert out.startswith("::error title=profile-model::nothing is called 'nett' in nets.py;")
    assert out.count("\n") == 1
    assert err == ""


@pytest.mark.parametrize(
    ("title", "message", "written"),
    [
        ("a", "plain", "::error title=a::plain"),
        ("a", "5 % of\r\n10::20, a:b", "::error title=a::5 %25 of%0D%0A10::20, a:b"),
        ("a:b, 5 %\r\nc", "x", "::error title=a%3Ab%2C 5 %25%0D%0Ac::x"),
        ("%0A", "%0A", "::error title=%250A::%250A"),
    ],
)
def test_annotations_are_escaped(title: str, message: str, written: str) -> None:
    """As `packages/core/src/command.ts` of actions/toolkit does."""
    from profiler.render.formats.github import annotation

    assert annotation("error", message, title) == written
