"""A list or a pattern where one model is meant, patterns in lists, and lists that can be read once alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shell import rows, run

LINEAR = "torch.nn:Linear(in_features=2, out_features=3)"
TWO = f"[[models]]\nmodel = '{LINEAR}'\ninput = '1x2'\n[[models]]\nmodel = '{LINEAR}'\nlabel = 'b'\ninput = '4x2'\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two.toml").write_text(TWO)


ABOUT_ONE = {
    "scan": ("two.toml", "batch=1,2"),
    "largest": ("two.toml", "batch", "--in", "1MB"),
    "generate": ("two.toml",),
    "memory": ("two.toml",),
    "match": ("two.toml", "weights.pt"),
    "diff": ("two.toml", LINEAR),
}


@pytest.mark.parametrize("verb", ABOUT_ONE)
def test_a_verb_about_one_model_says_so(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    status, out, err = run(capsys, verb, *ABOUT_ONE[verb])
    assert (status, out) == (2, "")
    assert err == f"profile-model: {verb} is about one model, and two.toml names 2; name one of them\n"


def test_a_list_of_one_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.toml").write_text(f"[[models]]\nmodel = '{LINEAR}'\ninput = '1x2'\n")
    assert [row["value"] for row in rows(capsys, "scan", "one.toml", "batch=1,2")] == ["1", "2"]


@pytest.mark.parametrize("verb", [(), ("train",), ("weights", "--as", "int8,fp16"), ("explain",)])
def test_other_verbs_take_all_of_a_list(capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]) -> None:
    first, rest = verb[:1], verb[1:]
    status, out, _ = run(capsys, *first, "two.toml", *rest)
    assert status == 0
    assert out.count("Linear") >= 2


def test_patterns_stand_in_lists(capsys: pytest.CaptureFixture[str]) -> None:
    Path("zoo.toml").write_text("[[models]]\nmodel = 'squeezenet1_*'\n")
    found = rows(capsys, "zoo.toml", "--no-input", "--columns", "model")
    assert {"squeezenet1_0", "squeezenet1_1"} <= {row["model"] for row in found}
    Path("zoo.toml").write_text("[[models]]\nmodel = 'squeezenet1_*'\nlabel = 'small'\n")
    _, _, err = run(capsys, "zoo.toml")
    assert "squeezenet1_* stands for 2 models, and a label or metrics are one model's" in err
    Path("zoo.toml").write_text("[[models]]\nmodel = 'squeezenet9*'\n")
    _, _, err = run(capsys, "zoo.toml")
    assert "no model name matches 'squeezenet9*'" in err


def test_a_list_is_read_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that a shell hands over, `<(...)`, which is empty the second time."""
    from profiler.records.files import toml_files

    read, paths = toml_files.read, []
    monkeypatch.setattr(toml_files, "read", lambda path, shown_as: paths.append(path) or read(path, shown_as))
    assert run(capsys, "two.toml")[0] == 0
    assert run(capsys, "train", "two.toml")[0] == 0
    assert paths == ["two.toml"] * 2
