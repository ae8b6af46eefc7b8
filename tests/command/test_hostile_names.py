"""Names, labels, messages and versions that somebody else chose, through every mode of the command in every format.

None of them reaches a terminal, a page, a spreadsheet, a paper or a job's log as anything but text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

from profiler import profile
from profiler.answers.cross_check import compute as crosscheck
from profiler.counters.running.reading import Reading
from profiler.render import FORMATS
from tests.hostile_names import CHECKS, HOSTILE, assert_harmless, check_csv, check_html, check_latex, check_markdown
from tests.shell import run

SHAPE = "2x4"
EVIL_FILE = "\x1b[31m\n##[error]=\u202e.json"


def evil(width: int = 4) -> nn.Module:
    """A model whose layers and classes are called so, as far as Python lets them."""
    layers = nn.Sequential()
    for name in HOSTILE:
        bases = {"forward": lambda self, x: nn.Linear.forward(self, x).relu()}
        is_possible = "\0" not in name and "\ud800" not in name
        layer = type(name, (nn.Linear,), bases)(width, width) if is_possible else nn.Linear(width, width)
        layers.add_module(name.replace(".", "·"), layer)
    return layers


def raises() -> nn.Module:
    class Raises(nn.Module):
        def forward(self, x: object) -> None:
            raise type("Mine", (RuntimeError,), {})(" ".join(HOSTILE[:-2]))

    return Raises()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name, width in (("old.json", 4), ("new.json", 5)):
        profile(evil(width), (2, width)).save(folder / name)
    profile(evil(), (2, 4)).save(folder / EVIL_FILE)
    (folder / "m.csv").write_text("model," + _csv(HOSTILE[0]) + "\nold.json," + _csv(HOSTILE[9]) + "\n", "utf-8")
    written = json.dumps(HOSTILE[9])  # which TOML reads alike
    (folder / "b.toml").write_text(
        f'[[models]]\nmodel = "old.json"\nlabel = {written}\nmax-params = 1\n'
        '[[models]]\nmodel = "mine.py:raises"\ninput = "2x4"\nmax-params = 1\n'
    )
    (folder / "list.toml").write_text(f'caption = {written}\n[[models]]\nmodel = "old.json"\nlabel = {written}\n')
    (folder / "mine.py").write_text("from tests.command.test_hostile_names import evil, raises\n")
    (folder / "names.py").write_text(f"raise ValueError({' '.join(HOSTILE[:10])!r})\n")
    return folder


def _csv(text: str) -> str:
    return '"' + text.replace('"', '""').replace("\n", " ") + '"'


LIVE = ("mine.py:evil", "--input", SHAPE)
LABELS = tuple(part for name in HOSTILE for part in ("old.json", "--label", name.replace("\0", "")))
MODES: dict[str, tuple[str, ...]] = {
    "layers": ("old.json", "--caption", HOSTILE[9]),
    "layers, every column": ("old.json", "--columns", "path,class,kind,params", "--sort", "params"),
    "a file of such a name": (EVIL_FILE,),
    "several": LABELS,
    "several, some fail": ("old.json", EVIL_FILE, "mine.py:raises", "names.py:x", f"{HOSTILE[9]}.py:x", HOSTILE[0]),
    "metrics": ("old.json", "--metrics", "m.csv", "--bold", "all", "--caption", HOSTILE[5]),
    "a list": ("list.toml",),
    "strict and limits": ("old.json", "--strict", "--max-params", "1", "--max-macs", "1"),
    "memory": ("memory", "old.json"),
    "plot": ("plot", *LABELS),
    "plot of depth": ("plot", "old.json", "--kind", "depth", "--title", HOSTILE[9]),
    "time": ("time", "old.json", "--device", "h100-sxm"),
    "train": ("train", *LIVE, "--freeze", "*x*"),
    "scan": ("scan", *LIVE, f"width={HOSTILE[9]!r},4"),
    "scan of the batch": ("scan", *LIVE, "batch=1,2", "--caption", HOSTILE[9]),
    "largest": ("largest", *LIVE, "batch", "--in", "1MB"),
    "which": ("which", "1G", *LIVE, "--label", HOSTILE[9]),
    "diff": ("diff", "old.json", "new.json", "--max-increase", "1%"),
    "baseline": ("diff", EVIL_FILE, "new.json", "--max-increase", "1%"),
    "a budget": ("check", "b.toml"),
    "weights": ("weights", "old.json", "--as", "int8"),
    "weights of several": ("weights", "old.json", "new.json", "--label", HOSTILE[9], "--label", HOSTILE[13]),
    "ablate": ("ablate", *LIVE, "--without", "<script*", "--replace", "$x*=Identity", "--caption", HOSTILE[9]),
    "sensitivity": ("sensitivity", *LIVE, "--samples", "2", "--caption", HOSTILE[9]),
    "sensitivity by removal": ("sensitivity", *LIVE, "--samples", "2", "--by", "remove"),
    "sweep": ("sweep", "old.json", EVIL_FILE, "mine.py:raises", f"{HOSTILE[0]}.py:x", "--jobs", "1"),
    "a cross-check": ("cross-check", *LIVE, "--with", "thop,fvcore,torch"),
    "a cross-check in full": ("cross-check", *LIVE, "--with", "thop,fvcore", "--verbose", "--label", HOSTILE[9]),
}
ERRORS: dict[str, tuple[str, ...]] = {
    "an option": (f"--{HOSTILE[9]}",),
    "a model": (HOSTILE[0],),
    "a spec": (f"resnet18(x={HOSTILE[9]}",),
    "a prefix": (f"{HOSTILE[9]}:{HOSTILE[5]}",),
    "a file": (f"{HOSTILE[9]}.safetensors",),
    "a column": ("old.json", "--columns", HOSTILE[9]),
    "a pattern": ("old.json", "--filter", HOSTILE[9]),
    "a format": ("old.json", "--format", HOSTILE[9]),
    "an output": ("old.json", "-o", f"no/{HOSTILE[9]}.csv"),
    "a shape": ("old.json", "--input", HOSTILE[9]),
    "a limit": ("old.json", "--max-size", HOSTILE[9]),
    "a convention": ("old.json", "--convention", HOSTILE[9]),
    "a counter": ("cross-check", *LIVE, f"--with={HOSTILE[9]}"),
    "an endless one": ("x" * 100_000,),
    "a module's exception": ("names.py:x", "--input", SHAPE),
    "a forward's exception": ("mine.py:raises", "--input", SHAPE),
}


def _readings(job: object, tools: tuple[str, ...], *_: object, **__: object) -> list[Reading]:
    """What counters might say."""
    layers = {name.replace(".", "·"): 7 for name in HOSTILE}
    said = [
        Reading(
            tools[0],
            version=HOSTILE[9],
            total=len(HOSTILE) * 7,
            params=3,
            layers=layers,
            layer_params=layers,
            note=HOSTILE[5],
        ),
        Reading(tools[1], version=HOSTILE[5], error=" ".join(HOSTILE[5:12])),
    ]
    return [*said, *(Reading(tool, missing=HOSTILE[9]) for tool in tools[2:])]


@pytest.fixture(autouse=True)
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(crosscheck, "read_all", _readings)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_every_format(capsys: pytest.CaptureFixture[str], mode: str, format: str) -> None:
    status, out, err = run(capsys, *MODES[mode], "--format", format)
    assert out, err
    assert status in (0, 1, 2)
    assert_harmless(out, annotations=format == "github")
    assert_harmless(err)
    report = "".join(line for line in out.splitlines(keepends=True) if not line.startswith("::"))
    CHECKS.get(format, lambda report: None)(report)
    assert all(line.startswith("profile-model: ") for line in err.splitlines())


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "explain", "old.json")
    assert_harmless(out)
    assert r"\u001b[2J" in out


@pytest.mark.parametrize("error", ERRORS)
def test_every_sentence(capsys: pytest.CaptureFixture[str], error: str) -> None:
    status, _, err = run(capsys, *ERRORS[error])
    assert (status, err.count("\n")) == (2, 1)
    assert_harmless(err)
    assert len(err) < 5000


def test_json_keeps_names_to_the_last_character(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "old.json", "--format", "json")
    assert [layer["path"] for layer in json.loads(out)["layers"]][1:] == [n.replace(".", "·") for n in HOSTILE]


def test_the_checks_can_fail() -> None:
    for name, is_harmful in zip(HOSTILE, _harmful(), strict=True):
        try:
            assert_harmless(name.replace("\n", " ") if not name.startswith("\n") else name)
        except AssertionError:
            assert is_harmful, name
        else:
            assert not is_harmful, name
    with pytest.raises(AssertionError):
        check_html(HOSTILE[0])
    with pytest.raises(AssertionError):
        check_csv(HOSTILE[12])
    with pytest.raises(AssertionError):
        check_markdown(HOSTILE[0])
    with pytest.raises(AssertionError):
        check_latex(HOSTILE[17])


def _harmful() -> Iterator[bool]:
    """Those that a terminal or a log would act on."""
    return (n in {*range(3, 8), 9, 10, 11, 16, 20, 21, 22} for n in range(len(HOSTILE)))
